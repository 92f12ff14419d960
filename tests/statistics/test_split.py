"""Split experiments against simulation: the interval that may be looked at daily, and the sample ratio."""

import numpy as np
import pytest

from core.domain import live_days, sequential
from core.domain.live_days import Days
from core.domain.policy import Policy
from core.domain.types import Arm

pytestmark = pytest.mark.statistics

ACCURACY = 0.75


def split(runs, days, *, per_day, gain=0.0, allocation=0.5, correlation=0.0, seed):
    """Return simulated split experiments as sums by day, each of shape (runs, days)."""
    rng = np.random.default_rng(seed)
    champion = challenger = np.full((runs, days), ACCURACY)
    if correlation:
        weight = 1 / correlation - 1
        champion = challenger = rng.beta(ACCURACY * weight, (1 - ACCURACY) * weight, (runs, days))
    asked = rng.binomial(per_day, allocation, (runs, days))
    right = rng.binomial(asked, challenger + gain), rng.binomial(per_day - asked, champion)
    of = {Arm.CHALLENGER: asked.astype(float), Arm.CHAMPION: (per_day - asked).astype(float)}
    none = np.zeros((runs, days))
    return Days(
        [], none, none, none, none, of, {Arm.CHALLENGER: right[0] * 1.0, Arm.CHAMPION: right[1] * 1.0}
    )


def ever_outside(days, truth, *, allocation=0.5):
    found = live_days.of_arms(days, allocation)
    return (np.abs(found.value - truth) > found.half).any(axis=1).mean()


def naive_z(days):
    """Return whether a two-sample z test at 5 % on all articles so far says "different", day by day."""
    n = [np.cumsum(days.asked[arm], axis=1) for arm in (Arm.CHALLENGER, Arm.CHAMPION)]
    right = [np.cumsum(days.right[arm], axis=1) for arm in (Arm.CHALLENGER, Arm.CHAMPION)]
    pooled = (right[0] + right[1]) / (n[0] + n[1])
    error = np.sqrt(pooled * (1 - pooled) * (1 / n[0] + 1 / n[1]))
    return np.abs(right[0] / n[0] - right[1] / n[1]) > 1.96 * error


def test_sixty_daily_looks_inflate_a_z_test_to_a_third_and_the_interval_not_at_all():
    days = split(5_000, 60, per_day=50, seed=1)
    peeked = naive_z(days)
    assert 0.30 <= peeked.any(axis=1).mean() <= 0.36
    assert peeked[:, -1].mean() <= 0.06
    assert ever_outside(days, 0.0) <= 0.05


@pytest.mark.parametrize("allocation", [0.2, 0.5])
@pytest.mark.parametrize("per_day", [20, 100])
def test_the_interval_of_a_split_holds_over_a_year_of_daily_looks(per_day, allocation):
    days = split(2_000, 365, per_day=per_day, gain=0.05, allocation=allocation, seed=2)
    assert ever_outside(days, 0.05, allocation=allocation) <= 0.05


def test_the_interval_of_a_split_holds_where_days_swing_together():
    days = split(2_000, 365, per_day=50, correlation=0.1, seed=3)
    assert ever_outside(days, 0.0) <= 0.05


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.2, 0.5])
def test_the_interval_of_a_shadow_holds_over_a_year_of_daily_looks(correlation):
    rng = np.random.default_rng(4)
    discordant = rng.binomial(50, 0.25, (2_000, 365))
    weight = 1 / correlation - 1 if correlation else 0
    share = rng.beta(0.6 * weight, 0.4 * weight, discordant.shape) if weight else 0.6
    wins = rng.binomial(discordant, share)
    net = 2.0 * wins - discordant
    found = live_days.running(np.full(net.shape, 50.0), net, discordant.astype(float))
    # two standard errors of the simulation above 5 %
    assert (np.abs(found.value - 0.05) > found.half).any(axis=1).mean() <= 0.06


def test_a_split_finds_ten_points_in_about_a_month_of_twenty_articles_a_day():
    found = live_days.of_arms(split(3_000, 56, per_day=20, gain=0.10, seed=5), 0.5)
    decided = found.value > found.half
    assert decided.any(axis=1).mean() >= 0.85
    assert np.median(np.where(decided.any(axis=1), decided.argmax(axis=1) + 1, 57)) <= 30


def ratio_days(share, *, runs, allocation=0.5, seed):
    """Return the day (from 1) on which 90 daily looks called a split broken; 91 where none did."""
    dealt = np.cumsum(np.random.default_rng(seed).binomial(50, share, (runs, 90)), axis=1)
    log_e = sequential.ratio_log_e(dealt, 50 * np.arange(1, 91) - dealt, allocation)
    broken = log_e >= np.log(Policy().ratio_threshold)
    return np.where(broken.any(axis=1), broken.argmax(axis=1) + 1, 91)


@pytest.mark.parametrize("allocation", [0.1, 0.5])
def test_a_split_as_planned_is_called_broken_in_at_most_1_in_1000(allocation):
    days = ratio_days(allocation, runs=20_000, allocation=allocation, seed=6)
    assert (days <= 90).mean() <= 0.001


def test_sixty_to_forty_instead_of_even_is_found_within_eleven_days():
    assert np.median(ratio_days(0.6, runs=4_000, seed=7)) <= 11
