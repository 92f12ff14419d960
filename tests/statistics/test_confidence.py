"""Calibration and abstention against simulation: what is promised of them on answers with a known truth."""

import numpy as np
import pytest

from core.domain.calibration import ece_null, spiegelhalter
from core.domain.selective import choose, curve

pytestmark = pytest.mark.statistics

TARGET = 0.9


def honest(rng, shape):
    """Return confidences (0-1) of a model that is right in 82 % of all cases, in 91 % of its surest 74 %."""
    return 1 / 3 + 2 / 3 * rng.beta(1.35, 0.5, shape)


@pytest.mark.parametrize("n", [100, 200, 500])
def test_spiegelhalter_rejects_a_calibrated_model_in_about_5_percent(n):
    rng = np.random.default_rng(n)
    sure = honest(rng, (4000, n))
    right = (rng.random(sure.shape) < sure).astype(float)
    found = [spiegelhalter(*each)["p"] < 0.05 for each in zip(right, sure, strict=True)]
    assert 0.035 <= np.mean(found) <= 0.065


@pytest.mark.parametrize(("n", "power"), [(100, 0.5), (200, 0.7), (500, 0.97)])
def test_spiegelhalter_finds_logits_that_are_half_as_large_again(n, power):
    rng = np.random.default_rng(n)
    true = honest(rng, (1000, n))
    right = (rng.random(true.shape) < true).astype(float)
    odds = (true / (1 - true)) ** 1.5
    stated = np.minimum(odds / (1 + odds), 1 - 1e-9)
    found = [spiegelhalter(*each) for each in zip(right, stated, strict=True)]
    assert np.mean([each["p"] < 0.05 for each in found]) >= power
    assert np.mean([each["z"] for each in found]) < 0


def test_days_that_go_wrong_together_are_not_taken_for_bad_calibration():
    rng = np.random.default_rng(31)
    days, per_day, icc = 40, 20, 0.2
    names = [str(i // per_day) for i in range(days * per_day)]
    by_day, by_row = [], []
    for _ in range(1500):
        share = rng.beta(0.8 * (1 - icc) / icc, 0.2 * (1 - icc) / icc, days)
        right = (rng.random((days, per_day)) < share[:, None]).astype(float).ravel()
        sure = np.full(len(right), 0.8)
        by_day.append(spiegelhalter(right, sure, names)["p"] < 0.05)
        by_row.append(spiegelhalter(right, sure)["p"] < 0.05)
    assert 0.035 <= np.mean(by_day) <= 0.075
    assert np.mean(by_row) > 0.25


@pytest.mark.parametrize(("n", "mean"), [(100, 0.067), (200, 0.047), (500, 0.031), (1000, 0.022)])
def test_the_null_level_of_the_ece_is_that_of_the_design(n, mean):
    rng = np.random.default_rng(n)
    found = [ece_null(honest(rng, n), seed=i)["mean"] for i in range(5)]
    assert np.mean(found) == pytest.approx(mean, abs=0.008)


@pytest.mark.parametrize(("n", "coverage"), [(200, 0.5), (500, 0.62)])
def test_a_chosen_threshold_breaks_its_promise_rarely_and_the_empirical_one_often(n, coverage):
    known = np.sort(np.round(100 * honest(np.random.default_rng(0), 300_000)))[::-1]
    accuracy = np.cumsum(known) / 100 / np.arange(1, len(known) + 1)

    def breaks(threshold):
        return accuracy[np.searchsorted(-known, -threshold, side="right") - 1] < TARGET

    rng = np.random.default_rng(n)
    broken, lucky, kept = [], [], []
    for _ in range(300):
        sure = np.round(100 * honest(rng, n))
        right = (rng.random(n) < sure / 100).astype(float)
        chosen = choose(right, sure, accuracy=TARGET, level=0.9)
        broken.append(chosen is not None and breaks(chosen["threshold"]))
        kept.append(chosen["coverage"] if chosen else 0.0)
        best = [point for point in curve(right, sure) if point["accuracy"] >= TARGET]
        lucky.append(bool(best) and breaks(best[-1]["threshold"]))
    assert np.mean(broken) <= 0.1
    assert np.mean(kept) >= coverage
    assert np.mean(lucky) > 0.25
