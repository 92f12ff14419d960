"""What people decide about a run: to end it, to ask again about what failed, to believe in a lost batch or not."""

from datetime import datetime
from typing import Literal

from sqlmodel import Session, col, select

from core.domain.types import ACTIVE_JOB_STATUSES, Failure, ItemState, JobStatus
from core.errors import Refused
from core.ledger import dollars
from core.models import PredictionItem, PredictionRun
from core.services.prediction_runs.rows import Ending, close_alert, end_run, get_run


def failed_articles(session: Session, run_id: int) -> tuple[PredictionRun, tuple[int, ...]]:
    """Return a run that has ended and its articles without an answer.

    Raises
    ------
    NotFound, Refused
        If there is no such run, or it is still under way.
    """
    run = get_run(session, run_id)
    if run.status in ACTIVE_JOB_STATUSES:
        raise Refused(f"Prediction run {run_id} is still under way", "Wait for its end, or cancel it")
    failed = select(PredictionItem.article_id).where(
        PredictionItem.run_id == run_id, PredictionItem.state == ItemState.FAILED
    )
    return run, tuple(session.exec(failed.order_by(col(PredictionItem.position))))


def request_cancel(session: Session, run_id: int, *, now: datetime) -> PredictionRun:
    """End a waiting run at once; ask the driver of a running one to stop.

    Raises
    ------
    NotFound, Refused
        If there is no such run, or it has ended already.
    """
    run = get_run(session, run_id)
    if run.status not in ACTIVE_JOB_STATUSES:
        raise Refused(f"The run has ended already ({run.status})", "Start another for what has no answer")
    if run.status == JobStatus.UNKNOWN:
        raise Refused(
            "Nobody knows whether the vendor has this batch, so it cannot be cancelled there",
            "Look at the vendor's console, then decide: send it again, or give it up",
        )
    if run.status == JobStatus.QUEUED:
        return end_run(session, run_id, Ending(JobStatus.CANCELLED, "Cancelled before it began."), now=now)
    run.cancel_requested = True
    session.add(run)
    session.commit()
    return run


def resolve_unknown(
    session: Session,
    run_id: int,
    decision: Literal["send_again", "give_up"],
    *,
    actor: str,
    now: datetime,
) -> PredictionRun:
    """Do what a person decided about a batch whose fate is unknown.

    Raises
    ------
    NotFound, Refused
        If there is no such run, or its fate is known.
    """
    run = get_run(session, run_id)
    if run.status != JobStatus.UNKNOWN:
        raise Refused(
            f"The fate of prediction run {run_id} is known ({run.status})", "Nothing needs to be decided"
        )
    if decision == "give_up":
        error = (
            f"Given up by {actor}: nobody knows whether the vendor ever had this batch. It may be billed, so "
            f"its estimate of {dollars(run.estimate_micro_usd)} counts as spent."
        )
        ending = Ending(JobStatus.FAILED, error, lost=Failure.INTERRUPTED)
        return end_run(session, run_id, ending, now=now)
    close_alert(session, run, now=now)
    # the provider notes there what may have been sent; a person has just said that it was not
    run.handle = {name: value for name, value in (run.handle or {}).items() if name not in ("sends", "lost")}
    run.status, run.error = JobStatus.QUEUED, None
    run.submitted_at = run.lease_owner = run.lease_until = None
    session.add(run)
    session.commit()
    return run
