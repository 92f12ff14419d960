import json

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from core.domain.compare import (
    Facts,
    compare,
    mcnemar_mid_p,
    mcnemar_n,
    minimum_detectable,
    sentence,
    withhold_leaked,
)
from core.domain.latency import latency
from core.domain.policy import Policy
from core.domain.types import Target, Verdict
from core.domain.verdicts import correct_for_many

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


def test_models_alike_on_six_articles_of_six_days_are_not_shown_to_be_equivalent():
    report = report_of(target=Target.DIRECTION, days=[f"d{i}" for i in range(6)], both=6)
    assert (report["verdict"], report["reason"]) == (Verdict.INCONCLUSIVE, "interval_spans_zero")
    assert {target["state"] for target in report["plan"]} == {"open"}


@pytest.mark.parametrize(
    ("table", "days", "p"),
    [
        ({"both": 196, "new": 4}, None, "p"),
        # five days that all gain, and a sixth on which nothing differs
        ({"both": 10, "new": 100}, ["e"] * 10 + [f"d{i % 5}" for i in range(100)], "p_by_day"),
    ],
)
def test_an_interval_beyond_zero_names_no_winner_where_the_test_does_not(table, days, p):
    target = Target.SENTIMENT if days is None else Target.DIRECTION
    report = report_of(target=target, days=days, **table)
    assert (report[p], report["interval"][0] > 0) == (pytest.approx(2 / 2**5), True)
    assert (report["verdict"], report["reason"]) == (Verdict.INCONCLUSIVE, "not_confirmed_by_the_test")
    assert sentence(report).startswith("Not decided: the difference lies between ")


def test_many_articles_of_few_days_would_not_have_shown_a_small_difference():
    # on four days of 150 articles the challenger alone is right on 54, on four others the champion on 48
    parts = [("both", 0, 96), ("old", 4, 48), ("new", 0, 54), ("neither", 4, 102)]
    days = [f"d{first + i % 4}" for _, first, a_day in parts for i in range(4 * a_day)]
    table = {name: 4 * a_day for name, _, a_day in parts}
    of_days, of_rows = (
        report_of(target=target, days=days, **table) for target in (Target.DIRECTION, Target.SENTIMENT)
    )
    assert "would probably have shown" in sentence(of_rows)
    assert "more labels needed to see 5 points" in sentence(of_days)
    assert of_days["sensible_n"] > 10 * of_rows["sensible_n"]
    assert (of_days["test_too_small"], of_rows["test_too_small"]) == (True, False)
    assert (of_days["minimum_detectable"] or 1) > of_rows["minimum_detectable"]


def test_the_sentence_goes_through_the_translation():
    report = report_of(both=220, old=10, new=50, neither=32)
    assert sentence(report, lambda text: text.replace("The challenger is better", "더 낫다")).startswith(
        "더 낫다"
    )


def test_the_sentence_says_names_where_both_are_given():
    better = report_of(both=220, old=10, new=50, neither=32)
    worse = report_of(both=220, old=50, new=10, neither=32)
    names = {"champion": "few-shot", "challenger": "tuned {7}"}
    assert sentence(better, **names) == "tuned {7} is better than few-shot by 8 to 18 points (n=312)."
    assert sentence(worse, **names) == "tuned {7} is worse than few-shot by 8 to 18 points (n=312)."
    assert sentence(better, challenger="tuned") == "The challenger is better by 8 to 18 points (n=312)."


def test_the_report_of_all_figures_is_plain_json():
    gold, champion, challenger = rows(both=150, old=20, new=40, neither=30)
    known = Facts([80.0] * 240, [5.0] * 240, 12)
    report = compare(
        gold,
        champion,
        challenger,
        target=Target.SENTIMENT,
        champion_facts=known,
        challenger_facts=known,
        policy=POLICY,
        seed=1,
    )
    assert json.loads(json.dumps(report)) == report
    assert report["cost_per_1000_micro_usd"] == {"champion": 12, "challenger": 12}
    assert report["confusion"]["challenger"]["positive"] == {"positive": 190, "neutral": 0, "negative": 50}
    assert report["macro_f1_difference"]["difference"] == pytest.approx(
        report["macro_f1_challenger"] - report["macro_f1_champion"]
    )
    assert report["per_class"]["positive"]["interval"] == pytest.approx(report["interval"])
    for role in ("champion", "challenger"):
        assert report["calibration"][role]["brier"] is not None
        assert report["abstention"][role]["curve"][-1]["coverage"] == 1.0


def test_confidences_go_with_the_rows_that_both_answered():
    report = compare(
        ["positive", "positive"],
        ["positive", "positive"],
        [None, "positive"],
        target=Target.SENTIMENT,
        champion_facts=Facts([99.0, 60.0]),
        policy=POLICY,
        seed=1,
    )
    assert [point["threshold"] for point in report["abstention"]["champion"]["curve"]] == [60.0]
    assert report["calibration"]["challenger"]["brier"] is None


def test_what_is_not_known_is_none_and_never_zero():
    report = report_of(both=5, new=5)
    assert report["latency"] == {"champion": None, "challenger": None, "change": None, "interval": None}
    assert report["cost_per_1000_micro_usd"] == {"champion": None, "challenger": None}


def test_the_change_of_the_latency_is_that_of_the_medians():
    found = latency([100.0, None, 200.0, 300.0], [50.0, 100.0], seed=1)
    assert found["champion"] == {"p50": 200.0, "p95": pytest.approx(290.0), "n": 3}
    assert (found["change"], found["interval"]) == (pytest.approx(-0.625), None)


def test_the_latency_interval_agrees_with_drawing_answers_one_by_one():
    rng = np.random.default_rng(4)
    old, new = rng.gamma(4, 50, 81), rng.gamma(4, 40, 61)
    draws = [
        np.median(rng.choice(new, len(new))) / np.median(rng.choice(old, len(old))) - 1 for _ in range(2000)
    ]
    found = latency(old.tolist(), new.tolist(), seed=1)
    assert found["interval"] == pytest.approx(np.quantile(draws, [0.025, 0.975]).tolist(), abs=0.04)


def plan_of(report):
    return {target["code"]: target for target in report["plan"]}


def test_a_target_is_reached_when_the_whole_interval_is_beyond_it():
    report = report_of(both=500, old=10, new=210, neither=30)
    assert [plan_of(report)[code]["state"] for code in ("gain", "accuracy")] == ["reached", "reached"]
    assert plan_of(report)["gain"]["needed"] is None


def test_a_target_is_missed_when_the_whole_interval_falls_short_of_it():
    report = report_of(both=300, old=20, new=21, neither=200)
    assert [plan_of(report)[code]["state"] for code in ("gain", "accuracy")] == ["missed", "missed"]


def test_latency_is_a_target_too_and_less_is_more():
    def state(champion_ms, challenger_ms):
        known = [
            Facts(latency_ms=[ms * (1 + i % 5 / 100) for i in range(50)])
            for ms in (champion_ms, challenger_ms)
        ]
        report = compare(
            *rows(both=10),
            target=Target.SENTIMENT,
            champion_facts=known[0],
            challenger_facts=known[1],
            policy=POLICY,
            seed=1,
        )
        return plan_of(report)["latency"]["state"]

    assert [state(100, ms) for ms in (50, 70, 90, 120)] == ["reached", "open", "missed", "missed"]


def test_what_a_small_test_part_needs_would_settle_the_gain():
    report = report_of(both=30, old=5, new=9, neither=6)
    assert (report["sensible_n"], report["test_too_small"]) == (mcnemar_n(0.1, 14 / 50, 0.8), True)
    needed = plan_of(report)["gain"]["needed"]
    times = needed // 50 + 1
    states = [
        plan_of(report_of(both=30 * k, old=5 * k, new=9 * k, neither=6 * k))["gain"]["state"]
        for k in (times // 2, times)
    ]
    assert states == ["open", "missed"]


def test_a_small_test_part_needs_at_least_the_articles_on_which_a_gain_of_ten_points_would_show():
    report = report_of(both=30, old=7, new=7, neither=6)
    assert plan_of(report)["gain"]["needed"] == report["sensible_n"] == mcnemar_n(0.1, 14 / 50, 0.8)


def test_a_large_part_needs_the_articles_that_would_settle_the_measured_gain():
    few, many = (report_of(both=210 * k, old=15 * k, new=60 * k, neither=15 * k) for k in (1, 4))
    assert (few["test_too_small"], plan_of(few)["gain"]["state"]) == (False, "open")
    needed = plan_of(few)["gain"]["needed"]
    assert 300 < needed < 1200
    assert plan_of(many)["gain"]["state"] == "reached"


def test_a_figure_on_the_target_itself_would_never_be_settled():
    report = report_of(both=700, old=50, new=150, neither=100)
    assert (plan_of(report)["gain"]["measured"], plan_of(report)["gain"]["needed"]) == (0.1, None)


def test_a_part_too_small_for_the_plans_gain_is_said():
    assert report_of(both=220, old=10, new=50, neither=32)["test_too_small"] is False
    assert report_of()["test_too_small"] is True
    assert report_of()["sensible_n"] is None


def test_too_few_market_days_leave_the_plan_open():
    days = [f"d{i % 2}" for i in range(100)]
    report = report_of(target=Target.DIRECTION, days=days, both=40, new=50, neither=10)
    assert {target["state"] for target in report["plan"]} == {"open"}


def test_figures_on_articles_of_the_training_say_nothing_of_the_plan_but_the_latency():
    gold, champion, challenger = rows(both=500, old=10, new=210, neither=30)
    report = compare(
        gold,
        champion,
        challenger,
        target=Target.SENTIMENT,
        champion_facts=Facts(latency_ms=[100.0] * 20),
        challenger_facts=Facts(latency_ms=[10.0] * 20),
        policy=POLICY,
        seed=1,
    )
    withheld = withhold_leaked(report, {"champion": 0, "challenger": 3})
    assert withheld["verdict"] == "inconclusive"
    assert [target["state"] for target in report["plan"]] == ["reached"] * 3
    assert [target["state"] for target in withheld["plan"]] == ["open", "open", "reached"]


def test_whole_market_days_are_swapped_for_the_p_of_direction():
    days = [f"d{i % 8}" for i in range(100)]
    report = report_of(target=Target.DIRECTION, days=days, both=40, new=50, neither=10)
    assert report["p_by_day"] == pytest.approx(2 / 2**8)
    assert report_of(both=40, new=50, neither=10)["p_by_day"] is None


@pytest.mark.parametrize("holm_p", [0.05, 0.6, None])
def test_among_many_pairs_a_winner_needs_a_corrected_p(holm_p):
    report = correct_for_many(report_of(both=220, old=10, new=50, neither=32), holm_p, 28)
    assert (report["verdict"], report["reason"]) == (Verdict.INCONCLUSIVE, "not_after_holm")
    assert "among 28 pairs compared at once" in sentence(report)


def test_a_corrected_p_below_5_percent_leaves_the_verdict():
    better = report_of(both=220, old=10, new=50, neither=32)
    assert correct_for_many(better, 0.049, 3) == better | {"holm_p": 0.049, "pairs": 3}


def test_equivalence_is_left_as_it_is_among_many_pairs():
    report = correct_for_many(report_of(both=900, old=20, new=21, neither=200), 1.0, 3)
    assert report["verdict"] == Verdict.EQUIVALENT
