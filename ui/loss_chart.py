"""The figure of a training's losses, from values."""

from collections.abc import Sequence

import plotly.graph_objects as go

from core.domain.types import Split
from core.queries.training import LossPoint
from ui.charts import MAX_POINTS, SPLIT_COLOURS, house_figure


def losses(points: Sequence[LossPoint], train: str, validation: str, step: str, loss: str) -> go.Figure:
    """Return the losses by step: a line for the training part, one for the validation part where there is one.

    The words are the reader's; of more points than can be told apart, the last are drawn.
    """
    kept = list(points)[-MAX_POINTS:]
    series = (
        (train, SPLIT_COLOURS[Split.TRAIN], [(point.step, point.train) for point in kept]),
        (validation, SPLIT_COLOURS[Split.VALIDATION], [(point.step, point.validation) for point in kept]),
    )
    traces = [
        _line(name, colour, [(x, y) for x, y in values if y is not None]) for name, colour, values in series
    ]
    return house_figure(
        [trace for trace in traces if len(trace.x or ())],
        200,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        margin={"l": 0, "r": 8, "t": 30, "b": 4},
        yaxis={"title": {"text": loss}, "nticks": 4, "showgrid": True, "rangemode": "tozero"},
        xaxis={"title": {"text": step}, "nticks": 6},
    )


def _line(name: str, colour: str, values: Sequence[tuple[int, float]]) -> go.Scatter:
    return go.Scatter(
        x=[x for x, _ in values],
        y=[y for _, y in values],
        name=name,
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"size": 5},
        hovertemplate=f"{name} · %{{x}}: %{{y:.3f}}<extra></extra>",
    )
