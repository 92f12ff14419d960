"""Figures of models' scores: confusion, calibration, accuracies with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from core.domain.intervals import wilson
from ui.charts import ACCENT, ON_COLOUR, ROW, RULE, house_figure, row_labels

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


def calibration(
    bins: Sequence[Mapping[str, Any]], confidence: str, right: str, *, whiskers: bool = False
) -> go.Figure:
    """Return the reliability diagram: share right against stated confidence, each bin with its count.

    With `whiskers` each bin has its Wilson interval, which takes its articles as independent.
    """
    filled = [row for row in bins if row.get("n")]
    places = [row["confidence"] for row in filled]
    error = {"visible": False}
    if whiskers:
        ends = [wilson(round(row["accuracy"] * row["n"]), row["n"]) or (0.0, 1.0) for row in filled]
        error = {
            "type": "data",
            "array": [high - row["accuracy"] for row, (_, high) in zip(filled, ends, strict=True)],
            "arrayminus": [row["accuracy"] - low for row, (low, _) in zip(filled, ends, strict=True)],
            "color": RULE,
            "thickness": 1.5,
            "width": 0,
        }
    dots = go.Scatter(
        x=places,
        y=[row["accuracy"] for row in filled],
        mode="lines+markers",
        line={"color": ACCENT, "width": 1.5},
        marker={"color": ACCENT, "size": [7 + min(15.0, row["n"] ** 0.5) for row in filled]},
        error_y=error,
        text=[f"n={row['n']:,}" for row in filled],
        cliponaxis=False,
        hovertemplate=f"{confidence} %{{x:.0%}} · {right} %{{y:.0%}} · %{{text}}<extra></extra>",
    )
    # the counts stand in a line of their own below: beside the dots they would cover whiskers and line
    counts = [
        {"x": x, "y": -0.08, "text": f"{row['n']:,}", "showarrow": False, "font": {"size": 11}}
        for x, row in zip(places, filled, strict=True)
    ]
    if filled:
        start = {"x": 0, "xref": "paper", "xanchor": "left", "y": -0.08, "text": "n", "showarrow": False}
        counts.append(start | {"font": {"size": 11}})
    ideal = go.Scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": RULE, "dash": "dot", "width": 1.5}, hoverinfo="skip"
    )
    axis = {"tickformat": ".0%", "tickvals": [0, 0.2, 0.4, 0.6, 0.8, 1]}
    return house_figure(
        [ideal, dots],
        270,
        xaxis=axis | {"range": [0.2, 1.03], "title": {"text": confidence}},
        yaxis=axis | {"range": [-0.15, 1.07], "title": {"text": right}, "showgrid": True},
        annotations=counts,
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
