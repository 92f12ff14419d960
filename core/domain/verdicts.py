"""What a comparison's interval decides, why, and the one sentence that says it."""

from collections.abc import Callable, Mapping
from typing import Any

from core.domain.intervals import Interval
from core.domain.types import Verdict

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
NOT_BY_TEST = "not_confirmed_by_the_test"
NOT_AFTER_HOLM = "not_after_holm"
#: What more labels may decide.
UNDECIDED = (SPANS_ZERO, NOT_BY_TEST)

_ALPHA = 0.05

_NOT_OF_DAYS = (TOO_FEW_DAYS, NO_ROWS, LEAKED)

Translate = Callable[[str], str]


def _unchanged(text: str) -> str:
    return text


def too_few_days(days: int | None) -> bool:
    """Tell whether a verdict would rest on too few market days; False where days are no units."""
    return days is not None and days < DAYS_FOR_A_VERDICT


def decide(
    interval: Interval | None, p: float | None, days: int | None, n: int, margin: float
) -> tuple[Verdict, str]:
    """Return the verdict that an interval of the difference and its test allow, with the code of why.

    "Better" and "worse" ask for both: on four rows that differ, and on few days, an interval leaves out zero
    where the test does not, and what one pair of models shows would not hold among several.

    Parameters
    ----------
    interval : tuple of float or None
        Challenger minus champion, -1 to 1.
    p : float or None
        Of the test that goes with the units: McNemar's mid-p, or the permutation of market days.
    days : int or None
        Market days, where they are the units.
    n : int
        Rows compared.
    margin : float
        Half-width of "equivalent".
    """
    if n == 0:
        return Verdict.INCONCLUSIVE, NO_ROWS
    if interval is None or too_few_days(days):
        return Verdict.INCONCLUSIVE, TOO_FEW_DAYS
    low, high = interval
    if -margin <= low and high <= margin:
        return Verdict.EQUIVALENT, WITHIN_MARGIN
    if low <= 0 <= high:
        return Verdict.INCONCLUSIVE, SPANS_ZERO
    if p is None or p >= _ALPHA:
        return Verdict.INCONCLUSIVE, NOT_BY_TEST
    return (Verdict.BETTER, ABOVE_ZERO) if low > 0 else (Verdict.WORSE, BELOW_ZERO)


def withhold_leaked(report: dict[str, Any], contaminated: Mapping[str, int]) -> dict[str, Any]:
    """Return a report without a verdict where a model was trained on some of the compared articles.

    Of the plan's targets only the latency, which does not rest on labels, is left as it is.

    Parameters
    ----------
    contaminated : mapping of str to int
        For ``champion`` and ``challenger`` the number of compared articles it was trained on or shown.
    """
    leaked = {"contaminated": dict(contaminated)}
    if not any(contaminated.values()):
        return report | leaked
    plan = [
        target if target["code"] == "latency" else target | {"state": "open", "needed": None}
        for target in report["plan"]
    ]
    withheld = {"verdict": str(Verdict.INCONCLUSIVE), "reason": LEAKED, "more_labels": None, "plan": plan}
    return report | leaked | withheld


def correct_for_many(report: dict[str, Any], holm_p: float | None, pairs: int) -> dict[str, Any]:
    """Return a report of one of several `pairs`, without a "better" or "worse" that Holm does not confirm.

    Parameters
    ----------
    holm_p : float or None
        Adjusted p of the pair; None where none could be computed.
    """
    corrected = report | {"holm_p": holm_p, "pairs": pairs}
    found = report["verdict"] in {Verdict.BETTER, Verdict.WORSE}
    if not found or (holm_p is not None and holm_p < _ALPHA):
        return corrected
    return corrected | {"verdict": str(Verdict.INCONCLUSIVE), "reason": NOT_AFTER_HOLM}


def sentence(
    report: Mapping[str, Any], t: Translate = _unchanged, *, champion: str = "", challenger: str = ""
) -> str:
    """Return the verdict as one sentence a team member can repeat; `t` translates its templates.

    With both names given, they stand in it. They are written as they are: escape them for where they go.
    """
    values: dict[str, Any] = {"n": report["n"], "days": report["market_days"], "needed": DAYS_FOR_A_VERDICT}
    if report["interval"] is not None:
        low, high = report["interval"]
        small, large = sorted((abs(low), abs(high)))
        values |= {"low": _points(low), "high": _points(high)}
        values |= {"least": _points(small), "most": _points(large)}
    values |= {"leaked": max((report.get("contaminated") or {"": 0}).values())}
    values |= {"more": report["more_labels"], "effect": _points(report["minimum_effect"])}
    values |= {"champion": champion, "challenger": challenger, "pairs": report.get("pairs")}
    template = _template(report, t, named=bool(champion and challenger))
    return template.format(**values) + _of_days(report, t)


def _template(report: Mapping[str, Any], t: Translate, *, named: bool) -> str:
    reason = report["reason"]
    if reason == TOO_FEW_DAYS:
        return _of_few_days(report, t)
    if reason in UNDECIDED and report["more_labels"]:
        return t(
            "Not decided: the difference lies between {low} and {high} points (n={n});"
            " about {more} more labels needed to see {effect} points."
        )
    named_templates = {
        ABOVE_ZERO: t("{challenger} is better than {champion} by {least} to {most} points (n={n})."),
        BELOW_ZERO: t("{challenger} is worse than {champion} by {least} to {most} points (n={n})."),
        WITHIN_MARGIN: t(
            "{challenger} and {champion} are equivalent: they differ by at most {most} points (n={n})."
        ),
    }
    if named and reason in named_templates:
        return named_templates[reason]
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
        NOT_AFTER_HOLM: t(
            "Not decided: the difference lies between {low} and {high} points (n={n}),"
            " but among {pairs} pairs compared at once one such difference may be chance."
        ),
    }
    return templates[SPANS_ZERO if reason == NOT_BY_TEST else reason]


def _of_few_days(report: Mapping[str, Any], t: Translate) -> str:
    if report["market_days"] == 1:
        return t("Not decided: only 1 market day (n={n}); at least {needed} days are needed.")
    if not report["market_days"]:
        return t("Not decided: the market days of the rows are not known (n={n}).")
    return t("Not decided: only {days} market days (n={n}); at least {needed} are needed.")


def _of_days(report: Mapping[str, Any], t: Translate) -> str:
    if report["market_days"] is None or report["reason"] in _NOT_OF_DAYS:
        return ""
    return " " + t("News of one day share one move: this rests on {days} market days.").format(
        days=report["market_days"]
    )


def _points(share: float) -> str:
    """Write a share as percentage points: whole ones from 3 up, one decimal below."""
    points = 100 * share
    text = f"{points:.0f}" if abs(points) >= 3 else f"{points:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
