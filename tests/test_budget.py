"""The month's standing and forecast, and when a tuned model pays for itself."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import t

from core.domain.budget import (
    FORECAST_DAYS_NEEDED,
    REFERENCE_LINES,
    Alternatives,
    NoPayback,
    Standing,
    break_even,
    forecast,
)

#: a busy machine is no failure
patient = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
USD = 1_000_000


def month(cap=50, spent=0, reserved=0, **more):
    return Standing(cap * USD, spent * USD, reserved * USD, **more)


@pytest.mark.parametrize(
    ("state", "warns", "stopped"),
    [
        (month(spent=39), False, False),
        (month(spent=40), True, False),
        (month(spent=30, reserved=10), True, False),
        (month(spent=30, reserved=20), True, True),
        (month(cap=0), True, True),
        (month(cap=10, spent=11), True, True),
        (month(spent=25, warn_share=0.5), True, False),
    ],
)
def test_a_month_warns_at_its_line_and_stops_at_its_cap(state, warns, stopped):
    assert (state.warns, state.stopped) == (warns, stopped)


@patient
@given(
    cap=st.integers(0, 10**9),
    spent=st.integers(0, 10**9),
    held=st.integers(0, 10**9),
    more=st.integers(1, 10**9),
)
def test_what_may_be_spent_never_passes_the_cap(cap, spent, held, more):
    state = Standing(cap, spent, held)
    assert state.may_spend(more) == (spent + held + more <= cap)
    assert state.may_spend(0)


@pytest.mark.parametrize("seen", range(FORECAST_DAYS_NEEDED))
def test_with_few_days_nothing_is_forecast(seen):
    assert forecast(month(spent=1), [USD] * seen, 20.0) is None


def test_a_steady_month_is_forecast_to_the_cent():
    ahead = forecast(month(spent=10, reserved=2), [USD] * 5, 20.0)
    assert (ahead.low, ahead.likely, ahead.high) == (32 * USD, 32 * USD, 32 * USD)
    assert (ahead.a_day, ahead.days_seen, ahead.days_left) == (USD, 5, 20.0)


def test_the_range_is_that_of_a_normal_samples_next_days():
    daily = [1_000_000, 2_000_000, 3_000_000, 2_000_000]
    ahead = forecast(month(spent=20), daily, 10.0)
    deviation = 816_496.5809  # of the four days
    reach = t.ppf(0.9, 3) * deviation * (10 + 100 / 4) ** 0.5
    assert ahead.likely == 40 * USD
    assert ahead.high == pytest.approx(40 * USD + reach, abs=1)
    assert ahead.low == pytest.approx(40 * USD - reach, abs=1)


def test_a_forecast_is_never_below_what_is_committed_already():
    ahead = forecast(month(spent=10, reserved=5), [0, 0, 9 * USD], 2.0)
    assert ahead.low == 15 * USD


def test_on_the_last_moment_the_forecast_is_what_is_committed():
    ahead = forecast(month(spent=10), [USD, 3 * USD, 2 * USD], 0.0)
    assert (ahead.low, ahead.likely, ahead.high) == (10 * USD,) * 3


def test_four_of_five_simulated_months_end_within_the_range():
    import numpy as np

    random = np.random.default_rng(7)
    held = 0
    for _ in range(1_000):
        days = random.normal(1_000_000, 200_000, 24).round().astype(int)
        ahead = forecast(month(), days[:10].tolist(), 14.0)
        held += ahead.low <= days[10:].sum() <= ahead.high
    assert held / 1_000 == pytest.approx(0.8, abs=0.04)


def test_a_training_is_paid_back_from_what_articles_cost_less():
    # 1,000 - 400 = 600 micro-dollars an article, 3,000 articles a month: 1.80 dollars
    result = break_even(Alternatives(training=9 * USD, few_shot=1_000.0, tuned=400.0))
    assert result.saved_a_month == 1_800_000
    assert result.months == pytest.approx(5.0)
    assert result.articles == 15_000
    assert result.net == 12 * 1_800_000 - 9 * USD
    assert result.rate_of_return(9 * USD) == pytest.approx(1.4)
    assert result.reason is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Alternatives(USD, few_shot=400.0, tuned=400.0), NoPayback.NOT_CHEAPER),
        (Alternatives(USD, few_shot=400.0, tuned=900.0), NoPayback.NOT_CHEAPER),
        (Alternatives(USD, few_shot=1_000.0, tuned=400.0, hosting_a_month=2 * USD), NoPayback.HOSTING),
        (Alternatives(9 * USD, few_shot=1_000.0, tuned=400.0, life_months=4.9), NoPayback.RETIRED_BEFORE),
    ],
)
def test_what_never_pays_says_why(given, reason):
    result = break_even(given)
    assert (result.months, result.articles, result.reason) == (None, None, reason)


def test_the_return_is_told_over_the_models_life_where_that_is_shorter_than_a_year():
    result = break_even(Alternatives(9 * USD, few_shot=1_000.0, tuned=400.0, life_months=2.0))
    assert result.horizon_months == 2.0
    assert result.net == 2 * 1_800_000 - 9 * USD


def test_a_free_training_pays_at_once_and_has_no_rate_of_return():
    result = break_even(Alternatives(0, few_shot=2.0, tuned=1.0))
    assert (result.months, result.articles) == (0.0, 0)
    assert result.rate_of_return(0) is None


@patient
@given(
    training=st.integers(0, 10**9),
    few_shot=st.floats(0, 10_000),
    tuned=st.floats(0, 10_000),
    hosting=st.integers(0, 10**9),
    a_day=st.floats(1, 10_000),
)
def test_a_payback_has_a_month_or_a_reason_and_never_both(training, few_shot, tuned, hosting, a_day):
    result = break_even(Alternatives(training, few_shot, tuned, hosting, a_day))
    assert (result.months is None) == (result.reason is not None) == (result.articles is None)


def test_the_plans_figures_are_kept_as_it_states_them():
    lines = {line.code: (line.low_usd, line.high_usd, line.per) for line in REFERENCE_LINES}
    assert lines == {
        "budget": (50, 100, "month"),
        "training": (10, 20, "training"),
        "inference": (20, 50, "month"),
        "gpu": (0.5, 2, "hour"),
        "serving": (100, 500, "month"),
    }
    assert {line.source for line in REFERENCE_LINES} == {"the plan"}
