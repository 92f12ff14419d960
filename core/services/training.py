"""Training jobs: queue, launch one at a time, follow, cancel, and register what comes out.

Every function may be called by several processes at once (a page, the scheduler, the command line):
a job changes state by compare-and-swap, and no transaction is open while a trainer is spoken to.
"""

import os
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from threading import get_ident
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from core.db import insert_new, let_go
from core.domain.types import (
    ACTIVE_JOB_STATUSES,
    JobStatus,
    ModelKind,
    Origin,
    Sentiment,
    Split,
)
from core.errors import NewstuneError, NotFound, ProviderFailed, Refused
from core.models import Article, DatasetItem, DatasetVersion, ModelVersion, TrainingEvent, TrainingJob
from core.providers.base import JobReport, NewsText, TrainedModel, Trainer, TrainingRow, TrainingSpec

#: A launch that has not reported a handle after this long broke off with its process.
LAUNCH_LIMIT = timedelta(minutes=2)
IN_FLIGHT = (JobStatus.SUBMITTING, JobStatus.RUNNING)


def queue_training(
    session: Session,
    trainer: Trainer,
    *,
    dataset_id: int,
    provider: str,
    hyperparameters: Mapping[str, Any],
    seed: int,
    actor: str,
    now: datetime,
) -> TrainingJob:
    """Freeze a training configuration and put it in the queue.

    Raises
    ------
    NotFound
        If the dataset version does not exist.
    Refused
        If the provider cannot train on it; nothing is queued then.
    """
    config = {"hyperparameters": dict(hyperparameters), "seed": seed}
    spec = training_spec(session, dataset_id, config)
    let_go(session)
    preflight = trainer.preflight(spec)
    if not preflight.allowed:
        raise Refused(
            preflight.reason.rstrip("."), "Build a dataset version that meets this, then train again"
        )
    job = TrainingJob(
        provider=provider,
        dataset_id=dataset_id,
        status=JobStatus.QUEUED,
        config=config | {"estimate_s": round(trainer.estimate_s(spec), 1)},
        actor=actor,
        created_at=now,
    )
    session.add(job)
    session.commit()
    return job


def training_spec(session: Session, dataset_id: int, config: Mapping[str, Any]) -> TrainingSpec:
    """Return the train and validation rows of a dataset version; the test part stays where it is."""
    if session.get(DatasetVersion, dataset_id) is None:
        raise NotFound("dataset version", dataset_id, "List them with the command 'datasets'")
    query = (
        select(  # type: ignore[call-overload]  # SQLModel types four columns at most
            DatasetItem.split, DatasetItem.label, DatasetItem.weight, Article.title, Article.body
        )
        .join(Article, col(Article.id) == DatasetItem.article_id)
        .where(DatasetItem.dataset_id == dataset_id, DatasetItem.split != Split.TEST)
        .order_by(DatasetItem.split, col(DatasetItem.position))
    )
    parts: dict[str, list[TrainingRow]] = {Split.TRAIN: [], Split.VALIDATION: []}
    for split, label, weight, title, body in session.exec(query):
        parts[split].append(TrainingRow(NewsText(title, body), Sentiment(label), weight))
    return TrainingSpec(
        train=tuple(parts[Split.TRAIN]),
        validation=tuple(parts[Split.VALIDATION]),
        hyperparameters=config["hyperparameters"],
        seed=config["seed"],
    )


def launch_next(
    session: Session, trainers: Mapping[str, Trainer], *, job_dir: Path, now: datetime
) -> TrainingJob | None:
    """Start the oldest queued job if none is in flight; return it, or None when there was nothing to do."""
    job = _claim_next(session, now)
    if job is None:
        return None
    folder = job_folder(job_dir, job.id)
    try:
        trainer = _trainer(trainers, job.provider)
        spec = training_spec(session, job.dataset_id, job.config)
        let_go(session)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = trainer.start(spec, folder)
    except (NewstuneError, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        return _finish(
            session, job, JobStatus.FAILED, now=now, error=f"The job could not be started: {error}"
        )
    return _change(session, job, {"status": JobStatus.RUNNING, "handle": handle, "checked_at": now})


def _trainer(trainers: Mapping[str, Trainer], provider: str) -> Trainer:
    if provider not in trainers:
        raise ProviderFailed(provider, "this provider is not set up any more", "Train with another one")
    return trainers[provider]


def job_folder(job_dir: Path, job_id: int | None) -> Path:
    """Return the folder in which a job works: a name from the database, never from a user."""
    return job_dir / f"job-{job_id:06d}"


def _claim_next(session: Session, now: datetime) -> TrainingJob | None:
    """Move the oldest queued job to SUBMITTING, inside one write transaction."""
    busy = session.exec(select(TrainingJob.id).where(col(TrainingJob.status).in_(IN_FLIGHT)).limit(1)).first()
    queued = select(TrainingJob).where(TrainingJob.status == JobStatus.QUEUED).order_by(col(TrainingJob.id))
    job = None if busy else session.exec(queued.limit(1)).first()
    if job is None:
        session.rollback()
        return None
    job.status = JobStatus.SUBMITTING
    job.started_at = job.checked_at = now
    session.commit()
    let_go(session)
    return job


def poll_jobs(
    session: Session,
    trainers: Mapping[str, Trainer],
    *,
    job_dir: Path,
    artefact_dir: Path,
    now: datetime,
) -> list[TrainingJob]:
    """Bring every job in flight up to date and return those that ended now."""
    jobs = session.exec(select(TrainingJob).where(col(TrainingJob.status).in_(IN_FLIGHT))).all()
    let_go(session)
    ended = []
    for job in jobs:
        folder = job_folder(job_dir, job.id)
        after = _follow(session, trainers, job, folder, artefact_dir=artefact_dir, now=now)
        if after.status not in ACTIVE_JOB_STATUSES:
            ended.append(after)
            shutil.rmtree(folder, ignore_errors=True)
    return ended


def _follow(
    session: Session,
    trainers: Mapping[str, Trainer],
    job: TrainingJob,
    folder: Path,
    *,
    artefact_dir: Path,
    now: datetime,
) -> TrainingJob:
    """Ask a trainer about one job and write what it says; return the job as it is then."""
    if job.handle is None:
        if job.started_at is None or now - job.started_at <= LAUNCH_LIMIT:
            return job
        broke_off = "The program stopped while starting this job."
        return _finish(session, job, JobStatus.FAILED, now=now, error=broke_off)
    try:
        trainer = _trainer(trainers, job.provider)
        if job.cancel_requested:
            trainer.cancel(job.handle, folder)
        report = trainer.poll(job.handle, folder)
    except ProviderFailed as error:
        return _finish(session, job, JobStatus.FAILED, now=now, error=str(error))
    return _record(session, job, report, artefact_dir=artefact_dir, now=now)


def _record(
    session: Session, job: TrainingJob, report: JobReport, *, artefact_dir: Path, now: datetime
) -> TrainingJob:
    """Write what a trainer reported; on success keep the artefact first, then register the model."""
    artefact = None
    if report.model and report.model.artefact:
        artefact = _keep_artefact(report.model.artefact, f"{report.model.sha256}.skops", artefact_dir)
    stored = session.get_one(TrainingJob, job.id)
    if stored.status not in ACTIVE_JOB_STATUSES:  # another process was quicker
        let_go(session)
        return stored
    events = [
        {"job_id": job.id, "sequence": e.sequence, "at": e.at, "message": e.message, "data": dict(e.data)}
        for e in report.events
    ]
    if events:
        insert_new(session, TrainingEvent, events)
    if report.status in ACTIVE_JOB_STATUSES:
        values = {"progress": report.progress, "message": report.message, "checked_at": now}
        return _change(session, job, values)
    if report.model:
        session.add(_registered(session, job, report.model, artefact, now))
    return _finish(session, job, report.status, now=now, error=report.error, message=report.message)


def _keep_artefact(source: Path, name: str, artefact_dir: Path) -> str:
    """Copy a finished artefact to its content-addressed name; a second poller changes nothing."""
    artefact_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = artefact_dir / name
    if not target.exists():
        draft = target.with_suffix(f".{os.getpid()}-{get_ident()}.part")
        shutil.copyfile(source, draft)
        draft.replace(target)
    return name


def _registered(
    session: Session, job: TrainingJob, model: TrainedModel, artefact: str | None, now: datetime
) -> ModelVersion:
    """Return the model version of a finished job; one trained on any demo article is simulated."""
    dataset = session.get_one(DatasetVersion, job.dataset_id)
    name = f"{job.provider}-{dataset.target}-{job.id:03d}"
    if session.exec(select(ModelVersion.id).where(ModelVersion.name == name)).first() is not None:
        name += f"-{dataset.sha256[:6]}"  # an imported table may have named its model so
    of_demo = (
        select(DatasetItem.id)
        .join(Article, col(Article.id) == DatasetItem.article_id)
        .where(DatasetItem.dataset_id == dataset.id, Article.origin == Origin.DEMO)
        .limit(1)
    )
    return ModelVersion(
        name=name,
        kind=ModelKind.FINE_TUNED,
        provider=job.provider,
        base_model=model.base_model,
        target=dataset.target,
        dataset_id=dataset.id,
        job_id=job.id,
        artefact=artefact,
        artefact_sha256=model.sha256,
        params=dict(model.params),
        simulated=session.exec(of_demo).first() is not None,
        created_at=now,
    )


def _finish(
    session: Session,
    job: TrainingJob,
    status: JobStatus,
    *,
    now: datetime,
    error: str | None = None,
    message: str = "",
) -> TrainingJob:
    progress = 1.0 if status == JobStatus.SUCCEEDED else job.progress
    values = {"status": status, "error": error, "message": message, "progress": progress}
    return _change(session, job, values | {"finished_at": now, "checked_at": now})


def _change(session: Session, job: TrainingJob, values: dict[str, Any]) -> TrainingJob:
    """Update a job that is still in flight (one that has ended stays so), commit, and return it."""
    still_open = col(TrainingJob.status).in_(ACTIVE_JOB_STATUSES)
    session.exec(update(TrainingJob).where(col(TrainingJob.id) == job.id, still_open).values(**values))
    changed = session.get_one(TrainingJob, job.id, populate_existing=True)
    session.commit()
    let_go(session)
    return changed


def request_cancel(session: Session, *, job_id: int, now: datetime) -> TrainingJob:
    """Cancel a queued job at once; ask for the end of a running one (the next poll kills it).

    Raises
    ------
    NotFound
        If there is no such job.
    Refused
        If it has ended already.
    """
    job = session.get(TrainingJob, job_id)
    if job is None:
        raise NotFound("training job", job_id, "List them with the command 'jobs'")
    if job.status not in ACTIVE_JOB_STATUSES:
        raise Refused(
            f"The job has ended already ({job.status})", "Start a new one if you need another model"
        )
    job.cancel_requested = True
    if job.status in (JobStatus.QUEUED, JobStatus.RESERVED):
        job.status, job.finished_at = JobStatus.CANCELLED, now
    session.commit()
    return job


def has_work(session: Session) -> bool:
    """Tell whether any job is queued or in flight."""
    query = select(TrainingJob.id).where(col(TrainingJob.status).in_(ACTIVE_JOB_STATUSES)).limit(1)
    return session.exec(query).first() is not None
