"""Trading sessions: which close decides an article, and from which close its return is counted.

A table of sessions is handed in (`core.sources.calendar` builds the one of the Korean exchange); every
session carries its own open and close, since both have moved over the years and move on exam days.
Crypto trades every day: the close dated D is the price at 00:00 UTC of D + 1.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from core.domain.types import Family

#: Instants are compared to the microsecond: 15:29:59.999999 is still before the close.
_INSTANT = "datetime64[us]"


@dataclass(frozen=True)
class Session:
    """One trading session.

    Parameters
    ----------
    day : date
        Date by which market data name the session (Korean date for stocks, UTC date for crypto).
    opens_at, closes_at : datetime
        Aware UTC.
    """

    day: date
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True)
class Horizon:
    """What decides one article: the return over (previous close, deciding close].

    Parameters
    ----------
    session : Session
        The deciding session: the first whose close lies after the article.
    base_day : date
        Session whose close is the base of the return.
    opens_after : datetime
        That previous close, aware UTC.
    intraday : bool
        The article appeared while the deciding session was under way.
    """

    session: Session
    base_day: date
    opens_after: datetime
    intraday: bool


def instants(times: list[datetime]) -> NDArray[np.datetime64]:
    """Return aware datetimes as UTC instants, shape (n,), in microseconds."""
    return np.array([time_.astimezone(UTC).replace(tzinfo=None) for time_ in times], dtype=_INSTANT)


def _aware(instant: np.datetime64) -> datetime:
    moment: datetime = instant.astype(_INSTANT).astype(datetime)
    return moment.replace(tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class SessionTable:
    """Sessions of one exchange in order of time.

    Parameters
    ----------
    dates : ndarray of datetime64[D], shape (n,)
        Local dates, strictly increasing.
    opens, closes : ndarray of datetime64[us], shape (n,)
        UTC instants, strictly increasing.
    """

    dates: NDArray[np.datetime64]
    opens: NDArray[np.datetime64]
    closes: NDArray[np.datetime64]

    def __len__(self) -> int:
        return len(self.dates)

    def session(self, position: int) -> Session | None:
        """Return the session at a position, or None outside the table."""
        if not 0 <= position < len(self):
            return None
        day: date = self.dates[position].astype(date)
        return Session(day, _aware(self.opens[position]), _aware(self.closes[position]))

    def deciding_positions(self, times: NDArray[np.datetime64]) -> NDArray[np.intp]:
        """Return for each UTC instant the position of the first session that closes after it.

        An article at the very moment of a close belongs to the next session. The length of the table
        means that no session follows.
        """
        return np.searchsorted(self.closes, times, side="right")

    def deciding(self, at: datetime) -> Session | None:
        """Return the first session that closes after an aware instant; None beyond the table."""
        return self.session(int(self.deciding_positions(instants([at]))[0]))

    def previous(self, session: Session) -> Session | None:
        """Return the session before another; None if that one is the table's first."""
        return self.session(int(np.searchsorted(self.dates, np.datetime64(session.day))) - 1)

    def on(self, day: date) -> Session | None:
        """Return the session dated `day`, or None if the exchange is closed (or `day` is not covered)."""
        found = self.session(int(np.searchsorted(self.dates, np.datetime64(day))))
        return found if found is not None and found.day == day else None


def crypto_session(at: datetime) -> Session:
    """Return the crypto "session" of an aware instant: its UTC day, closing at the next midnight."""
    day = at.astimezone(UTC).date()
    opens_at = datetime.combine(day, time(), UTC)
    return Session(day, opens_at, opens_at + timedelta(days=1))


def crypto_horizon(at: datetime) -> Horizon:
    """Return what decides a crypto article at an aware instant.

    Every such article is intraday except one at exactly 00:00 UTC, when nothing has moved yet.
    """
    session = crypto_session(at)
    base_day = session.day - timedelta(days=1)
    return Horizon(session, base_day, session.opens_at, intraday=at > session.opens_at)


def stock_horizons(times: list[datetime], table: SessionTable) -> list[Horizon | None]:
    """Return what decides stock articles at aware instants; None where the table does not reach."""
    session = cache(table.session)
    found: list[Horizon | None] = []
    for at, position in zip(times, table.deciding_positions(instants(times)).tolist(), strict=True):
        deciding, previous = session(position), session(position - 1)
        if deciding is None or previous is None:
            found.append(None)
        else:
            intraday = at >= deciding.opens_at
            found.append(Horizon(deciding, previous.day, previous.closes_at, intraday))
    return found


def horizon(family: str, at: datetime, table: SessionTable) -> Horizon | None:
    """Return what decides an article of a family at an aware instant; None outside the calendar."""
    return crypto_horizon(at) if family == Family.CRYPTO else stock_horizons([at], table)[0]
