"""The funnel: from everything that was collected to the samples, and why the rest is none."""

from collections import defaultdict
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, exists, func, select

from core.domain.index import logged_moves
from core.domain.market import day_status
from core.domain.policy import Policy
from core.domain.records import MarketRecord
from core.domain.types import (
    Instrument,
    MarketSource,
    MarketStatus,
    Origin,
    OutcomeState,
    Reason,
    Sentiment,
    Target,
)
from core.models import AccuracyLog, Article, DayScore, HumanLabel, MarketDay, Outcome, Prediction

#: The steps that remove what is not one article of its own.
_NOT_UNIQUE = (Reason.PLACEHOLDER_BODY, Reason.DUPLICATE_URL)


def funnel(session: Session, policy: Policy) -> dict[str, Any]:
    """Return the funnel as plain numbers, in a fixed order: unchanged data gives equal JSON.

    Counted are the articles with a prediction or a label (of a person or of the market). ``unique`` is
    counted after exact urls and before near-duplicates; ``with_accuracy_log`` and ``with_real_market``
    are counted among the unique ones; ``market_days`` are dates of the parent's market files.
    ``waterfall`` lists {step, reason, lost, left}.
    """
    reasons = _articles_by_reason(session)
    joined = sum(reasons.values())
    unique = joined - sum(reasons[code] for code in _NOT_UNIQUE)
    logged, real = _on_logged_days(session)
    by_label = verified_by_label(session)
    return {
        "articles_joined": joined,
        "without_placeholder": joined - reasons[Reason.PLACEHOLDER_BODY],
        "unique": unique,
        "with_accuracy_log": logged,
        "with_real_market": real,
        "verified": reasons[None],
        "verified_by_target": {target: sum(by_label[target].values()) for target in by_label},
        "plan_strict": plan_strict(session, policy),
        "goal": policy.goal,
        "demo_articles": _demo_articles(session),
        "by_label": by_label,
        "reasons": {str(code): reasons[code] for code in Reason},
        "market_days": market_days(session, policy),
        "waterfall": _waterfall(joined, reasons),
    }


def _waterfall(joined: int, reasons: dict[str | None, int]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"step": "articles_joined", "reason": None, "lost": 0, "left": joined}]
    names = ("without_placeholder", "unique", "distinct", "labelled", "agreed", "verified")
    left = joined
    for name, code in zip(names, Reason, strict=True):
        left -= reasons[code]
        steps.append({"step": name, "reason": str(code), "lost": reasons[code], "left": left})
    return steps


def _is_joined() -> ColumnElement[bool]:
    """Return the condition that an article has a prediction, a human label or a market label."""
    return or_(
        exists().where(col(Prediction.article_id) == col(Article.id)),
        exists().where(col(HumanLabel.article_id) == col(Article.id)),
        exists().where(
            col(Outcome.article_id) == col(Article.id), col(Outcome.state) == OutcomeState.MATURED
        ),
    )


def _articles_by_reason(session: Session) -> dict[str | None, int]:
    rows = session.execute(
        select(col(Article.reason), func.count()).where(_is_joined()).group_by(col(Article.reason))
    )
    counts: dict[str | None, int] = defaultdict(int)
    counts.update(rows.all())
    return counts


def _on_logged_days(session: Session) -> tuple[int, int]:
    """Return how many unique articles are of a day with a log, and of one whose log saw a market."""
    rows = session.execute(
        select(col(Article.file_date), func.count())
        .join(AccuracyLog, col(AccuracyLog.file_date) == col(Article.file_date))
        .where(_is_joined(), or_(col(Article.reason).is_(None), col(Article.reason).not_in(_NOT_UNIQUE)))
        .group_by(col(Article.file_date))
    )
    counts = dict(rows.all())
    logs = session.execute(select(col(AccuracyLog.file_date), col(AccuracyLog.payload)))
    real = [day for day, payload in logs if any(logged_moves(payload).values())]
    return sum(counts.values()), sum(counts.get(day, 0) for day in real)


def verified_by_label(session: Session) -> dict[str, dict[str, int]]:
    """Return the number of samples by target and class; every class is there."""
    by_person = (
        select(col(Article.gold_sentiment), func.count())
        .where(col(Article.reason).is_(None), col(Article.gold_sentiment).is_not(None))
        .group_by(col(Article.gold_sentiment))
    )
    by_market = (
        select(col(Outcome.direction), func.count())
        .join(Article, col(Article.id) == col(Outcome.article_id))
        .where(col(Article.reason).is_(None), col(Outcome.state) == OutcomeState.MATURED)
        .group_by(col(Outcome.direction))
    )
    return {
        str(Target.SENTIMENT): _classes(session.execute(by_person).all()),
        str(Target.DIRECTION): _classes(session.execute(by_market).all()),
    }


def _demo_articles(session: Session) -> int:
    """Return how many articles came from the demo: what counts them says nothing of the world."""
    query = select(func.count()).select_from(Article).where(col(Article.origin) == Origin.DEMO)
    return int(session.execute(query).scalar_one())


def _classes(rows: Any) -> dict[str, int]:
    counts = {row[0]: row[1] for row in rows}
    return {str(label): counts.get(label, 0) for label in Sentiment}


_later = aliased(Prediction)
#: The prediction an article was imported with.
_OWN = (
    select(func.min(_later.id))
    .where(_later.article_id == col(Article.id), col(_later.import_id).is_not(None))
    .correlate(Article)
    .scalar_subquery()
)
_DAYS_THAT_PASS = select(func.count()).where(col(DayScore.accuracy) >= bindparam("gate"))
_PLAN_STRICT = (
    select(func.count())
    .select_from(DayScore)
    .join(
        Article,
        (col(Article.family) == col(DayScore.family)) & (col(Article.file_date) == col(DayScore.file_date)),
    )
    .join(Outcome, col(Outcome.article_id) == col(Article.id))
    .join(Prediction, col(Prediction.id) == _OWN)
    .where(
        col(DayScore.accuracy) >= bindparam("gate"),
        col(Article.reason).is_(None),
        # Out of reach of the index on the state, or every matured outcome would be looked at first.
        func.coalesce(Outcome.state, "") == OutcomeState.MATURED,
        col(Outcome.direction) == col(Prediction.sentiment),
    )
)


def plan_strict(session: Session, policy: Policy) -> int:
    """Return how many samples the plan's own rule would keep.

    Of the samples with a market label: those whose own prediction (the one they were imported with)
    agreed with the outcome, and whose day reached the gate by the parent's accuracy.
    """
    gate = {"gate": policy.day_accuracy_gate}
    # Usually no day passes, and the join need not be made.
    if not session.execute(_DAYS_THAT_PASS, gate).scalar_one():
        return 0
    return int(session.execute(_PLAN_STRICT, gate).scalar_one())


def market_days(session: Session, policy: Policy) -> dict[str, int]:
    """Return how many of the parent's market files hold something, and how many nothing or nonsense.

    ``real`` counts a file with any believable number, ``suspect`` one with an impossible stock move,
    ``unknown`` the rest; they add up to ``total``.
    """
    rows = session.execute(
        select(col(MarketDay.day), col(MarketDay.instrument), col(MarketDay.return_pct)).where(
            col(MarketDay.source) == MarketSource.PARENT
        )
    )
    by_day: dict[date, list[MarketRecord]] = defaultdict(list)
    for day, instrument, percent in rows:
        by_day[day].append(MarketRecord(day, Instrument(instrument), MarketSource.PARENT, return_pct=percent))
    statuses = [day_status(day, stock_limit_pct=policy.stock_limit_pct) for day in by_day.values()]
    real = sum(status in (MarketStatus.REAL, MarketStatus.PARTIAL) for status in statuses)
    suspect = statuses.count(MarketStatus.SUSPECT)
    return {
        "total": len(statuses),
        "unknown": len(statuses) - real - suspect,
        "suspect": suspect,
        "real": real,
    }
