"""Following jobs: ask the trainer, write what it says, register what comes out, settle the bill."""

import os
import shutil
from datetime import timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path
from threading import get_ident

from sqlalchemy import or_
from sqlmodel import Session, col, select

from core import ledger
from core.db import insert_new, let_go
from core.domain.prompting import Prompt
from core.domain.types import ACTIVE_JOB_STATUSES, JobStatus, ModelKind, Origin
from core.errors import ProviderFailed, ProviderUnreachable
from core.models import Article, DatasetItem, DatasetVersion, ModelVersion, TrainingEvent, TrainingJob
from core.providers.base import JobReport, TrainedModel
from core.services.training.duplicates import LOOKS
from core.services.training.jobs import Desk, change, charge, finish, job_folder, unknown

#: A vendor is not asked more often than this, and less often while it does not answer.
REMOTE_INTERVAL = timedelta(seconds=5)
UNREACHABLE_INTERVAL = timedelta(seconds=60)


def poll_jobs(session: Session, desk: Desk) -> list[TrainingJob]:
    """Bring every running job up to date and return those that ended now."""
    mine = col(TrainingJob.provider).in_(list(desk.trainers))
    jobs = session.exec(select(TrainingJob).where(TrainingJob.status == JobStatus.RUNNING, mine)).all()
    let_go(session)
    followed = [_follow(session, desk, job) for job in jobs if _is_due(desk, job)]
    return [job for job in followed if job.status not in ACTIVE_JOB_STATUSES]


def _is_due(desk: Desk, job: TrainingJob) -> bool:
    if not desk.trainers[job.provider].remote or job.checked_at is None or job.cancel_requested:
        return True
    pause = UNREACHABLE_INTERVAL if job.error else REMOTE_INTERVAL
    return job.checked_at + pause <= desk.clock()


def _follow(session: Session, desk: Desk, job: TrainingJob) -> TrainingJob:
    """Ask a trainer about one job and write what it says; return the job as it is then."""
    folder = job_folder(desk.job_dir, job.id)
    handle = job.handle or {}
    try:
        trainer = desk.trainers[job.provider]
        if job.cancel_requested:
            trainer.cancel(handle, folder)
        report = trainer.poll(handle, folder)
    except ProviderUnreachable as error:  # the job goes on at the vendor: look again later
        return change(session, job, {"error": str(error), "checked_at": desk.clock()})
    except ProviderFailed as error:
        return finish(session, desk, job, JobStatus.FAILED, error=str(error))
    return _record(session, desk, job, report)


def _record(session: Session, desk: Desk, job: TrainingJob, report: JobReport) -> TrainingJob:
    """Write what a trainer reported; on success keep the artefact first, then register the model."""
    artefact = None
    if report.model and report.model.artefact:
        artefact = _keep_artefact(report.model.artefact, f"{report.model.sha256}.skops", desk.artefact_dir)
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
    if report.status == JobStatus.UNKNOWN:  # the vendor does not know it any more
        lost = report.error or report.message
        return unknown(session, desk, stored, lost, sweeps=len(LOOKS), submitted_at=job.submitted_at)
    if report.status in ACTIVE_JOB_STATUSES:
        values = {"progress": report.progress, "message": report.message, "error": None}
        return change(session, job, values | {"checked_at": desk.clock()})
    if report.model:
        _register(session, desk, stored, report.model, artefact)
        _settle(session, desk, stored, report.model.billed_tokens)
    elif report.may_be_billed:
        _settle(session, desk, stored, report.billed_tokens)
    return finish(session, desk, job, report.status, error=report.error, message=report.message)


def _keep_artefact(source: Path, name: str, artefact_dir: Path) -> str:
    """Copy a finished artefact to its content-addressed name; a second poller changes nothing."""
    artefact_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = artefact_dir / name
    if not target.exists():
        draft = target.with_suffix(f".{os.getpid()}-{get_ident()}.part")
        shutil.copyfile(source, draft)
        draft.replace(target)
    return name


def _register(
    session: Session, desk: Desk, job: TrainingJob, model: TrainedModel, artefact: str | None
) -> None:
    """Add the model version of a finished job; one trained on demo articles is simulated."""
    dataset = session.get_one(DatasetVersion, job.dataset_id)
    facts = {
        "remote_model": model.remote_model,
        "retires": model.retires.isoformat() if model.retires else None,
        "billed_tokens": model.billed_tokens,
    }
    session.add(
        ModelVersion(
            name=_free_name(session, job, dataset),
            kind=ModelKind.FINE_TUNED,
            provider=job.provider,
            base_model=model.base_model,
            target=dataset.target,
            dataset_id=dataset.id,
            job_id=job.id,
            artefact=artefact,
            artefact_sha256=model.sha256,
            prompt=Prompt(system=desk.policy.system_prompt).as_json() if model.remote_model else {},
            params=dict(model.params) | {name: fact for name, fact in facts.items() if fact is not None},
            simulated=job.simulated or _has_demo(session, dataset),
            created_at=desk.clock(),
        )
    )


def _free_name(session: Session, job: TrainingJob, dataset: DatasetVersion) -> str:
    name = f"{job.provider}-{dataset.target}-{job.id:03d}"
    if session.exec(select(ModelVersion.id).where(ModelVersion.name == name)).first() is not None:
        name += f"-{dataset.sha256[:6]}"  # an imported table may have named its model so
    return name


def _has_demo(session: Session, dataset: DatasetVersion) -> bool:
    of_demo = (
        select(DatasetItem.id)
        .join(Article, col(Article.id) == DatasetItem.article_id)
        .where(DatasetItem.dataset_id == dataset.id, Article.origin == Origin.DEMO)
        .limit(1)
    )
    return session.exec(of_demo).first() is not None


def _settle(session: Session, desk: Desk, job: TrainingJob, billed_tokens: int | None) -> None:
    """Write the bill: the vendor's tokens at the quote's price, or the estimate where it names none."""
    quote = job.config.get("quote")
    if quote is None:
        return
    (price,) = quote["prices"]
    # dollars a million tokens are micro-dollars a token
    billed = None if billed_tokens is None else ceil(billed_tokens * Decimal(price["usd"]))
    amount = int(quote["likely"]) if billed is None else billed
    bill = charge(job, price=price, tokens=billed_tokens, estimated=billed_tokens is None)
    ledger.spend(session, bill, micro_usd=amount, now=desk.clock())


def has_work(session: Session) -> bool:
    """Tell whether any job is waiting, in flight, or to be looked for again."""
    looked_for = col(TrainingJob.submitted_at).is_not(None) & (col(TrainingJob.sweeps) < len(LOOKS))
    open_ = col(TrainingJob.status).in_(ACTIVE_JOB_STATUSES)
    return session.exec(select(TrainingJob.id).where(or_(open_, looked_for)).limit(1)).first() is not None
