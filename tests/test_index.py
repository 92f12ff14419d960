"""The parent's day formulas, against values worked out by hand and its rounding."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.index import (
    actual_direction,
    day_accuracy,
    day_actual,
    day_score,
    error_rate,
    explain,
    half_up,
    investment_index,
    logged_moves,
    overall_pct,
    predicted_direction,
)
from core.domain.market import MarketBook
from core.domain.records import MarketRecord
from core.domain.sessions import SessionTable, instants
from core.domain.types import Instrument, MarketSource, MarketStatus

#: Monday to Friday
DAYS = [date(2025, 11, 3) + timedelta(days=n) for n in range(5)]
WEEK = SessionTable(
    np.array(DAYS, "datetime64[D]"),
    instants([datetime.combine(day, time(0), UTC) for day in DAYS]),
    instants([datetime.combine(day, time(6, 30), UTC) for day in DAYS]),
)
TUESDAY, SATURDAY = date(2025, 11, 4), date(2025, 11, 8)


def percents(day, source=MarketSource.PARENT, **values):
    return [MarketRecord(day, Instrument(name), source, return_pct=value) for name, value in values.items()]


def actual(day, *rows):
    return day_actual(day, WEEK, MarketBook(rows, stock_limit_pct=30.0))


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (0.05, 0.1),
        (0.25, 0.3),
        (0.35, 0.4),
        (2.5, 2.5),
        (56.75, 56.8),
        (-0.25, -0.2),
        (6.5375, 6.5),
        (0.0, 0.0),
    ],
)
def test_halves_round_up_not_to_even(value, rounded):
    assert half_up(value) == rounded


def test_an_empty_day_has_index_zero():
    assert investment_index([]) == 0.0


@pytest.mark.parametrize(
    ("predictions", "index"),
    [
        ([("positive", 90)], 100.0),
        ([("negative", 90)], 0.0),
        ([("neutral", 90)], 50.0),
        ([("positive", 70), ("negative", 69.9)], 60.0),
        ([("positive", 50), ("neutral", 50)], 75.0),
        ([("positive", None), ("negative", 80)], 40.0),
        ([("positive", 90)] * 2 + [("neutral", 90)] * 6, 62.5),
        ([("positive", 90)] * 3 + [("negative", 50)] * 4 + [("neutral", 10)] * 5, 51.9),
    ],
)
def test_the_index_weighs_confident_predictions_half_as_much_again(predictions, index):
    assert investment_index(predictions) == index


@given(st.lists(st.tuples(st.sampled_from(["positive", "neutral", "negative"]), st.floats(0, 100))))
def test_the_index_stays_between_0_and_100(predictions):
    assert 0 <= investment_index(predictions) <= 100


@pytest.mark.parametrize(
    ("index", "direction"), [(60, "positive"), (59.9, "neutral"), (40, "negative"), (40.1, "neutral")]
)
def test_the_index_stands_for_a_direction_from_60_and_to_40(index, direction):
    assert predicted_direction(index) == direction


@pytest.mark.parametrize(
    ("move", "direction"), [(1.0, "positive"), (0.999, "neutral"), (-1.0, "negative"), (-0.999, "neutral")]
)
def test_the_market_has_a_direction_from_one_percent(move, direction):
    assert actual_direction(move) == direction


def test_the_error_is_the_distance_from_fifty_and_five_points_a_percent():
    assert error_rate(70.3, 0.0) == 20.3
    assert error_rate(56.8, 0.0525) == 6.5
    assert error_rate(0.0, 30.0) == 100.0


@pytest.mark.parametrize(
    ("index", "move", "accuracy"),
    [
        (56.8, 0.05, 70.0),
        (55.0, 2.0, 30.0),
        (70.3, 0.0, 29.7),
        (70.0, 2.0, 90.0),
        (100.0, 1.0, 55.0),
        (20.0, -3.0, 85.0),
        (100.0, -2.0, 0.0),
        (60.0, 1.0, 95.0),
    ],
)
def test_the_accuracy_of_a_day_follows_the_parents_rule(index, move, accuracy):
    assert day_accuracy(index, move) == accuracy


@given(st.floats(40.1, 59.9), st.floats(-30, 30))
def test_a_day_predicted_neutral_never_reaches_eighty(index, move):
    assert day_accuracy(half_up(index), move) in (30.0, 70.0)


def test_the_overall_move_is_the_mean_of_the_families_that_are_known():
    assert overall_pct([1.0, 2.0]) == 1.5
    assert overall_pct([1.0]) == 1.0
    assert overall_pct([]) is None


def test_a_day_is_scored_on_the_instruments_that_are_known():
    found = actual(TUESDAY, *percents(TUESDAY, btc=2.0, eth=0.0, kospi=1.0, kosdaq=3.0))
    assert (found.overall_pct, found.partial) == (2.0, True)
    full = actual(TUESDAY, *percents(TUESDAY, btc=2.0, eth=1.0, kospi=1.0, kosdaq=3.0))
    assert (full.overall_pct, full.partial) == (1.75, False)


def test_stock_numbers_of_a_closed_day_are_no_numbers():
    found = actual(SATURDAY, *percents(SATURDAY, btc=1.0, eth=2.0, kospi=9.0, kosdaq=9.0))
    assert (found.overall_pct, found.partial) == (1.5, True)
    assert found.readings[Instrument.KOSPI].status == MarketStatus.CLOSED


def test_an_all_zero_day_gives_no_accuracy():
    score = day_score(
        [("positive", 90)], actual(TUESDAY, *percents(TUESDAY, btc=0, eth=0, kospi=0, kosdaq=0))
    )
    assert (score.index_value, score.predicted_direction) == (100.0, "positive")
    assert (score.actual_pct, score.accuracy, score.error_rate, score.partial) == (None, None, None, False)


def log(index, direction, accuracy, error, **moves):
    stock = {name: moves[name] for name in ("kospi", "kosdaq")}
    crypto = {name: moves[name] for name in ("btc", "eth")}
    return {
        "accuracy": accuracy,
        "errorRate": error,
        "prediction": {"index": index, "direction": direction},
        "actual": {"crypto": crypto, "stock": stock},
    }


MOVES = {"btc": 2.0, "eth": 1.0, "kospi": 1.0, "kosdaq": 3.0}
ZEROS = dict.fromkeys(MOVES, 0)


def test_a_log_with_the_same_inputs_needs_no_explanation():
    market = actual(TUESDAY, *percents(TUESDAY, **MOVES))
    score = day_score([("positive", 90)], market)
    assert (score.accuracy, score.error_rate) == (58.7, 41.3)
    assert explain(log(100, "positive", 58.7, 41.3, **MOVES), score, market) is None


def test_a_log_of_zeros_is_explained():
    market = actual(TUESDAY, *percents(TUESDAY, **ZEROS))
    score = day_score([("positive", 90)], market)
    sentence = explain(log(100, "positive", 0, 50, **ZEROS), score, market)
    assert "all-zero" in sentence
    assert "unknown" in sentence


def test_a_log_that_another_market_replaced_is_explained_by_instrument():
    rows = percents(TUESDAY, **ZEROS) + percents(TUESDAY, MarketSource.BACKFILL_PERCENT, kospi=2.5)
    market = actual(TUESDAY, *rows)
    sentence = explain(log(100, "positive", 0, 50, **ZEROS), day_score([("positive", 90)], market), market)
    assert "KOSPI moved +2.50 % (backfill-percent), the log has +0 %" in sentence
    assert "ETH +0 %" in sentence


def test_a_log_on_a_closed_day_says_so():
    market = actual(SATURDAY, *percents(SATURDAY, btc=1.0, eth=2.0, kospi=0, kosdaq=0))
    counted = {"btc": 1.0, "eth": 2.0, "kospi": 0, "kosdaq": 0}
    score = day_score([("positive", 90)], market)
    assert "without a session" in explain(log(100, "positive", 1, 1, **counted), score, market)


def test_a_log_made_of_other_predictions_says_which_index_they_give():
    market = actual(TUESDAY, *percents(TUESDAY, **MOVES))
    score = day_score([("positive", 90)], market)
    assert "index is 90" in explain(log(90, "positive", 68, 31.3, **MOVES), score, market)


def test_a_log_with_holes_is_read_as_far_as_it_goes():
    assert logged_moves({}) == {}
    assert logged_moves({"actual": {"crypto": {"btc": 1, "eth": None}}}) == {Instrument.BTC: 1.0}
