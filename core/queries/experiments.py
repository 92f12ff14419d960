"""Live experiments as pages and gates see them: who against whom, how far, and what was on the table before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func
from sqlmodel import Session, col, desc, select

from core.domain.types import (
    CostKind,
    ExperimentPurpose,
    Family,
    OutcomeState,
    Split,
    Target,
)
from core.errors import NotFound
from core.models import (
    Article,
    Comparison,
    CostEntry,
    DatasetVersion,
    Experiment,
    ExperimentItem,
    HumanLabel,
    ModelVersion,
    Outcome,
    Promotion,
)

#: Days over which the arrival of articles and labels is averaged.
ARRIVAL_DAYS = 28
#: As services.paid_answers begins the references of single answers.
ANSWER = "answer-"


@dataclass(frozen=True)
class ExperimentRow:
    """An experiment with the names of its models and how far it has come.

    Parameters
    ----------
    experiment : Experiment
        The row itself; `conclusion` is there once it has ended.
    champion, challenger : str
        Names of the two model versions. In a watch the challenger's side is the former champion.
    enrolled, answered : int
        Articles in it, and those that everybody who was asked has answered.
    committed_micro_usd : int
        What its questions have cost and hold now.
    """

    experiment: Experiment
    champion: str
    challenger: str
    enrolled: int
    answered: int
    committed_micro_usd: int


def experiments(session: Session, target: str | None = None, *, archived: bool = True) -> list[ExperimentRow]:
    """Return the experiments of a target (None: of all), newest first; archived ones if wanted."""
    query = select(Experiment).order_by(desc(Experiment.id))
    if target is not None:
        query = query.where(Experiment.target == target)
    if not archived:
        query = query.where(col(Experiment.archived_at).is_(None))
    return _rows(session, session.exec(query).all())


def experiment(session: Session, experiment_id: int) -> ExperimentRow:
    """Return one experiment, or raise NotFound."""
    row = session.get(Experiment, experiment_id)
    if row is None:
        raise NotFound("experiment", experiment_id, "List them with the command 'experiment list'")
    return _rows(session, [row])[0]


def watch(session: Session, target: str) -> ExperimentRow | None:
    """Return the watch of a target's newest promotion, under way or ended.

    None where there is none: no promotion, one that was rolled back, or a former champion that cannot watch.
    """
    newest = select(Promotion).where(Promotion.target == target).order_by(desc(Promotion.id)).limit(1)
    entry = session.exec(newest).first()
    if entry is None or entry.action != "promote":
        return None
    row = session.exec(select(Experiment).where(Experiment.promotion_id == entry.id)).first()
    return _rows(session, [row])[0] if row else None


def _rows(session: Session, found: Sequence[Experiment]) -> list[ExperimentRow]:
    ids = [row.id for row in found]
    names = dict(session.exec(select(ModelVersion.id, ModelVersion.name)).all()) if found else {}
    counted = (
        select(ExperimentItem.experiment_id, func.count(), func.count(col(ExperimentItem.answered_at)))
        .where(col(ExperimentItem.experiment_id).in_(ids))
        .group_by(col(ExperimentItem.experiment_id))
    )
    counts = {one: (enrolled, answered) for one, enrolled, answered in session.exec(counted)}
    return [
        ExperimentRow(
            row,
            names[row.champion_id],
            names[row.challenger_id],
            *counts.get(row.id or 0, (0, 0)),
            committed(session, row.key) if row.budget_micro_usd else 0,
        )
        for row in found
    ]


def committed(session: Session, key: str) -> int:
    """Return what an experiment's questions have cost and hold now, in micro-dollars."""
    first = f"{ANSWER}{key}-"
    signed = case(
        (col(CostEntry.kind).in_((CostKind.ACTUAL, CostKind.RESERVATION)), CostEntry.micro_usd),
        (col(CostEntry.kind) == CostKind.RELEASE, -CostEntry.micro_usd),
        else_=0,
    )
    # the texts that begin so are a range that the ledger's index serves: "." follows "-"
    mine = (col(CostEntry.reference) >= first, col(CostEntry.reference) < first[:-1] + ".")
    return int(session.exec(select(func.coalesce(func.sum(signed), 0)).where(*mine)).one())


def newest_comparison(
    session: Session, champion_id: int, challenger_id: int, target: str
) -> Comparison | None:
    """Return the newest comparison of two model versions, this way round, on a test part of a target."""
    query = (
        select(Comparison)
        .join(DatasetVersion, col(DatasetVersion.id) == col(Comparison.dataset_id))
        .where(
            Comparison.champion_id == champion_id,
            Comparison.challenger_id == challenger_id,
            Comparison.split == Split.TEST,
            DatasetVersion.target == target,
        )
    )
    return session.exec(query.order_by(desc(Comparison.id)).limit(1)).first()


def newest_challenge(
    session: Session, champion_id: int, challenger_id: int, target: str
) -> Experiment | None:
    """Return the newest challenge of a champion by a model version on articles of every family.

    One that was limited to a family says nothing of the others, and a champion answers for all.
    """
    query = select(Experiment).where(
        Experiment.champion_id == champion_id,
        Experiment.challenger_id == challenger_id,
        Experiment.target == target,
        Experiment.purpose == ExperimentPurpose.CHALLENGE,
        col(Experiment.family).is_(None),
    )
    return session.exec(query.order_by(desc(Experiment.id)).limit(1)).first()


def newest_dataset(session: Session, target: str) -> DatasetVersion | None:
    """Return the newest dataset version of a target."""
    query = select(DatasetVersion).where(DatasetVersion.target == target)
    return session.exec(query.order_by(desc(DatasetVersion.id)).limit(1)).first()


def labels_a_day(session: Session, target: Target, family: Family | None, *, now: datetime) -> float:
    """Return how many articles got a label that an experiment can use, a day, over the last 28 days.

    A market's label counts on the day of its close, a human one on the day of the last vote.
    """
    since = now - timedelta(days=ARRIVAL_DAYS)
    if target == Target.DIRECTION:
        query = (
            select(func.count())
            .select_from(Outcome)
            .join(Article, col(Article.id) == col(Outcome.article_id))
            .where(
                Outcome.state == OutcomeState.MATURED,
                col(Outcome.closes_at) > since,
                col(Outcome.closes_at) <= now,
            )
        )
    else:
        newest = select(HumanLabel.article_id).group_by(col(HumanLabel.article_id))
        fresh = newest.having(func.max(HumanLabel.created_at) > since)
        query = (
            select(func.count())
            .select_from(Article)
            .where(col(Article.gold_sentiment).is_not(None), col(Article.id).in_(fresh))
        )
    query = query.where(col(Article.reason).is_(None))
    if family is not None:
        query = query.where(Article.family == family)
    return session.exec(query).one() / ARRIVAL_DAYS


def articles_a_day(session: Session, family: Family | None, *, now: datetime) -> float:
    """Return how many dated articles came in a day, over the last 28 days."""
    query = (
        select(func.count())
        .select_from(Article)
        .where(
            col(Article.effective_at) > now - timedelta(days=ARRIVAL_DAYS), col(Article.effective_at) <= now
        )
    )
    if family is not None:
        query = query.where(Article.family == family)
    return session.exec(query).one() / ARRIVAL_DAYS


def newest_texts(session: Session, family: Family | None, *, limit: int) -> list[tuple[str, str | None]]:
    """Return titles and bodies of the articles that came in last: what a question of an experiment is like."""
    query = select(Article.title, Article.body).where(col(Article.placeholder).is_(False))
    if family is not None:
        query = query.where(Article.family == family)
    return [(title, body) for title, body in session.exec(query.order_by(desc(Article.id)).limit(limit))]
