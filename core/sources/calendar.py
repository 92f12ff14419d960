"""Sessions of the Korean exchange: the library `exchange_calendars`, corrected where it is behind.

The library is asked with explicit bounds (its default ones follow the clock) and once per process: it
works out every lunar holiday of the covered century, which takes some seconds.
"""

import warnings
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from core.domain.sessions import SessionTable, instants

SEOUL = ZoneInfo("Asia/Seoul")
#: What the library is asked for; it knows no Korean holidays after 2050, and this program no news
#: before the exchange's present weekday sessions.
FIRST_DAY = date(1999, 1, 1)
LAST_DAY = date(2050, 12, 31)


@dataclass(frozen=True)
class Override:
    """One date on which the library is wrong.

    Parameters
    ----------
    day : date
        Korean date.
    hours : (time, time) or None
        Open and close in Seoul; None means that the exchange is closed.
    source : str
        Where that is stated.
    confirmed : bool
        False while the exchange has not announced it and it only follows from a rule.
    """

    day: date
    hours: tuple[time, time] | None
    source: str
    confirmed: bool = True


#: On the day of the university entrance exam everything moves by an hour.
_EXAM_HOURS = (time(10, 0), time(16, 30))

#: Checked against exchange_calendars 4.13.2 on 2025-11-22. The library ends its list of exam days in 2020.
OVERRIDES = (
    Override(date(2021, 11, 18), _EXAM_HOURS, "Korea Exchange notice, Dong-A Ilbo 2021-11-04"),
    Override(date(2022, 11, 17), _EXAM_HOURS, "Korea Exchange notice, Kyunghyang Shinmun 2022-11-16"),
    Override(date(2023, 11, 16), _EXAM_HOURS, "Korea Exchange notice, eToday 2023-11-02"),
    Override(date(2024, 11, 14), _EXAM_HOURS, "Korea Exchange notice, Daum News 2024-10-31"),
    Override(date(2025, 11, 13), _EXAM_HOURS, "Korea Exchange notice, Edaily 2025-11-12"),
    Override(
        date(2026, 6, 3),
        None,
        "nationwide local elections, a public holiday; exchange_calendars pull request 574 (merged)",
    ),
    Override(
        date(2026, 7, 17),
        None,
        "Constitution Day, a public holiday again (act passed 2026-01-29, Segye Ilbo 2026-02-04); "
        "exchange_calendars pull request 583",
    ),
    Override(
        date(2026, 11, 19),
        _EXAM_HOURS,
        "exam date set by the Ministry of Education, News1 2024-08-15; hours as in every year before",
        confirmed=False,
    ),
    Override(
        date(2027, 11, 18),
        _EXAM_HOURS,
        "exam date set by the Ministry of Education, UNN 2025; hours as in every year before",
        confirmed=False,
    ),
)


@cache
def krx_sessions(start: date, end: date) -> SessionTable:
    """Return the sessions of the Korean exchange (XKRX) dated `start` to `end`, both included.

    The first call of a process takes some seconds, every later one, with whatever bounds, almost nothing.
    Dates outside 1999 to 2050 are not covered.
    """
    table = all_sessions()
    inside = (table.dates >= np.datetime64(start)) & (table.dates <= np.datetime64(end))
    return SessionTable(table.dates[inside], table.opens[inside], table.closes[inside])


@cache
def all_sessions() -> SessionTable:
    """Return every session that the corrected calendar covers; the slow part, done once."""
    return apply_overrides(library_sessions(FIRST_DAY, LAST_DAY), OVERRIDES)


def library_sessions(start: date, end: date) -> SessionTable:
    """Return the library's own view of XKRX between two dates."""
    import exchange_calendars  # noqa: PLC0415 - takes most of a second

    with warnings.catch_warnings():
        # The library still uses what pandas 4 will drop; it is pinned, and nothing of ours is hidden.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = exchange_calendars.get_calendar("XKRX", start=start.isoformat(), end=end.isoformat())
        return SessionTable(
            calendar.sessions.to_numpy().astype("datetime64[D]"),
            calendar.opens.dt.tz_convert(None).to_numpy().astype("datetime64[us]"),
            calendar.closes.dt.tz_convert(None).to_numpy().astype("datetime64[us]"),
        )


def apply_overrides(table: SessionTable, overrides: tuple[Override, ...]) -> SessionTable:
    """Return a table with the overridden dates removed, or put in with their own hours."""
    days = np.array([override.day for override in overrides], dtype="datetime64[D]")
    kept = ~np.isin(table.dates, days)
    opened = [(override.day, *override.hours) for override in overrides if override.hours]
    dates = np.concatenate(
        [table.dates[kept], np.array([day for day, _, _ in opened], dtype="datetime64[D]")]
    )
    opens = np.concatenate([table.opens[kept], instants([_seoul(day, at) for day, at, _ in opened])])
    closes = np.concatenate([table.closes[kept], instants([_seoul(day, at) for day, _, at in opened])])
    order = np.argsort(dates)
    return SessionTable(dates[order], opens[order], closes[order])


def _seoul(day: date, at: time) -> datetime:
    return datetime.combine(day, at, SEOUL)
