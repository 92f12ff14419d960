"""What a lost answer leaves open: looks at the vendor after one, five and thirty minutes, and a person's word.

A vendor's list may lag behind, and a driver that was cut off may have sent its request after its lease
ended. So every launch is looked for again: a lost one is found, and of several only the first goes on.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import update
from sqlmodel import Session, col, select

from core import ledger
from core.db import let_go
from core.domain.types import AlertState, JobStatus
from core.errors import NewstuneError, NotFound, ProviderFailed, Refused
from core.models import Alert, TrainingJob
from core.providers.base import Trainer
from core.services.training.jobs import Desk, alert, change, charge, finish, job_folder

LOOKS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
#: A look that could not be made is tried again after a pause, and given up after a day.
PAUSE, PATIENCE = timedelta(minutes=2), timedelta(days=1)
#: A launch that is waiting or under way is its driver's business.
NOT_SENT = (JobStatus.QUEUED, JobStatus.RESERVED, JobStatus.SUBMITTING)
#: What a handle remembers of a request that was sent.
SENT = ("sends", "lost", "job", "created_at", "status")
#: What ended without being charged for.
HARMLESS = ("cancelled", "failed")


def look_for_duplicates(session: Session, desk: Desk) -> list[str]:
    """Look at the vendor for launches that are due for it; return what was found, a sentence each."""
    query = select(TrainingJob).where(
        col(TrainingJob.submitted_at).is_not(None),
        col(TrainingJob.sweeps) < len(LOOKS),
        col(TrainingJob.status).not_in(NOT_SENT),
        col(TrainingJob.provider).in_(list(desk.trainers)),
    )
    jobs = session.exec(query).all()
    let_go(session)
    now = desk.clock()
    return [said for job in jobs if _is_due(job, now) for said in _look(session, desk, job)]


def _is_due(job: TrainingJob, now: datetime) -> bool:
    rested = job.looked_at is None or job.looked_at + PAUSE <= now
    return rested and job.submitted_at is not None and job.submitted_at + LOOKS[job.sweeps] <= now


def _look(session: Session, desk: Desk, job: TrainingJob) -> list[str]:
    trainer, now = desk.trainers[job.provider], desk.clock()
    find = getattr(trainer, "find", None)
    try:
        found = find(job.key) if find is not None else []
    except ProviderFailed:
        tired = job.submitted_at is not None and now - job.submitted_at > PATIENCE
        _looked(session, job, len(LOOKS) if tired else job.sweeps, now)
        return []
    current = session.get_one(TrainingJob, job.id, populate_existing=True)
    let_go(session)
    if current.status in NOT_SENT:  # a person let it be sent again in the meantime
        return []
    said = []
    own = (current.handle or {}).get("job")
    if current.status == JobStatus.UNKNOWN and found:
        chosen = next((each for each in found if each.get("status") not in HARMLESS), found[0])
        own = chosen["job"]
        _adopt(session, desk, current, chosen)
        said.append(f"job {job.id} was found at {job.provider}")
    extra = [each for each in found if each["job"] != own and each.get("status") not in HARMLESS]
    said += [_end_extra(session, desk, current, trainer, each) for each in extra]
    _looked(session, job, job.sweeps + 1, now)
    return said


def _looked(session: Session, job: TrainingJob, sweeps: int, now: datetime) -> None:
    mine = col(TrainingJob.id) == job.id
    session.exec(update(TrainingJob).where(mine).values(sweeps=sweeps, looked_at=now))
    session.commit()
    let_go(session)


def _adopt(session: Session, desk: Desk, job: TrainingJob, found: Mapping[str, Any]) -> None:
    """Go on with a launch whose answer was lost, and close the alert that asked about it."""
    handle = (job.handle or {}) | dict(found)
    values = {"status": JobStatus.RUNNING, "handle": handle, "error": None, "checked_at": desk.clock()}
    _close_alert(session, desk, job)
    change(session, job, values)


def _end_extra(
    session: Session, desk: Desk, job: TrainingJob, trainer: Trainer, extra: Mapping[str, Any]
) -> str:
    """Cancel a second job of an intent, or count what it cost where it has ended; alert once."""
    name = f"{job.provider} has a second training job of intent {str(job.key)[:8]} (job {job.id}):"
    if extra.get("status") == "succeeded":
        sentence = f"{name} {extra['job']} ended before it was found, and is probably billed"
    else:
        sentence = f"{name} {_cancelled(desk, job, trainer, extra)}"
    key = f"DUPLICATE_LAUNCH|{job.key}|{extra['job']}"
    if session.exec(select(Alert.id).where(Alert.key == key)).first() is None:
        alert(session, job, "DUPLICATE_LAUNCH", sentence, now=desk.clock(), about=extra["job"])
        quote = job.config.get("quote")
        if extra.get("status") == "succeeded" and quote:
            bill = charge(job, duplicate=extra["job"], estimated=True)
            ledger.spend(session, bill, micro_usd=int(quote["likely"]), now=desk.clock())
    session.commit()
    let_go(session)
    return sentence


def _cancelled(desk: Desk, job: TrainingJob, trainer: Trainer, extra: Mapping[str, Any]) -> str:
    try:
        trainer.cancel(extra, job_folder(desk.job_dir, job.id))
    except NewstuneError as error:
        return f"{extra['job']} could not be cancelled, do it by hand: {error}"
    return f"{extra['job']} was cancelled"


def resolve_unknown(
    session: Session, desk: Desk, *, job_id: int, answer: Literal["send_again", "give_up"], actor: str
) -> TrainingJob:
    """Do what a person decided about a launch whose fate is unknown, having looked at the vendor's console.

    ``send_again`` allows the paid request once more, under the same name; ``give_up`` ends the job and
    gives the reservation back.

    Raises
    ------
    NotFound, Refused
        If there is no such job, or its fate is known.
    """
    job = session.get(TrainingJob, job_id)
    if job is None:
        raise NotFound("training job", job_id, "List them with the command 'jobs'")
    if job.status != JobStatus.UNKNOWN:
        raise Refused(f"The fate of job {job_id} is known ({job.status})", "Nothing needs to be decided")
    _close_alert(session, desk, job)
    if answer == "give_up":
        error = f"Given up by {actor}: the start of this job was never confirmed by {job.provider}."
        return finish(session, desk, job, JobStatus.FAILED, error=error)
    kept = {name: value for name, value in (job.handle or {}).items() if name not in SENT}
    values = {"status": JobStatus.RESERVED, "handle": kept, "error": None, "lease_until": None}
    return change(session, job, values | {"submitted_at": None, "sweeps": 0, "looked_at": None})


def _close_alert(session: Session, desk: Desk, job: TrainingJob) -> None:
    mine = col(Alert.key) == f"LAUNCH_UNKNOWN|{job.key}"
    session.exec(update(Alert).where(mine).values(state=AlertState.RESOLVED, closed_at=desk.clock()))
