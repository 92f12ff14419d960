import json

import pytest
from statsmodels.stats.contingency_tables import mcnemar

from core.domain.compare import compare, mcnemar_mid_p, mcnemar_n, minimum_detectable, sentence
from core.domain.policy import Policy
from core.domain.types import Target, Verdict

POLICY = Policy()


def rows(both=0, old=0, new=0, neither=0):
    """Return gold, champion and challenger with the given paired table."""
    right, wrong = "positive", "negative"
    champion = [right] * (both + old) + [wrong] * (new + neither)
    challenger = [right] * both + [wrong] * old + [right] * new + [wrong] * neither
    return [right] * (both + old + new + neither), champion, challenger


def report_of(*, target=Target.SENTIMENT, days=None, **table):
    return compare(*rows(**table), target=target, market_days=days, policy=POLICY, seed=1)


@pytest.mark.parametrize(("b", "c"), [(2, 12), (10, 10), (0, 0), (1, 6), (40, 20)])
def test_mid_p_is_the_exact_p_less_half_the_observed_point(b, c):
    exact = mcnemar([[0, b], [c, 0]], exact=True).pvalue
    from scipy.stats import binom

    expected = 1.0 if b == c else exact - binom.pmf(min(b, c), b + c, 0.5)
    assert float(mcnemar_mid_p(b, c)) == pytest.approx(expected if b != c else _mid(b), abs=1e-12)


def _mid(b):
    from scipy.stats import binom

    return min(1.0, 2 * binom.cdf(b, 2 * b, 0.5) - binom.pmf(b, 2 * b, 0.5))


def test_the_number_of_pairs_reproduces_the_table_of_the_design():
    cases = [(0.05, 0.15, 0.25), (0.10, 0.15, 0.25), (0.15, 0.17, 0.25)]
    found = [[mcnemar_n(e, d, power) for power in (0.8, 0.9) for d in ds] for e, *ds in cases]
    assert found == [[469, 783, 626, 1047], [115, 194, 153, 259], [57, 85, 75, 113]]


def test_the_minimum_detectable_difference_inverts_the_number_of_pairs():
    assert minimum_detectable(194, 0.25, 0.8) == pytest.approx(0.10, abs=1e-3)
    assert minimum_detectable(0, 0.25, 0.8) is None
    assert minimum_detectable(10, 0.25, 0.8) is None


def test_a_clear_gain_is_better_and_said_in_points():
    report = report_of(both=220, old=10, new=50, neither=32)
    assert report["verdict"] == Verdict.BETTER
    assert report["difference"] == pytest.approx(40 / 312)
    assert sentence(report) == "The challenger is better by 8 to 18 points (n=312)."
    assert json.loads(json.dumps(report)) == report


def test_a_clear_loss_is_worse():
    report = report_of(both=220, old=50, new=10, neither=32)
    assert report["verdict"] == Verdict.WORSE
    assert sentence(report).startswith("The challenger is worse by 8 to 18 points")


def test_a_narrow_interval_about_zero_is_equivalent():
    report = report_of(both=900, old=20, new=21, neither=200)
    assert report["verdict"] == Verdict.EQUIVALENT
    assert "differ by at most" in sentence(report)


def test_a_wide_interval_is_not_decided_and_says_how_many_labels_are_missing():
    report = report_of(both=60, old=10, new=15, neither=15)
    assert report["verdict"] == Verdict.INCONCLUSIVE
    assert report["more_labels"] == mcnemar_n(0.05, 0.25, 0.8) - 100
    assert "about 683 more labels needed to see 5 points" in sentence(report)


def test_more_labels_are_asked_for_only_where_nothing_is_decided():
    assert report_of(both=220, old=10, new=50, neither=32)["more_labels"] is None


def test_rows_that_one_model_did_not_answer_are_left_out_and_counted():
    report = compare(
        ["positive"] * 3,
        ["positive", None, "neutral"],
        ["positive", "positive", "positive"],
        target=Target.SENTIMENT,
        policy=POLICY,
        seed=1,
    )
    assert report["coverage"] == {"asked": 3, "both_answered": 2}
    assert report["n"] == 2


def test_no_common_rows_are_inconclusive_without_figures():
    report = compare([], [], [], target=Target.SENTIMENT, policy=POLICY, seed=1)
    assert (report["verdict"], report["interval"], report["difference"]) == (Verdict.INCONCLUSIVE, None, None)
    assert sentence(report) == "Not decided: there is no row that both models answered."


def test_one_market_day_has_no_interval_and_says_so():
    report = report_of(target=Target.DIRECTION, days=["d"] * 100, both=40, old=0, new=50, neither=10)
    assert (report["verdict"], report["interval"], report["reason"]) == (
        Verdict.INCONCLUSIVE,
        None,
        "too_few_market_days",
    )
    assert sentence(report) == "Not decided: only 1 market day (n=100); at least 6 days are needed."


def test_two_market_days_decide_nothing_however_large_the_difference():
    days = [f"d{i % 2}" for i in range(100)]
    report = report_of(target=Target.DIRECTION, days=days, both=40, old=0, new=50, neither=10)
    assert report["verdict"] == Verdict.INCONCLUSIVE
    assert sentence(report) == "Not decided: only 2 market days (n=100); at least 6 are needed."


def test_enough_market_days_can_decide_and_p_is_descriptive():
    days = [f"d{i % 10}" for i in range(100)]
    report = report_of(target=Target.DIRECTION, days=days, both=40, old=0, new=50, neither=10)
    assert (report["verdict"], report["interval_method"]) == (Verdict.BETTER, "market-day bootstrap")
    assert report["p_descriptive"]
    assert sentence(report).endswith("this rests on 10 market days.")


def test_a_difference_of_one_day_alone_does_not_decide():
    days = ["lucky"] * 50 + [f"d{i % 9}" for i in range(50)]
    gold = ["positive"] * 100
    champion = ["negative"] * 50 + ["positive"] * 50
    report = compare(gold, champion, gold, target=Target.DIRECTION, market_days=days, policy=POLICY, seed=1)
    assert report["p"] < 1e-6
    assert report["verdict"] == Verdict.INCONCLUSIVE


def test_the_sentence_goes_through_the_translation():
    report = report_of(both=220, old=10, new=50, neither=32)
    assert sentence(report, lambda text: text.replace("The challenger is better", "더 낫다")).startswith(
        "더 낫다"
    )
