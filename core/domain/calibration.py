"""Whether stated confidences are honest: Brier score, ECE with its null level, Spiegelhalter's test.

References
----------
D. J. Spiegelhalter, "Probabilistic prediction in patient management and clinical trials", Statistics in
Medicine 5 (1986) 421-433.
J. Bröcker, L. A. Smith, "Increasing the reliability of reliability diagrams", Weather and Forecasting 22
(2007) 651-661: consistency resampling, which gives the null level of the calibration error.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import norm

from core.domain import intervals
from core.domain.intervals import Floats

_BINS = 10
#: Answers of a perfectly calibrated model that are drawn for the null level of the ECE.
_DRAWS = 1000
#: Random numbers held at once while they are drawn: 8 MB.
_HELD = 1_000_000
#: Fewer days say nothing of how much the days differ.
_LEAST_DAYS = 6


def calibration(
    right: Floats, confidence: Floats, *, days: Sequence[str] | None = None, seed: int
) -> dict[str, Any]:
    """Return Brier score, ECE and Spiegelhalter's test over the rows whose confidence is not NaN.

    Parameters
    ----------
    right : array of float, shape (n,)
        1.0 where the answer is right, else 0.0.
    confidence : array of float, shape (n,)
        Stated probability of the answer, 0-1; NaN where there is none.
    days : sequence of str, optional
        The market day of each row, where the rows of one day are no independent evidence.
    seed : int
        Seed of the null level.

    Returns
    -------
    dict
        ``brier``: mean of (confidence - right)^2; ``ece``: top-label expected calibration error over the
        ten ``ece_bins``; ``ece_null`` {mean, p95}: the ECE that a perfectly calibrated model with these
        confidences would show on as many independent rows, since ECE is never 0 on few rows;
        ``spiegelhalter`` {z, p, by}: two-sided test of calibration, negative z where the model is surer
        than it should be, ``by`` "row" or "day". What cannot be known is None.
    """
    known = ~np.isnan(confidence)
    if not known.any():
        return {"brier": None, "ece": None, "ece_bins": [], "ece_null": None, "spiegelhalter": None}
    sure, hits = confidence[known], right[known]
    which = _bins(sure)
    bins = [_bin(i, sure[which == i], hits[which == i]) for i in range(_BINS)]
    kept = None if days is None else [day for day, is_known in zip(days, known, strict=True) if is_known]
    return {
        "brier": float(np.mean((sure - hits) ** 2)),
        "ece": float(sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins if b["n"]) / len(sure)),
        "ece_bins": bins,
        "ece_null": ece_null(sure, seed=seed),
        "spiegelhalter": spiegelhalter(hits, sure, kept),
    }


def spiegelhalter(
    right: Floats, confidence: Floats, days: Sequence[str] | None = None
) -> dict[str, Any] | None:
    """Return Spiegelhalter's z with its two-sided p, which asks whether the Brier score is as promised.

    z = sum (right - p)(1 - 2p) / sqrt(sum (1 - 2p)^2 p (1 - p)). With `days` the variance is that of the
    days' sums, sum over days of (sum of the day)^2, which holds for any dependence within a day. None where
    every confidence is 0, .5 or 1, or with fewer than six days. The sign is turned so that z is negative
    where the answers are less often right than stated.
    """
    pulls = (right - confidence) * (2 * confidence - 1)
    variance = float(np.sum((1 - 2 * confidence) ** 2 * confidence * (1 - confidence)))
    if days is not None:
        sums, number = intervals.day_sums(pulls[:, None], days)
        variance = float(np.sum(sums**2)) if number >= _LEAST_DAYS else 0.0
    if variance <= 0:
        return None
    z = float(pulls.sum() / np.sqrt(variance))
    return {"z": z, "p": float(2 * norm.sf(abs(z))), "by": "row" if days is None else "day"}


def ece_null(confidence: Floats, *, seed: int) -> dict[str, float]:
    """Return mean and 95th percentile of the ECE of a perfectly calibrated model with these confidences.

    Each draw lets every row be right with exactly its stated probability, rows independent of each other.
    """
    stated, rows = np.unique(confidence, return_counts=True)
    inside = np.eye(_BINS)[_bins(stated)]
    rng, at_once = np.random.default_rng(seed), max(1, _HELD // len(stated))
    errors = [
        # equally sure rows are right as often as one binomial says
        np.abs(
            (rng.binomial(rows, stated, (min(at_once, _DRAWS - start), len(rows))) - rows * stated) @ inside
        )
        for start in range(0, _DRAWS, at_once)
    ]
    eces = np.concatenate(errors).sum(axis=1) / len(confidence)
    return {"mean": float(eces.mean()), "p95": float(np.quantile(eces, 0.95))}


def _bins(confidence: Floats) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)


def _bin(i: int, confidence: Floats, right: Floats) -> dict[str, Any]:
    n = len(right)
    return {
        "low": i / _BINS,
        "high": (i + 1) / _BINS,
        "n": n,
        "confidence": float(confidence.mean()) if n else None,
        "accuracy": float(right.mean()) if n else None,
    }
