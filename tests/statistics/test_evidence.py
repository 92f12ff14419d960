"""Live evidence against simulation: the figures of the design, on streams with a known truth.

Experiments are simulated day by day with the functions of the product, many at once. A day has a fixed number
of articles; the discordant ones are wins with a share that varies between days by the intraclass correlation.
"""

import numpy as np
import pytest

from core.domain import sequential
from core.domain.intervals import tango
from core.domain.policy import Policy

pytestmark = pytest.mark.statistics

POLICY = Policy()
DECIDED = np.log(POLICY.evidence_threshold)


def stream(runs, days, *, per_day, gain, seed, discordance=0.25, correlation=0.0):
    """Return wins and losses, each of shape (runs, days)."""
    rng = np.random.default_rng(seed)
    discordant = rng.binomial(per_day, discordance, (runs, days))
    share = (1 + gain / discordance) / 2
    if correlation:
        weight = 1 / correlation - 1
        wins = rng.binomial(discordant, rng.beta(share * weight, (1 - share) * weight, (runs, days)))
    else:
        wins = rng.binomial(discordant, share)
    return wins, discordant - wins


def live(wins, losses, *, by_day=False):
    return sequential.evidence(wins, losses, by_day=by_day, limit=POLICY.design_effect_limit)


def first_day(log_e):
    """Return the day (from 1) on which each run was decided; one beyond its end where it was not."""
    reached = log_e >= DECIDED
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, reached.shape[1] + 1)


def ever_decided(found):
    """Return the share of runs decided for either side; both, since the models are equal, are runs of one."""
    return np.mean([(first_day(side) <= side.shape[1]).mean() for side in (found.log_for, found.log_against)])


@pytest.mark.parametrize("per_day", [20, 50, 100])
def test_looking_daily_for_a_year_calls_an_equal_challenger_better_in_at_most_2_5_percent(per_day):
    assert ever_decided(live(*stream(1_500, 365, per_day=per_day, gain=0, seed=per_day))) <= 0.025


@pytest.mark.parametrize(("per_day", "correlation"), [(50, 0.05), (50, 0.1), (20, 0.2), (100, 0.2)])
def test_days_that_swing_together_do_so_in_at_most_5_percent(per_day, correlation):
    swinging = stream(1_500, 365, per_day=per_day, gain=0, correlation=correlation, seed=7)
    assert ever_decided(live(*swinging)) <= 0.05


def test_counting_their_articles_one_by_one_would_do_so_in_a_quarter():
    wins, losses = stream(2_000, 90, per_day=50, gain=0, correlation=0.2, seed=7)
    by_article = sequential.paired_log_e(np.cumsum(wins, axis=1), np.cumsum(losses, axis=1))
    assert (first_day(by_article) <= 90).mean() > 0.25


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.5])
def test_market_days_do_so_in_at_most_2_5_percent_however_they_swing(correlation):
    wins, losses = stream(2_000, 365, per_day=50, gain=0, correlation=correlation, seed=11)
    assert (first_day(live(wins, losses, by_day=True).log_for) <= 365).mean() <= 0.025


def test_ten_points_are_found_within_six_days():
    days = first_day(live(*stream(4_000, 56, per_day=50, gain=0.10, seed=3)).log_for)
    assert np.median(days) <= 6
    assert (days <= 56).mean() >= 0.95


def test_five_points_are_found_within_nineteen_days_and_nearly_always_within_56():
    days = first_day(live(*stream(4_000, 56, per_day=50, gain=0.05, seed=3)).log_for)
    assert np.median(days) <= 19
    assert (days <= 56).mean() >= 0.95


def test_market_days_find_ten_points_within_eighteen_days():
    wins, losses = stream(4_000, 56, per_day=50, gain=0.10, correlation=0.05, seed=3)
    assert np.median(first_day(live(wins, losses, by_day=True).log_for)) <= 18


def promoted(*, rows, per_day, gain, discordance, seed, runs=6_000):
    """Return the share of challengers that pass the screen on `rows` test articles and 28 live days."""
    rng = np.random.default_rng(seed)
    shares = [(discordance + gain) / 2, (discordance - gain) / 2, 1 - discordance]
    gained, lost, _ = rng.multinomial(rows, shares, size=runs).T
    not_worse = tango(gained, lost, rows)[0] > -POLICY.gate_margin
    wins, losses = stream(
        runs, POLICY.experiment_days, per_day=per_day, gain=gain, discordance=discordance, seed=seed + 1
    )
    found = live(wins, losses)
    days = first_day(found.log_for)
    better = (days <= POLICY.experiment_days) & (days < first_day(found.log_against))
    return (not_worse & better).mean()


@pytest.mark.parametrize("discordance", [0.15, 0.25])
@pytest.mark.parametrize("per_day", [20, 50, 100])
@pytest.mark.parametrize("rows", [200, 500])
def test_the_gates_promote_an_equal_challenger_in_at_most_1_percent(rows, per_day, discordance):
    assert promoted(rows=rows, per_day=per_day, gain=0, discordance=discordance, seed=rows) <= 0.01


@pytest.mark.parametrize("discordance", [0.15, 0.25])
@pytest.mark.parametrize("per_day", [20, 50, 100])
def test_the_gates_promote_one_that_is_ten_points_better_in_at_least_95_percent(per_day, discordance):
    assert promoted(rows=200, per_day=per_day, gain=0.10, discordance=discordance, seed=17) >= 0.95


def test_the_gates_never_promote_one_that_is_five_points_worse():
    assert promoted(rows=200, per_day=50, gain=-0.05, discordance=0.25, seed=17) == 0
