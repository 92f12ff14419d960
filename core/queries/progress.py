"""What the Overview shows of the way to the goal: few queries, all on indexes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Executable, case
from sqlmodel import Session, col, func, select

from core.db import korean_day
from core.domain.policy import Policy
from core.domain.types import OutcomeState, Sentiment, Target
from core.models import Article, Outcome
from core.queries.funnel import plan_strict

# The statements are built once: at 10,000 articles building them would cost as much as running some.

_ELIGIBLE = col(Article.reason).is_(None)
_VERIFIED = select(func.count()).select_from(Article).where(_ELIGIBLE)
#: One row a class and day: few enough to count the days of all classes here.
_LABELLED_BY_DAY = (
    select(col(Article.gold_sentiment), korean_day(col(Article.effective_at)).label("day"), func.count())
    .where(_ELIGIBLE, col(Article.gold_sentiment).is_not(None))
    .group_by(col(Article.gold_sentiment), "day")
)
_IS_MATURED = col(Outcome.state) == OutcomeState.MATURED
#: The state is asked within the sums: as a condition it would turn the join round, article by article.
_MATURED_BY_FAMILY = (
    select(
        func.count(func.distinct(case((_IS_MATURED, col(Outcome.session))))),
        *[
            func.sum(case(((col(Outcome.direction) == label) & _IS_MATURED, 1), else_=0))
            for label in Sentiment
        ],
    )
    .join(Article, col(Article.id) == col(Outcome.article_id))
    .where(_ELIGIBLE)
    .group_by(col(Article.family))
)


def progress(session: Session, policy: Policy) -> dict[str, Any]:
    """Return the way to the goal, in all and per target.

    Returns
    -------
    dict
        ``goal``, ``ideal_goal``, ``verified``, ``plan_strict``; ``targets``: for ``sentiment`` and
        ``direction`` each ``verified``, ``days`` (Korean dates, or market days as family and session)
        and ``by_label``.
    """
    return {
        "goal": policy.goal,
        "ideal_goal": policy.ideal_goal,
        "verified": session.execute(_VERIFIED).scalar_one(),
        "plan_strict": plan_strict(session, policy),
        "targets": {
            str(Target.SENTIMENT): _sentiment(session),
            str(Target.DIRECTION): _direction(session),
        },
    }


def _sentiment(session: Session) -> dict[str, Any]:
    counts: dict[str, int] = {}
    days = set()
    for label, day, n in session.execute(_LABELLED_BY_DAY):
        counts[label] = counts.get(label, 0) + n
        if day is not None:
            days.add(day)
    return _target(counts, len(days))


def _direction(session: Session) -> dict[str, Any]:
    rows = session.execute(_MATURED_BY_FAMILY).all()
    counts = {str(label): sum(row[i] for row in rows) for i, label in enumerate(Sentiment, start=1)}
    return _target(counts, sum(row[0] for row in rows))


def _target(counts: Mapping[str, int], days: int) -> dict[str, Any]:
    return {
        "verified": sum(counts.values()),
        "days": days,
        "by_label": {str(label): counts.get(label, 0) for label in Sentiment},
    }


def _tally(session: Session, statement: Executable) -> dict[str, int]:
    return dict(sorted(session.execute(statement).all()))


def outcome_clock(session: Session, *, closes: int = 5) -> dict[str, Any]:
    """Return how many outcomes are pending, matured and void, and the closes that decide the next.

    Returns
    -------
    dict
        ``states``: {state: n}; ``void_reasons``: {reason: n}; ``next_closes``: the earliest `closes`
        closes that articles wait for, as {session, closes_at, n}. A close in the past waits for data.
    """
    states = {str(state): 0 for state in OutcomeState}
    states.update(_tally(session, select(col(Outcome.state), func.count()).group_by(col(Outcome.state))))
    void_reasons = _tally(
        session,
        select(col(Outcome.void_reason), func.count())
        .where(col(Outcome.state) == OutcomeState.VOID)
        .group_by(col(Outcome.void_reason)),
    )
    due = session.execute(
        select(col(Outcome.closes_at), col(Outcome.session), func.count())
        .where(col(Outcome.state) == OutcomeState.PENDING)
        .group_by(col(Outcome.closes_at), col(Outcome.session))
        .order_by(col(Outcome.closes_at))
        .limit(closes)
    )
    return {
        "states": states,
        "void_reasons": void_reasons,
        "next_closes": [{"session": day, "closes_at": at, "n": n} for at, day, n in due],
    }
