"""Which session decides an article: a table of instants, and the calendar with its corrections."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from core.domain.sessions import SessionTable, crypto_horizon, crypto_session, horizon, instants
from core.sources import calendar
from core.sources.calendar import OVERRIDES, Override, apply_overrides, krx_sessions

SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture(scope="module")
def krx():
    return krx_sessions(date(2000, 1, 1), date(2028, 1, 31))


#: moment in Seoul -> deciding session, base of its return, close in Seoul, under way already
STOCK_INSTANTS = [
    ("2025-11-05 08:59:59", "2025-11-05", "2025-11-04", "15:30", False),
    ("2025-11-05 09:00:00", "2025-11-05", "2025-11-04", "15:30", True),
    ("2025-11-05 12:00:00", "2025-11-05", "2025-11-04", "15:30", True),
    ("2025-11-05 15:29:59", "2025-11-05", "2025-11-04", "15:30", True),
    ("2025-11-05 15:29:59.999999", "2025-11-05", "2025-11-04", "15:30", True),
    ("2025-11-05 15:30:00", "2025-11-06", "2025-11-05", "15:30", False),
    ("2025-11-05 15:30:00.000001", "2025-11-06", "2025-11-05", "15:30", False),
    ("2025-11-05 23:59:59", "2025-11-06", "2025-11-05", "15:30", False),
    ("2025-11-06 00:00:00", "2025-11-06", "2025-11-05", "15:30", False),
    # weekends
    ("2025-11-07 15:29:59", "2025-11-07", "2025-11-06", "15:30", True),
    ("2025-11-07 15:30:00", "2025-11-10", "2025-11-07", "15:30", False),
    ("2025-11-08 10:00:00", "2025-11-10", "2025-11-07", "15:30", False),
    ("2025-11-09 23:59:59", "2025-11-10", "2025-11-07", "15:30", False),
    ("2025-11-10 08:00:00", "2025-11-10", "2025-11-07", "15:30", False),
    # Chuseok of 2025 with the days before and after it: closed from 3 to 9 October
    ("2025-10-02 15:29:59", "2025-10-02", "2025-10-01", "15:30", True),
    ("2025-10-02 15:30:00", "2025-10-10", "2025-10-02", "15:30", False),
    ("2025-10-06 11:00:00", "2025-10-10", "2025-10-02", "15:30", False),
    ("2025-10-10 09:30:00", "2025-10-10", "2025-10-02", "15:30", True),
    # Lunar New Year of 2025, lengthened by a temporary holiday on 27 January
    ("2025-01-24 15:30:00", "2025-01-31", "2025-01-24", "15:30", False),
    ("2025-01-27 10:00:00", "2025-01-31", "2025-01-24", "15:30", False),
    # temporary holidays and elections
    ("2024-10-01 10:00:00", "2024-10-02", "2024-09-30", "15:30", False),
    ("2025-06-03 10:00:00", "2025-06-04", "2025-06-02", "15:30", False),
    ("2026-06-03 10:00:00", "2026-06-04", "2026-06-02", "15:30", False),
    ("2026-07-16 15:30:00", "2026-07-20", "2026-07-16", "15:30", False),
    ("2025-07-17 10:00:00", "2025-07-17", "2025-07-16", "15:30", True),
    # May Day, which only the exchange kept until 2025
    ("2025-05-01 10:00:00", "2025-05-02", "2025-04-30", "15:30", False),
    # the year's end is no session, and the first day of the next opens at ten
    ("2025-12-30 15:29:59", "2025-12-30", "2025-12-29", "15:30", True),
    ("2025-12-30 15:30:00", "2026-01-02", "2025-12-30", "15:30", False),
    ("2025-12-31 10:00:00", "2026-01-02", "2025-12-30", "15:30", False),
    ("2026-01-02 09:59:59", "2026-01-02", "2025-12-30", "15:30", False),
    ("2026-01-02 10:00:00", "2026-01-02", "2025-12-30", "15:30", True),
    # until July 2016 the close was at three
    ("2016-07-29 14:59:59", "2016-07-29", "2016-07-28", "15:00", True),
    ("2016-07-29 15:00:00", "2016-08-01", "2016-07-29", "15:30", False),
    ("2016-08-01 15:00:00", "2016-08-01", "2016-07-29", "15:30", True),
    ("2015-03-02 15:10:00", "2015-03-03", "2015-03-02", "15:00", False),
    # days of the university entrance exam: an hour later, at both ends
    ("2015-11-12 15:30:00", "2015-11-12", "2015-11-11", "16:00", True),
    ("2019-11-14 16:29:59", "2019-11-14", "2019-11-13", "16:30", True),
    ("2021-11-18 16:00:00", "2021-11-18", "2021-11-17", "16:30", True),
    ("2022-11-17 09:30:00", "2022-11-17", "2022-11-16", "16:30", False),
    ("2023-11-16 15:45:00", "2023-11-16", "2023-11-15", "16:30", True),
    ("2024-11-14 16:30:00", "2024-11-15", "2024-11-14", "15:30", False),
    ("2025-11-13 09:59:59", "2025-11-13", "2025-11-12", "16:30", False),
    ("2025-11-13 15:30:00", "2025-11-13", "2025-11-12", "16:30", True),
    ("2025-11-13 16:29:59", "2025-11-13", "2025-11-12", "16:30", True),
    ("2025-11-13 16:30:00", "2025-11-14", "2025-11-13", "15:30", False),
    ("2026-11-19 16:00:00", "2026-11-19", "2026-11-18", "16:30", True),
]


@pytest.mark.parametrize(("moment", "expected"), [(moment, rest) for moment, *rest in STOCK_INSTANTS])
def test_the_first_close_after_the_news_decides_a_stock_article(krx, moment, expected):
    day, base, closes, intraday = expected
    at = datetime.fromisoformat(moment).replace(tzinfo=SEOUL)
    found = horizon("general", at, krx)
    assert found is not None
    close = found.session.closes_at.astimezone(SEOUL)
    assert (str(found.session.day), str(found.base_day)) == (day, base)
    assert (close.date(), f"{close:%H:%M}") == (found.session.day, closes)
    assert found.intraday is intraday
    assert found.opens_after <= at < found.session.closes_at
    assert found == horizon("general", at.astimezone(UTC), krx)


@pytest.mark.parametrize(
    ("moment", "day", "intraday"),
    [
        ("2025-11-07T00:00:00+00:00", "2025-11-07", False),
        ("2025-11-07T00:00:00.000001+00:00", "2025-11-07", True),
        ("2025-11-07T23:59:59.999999+00:00", "2025-11-07", True),
        ("2025-11-08T08:59:59+09:00", "2025-11-07", True),
        ("2025-11-08T09:00:00+09:00", "2025-11-08", False),
        ("2025-11-09T12:00:00+00:00", "2025-11-09", True),
        ("2025-12-31T23:59:59+00:00", "2025-12-31", True),
        ("2026-01-01T00:00:00+00:00", "2026-01-01", False),
    ],
)
def test_a_crypto_article_is_decided_by_its_utc_day(moment, day, intraday):
    found = crypto_horizon(datetime.fromisoformat(moment))
    assert str(found.session.day) == day
    assert found.base_day == found.session.day - timedelta(days=1)
    assert found.opens_after == datetime.combine(found.session.day, time(), UTC)
    assert found.session.closes_at == found.opens_after + timedelta(days=1)
    assert found.intraday is intraday


def test_a_crypto_session_closes_at_the_next_utc_midnight():
    session = crypto_session(datetime(2025, 11, 7, 18, tzinfo=UTC))
    assert session.closes_at == datetime(2025, 11, 8, tzinfo=UTC)


def test_news_outside_the_calendar_has_no_horizon():
    table = krx_sessions(date(2025, 11, 3), date(2025, 11, 7))
    assert horizon("general", datetime(2025, 11, 3, 1, tzinfo=UTC), table) is None
    assert horizon("general", datetime(2025, 11, 7, 6, 30, tzinfo=UTC), table) is None
    assert horizon("general", datetime(2025, 11, 4, 1, tzinfo=UTC), table) is not None


def test_a_table_finds_a_session_by_its_date_and_the_one_before(krx):
    session = krx.on(date(2025, 11, 10))
    assert krx.previous(session).day == date(2025, 11, 7)
    assert krx.on(date(2025, 11, 9)) is None
    assert krx.previous(krx.session(0)) is None
    assert krx.session(len(krx)) is None


def test_sessions_are_in_order_and_none_overlaps_the_next(krx):
    assert (krx.opens < krx.closes).all()
    assert (krx.closes[:-1] < krx.opens[1:]).all()
    assert all(first < second for first, second in pairwise(krx.dates.tolist()))


def test_the_calendar_is_asked_once_and_cut_to_any_bounds(krx):
    before = calendar.all_sessions.cache_info().misses
    week = krx_sessions(date(2025, 11, 3), date(2025, 11, 9))
    assert [str(day) for day in week.dates] == [f"2025-11-0{n}" for n in range(3, 8)]
    assert calendar.all_sessions.cache_info().misses == before


def test_the_last_session_of_a_table_keeps_its_own_hours():
    # The library opens it at ten when its bounds end on the year's last day.
    table = krx_sessions(date(2027, 12, 1), date(2027, 12, 31))
    final = table.session(len(table) - 1)
    assert final.opens_at == datetime(2027, 12, 30, 9, tzinfo=SEOUL)


def test_every_override_differs_from_the_library_and_says_where_it_is_from():
    library = calendar.library_sessions(date(2020, 1, 1), date(2028, 12, 31))
    for override in OVERRIDES:
        assert len(override.source) > 20
        known = library.on(override.day)
        assert known is not None, f"the library knows of {override.day} now: drop the override"
        if override.hours:
            closes = datetime.combine(override.day, override.hours[1], SEOUL)
            assert known.closes_at != closes, f"the library knows of {override.day} now"


def test_an_override_can_close_move_and_add_a_day():
    days = [date(2025, 11, 3), date(2025, 11, 4)]
    table = SessionTable(
        np.array(days, "datetime64[D]"),
        instants([datetime.combine(day, time(0), UTC) for day in days]),
        instants([datetime.combine(day, time(6, 30), UTC) for day in days]),
    )
    changed = apply_overrides(
        table,
        (
            Override(date(2025, 11, 3), None, "closed"),
            Override(date(2025, 11, 4), (time(10), time(16, 30)), "moved"),
            Override(date(2025, 11, 1), (time(9), time(15, 30)), "a Saturday session"),
        ),
    )
    assert [str(day) for day in changed.dates] == ["2025-11-01", "2025-11-04"]
    assert changed.session(1).closes_at == datetime(2025, 11, 4, 7, 30, tzinfo=UTC)
