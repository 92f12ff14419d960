"""Signs that need no labels: mixes, confidence, estimated accuracy, and what the articles are like."""

from dataclasses import asdict
from datetime import date, timedelta

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency

from core.domain.early_warning import (
    CONSTANT,
    Calibrator,
    Stated,
    confidence_reference,
    estimated_accuracy,
    fit_confidence,
    watch_confidence,
)
from core.domain.input_health import Received, findings, hangul_share, language, summary
from core.domain.mix import Mix, mix_design_effect, mix_shift, weekly_shifts
from core.domain.policy import Policy
from core.domain.reference import CALIBRATING, NoReference

POLICY = Policy()
FIRST = date(2025, 11, 3)
LEVEL = POLICY.shift_level
USUAL = {"positive": 200, "neutral": 175, "negative": 125}


def on(number):
    """Return the ISO date that lies `number` days after the first."""
    return (FIRST + timedelta(number)).isoformat()


# -- mixes


def test_psi_and_its_p_value_follow_the_formula():
    shift = mix_shift(USUAL, {"positive": 60, "neutral": 40, "negative": 40}, level=LEVEL)
    p = np.array([200.5, 175.5, 125.5]) / 501.5
    q = np.array([60.5, 40.5, 40.5]) / 141.5
    psi = ((q - p) * np.log(q / p)).sum()
    assert shift.psi == pytest.approx(psi)
    assert shift.p == pytest.approx(chi2.sf(psi / (1 / 140 + 1 / 500), 2))


def test_the_p_value_is_close_to_that_of_the_chi_square_test():
    now = {"positive": 400, "neutral": 400, "negative": 300}
    table = [list(USUAL.values()), list(now.values())]
    assert mix_shift(USUAL, now, level=LEVEL).p == pytest.approx(chi2_contingency(table).pvalue, rel=0.02)


def test_the_same_mix_has_not_shifted():
    shift = mix_shift(USUAL, {name: 2 * count for name, count in USUAL.items()}, level=LEVEL)
    assert shift.psi == pytest.approx(0, abs=1e-5)
    assert not shift.shifted


def test_a_turned_mix_has_shifted_and_tells_the_shares():
    shift = mix_shift(USUAL, {"positive": 28, "neutral": 49, "negative": 63}, level=LEVEL)
    assert shift.shifted
    assert shift.shares["negative"] == (0.25, 0.45)


def test_a_psi_above_the_usual_limit_is_nothing_among_twenty_articles():
    shift = mix_shift(USUAL, {"positive": 5, "neutral": 8, "negative": 7}, level=LEVEL)
    assert shift.psi > 0.1
    assert shift.p > 0.05


def test_below_twenty_articles_nothing_is_told():
    shift = mix_shift(USUAL, {"positive": 19}, level=LEVEL)
    assert (shift.psi, shift.p, shift.shifted) == (None, None, False)


def test_one_category_throughout_has_no_p_value():
    shift = mix_shift({"korean": 500}, {"korean": 100}, level=LEVEL)
    assert (shift.p, shift.shifted) == (None, False)


def test_rare_categories_are_taken_together():
    many = {f"feed {i}": 10 for i in range(50)}
    other = {f"feed {i}": 4 for i in range(50, 75)}
    assert mix_shift(many, many, level=LEVEL).p == 1.0
    # All 75 are rare on the smaller side: one category is left, and nothing to compare.
    assert mix_shift(many, other, level=LEVEL).p is None


def test_a_new_large_category_has_shifted_the_mix():
    assert mix_shift({"a": 300, "b": 200}, {"a": 60, "b": 40, "c": 40}, level=LEVEL).shifted


def test_the_design_effect_divides_the_statistic():
    now = {"positive": 28, "neutral": 49, "negative": 63}
    plain, wide = (mix_shift(USUAL, now, level=LEVEL, effect=effect) for effect in (1.0, 3.0))
    assert chi2.isf(wide.p, 2) == pytest.approx(chi2.isf(plain.p, 2) / 3)


def test_days_that_each_have_one_class_have_their_size_as_design_effect():
    days = [Mix(on(i), {"up" if i % 2 else "down": 10}) for i in range(40)]
    assert mix_design_effect(days) == pytest.approx(10 * 40 / 39)


def test_the_design_effect_of_three_classes_is_their_weighted_mean():
    # Every day one class only: each class has the effect 10 * 30 / 29.
    days = [Mix(on(i), {"abc"[i % 3]: 10}) for i in range(30)]
    assert mix_design_effect(days) == pytest.approx(10 * 30 / 29)


@pytest.mark.parametrize(
    "days", [[], [Mix(on(0), {"a": 5, "b": 5})], [Mix(on(i), {"a": 5}) for i in range(9)]]
)
def test_where_nothing_varies_there_is_no_design_effect(days):
    assert mix_design_effect(days) == 1.0


def test_weeks_are_whole_do_not_overlap_and_begin_after_the_reference():
    reference = [Mix(on(i), {"a": 10, "b": 10}) for i in range(30)]
    later = [Mix(on(i), {"a": 10, "b": 10}) for i in range(25, 50)]
    weeks = weekly_shifts(reference, later, until=on(49), level=LEVEL)
    assert [(week.first_day, week.last_day) for week in weeks] == [(on(30), on(36)), (on(37), on(43))]
    assert [week.shift.n for week in weeks] == [140, 140]


def test_a_week_is_looked_at_when_its_last_day_is_closed():
    reference = [Mix(on(i), {"a": 10, "b": 10}) for i in range(30)]
    assert weekly_shifts(reference, [], until=on(35), level=LEVEL) == ()
    (week,) = weekly_shifts(reference, [], until=on(36), level=LEVEL)
    assert (week.shift.n, week.shift.p) == (0, None)


def test_without_a_reference_there_are_no_weeks():
    with pytest.raises(ValueError, match="reference"):
        weekly_shifts([], [], until=on(9), level=LEVEL)


# -- confidence


def stated(number, *, mean=85.0, start=0, n=20):
    """Return days whose answers state `mean` plus and minus 5 in turn."""
    return [Stated(on(start + i), (mean - 5, mean + 5) * (n // 2)) for i in range(number)]


@pytest.fixture
def usual():
    """Return the reference of 30 days around 85."""
    return confidence_reference(stated(30), policy=POLICY)


def test_the_reference_of_the_confidence_is_its_mean_and_spread(usual):
    assert (usual.mean, usual.n, usual.days, usual.last_day) == (85.0, 600, 30, on(29))
    assert usual.standard_deviation == pytest.approx(5, rel=1e-3)
    assert (usual.design_effect, usual.warn_at) == (1.0, 15.0)


def test_confidence_that_varies_by_day_raises_the_threshold():
    swinging = [*stated(15, mean=80), *stated(15, mean=90, start=15)]
    found = confidence_reference(swinging, policy=POLICY)
    # Variance 25 within and 25 between: half of it is the day's.
    assert found.design_effect == pytest.approx(20 * 25 * 30 / 29 / 50, rel=0.01)
    assert found.warn_at == pytest.approx(15 * found.design_effect)


def test_the_confidence_is_calibrating_until_there_is_enough():
    assert confidence_reference(stated(20), policy=POLICY) == NoReference(CALIBRATING, 10, 100)


def test_a_model_that_always_states_the_same_cannot_be_watched():
    same = [Stated(on(i), (85.0,) * 20) for i in range(30)]
    assert confidence_reference(same, policy=POLICY) == NoReference(CONSTANT)


def test_unchanged_and_rising_confidence_never_warns(usual):
    assert watch_confidence(stated(60, start=30), usual).first is None
    assert watch_confidence(stated(60, start=30, mean=95), usual).first is None


def test_falling_confidence_warns_with_the_day_on_which_it_began(usual):
    watch = watch_confidence([*stated(20, start=30), *stated(20, start=50, mean=80)], usual)
    # One standard deviation lower: .8 a day's answer, so that 15 is reached within the first 20.
    assert (watch.first.began, watch.first.day) == (on(50), on(50))


def test_the_confidence_statistic_is_the_recursion_written_out(usual):
    values = tuple(np.random.default_rng(6).normal(84, 5, size=60).round(1))
    value, highest = 0.0, 0.0
    for each in values:
        value = max(0.0, value - (each - usual.mean) / usual.standard_deviation - 0.2)
        highest = max(highest, value)
    assert watch_confidence([Stated(on(40), values)], usual).points[0].value == pytest.approx(highest)


def test_a_reference_of_the_confidence_survives_being_stored(usual):
    assert type(usual)(**asdict(usual)) == usual


# -- estimated accuracy


def test_the_estimated_accuracy_is_the_mean_probability():
    found = estimated_accuracy([0.9] * 70 + [0.6] * 30)
    half = 1.96 * (70 * 0.09 + 30 * 0.24) ** 0.5 / 100
    assert (found.value, found.n) == (pytest.approx(0.81), 100)
    assert (found.low, found.high) == (
        pytest.approx(0.81 - half, abs=1e-4),
        pytest.approx(0.81 + half, abs=1e-4),
    )


def test_without_answers_there_is_no_estimate():
    assert estimated_accuracy([]) is None


def test_the_range_stays_between_none_and_all():
    found = estimated_accuracy([0.99, 0.99])
    assert found.high == 1.0


def test_the_calibrator_finds_the_curve_that_made_the_answers():
    random = np.random.default_rng(8)
    confidence = random.uniform(50, 99, size=5000)
    right = random.random(5000) < Calibrator(0.5, -0.4, 0).probability(confidence)
    found = fit_confidence(right, confidence)
    assert (found.slope, found.intercept) == (pytest.approx(0.5, abs=0.05), pytest.approx(-0.4, abs=0.1))


def test_overconfident_answers_are_taken_down_to_what_they_are_worth():
    confidence = np.tile([80.0, 95.0], 200)
    right = np.tile([True, True, False, True, True, False, True, True], 50)  # three of four, at 80 and at 95
    found = fit_confidence(right, confidence)
    assert found.probability(confidence).mean() == pytest.approx(right.mean(), abs=0.01)


def test_one_confidence_throughout_is_taken_to_the_share_of_right_answers():
    found = fit_confidence([True, True, False, True] * 100, [85.0] * 400)
    assert found.probability(85) == pytest.approx(0.75, abs=0.01)


def test_answers_that_are_all_right_give_finite_numbers():
    found = fit_confidence([True] * 300, [0, 100, 90] * 100)
    assert np.isfinite([found.slope, found.intercept]).all()


def test_below_200_labels_nothing_is_fitted():
    assert fit_confidence([True] * 199, [85.0] * 199) is None


# -- what the articles are like


def article(number, title="코스피 상승 마감", body="외국인이 순매수했다.", source="연합", *, duplicate=False):
    """Return an article that came in on day number / 20."""
    return Received(on(number // 20), title, body, source, duplicate)


@pytest.fixture
def before():
    """Return 600 articles of 30 days: two sources, a tenth of them doubles, lengths of 60 to 160."""
    return [
        article(i, body="가" * (50 + i * 7 % 100), source="연합" if i % 3 else "한경", duplicate=i % 10 == 0)
        for i in range(600)
    ]


@pytest.mark.parametrize(
    ("text", "share"),
    [("코스피", 1.0), ("KOSPI", 0.0), ("삼성 AI", 0.5), ("ㅋㅋ", 1.0), ("2025, 3.5%", None), ("金値", 0.0)],
)
def test_the_share_of_hangul_is_that_among_letters(text, share):
    assert hangul_share(text) == share


@pytest.mark.parametrize(
    ("title", "body", "expected"),
    [
        ("SK하이닉스, HBM4 양산", None, "korean"),
        ("Fed holds rates", "Powell on 코스피", "other"),
        ("Fed", "연준이 금리를 동결했다", "korean"),
        ("3.5%", None, "no_letters"),
    ],
)
def test_the_language_is_told_from_title_and_body(title, body, expected):
    assert language(article(0, title, body)) == expected


def test_the_summary_counts_what_came_in(before):
    found = summary(before)
    assert (found["n"], found["korean"], found["duplicates"], found["without_body"]) == (600, 1.0, 0.1, 0.0)
    assert found["sources"] == {"연합": 400, "한경": 200}
    assert found["length"]["p50"] == pytest.approx(np.median([each.length for each in before]))


def test_the_summary_of_nothing_knows_nothing():
    assert summary([]) == {
        "n": 0,
        "korean": None,
        "duplicates": None,
        "without_body": None,
        "length": None,
        "sources": {},
    }


def test_articles_as_before_have_not_changed(before):
    assert [each.about for each in findings(before, before[:140], level=LEVEL) if each.changed] == []


@pytest.mark.parametrize(
    ("about", "change"),
    [
        ("language", {"title": "Stocks close higher on the day", "body": "x" * 100}),
        ("source", {"source": "new feed"}),
        ("duplicates", {"duplicate": True}),
        ("length", {"body": "가" * 300}),
        ("body", {"body": None}),
    ],
)
def test_a_week_of_which_a_half_is_changed_is_found(before, about, change):
    now = [article(600 + i, **change) if i % 2 else before[i] for i in range(140)]
    assert about in {each.about for each in findings(before, now, level=LEVEL) if each.changed}


def test_a_change_too_small_to_matter_is_certain_but_not_told(before):
    now = [
        article(i, body=each.body, source="연합" if i % 4 else "한경") for i, each in enumerate(before * 10)
    ]
    found = {each.about: each for each in findings(before * 10, now, level=LEVEL)}["source"]
    assert (found.shift.shifted, found.changed) == (True, False)


def test_without_earlier_articles_nothing_has_changed(before):
    assert not any(each.changed for each in findings([], before, level=LEVEL))
