"""The paired statistics against simulation: the figures of the design, on streams with a known truth."""

import numpy as np
import pytest

from core.domain.intervals import tango
from core.domain.metrics import CLASSES, Answers
from core.domain.paired import accuracy_difference_interval, day_sign_p, macro_f1_difference, mcnemar_mid_p
from core.domain.types import Target, Verdict
from core.domain.verdicts import decide

pytestmark = pytest.mark.statistics

RUNS = 20_000
ACCURACY = 0.72


def discordant(n, *, gain, discordance, seed):
    """Return counts (champion only, challenger only) of `RUNS` comparisons of `n` pairs."""
    shares = [(discordance - gain) / 2, (discordance + gain) / 2, 1 - discordance]
    draws = np.random.default_rng(seed).multinomial(n, shares, size=RUNS)
    return draws[:, 0], draws[:, 1]


def of_equal_models(phi):
    """Return the discordance of two models of equal accuracy whose answers correlate by `phi`."""
    return 2 * ACCURACY * (1 - ACCURACY) * (1 - phi)


@pytest.mark.parametrize("phi", [0.3, 0.6])
@pytest.mark.parametrize("n", [50, 100, 200, 500])
def test_mid_p_rejects_equal_models_in_at_most_5_5_percent(n, phi):
    rejected = mcnemar_mid_p(*discordant(n, gain=0, discordance=of_equal_models(phi), seed=n)) < 0.05
    assert rejected.mean() <= 0.055


@pytest.mark.parametrize(
    ("n", "gain", "discordance", "bar"),
    [(200, 0.10, 0.25, 0.80), (100, 0.15, 0.24, 0.87), (500, 0.05, 0.26, 0.58)],
)
def test_mid_p_sees_real_differences_with_the_power_of_the_design(n, gain, discordance, bar):
    found = mcnemar_mid_p(*discordant(n, gain=gain, discordance=discordance, seed=n)) < 0.05
    assert found.mean() >= bar


@pytest.mark.parametrize("gain", [0.0, 0.05, 0.10])
@pytest.mark.parametrize("phi", [0.3, 0.6])
@pytest.mark.parametrize("n", [50, 100, 200, 500])
def test_tango_misses_the_true_difference_in_at_most_6_5_percent(n, phi, gain):
    lost, gained = discordant(n, gain=gain, discordance=of_equal_models(phi), seed=n + 1)
    low, high = tango(gained, lost, n)
    assert ((gain < low) | (gain > high)).mean() <= 0.065


def two_equal_models(rng, n, phi):
    """Return the answers of two models of equal accuracy, right together more often than by chance."""
    gold = rng.integers(0, 3, n)
    copies = rng.random(n) < phi
    was = rng.random(n) < ACCURACY
    now = np.where(copies, was, rng.random(n) < ACCURACY)
    wrong = (gold + rng.integers(1, 3, (2, n))) % 3
    said = np.where(np.stack([was, now]), gold, wrong)
    names = np.array(CLASSES)
    return [Answers(names[gold].tolist(), names[each].tolist(), None, Target.SENTIMENT) for each in said]


def test_the_permutation_of_macro_f1_rejects_equal_models_in_about_5_percent():
    rng = np.random.default_rng(21)
    found = [macro_f1_difference(*two_equal_models(rng, 100, 0.3), seed=i) for i in range(200)]
    assert np.mean([each["p"] < 0.05 for each in found]) <= 0.08
    missed = [not each["interval"][0] <= 0 <= each["interval"][1] for each in found]
    assert np.mean(missed) <= 0.095  # the bootstrap's interval is for display: a little too narrow


def common_days(rng, days, per_day, shared):
    """Return the answers of two models of equal accuracy, one of which gets whole days more right."""
    names = np.repeat([f"d{i}" for i in range(days)], per_day).tolist()
    n = days * per_day
    leaning = np.repeat(rng.uniform(-shared, shared, days), per_day)
    decisive, for_new = rng.random(n) < 0.25, rng.random(n) < (1 + leaning) / 2
    was, now = ~decisive | ~for_new, ~decisive | for_new
    gold = ["positive"] * n
    return [
        Answers(gold, np.where(right, "positive", "negative").tolist(), names, Target.DIRECTION)
        for right in (was, now)
    ]


def test_swapping_whole_days_rejects_equal_models_in_5_percent_where_mcnemar_rejects_too_often():
    rng = np.random.default_rng(22)
    by_day, by_row = [], []
    for i in range(600):
        old, new = common_days(rng, 12, 50, shared=0.9)
        gain = new.right - old.right
        by_day.append(day_sign_p(old, new, seed=i))
        by_row.append(float(mcnemar_mid_p(int((gain < 0).sum()), int((gain > 0).sum()))))
    assert 0.03 <= np.mean(np.array(by_day) < 0.05) <= 0.07
    assert np.mean(np.array(by_row) < 0.05) > 0.15


@pytest.mark.parametrize("days", [6, 10])
def test_few_market_days_name_no_winner_of_equal_models_more_often_than_in_5_percent(days):
    rng = np.random.default_rng(days)
    missed, found = [], []
    for i in range(500):
        old, new = common_days(rng, days, 20, shared=0.9)
        interval, _ = accuracy_difference_interval(old, new, seed=i)
        missed.append(not interval[0] <= 0 <= interval[1])
        verdict, _ = decide(interval, day_sign_p(old, new, seed=i), days, 20 * days, 0.05)
        found.append(verdict in {Verdict.BETTER, Verdict.WORSE})
    assert np.mean(missed) <= 0.075  # a percentile bootstrap that is not expanded: .135 and .085
    assert np.mean(found) <= 0.065
