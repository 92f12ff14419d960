import itertools

import numpy as np
import pytest
from scipy.stats import permutation_test
from sklearn.metrics import f1_score
from statsmodels.stats.multitest import multipletests

from core.domain import paired
from core.domain.intervals import tango
from core.domain.metrics import CLASSES, Answers
from core.domain.types import Target


def drawn(n, *, old=0.6, new=0.8, days=None, seed=3):
    """Return the answers of two models that are right with the given probabilities."""
    rng = np.random.default_rng(seed)
    gold = rng.choice(CLASSES, n).tolist()

    def said(right):
        return [g if rng.random() < right else str(rng.choice(CLASSES)) for g in gold]

    target = Target.SENTIMENT if days is None else Target.DIRECTION
    where = None if days is None else [f"d{i % days}" for i in range(n)]
    return Answers(gold, said(old), where, target), Answers(gold, said(new), where, target)


def f1_gap(gold, old, new):
    """Return the difference of two macro-F1, counted row by row."""

    def f1(said, name):
        hits = sum(s == name == g for s, g in zip(said, gold, strict=True))
        return 2 * hits / (list(said).count(name) + list(gold).count(name))

    def macro(said):
        present = {*gold, *said}
        return sum(f1(said, name) for name in present) / len(present)

    return macro(new) - macro(old)


def test_the_difference_of_macro_f1_is_that_of_scikit_learn():
    old, new = drawn(200)
    found = paired.macro_f1_difference(old, new, seed=1)
    theirs = [f1_score(old.gold, each.predicted, average="macro") for each in (old, new)]
    assert found["difference"] == pytest.approx(theirs[1] - theirs[0])
    assert (found["interval_method"], found["p_method"]) == ("paired bootstrap", "permutation of rows")


def test_the_macro_f1_interval_agrees_with_drawing_rows_one_by_one():
    old, new = drawn(150)
    low, high = paired.macro_f1_difference(old, new, seed=1)["interval"]
    rows = list(zip(old.gold, old.predicted, new.predicted, strict=True))
    rng = np.random.default_rng(9)
    draws = [f1_gap(*zip(*(rows[i] for i in rng.integers(0, 150, 150)), strict=True)) for _ in range(400)]
    assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.025)


def test_the_permutation_p_is_the_share_of_all_swaps_that_differ_as_much():
    gold = ["positive", "neutral", "negative", "positive", "neutral", "negative", "positive", "neutral"]
    was = ["positive", "positive", "positive", "neutral", "neutral", "neutral", "positive", "negative"]
    now = ["positive", "neutral", "negative", "positive", "positive", "neutral", "positive", "neutral"]
    observed = abs(f1_gap(gold, was, now))
    gaps = []
    for swaps in itertools.product([False, True], repeat=len(gold)):
        one = [b if swap else a for a, b, swap in zip(was, now, swaps, strict=True)]
        two = [a if swap else b for a, b, swap in zip(was, now, swaps, strict=True)]
        gaps.append(abs(f1_gap(gold, one, two)) >= observed - 1e-12)
    answers = [Answers(gold, said, None, Target.SENTIMENT) for said in (was, now)]
    assert paired.macro_f1_difference(*answers, seed=1)["p"] == pytest.approx(np.mean(gaps), abs=0.03)


def test_models_that_say_the_same_do_not_differ():
    old, _ = drawn(100)
    found = paired.macro_f1_difference(old, old, seed=1)
    assert (found["difference"], found["interval"], found["p"]) == (0.0, [0.0, 0.0], 1.0)


def test_no_rows_have_no_macro_f1_difference():
    nothing = Answers([], [], None, Target.SENTIMENT)
    assert set(paired.macro_f1_difference(nothing, nothing, seed=1).values()) == {None}


def test_on_direction_whole_days_are_drawn_and_swapped():
    old, new = drawn(200, days=8)
    found = paired.macro_f1_difference(old, new, seed=1)
    assert (found["interval_method"], found["p_method"]) == (
        "market-day bootstrap",
        "permutation of market days",
    )
    assert found["p"] >= 2 / 2**8 / 2  # eight days cannot show more than 2 of 256 arrangements


def test_one_good_day_makes_no_small_p_of_macro_f1():
    days = ["lucky"] * 60 + [f"d{i % 5}" for i in range(60)]
    gold = [CLASSES[i % 3] for i in range(120)]
    was = [CLASSES[(i + 1) % 3] for i in range(60)] + gold[60:]
    of_days, of_rows = (
        paired.macro_f1_difference(
            Answers(gold, was, days, target), Answers(gold, gold, days, target), seed=1
        )["p"]
        for target in (Target.DIRECTION, Target.SENTIMENT)
    )
    assert of_rows < 0.001
    assert of_days > 0.5


def test_direction_without_known_days_has_no_interval_and_no_p():
    old, new = drawn(60)
    answers = [Answers(each.gold, each.predicted, None, Target.DIRECTION) for each in (old, new)]
    found = paired.macro_f1_difference(*answers, seed=1)
    assert (found["interval"], found["p"], found["difference"] > 0) == (None, None, True)


def test_the_day_p_agrees_with_scipys_permutation_of_samples():
    old, new = drawn(90, days=9)
    gain = new.right - old.right
    sums = np.array([gain[[day == f"d{i}" for day in old.days]].sum() for i in range(9)])
    expected = permutation_test(
        (sums,), lambda x, axis: np.sum(x, axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    assert paired.day_sign_p(old, new, seed=1) == pytest.approx(expected.pvalue)


def test_many_days_are_swapped_at_random_and_agree_with_all_swaps():
    old, new = drawn(130, days=13, old=0.7)
    exact = paired.day_sign_p(old, new, seed=1)
    halves = [f"{day}{i % 2}" if day == "d0" else day for i, day in enumerate(old.days)]
    split = [Answers(each.gold, each.predicted, halves, each.target) for each in (old, new)]
    assert len(set(halves)) == 14
    assert paired.day_sign_p(*split, seed=1) == pytest.approx(exact, abs=0.06)


@pytest.mark.parametrize("days", [None, ["one"] * 60])
def test_fewer_than_two_days_have_no_p(days):
    old, new = drawn(60)
    answers = [Answers(each.gold, each.predicted, days, Target.DIRECTION) for each in (old, new)]
    assert paired.day_sign_p(*answers, seed=1) is None


def test_a_recall_rests_on_the_rows_of_its_class():
    gold = ["positive"] * 40 + ["negative"] * 10
    was = ["positive"] * 20 + ["neutral"] * 20 + ["negative"] * 10
    now = ["positive"] * 30 + ["neutral"] * 10 + ["neutral"] * 10
    old, new = (Answers(gold, said, None, Target.SENTIMENT) for said in (was, now))
    found = paired.per_class(old, new, seed=1)
    low, high = tango(10, 0, 40)
    assert found["positive"] == {
        "support": 40,
        "recall_champion": 0.5,
        "recall_challenger": 0.75,
        "difference": 0.25,
        "interval": [float(low), float(high)],
    }
    assert (found["negative"]["support"], found["negative"]["difference"]) == (10, -1.0)


def test_a_class_without_rows_has_support_0_and_no_figures():
    old, new = (Answers(["positive"], ["positive"], None, Target.SENTIMENT) for _ in range(2))
    assert paired.per_class(old, new, seed=1)["neutral"] == {
        "support": 0,
        "recall_champion": None,
        "recall_challenger": None,
        "difference": None,
        "interval": None,
    }


def test_recalls_on_direction_rest_on_market_days():
    old, new = drawn(240, days=1)
    assert all(each["interval"] is None for each in paired.per_class(old, new, seed=1).values())
    old, new = drawn(240, days=12)
    for found in paired.per_class(old, new, seed=1).values():
        assert found["interval"][0] < found["difference"] < found["interval"][1]


@pytest.mark.parametrize("ps", [[0.01, 0.04, 0.03, 0.5], [0.9], [0.02, 0.02, 0.02], [0.6, 0.001, 0.7]])
def test_holm_agrees_with_statsmodels(ps):
    assert paired.holm(ps) == pytest.approx(multipletests(ps, method="holm")[1].tolist())


def test_holm_of_nothing_is_nothing():
    assert paired.holm([]) == []
