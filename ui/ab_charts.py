"""Figures of a comparison: the forest of differences, and what answering less often would be worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from ui import format as fmt
from ui.charts import ACCENT, QUIET, ROW, RULE, house_figure, row_labels

#: Apart in hue and lightness for colour-blind readers; line and marker differ too.
CHAMPION, CHALLENGER = "#C29A2B", ACCENT
_FILLS = {CHAMPION: "rgba(194,154,43,0.16)", CHALLENGER: "rgba(79,127,203,0.18)"}


@dataclass(frozen=True)
class Difference:
    """A difference of shares with its interval (None where there is none) and the articles behind it.

    Parameters
    ----------
    margin : float or None
        Half-width of what counts as equivalent, drawn behind the row; None where none is agreed.
    """

    label: str
    value: float
    interval: Sequence[float] | None
    n: int
    margin: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class Curve:
    """Accuracy against the share of articles answered, of one model.

    Parameters
    ----------
    points : sequence of (coverage, accuracy, threshold, n)
        Shares 0-1 and confidence 0-100.
    band : sequence of (low, high)
        Interval of each point's accuracy; empty where none can be given.
    chosen : mapping or None
        The point that keeps the wanted accuracy: ``coverage, accuracy, threshold, n``.
    """

    label: str
    points: Sequence[tuple[float, float, float, int]]
    band: Sequence[tuple[float, float]]
    chosen: Mapping[str, Any] | None
    colour: str
    dash: str
    symbol: str


def forest(rows: Sequence[Difference], zero: str, unit: str) -> go.Figure:
    """Return one row a measure: the difference in percentage points, its interval, and zero.

    Labels may hold names that others gave: Plotly reads a few HTML tags in any text, so they are escaped.
    """
    edges = [
        100 * abs(edge) for row in rows for edge in (row.value, row.margin or 0.0, *(row.interval or ()))
    ]
    reach = 1.1 * max(edges, default=1.0) or 1.0
    labels = [escape(row.label, quote=False) for row in rows]
    whiskers = [_whisker(row, place) for place, row in enumerate(rows) if row.interval]
    dots = go.Scatter(
        x=[100 * row.value for row in rows],
        y=list(range(len(rows))),
        mode="markers",
        marker={
            "color": ACCENT,
            "size": [13 if row.strong else 10 for row in rows],
            "symbol": ["diamond" if row.strong else "circle" for row in rows],
        },
        cliponaxis=False,
        customdata=[
            [label, fmt.points_interval(row.interval), f"{row.n:,}"]
            for label, row in zip(labels, rows, strict=True)
        ],
        hovertemplate=f"%{{customdata[0]}}: %{{x:+.1f}} {unit}<br>%{{customdata[1]}} · n = %{{customdata[2]}}<extra></extra>",
    )
    texts = [
        f"{label} <b>{fmt.points(row.value)}</b> n = {row.n:,}"
        for label, row in zip(labels, rows, strict=True)
    ]
    bands = [
        {
            "type": "rect",
            "x0": -100 * row.margin,
            "x1": 100 * row.margin,
            "y0": place - 0.28,
            "y1": place + 0.28,
            "fillcolor": QUIET,
            "line": {"width": 0},
            "layer": "below",
        }
        for place, row in enumerate(rows)
        if row.margin
    ]
    return house_figure(
        [*whiskers, dots],
        58 + ROW * len(rows),
        margin={"l": 0, "r": 8, "t": 22, "b": 4},
        xaxis={"range": [-reach, reach], "title": {"text": zero}, **_ticks(reach)},
        yaxis={"visible": False, "range": [len(rows) - 0.5, -0.5]},
        shapes=[*bands, *(_zero(place) for place in range(len(rows)))],
        annotations=row_labels([str(place) for place in range(len(rows))], texts, lift=18),
    )


def _zero(place: int) -> dict[str, Any]:
    """Return the line of no difference of one row: a line over all of them would cross their labels."""
    line = {"color": RULE, "width": 1.5}
    return {"type": "line", "x0": 0, "x1": 0, "y0": place - 0.28, "y1": place + 0.28, "line": line}


def _ticks(reach: float) -> dict[str, Any]:
    """Return at most seven signed ticks around a zero without a sign, few enough for a phone."""
    step = next((each for each in (1, 2, 5, 10, 20) if reach / each <= 3.9), 50)
    values = [step * i for i in range(-3, 4) if abs(step * i) <= reach]
    texts = [f"{value:+d}".replace("-", "−") if value else "0" for value in values]
    return {"tickvals": values, "ticktext": texts}


def _whisker(row: Difference, place: int) -> go.Scatter:
    return go.Scatter(
        x=[100 * edge for edge in row.interval or ()],
        y=[place] * 2,
        mode="lines",
        line={"color": ACCENT if row.strong else RULE, "width": 4 if row.strong else 3},
        hoverinfo="skip",
    )


def abstention(curves: Sequence[Curve], target: float | None, words: Mapping[str, str]) -> go.Figure:
    """Return accuracy of the answers kept against the share of articles kept, the wanted accuracy dotted.

    `words` has "coverage", "accuracy", "threshold" and "target".
    """
    traces = [trace for curve in curves for trace in _curve(curve, words)]
    lows = [low for curve in curves for low, _ in curve.band]
    lows += [accuracy for curve in curves for _, accuracy, _, _ in curve.points] + [target or 1.0]
    floor = max(0.0, min(lows, default=0.5) - 0.05)
    shapes, notes = [], []
    if target is not None:
        line = {"color": RULE, "width": 1.5, "dash": "dot"}
        shapes.append({"type": "line", "x0": 0, "x1": 1, "y0": target, "y1": target, "line": line})
        notes.append(
            {
                "x": 0,
                "y": target,
                "xanchor": "left",
                "yanchor": "bottom",
                "text": words["target"],
                "showarrow": False,
            }
        )
    axis = {"tickformat": ".0%", "nticks": 6, "showgrid": True}
    return house_figure(
        traces,
        320,
        margin={"l": 0, "r": 12, "t": 30, "b": 4},
        xaxis=axis | {"range": [0, 1.02], "title": {"text": words["coverage"]}},
        yaxis=axis | {"range": [floor, 1.02], "title": {"text": words["accuracy"]}},
        shapes=shapes,
        annotations=notes,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    )


def _curve(curve: Curve, words: Mapping[str, str]) -> list[go.Scatter]:
    xs = [coverage for coverage, *_ in curve.points]
    traces = []
    if curve.band:
        highs = [high for _, high in curve.band]
        lows = [low for low, _ in curve.band]
        traces.append(
            go.Scatter(
                x=[*xs, *reversed(xs)],
                y=[*highs, *reversed(lows)],
                fill="toself",
                fillcolor=_FILLS[curve.colour],
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                showlegend=False,
            )
        )
    traces.append(
        go.Scatter(
            x=xs,
            y=[accuracy for _, accuracy, _, _ in curve.points],
            mode="lines",
            name=escape(curve.label, quote=False),
            line={"color": curve.colour, "width": 2.5, "dash": curve.dash},
            customdata=[[threshold, n] for _, _, threshold, n in curve.points],
            hovertemplate=(
                f"{escape(curve.label, quote=False)} · {words['threshold']} ≥ %{{customdata[0]:.0f}}<br>"
                f"{words['coverage']} %{{x:.0%}} · {words['accuracy']} %{{y:.1%}} · n = %{{customdata[1]:,}}<extra></extra>"
            ),
        )
    )
    if curve.chosen:
        found = curve.chosen
        traces.append(
            go.Scatter(
                x=[found["coverage"]],
                y=[found["accuracy"]],
                mode="markers+text",
                marker={"color": curve.colour, "size": 13, "symbol": curve.symbol},
                text=[f"<b>≥ {found['threshold']:.0f}</b>"],
                textposition="bottom center",
                cliponaxis=False,
                hoverinfo="skip",
                showlegend=False,
            )
        )
    return traces
