"""How long answers take, and whether one model takes less time than another."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.domain import intervals
from core.domain.intervals import RESAMPLES, Floats

#: Answers below which the bootstrap of a median is no interval: it only repeats the few values there are.
_LEAST = 10


def latency(
    champion_ms: Sequence[float | None], challenger_ms: Sequence[float | None], *, seed: int
) -> dict[str, Any]:
    """Return how long the answers of two models take; a side without measured ones is None.

    Parameters
    ----------
    champion_ms, challenger_ms : sequence of float or None
        Milliseconds of each answer, None where they were not measured. The two need not be of the same
        articles: a local model is timed on some only.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    dict
        ``champion`` and ``challenger`` {p50, p95, n} in milliseconds; ``change``: the challenger's median
        over the champion's, less 1; ``interval`` of it, a percentile bootstrap of both medians, None with
        fewer than ten answers on a side.
    """
    old, new = _known(champion_ms), _known(challenger_ms)
    known = bool(len(old) and len(new) and np.median(old) > 0)
    change = float(np.median(new) / np.median(old) - 1) if known else None
    interval = None
    if known and min(len(old), len(new)) >= _LEAST:
        rng = np.random.default_rng(seed)
        below, above = _medians(old, rng), _medians(new, rng)
        interval = list(intervals.percentile(above / np.maximum(below, np.finfo(float).tiny) - 1))
    return {"champion": of(old), "challenger": of(new), "change": change, "interval": interval}


def of(milliseconds: Floats) -> dict[str, Any] | None:
    """Return {p50, p95, n} of measured times; None where there are none."""
    if not len(milliseconds):
        return None
    p50, p95 = np.quantile(milliseconds, [0.5, 0.95])
    return {"p50": float(p50), "p95": float(p95), "n": len(milliseconds)}


def _known(milliseconds: Sequence[float | None]) -> Floats:
    return np.array([value for value in milliseconds if value is not None], dtype=float)


def _medians(values: Floats, rng: np.random.Generator) -> Floats:
    """Return medians of resamples without drawing these.

    The median of n draws from a sample lies at its quantile U, where U is the median of n uniform numbers:
    a Beta((n + 1) / 2, (n + 1) / 2) variable.
    """
    half = (len(values) + 1) / 2
    ranks = np.ceil(rng.beta(half, half, RESAMPLES) * len(values)).astype(int) - 1
    return np.asarray(np.sort(values)[np.clip(ranks, 0, len(values) - 1)], dtype=float)
