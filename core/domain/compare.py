"""Champion against challenger on the same rows: paired table, interval, verdict, and one sentence.

References
----------
M. W. Fagerland, S. Lydersen, P. Laake, "The McNemar test for binary matched-pairs data: mid-p and
asymptotic are better than exact conditional", BMC Medical Research Methodology 13:91 (2013).
R. J. Connor, "Sample size for testing differences in proportions for the paired-sample design",
Biometrics 43 (1987) 207-211.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import binom, norm

from core.domain import intervals
from core.domain.intervals import Floats, Interval
from core.domain.metrics import BY_DAY, Answers, accuracy_interval, macro_f1, majority
from core.domain.policy import Policy
from core.domain.types import Target, Verdict

#: With fewer market days no verdict is given: even if one model won every day, a two-sided sign test
#: over five days stays at 2 / 2^5 = .06, and a bootstrap of so few units only looks sure of itself.
DAYS_FOR_A_VERDICT = 6

NO_ROWS = "no_rows"
LEAKED = "trained_on_the_test"
TOO_FEW_DAYS = "too_few_market_days"
WITHIN_MARGIN = "interval_within_margin"
ABOVE_ZERO = "interval_above_zero"
BELOW_ZERO = "interval_below_zero"
SPANS_ZERO = "interval_spans_zero"

_ALPHA = 0.05


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
    wide = norm.ppf(1 - _ALPHA / 2) * np.sqrt(discordance)
    return float((wide + norm.ppf(power) * np.sqrt(discordance - effect**2)) ** 2 / effect**2)


def minimum_detectable(n: int, discordance: float, power: float) -> float | None:
    """Return the smallest difference `n` pairs would show; None where no possible one would."""
    if n == 0 or discordance == 0 or _pairs(discordance, discordance, power) > n:
        return None
    tiny = discordance * 1e-6
    return float(brentq(lambda effect: _pairs(effect, discordance, power) - n, tiny, discordance))


def compare(
    gold: Sequence[str],
    champion: Sequence[str | None],
    challenger: Sequence[str | None],
    *,
    target: str,
    market_days: Sequence[str | None] | None = None,
    policy: Policy,
    seed: int,
) -> dict[str, Any]:
    """Return the comparison report of two models on the same rows, as plain JSON values.

    Parameters
    ----------
    gold, champion, challenger : sequence of str
        Classes, row by row; a prediction of None was not answered. Rows answered by both are compared.
    target : str
        On ``direction`` the interval resamples market days and the p value is descriptive only.
    market_days : sequence of str, optional
        The market day of each row.
    policy : Policy
        Margin of "equivalent", smallest effect of interest, power.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    dict
        ``difference`` is challenger minus champion, 0-1. ``verdict`` follows from ``interval`` alone:
        equivalent when all of it lies within the margin, better or worse when all of it lies on one
        side of zero, else inconclusive; ``reason`` is the code behind it. ``more_labels`` is given
        while inconclusive: the McNemar number for ``minimum_effect`` at the observed discordance, less
        the present n. It takes rows as independent, so on ``direction`` it is a lower bound.
    """
    both = [i for i in range(len(gold)) if champion[i] is not None and challenger[i] is not None]
    days = None if market_days is None else [str(market_days[i]) for i in both]
    truth = [str(gold[i]) for i in both]
    old = Answers(truth, [str(champion[i]) for i in both], days, str(target))
    new = Answers(truth, [str(challenger[i]) for i in both], days, str(target))
    table = _table(old, new)
    number = len(set(days or ())) if target == Target.DIRECTION else None
    interval, method = _interval(table, old, new, seed)
    verdict, reason = _verdict(interval, number, len(both), policy.equivalence_margin)
    return {
        **_figures(old, new, table),
        "accuracy_champion_interval": _listed(accuracy_interval(old, seed)[0]),
        "accuracy_challenger_interval": _listed(accuracy_interval(new, seed)[0]),
        "interval": _listed(interval),
        "interval_method": method,
        "p": float(mcnemar_mid_p(table["champion_only"], table["challenger_only"])),
        "p_method": "mcnemar mid-p",
        "p_descriptive": bool(target == Target.DIRECTION),
        "market_days": number,
        "verdict": str(verdict),
        "reason": reason,
        "minimum_effect": policy.minimum_effect,
        **_outlook(table, len(both), verdict, reason, policy),
        "coverage": {"asked": len(gold), "both_answered": len(both)},
    }


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _table(old: Answers, new: Answers) -> dict[str, int]:
    was, now = old.right > 0, new.right > 0
    return {
        "both_right": int((was & now).sum()),
        "champion_only": int((was & ~now).sum()),
        "challenger_only": int((~was & now).sum()),
        "both_wrong": int((~was & ~now).sum()),
    }


def _figures(old: Answers, new: Answers, table: dict[str, int]) -> dict[str, Any]:
    n = len(old.gold)
    return {
        "n": n,
        "accuracy_champion": (table["both_right"] + table["champion_only"]) / n if n else None,
        "accuracy_challenger": (table["both_right"] + table["challenger_only"]) / n if n else None,
        "difference": (table["challenger_only"] - table["champion_only"]) / n if n else None,
        "table": table,
        "macro_f1_champion": float(macro_f1(old.confusion())) if n else None,
        "macro_f1_challenger": float(macro_f1(new.confusion())) if n else None,
        "majority": majority(old.gold)[0],
    }


def _interval(
    table: dict[str, int], old: Answers, new: Answers, seed: int
) -> tuple[Interval | None, str | None]:
    if not old.gold:
        return None, None
    if old.target == Target.DIRECTION:
        interval = intervals.mean_by_day((new.right - old.right).tolist(), old.days, seed=seed)
        return interval, BY_DAY if interval else None
    low, high = intervals.tango(table["challenger_only"], table["champion_only"], len(old.gold))
    return (float(low), float(high)), "tango"


def _verdict(interval: Interval | None, days: int | None, n: int, margin: float) -> tuple[Verdict, str]:
    if n == 0:
        return Verdict.INCONCLUSIVE, NO_ROWS
    if interval is None or (days is not None and days < DAYS_FOR_A_VERDICT):
        return Verdict.INCONCLUSIVE, TOO_FEW_DAYS
    low, high = interval
    if -margin <= low and high <= margin:
        return Verdict.EQUIVALENT, WITHIN_MARGIN
    if low > 0:
        return Verdict.BETTER, ABOVE_ZERO
    if high < 0:
        return Verdict.WORSE, BELOW_ZERO
    return Verdict.INCONCLUSIVE, SPANS_ZERO


def _outlook(table: dict[str, int], n: int, verdict: Verdict, reason: str, policy: Policy) -> dict[str, Any]:
    """Say what more labels would settle, where that is a question of labels at all."""
    discordance = (table["champion_only"] + table["challenger_only"]) / n if n else 0.0
    more = None
    if verdict == Verdict.INCONCLUSIVE and reason == SPANS_ZERO:
        more = max(mcnemar_n(policy.minimum_effect, discordance, policy.power) - n, 0)
    return {"more_labels": more, "minimum_detectable": minimum_detectable(n, discordance, policy.power)}


def withhold_leaked(report: dict[str, Any], contaminated: Mapping[str, int]) -> dict[str, Any]:
    """Return a report without a verdict where a model was trained on some of the compared articles.

    Parameters
    ----------
    contaminated : mapping of str to int
        For ``champion`` and ``challenger`` the number of compared articles it was trained on.
    """
    leaked = {"contaminated": dict(contaminated)}
    if not any(contaminated.values()):
        return report | leaked
    return report | leaked | {"verdict": str(Verdict.INCONCLUSIVE), "reason": LEAKED, "more_labels": None}


def sentence(report: dict[str, Any], t: Callable[[str], str] = lambda text: text) -> str:
    """Return the verdict as one sentence a team member can repeat; `t` translates its templates."""
    values: dict[str, Any] = {"n": report["n"], "days": report["market_days"], "needed": DAYS_FOR_A_VERDICT}
    if report["interval"] is not None:
        low, high = report["interval"]
        small, large = sorted((abs(low), abs(high)))
        values |= {"low": _points(low), "high": _points(high)}
        values |= {"least": _points(small), "most": _points(large)}
    values |= {"leaked": max((report.get("contaminated") or {"": 0}).values())}
    values |= {"more": report["more_labels"], "effect": _points(report["minimum_effect"])}
    return _template(report, t).format(**values) + _of_days(report, t)


def _template(report: dict[str, Any], t: Callable[[str], str]) -> str:
    reason = report["reason"]
    if reason == TOO_FEW_DAYS:
        if report["market_days"] == 1:
            return t("Not decided: only 1 market day (n={n}); at least {needed} days are needed.")
        if not report["market_days"]:
            return t("Not decided: the market days of the rows are not known (n={n}).")
        return t("Not decided: only {days} market days (n={n}); at least {needed} are needed.")
    if reason == SPANS_ZERO and report["more_labels"]:
        return t(
            "Not decided: the difference lies between {low} and {high} points (n={n});"
            " about {more} more labels needed to see {effect} points."
        )
    templates = {
        LEAKED: t(
            "Not decided: a model was trained on {leaked} of these {n} articles, so the comparison is no evidence."
        ),
        NO_ROWS: t("Not decided: there is no row that both models answered."),
        ABOVE_ZERO: t("The challenger is better by {least} to {most} points (n={n})."),
        BELOW_ZERO: t("The challenger is worse by {least} to {most} points (n={n})."),
        WITHIN_MARGIN: t("The two are equivalent: they differ by at most {most} points (n={n})."),
        SPANS_ZERO: t(
            "Not decided: the difference lies between {low} and {high} points (n={n}),"
            " although a difference of {effect} points would probably have shown."
        ),
    }
    return templates[reason]


def _of_days(report: dict[str, Any], t: Callable[[str], str]) -> str:
    if report["market_days"] is None or report["reason"] in {TOO_FEW_DAYS, NO_ROWS, LEAKED}:
        return ""
    return " " + t("News of one day share one move: this rests on {days} market days.").format(
        days=report["market_days"]
    )


def _points(share: float) -> str:
    """Write a share as percentage points: whole ones from 3 up, one decimal below."""
    points = 100 * share
    text = f"{points:.0f}" if abs(points) >= 3 else f"{points:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
