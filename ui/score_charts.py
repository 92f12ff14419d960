"""Figures of models' scores: confusion, calibration, accuracies with intervals, a difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from ui.charts import ACCENT, ON_COLOUR, QUIET, ROW, RULE, house_figure, row_labels, vertical

BASELINE = "#C29A2B"


@dataclass(frozen=True)
class Measured:
    """A share 0-1 with its interval (None where there is none) and the majority rate beside it."""

    label: str
    value: float
    interval: Sequence[float] | None
    n: int
    majority: float | None = None
    strong: bool = False


def confusion(
    matrix: Mapping[str, Mapping[str, int]], words: Mapping[str, str], gold: str, predicted: str
) -> go.Figure:
    """Return the confusion matrix: counts and shares of each gold row, darker where the share is larger."""
    classes = list(words)
    counts = [[matrix.get(row, {}).get(column, 0) for column in classes] for row in classes]
    shares = [[n / sum(row) if sum(row) else 0.0 for n in row] for row in counts]
    names = [words[code] for code in classes]
    heat = go.Heatmap(
        z=shares,
        x=names,
        y=names,
        zmin=0,
        zmax=1,
        # opaque and light in both themes, so that the same dark text is readable on every cell
        colorscale=[[0, "#DDE5F1"], [1, "#6E9AE0"]],
        showscale=False,
        xgap=3,
        ygap=3,
        customdata=counts,
        hovertemplate=f"{gold} %{{y}} · {predicted} %{{x}}: %{{customdata}} (%{{z:.0%}})<extra></extra>",
    )
    cells = [
        {
            "x": names[x],
            "y": names[y],
            "text": f"<b>{n:,}</b><br>{100 * shares[y][x]:.0f} %",
            "showarrow": False,
            "font": {"color": ON_COLOUR},
        }
        for y, row in enumerate(counts)
        for x, n in enumerate(row)
    ]
    return house_figure(
        [heat],
        270,
        margin={"l": 0, "r": 4, "t": 4, "b": 4},
        xaxis={"side": "top", "title": {"text": predicted}},
        yaxis={"autorange": "reversed", "title": {"text": gold}},
        annotations=cells,
    )


def calibration(bins: Sequence[Mapping[str, Any]], confidence: str, right: str) -> go.Figure:
    """Return the reliability diagram: share right against stated confidence, each bin with its count."""
    filled = [row for row in bins if row.get("n")]
    dots = go.Scatter(
        x=[row["confidence"] for row in filled],
        y=[row["accuracy"] for row in filled],
        mode="lines+markers+text",
        line={"color": ACCENT, "width": 1.5},
        marker={"color": ACCENT, "size": [7 + min(15.0, row["n"] ** 0.5) for row in filled]},
        text=[f"n={row['n']:,}" for row in filled],
        textposition="top center",
        cliponaxis=False,
        hovertemplate=f"{confidence} %{{x:.0%}} · {right} %{{y:.0%}} · %{{text}}<extra></extra>",
    )
    ideal = go.Scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": RULE, "dash": "dot", "width": 1.5}, hoverinfo="skip"
    )
    axis = {"tickformat": ".0%", "nticks": 6}
    return house_figure(
        [ideal, dots],
        270,
        xaxis=axis | {"range": [0.2, 1.03], "title": {"text": confidence}},
        yaxis=axis | {"range": [-0.03, 1.12], "title": {"text": right}, "showgrid": True},
    )


def accuracy(metrics: Mapping[str, Any], accuracy_word: str, f1_word: str) -> list[Measured]:
    """Return the rows of a report's accuracy, with the majority rate, and of its macro-F1."""
    n, majority = metrics["n"], metrics.get("majority")
    interval = metrics.get("accuracy_interval")
    rows = [Measured(accuracy_word, metrics["accuracy"], interval, n, majority, strong=True)]
    if metrics.get("macro_f1") is not None:
        rows.append(Measured(f1_word, metrics["macro_f1"], metrics.get("macro_f1_interval"), n))
    return rows


def measured(rows: Sequence[Measured], majority: str) -> go.Figure:
    """Return a dot with its whiskers for each row and a tick at the majority rate of its rows.

    Labels may be names that others gave: Plotly reads a few HTML tags in any text, so they are escaped
    (quotes are left, whose entities it does not know).
    """
    labels = [escape(row.label, quote=False) for row in rows]
    edges = [edge for row in rows for edge in (*(row.interval or ()), row.value, row.majority or row.value)]
    low, high = min(edges, default=0.0), max(edges, default=1.0)
    whiskers = [
        go.Scatter(
            x=list(row.interval),
            y=[label] * 2,
            mode="lines",
            line={"color": ACCENT if row.strong else RULE, "width": 3},
            hoverinfo="skip",
        )
        for label, row in zip(labels, rows, strict=True)
        if row.interval
    ]
    dots = go.Scatter(
        x=[row.value for row in rows],
        y=labels,
        mode="markers",
        marker={"color": ACCENT, "size": 11},
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    baselines = go.Scatter(
        x=[row.majority for row in rows],
        y=labels,
        mode="markers",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 2.5, "color": BASELINE}},
        hovertemplate=f"%{{y}} · {majority}: %{{x:.1%}}<extra></extra>",
    )
    pad = max(0.06, 0.15 * (high - low))
    texts = [
        f"{label} <b>{100 * row.value:.1f} %</b> n = {row.n:,}"
        for label, row in zip(labels, rows, strict=True)
    ]
    return house_figure(
        [*whiskers, dots, baselines],
        44 + ROW * len(rows),
        margin={"l": 0, "r": 12, "t": 20, "b": 4},
        xaxis={"tickformat": ".0%", "range": [max(0.0, low - pad), min(1.02, high + pad)], "nticks": 6},
        yaxis={"visible": False, "range": [len(rows) - 0.5, -0.5]},
        annotations=row_labels(labels, texts, lift=18),
    )


def difference(
    value: float, interval: Sequence[float] | None, margin: float, label: str, unit: str
) -> go.Figure:
    """Return the difference of two accuracies with its interval, zero, and the band of equivalence."""
    edges = [value, -margin, margin, *(interval or ())]
    reach = 1.25 * max(abs(edge) for edge in edges)
    traces = []
    if interval:
        line = {"color": ACCENT, "width": 4}
        traces.append(
            go.Scatter(
                x=[100 * v for v in interval], y=[label] * 2, mode="lines", line=line, hoverinfo="skip"
            )
        )
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    traces.append(
        go.Scatter(
            x=[100 * value],
            y=[label],
            mode="markers+text",
            marker={"color": ACCENT, "size": 14},
            text=[f"<b>{sign}{100 * abs(value):.1f}</b>"],
            textposition="top center",
            hovertemplate=f"%{{x:+.1f}} {unit}<extra></extra>",
        )
    )
    band = {"type": "rect", "x0": -100 * margin, "x1": 100 * margin, "y0": 0, "y1": 1, "yref": "paper"}
    return house_figure(
        traces,
        150,
        xaxis={"range": [-100 * reach, 100 * reach], "title": {"text": unit}, "nticks": 7},
        yaxis={"visible": False, "range": [-0.8, 0.9]},
        shapes=[band | {"fillcolor": QUIET, "line": {"width": 0}, "layer": "below"}, vertical(0)],
    )
