"""Outcomes: what the market did over each article's horizon, and whether that is known yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

from core.domain.market import MarketBook, Move
from core.domain.policy import Policy
from core.domain.sessions import Horizon, SessionTable, crypto_horizon, stock_horizons
from core.domain.types import Family, MarketStatus, OutcomeState, Sentiment, VoidReason

_VOID_BY_STATUS = {
    MarketStatus.SUSPECT: VoidReason.MARKET_SUSPECT,
    MarketStatus.UNKNOWN: VoidReason.MARKET_UNKNOWN,
}


@dataclass(frozen=True)
class Decision:
    """What one market day says of every article that it decides.

    Parameters
    ----------
    return_pct : float or None
        Percent over (previous close, deciding close].
    """

    state: OutcomeState
    void_reason: VoidReason | None = None
    return_pct: float | None = None
    direction: Sentiment | None = None
    partial: bool = False


@dataclass(frozen=True)
class OutcomeRecord:
    """One article's outcome: its horizon (None where it has none) and the decision."""

    article_id: int
    horizon: Horizon | None
    decision: Decision


UNDATED = Decision(OutcomeState.VOID, VoidReason.UNDATED)
OUTSIDE_CALENDAR = Decision(OutcomeState.VOID, VoidReason.OUTSIDE_CALENDAR)
PENDING = Decision(OutcomeState.PENDING)


def direction(return_pct: float, threshold_pct: float) -> Sentiment:
    """Return positive from +threshold, negative from -threshold (both included), else neutral."""
    if return_pct >= threshold_pct:
        return Sentiment.POSITIVE
    return Sentiment.NEGATIVE if return_pct <= -threshold_pct else Sentiment.NEUTRAL


def threshold_pct(family: str, policy: Policy) -> float:
    """Return the |return| in percent from which a family's move counts as a direction."""
    if family == Family.CRYPTO:
        return policy.direction_threshold_crypto_pct
    return policy.direction_threshold_general_pct


def decide(move: Move, *, closes_at: datetime, now: datetime, threshold: float) -> Decision:
    """Return what a market day says at `now`.

    It is pending until the close is past *and* known: a close without any row waits for its data, a row
    that cannot be believed makes the outcome void until better data arrives.
    """
    if closes_at > now:
        return PENDING
    if move.return_pct is not None:
        return Decision(
            OutcomeState.MATURED,
            return_pct=move.return_pct,
            direction=direction(move.return_pct, threshold),
            partial=move.status == MarketStatus.PARTIAL,
        )
    return Decision(OutcomeState.VOID, _VOID_BY_STATUS[move.status]) if move.seen else PENDING


def outcomes(
    articles: Iterable[tuple[int, str, datetime | None]],
    calendar: SessionTable,
    book: MarketBook,
    policy: Policy,
    *,
    now: datetime,
) -> Iterator[OutcomeRecord]:
    """Yield the outcome of each (id, family, effective time) at `now`.

    Each market day is decided once, so the cost of an article is a search in the calendar.
    """

    @cache
    def decided(family: Family, day: date, base_day: date, closes_at: datetime) -> Decision:
        move = book.move(family, day, base_day, closed_by=closes_at)
        return decide(move, closes_at=closes_at, now=now, threshold=threshold_pct(family, policy))

    rows = list(articles)
    stocks = [at for _, family, at in rows if at is not None and family != Family.CRYPTO]
    stock_horizon = iter(stock_horizons(stocks, calendar))
    for article_id, family, at in rows:
        if at is None:
            yield OutcomeRecord(article_id, None, UNDATED)
            continue
        found = crypto_horizon(at) if family == Family.CRYPTO else next(stock_horizon)
        if found is None:
            yield OutcomeRecord(article_id, None, OUTSIDE_CALENDAR)
        else:
            session = found.session
            decision = decided(Family(family), session.day, found.base_day, session.closes_at)
            yield OutcomeRecord(article_id, found, decision)
