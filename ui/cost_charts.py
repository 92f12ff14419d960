"""Figures of money: the month against its budget, and what was spent on what. Dollars in, no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go

from core.domain.types import CostPurpose
from ui.charts import ACCENT, ON_COLOUR, QUIET, ROW, RULE, house_figure, row_labels, vertical

PURPOSE_COLOURS = {
    CostPurpose.TRAINING: "#4F7FCB",
    CostPurpose.INFERENCE: "#12A0B0",
    CostPurpose.BATCH: "#C29A2B",
    CostPurpose.HOSTING: "#DB6416",
    CostPurpose.GPU: "#9B72C7",
}
HELD = "rgba(79,127,203,0.45)"


@dataclass(frozen=True)
class Month:
    """A month's money in US dollars; `forecast` is (low, likely, high) of its end, None where not known."""

    cap: float
    billed: float
    held: float
    warn_at: float
    forecast: tuple[float, float, float] | None = None


def budget_bar(month: Month, words: Mapping[str, str]) -> go.Figure:
    """Return the month as a bar toward its cap: billed, held, the warning line, and the forecast below.

    `words` has "billed", "held", "warning", "cap", "forecast" and a "note" for the corner.
    """
    end = max(month.cap, month.billed + month.held, *(month.forecast or ()), 0.01) * 1.06
    parts = (("billed", month.billed, ACCENT), ("held", month.held, HELD))
    bars = [
        _bar(
            amount,
            colour,
            text=words[name] if amount > 0.12 * end else "",
            hovertemplate=f"{words[name]} %{{x:$,.2f}}<extra></extra>",
        )
        for name, amount, colour in parts
    ]
    track = _bar(max(0.0, end - month.billed - month.held), QUIET, hoverinfo="skip")
    lines = [(month.cap, words["cap"]), (0.0, words["note"])]
    if month.warn_at < 0.85 * month.cap:
        lines.append((month.warn_at, words["warning"]))
    return house_figure(
        [*bars, track, *(_whisker(month.forecast, words["forecast"]) if month.forecast else [])],
        96,
        barmode="stack",
        margin={"l": 0, "r": 8, "t": 4, "b": 24},
        xaxis={"range": [0, end], "visible": False},
        yaxis={"visible": False, "range": [-0.75, 0.5]},
        shapes=[vertical(month.warn_at, dash="dot"), vertical(month.cap)],
        annotations=[_under(x, text, end) for x, text in lines],
    )


def _bar(amount: float, colour: str, **look: object) -> go.Bar:
    return go.Bar(
        y=[0],
        x=[amount],
        width=0.6,
        orientation="h",
        marker={"color": colour, "line": {"width": 0}},
        textposition="inside",
        insidetextanchor="middle",
        textfont={"color": ON_COLOUR, "size": 12},
        **look,
    )


def _under(x: float, text: str, end: float) -> dict[str, object]:
    """Return the name of a line below the plot, on the side where there is room, also on a phone."""
    anchor = "right" if x > 0.5 * end else "left"
    where = {"x": x, "xanchor": anchor, "y": 0, "yref": "paper", "yanchor": "top"}
    return where | {"text": text, "showarrow": False}


def _whisker(ahead: tuple[float, float, float], word: str) -> list[go.Scatter]:
    """Return the forecast as a dot in its range, under the bar."""
    low, likely, high = ahead
    level = -0.55
    between = go.Scatter(
        x=[low, high], y=[level] * 2, mode="lines", line={"color": RULE, "width": 3}, hoverinfo="skip"
    )
    middle = go.Scatter(
        x=[likely],
        y=[level],
        mode="markers",
        marker={"color": ACCENT, "size": 10},
        hovertemplate=f"{word} %{{x:$,.2f}} (${low:,.2f}–${high:,.2f})<extra></extra>",
    )
    return [between, middle]


def spend_parts(
    rows: Sequence[tuple[str, Mapping[str, float]]], words: Mapping[str, str], note: str = ""
) -> go.Figure:
    """Return one bar a provider, stacked by purpose, with its sum and `note` above it.

    Parameters
    ----------
    rows : sequence of (provider, dollars by purpose)
        The dearest first.
    words : mapping of str to str
        The reader's word for each purpose.
    """
    names = [escape(name, quote=False) for name, _ in rows]
    bars = [
        go.Bar(
            y=names,
            x=[parts.get(code, 0.0) for _, parts in rows],
            orientation="h",
            marker={"color": colour, "line": {"width": 0}},
            text=[words[code] if _is_wide(parts, code, rows) else "" for _, parts in rows],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"color": ON_COLOUR, "size": 12},
            hovertemplate=f"%{{y}} · {words[code]}: %{{x:$,.4f}}<extra></extra>",
        )
        for code, colour in PURPOSE_COLOURS.items()
    ]
    titles = [
        f"{name} <b>${sum(parts.values()):,.2f}</b> {note}"
        for name, (_, parts) in zip(names, rows, strict=True)
    ]
    return house_figure(
        bars,
        14 + ROW * len(rows),
        barmode="stack",
        bargap=0.5,
        margin={"l": 0, "r": 8, "t": 14, "b": 0},
        xaxis={"visible": False, "rangemode": "tozero"},
        yaxis={"autorange": "reversed", "visible": False},
        annotations=row_labels(names, titles, lift=20),
    )


def _is_wide(parts: Mapping[str, float], code: str, rows: Sequence[tuple[str, Mapping[str, float]]]) -> bool:
    """Tell whether a part of a bar has room for its word."""
    longest = max(sum(each.values()) for _, each in rows)
    return longest > 0 and parts.get(code, 0.0) / longest >= 0.2
