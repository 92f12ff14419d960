from math import sqrt

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm, t
from statsmodels.stats.proportion import proportion_confint

from core.domain import intervals


@pytest.mark.parametrize(("k", "n"), [(0, 10), (7, 10), (10, 10), (161, 200), (1, 1)])
def test_wilson_agrees_with_statsmodels(k, n):
    assert intervals.wilson(k, n) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-9)


def test_no_rows_have_no_interval():
    assert intervals.wilson(0, 0) is None


@pytest.mark.parametrize(
    ("gained", "lost", "n", "level", "low", "high"),
    [
        # Bentur et al. 2009 in Fagerland, Lydersen, Laake (2014): the airway example
        (1, 7, 21, 0.95, -0.517, -0.026),
        # R, PropCIs::scoreci.mp(25, 28, 618, .90)
        (28, 25, 618, 0.90, -0.0148, 0.0247),
    ],
)
def test_tango_gives_published_values(gained, lost, n, level, low, high):
    found = intervals.tango(gained, lost, n, level)
    assert [round(float(limit), len(str(abs(low))) - 2) for limit in found] == [low, high]


def test_without_discordant_pairs_tango_is_z2_over_n_plus_z2():
    low, high = intervals.tango(0, 0, 30)
    z2 = 1.959964**2
    assert (float(low), float(high)) == pytest.approx((-z2 / (30 + z2), z2 / (30 + z2)), abs=1e-6)


def test_exchanging_the_models_mirrors_tango():
    low, high = intervals.tango([5, 0, 30], [12, 9, 2], 60)
    mirrored_low, mirrored_high = intervals.tango([12, 9, 2], [5, 0, 30], 60)
    np.testing.assert_allclose([low, high], [-mirrored_high, -mirrored_low], atol=1e-12)


@pytest.mark.parametrize(("gained", "lost", "n"), [(12, 2, 50), (3, 9, 40), (20, 20, 300)])
def test_the_limits_solve_the_score_equation_with_a_numerically_found_likelihood(gained, lost, n):
    for limit, z in zip(intervals.tango(gained, lost, n), (1.959964, -1.959964), strict=True):
        d = float(limit)

        def against(q, d=d):
            return -(gained * np.log(q + d) + lost * np.log(q) + (n - gained - lost) * np.log(1 - 2 * q - d))

        bounds = (max(0.0, -d) + 1e-9, (1 - d) / 2 - 1e-9)
        q = minimize_scalar(against, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        assert (gained - lost - n * d) / sqrt(n * (2 * q + d * (1 - d))) == pytest.approx(z, abs=2e-3)


def test_rows_of_one_day_count_as_one_observation():
    values = [1.0] * 50 + [0.0] * 50
    by_two_days = intervals.mean_by_day(values, ["a"] * 50 + ["b"] * 50, seed=1)
    by_row = intervals.mean_by_day(values, [str(i) for i in range(100)], seed=1)
    assert by_two_days == (0.0, 1.0)
    assert by_row is not None
    assert by_row[1] - by_row[0] == pytest.approx(0.19, abs=0.03)


def test_one_day_or_unknown_days_give_no_interval():
    assert intervals.mean_by_day([1.0, 0.0], ["a", "a"], seed=1) is None
    assert intervals.mean_by_day([1.0, 0.0], None, seed=1) is None
    assert intervals.mean_by_day([], [], seed=1) is None


@pytest.mark.parametrize("units", [6, 20])
def test_few_units_widen_the_percentile_interval_to_that_of_students_t(units):
    drawn = norm.ppf((np.arange(200_000) + 0.5) / 200_000)  # as the bootstrap of a mean is spread
    reach = t.ppf(0.975, units - 1) * sqrt(units / (units - 1))
    assert intervals.percentile(drawn, units=units) == pytest.approx((-reach, reach), rel=1e-3)
    assert intervals.percentile(drawn) == pytest.approx((-1.96, 1.96), rel=1e-3)


def test_the_day_bootstrap_repeats_with_its_seed():
    values, days = [1.0, 0.0, 1.0, 1.0], ["a", "b", "c", "c"]
    assert intervals.mean_by_day(values, days, seed=3) == intervals.mean_by_day(values, days, seed=3)
