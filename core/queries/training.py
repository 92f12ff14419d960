"""Dataset versions and training jobs as the Training page shows them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import func
from sqlmodel import Session, col, desc, select

from core.domain.types import ACTIVE_JOB_STATUSES, Split
from core.models import Article, DatasetItem, DatasetVersion, ModelVersion, TrainingEvent, TrainingJob

SEOUL = ZoneInfo("Asia/Seoul")
#: Days that a chart of a split can show.
MAX_DAYS = 500


@dataclass(frozen=True)
class JobCard:
    """A training job, the dataset version it trains on, its events and the model that came out."""

    job: TrainingJob
    target: str
    dataset_sha256: str
    events: list[TrainingEvent]
    model_id: int | None


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


def _card(session: Session, job: TrainingJob) -> JobCard:
    dataset = session.get_one(DatasetVersion, job.dataset_id)
    events = select(TrainingEvent).where(TrainingEvent.job_id == job.id).order_by(col(TrainingEvent.sequence))
    model = select(ModelVersion.id).where(ModelVersion.job_id == job.id)
    return JobCard(
        job, dataset.target, dataset.sha256, list(session.exec(events)), session.exec(model).first()
    )


def job_seconds(job: TrainingJob, now: datetime) -> float | None:
    """Return how long a job has run, or ran, in seconds; None before it starts."""
    if job.started_at is None:
        return None
    return ((job.finished_at or now) - job.started_at).total_seconds()


def trainable(dataset: DatasetVersion) -> bool:
    """Tell whether a dataset version has anything to train on."""
    return part_total(dataset.counts, Split.TRAIN) > 0
