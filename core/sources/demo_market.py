"""The demo's market: closes of a seeded random walk, known up to `now` and not a moment further."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from core.domain.records import MarketRecord
from core.domain.sessions import Horizon, Session
from core.domain.types import INSTRUMENTS, Family, Instrument, MarketSource

#: Level at the start, and daily standard deviation in percent: of the whole market, and of its own.
WALK = {
    Instrument.KOSPI: (2600.0, 1.1, 0.3),
    Instrument.KOSDAQ: (800.0, 1.2, 0.5),
    Instrument.BTC: (90000.0, 2.0, 0.4),
    Instrument.ETH: (3200.0, 2.3, 0.8),
}

Closes = dict[tuple[Instrument, date], MarketRecord]


def walk(rng: np.random.Generator, sessions: Sequence[Session], now: datetime) -> Closes:
    """Return closes of every exchange session given, and of every crypto day since that closed by `now`."""
    first = sessions[0].day
    ended = (now.astimezone(UTC).date() - first).days
    crypto = [first + timedelta(days=n) for n in range(ended)]
    closing = {Family.GENERAL: {session.day: session.closes_at for session in sessions}}
    closing[Family.CRYPTO] = {day: datetime.combine(day + timedelta(days=1), time(), UTC) for day in crypto}
    closes: Closes = {}
    for family, days in closing.items():
        shared = rng.standard_normal(len(days))
        for instrument in INSTRUMENTS[family]:
            level, together, alone = WALK[instrument]
            moves = together * shared + alone * rng.standard_normal(len(days))
            levels = level * np.cumprod(1 + np.clip(moves, -12, 12) / 100)
            for (day, at), close in zip(days.items(), levels.tolist(), strict=True):
                collected = min(at + timedelta(minutes=10), now)
                closes[instrument, day] = MarketRecord(
                    day, instrument, MarketSource.DEMO, close=round(close, 2), collected_at=collected
                )
    return closes


def coming_return_pct(closes: Closes, family: Family, ahead: Horizon | None) -> float:
    """Return the family's mean move in percent over a horizon, 0.0 while its end is not known."""
    moves = []
    for instrument in INSTRUMENTS[family]:
        before = closes.get((instrument, ahead.base_day)) if ahead else None
        after = closes.get((instrument, ahead.session.day)) if ahead else None
        if before and after and before.close and after.close:
            moves.append(100 * (after.close / before.close - 1))
    return sum(moves) / len(moves) if moves else 0.0
