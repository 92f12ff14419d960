"""Starting jobs: claim under a lease, let the trainer do its durable start, write down how it went."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_, update
from sqlmodel import Session, col, select

from core.db import let_go
from core.domain.types import JobStatus
from core.errors import FateUnknown, LeaseLost, NewstuneError, ProviderBlocked, ProviderFailed
from core.models import TrainingJob
from core.providers.base import Launch, Trainer
from core.services.training.jobs import IN_FLIGHT, LEASE, Desk, alert, change, finish, job_folder
from core.services.training.spec import training_spec

WAITING = (JobStatus.QUEUED, JobStatus.RESERVED)


def launch_next(session: Session, desk: Desk) -> TrainingJob | None:
    """Start the oldest job whose provider has a free slot, or resume a launch whose driver is gone.

    Returns the job as it is then, or None when there was nothing to do or somebody else was quicker.
    """
    claim = _claim(session, desk)
    if claim is None:
        return None
    job, resumed = claim
    try:
        handle = _start(session, desk, job, resumed=resumed)
    except LeaseLost:
        return None
    except FateUnknown as error:
        return _unknown(session, desk, job, str(error))
    except (NewstuneError, OSError) as error:
        blocked = isinstance(error, ProviderBlocked)
        status = JobStatus.BLOCKED if blocked else JobStatus.FAILED
        return finish(session, desk, job, status, error=f"The job could not be started: {error}")
    now = desk.clock()
    sent = {"submitted_at": now} if desk.trainer(job.provider).remote else {}
    values = {"status": JobStatus.RUNNING, "handle": handle, "checked_at": now, "lease_owner": None}
    return change(session, job, values | sent)


def _start(session: Session, desk: Desk, job: TrainingJob, *, resumed: bool) -> dict[str, Any]:
    """Let the trainer start, or go on with, a job that is claimed; return the handle."""
    trainer = desk.trainer(job.provider)
    if resumed and not trainer.remote:  # its child, if there is one, cannot be found again
        raise ProviderFailed(job.provider, "the program stopped while starting this job", "Start it again")
    spec = training_spec(session, job.dataset_id, job.config, desk.policy)
    let_go(session)
    folder = job_folder(desk.job_dir, job.id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return trainer.start(spec, folder, _launch(session, desk, job, trainer))


def _launch(session: Session, desk: Desk, job: TrainingJob, trainer: Trainer) -> Launch:
    """Return what a start is handed; each save proves that the lease is still ours, and extends it."""

    def save(handle: Mapping[str, Any]) -> None:
        held = update(TrainingJob).where(
            col(TrainingJob.id) == job.id,
            col(TrainingJob.lease_owner) == desk.runner,
            col(TrainingJob.status) == JobStatus.SUBMITTING,
        )
        values = {"handle": dict(handle), "lease_until": desk.clock() + LEASE}
        changed = session.exec(held.values(**values)).rowcount
        session.commit()
        let_go(session)
        if not changed:
            raise LeaseLost(f"Job {job.id}")

    if not trainer.remote:
        return Launch(str(job.key), {}, lambda _handle: None)
    return Launch(str(job.key), dict(job.handle or {}), save)


def _claim(session: Session, desk: Desk) -> tuple[TrainingJob, bool] | None:
    """Take the lease of the oldest job that may start now, in one write transaction; tell if it is resumed."""
    now = desk.clock()
    abandoned = (col(TrainingJob.status) == JobStatus.SUBMITTING) & or_(
        col(TrainingJob.lease_until) < now,
        col(TrainingJob.lease_until).is_(None) & (col(TrainingJob.started_at) < now - LEASE),
    )
    query = select(TrainingJob).where(or_(col(TrainingJob.status).in_(WAITING), abandoned))
    for job in session.exec(query.order_by(col(TrainingJob.id))).all():
        resumed = job.status == JobStatus.SUBMITTING
        if not resumed and not _has_slot(session, desk, job):
            continue
        job.status, job.lease_owner, job.lease_until = JobStatus.SUBMITTING, desk.runner, now + LEASE
        job.started_at = job.started_at or now
        job.checked_at = now
        session.add(job)
        session.commit()
        let_go(session)
        return job, resumed
    session.rollback()
    return None


def _has_slot(session: Session, desk: Desk, job: TrainingJob) -> bool:
    """Tell whether a job's provider may run one more; one that is gone has no limit: its job fails."""
    trainer = desk.trainers.get(job.provider)
    if trainer is None:
        return True
    busy: ColumnElement[bool] = col(TrainingJob.status).in_(IN_FLIGHT)
    mine = select(TrainingJob.id).where(busy, TrainingJob.provider == job.provider).limit(trainer.slots)
    return len(session.exec(mine).all()) < trainer.slots


def _unknown(session: Session, desk: Desk, job: TrainingJob, error: str) -> TrainingJob:
    """Keep the reservation and ask a person; the looks at the vendor go on by themselves."""
    now = desk.clock()
    alert(session, job, "LAUNCH_UNKNOWN", error, now=now)
    values = {"status": JobStatus.UNKNOWN, "error": error, "submitted_at": now, "sweeps": 0}
    return change(session, job, values | {"checked_at": now, "lease_owner": None})
