import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from core.domain import selective

NAN = float("nan")


def honest(n, seed=1, days=None):
    """Return right answers and confidences of a calibrated model that is right in about 82 % of all cases."""
    rng = np.random.default_rng(seed)
    sure = np.round(100 / 3 + 200 / 3 * rng.beta(1.35, 0.5, n))
    return (rng.random(n) < sure / 100).astype(float), sure


def test_the_curve_keeps_what_is_at_least_as_sure_as_its_threshold():
    right = np.array([1.0, 0.0, 1.0, 1.0])
    confidence = np.array([90.0, 60.0, 60.0, 80.0])
    assert selective.curve(right, confidence) == [
        {"threshold": 90.0, "coverage": 0.25, "accuracy": 1.0, "n": 1},
        {"threshold": 80.0, "coverage": 0.5, "accuracy": 1.0, "n": 2},
        {"threshold": 60.0, "coverage": 1.0, "accuracy": 0.75, "n": 4},
    ]


def test_an_answer_without_a_confidence_is_never_kept_but_counts():
    found = selective.curve(np.array([1.0, 1.0]), np.array([70.0, NAN]))
    assert found == [{"threshold": 70.0, "coverage": 0.5, "accuracy": 1.0, "n": 1}]


def test_the_curve_has_at_most_101_points_and_both_its_ends():
    rng = np.random.default_rng(2)
    confidence = rng.random(1000) * 100
    found = selective.curve(np.ones(1000), confidence)
    assert len(found) == 101
    assert (found[0]["n"], found[-1]["coverage"]) == (1, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (40, 41), (180, 200)])
def test_the_lower_limit_agrees_with_statsmodels(successes, n):
    low, _ = proportion_confint(successes, n, alpha=0.2, method="beta")
    assert selective.clopper_pearson_lower(successes, n, 0.9) == pytest.approx(low)


def test_the_chosen_threshold_keeps_its_promise_on_its_own_rows():
    right, confidence = honest(500)
    chosen = selective.choose(right, confidence, accuracy=0.9, level=0.9)
    kept = confidence >= chosen["threshold"]
    assert (chosen["n"], chosen["coverage"]) == (kept.sum(), pytest.approx(kept.mean()))
    assert chosen["accuracy"] == pytest.approx(right[kept].mean())
    assert chosen["lower"] == selective.clopper_pearson_lower(int(right[kept].sum()), int(kept.sum()), 0.9)
    assert 0.9 <= chosen["lower"] < chosen["accuracy"]


def test_the_sequence_ends_at_its_first_failure_whatever_comes_after():
    confidence = np.repeat([95.0, 80.0, 60.0], 100)
    right = np.concatenate([np.ones(100), np.arange(100) % 2, np.ones(100)]).astype(float)
    chosen = selective.choose(right, confidence, accuracy=0.8, level=0.9)
    assert chosen["threshold"] == 95.0
    assert right.mean() > 0.83  # all rows together would have passed


def test_a_model_that_is_always_right_may_always_answer():
    chosen = selective.choose(np.ones(300), np.linspace(1, 100, 300), accuracy=0.9, level=0.9)
    assert (chosen["threshold"], chosen["coverage"]) == (1.0, 1.0)


def test_fewer_rows_than_the_least_choose_nothing():
    right, confidence = honest(199)
    assert selective.choose(right, confidence, accuracy=0.9, level=0.9) is None
    assert selective.choose(right, confidence, accuracy=0.9, level=0.9, least=100) is not None


@pytest.mark.parametrize(
    ("n", "confidence", "days", "reason"),
    [
        (300, NAN, None, "no_confidence"),
        (100, 90.0, None, "too_few_rows"),
        (300, 90.0, 19, "too_few_market_days"),
        (300, 90.0, None, "accuracy_not_reached"),
    ],
)
def test_where_nothing_is_chosen_the_reason_is_said(n, confidence, days, reason):
    where = None if days is None else [f"d{i % days}" for i in range(n)]
    found = selective.abstention(np.zeros(n), np.full(n, confidence), accuracy=0.9, level=0.9, days=where)
    assert (found["chosen"], found["reason"]) == (None, reason)


def test_where_a_threshold_is_chosen_the_report_says_so_and_what_was_asked():
    found = selective.abstention(*honest(400), accuracy=0.9, level=0.8)
    assert (found["reason"], found["target_accuracy"], found["level"]) == ("chosen", 0.9, 0.8)
    assert found["chosen"]["threshold"] in {point["threshold"] for point in found["curve"]}


def test_days_that_rise_and_fall_together_lower_the_limit():
    right = np.repeat([1.0] * 28 + [0.0] * 2, 20)  # two days of thirty went wrong as a whole
    confidence = np.full(600, 90.0)
    days = [f"d{i // 20}" for i in range(600)]
    assert selective.choose(right, confidence, accuracy=0.9, level=0.9) is not None
    assert selective.choose(right, confidence, accuracy=0.9, level=0.9, days=days) is None
