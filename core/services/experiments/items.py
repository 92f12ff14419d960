"""The articles of live experiments: who is asked about each, and what came of it. A side is filled once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, bindparam, or_, update
from sqlmodel import Session, col, select

from core.db import CHUNK, insert_new
from core.domain.types import (
    Arm,
    ExperimentMode,
    ExperimentPurpose,
    ExperimentStatus,
    Family,
    Target,
)
from core.errors import NotFound
from core.models import Article, Experiment, ExperimentItem

SideName = Literal["champion", "challenger"]
SIDES: tuple[SideName, SideName] = ("champion", "challenger")


@dataclass(frozen=True)
class Running:
    """What answering a question needs to know of a live experiment.

    Parameters
    ----------
    id : int
        Its row.
    key : str
        Salt of the assignment, and the experiment's name in the ledger.
    target : Target
        Of which champion.
    family : Family or None
        Articles of this family only; None: of every family.
    mode : ExperimentMode
        SHADOW asks both models, SPLIT the one that an article is assigned to.
    purpose : ExperimentPurpose
        CHALLENGE, or WATCH of a former champion.
    champion_id, challenger_id : int
        The two model versions.
    allocation : float or None
        Share of the articles that are the challenger's in the split mode, 0-1.
    deadline_s : float
        Seconds after which the challenger's answer counts as none.
    budget_micro_usd : int
        What its questions may cost in all.
    """

    id: int
    key: str
    target: Target
    family: Family | None
    mode: ExperimentMode
    purpose: ExperimentPurpose
    champion_id: int
    challenger_id: int
    allocation: float | None
    deadline_s: float
    budget_micro_usd: int

    def takes(self, family: str, champion_id: int) -> bool:
        """Tell whether an article of a family, answered by a champion, belongs to this experiment."""
        return self.champion_id == champion_id and self.family in (None, family)

    def model_of(self, side: SideName) -> int:
        """Return the model version that stands on a side."""
        return self.champion_id if side == "champion" else self.challenger_id


@dataclass(frozen=True)
class Enrolment:
    """An article's entry into an experiment, with the answers that are there already.

    A side that `arm` asks and that has neither a sentiment nor a failure is still to be asked.
    """

    experiment_id: int
    article_id: int
    request_id: str
    arm: Arm
    champion_sentiment: str | None = None
    champion_failure: str | None = None
    challenger_sentiment: str | None = None
    challenger_failure: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all sides that the arm asks are known."""
        champion = self.champion_sentiment is not None or self.champion_failure is not None
        challenger = self.challenger_sentiment is not None or self.challenger_failure is not None
        return (self.arm == Arm.CHALLENGER or champion) and (self.arm == Arm.CHAMPION or challenger)


@dataclass(frozen=True)
class Side:
    """What one model of an experiment said of an article: a sentiment, or why there is none."""

    experiment_id: int
    article_id: int
    side: SideName
    sentiment: str | None = None
    failure: str | None = None


def running(session: Session) -> list[Running]:
    """Return the experiments under way, oldest first; asked for every batch of questions."""
    query = select(Experiment).where(Experiment.status == ExperimentStatus.RUNNING)
    return [_as_running(row) for row in session.exec(query.order_by(col(Experiment.id)))]


def _as_running(row: Experiment) -> Running:
    return Running(
        id=int(row.id or 0),
        key=row.key,
        target=Target(row.target),
        family=Family(row.family) if row.family else None,
        mode=ExperimentMode(row.mode),
        purpose=ExperimentPurpose(row.purpose),
        champion_id=row.champion_id,
        challenger_id=row.challenger_id,
        allocation=row.allocation,
        deadline_s=row.deadline_s,
        budget_micro_usd=row.budget_micro_usd,
    )


def get_experiment(session: Session, experiment_id: int) -> Experiment:
    """Return an experiment by id, or raise NotFound with a hint."""
    row = session.get(Experiment, experiment_id)
    if row is None:
        raise NotFound("experiment", experiment_id, "List them with the command 'experiment list'")
    return row


def enrol(session: Session, entries: Sequence[Enrolment], *, now: datetime) -> int:
    """Insert articles into experiments and return how many went in; the caller commits.

    The first question about an article counts: one that is in the experiment already is passed over, and
    so is one whose experiment has ended meanwhile. So is an article that was stored before its experiment
    began: one of the models may have been trained on it, and its label may have been known to whoever asks.
    """
    ids = {entry.experiment_id for entry in entries}
    under_way = select(Experiment.id, Experiment.started_at).where(
        col(Experiment.id).in_(ids), Experiment.status == ExperimentStatus.RUNNING
    )
    begun = dict(session.exec(under_way).all()) if ids else {}
    known = _stored_before(session, entries, max(begun.values())) if begun else {}
    rows = [
        vars(entry) | {"asked_at": now, "answered_at": now if entry.complete else None}
        for entry in entries
        if (start := begun.get(entry.experiment_id)) and known.get(entry.article_id, start) >= start
    ]
    return insert_new(session, ExperimentItem, rows)


def _stored_before(session: Session, entries: Sequence[Enrolment], start: datetime) -> dict[int, datetime]:
    """Return when the articles came in that were stored before a moment, by their id."""
    ids = list({entry.article_id for entry in entries})
    found: dict[int, datetime] = {}
    for first in range(0, len(ids), CHUNK):
        older = select(Article.id, Article.created_at).where(
            col(Article.id).in_(ids[first : first + CHUNK]), Article.created_at < start
        )
        found.update((key, at) for key, at in session.exec(older) if key is not None)
    return found


def _known(side: SideName) -> ColumnElement[bool]:
    """Tell in SQL whether a side has an answer or a failure."""
    sentiment, failure = (col(getattr(ExperimentItem, f"{side}_{what}")) for what in ("sentiment", "failure"))
    return or_(sentiment.is_not(None), failure.is_not(None))


def _of(side: SideName) -> ColumnElement[bool]:
    """Tell in SQL whether an item's arm asks a side: all but the other one's own do."""
    other = Arm.CHALLENGER if side == "champion" else Arm.CHAMPION
    return col(ExperimentItem.arm) != other  # no IN: statements run for many rows cannot hold one


def side_is_open(side: SideName) -> ColumnElement[bool]:
    """Tell in SQL whether a side is still to be asked."""
    return and_(_of(side), ~_known(side))


_COMPLETE = and_(*(or_(~_of(side), _known(side)) for side in SIDES))


def _fill(side: SideName) -> Any:
    values: dict[Any, Any] = {
        f"{side}_sentiment": bindparam("said"),
        f"{side}_failure": bindparam("why"),
    }
    return (
        update(ExperimentItem)
        .where(
            col(ExperimentItem.experiment_id) == bindparam("experiment"),
            col(ExperimentItem.article_id) == bindparam("article"),
            ~_known(side),
        )
        .values(values)
    )


#: Built once: a statement takes longer to build than to run.
_FILL = {side: _fill(side) for side in SIDES}
_CLOSE = (
    update(ExperimentItem)
    .where(
        col(ExperimentItem.experiment_id) == bindparam("experiment"),
        col(ExperimentItem.article_id) == bindparam("article"),
        col(ExperimentItem.answered_at).is_(None),
        _COMPLETE,
    )
    .values(answered_at=bindparam("at"))
)


def settle(session: Session, answers: Sequence[Side], *, now: datetime) -> None:
    """Fill sides with what came back; a side that is filled stays as it is. The caller commits."""
    connection = session.connection()
    for side in SIDES:
        rows = [
            {
                "experiment": each.experiment_id,
                "article": each.article_id,
                "said": each.sentiment,
                "why": each.failure,
            }
            for each in answers
            if each.side == side
        ]
        if rows:
            connection.execute(_FILL[side], rows)
    if answers:
        touched = {(each.experiment_id, each.article_id) for each in answers}
        closing = [{"experiment": one, "article": article, "at": now} for one, article in touched]
        connection.execute(_CLOSE, closing)
