"""What the Overview shows of the way to the goal: few queries, all on indexes."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, case, cast
from sqlmodel import Session, col, desc, exists, func, select

from core.domain.policy import Policy
from core.domain.types import OutcomeState, Sentiment, Target
from core.models import Article, HumanLabel, Outcome
from core.queries.funnel import plan_strict

#: Korea keeps standard time all year.
_SEOUL = timedelta(hours=9)
#: Days of arrivals that an estimate of the time to the goal is made from.
_ARRIVAL_DAYS = 60
#: The first 13 characters of a stored time are its UTC hour, which spares parsing 10,000 times.
_HOUR = func.substr(cast(Article.effective_at, String), 1, 13)


def progress(session: Session, policy: Policy) -> dict[str, Any]:
    """Return the way to the goal, in all and per target.

    Returns
    -------
    dict
        ``goal``, ``ideal_goal``, ``verified``, ``plan_strict``; ``targets``: for ``sentiment`` and
        ``direction`` each ``verified``, ``days`` (Korean dates, or market days as family and session)
        and ``by_label``; ``arrivals``: list of {day, n}, the samples by Korean date over the 60 days up
        to the newest, ascending, days without any left out; ``undated``: samples without a date.
    """
    arrivals = _arrivals(session)
    return {
        "goal": policy.goal,
        "ideal_goal": policy.ideal_goal,
        "verified": _count(session, col(Article.reason).is_(None)),
        "plan_strict": plan_strict(session, policy),
        "targets": {
            str(Target.SENTIMENT): _sentiment(session),
            str(Target.DIRECTION): _direction(session),
        },
        "arrivals": [{"day": day, "n": n} for day, n in sorted(arrivals.items())],
        "undated": _count(session, _IS_SAMPLE, col(Article.effective_at).is_(None)),
    }


#: The same as ``reason IS NULL``, written so that the planner keeps to the index on the time.
_IS_SAMPLE = func.coalesce(Article.reason, "") == ""


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    found = session.execute(select(func.count()).select_from(Article).where(*conditions))
    return int(found.scalar_one())


def _seoul_day(hour: str) -> date:
    return (datetime.fromisoformat(f"{hour}:00") + _SEOUL).date()


def _arrivals(session: Session) -> Counter[date]:
    """Return the samples by Korean date, over some days up to the newest."""
    newest = session.execute(
        select(col(Article.effective_at))
        .where(_IS_SAMPLE, col(Article.effective_at).is_not(None))
        .order_by(desc(col(Article.effective_at)))
        .limit(1)
    ).scalar()
    by_day: Counter[date] = Counter()
    if newest is None:
        return by_day
    first = (newest + _SEOUL).date() - timedelta(days=_ARRIVAL_DAYS - 1)
    since = datetime.combine(first, time(), UTC) - _SEOUL
    rows = session.execute(
        select(_HOUR, func.count()).where(_IS_SAMPLE, col(Article.effective_at) >= since).group_by(_HOUR)
    )
    for hour, n in rows:
        by_day[_seoul_day(hour)] += n
    return by_day


def _sentiment(session: Session) -> dict[str, Any]:
    labelled = col(HumanLabel.article_id) == col(Article.id)
    rows = session.execute(
        select(col(HumanLabel.sentiment), func.count(func.distinct(HumanLabel.article_id)))
        .join(Article, labelled)
        .where(col(Article.reason).is_(None))
        .group_by(col(HumanLabel.sentiment))
    )
    counts = {row[0]: row[1] for row in rows}
    hours = session.scalars(
        select(_HOUR).where(col(Article.reason).is_(None), exists().where(labelled)).distinct()
    )
    return _target(counts, len({_seoul_day(hour) for hour in hours if hour is not None}))


def _direction(session: Session) -> dict[str, Any]:
    sums = [func.sum(case((col(Outcome.direction) == label, 1), else_=0)) for label in Sentiment]
    rows = session.execute(
        select(func.count(func.distinct(Outcome.session)), *sums)
        .join(Article, col(Article.id) == col(Outcome.article_id))
        .where(col(Article.reason).is_(None), col(Outcome.state) == OutcomeState.MATURED)
        .group_by(col(Article.family))
    ).all()
    counts = {str(label): sum(row[i] for row in rows) for i, label in enumerate(Sentiment, start=1)}
    return _target(counts, sum(row[0] for row in rows))


def _target(counts: Mapping[str, int], days: int) -> dict[str, Any]:
    return {
        "verified": sum(counts.values()),
        "days": days,
        "by_label": {str(label): counts.get(label, 0) for label in Sentiment},
    }


def outcome_clock(session: Session, *, closes: int = 5) -> dict[str, Any]:
    """Return how many outcomes are pending, matured and void, and the closes that decide the next.

    Returns
    -------
    dict
        ``states``: {state: n}; ``void_reasons``: {reason: n}; ``next_closes``: the earliest `closes`
        closes that articles wait for, as {session, closes_at, n}. A close in the past waits for data.
    """
    states: dict[str, int] = {str(state): 0 for state in OutcomeState}
    void_reasons: dict[str, int] = defaultdict(int)
    rows = session.execute(
        select(col(Outcome.state), col(Outcome.void_reason), func.count()).group_by(
            col(Outcome.state), col(Outcome.void_reason)
        )
    )
    for state, reason, n in rows:
        states[state] += n
        if reason is not None:
            void_reasons[reason] += n
    due = session.execute(
        select(col(Outcome.closes_at), col(Outcome.session), func.count())
        .where(col(Outcome.state) == OutcomeState.PENDING)
        .group_by(col(Outcome.closes_at), col(Outcome.session))
        .order_by(col(Outcome.closes_at))
        .limit(closes)
    )
    return {
        "states": states,
        "void_reasons": dict(sorted(void_reasons.items())),
        "next_closes": [{"session": day, "closes_at": at, "n": n} for at, day, n in due],
    }
