"""Evidence that may be looked at every day: e-processes, and a confidence sequence for a difference.

An e-process is a stake that can only grow by chance as long as its hypothesis holds: whatever the day on
which one stops looking, it exceeds c with a probability of at most 1/c (Ville 1939). All are kept as
natural logarithms. Every array ends with an axis of days (or looks); the axes before it are free, so that
a simulation runs thousands of experiments through the very functions the product uses.

References
----------
J. Ville, "Étude critique de la notion de collectif" (1939).
A. Ramdas, P. Grünwald, V. Vovk, G. Shafer, "Game-theoretic statistics and safe anytime-valid inference",
Statistical Science 38 (2023) 576-601.
I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy, A. Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", Annals of Statistics 52 (2024) 2613-2640.
M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 35 (2022).
"""

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln

from core.domain.compare import mcnemar_n
from core.domain.intervals import Floats

Bools = NDArray[np.bool_]

#: Days with discordant articles before the design effect is told, and with it the unit of evidence.
DAYS_FOR_A_UNIT = 6

#: Articles before a confidence sequence is given; it rests on the central limit theorem.
ARTICLES_FOR_AN_INTERVAL = 100
#: How far a plan looks ahead; what takes longer is not worth waiting for.
PLANNED_DAYS = 182

_PLANS = 400  # experiments simulated for a plan: its days are right to about one
_RATIO_WEIGHT = 100.0  # articles that the prior of the sample ratio is worth
_PRIOR = 3.0  # Beta(3, 3) on the share of wins, cut at one half: broad around shares of .6 to .8
_STAKES = np.array([0.25, 0.5, 0.75, 0.95])
_PRIOR_DAYS = 15.0  # days of "articles are independent" that the estimate of the design effect starts with


def paired_log_e(wins: ArrayLike, losses: ArrayLike) -> Floats:
    """Return the log e-value against "the challenger is not better", element by element.

    Parameters
    ----------
    wins, losses : array of float, at least 0
        Articles that only the challenger, and only the champion, got right.

    Notes
    -----
    With w wins and l losses, e = 2^(w+l) B(3+w, 3+l) / B(3, 3) * 2 P(Beta(3+w, 3+l) > 1/2): the likelihood
    of the wins under a share p, averaged over a Beta(3, 3) cut to p > 1/2, over that under p = 1/2. It is
    an e-process as long as, given what closed before, no discordant article is more likely a win than a
    loss. Articles that both or neither got right do not move it.

    Where losses prevail by so much that the last factor is below the smallest double, Laplace's limit of the
    integral stands for it: half the cut prior's density at 1/2, so 15/8, over l - w + 1.
    """
    w, lost = np.asarray(wins, dtype=float), np.asarray(losses, dtype=float)
    even = (w + lost) * np.log(2) + betaln(_PRIOR + w, _PRIOR + lost) - betaln(_PRIOR, _PRIOR)
    above = betainc(_PRIOR + lost, _PRIOR + w, 0.5)  # P(Beta(3 + w, 3 + l) > 1/2)
    tiny = np.finfo(float).tiny
    exact = even + np.log(2) + np.log(np.maximum(above, tiny))
    limit = np.log(15 / 8) - np.log(np.maximum(lost - w, 0) + 1)
    return np.asarray(np.where(above > tiny, exact, limit), dtype=float)


def day_log_e(shares: ArrayLike) -> Floats:
    """Return the log e-value after every day, of bets on the days' net shares of wins.

    Parameters
    ----------
    shares : array (..., days) in [-1, 1]
        (wins - losses) / (wins + losses) of each day; 0 where nothing was discordant.

    Notes
    -----
    The mean, over the stakes s in {.25, .5, .75, .95}, of the product of 1 + s * share. An e-process as
    long as no day's share is expected above 0 given the days before, whatever the dependence among the
    articles of a day.
    """
    grown = np.cumsum(np.log1p(_STAKES * np.asarray(shares, dtype=float)[..., None]), axis=-2)
    return np.asarray(np.logaddexp.reduce(grown, axis=-1) - np.log(len(_STAKES)), dtype=float)


def design_effect(wins: ArrayLike, losses: ArrayLike) -> Floats:
    """Return, after every day, by how much the days' wins vary more than independent articles would.

    Parameters
    ----------
    wins, losses : array (..., days)
        Discordant articles of each day.

    Returns
    -------
    array (..., days)
        1 where the articles of a day are independent; NaN before `DAYS_FOR_A_UNIT` days had discordant ones.

    Notes
    -----
    The variance of the share of wins over days as clusters, over the binomial one, averaged with 15 days'
    worth of 1. Without that prior six independent days look dependent (above 1.2) about once in three
    times; with it a true effect of 2 is still seen after a week.
    """
    w = np.asarray(wins, dtype=float)
    k = w + np.asarray(losses, dtype=float)
    days, total = np.cumsum(k > 0, axis=-1), np.cumsum(k, axis=-1)
    share = np.cumsum(w, axis=-1) / np.maximum(total, 1)
    spread = np.cumsum(w * w, axis=-1) - 2 * share * np.cumsum(w * k, axis=-1)
    spread = spread + share**2 * np.cumsum(k * k, axis=-1)
    binomial = total * share * (1 - share)
    known = (days >= DAYS_FOR_A_UNIT) & (binomial > 0)
    freedom = np.maximum(days - 1, 1)
    # All wins or all losses: nothing varies, so that nothing speaks against independence.
    raw = np.where(known, spread * days / freedom / np.where(binomial > 0, binomial, 1), 1.0)
    shrunk = (freedom * raw + _PRIOR_DAYS) / (freedom + _PRIOR_DAYS)
    return np.where(days >= DAYS_FOR_A_UNIT, shrunk, np.nan)


class Evidence(NamedTuple):
    """Evidence after every day; all arrays have the shape (..., days)."""

    #: log e-value against "the challenger is not better", and against "the champion is not better"
    log_for: Floats
    log_against: Floats
    #: the day is the unit, not the article
    by_day: Bools
    #: NaN before it can be told
    design_effect: Floats


def evidence(wins: ArrayLike, losses: ArrayLike, *, by_day: bool, limit: float) -> Evidence:
    """Return the evidence for either side after every day.

    Parameters
    ----------
    wins, losses : array (..., days)
        Discordant articles of each closed day, in order of closing.
    by_day : bool
        Whether the articles of a day share their labels' one source, so that a day is one bet in any case.
    limit : float
        Design effect from which a day is one bet otherwise.

    Notes
    -----
    With ``by_day`` the evidence is `day_log_e`. Otherwise it is `paired_log_e` on days whose design effect
    so far is known and within the limit, and on all others the smaller of the two.

    The choice of the unit looks at the data, yet is no peeking: whichever is chosen, the evidence never
    exceeds the article e-process, and so with independent articles P(ever >= 1/a) <= a. While the day is
    in force it never exceeds the day process, for which the same holds under any dependence within days.
    Between the two lies dependence that the days so far do not show. Measured at threshold 40 (a fair
    share of wins, 25 % discordant, 20 to 100 articles a day, 365 daily looks, 4,000 runs): at most .012 at
    an intraclass correlation of 0, .036 at .05, .041 at .10, .044 at .20. Choosing the unit by the raw
    design effect from the tenth day on, with articles until then, gives up to .10, .18 and .33 at the
    latter three; so does a unit fixed by the days before with the bets multiplied (.10, .19, .34), since
    what the first days won by chance is kept. Dependence *between* days is in neither.
    """
    w, lost = np.asarray(wins, dtype=float), np.asarray(losses, dtype=float)
    effect = design_effect(w, lost)
    one_bet = np.full(w.shape, by_day) | ~(effect <= limit)
    return Evidence(_toward(w, lost, one_bet, by_day), _toward(lost, w, one_bet, by_day), one_bet, effect)


def _toward(gained: Floats, other: Floats, one_bet: Bools, by_day: bool) -> Floats:  # noqa: FBT001
    days = day_log_e((gained - other) / np.maximum(gained + other, 1))
    if by_day:
        return days
    articles = paired_log_e(np.cumsum(gained, axis=-1), np.cumsum(other, axis=-1))
    return np.where(one_bet, np.minimum(days, articles), articles)


def confidence_sequence(
    variance: ArrayLike, n: ArrayLike, *, alpha: float = 0.05, tuned_for: int = 500
) -> Floats:
    """Return the half-width of the interval around a running mean that holds at all n at once.

    Parameters
    ----------
    variance : array of float, at least 0
        Variance of one article's value; of dependent articles, that of a day's sum over its articles.
    n : array of int
        Articles so far.
    alpha : float
        Probability that the true mean is ever outside.
    tuned_for : int
        Number of articles at which the interval is about as narrow as it can be.

    Returns
    -------
    array of float
        NaN before `ARTICLES_FOR_AN_INTERVAL`.

    Notes
    -----
    sigma sqrt(2 (n r + 1) / (n^2 r) ln(sqrt(n r + 1) / alpha)) with
    r = (-2 ln alpha + ln(1 - 2 ln alpha)) / tuned_for (Waudby-Smith et al. 2024, theorem 2.2): asymptotic,
    hence nothing before 100.
    """
    count = np.asarray(n, dtype=float)
    r = (-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha))) / tuned_for
    m = np.maximum(count, 1)
    scale = 2 * (m * r + 1) / (m**2 * r) * np.log(np.sqrt(m * r + 1) / alpha)
    half = np.sqrt(np.asarray(variance, dtype=float) * scale)
    return np.where(count >= ARTICLES_FOR_AN_INTERVAL, half, np.nan)


def ratio_log_e(challenger: ArrayLike, champion: ArrayLike, allocation: float) -> Floats:
    """Return the log e-value against "articles are dealt out with the share `allocation`".

    Parameters
    ----------
    challenger, champion : array of int
        Articles of either arm so far.
    allocation : float
        Planned share of the challenger, above 0 and below 1.

    Notes
    -----
    Bayes factor of a Beta prior centred at the plan and worth 100 articles (Lindon and Malek 2022), an
    e-process of the sequence of assignments: it ever reaches 1,000 with a probability of at most .001.
    """
    one, other = np.asarray(challenger, dtype=float), np.asarray(champion, dtype=float)
    a, b = _RATIO_WEIGHT * allocation, _RATIO_WEIGHT * (1 - allocation)
    even = one * np.log(allocation) + other * np.log(1 - allocation)
    return np.asarray(betaln(a + one, b + other) - betaln(a, b) - even, dtype=float)


def planned(
    effect: float,
    discordance: float,
    *,
    per_day: float,
    power: float = 0.8,
    threshold: float = 40,
    seed: int,
    by_day: bool = False,
    limit: float = 1.2,
) -> dict[str, Any]:
    """Return what a shadow experiment needs to see a difference, from 400 simulated ones of half a year.

    Parameters
    ----------
    effect : float
        Difference of the two accuracies, above 0.
    discordance : float
        Share of articles on which exactly one of the two is right; at least `effect` is taken.
    per_day : float
        Labelled articles a day, 0 or more.
    power : float
        Probability of seeing it.
    threshold : float
        e-value that decides.
    seed : int
        Seed of the simulation.
    by_day, limit
        As of `evidence`. Articles are simulated as independent, so that with market labels, which are not,
        this is the least that is needed.

    Returns
    -------
    dict
        ``articles_fixed`` McNemar's number, for one look at a fixed end; ``articles`` and ``days_power`` by
        which a share `power` of the experiments had decided, ``days_median`` by which half had; None where
        half a year is not enough. ``detectable``: whether it is. ``power`` and ``per_day`` as given.
    """
    spread = max(discordance, effect)
    means = np.array([spread + effect, spread - effect]) / 2 * per_day
    draws = np.random.default_rng(seed).poisson(means[:, None, None], size=(2, _PLANS, PLANNED_DAYS))
    wins, losses = draws.astype(float)
    one_bet = np.full(wins.shape, by_day) | ~(design_effect(wins, losses) <= limit)
    crossed = _toward(wins, losses, one_bet, by_day) >= np.log(threshold)
    decided = np.maximum.accumulate(crossed, axis=-1).mean(axis=0)
    at_power, at_half = (first_day(decided >= share) for share in (power, 0.5))
    return {
        "articles_fixed": mcnemar_n(effect, spread, power),
        "articles": None if at_power is None else ceil(at_power * per_day),
        "days_median": at_half,
        "days_power": at_power,
        "detectable": at_power is not None,
        "power": power,
        "per_day": per_day,
    }


def first_day(reached: Bools) -> int | None:
    """Return the first day, counted from 1, on which something holds."""
    return int(reached.argmax()) + 1 if reached.any() else None
