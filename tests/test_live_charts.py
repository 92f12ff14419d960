"""Figures and sentences of live experiments, gates and cascades: values in, what a reader sees out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log10

import pytest

from core.domain import gates, live
from core.domain.live import Row
from core.domain.policy import Policy
from core.domain.types import Arm, ExperimentMode, ExperimentPurpose, GateState, Target
from ui import cascade_charts, gate_list, live_charts, live_words
from ui.cascade_charts import Curve, Mark

START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
WORDS = {"for": "challenger better", "against": "champion better", "decision": "decided at 40 : 1", "n": "n"}
CHALLENGE, WATCH = ExperimentPurpose.CHALLENGE, ExperimentPurpose.WATCH


def row(day, old, new, arm=Arm.BOTH):
    at = START + timedelta(days=day)
    return Row(closed_at=at, day=at.date().isoformat(), arm=arm, champion_right=old, challenger_right=new)


def judged(wins=0, losses=0, both=0, *, days=12, by_day=False):
    """Return the evidence of articles dealt evenly over days."""
    pairs = [(False, True)] * wins + [(True, False)] * losses + [(True, True)] * both
    rows = [row(i % days, *pair) for i, pair in enumerate(pairs)]
    return live.judge(
        rows, mode=ExperimentMode.SHADOW, by_day=by_day, allocation=None, asked={}, policy=Policy()
    )


def dealt(challenger, champion, days=12):
    """Return the evidence of a split by (right, wrong) of each side."""
    rows = [
        row(i % days, *((None, right) if arm == Arm.CHALLENGER else (right, None)), arm)
        for arm, (good, bad) in ((Arm.CHALLENGER, challenger), (Arm.CHAMPION, champion))
        for i, right in enumerate([True] * good + [False] * bad)
    ]
    asked = {Arm.CHALLENGER: sum(challenger), Arm.CHAMPION: sum(champion)}
    return live.judge(
        rows, mode=ExperimentMode.SPLIT, by_day=False, allocation=0.5, asked=asked, policy=Policy()
    )


def texts(figure):
    return [annotation.text for annotation in figure.layout.annotations]


@pytest.mark.parametrize(
    ("e", "said"),
    [(52.3, "52 : 1"), (1.0, "1 : 1"), (3.14, "3.1 : 1"), (0.125, "1 : 8"), (1e12, "≥ 1,000,000 : 1"), (1e-12, "≤ 1 : 1,000,000")],
)  # fmt: skip
def test_evidence_is_told_as_odds(e, said):
    assert live_charts.ratio(e) == said


def test_the_line_that_decides_is_drawn_at_its_logarithm_and_labelled():
    figure = live_charts.evidence(judged(30, 5, 60)["series"], 40, WORDS)
    assert [shape.y0 for shape in figure.layout.shapes] == [log10(40), 0]
    assert "decided at 40 : 1" in texts(figure)


def test_both_sides_of_the_evidence_are_drawn_apart_in_colour_and_in_stroke():
    lines = live_charts.evidence(judged(30, 5, 60)["series"], 40, WORDS).data
    assert len({(line.line.color, line.line.dash) for line in lines}) == 2
    assert len({line.line.dash for line in lines}) == 2


def test_the_last_evidence_of_either_side_stands_above_the_plot():
    shown = judged(30, 5, 60)
    [key] = [text for text in texts(live_charts.evidence(shown["series"], 40, WORDS)) if "<br>" in text]
    assert f"challenger better <b>{live_charts.ratio(shown['e_for'])}</b>" in key
    assert f"champion better <b>{live_charts.ratio(shown['e_against'])}</b>" in key


def test_hopeless_evidence_runs_along_the_floor_and_says_its_true_value():
    figure = live_charts.evidence(judged(900, 0, 0)["series"], 40, WORDS)
    against = figure.data[1]
    assert min(against.y) == log10(live_charts.FLOOR)
    assert against.customdata[-1].startswith("1 : ")
    assert figure.layout.yaxis.range[0] <= min(against.y)


def test_overwhelming_evidence_runs_along_the_ceiling():
    points = [{"day": "2026-01-05", "n": 900, "e_for": 1e12, "e_against": 0.01}]
    figure = live_charts.evidence(points, 40, WORDS)
    assert figure.data[0].y == (log10(live_charts.CEILING),)
    assert figure.layout.yaxis.range[1] > log10(live_charts.CEILING)


def test_an_experiment_of_one_day_is_drawn_too():
    figure = live_charts.evidence(judged(2, 1, 5, days=1)["series"], 40, WORDS)
    assert [len(line.x) for line in figure.data] == [1, 1]


def test_of_several_units_that_close_on_a_day_the_last_is_drawn():
    points = [
        {"day": "general|2026-01-05", "n": 3},
        {"day": "crypto|2026-01-05", "n": 7},
        {"day": "general|2026-01-06", "n": 9},
    ]
    assert [(day, point["n"]) for day, point in live_charts.by_date(points)] == [
        ("2026-01-05", 7),
        ("2026-01-06", 9),
    ]


def test_the_interval_of_the_difference_begins_where_it_is_told():
    shown = judged(30, 10, 160)
    figure = live_charts.difference_over_time(shown["series"], WORDS | {"unit": "pp"})
    low, high, middle = figure.data
    told = [point for point in shown["series"] if point["low"] is not None]
    assert list(low.y) == pytest.approx([100 * point["low"] for point in told])
    assert list(high.y) == pytest.approx([100 * point["high"] for point in told])
    assert len(middle.y) == len(shown["series"]) > len(told) > 0


def test_the_difference_is_drawn_without_a_band_before_there_is_an_interval():
    figure = live_charts.difference_over_time(judged(3, 1, 5)["series"], WORDS | {"unit": "pp"})
    assert len(figure.data) == 1


def test_zero_lies_in_the_middle_of_the_axis_of_the_difference():
    axis = live_charts.difference_over_time(judged(60, 0, 40)["series"], WORDS | {"unit": "pp"}).layout.yaxis
    assert axis.range[0] == -axis.range[1]
    assert "0" in axis.ticktext


def test_coverage_adds_up_to_all_articles():
    figure = live_charts.coverage(
        [("counted", 40, True), ("waiting", 9, False), ("late", 0, False)], "Articles"
    )
    assert sum(bar.x[0] for bar in figure.data) == 49
    assert figure.data[0].marker.color != figure.data[1].marker.color


def test_what_each_model_reaches_alone_is_labelled_at_its_own_end_of_the_axis():
    levels = [Mark(76, "first alone 76 %"), Mark(84, "second alone 84 %")]
    figure = cascade_charts.over_threshold(
        Curve([0, 50, 100], [76, 80, 84], [70, 74, 79], [81, 85, 88]),
        axis="%", unit=" %", threshold="threshold", chosen=Mark(50, "suggested: 50"), levels=levels,
    )  # fmt: skip
    placed = {label.text: (label.x, label.xanchor) for label in figure.layout.annotations}
    assert placed["first alone 76 %"] == (1, "right")
    assert placed["second alone 84 %"] == (0, "left")
    assert placed["<b>suggested: 50</b>"][0] == 50
    assert figure.layout.yaxis.range[0] < 70
    assert figure.layout.yaxis.range[1] > 88


def test_a_decision_is_told_with_its_evidence_its_days_and_its_n():
    shown = judged(40, 4, 60)
    said = live_words.verdict(shown, purpose=CHALLENGE)
    assert (
        said
        == f"The challenger is better: evidence {live_charts.ratio(shown['e_for'])} after 12 days (n = 104)."
    )


def test_evidence_that_has_fallen_since_its_decision_is_told_with_both_values():
    shown = judged(40, 4, 60) | {"e_for": 12.0, "e_decided": 52.0, "decided_on": "2026-01-10"}
    said = live_words.verdict(shown, purpose=CHALLENGE)
    assert "decided on 2026-01-10 with evidence 52 : 1, now 12 : 1" in said


def test_a_watch_speaks_of_the_former_champion():
    assert live_words.verdict(judged(40, 4, 60), purpose=WATCH).startswith("The former champion is better")


def test_an_open_experiment_says_how_far_it_is_and_for_whom():
    shown = judged(12, 6, 60)
    said = live_words.verdict(shown, purpose=CHALLENGE, outlook="More days.")
    assert said.startswith(f"Not decided: evidence {shown['e_for']:.1f} of 40 for the challenger (n = 78).")
    assert said.endswith("More days.")


def test_without_a_counted_article_nothing_is_claimed():
    assert "no article" in live_words.verdict(judged(), purpose=CHALLENGE)


def test_a_split_is_decided_by_its_interval():
    assert "The challenger is better by" in live_words.verdict(
        dealt((420, 60), (250, 230)), purpose=CHALLENGE
    )


def test_a_split_without_an_interval_says_what_the_first_one_needs():
    said = live_words.verdict(dealt((20, 10), (20, 10)), purpose=CHALLENGE)
    assert "no interval before 100 articles and 10 days" in said


def test_a_split_that_lost_articles_of_one_side_gives_no_verdict():
    said = live_words.verdict(dealt((700, 90), (150, 30)), purpose=CHALLENGE)
    assert said == "No verdict: the articles did not reach the two sides as planned."


@dataclass
class Plan:
    """When an experiment runs, for the outlook."""

    elapsed: float
    left: float = 20.0

    def outlook(self, shown, planned):
        now = START + timedelta(days=self.elapsed)
        return live_words.outlook(
            shown, planned, started_at=START, ends_at=now + timedelta(days=self.left), now=now
        )


def test_the_outlook_goes_on_at_the_rate_so_far():
    shown = judged(12, 6, 60)  # 78 articles in 10 days, 122 are missing: 15.6 days
    said = Plan(10).outlook(shown | {"unit": "article"}, {"articles": 200, "effect": 0.1})
    assert said == "At the present rate about 16 more days for a difference of 10 points."


def test_where_the_day_is_the_unit_the_outlook_is_a_lower_bound():
    said = Plan(10).outlook(judged(12, 6, 60, by_day=True), {"articles": 200, "effect": 0.1})
    assert "at least 16 more days" in said


def test_the_outlook_says_when_the_time_will_not_do():
    said = Plan(10, left=5).outlook(judged(12, 6, 60), {"articles": 200, "effect": 0.1})
    assert "longer than it runs" in said


def test_after_all_planned_articles_the_difference_would_have_shown():
    said = Plan(10).outlook(judged(12, 6, 60), {"articles": 70, "effect": 0.1})
    assert "would probably have shown by now" in said


def test_without_a_plan_the_outlook_names_the_end():
    assert Plan(10, left=5).outlook(judged(12, 6, 60), {}) == "It ends in 5 days at the latest."


COMPARISON = {
    "n": 212,
    "coverage": {"asked": 215, "both_answered": 212},
    "per_class": {"positive": {"support": 120}, "neutral": {"support": 22}, "negative": {"support": 70}},
    "contaminated": {"champion": 0, "challenger": 0},
    "selected_on": {"champion": False, "challenger": False},
    "difference": 0.1,
    "interval": [0.03, 0.17],
    "macro_f1_difference": {"difference": 0.02, "interval": [-0.08, 0.12]},
}


def checked(comparison=None, evidence=None):
    found = gates.checklist(
        comparison=comparison, evidence=evidence, policy=Policy(), target=Target.SENTIMENT
    )
    return {gate.code: gate for gate in found}


@pytest.mark.parametrize(
    ("code", "state", "said"),
    [
        ("same_items", GateState.PASSED, "Both answered 212 of 215 test articles; at least 205 wanted."),
        ("rows", GateState.PASSED, "212 test articles; at least 200 wanted."),
        ("rows_per_class", GateState.FAILED, "22 test articles of the rarest class (neutral); at least 30 wanted."),
        ("untouched", GateState.PASSED, "Neither was trained, prompted or chosen on these articles."),
        ("not_worse", GateState.PASSED, "Accuracy: +10.0 pp, at worst +3.0 pp and at best +17.0 pp; at worst above −5.0 pp wanted."),
        ("macro_f1", GateState.FAILED, "Macro-F1: +2.0 pp, at worst −8.0 pp and at best +12.0 pp; at worst above −5.0 pp wanted."),
    ],
)  # fmt: skip
def test_a_gate_says_what_was_measured_and_what_is_wanted(code, state, said):
    gate = checked(COMPARISON)[code]
    assert (gate.state, gate_list.sentence(gate)) == (state, said)


def test_every_gate_has_a_sentence_before_anything_is_measured():
    found = [gate_list.sentence(gate) for gate in checked().values()]
    assert len(set(found)) == 7
    assert all(sentence.endswith(".") for sentence in found)


def test_the_live_gate_tells_its_evidence_and_its_n():
    shown = judged(40, 4, 60)
    said = gate_list.sentence(checked(COMPARISON, shown)["live"])
    assert (
        said
        == f"Live evidence {live_charts.ratio(shown['e_decided'])} that it is better (n = 104); 40 : 1 wanted."
    )


def test_the_live_gate_of_a_split_tells_its_interval():
    shown = dealt((420, 60), (250, 230))
    said = gate_list.sentence(checked(COMPARISON, shown)["live"])
    assert said.startswith("Live difference +")
    assert "n = 960" in said


def test_a_leak_is_counted_in_its_gate():
    leaked = COMPARISON | {"contaminated": {"champion": 0, "challenger": 12}}
    assert "trained on 12 of these articles" in gate_list.sentence(checked(leaked)["untouched"])


def test_a_part_that_a_model_was_chosen_on_is_said_in_its_gate():
    chosen = COMPARISON | {"selected_on": {"champion": False, "challenger": True}}
    assert "chosen on this part" in gate_list.sentence(checked(chosen)["untouched"])


def note(n_test, n_all):
    return gates.power_note(n_test, effect=0.1, discordance=0.25, policy=Policy(), n_all=n_all)


def test_the_plans_split_is_said_to_be_too_small_where_it_is():
    said = gate_list.power_sentence(note(50, 500), "80/10/10", 500)
    assert said.startswith("80/10/10 at 500 samples cannot decide 10 points: 50 test articles would show")
    assert "A test part of 40 % would have the 200 that the gates want." in said


def test_where_half_of_the_samples_is_too_little_more_are_asked_for():
    assert "more labelled articles are needed" in gate_list.power_sentence(note(10, 100), "80/10/10", 100)


@pytest.mark.parametrize(("share", "step"), [(0.4, 40), (0.31, 35), (0.5, 50), (0.1, 10)])
def test_a_test_share_is_rounded_up_to_the_builders_steps(share, step):
    assert gate_list.as_step(share) == step
