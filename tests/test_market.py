"""Effective market values: precedence, plausibility, and that a zero never becomes a value."""

from datetime import UTC, date, datetime

import pytest

from core.domain.market import MarketBook, day_status
from core.domain.records import MarketRecord
from core.domain.types import Family, Instrument, MarketSource, MarketStatus

DAY, BASE = date(2025, 11, 4), date(2025, 11, 3)
KOSPI, KOSDAQ, BTC, ETH = Instrument.KOSPI, Instrument.KOSDAQ, Instrument.BTC, Instrument.ETH
CLOSE, PERCENT, LIVE, PARENT = (
    MarketSource.BACKFILL_CLOSE,
    MarketSource.BACKFILL_PERCENT,
    MarketSource.LIVE,
    MarketSource.PARENT,
)


def close(instrument, day, value, source=CLOSE):
    return MarketRecord(day, instrument, source, close=value)


def percent(instrument, value, source=PARENT, day=DAY, collected_at=None):
    return MarketRecord(day, instrument, source, return_pct=value, collected_at=collected_at)


def book(*rows):
    return MarketBook(rows, stock_limit_pct=30.0)


def kospi(*rows):
    found = book(*rows).reading(KOSPI, DAY, BASE)
    return found.return_pct, found.status, found.source


def test_two_closes_give_the_return_from_the_previous_close():
    assert kospi(close(KOSPI, BASE, 4000.0), close(KOSPI, DAY, 4040.0)) == (1.0, MarketStatus.REAL, CLOSE)


def test_closes_come_before_percents_and_percents_in_order_of_their_source():
    rows = [percent(KOSPI, 0.1, PARENT), percent(KOSPI, 0.2, LIVE), percent(KOSPI, 0.3, PERCENT)]
    assert kospi(*rows)[0] == 0.3
    assert kospi(*rows[:2])[0] == 0.2
    assert kospi(*rows[:1])[0] == 0.1
    assert kospi(*rows, close(KOSPI, BASE, 100.0), close(KOSPI, DAY, 102.0))[0] == 2.0


def test_a_close_without_its_base_leaves_the_word_to_the_next_source():
    assert kospi(close(KOSPI, DAY, 4040.0), percent(KOSPI, 0.4))[0] == 0.4
    assert kospi(close(KOSPI, DAY, 4040.0)) == (None, MarketStatus.UNKNOWN, None)


def test_closes_of_two_sources_are_never_mixed():
    assert kospi(close(KOSPI, BASE, 4000.0, LIVE), close(KOSPI, DAY, 4040.0, CLOSE))[2] is None


def test_nothing_at_all_is_unknown_and_has_no_source():
    assert kospi() == (None, MarketStatus.UNKNOWN, None)


@pytest.mark.parametrize("source", [PARENT, LIVE, PERCENT])
@pytest.mark.parametrize("value", [0.0, -0.0, 0])
def test_a_percent_of_exactly_zero_is_unknown_whatever_its_source(source, value):
    assert kospi(percent(KOSPI, value, source)) == (None, MarketStatus.UNKNOWN, source)


def test_a_zero_is_believed_when_two_equal_closes_back_it():
    rows = [percent(KOSPI, 0.0), close(KOSPI, BASE, 4000.0), close(KOSPI, DAY, 4000.0)]
    assert kospi(*rows) == (0.0, MarketStatus.REAL, CLOSE)
    live = [percent(KOSPI, 0.0, PERCENT), close(KOSPI, BASE, 1.0, LIVE), close(KOSPI, DAY, 1.0, LIVE)]
    assert kospi(*live) == (0.0, MarketStatus.REAL, LIVE)


def test_closes_that_all_stand_still_are_a_stuck_feed_and_unknown():
    rows = [close(name, day, 100.0) for name in Instrument for day in (BASE, DAY)]
    stuck = book(*rows)
    assert all(stuck.reading(name, DAY, BASE).status == MarketStatus.UNKNOWN for name in Instrument)
    moving = book(*rows[:-1], close(ETH, DAY, 101.0))
    assert moving.reading(KOSPI, DAY, BASE).return_pct == 0.0


@pytest.mark.parametrize(("value", "status"), [(30.0, "real"), (30.01, "suspect"), (-45.0, "suspect")])
def test_a_stock_move_beyond_the_daily_limit_is_suspect(value, status):
    assert kospi(percent(KOSPI, value))[1] == status
    assert kospi(close(KOSPI, BASE, 100.0), close(KOSPI, DAY, 100.0 + value))[1] == status


def test_crypto_has_no_daily_limit():
    assert book(percent(BTC, -45.0)).reading(BTC, DAY, BASE).return_pct == -45.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_suspect(value):
    assert kospi(percent(KOSPI, value))[1] == MarketStatus.SUSPECT


@pytest.mark.parametrize(("base", "last"), [(0.0, 100.0), (-5.0, 100.0), (100.0, 0.0)])
def test_a_close_that_is_not_positive_is_suspect(base, last):
    assert kospi(close(KOSPI, BASE, base), close(KOSPI, DAY, last))[1] == MarketStatus.SUSPECT


def test_an_unbelievable_value_is_passed_over_for_a_worse_source_and_remembered():
    assert kospi(percent(KOSPI, 80.0, PERCENT), percent(KOSPI, 0.4))[0] == 0.4
    assert kospi(percent(KOSPI, 80.0, PERCENT), percent(KOSPI, 0.0))[1:] == (MarketStatus.SUSPECT, PERCENT)
    assert kospi(percent(KOSPI, 0.0, PERCENT), percent(KOSPI, 80.0))[1:] == (MarketStatus.SUSPECT, PARENT)


def test_a_stock_percent_collected_before_the_close_is_not_the_sessions_return():
    closes_at = datetime(2025, 11, 4, 6, 30, tzinfo=UTC)
    early = percent(KOSPI, 0.7, collected_at=datetime(2025, 11, 4, 6, 29, tzinfo=UTC))
    late = percent(KOSPI, 0.7, collected_at=closes_at)
    assert book(early).reading(KOSPI, DAY, BASE, closed_by=closes_at).return_pct is None
    assert book(late).reading(KOSPI, DAY, BASE, closed_by=closes_at).return_pct == 0.7
    assert book(percent(KOSPI, 0.7)).reading(KOSPI, DAY, BASE, closed_by=closes_at).return_pct == 0.7
    assert book(early).reading(KOSPI, DAY, BASE).return_pct == 0.7


def test_a_return_at_the_threshold_is_not_lost_to_binary_fractions():
    assert kospi(close(KOSPI, BASE, 1000.1), close(KOSPI, DAY, 1010.101))[0] == 1.0


def test_a_family_is_the_mean_of_its_known_instruments():
    both = book(percent(KOSPI, 1.0), percent(KOSDAQ, 2.0)).move(Family.GENERAL, DAY, BASE)
    one = book(percent(KOSPI, 1.0), percent(KOSDAQ, 0.0)).move(Family.GENERAL, DAY, BASE)
    assert (both.return_pct, both.status) == (1.5, MarketStatus.REAL)
    assert (one.return_pct, one.status) == (1.0, MarketStatus.PARTIAL)


def test_a_family_without_values_keeps_the_worst_status_and_whether_there_were_rows():
    beside = book(percent(KOSPI, 99.0), percent(KOSDAQ, 2.0)).move(Family.GENERAL, DAY, BASE)
    assert (beside.return_pct, beside.status) == (None, MarketStatus.SUSPECT)
    suspect = book(percent(KOSPI, 99.0), percent(KOSDAQ, 0.0)).move(Family.GENERAL, DAY, BASE)
    absent = book().move(Family.GENERAL, DAY, BASE)
    assert (suspect.return_pct, suspect.status, suspect.seen) == (None, MarketStatus.SUSPECT, True)
    assert (absent.return_pct, absent.status, absent.seen) == (None, MarketStatus.UNKNOWN, False)


def day(btc, eth, stock, kosdaq):
    return [percent(BTC, btc), percent(ETH, eth), percent(KOSPI, stock), percent(KOSDAQ, kosdaq)]


@pytest.mark.parametrize(
    ("values", "session", "status"),
    [
        ((0, 0, 0, 0), True, "unknown"),
        ((0, 0, 0, 0), False, "unknown"),
        ((0.4, -0.2, 0.3, 0.1), True, "real"),
        ((0.4, -0.2, 0, 0), True, "partial"),
        ((0.4, -0.2, 0, 0), False, "real"),
        ((0.4, 0, 0, 0), False, "partial"),
        ((0, 0, 0.5, 0.5), False, "closed"),
        ((0.4, 0.1, 31.0, 0.2), True, "suspect"),
        ((60.0, 0.1, 0.1, 0.2), True, "real"),
    ],
)
def test_a_market_file_is_worth_what_its_believable_numbers_are(values, session, status):
    assert day_status(day(*values), stock_limit_pct=30.0, session=session) == status


def test_a_market_file_without_numbers_is_unknown():
    assert day_status([], stock_limit_pct=30.0) == MarketStatus.UNKNOWN
