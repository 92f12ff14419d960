import json
import time
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from core.domain.calibration import calibration, ece_null, spiegelhalter
from core.domain.intervals import wilson
from core.domain.metrics import CLASSES, evaluate
from core.domain.policy import Policy
from core.domain.types import Target

KEYS = {
    "n", "target", "accuracy", "accuracy_interval", "interval_method", "macro_f1", "macro_f1_interval",
    "per_class", "confusion", "brier", "ece", "ece_bins", "majority", "majority_label", "latency_ms",
    "market_days", "asked", "answered", "without_intraday", "spiegelhalter", "ece_null", "abstention",
}  # fmt: skip


def drawn(n, seed=5):
    rng = np.random.default_rng(seed)
    gold = rng.choice(CLASSES, n, p=[0.5, 0.3, 0.2]).tolist()
    predicted = [g if rng.random() < 0.7 else str(rng.choice(CLASSES)) for g in gold]
    return gold, predicted


def test_the_report_holds_exactly_the_agreed_keys_and_is_json():
    gold, predicted = drawn(60)
    report = evaluate(gold, predicted, target=Target.SENTIMENT, confidence=[70.0] * 60, seed=1)
    assert set(report) == KEYS
    assert json.loads(json.dumps(report)) == report


def test_scores_agree_with_scikit_learn():
    gold, predicted = drawn(300)
    report = evaluate(gold, predicted, target=Target.SENTIMENT, seed=1)
    assert report["accuracy"] == pytest.approx(np.mean(np.array(gold) == np.array(predicted)))
    assert report["macro_f1"] == pytest.approx(f1_score(gold, predicted, average="macro"))
    expected = precision_recall_fscore_support(gold, predicted, labels=list(CLASSES))
    for i, name in enumerate(CLASSES):
        found = report["per_class"][name]
        assert [found[key] for key in ("precision", "recall", "f1", "support")] == pytest.approx(
            [column[i] for column in expected]
        )
    matrix = [[report["confusion"][g][p] for p in CLASSES] for g in CLASSES]
    assert matrix == confusion_matrix(gold, predicted, labels=list(CLASSES)).tolist()


def test_macro_f1_covers_the_classes_present_in_gold_or_predictions():
    report = evaluate(["positive", "positive"], ["positive", "negative"], target=Target.SENTIMENT, seed=1)
    assert report["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert set(report["per_class"]) == {"positive", "negative"}
    assert report["per_class"]["negative"]["recall"] is None


def test_the_macro_f1_interval_agrees_with_drawing_rows_one_by_one():
    gold, predicted = drawn(150)
    low, high = evaluate(gold, predicted, target=Target.SENTIMENT, seed=1)["macro_f1_interval"]
    rng = np.random.default_rng(9)
    g, p = np.array(gold), np.array(predicted)
    draws = [f1_score(g[i], p[i], average="macro") for i in (rng.integers(0, 150, 150) for _ in range(400))]
    assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.02)


def test_a_thousand_rows_are_scored_within_a_second():
    gold, predicted = drawn(1000)
    began = time.perf_counter()
    evaluate(gold, predicted, target=Target.SENTIMENT, confidence=[80.0] * 1000, seed=1)
    assert time.perf_counter() - began < 1


def test_nothing_scored_gives_nulls_and_not_zeros():
    report = evaluate([], [], target=Target.SENTIMENT, seed=1)
    assert (report["n"], report["asked"], report["answered"]) == (0, 0, 0)
    for key in ("accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "brier", "ece", "majority"):
        assert report[key] is None


def test_an_unanswered_row_is_counted_and_left_out():
    report = evaluate(["positive", "neutral"], ["positive", None], target=Target.SENTIMENT, seed=1)
    assert (report["n"], report["asked"], report["answered"], report["accuracy"]) == (1, 2, 1, 1.0)


def test_ece_and_brier_use_the_rows_whose_confidence_is_known():
    gold, predicted = ["positive"] * 4, ["positive", "positive", "negative", "positive"]
    report = evaluate(gold, predicted, target=Target.SENTIMENT, confidence=[90, 100, 60, None], seed=1)
    assert report["ece"] == pytest.approx((abs(0.95 - 1) * 2 + abs(0.6 - 0)) / 3)
    assert report["brier"] == pytest.approx((0.01 + 0 + 0.36) / 3)
    assert [b["n"] for b in report["ece_bins"]] == [0, 0, 0, 0, 0, 0, 1, 0, 0, 2]


def test_missing_confidences_are_null_and_not_zero():
    report = evaluate(["positive"], ["positive"], target=Target.SENTIMENT, confidence=[None], seed=1)
    assert (report["brier"], report["ece"], report["ece_bins"]) == (None, None, [])
    assert (report["spiegelhalter"], report["ece_null"]) == (None, None)
    assert report["abstention"]["reason"] == "no_confidence"


def test_spiegelhalters_z_is_the_brier_score_less_what_the_confidences_promise():
    sure = np.array([0.9, 0.9, 0.8, 0.6, 0.7])
    right = np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    promised, variance = sum(sure * (1 - sure)), sum((1 - 2 * sure) ** 2 * sure * (1 - sure))
    expected = (sum((sure - right) ** 2) - promised) / variance**0.5
    found = spiegelhalter(right, sure)
    assert found["z"] == pytest.approx(-expected)  # ours is negative where the model is too sure
    assert found["p"] == pytest.approx(2 * NormalDist().cdf(-abs(expected)))


def test_a_model_that_is_surer_than_it_is_right_fails_the_calibration_test():
    right = (np.arange(400) % 10 < 7).astype(float)
    found = calibration(right, np.full(400, 0.95), seed=1)
    assert (found["spiegelhalter"]["z"] < -5, found["spiegelhalter"]["p"] < 1e-6) == (True, True)
    assert found["ece"] > found["ece_null"]["p95"]


def test_confidences_of_a_half_promise_nothing_that_could_be_tested():
    assert spiegelhalter(np.array([1.0, 0.0]), np.array([0.5, 0.5])) is None


def test_answers_that_go_wrong_by_whole_days_are_no_proof_of_bad_calibration():
    right = np.repeat([1.0] * 7 + [0.0] * 3, 30)
    sure, days = np.full(300, 0.8), [f"d{i // 30}" for i in range(300)]
    assert spiegelhalter(right, sure)["p"] < 0.001
    assert spiegelhalter(right, sure, days)["p"] > 0.3
    assert spiegelhalter(right, sure, ["d1"] * 150 + ["d2"] * 150) is None


def test_calibration_on_direction_is_tested_by_day():
    gold, predicted = drawn(80)
    days = [f"general|{i % 8}" for i in range(80)]
    asked = {"confidence": [70.0] * 80, "market_days": days, "seed": 1}
    assert evaluate(gold, predicted, target=Target.DIRECTION, **asked)["spiegelhalter"]["by"] == "day"
    assert evaluate(gold, predicted, target=Target.SENTIMENT, **asked)["spiegelhalter"]["by"] == "row"


def test_the_null_level_of_the_ece_is_that_of_one_binomial_where_all_are_equally_sure():
    counts = binom(50, 0.84)
    expected = sum(counts.pmf(k) * abs(k / 50 - 0.84) for k in range(51))
    assert ece_null(np.full(50, 0.84), seed=1)["mean"] == pytest.approx(expected, rel=0.05)


def test_the_null_level_of_many_rows_is_drawn_in_parts_and_falls_with_their_number():
    few, many = (ece_null(np.linspace(0.4, 0.99, n), seed=1) for n in (200, 20_000))
    assert few["mean"] / many["mean"] == pytest.approx(10, rel=0.15)
    assert few["p95"] > few["mean"]


def test_the_abstention_report_asks_for_what_the_policy_says():
    gold, predicted = drawn(300)
    policy = Policy(abstention_accuracy=0.5, abstention_confidence=0.8)
    report = evaluate(
        gold, predicted, target=Target.SENTIMENT, confidence=[70.0] * 300, policy=policy, seed=1
    )["abstention"]
    assert (report["target_accuracy"], report["level"]) == (0.5, 0.8)
    assert (report["chosen"]["threshold"], report["chosen"]["n"]) == (70.0, 300)


def test_direction_rests_on_market_days():
    gold, predicted = drawn(80)
    days = [f"general|{i % 8}" for i in range(80)]
    report = evaluate(gold, predicted, target=Target.DIRECTION, market_days=days, seed=1)
    assert report["interval_method"] == "market-day bootstrap"
    assert report["market_days"] == 8
    assert report["accuracy_interval"][0] < report["accuracy"] < report["accuracy_interval"][1]


def test_six_days_of_one_right_answer_each_are_no_proof_of_perfection():
    said = ["positive"] * 6
    report = evaluate(said, said, target=Target.DIRECTION, market_days=list("abcdef"), seed=1)
    assert report["accuracy_interval"] == pytest.approx(list(wilson(6, 6)))


def test_one_market_day_gives_no_interval():
    gold, predicted = drawn(20)
    report = evaluate(gold, predicted, target=Target.DIRECTION, market_days=["general|1"] * 20, seed=1)
    assert (report["accuracy_interval"], report["macro_f1_interval"], report["interval_method"]) == (
        None,
        None,
        None,
    )


def test_intraday_rows_are_also_left_out_to_see_what_they_add():
    report = evaluate(
        ["positive", "positive", "negative"],
        ["positive", "positive", "positive"],
        target=Target.DIRECTION,
        market_days=["a", "b", "c"],
        intraday=[True, False, False],
        seed=1,
    )
    assert (report["without_intraday"]["n"], report["without_intraday"]["accuracy"]) == (2, 0.5)


def test_latency_is_given_where_it_was_measured():
    report = evaluate(
        ["positive"] * 3, ["positive"] * 3, target=Target.SENTIMENT, latency_ms=[10, None, 20], seed=1
    )
    assert report["latency_ms"] == pytest.approx({"p50": 15.0, "p95": 19.5})


def test_ties_of_the_majority_go_to_the_order_of_the_vocabulary():
    report = evaluate(["negative", "neutral"], ["neutral", "neutral"], target=Target.SENTIMENT, seed=1)
    assert (report["majority"], report["majority_label"]) == (0.5, "neutral")
