"""The paired statistics against simulation: the figures of the design, on streams with a known truth."""

import numpy as np
import pytest

from core.domain.compare import mcnemar_mid_p
from core.domain.intervals import tango

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
