"""What driving a run is made of: writing under the lease, ending it, handing it back; and the local way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any

from core.bootstrap import App
from core.db import reading, writing
from core.domain.types import JobStatus
from core.ledger import dollars
from core.models import ModelVersion, PredictionRun
from core.providers.base import Predictor, Reply
from core.services import predict, prediction_runs
from core.services.prediction_runs import Account, Ending, Item, Landed, Lease

#: Articles that a local model judges at a time.
LOCAL_CHUNK = 500
CANCELLED = Ending(JobStatus.CANCELLED, "Cancelled.", detail="not asked: the run was cancelled")


#: Seconds between two lines about the progress.
TELL_EVERY_S = 2.0


@dataclass
class _Progress:
    """Counts what came back in this drive, and says so now and then."""

    answered: int = 0
    failed: int = 0
    said_at: float = field(default_factory=monotonic)

    def count(self, landed: Sequence[Landed], tell: Callable[[str], None]) -> None:
        ok = sum(each.reply.forecast is not None for each in landed)
        self.answered, self.failed = self.answered + ok, self.failed + len(landed) - ok
        if landed and monotonic() - self.said_at >= TELL_EVERY_S:
            self.said_at = monotonic()
            tell(f"{self.answered:,} answered, {self.failed:,} failed so far")


@dataclass(frozen=True)
class Driver:
    """What driving one run needs.

    Parameters
    ----------
    app : App
        The application.
    run, model : PredictionRun, ModelVersion
        As they were when the run was claimed.
    lease : Lease
        The right to drive it.
    tell : callable
        Is told of the progress, a line at a time.
    stop_at : float
        Monotonic seconds after which nothing more is begun and the run is handed back.
    """

    app: App
    run: PredictionRun
    model: ModelVersion
    lease: Lease
    tell: Callable[[str], None] = lambda _line: None
    stop_at: float = float("inf")
    _progress: _Progress = field(default_factory=_Progress)

    def write(self, landed: Sequence[Landed], leaving: Sequence[Item] = ()) -> bool:
        """Write what came back and what is about to leave, in one transaction.

        Returns whether a cancel was asked for; then nothing was marked as leaving.
        """
        now, ok = self.app.now(), sum(each.reply.forecast is not None for each in landed)
        with writing(self.app.engine, durable=True) as session:
            cancel = self.lease.extend(session, now, ok=ok, bad=len(landed) - ok)
            allowed = () if cancel else leaving
            prediction_runs.record(session, self.run, self.model, landed, allowed, now=now)
            session.commit()
        self._progress.count(landed, self.tell)
        return cancel

    def end(self, ending: Ending) -> None:
        """End the run."""
        with writing(self.app.engine, durable=True) as session:
            run = prediction_runs.end_run(
                session, self.lease.run_id, ending, now=self.app.now(), lease=self.lease
            )
            self.tell(f"{run.status}: {run.answered:,} answered, {run.failed:,} failed, of {run.total:,}")

    def hand_back(self, again_in: timedelta | None = None, **values: Any) -> None:
        """Leave the run to be gone on with by anybody (after a while), and write `values` of it."""
        now = self.app.now()
        with writing(self.app.engine, durable=True) as session:
            self.lease.hand_back(session, now, again_at=now + again_in if again_in else None, **values)


def over_budget(needed: int, left: int) -> Ending:
    """Return the end of a run whose next articles the month's budget does not bear."""
    sentence = (
        f"The next articles may cost {dollars(needed)} and {dollars(max(0, left))} of the month's "
        "budget are left. Raise the budget on the Costs page, then ask again for what has no answer."
    )
    return Ending(JobStatus.BLOCKED, sentence, detail="not asked: the month's budget was used up")


def over_price(needed: int, account: Account) -> Ending:
    """Return the end of a run whose next articles would cost more than was agreed to."""
    sentence = (
        f"{dollars(account.spent)} are spent and the next articles may cost {dollars(needed)}: that is more "
        f"than the {dollars(account.accepted)} that were agreed to. Ask again for what has no answer, at a "
        "new price."
    )
    return Ending(JobStatus.BLOCKED, sentence, detail="not asked: the price that was agreed to was used up")


def drive_local(driver: Driver, predictor: Predictor) -> None:
    """Let a local model judge chunk by chunk; nothing is paid and nothing can be asked twice."""
    first = driver.run.answered == 0
    while monotonic() < driver.stop_at:
        with reading(driver.app.engine) as session:
            items = prediction_runs.next_items(session, driver.lease.run_id, after=-1, limit=LOCAL_CHUNK)
        if not items:
            return driver.end(Ending(JobStatus.SUCCEEDED))
        texts = [item.text for item in items]
        answers = predict.timed(predictor, texts) if first else [(f, None) for f in predictor.predict(texts)]
        first = False
        landed = [
            Landed(item, Reply(forecast, latency_ms=latency_ms))
            for item, (forecast, latency_ms) in zip(items, answers, strict=True)
        ]
        if driver.write(landed):
            return driver.end(CANCELLED)
    return driver.hand_back()
