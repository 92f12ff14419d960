"""Starting jobs: claim under a lease, let the trainer do its durable start, write down how it went."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, update
from sqlmodel import Session, col, select

from core import ledger
from core.db import let_go
from core.domain.types import JobStatus
from core.errors import (
    FateUnknown,
    LeaseLost,
    NewstuneError,
    ProviderBlocked,
    ProviderFailed,
    ProviderUnreachable,
)
from core.models import TrainingJob
from core.providers.base import Launch, Trainer
from core.services.training.jobs import IN_FLIGHT, LEASE, Desk, change, finish, job_folder, unknown
from core.services.training.spec import training_spec

WAITING = (JobStatus.QUEUED, JobStatus.RESERVED)
#: A launch that could not be begun is tried again after a pause, and given up after some hours.
PAUSE = timedelta(minutes=1)
PATIENCE = timedelta(hours=6)


def launch_next(session: Session, desk: Desk) -> TrainingJob | None:
    """Start the oldest job whose provider has a free slot, or resume a launch whose driver is gone.

    Returns the job as it is then, or None when there was nothing to do or somebody else was quicker.
    """
    claim = _claim(session, desk)
    if claim is None:
        return None
    job, resumed = claim
    if (refusal := _refusal(session, desk, job)) is not None:
        return finish(session, desk, job, refusal[0], error=refusal[1])
    return _carry_out(session, desk, job, resumed=resumed)


def _carry_out(session: Session, desk: Desk, job: TrainingJob, *, resumed: bool) -> TrainingJob | None:
    """Start a claimed job and write down how it went."""
    try:
        handle = _start(session, desk, job, resumed=resumed)
    except LeaseLost:
        return None
    except FateUnknown as error:
        return unknown(session, desk, job, str(error), submitted_at=desk.clock(), sweeps=0)
    except ProviderUnreachable as error:
        return _put_off(session, desk, job, str(error))
    except (NewstuneError, OSError) as error:
        blocked = isinstance(error, ProviderBlocked)
        status = JobStatus.BLOCKED if blocked else JobStatus.FAILED
        return finish(session, desk, job, status, error=f"The job could not be started: {error}")
    now = desk.clock()
    sent = {"submitted_at": now, "sweeps": 0} if desk.trainers[job.provider].remote else {}
    values = {"status": JobStatus.RUNNING, "handle": handle, "checked_at": now, "lease_owner": None}
    return change(session, job, values | sent | {"error": None})


def _refusal(session: Session, desk: Desk, job: TrainingJob) -> tuple[JobStatus, str] | None:
    """Return why a job must not be sent any more; None where it may, or where it may have been sent."""
    if job.handle and any(job.handle.get(sign) for sign in ("job", "sends", "lost", "unsure")):
        return None
    if job.cancel_requested:
        return JobStatus.CANCELLED, "Cancelled before it was sent."
    state = ledger.standing(session, desk.policy, simulated=job.simulated, now=desk.clock())
    let_go(session)
    if job.config.get("quote") and state.left < 0:
        return JobStatus.BLOCKED, (
            "The month's budget no longer covers what is reserved, so this job was not sent. Raise the "
            "budget on the Costs page and start it again."
        )
    return None


def _put_off(session: Session, desk: Desk, job: TrainingJob, error: str) -> TrainingJob:
    """Try a launch of which nothing was sent again after a pause, for some hours."""
    now = desk.clock()
    if now - job.created_at > PATIENCE:
        return finish(session, desk, job, JobStatus.FAILED, error=f"The job could not be started: {error}")
    waiting = {"status": JobStatus.RESERVED, "lease_owner": None, "lease_until": now + PAUSE}
    return change(session, job, waiting | {"error": error, "checked_at": now})


def _start(session: Session, desk: Desk, job: TrainingJob, *, resumed: bool) -> dict[str, Any]:
    """Let the trainer start, or go on with, a job that is claimed; return the handle."""
    trainer = desk.trainers[job.provider]
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
    rested = or_(col(TrainingJob.lease_until).is_(None), col(TrainingJob.lease_until) <= now)
    waiting = col(TrainingJob.status).in_(WAITING) & rested
    usable = col(TrainingJob.provider).in_(list(desk.trainers))
    query = select(TrainingJob).where(or_(waiting, abandoned), usable)
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
    """Tell whether a job's provider may run one more."""
    slots = desk.trainers[job.provider].slots
    busy: ColumnElement[bool] = col(TrainingJob.status).in_(IN_FLIGHT)
    mine = select(TrainingJob.id).where(busy, TrainingJob.provider == job.provider).limit(slots)
    return len(session.exec(mine).all()) < slots
