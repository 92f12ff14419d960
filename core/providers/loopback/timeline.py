"""Where a training stands at a moment, and what it has reported by then. Pure: nothing runs anywhere."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: Shares of the whole duration at which a phase ends.
VALIDATED, STARTED = 0.1, 0.2
#: Steps of a training that are reported, at most.
REPORTED = 30


@dataclass(frozen=True)
class Plan:
    """What decides a training's course.

    Parameters
    ----------
    created, duration_s : float
        Seconds since 1970 and seconds until it succeeds.
    steps, epochs : int
        Optimiser's steps in all, and passes over the data.
    seed : int
        Of the noise in the losses.
    validated : bool
        Whether there is a validation file, so that its loss is reported.
    error : str
        Sentence with which it fails when it should begin to run; "" for none.
    cancelled : float or None
        When it was stopped.
    """

    created: float
    duration_s: float
    steps: int
    epochs: int
    seed: int = 0
    validated: bool = False
    error: str = ""
    cancelled: float | None = None

    def share(self, now: float) -> float:
        """Return how much is done, 0-1; what was stopped or failed stays where it was."""
        until = now if self.cancelled is None else min(now, self.cancelled)
        done = (until - self.created) / self.duration_s if self.duration_s > 0 else 1.0
        return max(0.0, min(done, STARTED if self.error else 1.0))

    def status(self, now: float) -> str:
        """Return the state by OpenAI's word."""
        done = self.share(now)
        if done >= 1:
            return "succeeded"
        if self.error and done >= STARTED:
            return "failed"
        if self.cancelled is not None and now >= self.cancelled:
            return "cancelled"
        return "validating_files" if done < VALIDATED else "queued" if done < STARTED else "running"

    def finished(self, now: float) -> float | None:
        """Return when it ended, in seconds since 1970; None while it goes on."""
        if self.status(now) == "cancelled":
            return self.cancelled
        over = self.status(now) in ("succeeded", "failed")
        return self.created + self.share(now) * self.duration_s if over else None

    def at(self, step: int) -> float:
        """Return the share of the duration at which a step is done; a little is left after the last."""
        return STARTED + (0.98 - STARTED) * step / self.steps

    def checkpoint_steps(self) -> list[int]:
        """Return the last step of each epoch."""
        return sorted(
            {max(1, round(self.steps * epoch / self.epochs)) for epoch in range(1, self.epochs + 1)}
        )


@dataclass(frozen=True)
class Event:
    """One line of a training's story, at a share of its duration."""

    share: float
    message: str
    data: dict[str, Any] | None = None
    level: str = "info"


def losses(plan: Plan, step: int) -> dict[str, Any]:
    """Return the metrics of one step: losses that fall, with noise that only depends on the seed."""
    done = step / plan.steps
    noise = random.Random(plan.seed * 1_000_003 + step)  # noqa: S311 - no secret
    train = 0.2 + 1.3 * math.exp(-4 * done) + noise.uniform(-0.04, 0.04)
    metrics: dict[str, Any] = {
        "step": step,
        "total_steps": plan.steps,
        "train_loss": round(train, 4),
        "train_mean_token_accuracy": round(1 - train / 4, 4),
    }
    if plan.validated:
        valid = 0.3 + 1.2 * math.exp(-3.5 * done) + 0.08 * done**2 + noise.uniform(-0.03, 0.03)
        metrics |= {"valid_loss": round(valid, 4), "valid_mean_token_accuracy": round(1 - valid / 4, 4)}
        if step in plan.checkpoint_steps():
            metrics["full_valid_loss"] = metrics["valid_loss"]
            metrics["full_valid_mean_token_accuracy"] = metrics["valid_mean_token_accuracy"]
    return metrics


def reported_steps(plan: Plan) -> list[int]:
    """Return the steps whose metrics are reported: evenly spread, with the first and each epoch's last."""
    every = max(1, plan.steps // REPORTED)
    return sorted({1, *range(every, plan.steps + 1, every), *plan.checkpoint_steps()})


def story(plan: Plan, job: str, training_file: str, model: str) -> Iterator[Event]:
    """Yield all that a training will have reported when it has succeeded or failed, oldest first."""
    yield Event(0.0, f"Created fine-tuning job: {job}")
    yield Event(0.01, f"Validating training file: {training_file}")
    if plan.error:
        yield Event(STARTED, f"The job failed: {plan.error}", level="error")
        return
    yield Event(VALIDATED, "Files validated, moving job to queued state")
    yield Event(STARTED, "Fine-tuning job started")
    for step in reported_steps(plan):
        metrics = losses(plan, step)
        said = f"Step {step}/{plan.steps}: training loss={metrics['train_loss']}"
        yield Event(plan.at(step), said, metrics)
        if step in plan.checkpoint_steps() and step < plan.steps:
            yield Event(plan.at(step), f"Checkpoint created at step {step}")
    yield Event(0.99, f"New fine-tuned model created: {model}")
    yield Event(1.0, "The job has successfully completed")


def events(plan: Plan, now: float, *, job: str, training_file: str, model: str) -> list[Event]:
    """Return what has been reported by `now` (seconds since 1970), oldest first."""
    done = plan.share(now)
    told = [one for one in story(plan, job, training_file, model) if one.share <= done]
    if plan.status(now) == "cancelled":
        told.append(Event(done, "Fine-tuning job cancelled"))
    return told
