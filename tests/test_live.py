"""The verdict of a live experiment from its rows."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest

from core.domain import live, sequential
from core.domain.live import Row, judge
from core.domain.policy import Policy
from core.domain.types import Arm, ExperimentMode

NOON = datetime(2025, 11, 3, 3, tzinfo=UTC)  # noon in Seoul
SHADOW, SPLIT = ExperimentMode.SHADOW, ExperimentMode.SPLIT
EMPTY = {"unit": "day", "verdict": "inconclusive", "reason": "no_rows", "decided_on": None, "series": []}


def shadow(rows, *, by_day=False, **policy):
    return judge(rows, mode=SHADOW, by_day=by_day, allocation=None, asked={}, policy=Policy(**policy))


def split(rows, *, by_day=False, allocation=0.5, asked=None):
    asked = {arm: sum(row.arm == arm for row in rows) for arm in Arm} if asked is None else asked
    return judge(rows, mode=SPLIT, by_day=by_day, allocation=allocation, asked=asked, policy=Policy())


def pair(day, champion, challenger, *, of=None, at=None):
    closed = at or NOON + timedelta(days=day)
    return Row(closed, of or f"day {day}", Arm.BOTH, champion, challenger)


def day_of(day, *, wins=0, losses=0, both=0, neither=0, **names):
    answers = [(False, True)] * wins + [(True, False)] * losses + [(True, True)] * both
    return [pair(day, *each, **names) for each in answers + [(False, False)] * neither]


def steady(days, **counts):
    return [row for day in range(days) for row in day_of(day, **counts)]


def armed(days, *, champion, challenger, each=20):
    """Return rows of a split with `each` articles of either arm a day, so many of them right."""
    rows = []
    for day in range(days):
        at, name = NOON + timedelta(days=day), f"day {day}"
        rows += [Row(at, name, Arm.CHAMPION, i < champion, None) for i in range(each)]
        rows += [Row(at, name, Arm.CHALLENGER, None, i < challenger) for i in range(each)]
    return rows


def test_nothing_closed_yet_is_no_evidence():
    report = shadow([])
    assert report | EMPTY == report
    assert (report["n"], report["days"], report["e_for"], report["e_against"]) == (0, 0, 1, 1)
    assert report["difference"] is report["interval"] is report["champion_accuracy"] is None


def test_an_empty_split_says_that_its_ratio_is_not_broken():
    report = split([])
    assert report | EMPTY == report
    assert report["ratio"] == {
        "e": 1,
        "threshold": 1000,
        "broken": False,
        "challenger": 0,
        "champion": 0,
        "labelled": {"e": 1, "threshold": 1000, "broken": False, "challenger": 0, "champion": 0},
    }


def test_the_four_outcomes_are_counted():
    report = shadow(day_of(0, wins=4, losses=1, both=10, neither=5))
    counts = [report[key] for key in ("n", "wins", "losses", "both_right", "both_wrong")]
    assert counts == [20, 4, 1, 10, 5]
    assert (report["champion_accuracy"], report["challenger_accuracy"]) == (0.55, 0.7)
    assert report["difference"] == pytest.approx(0.15)


def test_a_failure_of_one_side_is_a_loss_and_an_answer_still_to_come_is_not_counted():
    rows = [pair(0, True, False), pair(0, True, None), pair(0, None, None)]
    report = shadow(rows)
    assert (report["n"], report["losses"]) == (1, 1)


def test_evidence_by_article_is_told_from_the_sixth_day_on():
    report = shadow(steady(6, wins=3, losses=2))
    assert (report["unit"], report["unit_reason"]) == ("article", live.INDEPENDENT)
    assert report["e_for"] == pytest.approx(float(np.exp(sequential.paired_log_e(18, 12))))
    assert report["e_against"] == pytest.approx(float(np.exp(sequential.paired_log_e(12, 18))))


def test_before_the_sixth_day_the_weaker_of_both_units_counts():
    report = shadow(steady(5, wins=30))
    assert (report["unit"], report["unit_reason"], report["design_effect"]) == (
        "day",
        live.TOO_FEW_DAYS,
        None,
    )
    assert report["e_for"] == pytest.approx(float(np.exp(sequential.day_log_e([1.0] * 5)[-1])))
    assert report["verdict"] == "inconclusive"


def test_days_that_swing_together_are_one_bet_each():
    rows = [
        row for day in range(12) for row in day_of(day, wins=9 * (day % 3 > 0), losses=9 * (day % 3 == 0))
    ]
    report = shadow(rows)
    assert (report["unit"], report["unit_reason"]) == ("day", live.DEPENDENT)
    assert report["design_effect"] > 3
    by_article = sequential.paired_log_e(report["wins"], report["losses"])
    assert report["e_for"] < 40 < np.exp(by_article)
    assert report["verdict"] == "inconclusive"


def test_market_labels_are_bet_on_by_day():
    report = shadow(steady(9, wins=3, losses=1), by_day=True)
    assert (report["unit"], report["unit_reason"]) == ("day", live.MARKET_DAYS)
    assert report["e_for"] == pytest.approx(float(np.exp(sequential.day_log_e([0.5] * 9)[-1])))


@pytest.mark.parametrize(("wins", "losses", "verdict"), [(5, 1, "better"), (1, 5, "worse")])
def test_the_verdict_is_about_the_challenger(wins, losses, verdict):
    report = shadow(steady(8, wins=wins, losses=losses))
    assert (report["verdict"], report["reason"]) == (verdict, live.REACHED)


def test_the_first_day_that_reaches_the_threshold_decides_and_no_later_one_takes_it_back():
    rows = steady(8, wins=5, losses=1)
    reached = shadow(rows)
    later = shadow(rows + [row for day in range(8, 20) for row in day_of(day, wins=1, losses=5)])
    assert later["e_for"] < 40
    assert reached["e_decided"] == later["e_decided"] >= 40
    assert reached["decided_on"] == later["decided_on"] == "2025-11-08"
    assert later["verdict"] == "better"


def test_the_report_does_not_depend_on_the_order_of_the_rows():
    rows = steady(10, wins=3, losses=2, both=4) + day_of(11, losses=3)
    mixed = Random(1).sample(rows, len(rows))
    assert shadow(mixed) == shadow(rows)


def test_days_are_taken_in_the_order_in_which_their_last_article_closed():
    late = day_of(0, losses=3, at=NOON + timedelta(days=2), of="z") + day_of(0, wins=2, of="z")
    report = shadow(late + day_of(1, wins=4, of="a"))
    assert [(point["day"], point["wins"]) for point in report["series"]] == [
        ("2025-11-04", 4),
        ("2025-11-05", 6),
    ]


def test_two_families_that_close_on_one_date_are_two_bets_and_one_look():
    rows = day_of(0, wins=2, of="general|0") + day_of(0, wins=2, of="crypto|0", at=NOON + timedelta(hours=9))
    report = shadow(rows, by_day=True)
    assert report["days"] == 2
    assert [(point["day"], point["n"]) for point in report["series"]] == [("2025-11-03", 4)]
    assert report["e_for"] == pytest.approx(float(np.exp(sequential.day_log_e([1.0, 1.0])[-1])))


def test_dates_are_those_of_seoul():
    late = datetime(2025, 11, 3, 15, 30, tzinfo=UTC)  # 00:30 on the 4th in Seoul
    assert shadow(day_of(0, wins=1, at=late))["series"][0]["day"] == "2025-11-04"


def test_an_interval_takes_a_hundred_articles_and_ten_days():
    assert shadow(steady(9, wins=3, losses=2, both=10))["interval"] is None
    assert shadow(steady(10, wins=3, losses=2, both=4))["interval"] is None
    low, high = shadow(steady(10, wins=3, losses=2, both=5))["interval"]
    assert low < 0.1 < high


def test_days_that_swing_together_widen_the_interval():
    swinging = [
        row for day in range(20) for row in day_of(day, wins=8 * (day % 2), losses=8 * (1 - day % 2), both=8)
    ]
    low, high = shadow(swinging)["interval"]
    steady_low, steady_high = shadow(steady(20, wins=4, losses=4, both=8))["interval"]
    assert high - low > 2 * (steady_high - steady_low)


def test_the_series_ends_with_the_figures_of_the_report():
    report = shadow(steady(12, wins=3, losses=2, both=10))
    last = report["series"][-1]
    assert len(report["series"]) == 12
    assert [last[key] for key in ("n", "wins", "losses", "e_for", "e_against", "difference")] == [
        report[key] for key in ("n", "wins", "losses", "e_for", "e_against", "difference")
    ]
    assert [last["low"], last["high"]] == report["interval"]
    assert report["series"][8]["low"] is None


def test_overwhelming_evidence_stays_within_what_json_holds():
    report = shadow(steady(30, wins=100))
    assert report["e_for"] == 1e12
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_a_split_weighs_both_arms_and_has_no_pairs():
    report = split(armed(30, champion=14, challenger=17))
    assert report["n"] == 1200
    assert (report["champion_accuracy"], report["challenger_accuracy"]) == (0.7, 0.85)
    assert report["difference"] == pytest.approx(0.15)
    assert report["wins"] is report["both_right"] is report["e_for"] is report["threshold"] is None
    assert report["verdict"] == "better"
    assert report["decided_on"] == "2025-11-12"


def test_a_split_decides_against_a_worse_challenger():
    assert split(armed(30, champion=17, challenger=14))["verdict"] == "worse"


def test_a_split_decides_nothing_before_ten_days():
    assert split(armed(9, champion=5, challenger=20))["verdict"] == "inconclusive"


def test_a_split_of_equal_models_stays_open():
    report = split(armed(60, champion=15, challenger=15))
    low, high = report["interval"]
    assert low < 0 < high
    assert (report["verdict"], report["reason"]) == ("inconclusive", live.NOT_YET)


def test_an_uneven_split_is_weighed_by_its_allocation():
    rows = [row for row in armed(40, champion=15, challenger=18) if row.arm == Arm.CHAMPION]
    at_tenth = armed(40, champion=0, challenger=4, each=5)
    rows += [row for row in at_tenth if row.arm == Arm.CHALLENGER]
    report = split(rows, allocation=0.2)
    assert report["difference"] == pytest.approx(0.8 - 0.75, abs=0.005)


def test_traffic_that_is_not_dealt_out_as_planned_withholds_the_verdict():
    rows = armed(30, champion=14, challenger=17)
    report = split(rows, asked={Arm.CHAMPION: 900, Arm.CHALLENGER: 600})
    assert report["ratio"]["broken"]
    assert (report["verdict"], report["reason"]) == ("inconclusive", live.RATIO_BROKEN)


def test_labels_that_reach_one_arm_more_often_withhold_the_verdict():
    rows = armed(30, champion=14, challenger=17)
    kept = [row for i, row in enumerate(rows) if row.arm == Arm.CHALLENGER or i % 2]
    report = split(kept, asked={Arm.CHAMPION: 600, Arm.CHALLENGER: 600})
    assert not report["ratio"]["broken"]
    assert report["ratio"]["labelled"]["broken"]
    assert report["reason"] == live.RATIO_BROKEN


def test_a_ratio_once_broken_stays_so():
    broken = armed(10, champion=10, challenger=10)
    lopsided = [row for row in broken if row.arm == Arm.CHALLENGER]
    made_up = [Row(NOON + timedelta(days=40), "late", Arm.CHAMPION, True, None) for _ in range(len(lopsided))]
    assert split(lopsided + made_up)["ratio"]["labelled"] == {
        "e": pytest.approx(split(broken)["ratio"]["e"]),
        "threshold": 1000,
        "broken": True,
        "challenger": 200,
        "champion": 200,
    }


def test_a_split_without_an_allocation_is_refused():
    with pytest.raises(ValueError, match="allocation"):
        judge([], mode=SPLIT, by_day=False, allocation=None, asked={}, policy=Policy())


def test_a_row_of_both_arms_has_no_place_in_a_split():
    with pytest.raises(ValueError, match="one arm"):
        split(day_of(0, wins=1))


def test_the_threshold_is_the_policys():
    rows = steady(6, wins=4, losses=1)
    assert shadow(rows, evidence_threshold=10)["verdict"] == "better"
    assert shadow(rows, evidence_threshold=1e9)["verdict"] == "inconclusive"
    assert shadow(rows, evidence_threshold=10)["threshold"] == 10


def test_a_watched_former_champion_that_was_behind_may_be_shown_better_later():
    behind = [row for day in range(8) for row in day_of(day, losses=3)]
    ahead = [row for day in range(8, 60) for row in day_of(day, wins=3)]
    asked = {"mode": SHADOW, "by_day": False, "allocation": None, "asked": {}, "policy": Policy()}
    assert judge(behind, **asked, watch=True)["verdict"] == "worse"
    report = judge([*behind, *ahead], **asked, watch=True)
    assert (report["verdict"], report["e_decided"] >= 40) == ("better", True)
    assert report["decided_on"] > "2025-11-11"
    assert judge([*behind, *ahead], **asked)["verdict"] == "worse"  # a challenge was decided long before
