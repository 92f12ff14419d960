"""What the Overview shows of the way to the goal: few queries, all on indexes."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import String, cast
from sqlmodel import Session, col, func, select

from core.domain.policy import Policy
from core.domain.types import OutcomeState, Sentiment, Target
from core.models import Article, HumanLabel, Outcome
from core.queries.funnel import plan_strict

#: Korea keeps standard time all year.
_SEOUL = timedelta(hours=9)
#: Days of arrivals that an estimate of the time to the goal is made from.
_ARRIVAL_DAYS = 60


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
    hours = _samples_by_hour(session)
    by_day: Counter[date] = Counter()
    for hour, n in hours.items():
        if hour is not None:
            by_day[(hour + _SEOUL).date()] += n
    since = max(by_day) - timedelta(days=_ARRIVAL_DAYS) if by_day else date.min
    return {
        "goal": policy.goal,
        "ideal_goal": policy.ideal_goal,
        "verified": sum(hours.values()),
        "plan_strict": plan_strict(session, policy),
        "targets": {
            str(Target.SENTIMENT): _sentiment(session),
            str(Target.DIRECTION): _direction(session),
        },
        "arrivals": [{"day": day, "n": n} for day, n in sorted(by_day.items()) if day > since],
        "undated": hours.get(None, 0),
    }


def _hour(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}:00").replace(tzinfo=UTC)


def _samples_by_hour(session: Session) -> dict[datetime | None, int]:
    # The first 13 characters of a stored time are its UTC hour: 10,000 times need not be parsed.
    hour = func.substr(cast(Article.effective_at, String), 1, 13)
    rows = session.execute(select(hour, func.count()).where(col(Article.reason).is_(None)).group_by(hour))
    return {_hour(text): n for text, n in rows}


def _sentiment(session: Session) -> dict[str, Any]:
    hour = func.substr(cast(Article.effective_at, String), 1, 13)
    rows = session.execute(
        select(col(HumanLabel.sentiment), hour, func.count(func.distinct(HumanLabel.article_id)))
        .join(Article, col(Article.id) == col(HumanLabel.article_id))
        .where(col(Article.reason).is_(None))
        .group_by(col(HumanLabel.sentiment), hour)
    )
    counts: Counter[str] = Counter()
    days: set[date] = set()
    for label, text, n in rows:
        counts[label] += n
        at = _hour(text)
        if at is not None:
            days.add((at + _SEOUL).date())
    return _target(counts, len(days))


def _direction(session: Session) -> dict[str, Any]:
    rows = session.execute(
        select(col(Article.family), col(Outcome.session), col(Outcome.direction), func.count())
        .join(Article, col(Article.id) == col(Outcome.article_id))
        .where(col(Article.reason).is_(None), col(Outcome.state) == OutcomeState.MATURED)
        .group_by(col(Article.family), col(Outcome.session), col(Outcome.direction))
    )
    counts: Counter[str] = Counter()
    days: set[tuple[str, date | None]] = set()
    for family, day, label, n in rows:
        if label is not None:
            counts[label] += n
            days.add((family, day))
    return _target(counts, len(days))


def _target(counts: Counter[str], days: int) -> dict[str, Any]:
    return {
        "verified": sum(counts.values()),
        "days": days,
        "by_label": {str(label): counts[label] for label in Sentiment},
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
