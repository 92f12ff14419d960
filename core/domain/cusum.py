"""The CUSUM of right and wrong answers: its weights, its exact run length, and the threshold that follows.

S starts at 0, falls by a whole number at every right answer, rises by another at every wrong one, and
never below 0. It signals when it reaches a threshold. On whole numbers it is a finite Markov chain, so
that the mean number of answers between false alarms is no estimate: it is the solution of one linear
system.

References
----------
E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954) 100-115.
G. V. Moustakides, "Optimal stopping times for detecting changes in distributions", Annals of Statistics
14 (1986) 1379-1387: no other rule of the same false alarms has a shorter worst-case mean delay.
M. R. Reynolds, Z. G. Stoumbos, "A CUSUM chart for monitoring a proportion when inspecting continuously",
Journal of Quality Technology 31 (1999) 87-108.
"""

from functools import lru_cache
from math import gcd, inf, log

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_banded

from core.domain.intervals import Floats

#: A right answer's step in whole numbers, before the fraction is reduced: how finely the lattice divides.
LATTICE = 5
#: No rule of this kind needs a higher threshold; a search that gets here was given impossible numbers.
_HIGHEST = 1 << 20


def weights(ref: float, drop: float) -> tuple[int, int]:
    """Return (up, down): what a wrong answer adds to S, and what a right one takes off.

    Parameters
    ----------
    ref : float
        Accuracy that counts as unchanged, above `drop` and below 1.
    drop : float, above 0
        Fall in accuracy that is to be found fastest.

    Raises
    ------
    ValueError
        Where `ref` leaves no room for the drop, or for a wrong answer.

    Notes
    -----
    The log-likelihood ratios of accuracy ref - drop against ref are log((1 - ref + drop) / (1 - ref)) for
    a wrong answer and log((ref - drop) / ref) for a right one; up / down is their ratio to the nearest
    fifth. For .80 and .10 that is (3, 1), where the ratio is 3.037.
    """
    if not 0 < drop < ref < 1:
        raise ValueError(f"a drop of {drop} from an accuracy of {ref} is impossible")
    wrong, right = log((1 - ref + drop) / (1 - ref)), -log((ref - drop) / ref)
    up = max(1, round(LATTICE * wrong / right))
    common = gcd(up, LATTICE)
    return up // common, LATTICE // common


def cusum_arl(p: float, up: int, down: int, threshold: int) -> float:
    """Return the exact mean number of answers from S = 0 to S >= `threshold`.

    Parameters
    ----------
    p : float in [0, 1]
        Probability that an answer is right, independently of the others.
    up, down, threshold : int, at least 1
        Steps of a wrong and a right answer, and where it signals.

    Returns
    -------
    float
        At the unchanged accuracy the mean number of answers between false alarms; at a lower one the mean
        delay after the worst moment to change, at which S is 0. Infinite at p = 1.

    Raises
    ------
    ValueError
        On a probability outside [0, 1] or a step below 1.

    Notes
    -----
    With L(s) the mean from S = s, L(s) = 1 + p L(max(0, s - down)) + (1 - p) L(s + up) and L = 0 from the
    threshold on: a system with `down` diagonals below and `up` above the main one.
    """
    if not 0 <= p <= 1 or min(up, down, threshold) < 1:
        raise ValueError("a probability lies between 0 and 1, steps and threshold are whole and at least 1")
    if p == 1:
        return inf
    below, above = min(down, threshold - 1), min(up, threshold - 1)
    bands = np.zeros((below + above + 1, threshold))
    bands[above] = 1.0
    bands[above : above + below + 1, 0] -= p  # from below `down` S falls to 0
    if down < threshold:
        bands[above + down, 1 : threshold - down] -= p
    if up < threshold:
        bands[above - up, up:] -= 1 - p
    return float(solve_banded((below, above), bands, np.ones(threshold))[0])


@lru_cache(maxsize=512)
def cusum_threshold(ref: float, target_items: float, *, drop: float) -> int:
    """Return the smallest threshold at which false alarms are `target_items` answers apart, or more.

    Parameters
    ----------
    ref, drop : float
        As in `weights`.
    target_items : float
        Wanted mean number of answers between false alarms, at an accuracy of `ref` exactly.

    Raises
    ------
    ValueError
        As `weights`, and where no threshold is high enough.
    """
    up, down = weights(ref, drop)
    low, high = 0, 1  # the run length at `low` is too short
    while cusum_arl(ref, up, down, high) < target_items:
        if high >= _HIGHEST:
            raise ValueError(f"no threshold gives {target_items} answers between false alarms")
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = cusum_arl(ref, up, down, middle) >= target_items
        low, high = (low, middle) if enough else (middle, high)
    return high


def reflected(steps: ArrayLike, start: ArrayLike = 0.0) -> Floats:
    """Return S after every step, where S never falls below 0.

    Parameters
    ----------
    steps : array (..., items)
        What each item adds; the axes before the last are free.
    start : array (...)
        S before the first item, at least 0.

    Notes
    -----
    With X the running sum of the steps, S_t = X_t + max(start, -min of X up to t) (Skorokhod's
    reflection), which needs no loop.
    """
    total = np.cumsum(np.asarray(steps, dtype=float), axis=-1)
    lifted = np.maximum(np.asarray(start, dtype=float)[..., None], -np.minimum.accumulate(total, axis=-1))
    return np.asarray(total + lifted, dtype=float)
