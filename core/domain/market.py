"""What the market did: effective values by precedence, and whether they can be believed.

A zero is not a measurement: the parent's collector wrote 0 where it had nothing. So a percent change of
exactly 0.0 is unknown, a day on which all four instruments stand still is unknown whatever its source,
and an index that moves beyond the exchange's daily limit is suspect. Missing never becomes zero.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite

from core.domain.records import MarketRecord
from core.domain.types import INSTRUMENTS, Family, Instrument, MarketSource, MarketStatus

#: Digits kept of a return in percent: enough for any price, few enough to quieten 0.9999999999999.
DIGITS = 6
_STOCKS = INSTRUMENTS[Family.GENERAL]
_PRECEDENCE = tuple(MarketSource)


@dataclass(frozen=True)
class Reading:
    """What is known of one instrument over one interval.

    Parameters
    ----------
    return_pct : float or None
        The move in percent where it is believed.
    status : MarketStatus
        ``real``, ``unknown``, ``suspect`` or ``closed``.
    source : MarketSource or None
        The row that decided; None means that there is no row at all.
    """

    return_pct: float | None
    status: MarketStatus
    source: MarketSource | None = None


MISSING = Reading(None, MarketStatus.UNKNOWN)
CLOSED = Reading(None, MarketStatus.CLOSED)


@dataclass(frozen=True)
class Move:
    """What one family's market did over one interval.

    Parameters
    ----------
    return_pct : float or None
        Mean of the believed instruments in percent.
    status : MarketStatus
        ``real`` (all instruments), ``partial`` (some), else why there is none.
    seen : bool
        There was a row for at least one instrument, believable or not.
    """

    return_pct: float | None
    status: MarketStatus
    seen: bool


class MarketBook:
    """Market rows of all sources, read by precedence (`MarketSource`, best first).

    Parameters
    ----------
    rows : iterable of MarketRecord
        At most one per day, instrument and source.
    stock_limit_pct : float
        The exchange's daily limit in percent; a larger index move is suspect.
    """

    def __init__(self, rows: Iterable[MarketRecord], *, stock_limit_pct: float) -> None:
        self._limit = stock_limit_pct
        self._rows: dict[tuple[str, date], dict[str, MarketRecord]] = defaultdict(dict)
        for row in rows:
            self._rows[row.instrument, row.day][row.source] = row
        self._stuck = self._days_that_stand_still()

    def _days_that_stand_still(self) -> set[tuple[str, date]]:
        """Return the (source, day) on which all four instruments show no move."""
        closes: dict[tuple[str, str], list[tuple[date, float]]] = defaultdict(list)
        for (instrument, day), by_source in sorted(self._rows.items()):
            for source, row in by_source.items():
                if row.close is not None:
                    closes[source, instrument].append((day, row.close))
        still: dict[tuple[str, date], int] = defaultdict(int)
        for (instrument, day), by_source in self._rows.items():
            for source, row in by_source.items():
                still[source, day] += _is_still(row, closes[source, instrument])
        return {key for key, count in still.items() if count == len(Instrument)}

    def reading(
        self, instrument: Instrument, day: date, base_day: date, *, closed_by: datetime | None = None
    ) -> Reading:
        """Return the believed return of an instrument from the close of `base_day` to that of `day`.

        The best source with a believable value decides: from its two closes, else from its percent
        change of `day`. An unbelievable value is passed over, and its status kept if nothing better
        is found.

        Parameters
        ----------
        closed_by : datetime or None
            Close of the session, aware UTC. A percent change of a stock index that was collected before
            it is not that session's return and is passed over.
        """
        found = MISSING
        for source in _PRECEDENCE:
            row = self._rows.get((instrument, day), {}).get(source)
            if row is None or _is_early(row, instrument, closed_by):
                continue
            value = self._value(row, base_day)
            if value is None:
                continue
            reading = Reading(value, self._believe(row, value), source)
            if reading.status == MarketStatus.REAL:
                return reading
            if found.status != MarketStatus.SUSPECT:
                found = Reading(None, reading.status, source)
        return found

    def _value(self, row: MarketRecord, base_day: date) -> float | None:
        if row.close is None:
            return row.return_pct
        base = self._rows.get((row.instrument, base_day), {}).get(row.source)
        if base is None or base.close is None:
            return None
        if base.close <= 0:
            return float("nan")
        return round((row.close - base.close) / base.close * 100, DIGITS)

    def _believe(self, row: MarketRecord, value: float) -> MarketStatus:
        if not isfinite(value) or (row.close is not None and row.close <= 0):
            return MarketStatus.SUSPECT
        if (row.source, row.day) in self._stuck or (value == 0 and row.close is None):
            return MarketStatus.UNKNOWN
        if row.instrument in _STOCKS and abs(value) > self._limit:
            return MarketStatus.SUSPECT
        return MarketStatus.REAL

    def move(self, family: Family, day: date, base_day: date, *, closed_by: datetime | None = None) -> Move:
        """Return what a family's market did from the close of `base_day` to that of `day`."""
        return combine(
            [self.reading(name, day, base_day, closed_by=closed_by) for name in INSTRUMENTS[family]]
        )


def _is_still(row: MarketRecord, closes: list[tuple[date, float]]) -> bool:
    if row.close is None:
        return row.return_pct == 0
    position = bisect_left(closes, (row.day, float("-inf")))
    return position > 0 and closes[position - 1][1] == row.close


def _is_early(row: MarketRecord, instrument: Instrument, closed_by: datetime | None) -> bool:
    # Crypto has no last moment of its own: the parent reads a 24 hour change during the day.
    if closed_by is None or row.close is not None or row.collected_at is None:
        return False
    return instrument in _STOCKS and row.collected_at < closed_by


def combine(readings: list[Reading]) -> Move:
    """Return the mean of the believed readings of one family, and what the whole is worth."""
    known = [reading.return_pct for reading in readings if reading.return_pct is not None]
    seen = any(reading.source is not None for reading in readings)
    if any(reading.status == MarketStatus.SUSPECT for reading in readings):
        return Move(None, MarketStatus.SUSPECT, seen)  # a feed that is wrong once may be wrong twice
    if known:
        status = MarketStatus.REAL if len(known) == len(readings) else MarketStatus.PARTIAL
        return Move(round(sum(known) / len(known), DIGITS), status, seen)
    statuses = {reading.status for reading in readings}
    worst = (MarketStatus.UNKNOWN, MarketStatus.CLOSED)
    return Move(None, next(status for status in worst if status in statuses), seen)


def day_status(rows: Iterable[MarketRecord], *, stock_limit_pct: float, session: bool = True) -> MarketStatus:
    """Return what one source's percent changes of one date are worth.

    Parameters
    ----------
    session : bool
        Whether the stock exchange had a session; on other days stock values are no values.
    """
    values = {row.instrument: row.return_pct for row in rows if row.return_pct is not None}
    moved = {name: value for name, value in values.items() if value != 0}
    stocks = [value for name, value in moved.items() if name in _STOCKS]
    if any(abs(value) > stock_limit_pct or not isfinite(value) for value in stocks):
        return MarketStatus.SUSPECT
    usable = [name for name in moved if session or name not in _STOCKS]
    if not usable:
        return MarketStatus.CLOSED if stocks else MarketStatus.UNKNOWN
    due = len(Instrument) if session else len(INSTRUMENTS[Family.CRYPTO])
    return MarketStatus.REAL if len(usable) == due else MarketStatus.PARTIAL
