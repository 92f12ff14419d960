"""Figures of live experiments: values and the reader's words in, no database.

The challenger's side is blue and solid, the champion's gold and dotted, so that the two stay apart
without colour as well.
"""

from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import Any

import plotly.graph_objects as go

from ui.charts import ACCENT, LOST, MAX_POINTS, ON_COLOUR, QUIET, RULE, house_figure, row_labels

CHALLENGER = ACCENT
CHAMPION = "#C29A2B"
BAND = "rgba(79,127,203,0.20)"
#: Evidence below 1 : 100 says no more than "not this one": the line then runs along the floor.
FLOOR = 0.01
#: Nobody asks for more than a million to one: the line then runs along the ceiling.
CEILING = 1e6
DASHES = {CHALLENGER: "solid", CHAMPION: "dot"}
_DRAWN = {CHALLENGER: "━━", CHAMPION: "┅┅"}


def by_date(series: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the points of a series by ISO date, the last where several units close on one day.

    A unit of the market is named "family|session", one of human labels by its date alone.
    """
    dated = {str(point["day"]).rsplit("|", maxsplit=1)[-1]: point for point in series}
    return list(dated.items())[-MAX_POINTS:]


def ratio(e: float) -> str:
    """Return an e-value as odds: "52 : 1", "1 : 8"; beyond a million either way it says no more."""
    if e >= CEILING:
        return f"≥ {CEILING:,.0f} : 1"
    if e >= 1:
        return f"{_digits(e)} : 1"
    return f"1 : {_digits(1 / e)}" if e > 1 / CEILING else f"≤ 1 : {CEILING:,.0f}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def evidence(series: Sequence[Mapping[str, Any]], threshold: float, words: Mapping[str, str]) -> go.Figure:
    """Return the evidence for either side by day on a logarithmic scale, with the line that decides.

    Parameters
    ----------
    series : sequence of mapping
        Points of `live.judge`: ``day``, ``n``, ``e_for``, ``e_against``.
    threshold : float
        e-value from which the experiment is decided.
    words : mapping of str to str
        "for", "against": what each line speaks for; "decision": the label of its line; "n": the
        articles counted.
    """
    points = by_date(series)
    sides = (("e_for", words["for"], CHALLENGER), ("e_against", words["against"], CHAMPION))
    traces, ends = [], []
    for key, name, colour in sides:
        values = [(day, point) for day, point in points if point.get(key) is not None]
        if values:
            traces.append(_evidence_line(values, key, name, colour, words["n"]))
            ends.append((name, float(values[-1][1][key]), colour))
    low, high = _reach([point[key] for _, point in points for key, *_ in sides if point.get(key)], threshold)
    ticks = _decades(low, high, threshold)
    return house_figure(
        traces,
        310,
        margin={"l": 0, "r": 10, "t": 46, "b": 4},
        xaxis=_days_axis([day for day, _ in points]),
        # logarithms on a plain axis: Plotly takes an annotation's place on a logarithmic one as a logarithm,
        # but a shape's as a value
        yaxis={
            "range": [low, high],
            "tickvals": [log10(tick) for tick in ticks],
            "ticktext": [ratio(tick) for tick in ticks],
            "showgrid": True,
        },
        shapes=[across(log10(threshold), dash="dash"), across(0.0)],
        annotations=[_above_line(log10(threshold), words["decision"]), _key(ends)],
    )


def _reach(values: Sequence[float], threshold: float) -> tuple[float, float]:
    """Return the ends of the axis as logarithms: with room above the decision, and no deeper than the floor."""
    high = max([threshold * 4, *(3 * min(value, CEILING) for value in values)])
    low = min([0.3, *(value / 3 for value in values)])
    return log10(max(FLOOR, low)), log10(high)


def _evidence_line(
    values: Sequence[tuple[str, Mapping[str, Any]]], key: str, name: str, colour: str, n: str
) -> go.Scatter:
    told = [f"{ratio(float(point[key]))} · {n} = {point['n']:,}" for _, point in values]
    return go.Scatter(
        x=[day for day, _ in values],
        y=[log10(min(CEILING, max(FLOOR, float(point[key])))) for _, point in values],
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 2.5, "dash": DASHES[colour]},
        marker={"color": colour, "size": 5},
        cliponaxis=False,
        customdata=told,
        hovertemplate=f"%{{x|%Y-%m-%d}} · {name}: %{{customdata}}<extra></extra>",
    )


def _key(ends: Sequence[tuple[str, float, str]]) -> dict[str, Any]:
    """Return each line's name and last value above the plot, where no line can run through them."""
    lines = [
        f"<span style='color:{colour}'>{_DRAWN[colour]}</span> {name} <b>{ratio(value)}</b>"
        for name, value, colour in ends
    ]
    return _corner("<br>".join(lines), y=1, yanchor="bottom")


def _corner(text: str, *, y: float, yanchor: str) -> dict[str, Any]:
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": y, "yref": "paper", "yanchor": yanchor}
    return place | {"text": text, "align": "left", "showarrow": False}


def _decades(low: float, high: float, threshold: float) -> list[float]:
    """Return the tick values of a logarithmic axis, few enough to be read, none beside the threshold."""
    powers = range(floor(low), floor(high) + 1)
    step = 1 + (len(powers) - 1) // 6
    values = [10.0**power for power in powers if power % step == 0 and low <= power <= high]
    return [value for value in values if not threshold / 3 < value < threshold * 3] + [threshold]


def _days_axis(days: Sequence[str]) -> dict[str, Any]:
    """Return a date axis with at most six ticks, each on a day of the series."""
    every = max(1, -(-len(days) // 5))
    shown = list(days)[::-1][::every][::-1]
    return {"type": "date", "tickvals": shown, "ticktext": [day[5:] for day in shown]}


def across(y: float, *, dash: str = "solid") -> dict[str, Any]:
    """Return a line over the whole width of the plot."""
    line = {"color": RULE, "width": 1 if dash == "solid" else 1.5, "dash": dash}
    return {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": y, "y1": y, "line": line}


def _above_line(y: float, text: str) -> dict[str, Any]:
    """Return a line's label above its left end, where the evidence has not risen yet."""
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": y,
        "yanchor": "bottom",
        "text": text,
        "showarrow": False,
    }


def difference_over_time(series: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> go.Figure:
    """Return the difference of the accuracies by day with its anytime-valid interval.

    Parameters
    ----------
    series : sequence of mapping
        Points of `live.judge`: ``day``, ``n``, ``difference``, ``low``, ``high`` (shares; None while there
        is no interval yet).
    words : mapping of str to str
        "unit" of the axis, "for" and "against": whom a difference above and below zero speaks for, "n": the
        articles counted.
    """
    points = [(day, point) for day, point in by_date(series) if point.get("difference") is not None]
    known = [(day, point) for day, point in points if point.get("low") is not None]
    days = [day for day, _ in points]
    lower, upper = ([100 * float(point[key]) for _, point in known] for key in ("low", "high"))
    middle = [100 * float(point["difference"]) for _, point in points]
    reach = 1.4 * max([10.0, *map(abs, [*lower, *upper, *middle[-20:]])])
    reach = min(reach, 120.0)
    told = [_with_interval(point, words) for _, point in points]
    line = go.Scatter(
        x=days,
        y=middle,
        mode="lines+markers",
        line={"color": CHALLENGER, "width": 2.5},
        marker={"color": CHALLENGER, "size": 5},
        customdata=told,
        hovertemplate="%{x|%Y-%m-%d}: %{customdata}<extra></extra>",
    )
    return house_figure(
        [*ribbon([day for day, _ in known], lower, upper), line],
        230,
        margin={"l": 0, "r": 10, "t": 10, "b": 4},
        xaxis=_days_axis(days),
        yaxis={
            "range": [-reach, reach],
            "title": {"text": words["unit"]},
            **_points_ticks(reach),
            "showgrid": True,
        },
        shapes=[across(0.0)],
        annotations=[
            _corner(f"↑ {words['for']}", y=1, yanchor="top"),
            _corner(f"↓ {words['against']}", y=0, yanchor="bottom"),
        ],
    )


def _points_ticks(reach: float) -> dict[str, Any]:
    """Return five ticks in whole points at most, signed, with a plain zero in the middle."""
    step = next(step for step in (5, 10, 20, 50) if reach / step < 3)
    ticks = [tick for tick in range(-100, 101, step) if abs(tick) < 0.9 * reach]
    return {
        "tickvals": ticks,
        "ticktext": [f"{tick:+d}".replace("-", "−") if tick else "0" for tick in ticks],
    }


def _with_interval(point: Mapping[str, Any], words: Mapping[str, str]) -> str:
    text = f"{100 * point['difference']:+.1f} {words['unit']}"
    if point.get("low") is not None:
        text += f" ({100 * point['low']:+.1f} – {100 * point['high']:+.1f})"
    return f"{text} · {words['n']} = {point['n']:,}".replace("-", "−")


def ribbon(x: Sequence[Any], low: Sequence[float], high: Sequence[float]) -> list[go.Scatter]:
    """Return an interval as a band; nothing where there is none."""
    if not x:
        return []
    edge = {"x": list(x), "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        go.Scatter(y=list(low), **edge),
        go.Scatter(y=list(high), fill="tonexty", fillcolor=BAND, **edge),
    ]


def coverage(parts: Sequence[tuple[str, int, bool]], title: str) -> go.Figure:
    """Return one bar: what became of the articles, the ones that count first.

    Parameters
    ----------
    parts : sequence of (word, count, counts)
        `counts` tells whether these articles are part of the evidence.
    title : str
        Stands above the bar.
    """
    total = sum(n for _, n, _ in parts)
    shades = {True: CHALLENGER, False: LOST}
    bars = [
        go.Bar(
            y=[title],
            x=[n],
            orientation="h",
            marker={"color": shades[counts], "line": {"width": 1, "color": QUIET}},
            text=[f"{word} {n:,}" if n >= 0.3 * total else f"{n:,}" if n >= 0.08 * total else ""],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"color": ON_COLOUR, "size": 12},
            hovertemplate=f"{word}: %{{x:,}}<extra></extra>",
        )
        for word, n, counts in parts
        if n
    ]
    return house_figure(
        bars,
        62,
        barmode="stack",
        bargap=0.45,
        margin={"l": 0, "r": 8, "t": 16, "b": 0},
        xaxis={"visible": False, "range": [0, max(total, 1)]},
        yaxis={"visible": False},
        annotations=row_labels([title], [title], lift=21),
    )
