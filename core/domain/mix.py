"""Whether articles or answers are mixed differently from before: PSI with a p value, week by week.

The population stability index has no fixed limit that suits all numbers of articles: at 20 a week two equal
mixes differ by more than the usual .1 in one week of three. It is told with the p value of its chi-square
limit instead. One look a week at weeks that do not overlap; it is no bound over all weeks at once.

References
----------
B. Yurdakul, J. Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
Validation 14 (2020): PSI / (1/n + 1/m) is asymptotically chi-square with k - 1 degrees of freedom.
J. N. K. Rao, A. J. Scott, "The analysis of categorical data from complex sample surveys", JASA 76 (1981)
221-230: the first-order correction for clusters.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy.stats import chi2

from core.domain import watching
from core.domain.intervals import Floats
from core.domain.reference import design_effect

#: Name under which rare categories are counted together.
REST = "(rest)"

_SMOOTHING = 0.5
_LEAST_EXPECTED = 5  # as for any chi-square statistic
_LEAST = 20  # items; fewer were not checked
_WEEK = 7


@dataclass(frozen=True)
class Mix:
    """What one day's items were, by category.

    Parameters
    ----------
    day : str
        ISO date.
    counts : mapping of str to int
        Items of each category.
    """

    day: str
    counts: Mapping[str, int]

    @property
    def n(self) -> int:
        """Items of the day."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Shift:
    """How two mixes differ.

    Parameters
    ----------
    n_reference, n : int
        Items of the reference and of the present.
    shares : dict of str to (float, float)
        Share of each category then and now, 0-1, as counted.
    psi : float or None
        Population stability index; None with fewer than 20 items on either side.
    p : float or None
        Its p value; None as well where there is only one category.
    design_effect : float
        What the statistic was divided by.
    shifted : bool
        Whether p is below the level asked for.
    """

    n_reference: int
    n: int
    shares: dict[str, tuple[float, float]]
    psi: float | None
    p: float | None
    design_effect: float
    shifted: bool


@dataclass(frozen=True)
class Week:
    """The shift of seven whole days against the reference; ISO dates, both included."""

    first_day: str
    last_day: str
    shift: Shift


def mix_shift(
    reference: Mapping[str, int], now: Mapping[str, int], *, level: float, effect: float = 1.0
) -> Shift:
    """Return how the mix `now` differs from that of the reference.

    Parameters
    ----------
    reference, now : mapping of str to int
        Items of each category.
    level : float
        p value below which it counts as shifted.
    effect : float, at least 1
        Design effect of the counts (`mix_design_effect`).

    Notes
    -----
    PSI = sum (q - p) ln(q / p) over the shares p then and q now, each count raised by one half; p value =
    chi2_{k-1}.sf(PSI / (1/n + 1/m) / effect). Categories of which fewer than five are expected on the
    smaller side are taken together.
    """
    n, m = sum(reference.values()), sum(now.values())
    shares = {
        name: (reference.get(name, 0) / n if n else 0.0, now.get(name, 0) / m if m else 0.0)
        for name in sorted({*reference, *now})
        if reference.get(name, 0) + now.get(name, 0)
    }
    if min(n, m) < _LEAST:
        return Shift(n, m, shares, None, None, effect, shifted=False)
    before, after = _pooled(reference, now)
    p, q = ((side + _SMOOTHING) / (side + _SMOOTHING).sum() for side in (before, after))
    psi = float(((q - p) * np.log(q / p)).sum())
    freedom = len(before) - 1
    chance = float(chi2.sf(psi / (1 / n + 1 / m) / effect, freedom)) if freedom else None
    return Shift(n, m, shares, psi, chance, effect, shifted=chance is not None and chance < level)


def _pooled(reference: Mapping[str, int], now: Mapping[str, int]) -> tuple[Floats, Floats]:
    """Return the counts of both sides, category by category, the rare ones as one."""
    total = Counter(dict(reference)) + Counter(dict(now))
    smaller = min(sum(reference.values()), sum(now.values())) / total.total()
    sides: tuple[Counter[str], Counter[str]] = Counter(), Counter()
    for name, count in total.items():
        kept = name if count * smaller >= _LEAST_EXPECTED else REST
        for side, counts in zip(sides, (reference, now), strict=True):
            side[kept] += counts.get(name, 0)
    names = sorted({*sides[0], *sides[1]})
    before, after = (np.array([side[name] for name in names], dtype=float) for side in sides)
    return before, after


def mix_design_effect(days: Sequence[Mix]) -> float:
    """Return by how much the mix of days varies more than that of independent items, at least 1.

    The mean of the categories' design effects d_k with weights 1 - p_k, over k - 1 (Rao and Scott 1981).
    Days without items do not count; with fewer than two there is no effect to be seen.
    """
    seen = [day for day in days if day.n]
    sizes = np.array([day.n for day in seen], dtype=float)
    names = sorted({name for day in seen for name, count in day.counts.items() if count})
    if len(seen) < 2 or len(names) < 2:
        return 1.0
    total = 0.0
    for name in names:
        counts = np.array([day.counts.get(name, 0) for day in seen], dtype=float)
        share = float(counts.sum() / sizes.sum())
        total += (1 - share) * design_effect(counts, sizes, share * (1 - share))
    return max(1.0, total / (len(names) - 1))


def weekly_shifts(
    reference: Sequence[Mix], days: Sequence[Mix], *, until: str, level: float
) -> tuple[Week, ...]:
    """Return the shift of every whole week after the reference days, oldest first.

    Parameters
    ----------
    reference : sequence of Mix
        Days to compare with, in any order; at least one.
    days : sequence of Mix
        Later days; those not later than the reference are passed over.
    until : str
        ISO date of the last closed day. The weeks are counted from the day after the reference; one that
        ends later than this is not looked at yet.
    level : float
        p value below which a week counts as shifted.

    Raises
    ------
    ValueError
        Where a day comes twice, or there is no reference day.
    """
    if not reference:
        raise ValueError("a shift is told against some reference days")
    ordered = watching.in_order(reference)
    before, effect = _sum(ordered), mix_design_effect(ordered)
    later = watching.in_order(days, ordered[-1].day)
    first, end = date.fromisoformat(ordered[-1].day) + timedelta(1), date.fromisoformat(until)
    weeks = []
    while (last := first + timedelta(_WEEK - 1)) <= end:
        span = first.isoformat(), last.isoformat()
        now = _sum([day for day in later if span[0] <= day.day <= span[1]])
        weeks.append(Week(*span, mix_shift(before, now, level=level, effect=effect)))
        first = last + timedelta(1)
    return tuple(weeks)


def _sum(days: Sequence[Mix]) -> Counter[str]:
    total: Counter[str] = Counter()
    for day in days:
        total.update(day.counts)
    return total
