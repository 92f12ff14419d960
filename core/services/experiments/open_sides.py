"""Sides of live experiments that are still to be asked."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from core.domain.types import ExperimentStatus
from core.models import Article, Experiment, ExperimentItem
from core.services.experiments.items import SIDES, SideName, side_is_open


@dataclass(frozen=True)
class OpenItem:
    """A side of an article that is still to be asked."""

    experiment_id: int
    key: str
    article_id: int
    request_id: str
    side: SideName
    model_id: int
    asked_at: datetime
    title: str
    body: str | None


def has_open(session: Session, *, before: datetime) -> bool:
    """Tell whether a running experiment has an article from before this moment that is not fully answered."""
    waiting = (
        select(ExperimentItem.id)
        .join(Experiment, col(Experiment.id) == col(ExperimentItem.experiment_id))
        .where(
            Experiment.status == ExperimentStatus.RUNNING,
            col(ExperimentItem.answered_at).is_(None),
            ExperimentItem.asked_at < before,
        )
    )
    return session.exec(waiting.limit(1)).first() is not None


def open_items(
    session: Session, *, before: datetime, limit: int, model_id: int | None = None
) -> list[OpenItem]:
    """Return sides still to be asked in running experiments, the oldest question first.

    Parameters
    ----------
    before : datetime
        Only articles whose first question came before this moment: fresh ones are left to who enrolled them.
    limit : int
        How many sides at most.
    model_id : int or None
        Only sides on which this model stands.
    """
    found: list[OpenItem] = []
    for side in SIDES:
        stands = col(getattr(Experiment, f"{side}_id"))
        query = (
            select(  # type: ignore[call-overload]  # SQLModel types four columns at most
                ExperimentItem.experiment_id,
                Experiment.key,
                ExperimentItem.article_id,
                ExperimentItem.request_id,
                stands,
                ExperimentItem.asked_at,
                Article.title,
                Article.body,
            )
            .join(Experiment, col(Experiment.id) == col(ExperimentItem.experiment_id))
            .join(Article, col(Article.id) == col(ExperimentItem.article_id))
            .where(
                Experiment.status == ExperimentStatus.RUNNING,
                col(ExperimentItem.answered_at).is_(None),
                ExperimentItem.asked_at < before,
                side_is_open(side),
            )
        )
        if model_id is not None:
            query = query.where(stands == model_id)
        rows = session.exec(query.order_by(ExperimentItem.asked_at, ExperimentItem.id).limit(limit))
        found += [
            OpenItem(experiment, key, article, request, side, model, asked_at, title, body)
            for experiment, key, article, request, model, asked_at, title, body in rows
        ]
    return sorted(found, key=lambda item: (item.asked_at, item.experiment_id, item.article_id))[:limit]
