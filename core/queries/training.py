"""Dataset versions and training jobs as the Training page shows them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import func
from sqlmodel import Session, col, desc, select

from core.domain.types import ACTIVE_JOB_STATUSES, CostKind, JobStatus, Split
from core.models import (
    Article,
    CostEntry,
    DatasetItem,
    DatasetVersion,
    EvaluationRun,
    ModelVersion,
    TrainingEvent,
    TrainingJob,
)

SEOUL = ZoneInfo("Asia/Seoul")
#: Days that a chart of a split can show.
MAX_DAYS = 500


@dataclass(frozen=True)
class Spent:
    """What the ledger says of one reference, in micro-dollars; None where no such row was ever written.

    `reserved` is what was held at first, `held` what of it is held still.
    """

    estimate: int | None = None
    reserved: int | None = None
    held: int = 0
    actual: int | None = None


@dataclass(frozen=True)
class JobCard:
    """A training job, the dataset version it trains on, its events, its money, the model that came out."""

    job: TrainingJob
    target: str
    dataset_sha256: str
    events: list[TrainingEvent]
    model_id: int | None
    money: Spent = Spent()


@dataclass(frozen=True)
class LossPoint:
    """The losses that a trainer reported at one step; None where it gave none."""

    step: int
    train: float | None
    validation: float | None


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep: its job, the model that came out, its score on the validation part, its losses.

    `simulated` models say nothing of real ones: a simulation made them, or they learned demo articles.
    """

    job: TrainingJob
    model_id: int | None
    simulated: bool
    score: EvaluationRun | None
    losses: list[LossPoint]
    money: Spent

    @property
    def macro_f1(self) -> float | None:
        """Macro-F1 on the validation part, 0-1; None while it is not scored."""
        return None if self.score is None else self.score.metrics.get("macro_f1")


@dataclass(frozen=True)
class Sweep:
    """The runs of one sweep, best by macro-F1 on the validation part first, those without a score last."""

    group_key: str
    target: str
    dataset_sha256: str
    runs: list[SweepRun]


def dataset_versions(session: Session, limit: int = 100) -> list[DatasetVersion]:
    """Return the dataset versions, newest first."""
    return list(session.exec(select(DatasetVersion).order_by(desc(DatasetVersion.id)).limit(limit)))


def part_total(counts: dict[str, Any], split: str) -> int:
    """Return the samples of one part of a dataset version's counts."""
    return sum((counts.get(split) or {}).values())


def dataset_days(session: Session, dataset_id: int) -> pd.DataFrame:
    """Return the samples of a dataset version by day and part: ``day, split, n``.

    The day is the deciding session where labels come from the market, else the publication date in
    Seoul. Undated samples are left out.
    """
    by_session = (
        select(DatasetItem.market_day, DatasetItem.split, func.count())
        .where(DatasetItem.dataset_id == dataset_id, col(DatasetItem.market_day).is_not(None))
        .group_by(col(DatasetItem.market_day), col(DatasetItem.split))
    )
    rows = [(day.split("|")[-1], split, n) for day, split, n in session.exec(by_session) if day]
    if not rows:
        by_article = (
            select(Article.effective_at, DatasetItem.split)
            .join(DatasetItem, col(DatasetItem.article_id) == Article.id)
            .where(DatasetItem.dataset_id == dataset_id, col(Article.effective_at).is_not(None))
        )
        rows = [
            (at.astimezone(SEOUL).date().isoformat(), split, 1)
            for at, split in session.exec(by_article)
            if at is not None
        ]
    frame = pd.DataFrame(rows, columns=["day", "split", "n"])
    days = frame.groupby(["day", "split"], as_index=False).sum()
    return days.loc[days["day"].isin(days["day"].drop_duplicates().tail(MAX_DAYS))]


def active_jobs(session: Session) -> list[JobCard]:
    """Return the jobs that have not ended, oldest first."""
    query = select(TrainingJob).where(col(TrainingJob.status).in_(ACTIVE_JOB_STATUSES))
    return [_card(session, job) for job in session.exec(query.order_by(col(TrainingJob.id)))]


def job_history(session: Session, limit: int = 30) -> list[JobCard]:
    """Return the jobs that have ended, newest first."""
    query = select(TrainingJob).where(col(TrainingJob.status).not_in(ACTIVE_JOB_STATUSES))
    return [_card(session, job) for job in session.exec(query.order_by(desc(TrainingJob.id)).limit(limit))]


def refusal(session: Session, provider: str) -> TrainingJob | None:
    """Return the newest job of a provider if the vendor refused it, else None."""
    query = select(TrainingJob).where(TrainingJob.provider == provider)
    newest = session.exec(query.order_by(desc(TrainingJob.id)).limit(1)).first()
    return newest if newest is not None and newest.status == JobStatus.BLOCKED else None


def job_cards(session: Session, ids: Sequence[int]) -> list[JobCard]:
    """Return the named jobs that there are, in that order."""
    found = {job.id: job for job in session.exec(select(TrainingJob).where(col(TrainingJob.id).in_(ids)))}
    return [_card(session, found[job_id]) for job_id in ids if job_id in found]


def _card(session: Session, job: TrainingJob) -> JobCard:
    dataset = session.get_one(DatasetVersion, job.dataset_id)
    return JobCard(
        job,
        dataset.target,
        dataset.sha256,
        _events(session, job),
        _model_of(session, job),
        spent(session, [job.key]).get(str(job.key), Spent()),
    )


def _events(session: Session, job: TrainingJob) -> list[TrainingEvent]:
    query = select(TrainingEvent).where(TrainingEvent.job_id == job.id)
    return list(session.exec(query.order_by(col(TrainingEvent.sequence))))


def _model_of(session: Session, job: TrainingJob) -> int | None:
    return session.exec(select(ModelVersion.id).where(ModelVersion.job_id == job.id)).first()


def spent(session: Session, references: Iterable[str | None]) -> dict[str, Spent]:
    """Return what the ledger says of each reference that it knows."""
    query = (
        select(CostEntry.reference, CostEntry.kind, func.sum(CostEntry.micro_usd))
        .where(col(CostEntry.reference).in_([name for name in references if name]))
        .group_by(col(CostEntry.reference), col(CostEntry.kind))
    )
    sums: dict[str, dict[str, int]] = {}
    for reference, kind, total in session.exec(query):
        sums.setdefault(reference, {})[kind] = int(total)
    return {reference: _spent(of) for reference, of in sums.items()}


def _spent(of: Mapping[str, int]) -> Spent:
    reserved = of.get(CostKind.RESERVATION)
    held = (reserved or 0) - of.get(CostKind.RELEASE, 0)
    return Spent(of.get(CostKind.ESTIMATE), reserved, held, of.get(CostKind.ACTUAL))


def losses(events: Iterable[TrainingEvent]) -> list[LossPoint]:
    """Return the losses that a job's events carry, by step; the loss over the whole validation part wins."""
    points = {}
    for event in events:
        step, data = event.data.get("step"), event.data
        train = _number(data.get("train_loss"))
        full, sampled = _number(data.get("full_valid_loss")), _number(data.get("valid_loss"))
        validation = sampled if full is None else full
        if isinstance(step, int) and (train is not None or validation is not None):
            points[step] = LossPoint(step, train, validation)
    return [points[step] for step in sorted(points)]


def _number(value: Any) -> float | None:
    """Return a loss as a float; None for what is none, and for a diverged one (not finite)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def sweeps(session: Session, limit: int = 10) -> list[Sweep]:
    """Return the sweeps, newest first."""
    newest = func.max(TrainingJob.id)
    query = select(TrainingJob.group_key).where(col(TrainingJob.group_key).is_not(None))
    groups = session.exec(query.group_by(col(TrainingJob.group_key)).order_by(desc(newest)).limit(limit))
    return [_sweep(session, str(group)) for group in groups.all()]


def _sweep(session: Session, group: str) -> Sweep:
    query = select(TrainingJob).where(TrainingJob.group_key == group).order_by(col(TrainingJob.id))
    jobs = session.exec(query).all()
    money = spent(session, [job.key for job in jobs])
    runs = [_sweep_run(session, job, money.get(str(job.key), Spent())) for job in jobs]
    # sorting is stable: of equal scores the run that was started first stays ahead
    runs.sort(key=lambda run: -1.0 if run.macro_f1 is None else run.macro_f1, reverse=True)
    dataset = session.get_one(DatasetVersion, jobs[0].dataset_id)
    return Sweep(group, dataset.target, dataset.sha256, runs)


def _sweep_run(session: Session, job: TrainingJob, money: Spent) -> SweepRun:
    made = select(ModelVersion.id, ModelVersion.simulated).where(ModelVersion.job_id == job.id)
    model_id, simulated = session.exec(made).first() or (None, job.simulated)
    query = select(EvaluationRun).where(
        EvaluationRun.model_id == model_id,
        EvaluationRun.dataset_id == job.dataset_id,
        EvaluationRun.split == Split.VALIDATION,
    )
    score = session.exec(query.order_by(desc(EvaluationRun.id)).limit(1)).first() if model_id else None
    return SweepRun(job, model_id, simulated, score, losses(_events(session, job)), money)


def job_seconds(job: TrainingJob, now: datetime) -> float | None:
    """Return how long a job has run, or ran, in seconds; None before it starts."""
    if job.started_at is None:
        return None
    return ((job.finished_at or now) - job.started_at).total_seconds()


def trainable(dataset: DatasetVersion) -> bool:
    """Tell whether a dataset version has anything to train on."""
    return part_total(dataset.counts, Split.TRAIN) > 0
