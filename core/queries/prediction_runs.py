"""Prediction runs as the Models and Training pages show them."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, desc, select

from core.domain.types import ACTIVE_JOB_STATUSES, ItemState
from core.models import ModelVersion, PredictionItem, PredictionRun
from core.queries.training import Spent, spent


@dataclass(frozen=True)
class RunCard:
    """A prediction run, its model's name, why articles have no answer (code: how many), and its money."""

    run: PredictionRun
    model_name: str
    failures: dict[str, int]
    money: Spent


def active_runs(session: Session) -> list[RunCard]:
    """Return the runs that have not ended, oldest first."""
    active = col(PredictionRun.status).in_(ACTIVE_JOB_STATUSES)
    return _cards(session, active, col(PredictionRun.id).asc(), 50)


def ended_runs(session: Session, limit: int = 8) -> list[RunCard]:
    """Return the runs that have ended, newest first."""
    ended = col(PredictionRun.status).not_in(ACTIVE_JOB_STATUSES)
    return _cards(session, ended, desc(PredictionRun.id), limit)


def _cards(
    session: Session, condition: ColumnElement[bool], order: ColumnElement[int | None], limit: int
) -> list[RunCard]:
    query = (
        select(PredictionRun, ModelVersion.name)
        .join(ModelVersion, col(ModelVersion.id) == col(PredictionRun.model_id))
        .where(condition)
    )
    rows = session.exec(query.order_by(order).limit(limit)).all()
    money = spent(session, [run.key for run, _ in rows])
    return [
        RunCard(run, name, failures(session, run.id or 0), money.get(run.key, Spent())) for run, name in rows
    ]


def failures(session: Session, run_id: int) -> dict[str, int]:
    """Return how many articles of a run have no answer, by the reason's code, most frequent first."""
    n = func.count()
    query = (
        select(PredictionItem.failure, n)
        .where(PredictionItem.run_id == run_id, PredictionItem.state == ItemState.FAILED)
        .group_by(col(PredictionItem.failure))
        .order_by(desc(n))
    )
    return {str(failure): count for failure, count in session.exec(query)}


def failed_articles(session: Session, run_id: int) -> list[int]:
    """Return the articles of a run that have no answer, in its order."""
    query = select(PredictionItem.article_id).where(
        PredictionItem.run_id == run_id, PredictionItem.state == ItemState.FAILED
    )
    return list(session.exec(query.order_by(col(PredictionItem.position))))
