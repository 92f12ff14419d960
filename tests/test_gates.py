"""The checklist of a promotion, and what a test part can decide."""

import json

import pytest

from core.domain.compare import minimum_detectable
from core.domain.gates import Gate, checklist, passed, power_note
from core.domain.policy import Policy
from core.domain.types import GateState, Sentiment

POLICY = Policy()
PASSED, FAILED, WAITING = GateState.PASSED, GateState.FAILED, GateState.WAITING
CODES = ["same_items", "rows", "rows_per_class", "untouched", "not_worse", "macro_f1", "live"]


def comparison(**changed):
    return {
        "n": 300,
        "coverage": {"asked": 300, "both_answered": 300},
        "per_class": {str(name): {"support": 100} for name in Sentiment},
        "contaminated": {"champion": 0, "challenger": 0},
        "selected_on": {"champion": False, "challenger": False},
        "difference": 0.06,
        "interval": [0.01, 0.11],
        "macro_f1_difference": {"difference": 0.05, "interval": [-0.01, 0.11], "p": 0.08},
    } | changed


def evidence(**changed):
    return {
        "verdict": "better",
        "reason": "evidence_reached",
        "n": 500,
        "days": 10,
        "unit": "article",
        "decided_on": "2025-11-12",
        "e_for": 55.0,
        "e_against": 0.02,
        "e_decided": 48.0,
        "threshold": 40.0,
        "interval": [0.02, 0.15],
        "ratio": None,
    } | changed


def checked(report=None, live=None, target="sentiment"):
    found = checklist(comparison=report, evidence=live, policy=POLICY, target=target)
    assert [gate.code for gate in found] == CODES
    return {gate.code: gate for gate in found}


def states(report=None, live=None):
    return {code: gate.state for code, gate in checked(report, live).items()}


def test_without_a_comparison_and_an_experiment_every_gate_waits():
    assert set(states().values()) == {WAITING}
    assert all(gate.measured is None for gate in checked().values())


def test_a_challenger_that_is_shown_better_passes_all_gates():
    found = checklist(comparison=comparison(), evidence=evidence(), policy=POLICY, target="sentiment")
    assert passed(found)
    assert [gate.group for gate in found] == ["G0"] * 4 + ["G1"] * 2 + ["G2"]


@pytest.mark.parametrize(
    ("changed", "code", "measured", "wanted"),
    [
        ({"coverage": {"asked": 300, "both_answered": 284}}, "same_items", 284, 285),
        ({"n": 199}, "rows", 199, 200),
        ({"contaminated": {"champion": 0, "challenger": 3}}, "untouched", 3, 0),
        ({"selected_on": {"champion": False, "challenger": True}}, "untouched", 300, 0),
        ({"interval": [-0.05, 0.2]}, "not_worse", -0.05, -0.05),
        ({"macro_f1_difference": {"difference": 0.0, "interval": [-0.08, 0.1]}}, "macro_f1", -0.08, -0.05),
    ],
)
def test_each_gate_fails_on_its_own_figure_alone(changed, code, measured, wanted):
    found = checked(comparison(**changed), evidence())
    assert [gate.code for gate in found.values() if gate.state != PASSED] == [code]
    assert (found[code].state, found[code].measured, found[code].wanted) == (FAILED, measured, wanted)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"coverage": {"asked": 300, "both_answered": 285}}, "same_items"),
        ({"n": 200}, "rows"),
        ({"interval": [-0.049, 0.1]}, "not_worse"),
    ],
)
def test_a_figure_at_its_limit_passes(changed, code):
    assert states(comparison(**changed))[code] == PASSED


def test_the_rarest_class_decides_and_a_class_without_articles_has_none():
    two = {"positive": {"support": 200}, "negative": {"support": 100}}
    gate = checked(comparison(per_class=two))["rows_per_class"]
    assert (gate.state, gate.measured, gate.wanted) == (FAILED, 0, 30)
    assert gate.detail["supports"] == {"positive": 200, "negative": 100, "neutral": 0}


def test_an_empty_comparison_passes_nothing_of_g0_but_being_untouched():
    empty = comparison(n=0, coverage={"asked": 0, "both_answered": 0}, per_class={}, interval=None)
    found = states(empty)
    assert [found[code] for code in CODES[:5]] == [FAILED, FAILED, FAILED, PASSED, WAITING]


def test_a_market_comparison_without_an_interval_is_waited_for():
    report = comparison(interval=None, macro_f1_difference={"difference": 0.02, "interval": None})
    found = checked(report, target="direction")
    assert (found["not_worse"].state, found["macro_f1"].state) == (WAITING, WAITING)


def test_live_evidence_is_told_as_of_the_day_that_decided():
    assert checked(comparison(), evidence())["live"].measured == 48


def test_live_evidence_that_has_not_decided_is_waited_for():
    gate = checked(comparison(), evidence(verdict="inconclusive", e_decided=None, e_for=12.0))["live"]
    assert (gate.state, gate.measured, gate.wanted) == (WAITING, 12, 40)


def test_an_experiment_that_ended_undecided_has_failed():
    assert (
        states(comparison(), evidence(verdict="inconclusive", e_decided=None, ended=True))["live"] == FAILED
    )


def test_live_evidence_for_the_champion_fails_and_shows_the_challengers():
    gate = checked(comparison(), evidence(verdict="worse", e_for=0.01, e_against=60.0, e_decided=60.0))[
        "live"
    ]
    assert (gate.state, gate.measured, gate.detail["e_against"]) == (FAILED, 0.01, 60)


def test_a_split_is_held_against_the_lower_end_of_its_interval():
    report = evidence(threshold=None, e_for=None, e_against=None, e_decided=None)
    gate = checked(comparison(), report)["live"]
    assert (gate.state, gate.measured, gate.wanted) == (PASSED, 0.02, 0)
    assert (
        checked(comparison(), report | {"interval": None, "verdict": "inconclusive"})["live"].measured is None
    )


@pytest.mark.parametrize(
    "ratio", [{"broken": True}, {"broken": False, "labelled": {"broken": True}}], ids=["asked", "labelled"]
)
def test_a_split_whose_traffic_is_broken_fails(ratio):
    report = evidence(threshold=None, verdict="inconclusive", e_decided=None, ratio=ratio)
    gate = checked(comparison(), report)["live"]
    assert (gate.state, gate.detail["ratio_broken"]) == (FAILED, True)


def test_one_gate_that_waits_is_enough_not_to_pass():
    assert not passed(checklist(comparison=comparison(), evidence=None, policy=POLICY, target="sentiment"))


def test_gates_survive_being_stored():
    found = checklist(comparison=comparison(n=12), evidence=evidence(), policy=POLICY, target="sentiment")
    stored = json.loads(json.dumps([gate.as_json() for gate in found], allow_nan=False))
    assert [Gate.from_json(one) for one in stored] == found


def test_a_tenth_of_500_samples_cannot_decide_ten_points_and_two_fifths_can():
    note = power_note(50, effect=0.1, discordance=0.25, policy=POLICY, n_all=500)
    assert not note["decidable"]
    assert note["power"] == pytest.approx(0.27, abs=0.03)  # simulated: .27
    assert note["needed"] == 194
    assert note["test_share_needed"] == 0.4
    larger = power_note(200, effect=0.1, discordance=0.25, policy=POLICY, n_all=500)
    assert larger["decidable"]
    assert larger["power"] == pytest.approx(0.83, abs=0.03)  # simulated: .83


@pytest.mark.parametrize("n", [60, 194, 500])
def test_the_power_is_that_of_the_smallest_difference_that_would_show(n):
    effect = minimum_detectable(n, 0.25, 0.8)
    assert power_note(n, effect=effect, discordance=0.25, policy=POLICY)["power"] == pytest.approx(0.8)


def test_no_test_share_is_offered_that_a_dataset_cannot_have():
    assert power_note(30, effect=0.1, discordance=0.25, policy=POLICY, n_all=300)["test_share_needed"] is None
    assert power_note(30, effect=0.1, discordance=0.25, policy=POLICY)["test_share_needed"] is None


def test_the_share_that_is_offered_is_enough_for_the_gate_of_rows_too():
    note = power_note(100, effect=0.15, discordance=0.25, policy=POLICY, n_all=1_000)
    assert note["decidable"]
    assert (note["needed"], note["rows"], note["test_share_needed"]) == (85, 200, 0.2)


def test_an_empty_test_part_has_no_power():
    note = power_note(0, effect=0.1, discordance=0.25, policy=POLICY)
    assert (note["power"], note["decidable"]) == (0, False)


def test_the_share_on_offer_lies_within_what_a_dataset_may_have():
    shares = [
        power_note(0, effect=0.1, discordance=0.25, policy=POLICY, n_all=n_all)["test_share_needed"]
        for n_all in (399, 400, 500, 10_000)
    ]
    assert shares == [None, 0.5, 0.4, 0.1]


@pytest.mark.parametrize(
    ("missing", "code"),
    [("per_class", "rows_per_class"), ("contaminated", "untouched"), ("selected_on", "untouched")],
)
def test_what_a_stored_comparison_did_not_look_at_is_waited_for(missing, code):
    gate = checked({name: value for name, value in comparison().items() if name != missing})[code]
    assert (gate.state, gate.measured) == (WAITING, None)
