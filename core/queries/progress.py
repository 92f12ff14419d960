"""What the Overview shows of the way to the goal: few queries, all on indexes."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Executable, String, bindparam, case, cast
from sqlmodel import Session, col, desc, func, select

from core.domain.policy import Policy
from core.domain.types import OutcomeState, Sentiment, Target
from core.models import Article, HumanLabel, Outcome
from core.queries.funnel import plan_strict

#: Korea keeps standard time all year.
_SEOUL = timedelta(hours=9)
#: Days of arrivals that an estimate of the time to the goal is made from.
_ARRIVAL_DAYS = 60

# The statements are built once: at 10,000 articles building them would cost as much as running some.

#: The first 13 characters of a stored time are its UTC hour, which spares parsing 10,000 times.
_HOUR = func.substr(cast(Article.effective_at, String), 1, 13)
_ELIGIBLE = col(Article.reason).is_(None)
#: The same, written so that the planner leaves the index on the reason alone and takes a better way.
_ELIGIBLE_UNINDEXED = func.coalesce(Article.reason, "") == ""
_VERIFIED = select(func.count()).select_from(Article).where(_ELIGIBLE)
_UNDATED = (
    select(func.count()).select_from(Article).where(_ELIGIBLE_UNINDEXED, col(Article.effective_at).is_(None))
)
_NEWEST = (
    select(col(Article.effective_at))
    .where(_ELIGIBLE_UNINDEXED, col(Article.effective_at).is_not(None))
    .order_by(desc(col(Article.effective_at)))
    .limit(1)
)
_BY_HOUR = (
    select(_HOUR, func.count())
    .where(_ELIGIBLE_UNINDEXED, col(Article.effective_at) >= bindparam("since"))
    .group_by(_HOUR)
)
#: The people's class of each article; they agree, or it would not be eligible.
_GOLD = (
    select(col(HumanLabel.article_id).label("article_id"), func.min(HumanLabel.sentiment).label("label"))
    .group_by(col(HumanLabel.article_id))
    .subquery()
)
#: All hours of a class in one text: sorting and fetching them row by row would take most of the time.
_GOLD_HOURS = (
    select(_GOLD.c.label, func.count(), func.aggregate_strings(_HOUR, ","))
    .join(Article, col(Article.id) == _GOLD.c.article_id)
    .where(_ELIGIBLE_UNINDEXED)
    .group_by(_GOLD.c.label)
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
        and ``by_label``; ``arrivals``: list of {day, n}, the samples by Korean date over the 60 days up
        to the newest, ascending, days without any left out; ``undated``: samples without a date.
    """
    arrivals = _arrivals(session)
    return {
        "goal": policy.goal,
        "ideal_goal": policy.ideal_goal,
        "verified": session.execute(_VERIFIED).scalar_one(),
        "plan_strict": plan_strict(session, policy),
        "targets": {
            str(Target.SENTIMENT): _sentiment(session),
            str(Target.DIRECTION): _direction(session),
        },
        "arrivals": [{"day": day, "n": n} for day, n in sorted(arrivals.items())],
        "undated": session.execute(_UNDATED).scalar_one(),
    }


def _seoul_day(hour: str) -> date:
    return (datetime.fromisoformat(f"{hour}:00") + _SEOUL).date()


def _arrivals(session: Session) -> Counter[date]:
    """Return the samples by Korean date, over some days up to the newest."""
    newest = session.execute(_NEWEST).scalar()
    by_day: Counter[date] = Counter()
    if newest is None:
        return by_day
    first = (newest + _SEOUL).date() - timedelta(days=_ARRIVAL_DAYS - 1)
    since = datetime.combine(first, time(), UTC) - _SEOUL
    for hour, n in session.execute(_BY_HOUR, {"since": since}):
        by_day[_seoul_day(hour)] += n
    return by_day


def _sentiment(session: Session) -> dict[str, Any]:
    rows = session.execute(_GOLD_HOURS).all()
    hours = {hour for row in rows for hour in (row[2] or "").split(",") if hour}
    # In Korea a new day begins at 15:00 UTC: two halves of UTC days need parsing, not each hour.
    halves = {(hour[:10], hour[11:] >= "15") for hour in hours}
    days = {_seoul_day(f"{day} {'15' if late else '00'}") for day, late in halves}
    return _target({row[0]: row[1] for row in rows}, len(days))


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
