"""Figures from values: no session, no database, plotly.graph_objects only.

One look for all: no gridlines where direct labels do, no legend where a label does, intervals always
drawn. Colours are chosen to stay apart for colour-blind readers on light and dark ground alike, and to
avoid the red-up, blue-down of Korean exchanges, which readers would take for prices. Words come in
as arguments, so that a figure is the same in every language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from core.domain.types import Sentiment, Split

SENTIMENT_COLOURS = {
    Sentiment.POSITIVE: "#12A0B0",
    Sentiment.NEUTRAL: "#A39E8E",
    Sentiment.NEGATIVE: "#DB6416",
}
SPLIT_COLOURS = {Split.TRAIN: "#4F7FCB", Split.VALIDATION: "#C29A2B", Split.TEST: "#9B72C7"}
ACCENT = "#4F7FCB"
QUIET = "rgba(128,138,150,0.22)"
RULE = "rgba(128,138,150,0.75)"
LOST = "rgba(128,138,150,0.55)"
#: on the mid-tones above, dark text has a contrast of 5:1 or better in both themes
ON_COLOUR = "#10151C"
ROW = 46
MAX_POINTS = 500


@dataclass(frozen=True)
class Progress:
    """One bar toward the goals: its label, how many there are, and a note drawn behind the number."""

    label: str
    n: int
    note: str = ""


def house_figure(traces: Sequence[Any], height: int, **layout: Any) -> go.Figure:
    """Return a figure in the house look; `xaxis` and `yaxis` add to its axes, the rest replaces its part.

    The layout is put together as a plain dict first: updating a figure piece by piece costs ten times
    as much as building it.
    """
    axis = {"fixedrange": True, "zeroline": False, "automargin": True, "showgrid": False}
    house = {
        "height": height,
        "margin": {"l": 0, "r": 8, "t": 8, "b": 4},
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {"align": "left"},
        "bargap": 0.38,
    }
    axes = {name: axis | layout.get(name, {}) for name in ("xaxis", "yaxis")}
    return go.Figure(data=list(traces), layout=house | layout | axes)


def row_labels(labels: Sequence[str], texts: Sequence[str], lift: int) -> list[dict[str, Any]]:
    """Return each row's text above its bar, from the left edge: it fits a phone as it fits a desk."""
    return [
        {
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": label,
            "yshift": lift,
            "text": text,
            "showarrow": False,
            "align": "left",
        }
        for label, text in zip(labels, texts, strict=True)
    ]


def vertical(x: float, *, dash: str = "solid") -> dict[str, Any]:
    """Return a line over the whole height of the plot."""
    line = {"color": RULE, "width": 1.5, "dash": dash}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def progress(rows: Sequence[Progress], goal: int, ideal: int) -> go.Figure:
    """Return bullet bars of counts toward the goal and the ideal."""
    labels = [row.label for row in rows]
    end = max([ideal, *(row.n for row in rows)]) * 1.04
    track = go.Bar(y=labels, x=[end] * len(rows), orientation="h", marker_color=QUIET, hoverinfo="skip")
    bars = go.Bar(
        y=labels,
        x=[row.n for row in rows],
        orientation="h",
        marker_color=ACCENT,
        hovertemplate="%{y}: %{x:,}<extra></extra>",
    )
    goals = [
        {"x": x, "y": 0, "yref": "paper", "yanchor": "top", "text": f"{x:,}", "showarrow": False}
        for x in (goal, ideal)
    ]
    texts = [" · ".join(filter(None, [f"{row.label} <b>{row.n:,}</b>", row.note])) for row in rows]
    return house_figure(
        [track, bars],
        40 + ROW * len(rows),
        barmode="overlay",
        bargap=0.62,
        margin={"l": 0, "r": 8, "t": 14, "b": 22},
        xaxis={"range": [0, end], "visible": False},
        yaxis={"autorange": "reversed", "visible": False},
        annotations=row_labels(labels, texts, lift=19) + goals,
        shapes=[vertical(x, dash="dot") for x in (goal, ideal)],
    )


def class_shares(
    rows: Sequence[tuple[str, Mapping[str, int]]],
    words: Mapping[str, str],
    colours: Mapping[Any, str] = SENTIMENT_COLOURS,
) -> go.Figure:
    """Return one bar a row, split by class to 100 %, each part labelled with its word and count."""
    labels = [label for label, _ in rows]
    totals = [sum(counts.values()) for _, counts in rows]
    traces = []
    for code, colour in colours.items():
        counts = [row.get(code, 0) for _, row in rows]
        shares = [n / total if total else 0.0 for n, total in zip(counts, totals, strict=True)]
        traces.append(
            go.Bar(
                y=labels,
                x=shares,
                orientation="h",
                marker={"color": colour, "line": {"width": 0}},
                text=[_part_label(words[code], n, part) for n, part in zip(counts, shares, strict=True)],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                constraintext="none",
                textfont={"color": ON_COLOUR, "size": 12},
                customdata=counts,
                hovertemplate=f"%{{y}} · {words[code]}: %{{customdata:,}} (%{{x:.1%}})<extra></extra>",
            )
        )
    titles = [f"{label} <b>{total:,}</b>" for label, total in zip(labels, totals, strict=True)]
    return house_figure(
        traces,
        14 + ROW * len(rows),
        barmode="stack",
        bargap=0.5,
        margin={"l": 0, "r": 8, "t": 14, "b": 0},
        xaxis={"visible": False, "range": [0, 1]},
        yaxis={"autorange": "reversed", "visible": False},
        annotations=row_labels(labels, titles, lift=20),
    )


def _part_label(word: str, n: int, part: float) -> str:
    """Return what fits on a part of a bar: word and count, the count alone, or nothing."""
    if part >= 0.2:
        return f"{word} {n:,}"
    return f"{n:,}" if part >= 0.05 else ""


def waterfall(steps: Sequence[tuple[str, int, int]], first: str, last: str) -> go.Figure:
    """Return the way from all articles to the samples.

    Parameters
    ----------
    steps : sequence of (label, lost, left)
        Losses in the order of the waterfall; `left` counts what remains after each.
    first, last : str
        Labels of the bar of everything and the bar of what is left.
    """
    total = steps[0][1] + steps[0][2] if steps else 0
    left = steps[-1][2] if steps else 0
    labels = [first, *(label for label, _, _ in steps), last]
    bases = [0, *(remaining for _, _, remaining in steps), 0]
    widths = [total, *(lost for _, lost, _ in steps), left]
    texts = [f"{total:,}", *(f"−{lost:,}" if lost else "0" for _, lost, _ in steps), f"{left:,}"]
    colours = [ACCENT, *([LOST] * len(steps)), ACCENT]
    bars = go.Bar(
        y=labels,
        x=widths,
        base=bases,
        orientation="h",
        marker_color=colours,
        text=texts,
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    return house_figure(
        [bars],
        24 + 34 * len(labels),
        bargap=0.32,
        xaxis={"visible": False, "range": [0, max(total, 1) * 1.12]},
        yaxis={"autorange": "reversed", "ticklabelstandoff": 6},
    )


def daily(
    days: Sequence[Any], series: Mapping[str, Sequence[int]], colours: Mapping[str, str], unit: str
) -> go.Figure:
    """Return stacked counts by day; the legend stands above since the parts have no room for labels."""
    traces = [
        go.Bar(
            x=list(days)[-MAX_POINTS:],
            y=list(values)[-MAX_POINTS:],
            name=name,
            marker={"color": colours[name], "line": {"width": 0}},
            hovertemplate=f"%{{x|%Y-%m-%d}} · {name}: %{{y:,}}<extra></extra>",
        )
        for name, values in series.items()
    ]
    return house_figure(
        traces,
        220,
        barmode="stack",
        bargap=0.12,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        margin={"l": 0, "r": 8, "t": 30, "b": 4},
        yaxis={"title": {"text": unit}, "nticks": 4, "showgrid": True, "rangemode": "tozero"},
        xaxis={"nticks": 6, "tickformat": "%m-%d\n%Y"},
    )
