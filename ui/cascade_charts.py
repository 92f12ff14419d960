"""The figure of one quantity of a cascade over its threshold: values and the reader's words in, no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from ui.charts import ACCENT, house_figure, vertical
from ui.live_charts import across, ribbon


@dataclass(frozen=True)
class Curve:
    """One quantity of a cascade over its threshold; `low` and `high` where there is an interval."""

    thresholds: Sequence[float]
    values: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True)
class Mark:
    """A labelled line across a figure, on the axis that it is given to."""

    at: float
    text: str


def over_threshold(
    curve: Curve,
    *,
    axis: str,
    unit: str,
    threshold: str,
    chosen: Mark | None = None,
    levels: Sequence[Mark] = (),
    height: int = 210,
) -> go.Figure:
    """Return one quantity of a cascade over the confidence from which its first model is believed.

    Parameters
    ----------
    curve : Curve
        Values in the unit of the axis.
    axis, unit, threshold : str
        Titles of the axes, and the unit that stands behind a value: "accuracy", " %", "threshold".
    chosen : Mark, optional
        The chosen threshold.
    levels : sequence of Mark
        What each model reaches alone.
    """
    line = go.Scatter(
        x=list(curve.thresholds),
        y=list(curve.values),
        mode="lines+markers",
        line={"color": ACCENT, "width": 2.5, "shape": "linear"},
        marker={"color": ACCENT, "size": 5},
        hovertemplate=f"{threshold} %{{x:.0f}}: %{{y:,.4~g}}{unit}<extra></extra>",
    )
    bands = [] if curve.low is None or curve.high is None else ribbon(curve.thresholds, curve.low, curve.high)
    edges = [*curve.values, *(curve.low or ()), *(curve.high or ()), *(level.at for level in levels)]
    low, high = min(edges, default=0.0), max(edges, default=1.0)
    pad = max(0.12 * (high - low), 0.02 * abs(high), 1e-9)
    return house_figure(
        [*bands, line],
        height,
        margin={"l": 0, "r": 10, "t": 22, "b": 4},
        xaxis={"title": {"text": threshold}, "nticks": 6},
        yaxis={"title": {"text": axis}, "nticks": 4, "showgrid": True, "range": [low - pad, high + pad]},
        shapes=[*(across(level.at, dash="dot") for level in levels), *_chosen_line(chosen)],
        annotations=[*_level_labels(levels), *_chosen_label(chosen, curve.thresholds)],
    )


def _chosen_line(chosen: Mark | None) -> list[dict[str, Any]]:
    return [] if chosen is None else [vertical(chosen.at, dash="dash")]


def _chosen_label(chosen: Mark | None, thresholds: Sequence[float]) -> list[dict[str, Any]]:
    """Return the label on top of the chosen threshold, on the side where there is room."""
    if chosen is None:
        return []
    middle = (min(thresholds, default=0.0) + max(thresholds, default=100.0)) / 2
    anchor = "right" if chosen.at > middle else "left"
    place = {"x": chosen.at, "xanchor": anchor, "y": 1, "yref": "paper", "yanchor": "bottom"}
    return [place | {"text": f"<b>{chosen.text}</b>", "showarrow": False}]


def _level_labels(levels: Sequence[Mark]) -> list[dict[str, Any]]:
    """Return what each model reaches alone, each label at the end of the axis where the curve is the other's.

    The first of `levels` is the model that is asked alone at the low end, the second at the high end.
    """
    ends = ({"x": 1, "xanchor": "right"}, {"x": 0, "xanchor": "left"})
    highest = max((level.at for level in levels), default=0.0)
    return [
        end
        | {
            "xref": "paper",
            "y": level.at,
            "yanchor": "bottom" if level.at == highest else "top",
            "text": level.text,
            "showarrow": False,
        }
        for end, level in zip(ends, levels, strict=False)
    ]
