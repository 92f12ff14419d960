"""Intervals for shares and for differences of shares: Wilson, Tango, and the bootstrap over days.

All shares are 0-1, all levels are two-sided coverage (0.95 by default).

References
----------
E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
T. Tango, "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design", Statistics in Medicine 17 (1998) 891-908.
T. C. Hesterberg, "What teachers should know about the bootstrap: resampling in the undergraduate statistics
curriculum", The American Statistician 69 (2015) 371-386: the expanded percentile interval.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

Interval = tuple[float, float]
Floats = NDArray[np.float64]

#: Resamples of every bootstrap; 2 000 keep the Monte-Carlo error of a 95 % limit near 1 % of its width.
RESAMPLES = 2000

_BISECTIONS = 60  # halves [-1, 1] below the spacing of doubles


def wilson(successes: int, n: int, level: float = 0.95) -> Interval | None:
    """Return Wilson's score interval of `successes` out of `n`, or None where `n` is 0."""
    if n == 0:
        return None
    z2 = float(norm.ppf((1 + level) / 2)) ** 2
    centre = (successes + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * (successes * (n - successes) / n + z2 / 4)) / (n + z2)
    low = 0.0 if successes == 0 else float(centre - half)
    return low, (1.0 if successes == n else float(centre + half))


def tango(gained: ArrayLike, lost: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return Tango's score limits for the paired difference (gained - lost) / n, element by element.

    Parameters
    ----------
    gained, lost : array of int
        Discordant pairs: only the second model right, only the first model right.
    n : array of int, at least 1
        All pairs, the concordant ones included.
    level : float
        Coverage.

    Returns
    -------
    low, high : array of float in [-1, 1]
        Broadcast shape of the arguments.

    Notes
    -----
    The limits are the two roots of |z(d)| = z_level with z(d) = (g - l - n d) / sqrt(n (2 q + d (1 - d)))
    and q the maximum-likelihood estimate of P(only the first right) under the difference d: the larger
    root of 2n q^2 + (d (2n - g + l) - g - l) q - l d (1 - d) = 0 (Tango 1998, eq. 7). z falls with d,
    so each root is found by bisection, which works on whole arrays.
    """
    g, lo, m = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (gained, lost, n)))
    z = float(norm.ppf((1 + level) / 2))
    point = (g - lo) / m
    # both limits at once: the lower one lies below the point, the upper one above it
    levels = np.array([z, -z]).reshape(2, *([1] * g.ndim))
    below, above = np.stack([np.full(g.shape, -1.0), point]), np.stack([point, np.full(g.shape, 1.0)])
    low, high = _root((g, lo, m), levels, below, above)
    return low, high


def _root(counts: tuple[Floats, Floats, Floats], z: Floats, below: Floats, above: Floats) -> Floats:
    """Return the difference at which Tango's statistic falls through `z`, between the given bounds."""
    for _ in range(_BISECTIONS):
        middle = (below + above) / 2
        still_larger = _larger_than(counts, middle, z)
        below, above = np.where(still_larger, middle, below), np.where(still_larger, above, middle)
    return np.asarray((below + above) / 2, dtype=float)


def _larger_than(counts: tuple[Floats, Floats, Floats], d: Floats, z: Floats) -> NDArray[np.bool_]:
    g, lost, n = counts
    linear = d * (2 * n - g + lost) - g - lost
    root = np.sqrt(np.maximum(linear**2 + 8 * n * lost * d * (1 - d), 0.0))
    q = (root - linear) / (4 * n)
    spread = np.sqrt(np.maximum(n * (2 * q + d * (1 - d)), 0.0))
    # Compared as a product: at d = +-1 the spread may be 0.
    return np.asarray(g - lost - n * d > z * spread, dtype=bool)


def day_sums(values: ArrayLike, days: Sequence[Any]) -> tuple[Floats, int]:
    """Return `values` (n, k) summed within each day, shape (number of days, k), and that number."""
    rows = np.asarray(values, dtype=float)
    index = {day: i for i, day in enumerate(sorted({str(day) for day in days}))}
    sums = np.zeros((len(index), rows.shape[1]))
    np.add.at(sums, [index[str(day)] for day in days], rows)
    return sums, len(index)


def resample_days(sums: Floats, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Return bootstrap totals: days drawn with replacement, shape (resamples, k).

    The day is the unit because all news of one market day share that day's one move.
    """
    days = len(sums)
    weights = np.random.default_rng(seed).multinomial(days, np.full(days, 1 / days), size=resamples)
    return np.asarray(weights @ sums, dtype=float)


def percentile(samples: Floats, level: float = 0.95, *, units: int | None = None) -> Interval:
    """Return the percentile interval of bootstrap `samples`; NaN samples are left out.

    With `units`, at least 2, it is expanded as Student's t for that many drawn units is wider than the
    normal: unexpanded, the interval over six days misses the truth in 13 % of all cases instead of 5 %.
    """
    if units is not None:
        reach = t.ppf((1 + level) / 2, units - 1) * np.sqrt(units / (units - 1))
        level = float(1 - 2 * norm.sf(reach))
    low, high = np.nanquantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_by_day(values: Sequence[float], days: Sequence[Any] | None, *, seed: int) -> Interval | None:
    """Return the day-bootstrap interval of the mean of `values`; None with fewer than two days."""
    if days is None or not len(values):
        return None
    sums, number = day_sums(np.column_stack([values, np.ones(len(values))]), days)
    if number < 2:
        return None
    totals = resample_days(sums, seed)
    return percentile(totals[:, 0] / totals[:, 1], units=number)


def hull(first: Interval, second: Interval) -> Interval:
    """Return the smallest interval that holds both."""
    return min(first[0], second[0]), max(first[1], second[1])
