"""What a lost answer leaves open: looks at the vendor after one, five and thirty minutes, and a person's word.

A vendor's list may lag behind, and a driver that was cut off may have sent its request after its lease
ended. So every launch is looked for again: a lost one is found, and of several only the first goes on.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import update
from sqlmodel import Session, col, select

from core.db import let_go
from core.domain.types import AlertState, JobStatus
from core.errors import NewstuneError, NotFound, ProviderFailed, Refused
from core.models import Alert, TrainingJob
from core.providers.base import Trainer
from core.services.training.jobs import Desk, alert, change, finish, job_folder

LOOKS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))


def look_for_duplicates(session: Session, desk: Desk) -> list[str]:
    """Look at the vendor for launches that are due for it; return what was found, a sentence each."""
    query = select(TrainingJob).where(
        col(TrainingJob.submitted_at).is_not(None), col(TrainingJob.sweeps) < len(LOOKS)
    )
    jobs = session.exec(query).all()
    let_go(session)
    now = desk.clock()
    said = []
    for job in jobs:
        due = job.submitted_at is not None and job.submitted_at + LOOKS[job.sweeps] <= now
        if due and (trainer := desk.trainers.get(job.provider)) is not None:
            said += _look(session, desk, job, trainer)
    return said


def _look(session: Session, desk: Desk, job: TrainingJob, trainer: Trainer) -> list[str]:
    find = getattr(trainer, "find", None)
    try:
        found = find(job.key) if find is not None else []
    except ProviderFailed:  # not reachable: this look stays due
        return []
    said = []
    own = (job.handle or {}).get("job")
    if job.status == JobStatus.UNKNOWN and found:
        own = found[0]["job"]
        _adopt(session, desk, job, found[0])
        said.append(f"job {job.id} was found at {job.provider}")
    extra = [each for each in found if each["job"] != own]
    said += [_cancel_extra(session, desk, job, trainer, each) for each in extra]
    mine = col(TrainingJob.id) == job.id
    session.exec(update(TrainingJob).where(mine).values(sweeps=job.sweeps + 1))
    session.commit()
    let_go(session)
    return said


def _adopt(session: Session, desk: Desk, job: TrainingJob, found: Mapping[str, Any]) -> None:
    """Go on with a launch whose answer was lost, and close the alert that asked about it."""
    handle = (job.handle or {}) | dict(found)
    values = {"status": JobStatus.RUNNING, "handle": handle, "error": None, "checked_at": desk.clock()}
    _close_alert(session, desk, job)
    change(session, job, values)


def _cancel_extra(
    session: Session, desk: Desk, job: TrainingJob, trainer: Trainer, extra: Mapping[str, Any]
) -> str:
    sentence = (
        f"{job.provider} has a second training job of intent {str(job.key)[:8]} (job {job.id}): "
        f"{extra['job']} was cancelled"
    )
    try:
        trainer.cancel(extra, job_folder(desk.job_dir, job.id))
    except NewstuneError as error:
        sentence = sentence.removesuffix("was cancelled") + f"could not be cancelled, do it by hand: {error}"
    alert(session, job, "DUPLICATE_LAUNCH", sentence, now=desk.clock(), extra=extra["job"])
    session.commit()
    return sentence


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
    kept = {name: value for name, value in (job.handle or {}).items() if name not in ("sends", "lost")}
    values = {"status": JobStatus.RESERVED, "handle": kept, "error": None, "lease_until": None}
    return change(session, job, values)


def _close_alert(session: Session, desk: Desk, job: TrainingJob) -> None:
    mine = col(Alert.key) == f"LAUNCH_UNKNOWN|{job.key}"
    session.exec(update(Alert).where(mine).values(state=AlertState.RESOLVED, closed_at=desk.clock()))
