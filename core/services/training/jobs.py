"""The job's row: how it changes, who may change it, and what its end means for the ledger."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from core import ledger
from core.db import let_go
from core.domain.policy import Policy
from core.domain.types import ACTIVE_JOB_STATUSES, AlertState, CostPurpose, JobStatus
from core.models import Alert, TrainingJob
from core.providers.base import Trainer

#: Longer than any single request (60 s) with its waits: who has not reported by then is dead or cut off.
LEASE = timedelta(minutes=3)
IN_FLIGHT = (JobStatus.SUBMITTING, JobStatus.RUNNING)


@dataclass(frozen=True)
class Desk:
    """What following jobs needs from outside.

    Parameters
    ----------
    trainers : mapping of str to Trainer
        Those that this process can use, by provider: a job of any other is left to a process that can.
    job_dir, artefact_dir : Path
        Where jobs work and where trained models are kept.
    clock : callable
        Returns an aware UTC datetime; asked again during a launch, whose lease must outlast it.
    runner : str
        Name of this driver, unique while it lives.
    policy : Policy
        The system prompt and the default budget.
    """

    trainers: Mapping[str, Trainer]
    job_dir: Path
    artefact_dir: Path
    clock: Callable[[], datetime]
    runner: str
    policy: Policy = field(default_factory=Policy)


def job_folder(job_dir: Path, job_id: int | None) -> Path:
    """Return the folder in which a job works: a name from the database, never from a user."""
    return job_dir / f"job-{job_id:06d}"


def change(session: Session, job: TrainingJob, values: dict[str, Any]) -> TrainingJob:
    """Update a job that has not ended (one that has stays so), commit, and return it."""
    still_open = col(TrainingJob.status).in_(ACTIVE_JOB_STATUSES)
    session.exec(update(TrainingJob).where(col(TrainingJob.id) == job.id, still_open).values(**values))
    changed = session.get_one(TrainingJob, job.id, populate_existing=True)
    session.commit()
    let_go(session)
    return changed


def finish(
    session: Session,
    desk: Desk,
    job: TrainingJob,
    status: JobStatus,
    *,
    error: str | None = None,
    message: str = "",
) -> TrainingJob:
    """End a job, give back what is left of its reservation, and clear its folder."""
    now = desk.clock()
    stored = session.get_one(TrainingJob, job.id, populate_existing=True)
    if stored.status in ACTIVE_JOB_STATUSES and stored.key is not None:
        ledger.release(session, charge(stored), now=now)
    progress = 1.0 if status == JobStatus.SUCCEEDED else stored.progress
    values = {"status": status, "error": error, "message": message, "progress": progress}
    ended = change(session, job, values | {"finished_at": now, "checked_at": now, "lease_owner": None})
    shutil.rmtree(job_folder(desk.job_dir, job.id), ignore_errors=True)
    return ended


def charge(job: TrainingJob, **detail: object) -> ledger.Charge:
    """Return what the ledger says of a job."""
    return ledger.Charge(
        reference=str(job.key),
        purpose=CostPurpose.TRAINING,
        provider=job.provider,
        model=job.base_model,
        actor=job.actor,
        simulated=job.simulated,
        detail={"job": job.id} | detail,
    )


def unknown(session: Session, desk: Desk, job: TrainingJob, error: str, **values: Any) -> TrainingJob:
    """Keep the reservation and ask a person what became of a job."""
    now = desk.clock()
    alert(session, job, "LAUNCH_UNKNOWN", error, now=now)
    asked = {"status": JobStatus.UNKNOWN, "error": error, "checked_at": now, "lease_owner": None}
    return change(session, job, asked | values)


def alert(
    session: Session, job: TrainingJob, rule: str, message: str, *, now: datetime, about: str = ""
) -> None:
    """Open an alert about a job, or open it again; one row for each rule and what it is about."""
    key = "|".join(filter(None, (rule, str(job.key), about)))
    row = session.exec(select(Alert).where(Alert.key == key)).first()
    row = row or Alert(key=key, rule=rule, message=message, at=now)
    row.message, row.state, row.at, row.closed_at = message, AlertState.OPEN, now, None
    row.detail = {"job": job.id, "provider": job.provider, "about": about}
    session.add(row)
