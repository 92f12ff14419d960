"""Answering only when sure: accuracy against coverage, and the threshold that keeps a promise.

The best point of the empirical curve is the luckiest one: read off it, a promise of 90 % is broken in 18 to
42 % of all cases. A sequence of tests fixed beforehand, from the surest answers down, keeps it.

References
----------
A. N. Angelopoulos, S. Bates, E. J. Candès, M. I. Jordan, L. Lei, "Learn then test: calibrating predictive
algorithms to achieve risk control" (2021): fixed-sequence testing along a threshold.
C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26 (1934) 404-413.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, t

from core.domain import intervals
from core.domain.intervals import Floats

CHOSEN = "chosen"
NO_CONFIDENCE = "no_confidence"
TOO_FEW_ROWS = "too_few_rows"
TOO_FEW_DAYS = "too_few_market_days"
NOT_REACHED = "accuracy_not_reached"

#: Rows below which a threshold is not chosen: on 100 of them one is found in four cases of five only, and
#: it keeps a third of the articles where three quarters would do.
LEAST_ROWS = 200
#: Market days below which it is not chosen where labels come from the market.
LEAST_DAYS = 20
_POINTS = 101
#: Answers kept at the first threshold tested: fewer cannot show 90 % unless nearly all are right.
_FIRST = 40
#: Share of the answers by which each threshold tested keeps more than the one before. The answers kept are
#: nearly the same from step to step; many small steps only give chance more turns to end the sequence.
_STEP = 0.05


def curve(right: Floats, confidence: Floats) -> list[dict[str, Any]]:
    """Return accuracy and coverage over the thresholds, the strictest first.

    Parameters
    ----------
    right : array of float, shape (n,)
        1.0 where the answer is right, else 0.0.
    confidence : array of float, shape (n,)
        Stated confidence, 0-100. Rows whose confidence is NaN are never kept but count in the coverage.

    Returns
    -------
    list of dict
        At most 101 points {threshold 0-100, coverage 0-1, accuracy 0-1, n}: the answers whose confidence
        is at least `threshold`. Empty where no confidence is known.
    """
    thresholds, kept, hits = _steps(right, confidence)
    if not len(thresholds):
        return []
    ends = np.unique(np.linspace(0, len(thresholds) - 1, min(_POINTS, len(thresholds))).round().astype(int))
    return [_point(thresholds[i], int(kept[i]), int(hits[i]), len(right)) for i in ends]


def choose(
    right: Floats,
    confidence: Floats,
    *,
    accuracy: float,
    level: float,
    least: int = LEAST_ROWS,
    days: Sequence[str] | None = None,
) -> dict[str, Any] | None:
    """Return the lowest threshold whose answers are right in `accuracy` of all cases, `level` sure of it.

    Parameters
    ----------
    right, confidence : array of float, shape (n,)
        As of `curve`.
    accuracy : float
        Share of the kept answers to be right, 0-1.
    level : float
        Probability, 0-1, with which that holds for new articles like these: one-sided, for the threshold
        chosen and not for each tested.
    least : int
        Rows with a known confidence below which nothing is chosen.
    days : sequence of str, optional
        The market day of each row; the lower limit then also allows for what the days have in common, and
        20 of them are needed.

    Returns
    -------
    dict or None
        {threshold, coverage, accuracy, n, lower}; None where there is none, see `reason`.
    """
    if _obstacle(confidence, least, days):
        return None
    thresholds, kept, hits = _steps(right, confidence)
    chosen = None
    for i in _sequence(kept):
        lower = clopper_pearson_lower(int(hits[i]), int(kept[i]), level)
        if days is not None:
            lower = min(lower, _lower_by_day(right, days, confidence >= thresholds[i], level))
        if lower < accuracy:
            break
        chosen = _point(thresholds[i], int(kept[i]), int(hits[i]), len(right)) | {"lower": lower}
    return chosen


def abstention(
    right: Floats, confidence: Floats, *, accuracy: float, level: float, days: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return curve and chosen threshold as a report holds them, with the code of why there is none.

    ``reason`` is "chosen", "no_confidence", "too_few_rows", "too_few_market_days" or
    "accuracy_not_reached"; the other keys are ``curve``, ``chosen``, ``target_accuracy``, ``level``.
    """
    chosen = choose(right, confidence, accuracy=accuracy, level=level, days=days)
    reason = CHOSEN if chosen else _obstacle(confidence, LEAST_ROWS, days) or NOT_REACHED
    return {
        "curve": curve(right, confidence),
        "chosen": chosen,
        "reason": reason,
        "target_accuracy": accuracy,
        "level": level,
    }


def clopper_pearson_lower(successes: int, n: int, level: float) -> float:
    """Return the one-sided lower limit of a share that `successes` of `n` show, at least `level` sure."""
    return float(beta.ppf(1 - level, successes, n - successes + 1)) if successes else 0.0


def _obstacle(confidence: Floats, least: int, days: Sequence[str] | None) -> str | None:
    known = int((~np.isnan(confidence)).sum())
    if not known:
        return NO_CONFIDENCE
    if known < least:
        return TOO_FEW_ROWS
    return TOO_FEW_DAYS if days is not None and len(set(days)) < LEAST_DAYS else None


def _steps(right: Floats, confidence: Floats) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct confidences, largest first, with the answers kept and right from there up."""
    known = ~np.isnan(confidence)
    order = np.argsort(-confidence[known], kind="stable")
    sure, hits = confidence[known][order], right[known][order].cumsum()
    last = np.flatnonzero(np.append(sure[1:] != sure[:-1], True)) if len(sure) else np.array([], dtype=int)
    return sure[last], (last + 1).astype(np.int64), hits[last].astype(np.int64)


def _sequence(kept: NDArray[np.int64]) -> list[int]:
    """Return which thresholds are tested, in order. Only the confidences decide that, never the labels."""
    tested: list[int] = []
    for i, n in enumerate(kept):
        before = kept[tested[-1]] if tested else 0
        if n >= _FIRST and n - before >= _STEP * kept[-1]:
            tested.append(i)
    if tested and tested[-1] != len(kept) - 1:
        tested.append(len(kept) - 1)
    return tested


def _lower_by_day(right: Floats, days: Sequence[str], kept: NDArray[np.bool_], level: float) -> float:
    """Return the one-sided t limit of the accuracy with days as clusters (linearised ratio of sums)."""
    chosen = [day for day, keep in zip(days, kept, strict=True) if keep]
    sums, number = intervals.day_sums(np.column_stack([right[kept], np.ones(len(chosen))]), chosen)
    if number < 2:
        return 0.0
    share = sums[:, 0].sum() / sums[:, 1].sum()
    off = sums[:, 0] - share * sums[:, 1]
    error = np.sqrt(number / (number - 1) * np.sum(off**2)) / sums[:, 1].sum()
    return float(share - t.ppf(level, number - 1) * error)


def _point(threshold: float, kept: int, hits: int, n: int) -> dict[str, Any]:
    return {"threshold": float(threshold), "coverage": kept / n, "accuracy": hits / kept, "n": kept}
