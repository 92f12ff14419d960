"""The drift statistics against their definitions, written out step by step, and against exact values."""

from dataclasses import asdict, replace
from datetime import date, timedelta
from math import inf, log

import numpy as np
import pytest

from core.domain.cusum import cusum_arl, cusum_threshold, reflected, weights
from core.domain.detectable import DROPS, LONGEST_DAYS, detectable
from core.domain.drift import day_evidence, rolling, watch_cusum, watch_days
from core.domain.intervals import wilson
from core.domain.policy import Policy
from core.domain.reference import CALIBRATING, TOO_LOW, Day, NoReference, reference

POLICY = Policy()
FIRST = date(2025, 11, 3)


def on(number):
    """Return the ISO date that lies `number` days after the first."""
    return (FIRST + timedelta(number)).isoformat()


def days(rights, *, n=20, start=0):
    """Return one day for each number of right answers."""
    return [Day(on(start + i), n, right) for i, right in enumerate(rights)]


def steady(number=30, *, right=16, n=20):
    """Return days of one accuracy throughout."""
    return days([right] * number, n=n)


@pytest.fixture
def held():
    """Return the reference of 30 days with 16 of 20 right, which is .78626."""
    return reference(steady(), policy=POLICY)


# -- the exact run length


@pytest.mark.parametrize(("threshold", "items"), [(33, 4121), (35, 5516), (39, 9822), (44, 20049)])
def test_the_exact_run_length_is_that_of_the_design(threshold, items):
    assert cusum_arl(0.8, 3, 1, threshold) == pytest.approx(items, abs=1)


@pytest.mark.parametrize(("p", "delay"), [(0.75, 680), (0.70, 187), (0.60, 71)])
def test_the_exact_delay_is_that_of_the_design(p, delay):
    assert cusum_arl(p, 3, 1, 44) == pytest.approx(delay, abs=0.6)


def test_a_run_length_small_enough_to_do_by_hand_is_right():
    # L(0) = 1 + L(0)/2 + L(1)/2 and L(1) = 1 + L(0)/2.
    assert cusum_arl(0.5, 1, 1, 2) == pytest.approx(6)


def test_where_all_answers_are_wrong_the_run_length_counts_the_steps():
    assert cusum_arl(0.0, 3, 1, 7) == 3


def test_where_all_answers_are_right_nothing_ever_signals():
    assert cusum_arl(1.0, 3, 1, 7) == inf


@pytest.mark.parametrize(
    ("p", "up", "down", "threshold"), [(0.7, 14, 5, 60), (0.35, 3, 5, 12), (0.9, 29, 5, 20)]
)
def test_the_banded_system_agrees_with_the_chain_written_out(p, up, down, threshold):
    chain = np.zeros((threshold, threshold))
    for state in range(threshold):
        chain[state, max(0, state - down)] += p
        if state + up < threshold:
            chain[state, state + up] += 1 - p
    expected = np.linalg.solve(np.eye(threshold) - chain, np.ones(threshold))[0]
    assert cusum_arl(p, up, down, threshold) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [(1.2, 3, 1, 5), (0.5, 0, 1, 5), (0.5, 3, 0, 5), (0.5, 3, 1, 0)])
def test_a_run_length_of_impossible_numbers_is_refused(wrong):
    with pytest.raises(ValueError, match="probability"):
        cusum_arl(*wrong)


# -- weights and threshold


def test_a_fall_from_80_to_70_percent_weighs_a_wrong_answer_three_times():
    assert weights(0.8, 0.1) == (3, 1)


@pytest.mark.parametrize("ref", [0.35, 0.5, 0.77, 0.9, 0.97])
def test_the_weights_are_the_log_likelihood_ratios_to_the_nearest_fifth(ref):
    up, down = weights(ref, 0.1)
    exact = log((1.1 - ref) / (1 - ref)) / -log((ref - 0.1) / ref)
    assert up / down == pytest.approx(exact, abs=0.1)


@pytest.mark.parametrize("ref", [0.1, 0.05, 1.0])
def test_a_fall_for_which_there_is_no_room_is_refused(ref):
    with pytest.raises(ValueError, match="impossible"):
        weights(ref, 0.1)


@pytest.mark.parametrize(("per_day", "threshold"), [(20, 33), (50, 39), (100, 44)])
def test_a_false_alarm_in_180_days_takes_the_thresholds_of_the_design(per_day, threshold):
    assert cusum_threshold(0.8, 180 * per_day, drop=0.1) == threshold


def test_the_threshold_is_the_smallest_that_is_high_enough():
    up, down = weights(0.77, 0.1)
    threshold = cusum_threshold(0.77, 9000, drop=0.1)
    assert cusum_arl(0.77, up, down, threshold - 1) < 9000 <= cusum_arl(0.77, up, down, threshold)


def test_the_reflected_sum_is_the_recursion_written_out():
    steps = np.random.default_rng(3).choice([-5, 14], size=300, p=[0.7, 0.3])
    expected, value = [], 12.0
    for step in steps:
        value = max(0.0, value + step)
        expected.append(value)
    assert reflected(steps, 12.0).tolist() == expected


# -- the reference


def test_a_steady_accuracy_gives_the_plain_lower_end(held):
    error = (0.8 * 0.2 / 600) ** 0.5
    assert held.standard_error == pytest.approx(error)
    assert held.ref == pytest.approx(0.8 - 0.8416 * error, abs=1e-5)
    assert (held.accuracy, held.design_effect, held.correlation) == (0.8, 1.0, 0.0)


def test_days_that_differ_widen_the_reference_by_the_formula_of_the_design():
    swinging = days([12, 20] * 15)  # shares .6 and 1, variance of the days' shares .04 * 30 / 29
    found = reference(swinging, policy=POLICY)
    assert found.design_effect == pytest.approx(20 * (0.04 * 30 / 29) / (0.8 * 0.2))
    assert found.standard_error == pytest.approx((0.04 / 29) ** 0.5)
    assert found.warn_at == pytest.approx(found.threshold * found.design_effect)


def test_the_correlation_is_the_one_that_gives_the_design_effect():
    found = reference(days([12, 20] * 15), policy=POLICY)
    assert 1 + 19 * found.correlation == pytest.approx(found.design_effect)


def test_days_of_different_size_count_by_their_labels():
    unequal = [Day(on(i), *((10, 6) if i % 2 else (30, 27))) for i in range(30)]
    assert reference(unequal, policy=POLICY).accuracy == pytest.approx(33 / 40)


def test_below_30_days_it_is_calibrating_and_says_what_is_missing():
    assert reference(steady(29), policy=POLICY) == NoReference(CALIBRATING, 1, 0)


def test_below_500_labels_it_is_calibrating_and_says_what_is_missing():
    assert reference(steady(40, right=8, n=10), policy=POLICY) == NoReference(CALIBRATING, 0, 100)


def test_without_any_label_everything_is_missing():
    assert reference([], policy=POLICY) == NoReference(CALIBRATING, 30, 500)


def test_days_without_labels_are_no_days_of_the_reference():
    with_gaps = [*steady(29), Day(on(50), 0, 0)]
    assert reference(with_gaps, policy=POLICY) == NoReference(CALIBRATING, 1, 0)


def test_later_days_never_change_a_reference(held):
    assert reference(steady() + days([2] * 40, start=30), policy=POLICY) == held


def test_the_order_of_the_days_does_not_matter(held):
    assert reference(steady()[::-1], policy=POLICY) == held


def test_a_model_that_was_always_right_is_held_to_less_than_that():
    found = reference(steady(right=20), policy=POLICY)
    assert found.ref == pytest.approx(wilson(600, 600, 0.6)[0])  # one-sided 80 % is two-sided 60 %


def test_an_accuracy_that_cannot_fall_by_the_drop_has_no_reference():
    assert reference(steady(right=2), policy=POLICY) == NoReference(TOO_LOW)


def test_a_day_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="once"):
        reference([*steady(), Day(on(3), 5, 5)], policy=POLICY)


@pytest.mark.parametrize("wrong", [(5, 6, None), (5, -1, None), (2, 1, (True, True)), (2, 1, (True,))])
def test_a_day_whose_numbers_contradict_each_other_is_refused(wrong):
    with pytest.raises(ValueError, match="of a day"):
        Day(on(0), *wrong)


def test_a_reference_survives_being_stored_as_plain_values(held):
    assert type(held)(**asdict(held)) == held


# -- watching


def test_the_day_evidence_is_the_recursion_written_out():
    shares, ref = np.random.default_rng(4).beta(16, 4, size=50), 0.78
    stakes = 0.98 * np.array([0.1, 0.2, 0.4, 0.6, 0.8]) / (1 - ref)
    expected, value = [], np.zeros(5)
    for share in shares:
        value = (value + 1) * (1 + stakes * (ref - share))
        expected.append(value)
    assert np.exp(day_evidence(shares, ref)) == pytest.approx(np.array(expected))


def test_day_evidence_can_be_taken_up_where_it_was_left():
    shares = np.random.default_rng(5).beta(16, 4, size=(3, 40))
    first = day_evidence(shares[:, :25], 0.78)
    later = day_evidence(shares[:, 25:], 0.78, first[:, -1])
    assert later == pytest.approx(day_evidence(shares, 0.78)[:, 25:])


def test_days_as_good_as_the_reference_never_signal(held):
    after = days([16] * 300, start=30)
    assert watch_cusum(after, held).first is None
    assert watch_days(after, held).first is None


def test_a_fall_is_warned_of_and_alerted_to_with_the_day_on_which_it_began(held):
    after = days([16] * 40 + [12] * 20, start=30)
    warn, alert = watch_cusum(after, held).first, watch_days(after, held).first
    assert (warn.began, alert.began) == (on(70), on(70))
    assert on(70) < warn.day < alert.day < on(80)


def test_the_days_of_the_reference_are_not_watched(held):
    assert [point.day for point in watch_days([*steady(), *days([16], start=30)], held).points] == [on(30)]


def test_after_a_signal_the_statistic_begins_anew(held):
    after = days([12] * 40, start=30)
    watch = watch_days(after, held)
    assert len(watch.crossings) > 1
    place = [point.crossed for point in watch.points].index(True)
    assert watch.points[place + 1].value == watch.points[0].value
    assert watch.crossings[1].began > watch.crossings[0].day


def test_every_signal_is_a_point_at_or_above_the_threshold(held):
    watch = watch_cusum(days([12] * 40, start=30), held)
    over = [(point.day, point.value) for point in watch.points if point.value >= watch.threshold]
    assert over == [(crossing.day, crossing.value) for crossing in watch.crossings]
    assert over == [(point.day, point.value) for point in watch.points if point.crossed]


def test_the_value_of_a_day_is_the_highest_within_it(held):
    ups_first = Day(on(30), 20, 17, (False,) * 3 + (True,) * 17)
    assert watch_cusum([ups_first], held).points[0].value == 3 * held.up


def test_without_their_order_wrong_answers_are_spread_over_the_day():
    assert Day(on(0), 6, 4).in_order().tolist() == [0, 1, 1, 0, 1, 1]


def test_a_day_without_labels_is_not_a_bad_day(held):
    watch = watch_days([*days([16], start=30), Day(on(31), 0, 0), *days([16], start=32)], held)
    assert [point.day for point in watch.points] == [on(30), on(32)]


def test_a_model_that_was_always_right_and_is_no_more_alerts_at_once():
    flawless = reference(steady(right=20), policy=POLICY)
    watch = watch_days(days([0] * 200, start=30), flawless)
    assert watch.first.day == on(30)
    assert len(watch.crossings) == 200


def test_a_long_fall_that_ends_a_quiet_year_is_dated_to_its_first_day(held):
    watch = watch_days(days([17] * 300 + [12] * 20, start=30), held)
    assert watch.first.began == on(330)


def test_nothing_to_watch_is_no_signal(held):
    assert watch_cusum([], held).points == ()
    assert watch_days([], held).first is None


# -- the chart


def test_the_rolling_accuracy_covers_seven_calendar_days():
    found = rolling([*days([20], start=0), *days([10] * 2, start=6)])
    assert [(point.n, point.accuracy) for point in found] == [(20, 1.0), (40, 0.75), (40, 0.5)]


def test_the_rolling_interval_is_wilsons_widened_by_the_design_effect():
    low, high = wilson(16, 20)
    (plain,), (wide,) = rolling(days([16])), rolling(days([16]), effect=1.44)
    assert (plain.low, plain.high) == (low, high)
    assert 0.8 - wide.low == pytest.approx(1.2 * (0.8 - low))


# -- what can be found


def test_a_larger_fall_is_found_sooner(held):
    found = detectable(held, per_day=5, seed=1)
    assert [each.drop for each in found] == list(DROPS)
    assert found[1].warn.median_days > found[2].warn.median_days
    assert found[1].alert.median_days > found[2].alert.median_days


def test_more_labels_a_day_warn_sooner(held):
    few, many = (detectable(held, per_day=m, seed=1, drops=(0.2,))[0] for m in (5, 30))
    assert few.warn.median_days > 3 * many.warn.median_days


def test_a_small_fall_among_correlated_labels_is_not_reliably_found(held):
    correlated = replace(held, design_effect=3.0, correlation=2 / 19, warn_at=3.0 * held.threshold)
    warn = detectable(correlated, per_day=10, seed=1, drops=(0.05,))[0].warn
    assert (warn.reliable, warn.p90_days) == (False, None)


def test_no_fall_at_all_is_not_found_reliably(held):
    found = detectable(held, per_day=5, seed=1, drops=(0.0,))[0]
    assert (found.warn.reliable, found.alert.reliable) == (False, False)


def test_the_simulated_delay_is_the_exact_one_of_the_chain(held):
    certain = replace(held, standard_error=0.0)
    delay = detectable(certain, per_day=1, seed=2, drops=(0.4,))[0].warn
    mass, signalled, within = np.eye(held.threshold)[0], 0.0, []
    for item in range(200):
        p, moved = (0.8 if item < 30 else 0.4), np.zeros(held.threshold + held.up)
        np.add.at(moved, np.maximum(np.arange(held.threshold) - held.down, 0), p * mass)
        np.add.at(moved, np.arange(held.threshold) + held.up, (1 - p) * mass)
        mass, out = moved[: held.threshold], moved[held.threshold :].sum()
        if item < 30:
            mass[0] += out  # begins anew
        else:
            signalled += out
            within.append(signalled)
    exact = [1 + int(np.argmax(np.array(within) >= share)) for share in (0.5, 0.9)]
    assert [delay.median_days, delay.p90_days] == pytest.approx(exact, abs=2)
    assert exact[1] < LONGEST_DAYS


def test_the_same_question_has_the_same_answer(held):
    asked = {"seed": 7, "drops": (0.2,)}
    assert detectable(held, per_day=20, **asked) == detectable(held, per_day=20.4, **asked)
