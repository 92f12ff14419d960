"""The drift statistics against simulation: the figures of the design, through the functions the product uses.

Rows 1 to 6 and the first half of row 12 of its acceptance table. Answers are right with .80 before a
change; a day's accuracy is drawn from a beta distribution with the intraclass correlation named.
"""

from datetime import date, timedelta

import numpy as np
import pytest

from core.domain.cusum import cusum_arl, reflected, weights
from core.domain.drift import day_evidence, mean_evidence, watch_cusum, watch_days
from core.domain.early_warning import confidence_steps, estimated_accuracy
from core.domain.mix import Mix, mix_design_effect, mix_shift
from core.domain.policy import Policy
from core.domain.reference import Day, reference

pytestmark = pytest.mark.statistics

ACCURACY = 0.8
POLICY = Policy()
UP, DOWN = weights(ACCURACY, POLICY.drift_drop)
DATES = [(date(2025, 1, 1) + timedelta(i)).isoformat() for i in range(400)]


def run_lengths(draw, threshold, *, runs, block, limit):
    """Return after how many items each run's reflected sum first reached the threshold, at most `limit`."""
    found, level = np.full(runs, limit), np.zeros(runs)
    running = np.arange(runs)
    for start in range(0, limit, block):
        path = reflected(draw((len(running), block)), level)
        over = path >= threshold
        hit = over.any(axis=1)
        found[running[hit]] = start + 1 + np.argmax(over[hit], axis=1)
        running, level = running[~hit], path[~hit, -1]
        if not len(running):
            break
    return found


def answers(p, seed):
    """Return a source of steps of independent answers that are right with probability `p`."""
    random = np.random.default_rng(seed)
    return lambda shape: np.where(random.random(shape, dtype=np.float32) < p, -DOWN, UP)


def daily(p, correlation, shape, random):
    """Return the accuracy of each day."""
    if not correlation:
        return np.full(shape, p)
    spread = (1 - correlation) / correlation
    return random.beta(p * spread, (1 - p) * spread, size=shape)


def labelled(accuracies, m, random):
    """Return a day with `m` labels for each accuracy."""
    right = random.random((len(accuracies), m)) < np.asarray(accuracies)[:, None]
    return [Day(day, m, sum(row), tuple(row)) for day, row in zip(DATES, right.tolist(), strict=False)]


# -- rows 1 to 4: the CUSUM of single answers


@pytest.mark.parametrize(("threshold", "exact", "runs"), [(35, 5516, 3000), (44, 20049, 1500)])
def test_false_alarms_are_as_far_apart_as_the_exact_run_length_says(threshold, exact, runs):
    """Row 1."""
    assert cusum_arl(ACCURACY, UP, DOWN, threshold) == pytest.approx(exact, abs=1)
    found = run_lengths(answers(ACCURACY, 1), threshold, runs=runs, block=2000, limit=400_000)
    assert found.mean() == pytest.approx(exact, rel=0.07)


@pytest.mark.parametrize(
    ("threshold", "p", "bar"),
    [(44, 0.70, 170), (44, 0.60, 70), (44, 0.75, 535), (35, 0.70, 125), (35, 0.60, 55), (35, 0.75, 340)],
)
def test_after_the_worst_moment_a_fall_is_found_within_the_delay_of_the_design(threshold, p, bar):
    """Rows 2 and 3."""
    found = run_lengths(answers(p, 2), threshold, runs=10_000, block=250, limit=20_000)
    assert np.median(found) <= bar


def test_the_mean_delay_is_that_of_the_best_possible_rule():
    """Row 4: the exact delay of the CUSUM is the optimum among all rules with its false alarms."""
    found = run_lengths(answers(0.7, 3), 44, runs=20_000, block=250, limit=20_000)
    optimum = cusum_arl(0.7, UP, DOWN, 44)
    assert optimum == pytest.approx(187, abs=0.5)
    assert found.mean() <= 1.05 * optimum


# -- row 5: whole days


def day_run_lengths(correlation, *, runs=4000, at_once=500, limit=1500):
    """Return the days to the first alert of runs without a change, with 50 labels a day."""
    random, lengths = np.random.default_rng(4), []
    for _ in range(0, runs, at_once):
        share = random.binomial(50, daily(ACCURACY, correlation, (at_once, limit), random)) / 50
        over = mean_evidence(day_evidence(share, ACCURACY)) >= POLICY.drift_false_alarm_days
        lengths += np.where(over.any(axis=1), 1 + np.argmax(over, axis=1), limit).tolist()
    return np.array(lengths)


@pytest.mark.parametrize("correlation", [0.0, 0.05, 0.10])
def test_false_alerts_by_day_are_180_days_apart_whatever_the_correlation(correlation):
    """Row 5."""
    assert day_run_lengths(correlation).mean() >= 180


# -- row 6: from the first label on


def false_alarms(m, correlation, *, runs=400):
    """Return the shares of runs that warn, and that alert, in 180 days without a change."""
    random = np.random.default_rng(5)
    warned = alerted = 0
    for accuracies in daily(ACCURACY, correlation, (runs, 210), random):
        days = labelled(accuracies, m, random)
        held = reference(days, policy=POLICY)
        warned += watch_cusum(days, held).first is not None
        alerted += watch_days(days, held).first is not None
    return warned / runs, alerted / runs


@pytest.mark.parametrize("correlation", [0.0, 0.05, 0.10])
@pytest.mark.parametrize("m", [20, 50, 100])
def test_with_an_estimated_reference_at_most_two_of_five_alarm_falsely_in_180_days(m, correlation):
    """Row 6: 30 days to take the reference and the design effect from, then 180 without a change."""
    warned, alerted = false_alarms(m, correlation)
    assert warned <= 0.40
    assert alerted <= 0.40


def delays(m, correlation, *, runs=300, after=60):
    """Return median days to warn and to alert of a fall to .70, 30 quiet days after the reference."""
    random, found = np.random.default_rng(6), ([], [])
    before = daily(ACCURACY, correlation, (runs, 60), random)
    fallen = daily(0.7, correlation, (runs, after), random)
    for accuracies in np.concatenate([before, fallen], axis=1):
        days = labelled(accuracies, m, random)
        held = reference(days, policy=POLICY)
        for which, watch in zip(found, (watch_cusum, watch_days), strict=True):
            first = watch(days, held).first
            at = DATES.index(first.day) if first else 60 + after
            if at >= 60:  # no earlier alarm
                which.append(at - 59)
    return tuple(float(np.median(which)) for which in found)


@pytest.mark.parametrize(
    ("m", "correlation", "warn", "alert"), [(20, 0.05, 14, 18), (50, 0.0, 4, 11), (50, 0.05, 15, 16)]
)
def test_with_an_estimated_reference_a_fall_is_found_when_the_design_says(m, correlation, warn, alert):
    """Beyond row 6: the design's table of the whole pipeline, to within the noise of both simulations."""
    assert delays(m, correlation) == pytest.approx((warn, alert), abs=2.5)


def test_answers_spread_over_the_day_do_not_alarm_more_often_than_in_their_order():
    """Where the order of a day's labels is not known."""
    random, spread, ordered = np.random.default_rng(7), 0, 0
    for _ in range(300):
        known = labelled([ACCURACY] * 210, 50, random)
        held = reference(known, policy=POLICY)
        ordered += watch_cusum(known, held).first is not None
        spread += watch_cusum([Day(day.day, day.n, day.right) for day in known], held).first is not None
    assert 0 < spread <= ordered


# -- row 12, and its neighbours: without labels


def shifted(before, now, effect=1.0):
    """Tell whether the mix of three classes counts as shifted."""
    sides = (dict(zip("abc", counts.tolist(), strict=True)) for counts in (before, now))
    return mix_shift(*sides, level=POLICY.shift_level, effect=effect).shifted


def shares_shifted(n, mix, *, then=(0.4, 0.35, 0.25), n_then=1000, runs):
    """Return the share of weeks with `n` answers that count as shifted."""
    random = np.random.default_rng(8)
    before, now = random.multinomial(n_then, then, size=runs), random.multinomial(n, mix, size=runs)
    return np.mean([shifted(*pair) for pair in zip(before, now, strict=True)])


@pytest.mark.parametrize("mix", [(0.4, 0.35, 0.25), (0.9, 0.07, 0.03)])
@pytest.mark.parametrize("n", [35, 140, 350])
def test_an_unchanged_mix_counts_as_shifted_in_at_most_three_of_a_thousand_weeks(n, mix):
    """Row 12, its first half; the second (Spiegelhalter's test) is that of the calibration."""
    assert shares_shifted(n, mix, then=mix, n_then=500, runs=10_000) <= 0.003


@pytest.mark.parametrize(("n", "power"), [(140, 0.18), (350, 0.51), (700, 0.74)])
def test_a_changed_mix_is_found_with_the_power_of_the_design(n, power):
    assert shares_shifted(n, (0.3, 0.35, 0.35), runs=3000) >= power


def by_mood(*, runs=1500):
    """Return how often a week of days of one mood counts as shifted, without and with the design effect."""
    random, plain, corrected = np.random.default_rng(10), [], []
    for _ in range(runs):
        moods = random.dirichlet(np.array([0.4, 0.35, 0.25]) * 19, size=37)  # correlation .05
        days = random.multinomial(50, moods)
        before, now = days[:30].sum(axis=0), days[30:].sum(axis=0)
        rows = (dict(zip("abc", row, strict=True)) for row in days[:30].tolist())
        mixes = [Mix(day, row) for day, row in zip(DATES, rows, strict=False)]
        plain.append(shifted(before, now))
        corrected.append(shifted(before, now, mix_design_effect(mixes)))
    return np.mean(plain), np.mean(corrected)


def test_days_of_one_mood_are_no_shift_once_their_design_effect_is_known():
    plain, corrected = by_mood()
    assert plain > 0.1
    assert corrected <= 0.01


def confidence_run_lengths(lower, *, runs, limit):
    """Return the answers to a warning when confidence is lower by so many standard deviations."""
    random = np.random.default_rng(11)
    return run_lengths(
        lambda shape: confidence_steps(random.standard_normal(shape) - lower),
        15.0,
        runs=runs,
        block=min(limit, 1000),
        limit=limit,
    )


def test_steady_confidence_warns_as_seldom_as_siegmunds_approximation_says():
    # (exp(2 d b) - 2 d b - 1) / (2 d^2), b the threshold + 1.166 (Siegmund 1985); d the allowance.
    exponent = 2 * 0.2 * (15 + 1.166)
    expected = (np.exp(exponent) - exponent - 1) / (2 * 0.2**2)
    assert confidence_run_lengths(0.0, runs=2000, limit=150_000).mean() == pytest.approx(expected, rel=0.1)


def test_confidence_that_falls_by_half_its_spread_warns_within_fifty_answers():
    assert np.median(confidence_run_lengths(0.5, runs=4000, limit=5000)) <= 50


def estimates(n, *, overconfident, runs=2000):
    """Return estimated less realised accuracy of weeks of `n` answers, and how often it is in the range."""
    random = np.random.default_rng(12)
    confidence = random.beta(8, 1.8, size=(runs, n))
    realised = (random.random((runs, n)) < confidence - overconfident).mean(axis=1)
    found = [estimated_accuracy(row) for row in confidence]
    inside = [each.low <= share <= each.high for each, share in zip(found, realised, strict=True)]
    return np.array([each.value for each in found]) - realised, np.mean(inside)


@pytest.mark.parametrize("n", [140, 700])
def test_calibrated_confidences_promise_the_accuracy_that_comes(n):
    off, inside = estimates(n, overconfident=0.0)
    assert abs(off.mean()) < 0.002
    assert inside == pytest.approx(0.95, abs=0.015)


def test_a_model_that_goes_wrong_as_confidently_as_ever_is_not_seen():
    off, _ = estimates(350, overconfident=0.1)
    assert off.mean() == pytest.approx(0.1, abs=0.01)
