"""Bring outcomes and day scores up to date with the market data and the clock. Idempotent."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import exists, insert, update
from sqlmodel import Session, col, func, select

from core.domain.index import DayActual, day_actual, day_score, explain
from core.domain.market import MarketBook
from core.domain.outcomes import OutcomeRecord, outcomes
from core.domain.policy import Policy
from core.domain.records import MarketRecord
from core.domain.sessions import SessionTable
from core.domain.types import Family, Instrument, MarketSource, OutcomeState
from core.models import AccuracyLog, Article, DayScore, MarketDay, Outcome, Prediction

#: Everything of an outcome but its key and the time of the decision.
_FIELDS = (
    "state",
    "void_reason",
    "session",
    "opens_after",
    "closes_at",
    "return_pct",
    "direction",
    "partial",
    "intraday",
)


def refresh_outcomes(
    session: Session, calendar: SessionTable, policy: Policy, *, now: datetime
) -> dict[str, int]:
    """Recompute every article's outcome and write those that changed; commit.

    A pending outcome matures when its close is past and known, a void one when better data arrives, and
    a matured one changes if a better source says otherwise. None is ever deleted.

    Parameters
    ----------
    session : Session
        A writing session.
    calendar : SessionTable
        Sessions of the stock exchange.
    now : datetime
        Aware UTC.

    Returns
    -------
    dict of str to int
        Outcomes now ``pending``, ``matured`` and ``void``, and how many were ``outcomes_new``,
        ``outcomes_changed`` and, among these, ``matured_changed`` (a label that became another).
    """
    book = _market_book(session, policy)
    articles = session.execute(select(col(Article.id), col(Article.family), col(Article.effective_at)))
    columns = [col(Outcome.article_id), *(getattr(Outcome, name) for name in _FIELDS)]
    stored = {row[0]: tuple(row[1:]) for row in session.execute(select(*columns)).all()}
    counts: Counter[str] = Counter()
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for record in outcomes(articles.all(), calendar, book, policy, now=now):
        row = _row(record)
        counts[row["state"]] += 1
        before = stored.get(record.article_id)
        if before == tuple(row[name] for name in _FIELDS):
            continue
        counts["matured_changed"] += before is not None and before[0] == OutcomeState.MATURED
        target = new if before is None else changed
        target.append({"article_id": record.article_id, "decided_at": now, **row})
    if new:
        session.execute(insert(Outcome), new)
    if changed:
        session.execute(update(Outcome), changed)
    session.commit()
    names = (*OutcomeState, "matured_changed")
    return {
        **{str(name): counts[name] for name in names},
        "outcomes_new": len(new),
        "outcomes_changed": len(changed),
    }


def _row(record: OutcomeRecord) -> dict[str, Any]:
    horizon, decision = record.horizon, record.decision
    return {
        "state": decision.state,
        "void_reason": decision.void_reason,
        "session": horizon.session.day if horizon else None,
        "opens_after": horizon.opens_after if horizon else None,
        "closes_at": horizon.session.closes_at if horizon else None,
        "return_pct": decision.return_pct,
        "direction": decision.direction,
        "partial": decision.partial,
        "intraday": horizon.intraday if horizon else False,
    }


def _market_book(session: Session, policy: Policy) -> MarketBook:
    columns: list[Any] = [
        MarketDay.day,
        MarketDay.instrument,
        MarketDay.source,
        MarketDay.close,
        MarketDay.return_pct,
        MarketDay.collected_at,
    ]
    rows = session.execute(select(*columns))
    records = (
        MarketRecord(day, Instrument(name), MarketSource(source), close, percent, collected_at)
        for day, name, source, close, percent, collected_at in rows
    )
    return MarketBook(records, stock_limit_pct=policy.stock_limit_pct)


def has_due(session: Session, *, now: datetime) -> bool:
    """Tell whether an article has no outcome yet, or a pending one whose close is past and on record."""
    undecided = select(col(Article.id)).where(~exists().where(col(Outcome.article_id) == col(Article.id)))
    closed = select(col(Outcome.article_id)).where(
        col(Outcome.state) == OutcomeState.PENDING,
        col(Outcome.closes_at) <= now,
        exists().where(col(MarketDay.day) == col(Outcome.session)),
    )
    return any(session.execute(query.limit(1)).first() is not None for query in (undecided, closed))


def refresh_day_scores(
    session: Session,
    calendar: SessionTable,
    policy: Policy,
    *,
    now: datetime,  # noqa: ARG001 - the parent scores a day by what is known, at whatever time
) -> dict[str, int]:
    """Recompute the parent's index and accuracy of every file date and family; commit.

    The index takes every imported prediction of that date and family, duplicates included, as the
    parent does. The market is that of the following calendar date, by what is known of it.

    Returns
    -------
    dict of str to int
        ``day_scores``: dates and families scored; ``day_scores_changed``: rows written or removed.
    """
    book = _market_book(session, policy)
    logs = dict(session.execute(select(col(AccuracyLog.file_date), col(AccuracyLog.payload))).all())
    stored = {(row.file_date, row.family): row for row in session.exec(select(DayScore))}
    wanted = {
        (day, family): _score(
            pairs,
            day_actual(day + timedelta(days=1), calendar, book),
            # The parent's log compares the index of the general news alone.
            logs.get(day) if family == Family.GENERAL else None,
        )
        for (day, family), pairs in _imported_predictions(session).items()
    }
    written = 0
    for key, values in wanted.items():
        row = stored.get(key)
        if row is None:
            session.add(DayScore(file_date=key[0], family=key[1], **values))
        elif any(getattr(row, name) != value for name, value in values.items()):
            row.sqlmodel_update(values)
        else:
            continue
        written += 1
    gone = [row for key, row in stored.items() if key not in wanted]
    for row in gone:
        session.delete(row)
    session.commit()
    return {"day_scores": len(wanted), "day_scores_changed": written + len(gone)}


def _imported_predictions(session: Session) -> Mapping[tuple[date, str], list[tuple[str, float | None]]]:
    """Return the (sentiment, confidence) pairs that came with the parent's files, by date and family."""
    first = (
        select(func.min(Prediction.id))
        .where(col(Prediction.import_id).is_not(None))
        .group_by(col(Prediction.article_id))
    )
    rows = session.execute(
        select(
            col(Article.file_date),
            col(Article.family),
            col(Prediction.sentiment),
            col(Prediction.confidence),
        )
        .join(Prediction, col(Prediction.article_id) == col(Article.id))
        .where(col(Article.file_date).is_not(None), col(Prediction.id).in_(first))
    )
    by_day: dict[tuple[date, str], list[tuple[str, float | None]]] = defaultdict(list)
    for day, family, sentiment, confidence in rows:
        if day is not None:
            by_day[day, family].append((sentiment, confidence))
    return by_day


def _score(
    pairs: list[tuple[str, float | None]], actual: DayActual, log: Mapping[str, Any] | None
) -> dict[str, Any]:
    score = day_score(pairs, actual)
    return {**asdict(score), "explanation": explain(log, score, actual) if log is not None else None}
