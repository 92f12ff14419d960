"""What a vendor says of a training job, as values of ours. Pure: bodies in, reports out."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any

from core.domain.types import JobStatus
from core.providers.base import TrainedModel, TrainerEvent
from core.providers.openai_compat.faults import clean
from core.providers.openai_compat.launching import unix_time
from core.providers.retrying import sent_at

Body = Mapping[str, Any]

_ENDED = {
    "succeeded": JobStatus.SUCCEEDED,
    "failed": JobStatus.FAILED,
    "cancelled": JobStatus.CANCELLED,
    "canceled": JobStatus.CANCELLED,
}
#: Of OpenAI's, Azure's and others' stories; the checks of the files before it are told in other words.
_BEGUN = re.compile(r"\b(?:job|training) (?:has |was )?started\b|\bstep \d", re.IGNORECASE)
_STEP = re.compile(r"\bstep (\d+)/(\d+)", re.IGNORECASE)
#: What is known of a finished job and worth keeping.
_FACTS = ("seed", "result_files", "trained_tokens", "trained_steps", "finished_at", "user_provided_suffix")


def status_of(job: Body) -> JobStatus:
    """Return where a job stands; whatever is not an end goes on."""
    return _ENDED.get(str(job.get("status")), JobStatus.RUNNING)


def had_begun(job: Body, events: Sequence[Body]) -> bool:
    """Tell whether a job that ended had begun to train, as far as the vendor's record says.

    Trained tokens decide where they are given. Steps, a time at which it started and a line of its story prove
    that it had. A story without such a line proves that it had not; without any story it is taken to have.
    """
    trained = job.get("trained_tokens")
    if isinstance(trained, int):
        return trained > 0
    if job.get("started_at") or progress_of(job, events) > 0:
        return True
    told = [str(event.get("message") or "")[:300] for event in events]
    return not told or any(map(_BEGUN.search, told))


def age_s(job: Body, events: Iterable[Body], headers: Mapping[str, str]) -> float | None:
    """Return the seconds since a job ended, by the vendor's own clock; None where that does not tell.

    Parameters
    ----------
    headers : mapping
        Of the response that held the job; not distinguishing case.
    """
    ended = unix_time(job.get("finished_at"))
    ended = ended or max((unix_time(event.get("created_at")) for event in events), default=0.0)
    now = sent_at(headers)
    return now.timestamp() - ended if ended and now else None


def parse_events(
    events: Iterable[Body], redact: Callable[[str], str], *, ended: bool
) -> tuple[TrainerEvent, ...]:
    """Return a job's story, oldest first, numbered from 0; a number never changes from one look to the next.

    Vendors list newest first, and give several events of one second. Such events are ordered by their id,
    so those of the newest second wait until the next second has begun or the job has `ended`: another one
    might come before them.
    """
    named = [event for event in events if isinstance(event.get("id"), str)]
    ordered = sorted({event["id"]: event for event in named}.values(), key=_age)
    newest = unix_time(ordered[-1].get("created_at")) if ordered else 0.0
    settled = [event for event in ordered if ended or unix_time(event.get("created_at")) < newest]
    return tuple(_event(number, event, redact) for number, event in enumerate(settled))


def _age(event: Body) -> tuple[float, str]:
    return unix_time(event.get("created_at")), event["id"]


def _event(number: int, event: Body, redact: Callable[[str], str]) -> TrainerEvent:
    data = event.get("data")
    said = data.items() if isinstance(data, dict) else ()
    numbers = {name: value for name, value in said if isinstance(value, int | float) and isfinite(value)}
    at = datetime.fromtimestamp(unix_time(event.get("created_at")), UTC)
    return TrainerEvent(number, at, clean(str(event.get("message") or ""), redact), numbers)


def newest_message(events: Sequence[Body], redact: Callable[[str], str]) -> str:
    """Return what was reported last; "" where nothing was."""
    newest = max((event for event in events if isinstance(event.get("id"), str)), key=_age, default={})
    return clean(str(newest.get("message") or ""), redact)


def progress_of(job: Body, events: Iterable[Body]) -> float:
    """Return the share of steps done, 0-1, from the job itself or from what it reported."""
    shares = [_share(job.get("trained_steps"), job.get("total_steps"))]
    for event in events:
        data = event.get("data")
        if isinstance(data, dict):
            shares.append(_share(data.get("step"), data.get("total_steps")))
        if said := _STEP.search(str(event.get("message") or "")[:300]):
            shares.append(_share(int(said[1]), int(said[2])))
    return max(shares)


def _share(done: object, total: object) -> float:
    counted = unix_time(total)
    return min(1.0, max(0.0, unix_time(done) / counted)) if counted > 0 else 0.0


def billed_tokens(job: Body) -> int | None:
    """Return the tokens that a job is charged for; None where the vendor does not say."""
    billed = job.get("trained_tokens")
    return billed if isinstance(billed, int) and not isinstance(billed, bool) else None


def trained_model(
    job: Body, checkpoints: Iterable[Body], *, remote_model: str, retires: date | None
) -> TrainedModel:
    """Return what a finished job left behind."""
    facts = {name: job[name] for name in _FACTS if job.get(name) not in (None, [], "")}
    params = {
        "job": job.get("id"),
        "hyperparameters": _hyperparameters(job),
        "checkpoints": [_checkpoint(one) for one in checkpoints],
        **facts,
    }
    tuned = job.get("fine_tuned_model")
    if tuned and tuned != remote_model:
        params["fine_tuned_model"] = tuned
    return TrainedModel(
        artefact=None,
        sha256=None,
        base_model=str(job.get("model") or ""),
        params=params,
        remote_model=remote_model,
        billed_tokens=billed_tokens(job),
        retires=retires,
    )


def _hyperparameters(job: Body) -> dict[str, Any]:
    """Return the settings that the vendor really used: what was left to it is known only now."""
    method = job.get("method")
    supervised = method.get("supervised") if isinstance(method, dict) else None
    inner = supervised.get("hyperparameters") if isinstance(supervised, dict) else None
    outer = job.get("hyperparameters")
    return {**(outer if isinstance(outer, dict) else {}), **(inner if isinstance(inner, dict) else {})}


def _checkpoint(one: Body) -> dict[str, Any]:
    metrics = one.get("metrics")
    return {
        "step": one.get("step_number"),
        "model": one.get("fine_tuned_model_checkpoint") or one.get("id"),
        "metrics": metrics if isinstance(metrics, dict) else {},
    }


def retirement(models: Iterable[Body], names: Sequence[str]) -> date | None:
    """Return the day on which the first of `names` that has one is switched off."""
    days = {model.get("id"): day_of(model.get("shutdown_date")) for model in models}
    return next((day for name in names if (day := days.get(name)) is not None), None)


def day_of(value: object) -> date | None:
    """Return a date written as YYYY-MM-DD; None for anything else."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def error_of(job: Body, redact: Callable[[str], str]) -> str:
    """Return the vendor's sentence on a failed job."""
    error = job.get("error")
    said = error if isinstance(error, dict) else {}
    text = f"{said.get('message') or 'the vendor gives no reason'}"
    code = f" ({said['code']})" if said.get("code") else ""
    return clean(f"The training failed: {text}{code}", redact)
