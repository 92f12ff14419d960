"""What an experiment has shown so far: articles of closed days only, in the order in which they closed."""

from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import exists, func, or_
from sqlmodel import Session, col, select

from core import ledger
from core.domain import live
from core.domain.policy import Policy
from core.domain.types import Arm, ExperimentMode, ExperimentPurpose, OutcomeState, Reason, Target
from core.models import Article, Experiment, ExperimentItem, HumanLabel, Outcome


class _Item(NamedTuple):
    """What the evidence needs of an item: whole rows would take most of its time."""

    article_id: int
    arm: str
    champion_sentiment: str | None
    champion_failure: str | None
    challenger_sentiment: str | None
    challenger_failure: str | None
    asked_at: datetime
    answered_at: datetime | None


_OF_ITEM = [col(getattr(ExperimentItem, name)) for name in _Item._fields]


class _Labelled(NamedTuple):
    """An item of an experiment with all that its label depends on."""

    item: _Item
    #: None while the article is a sample (or waits for its label)
    reason: str | None
    label: str | None
    #: the label will never come, or is not believed
    void: bool
    #: when the label was known, and the day of which it is a part
    closed_at: datetime | None
    day: str
    #: when the market answered, whether its closes are in already or not; None for human labels
    closes_at: datetime | None


def evidence(session: Session, policy: Policy, experiment: Experiment, *, now: datetime) -> dict[str, Any]:
    """Return the report of `live.judge` on what is closed now, with ``coverage``, ``asked``, ``as_of``, ``ended``.

    An experiment that has ended keeps what it showed then.

    ``coverage`` counts articles: ``enrolled``, ``answered`` (by all that were asked), ``matured`` (in the
    evidence), ``waiting`` (for an answer or a label), ``void`` (no sample, or no label will come), ``late``
    (the market had answered before they were asked; those that nobody was asked about at all by then
    are included), ``failed_champion`` and ``failed_challenger`` (no usable answer in time; counts as wrong).
    """
    if experiment.conclusion is not None:
        return experiment.conclusion
    found = _labelled(session, experiment)
    states = [_state(each, now) for each in found]
    counted = [each for each, state in zip(found, states, strict=True) if state == "matured"]
    counted.sort(key=lambda each: (each.closed_at or now, each.item.article_id))
    asked = Counter(Arm(each.item.arm) for each in found)
    report = live.judge(
        [_row(each) for each in counted],
        mode=ExperimentMode(experiment.mode),
        by_day=experiment.target == Target.DIRECTION,
        allocation=experiment.allocation,
        asked=asked,
        policy=policy,
        watch=experiment.purpose == ExperimentPurpose.WATCH,
    )
    coverage = _coverage(found, states)
    coverage["late"] += _missed(session, experiment, now)
    counts = {str(arm): n for arm, n in sorted(asked.items())}
    return report | {"coverage": coverage, "asked": counts, "as_of": now.isoformat(), "ended": False}


def _coverage(found: list[_Labelled], states: list[str]) -> dict[str, int]:
    seen = Counter(states)
    items = [each.item for each in found]
    return {
        "enrolled": len(items),
        "answered": sum(item.answered_at is not None for item in items),
        **{state: seen[state] for state in ("matured", "waiting", "void", "late")},
        "failed_champion": sum(item.champion_failure is not None for item in items),
        "failed_challenger": sum(item.challenger_failure is not None for item in items),
    }


def _state(each: _Labelled, now: datetime) -> str:
    if each.void:
        return "void"
    if each.closes_at is not None and each.item.asked_at > each.closes_at:
        return "late"
    if each.label is None or each.closed_at is None or each.item.answered_at is None:
        return "waiting"
    if each.closes_at is None:  # a human label counts once its day is over: more may come until then
        return "matured" if ledger.seoul_day(each.closed_at) < ledger.seoul_day(now) else "waiting"
    # what does not count as a sample (a near-duplicate, one taken out by hand) is no evidence either
    return "matured" if each.closes_at <= now else "waiting"


def _row(each: _Labelled) -> live.Row:
    item, arm = each.item, Arm(each.item.arm)
    assert each.closed_at is not None  # noqa: S101 - only matured items come here
    return live.Row(
        closed_at=each.closed_at,
        day=each.day,
        arm=arm,
        champion_right=None if arm == Arm.CHALLENGER else item.champion_sentiment == each.label,
        challenger_right=None if arm == Arm.CHAMPION else item.challenger_sentiment == each.label,
    )


def _labelled(session: Session, experiment: Experiment) -> list[_Labelled]:
    if experiment.target == Target.DIRECTION:
        return _by_market(session, int(experiment.id or 0))
    return _by_people(session, int(experiment.id or 0))


def _by_market(session: Session, experiment_id: int) -> list[_Labelled]:
    query = (
        select(
            Article.reason,
            Article.family,
            Outcome.state,
            Outcome.direction,
            Outcome.session,
            Outcome.closes_at,
            *_OF_ITEM,
        )  # type: ignore[call-overload]  # SQLModel types four columns at most
        .select_from(ExperimentItem)
        .join(Article, col(Article.id) == col(ExperimentItem.article_id))
        .outerjoin(Outcome, col(Outcome.article_id) == col(ExperimentItem.article_id))
        .where(ExperimentItem.experiment_id == experiment_id)
    )
    found = []
    for reason, family, state, direction, day, closes_at, *item in session.exec(query):
        matured = state == OutcomeState.MATURED
        found.append(
            _Labelled(
                _Item(*item),
                reason,
                label=direction if matured else None,
                void=state == OutcomeState.VOID or (matured and reason is not None),
                closed_at=closes_at if matured else None,
                day=f"{family}|{day}" if day else "",
                closes_at=closes_at,
            )
        )
    return found


def _by_people(session: Session, experiment_id: int) -> list[_Labelled]:
    newest = (
        select(HumanLabel.article_id, func.max(HumanLabel.created_at).label("at"))
        .join(ExperimentItem, col(ExperimentItem.article_id) == col(HumanLabel.article_id))
        .where(ExperimentItem.experiment_id == experiment_id)
        .group_by(col(HumanLabel.article_id))
        .subquery()
    )
    query = (
        select(Article.reason, Article.gold_sentiment, newest.c.at, *_OF_ITEM)
        .select_from(ExperimentItem)
        .join(Article, col(Article.id) == col(ExperimentItem.article_id))
        .outerjoin(newest, newest.c.article_id == col(ExperimentItem.article_id))
        .where(ExperimentItem.experiment_id == experiment_id)
    )
    return [
        _Labelled(
            _Item(*item),
            reason,
            label=gold,
            # reviewers who disagree, and articles that are no samples
            void=at is not None and (gold is None or reason is not None),
            closed_at=at,
            day=ledger.seoul_day(at).isoformat() if at else "",
            closes_at=None,
        )
        for reason, gold, at, *item in session.exec(query)
    ]


def _missed(session: Session, experiment: Experiment, now: datetime) -> int:
    """Return how many new samples nobody was asked about before their market had closed."""
    if experiment.target != Target.DIRECTION:
        return 0
    enrolled = exists().where(
        col(ExperimentItem.experiment_id) == experiment.id,
        col(ExperimentItem.article_id) == col(Article.id),
    )
    query = (
        select(func.count())
        .select_from(Article)
        .join(Outcome, col(Outcome.article_id) == col(Article.id))
        .where(
            col(Article.effective_at) >= experiment.started_at,
            col(Article.created_at) >= experiment.started_at,
            or_(col(Article.reason).is_(None), col(Article.reason) == Reason.NO_LABEL),
            col(Outcome.closes_at) <= now,
            col(Outcome.state) != OutcomeState.VOID,
            ~enrolled,
        )
    )
    if experiment.family is not None:
        query = query.where(Article.family == experiment.family)
    return session.exec(query).one()
