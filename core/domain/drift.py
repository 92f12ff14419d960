"""Whether the accuracy of a model version has fallen below what its own first labels showed.

A reference is taken from the first live labels of a version and stays as it is. Two statistics are then
looked at after every closed day. The CUSUM of single answers is fast and WARNs; it corrects for the
dependence of a day's labels by an estimate. The e-SR statistic of whole days needs no such estimate: its
false alarms are at least `Reference.alert_at` days apart on average whatever the dependence within a day.
It ALERTs, and an alert may set something in motion.

Neither sees through dependence *between* days: a bad month of the market is a fall in accuracy to both.

References
----------
J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
New England Journal of Statistics in Data Science 2 (2024) 229-260: the e-SR statistic and its guarantee.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from core.domain import watching
from core.domain.cusum import cusum_arl, cusum_threshold, weights
from core.domain.intervals import Floats, wilson
from core.domain.reference import CALIBRATING, TOO_LOW, Day, NoReference, Reference, reference
from core.domain.watching import Crossing, Point, Watch, Whole

__all__ = [
    "CALIBRATING",
    "TOO_LOW",
    "Crossing",
    "Day",
    "NoReference",
    "Point",
    "Reference",
    "Rolling",
    "Watch",
    "cusum_arl",
    "cusum_threshold",
    "day_evidence",
    "reference",
    "rolling",
    "watch_cusum",
    "watch_days",
    "weights",
]

#: What the e-SR statistic stakes, as shares of the most that a day on which all is right can lose.
_STAKES = 0.98 * np.array([0.1, 0.2, 0.4, 0.6, 0.8])
STAKES = len(_STAKES)
_LARGEST_LOG = np.log(1e300)


def day_evidence(shares: ArrayLike, ref: float, start: ArrayLike = -np.inf) -> Floats:
    """Return the logs of the five e-SR statistics after every day.

    Parameters
    ----------
    shares : array (..., days), 0-1
        Accuracy of each day.
    ref : float
        Accuracy that counts as unchanged, below 1.
    start : array (..., 5)
        The logs before the first day; minus infinity where nothing came before.

    Returns
    -------
    array (..., days, 5)
        Their mean, not in logs, is what is compared with a threshold of days.

    Notes
    -----
    M_k <- (M_k + 1)(1 + lambda_k (ref - share)) with lambda_k = .98 {.1, .2, .4, .6, .8} / (1 - ref). As
    long as no day's accuracy is expected below ref given the days before, M less the number of days is a
    supermartingale, hence the mean number of days to M >= c is at least c.
    """
    stakes = _STAKES / (1 - ref)
    grown = np.cumsum(np.log1p(stakes * (ref - np.asarray(shares, dtype=float)[..., None])), axis=-2)
    earlier = np.concatenate([np.zeros_like(grown[..., :1, :]), grown[..., :-1, :]], axis=-2)
    begun = np.logaddexp.accumulate(-earlier, axis=-2)
    carried = np.asarray(start, dtype=float)[..., None, :] if np.ndim(start) else start
    return np.asarray(grown + np.logaddexp(begun, carried), dtype=float)


def mean_evidence(logs: Floats) -> Floats:
    """Return the mean of the five statistics (..., days) from their logs (..., days, 5); at most 1e300."""
    # Days measured beyond a signal are thrown away, yet would overflow before that.
    return np.asarray(np.exp(np.minimum(logs, _LARGEST_LOG)).mean(axis=-1), dtype=float)


def watch_cusum(days: Sequence[Day], reference: Reference) -> Watch:
    """Return the CUSUM of the answers after the reference days: it WARNs.

    Parameters
    ----------
    days : sequence of Day
        Closed days in any order; those of the reference and before are passed over.
    reference : Reference
        Frozen earlier.

    Returns
    -------
    Watch
        A day's value is the highest S of that day. Days without labels are no points.
    """
    labelled = _labelled(days, reference)
    steps = [np.where(day.in_order() > 0, -reference.down, reference.up) for day in labelled]
    return watching.walk_items([day.day for day in labelled], reference.warn_at, steps)


def watch_days(days: Sequence[Day], reference: Reference) -> Watch:
    """Return the e-SR statistic of the days after the reference: it ALERTs.

    Parameters and result are those of `watch_cusum`; a day's value is the mean M.
    """
    labelled = _labelled(days, reference)
    shares = np.array([day.right / day.n for day in labelled])

    def measure(first: int, end: int) -> tuple[Floats, Whole]:
        logs = day_evidence(shares[first:end], reference.ref)
        began = _likeliest_start(shares[first:end], reference.ref, np.argmax(logs, axis=1))
        return mean_evidence(logs), began

    return watching.walk([day.day for day in labelled], reference.alert_at, measure)


def _likeliest_start(shares: Floats, ref: float, stake: Whole) -> Whole:
    """Return, for each day, the start from which the bets at its `stake` have grown most by then."""
    steps = np.log1p(_STAKES / (1 - ref) * (ref - shares)[:, None])
    before = np.cumsum(steps, axis=0) - steps  # the lower it was, the more has been won since
    is_lowest = before <= np.minimum.accumulate(before, axis=0)
    starts = np.maximum.accumulate(np.where(is_lowest, np.arange(len(shares))[:, None], 0), axis=0)
    return np.asarray(starts[np.arange(len(shares)), stake], dtype=np.int64)


def _labelled(days: Sequence[Day], reference: Reference) -> list[Day]:
    return [day for day in watching.in_order(days, reference.last_day) if day.n]


@dataclass(frozen=True)
class Rolling:
    """The accuracy (0-1) of the days up to `day`, with its interval, over `n` labels."""

    day: str
    n: int
    accuracy: float
    low: float
    high: float


def rolling(days: Sequence[Day], *, window: int = 7, effect: float = 1.0) -> tuple[Rolling, ...]:
    """Return the accuracy of the last `window` calendar days, for every day with labels: a chart, no alarm.

    Parameters
    ----------
    days : sequence of Day
        In any order.
    window : int
        Calendar days, the day itself included.
    effect : float, at least 1
        Design effect, by whose root Wilson's 95 % interval is widened.

    Notes
    -----
    No line across this chart has false alarms that are known: the same "below .75" is crossed by chance
    every seven weeks at 20 labels a day and about never at 100.
    """
    labelled = [day for day in watching.in_order(days) if day.n]
    wider, points = sqrt(effect), []
    for place, last in enumerate(labelled):
        after = (date.fromisoformat(last.day) - timedelta(window)).isoformat()
        recent = [day for day in labelled[max(place + 1 - window, 0) : place + 1] if day.day > after]
        n, right = sum(day.n for day in recent), sum(day.right for day in recent)
        low, high = wilson(right, n) or (0.0, 1.0)
        share = right / n
        low, high = share - (share - low) * wider, share + (high - share) * wider
        points.append(Rolling(last.day, n, share, max(low, 0.0), min(high, 1.0)))
    return tuple(points)
