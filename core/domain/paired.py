"""Two models on the same rows: McNemar's test, macro-F1 and recalls side by side, many comparisons at once.

Where labels come from the market, days are resampled and swapped, not rows: all news of one day share its
one move.

References
----------
M. W. Fagerland, S. Lydersen, P. Laake, "The McNemar test for binary matched-pairs data: mid-p and
asymptotic are better than exact conditional", BMC Medical Research Methodology 13:91 (2013).
R. J. Connor, "Sample size for testing differences in proportions for the paired-sample design",
Biometrics 43 (1987) 207-211.
S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
(1979) 65-70.
B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics
and Molecular Biology 9:39 (2010): the observed arrangement counts as one of those drawn.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import binom

from core.domain import intervals
from core.domain.intervals import RESAMPLES, Floats, Interval
from core.domain.metrics import BY_DAY, CLASSES, Answers, macro_f1
from core.domain.types import Target

BY_ROW = "paired bootstrap"
SWAP_ROWS = "permutation of rows"
SWAP_DAYS = "permutation of market days"

_ALPHA = 0.05
_NORMAL = NormalDist()
#: Up to so many days every assignment of signs is looked at; with more, so many are drawn.
_ALL_SIGNS_UP_TO = 13
_SIGN_DRAWS = 9_999
_CELLS = len(CLASSES) ** 3
#: Cell (gold, champion, challenger) of a row -> the cell after its two answers are swapped.
_SWAPPED = np.arange(_CELLS).reshape(3, 3, 3).transpose(0, 2, 1).ravel()
#: Cells whose two answers differ: swapping the others changes nothing.
_MOVES = np.flatnonzero(np.arange(_CELLS) != _SWAPPED)
#: Two statistics closer than this are the same one, computed in another order.
_TIE = 1e-12


def mcnemar_mid_p(champion_only: ArrayLike, challenger_only: ArrayLike) -> Floats:
    """Return the two-sided mid-p value of McNemar's test, element by element; 1 where nothing differs."""
    b, c = np.asarray(champion_only), np.asarray(challenger_only)
    fewer = np.minimum(b, c)
    p = 2 * binom.cdf(fewer, b + c, 0.5) - binom.pmf(fewer, b + c, 0.5)
    return np.asarray(np.minimum(p, 1.0), dtype=float)


def mcnemar_n(effect: float, discordance: float, power: float) -> int:
    """Return the pairs McNemar's test needs at the 5 % level, to the nearest whole (Connor 1987).

    Parameters
    ----------
    effect : float
        Difference of the two accuracies to be seen, above 0.
    discordance : float
        Share of rows on which exactly one model is right; at least `effect`, since a difference of
        `effect` cannot come from fewer.
    power : float
        Probability of seeing it.
    """
    return round(_pairs(effect, max(discordance, effect), power))


def _pairs(effect: float, discordance: float, power: float) -> float:
    wide = _NORMAL.inv_cdf(1 - _ALPHA / 2) * sqrt(discordance)
    return (wide + _NORMAL.inv_cdf(power) * sqrt(discordance - effect**2)) ** 2 / effect**2


def minimum_detectable(n: int, discordance: float, power: float) -> float | None:
    """Return the smallest difference `n` pairs would show; None where no possible one would."""
    if n == 0 or discordance == 0 or _pairs(discordance, discordance, power) > n:
        return None
    tiny = discordance * 1e-6
    return float(brentq(lambda effect: _pairs(effect, discordance, power) - n, tiny, discordance))


def macro_f1_difference(old: Answers, new: Answers, *, seed: int) -> dict[str, Any]:
    """Return the difference of two macro-F1, challenger minus champion, with interval and p.

    Parameters
    ----------
    old, new : Answers
        Champion and challenger on the same rows in the same order.
    seed : int
        Seed of bootstrap and permutation.

    Returns
    -------
    dict
        ``difference`` -1 to 1; ``interval``: percentile interval of 2 000 paired bootstraps, which is
        slightly too narrow on 50 rows; ``p``: share of 2 000 random swaps of the two models' answers, row
        by row, that differ at least as much. On direction whole days are drawn and swapped; without them,
        or with a single one, interval and p are None.
    """
    if not old.gold:
        nothing = dict.fromkeys(("difference", "interval", "interval_method", "p", "p_method"))
        return dict(nothing)
    cells = _cells(old, new)
    by_day = old.target == Target.DIRECTION
    observed = float(_f1_gap(np.bincount(cells, minlength=_CELLS)[None, :])[0])
    drawn, swapped = _by_day(cells, old.days, seed) if by_day else _by_row(cells, seed)
    units = len(set(old.days or ())) if by_day else None
    return {
        "difference": observed,
        "interval": None if drawn is None else list(intervals.percentile(drawn, units=units)),
        "interval_method": None if drawn is None else BY_DAY if by_day else BY_ROW,
        "p": None if swapped is None else _share_beyond(swapped, observed),
        "p_method": None if swapped is None else SWAP_DAYS if by_day else SWAP_ROWS,
    }


def _cells(old: Answers, new: Answers) -> NDArray[np.int64]:
    """Return the cell of gold, champion and challenger that each row falls into, 0-26."""
    return old.cells * 3 + new.cells % 3


def _f1_gap(counts: NDArray[Any]) -> Floats:
    """Return macro-F1 of the challenger less that of the champion for counts (k, 27)."""
    table = counts.reshape(-1, 3, 3, 3)
    return np.asarray(macro_f1(table.sum(axis=2)) - macro_f1(table.sum(axis=3)), dtype=float)


def _by_row(cells: NDArray[np.int64], seed: int) -> tuple[Floats, Floats]:
    """Return the differences of resampled and of swapped rows.

    Rows within a cell are alike, so drawing n rows is one multinomial over the 27 cells, and swapping each
    with probability 1/2 is one binomial a cell.
    """
    rng, counts = np.random.default_rng(seed), np.bincount(cells, minlength=_CELLS)
    drawn = _f1_gap(rng.multinomial(len(cells), counts / len(cells), size=RESAMPLES))
    moved = np.zeros((RESAMPLES, _CELLS), dtype=np.int64)
    moved[:, _MOVES] = rng.binomial(counts[_MOVES], 0.5, size=(RESAMPLES, len(_MOVES)))
    return drawn, _f1_gap(counts - moved + moved[:, _SWAPPED])


def _by_day(
    cells: NDArray[np.int64], days: Sequence[str] | None, seed: int
) -> tuple[Floats, Floats] | tuple[None, None]:
    if days is None:
        return None, None
    sums, number = intervals.day_sums(np.eye(_CELLS)[cells], days)
    if number < 2:
        return None, None
    stay = np.random.default_rng(seed + 1).integers(0, 2, (RESAMPLES, number)).astype(float)
    swapped = stay @ sums + (1 - stay) @ sums[:, _SWAPPED]
    return _f1_gap(intervals.resample_days(sums, seed)), _f1_gap(swapped)


def _share_beyond(drawn: Floats, observed: float) -> float:
    beyond = int((np.abs(drawn) >= abs(observed) - _TIE).sum())
    return (beyond + 1) / (len(drawn) + 1)


def day_sign_p(old: Answers, new: Answers, *, seed: int) -> float | None:
    """Return the two-sided p of the accuracy difference when each day's answers may be swapped as a whole.

    All 2^days swaps where those are few, else 9 999 random ones; it holds whatever the rows of a day have
    in common. None without days, or with a single one. With D days p is at least 2 / 2^D.
    """
    if old.days is None or not old.gold:
        return None
    sums, number = intervals.day_sums((new.right - old.right)[:, None], old.days)
    if number < 2:
        return None
    gain = np.abs(sums[:, 0])  # a sign of the day's own changes nothing once every sign is tried
    observed = float(abs(sums.sum()))
    if number <= _ALL_SIGNS_UP_TO:
        signs = 1 - 2 * ((np.arange(2**number)[:, None] >> np.arange(number)) & 1)
        return float((np.abs(signs @ gain) >= observed - _TIE).mean())
    signs = 1 - 2 * np.random.default_rng(seed).integers(0, 2, (_SIGN_DRAWS, number))
    return _share_beyond(np.asarray(signs @ gain, dtype=float), observed)


def per_class(old: Answers, new: Answers, *, seed: int) -> dict[str, dict[str, Any]]:
    """Return the recalls of both models in each class: {support, recall_champion, recall_challenger, ...}.

    ``difference`` is challenger minus champion, ``interval`` Tango's among the rows of that class, or over
    market days on direction. A class without rows has support 0 and None elsewhere.
    """
    gold = np.array(old.gold)
    report: dict[str, dict[str, Any]] = {}
    for name in CLASSES:
        inside = [bool(is_in) for is_in in gold == name]
        was, now = (answers.without([not is_in for is_in in inside]) for answers in (old, new))
        report[name] = _recalls(was, now, seed)
    return report


def _recalls(old: Answers, new: Answers, seed: int) -> dict[str, Any]:
    n = len(old.gold)
    interval = accuracy_difference_interval(old, new, seed=seed)[0]
    return {
        "support": n,
        "recall_champion": float(old.right.mean()) if n else None,
        "recall_challenger": float(new.right.mean()) if n else None,
        "difference": float((new.right - old.right).mean()) if n else None,
        "interval": None if interval is None else list(interval),
    }


def accuracy_difference_interval(
    old: Answers, new: Answers, *, seed: int
) -> tuple[Interval | None, str | None]:
    """Return the 95 % interval of new less old accuracy and its method: Tango's, or over market days.

    That over days is never narrower than Tango's: days that are all alike have no spread to draw from, and
    rows of one day know no more than as many separate ones.
    """
    if not old.gold:
        return None, None
    gain = new.right - old.right
    low, high = intervals.tango(int((gain > 0).sum()), int((gain < 0).sum()), len(gain))
    of_rows = float(low), float(high)
    if old.target != Target.DIRECTION:
        return of_rows, "tango"
    interval = intervals.mean_by_day(gain.tolist(), old.days, seed=seed)
    return (intervals.hull(interval, of_rows), BY_DAY) if interval else (None, None)


def holm(ps: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values, in the order given: the k-th smallest of m is taken (m - k + 1) times.

    None of them is above 1, and none below that of a smaller p.
    """
    order = np.argsort(ps, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(np.asarray(ps, dtype=float)[order] * factors), 1.0)
    back = np.empty(len(order))
    back[order] = adjusted
    return [float(p) for p in back]
