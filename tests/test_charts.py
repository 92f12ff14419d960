"""Figures as values: what is drawn, in which colours, and how much of it."""

from datetime import date, timedelta

import numpy as np
import pytest

from core.domain.types import Sentiment
from ui import ab_charts, charts, score_charts

WORDS = {"positive": "긍정", "neutral": "중립", "negative": "부정"}
GROUNDS = ("#FFFFFF", "#12171E")
#: severe deuteranopia and protanopia in linear RGB (Machado, Oliveira, Fernandes 2009)
COLOUR_BLIND = {
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}


def linear(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def texts(figure):
    return [annotation.text for annotation in figure.layout.annotations]


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("colour", [*charts.SENTIMENT_COLOURS.values(), *charts.SPLIT_COLOURS.values()])
def test_colours_stand_out_on_light_and_dark_ground(colour, ground):
    assert contrast(colour, ground) >= 2.5


@pytest.mark.parametrize("colour", charts.SENTIMENT_COLOURS.values())
def test_text_on_a_coloured_bar_is_readable(colour):
    assert contrast(colour, charts.ON_COLOUR) >= 4.5


@pytest.mark.parametrize("matrix", COLOUR_BLIND.values(), ids=COLOUR_BLIND)
def test_sentiments_stay_apart_for_colour_blind_readers(matrix):
    seen = [np.clip(np.array(matrix) @ linear(colour), 0, 1) for colour in charts.SENTIMENT_COLOURS.values()]
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[i + 1 :]]
    assert min(gaps) > 0.15


def test_progress_names_each_count_and_both_goals():
    figure = charts.progress(
        [charts.Progress("감성", 161, "거래일 10일"), charts.Progress("B", 0)], 500, 1000
    )
    assert texts(figure) == ["감성 <b>161</b> · 거래일 10일", "B <b>0</b>", "500", "1,000"]
    assert figure.data[1].x == (161, 0)


def test_progress_beyond_the_ideal_stays_inside_the_plot():
    figure = charts.progress([charts.Progress("A", 2400)], 500, 1000)
    assert figure.layout.xaxis.range[1] > 2400


def test_class_shares_add_up_and_carry_the_counts_as_labels():
    figure = charts.class_shares([("A", {"positive": 92, "neutral": 49, "negative": 20})], WORDS)
    assert sum(trace.x[0] for trace in figure.data) == pytest.approx(1)
    assert [trace.text[0] for trace in figure.data] == ["긍정 92", "중립 49", "20"]
    assert [trace.marker.color for trace in figure.data] == list(charts.SENTIMENT_COLOURS.values())


def test_an_empty_row_of_class_shares_draws_nothing():
    figure = charts.class_shares([("A", {})], WORDS)
    assert [trace.x[0] for trace in figure.data] == [0, 0, 0]


def test_the_waterfall_floats_each_loss_where_the_one_before_ended():
    figure = charts.waterfall([("placeholder", 2, 178), ("duplicate", 17, 161)], "all", "samples")
    bars = figure.data[0]
    assert bars.x == (180, 2, 17, 161)
    assert bars.base == (0, 178, 161, 0)
    assert bars.text == ("180", "−2", "−17", "161")


def test_a_waterfall_of_nothing_can_be_drawn():
    assert charts.waterfall([], "all", "samples").data[0].x == (0, 0)


def test_a_long_series_is_cut_to_the_newest_points():
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(900)]
    figure = charts.daily(days, {"known": list(range(900))}, {"known": charts.ACCENT}, "articles")
    assert len(figure.data[0].x) == charts.MAX_POINTS
    assert figure.data[0].y[-1] == 899


def test_the_confusion_matrix_shows_counts_and_shares_of_each_gold_row():
    matrix = {"positive": {"positive": 3, "neutral": 1}, "negative": {"negative": 2}}
    figure = score_charts.confusion(matrix, WORDS, "gold", "predicted")
    assert texts(figure)[0] == "<b>3</b><br>75 %"
    assert len(texts(figure)) == 9
    assert list(figure.data[0].z[1]) == [0.0, 0.0, 0.0]  # no gold neutral: no share, no division by zero


def test_calibration_leaves_empty_bins_out_and_says_how_many_are_in_the_others():
    bins = [{"n": 0, "confidence": None, "accuracy": None}, {"n": 12, "confidence": 0.7, "accuracy": 0.5}]
    figure = score_charts.calibration(bins, "confidence", "right")
    dots = figure.data[1]
    assert (dots.x, dots.y, dots.text) == ((0.7,), (0.5,), ("n=12",))
    assert texts(figure) == ["12", "n"]


def test_a_calibration_bin_has_wilsons_interval_only_where_its_articles_are_independent():
    bins = [{"n": 10, "confidence": 0.7, "accuracy": 0.5}]
    drawn = score_charts.calibration(bins, "confidence", "right", whiskers=True).data[1].error_y
    assert drawn.array[0] == pytest.approx(0.7634 - 0.5, abs=1e-4)  # Wilson for 5 of 10
    assert drawn.arrayminus[0] == pytest.approx(0.5 - 0.2366, abs=1e-4)
    assert not score_charts.calibration(bins, "confidence", "right").data[1].error_y.visible


def test_a_score_without_an_interval_has_a_dot_and_no_whisker():
    with_interval = score_charts.Measured("A", 0.6, [0.5, 0.7], 90, 0.4)
    without = score_charts.Measured("B", 0.6, None, 3)
    assert len(score_charts.measured([with_interval], "majority").data) == 3
    assert len(score_charts.measured([without], "majority").data) == 2


def test_a_score_shows_its_value_and_n_and_the_majority_as_a_tick():
    figure = score_charts.measured([score_charts.Measured("A", 0.574, [0.5, 0.7], 61, 0.4)], "majority")
    assert texts(figure) == ["A <b>57.4 %</b> n = 61"]
    assert figure.data[-1].x == (0.4,)


@pytest.mark.parametrize(
    ("value", "shown"), [(0.027, "<b>+2.7 pp</b>"), (-0.1, "<b>−10.0 pp</b>"), (0.0, "<b>+0.0 pp</b>")]
)
def test_a_difference_is_labelled_with_its_sign_and_its_n(value, shown):
    figure = ab_charts.forest(
        [ab_charts.Difference("Accuracy", value, [value - 0.05, value + 0.05], 312, 0.05)], "zero", "pp"
    )
    assert texts(figure) == [f"Accuracy {shown} n = 312"]
    assert [shape.type for shape in figure.layout.shapes] == ["rect", "line"]


def test_a_difference_without_an_interval_draws_no_line_and_without_a_margin_no_band():
    figure = ab_charts.forest([ab_charts.Difference("Macro-F1", 0.1, None, 40)], "zero", "pp")
    assert len(figure.data) == 1
    assert [shape.type for shape in figure.layout.shapes] == ["line"]


def test_the_forest_reaches_as_far_to_the_left_as_to_the_right_so_that_zero_is_its_middle():
    rows = [
        ab_charts.Difference("A", 0.02, [-0.01, 0.05], 9),
        ab_charts.Difference("B", -0.2, [-0.4, 0.1], 9),
    ]
    low, high = ab_charts.forest(rows, "zero", "pp").layout.xaxis.range
    assert low == -high
    assert high >= 40


def test_an_abstention_curve_marks_the_chosen_threshold_and_has_a_band_only_where_one_can_be_given():
    points = [(1.0, 0.8, 0.0, 200), (0.6, 0.92, 85.0, 120)]
    chosen = {"coverage": 0.6, "accuracy": 0.92, "threshold": 85.0, "n": 120}
    words = {"coverage": "answered", "accuracy": "right", "threshold": "confidence", "target": "90 %"}
    look = (ab_charts.CHALLENGER, "solid", "circle")
    bare = ab_charts.abstention([ab_charts.Curve("B", points, [], None, *look)], 0.9, words)
    full = ab_charts.abstention([ab_charts.Curve("B", points, [(0.7, 0.9)] * 2, chosen, *look)], 0.9, words)
    assert len(bare.data) == 1
    assert len(full.data) == 3
    assert full.data[-1].text == ("<b>≥ 85</b>",)


def test_no_figure_can_be_dragged_or_zoomed_since_a_phone_must_scroll_past_it():
    figure = charts.class_shares([("A", {Sentiment.POSITIVE: 1})], WORDS)
    assert figure.layout.dragmode is False
    assert figure.layout.xaxis.fixedrange
    assert figure.layout.yaxis.fixedrange


def test_a_name_with_tags_is_drawn_letter_for_letter():
    row = score_charts.Measured('a<br>"b" & c', 0.5, (0.4, 0.6), 10)
    figure = score_charts.measured([row], "majority")
    name = 'a&lt;br&gt;"b" &amp; c'
    assert texts(figure)[0].startswith(f"{name} <b>50.0 %</b>")
    assert {label for trace in figure.data for label in trace.y} == {name}
