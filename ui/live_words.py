"""What a live experiment says, in sentences that a team member can repeat."""

from collections.abc import Mapping
from datetime import datetime
from math import ceil
from typing import Any

from core.domain.live import (
    DEPENDENT,
    INDEPENDENT,
    MARKET_DAYS,
    RATIO_BROKEN,
    TOO_FEW_DAYS,
)
from core.domain.live_days import DAYS_FOR_AN_INTERVAL
from core.domain.sequential import ARTICLES_FOR_AN_INTERVAL
from core.domain.types import ExperimentMode, ExperimentPurpose, Unit, Verdict
from ui import format as fmt
from ui.i18n import mark, t, tn
from ui.live_charts import ratio

MODES = {
    ExperimentMode.SHADOW: mark("Shadow: both predict every article, the champion answers"),
    ExperimentMode.SPLIT: mark("Split: each article is answered by one of the two"),
}
MODE_NAMES = {ExperimentMode.SHADOW: mark("Shadow"), ExperimentMode.SPLIT: mark("Split")}
ENDED_BY = {
    "evidence": mark("ended by its evidence"),
    "time": mark("ended with its time"),
    "budget": mark("ended with its money"),
    "person": mark("stopped by a person"),
    "champion_changed": mark("ended: the champion changed"),
    "rolled_back": mark("ended by a rollback"),
}
_DAY_S = 86_400


def verdict(shown: Mapping[str, Any], *, purpose: str, outlook: str = "") -> str:
    """Return the verdict of an experiment's evidence as one sentence.

    Parameters
    ----------
    shown : mapping
        Report of `live.judge`.
    purpose : str
        CHALLENGE, or WATCH of a former champion, which then stands on the challenger's side.
    outlook : str
        How it goes on while nothing is decided, ending in a full stop.
    """
    if shown.get("reason") == RATIO_BROKEN:
        return t("No verdict: the articles did not reach the two sides as planned.")
    if not shown.get("n"):
        return t("Not decided: no article of a closed day counts yet.")
    if shown.get("e_for") is None:
        return _of_interval(shown, outlook)
    words = _WATCHED if purpose == ExperimentPurpose.WATCH else _CHALLENGED
    found = shown["verdict"]
    if found in (Verdict.BETTER, Verdict.WORSE):
        return _decided(shown, t(words[found]), shown["e_for" if found == Verdict.BETTER else "e_against"])
    leading = Verdict.BETTER if shown["e_for"] >= shown["e_against"] else Verdict.WORSE
    said = t(
        "Not decided: evidence {e} of {threshold} {side} (n = {n}).",
        e=_of_threshold(max(shown["e_for"], shown["e_against"])),
        threshold=fmt.number(shown["threshold"]),
        side=t(words[f"for_{leading}"]),
        n=fmt.number(shown["n"]),
    )
    return f"{said} {outlook}".strip()


def _decided(shown: Mapping[str, Any], who: str, now: float) -> str:
    """Return a decision with its evidence of now, or with that of its day where it has fallen since."""
    values = {"who": who, "days": days(shown), "n": fmt.number(shown["n"])}
    if now >= shown["threshold"]:
        return t("{who}: evidence {ratio} after {days} (n = {n}).", ratio=ratio(now), **values)
    return t(
        "{who}: decided on {date} with evidence {then}, now {ratio} after {days} (n = {n}).",
        date=shown["decided_on"],
        then=ratio(shown["e_decided"]),
        ratio=ratio(now),
        **values,
    )


_CHALLENGED = {
    Verdict.BETTER: mark("The challenger is better"),
    Verdict.WORSE: mark("The champion is better"),
    "for_better": mark("for the challenger"),
    "for_worse": mark("for the champion"),
}
_WATCHED = {
    Verdict.BETTER: mark("The former champion is better"),
    Verdict.WORSE: mark("The new champion is better than the former one"),
    "for_better": mark("for the former champion"),
    "for_worse": mark("for the new champion"),
}


def days(shown: Mapping[str, Any]) -> str:
    """Return over how many days the evidence spreads."""
    if shown.get("unit_reason") == MARKET_DAYS:
        return tn("{n} market day", "{n} market days", shown["days"])
    return tn("{n} day", "{n} days", shown["days"])


def no_interval() -> str:
    """Return when the first interval is told."""
    return t(
        "no interval before {articles} articles and {days} days",
        articles=ARTICLES_FOR_AN_INTERVAL,
        days=DAYS_FOR_AN_INTERVAL,
    )


def _of_threshold(e: float) -> str:
    """Return an e-value beside its threshold; one that cannot be told from nothing is not written as zero."""
    return fmt.number(e) if e >= 10 else fmt.number(e, 1)


def _of_interval(shown: Mapping[str, Any], outlook: str) -> str:
    """Return the verdict of a split, which rests on its interval."""
    n, interval = fmt.number(shown["n"]), shown.get("interval")
    if interval is None:
        said = t("Not decided: {why} (n = {n}).", why=no_interval(), n=n)
        return f"{said} {outlook}".strip()
    low, high = sorted(abs(100 * edge) for edge in interval)
    if shown["verdict"] == Verdict.BETTER:
        return t(
            "The challenger is better by {low} to {high} points (n = {n}).", low=_pp(low), high=_pp(high), n=n
        )
    if shown["verdict"] == Verdict.WORSE:
        return t(
            "The champion is better by {low} to {high} points (n = {n}).", low=_pp(low), high=_pp(high), n=n
        )
    said = t(
        "Not decided: the difference lies between {interval} (n = {n}).",
        interval=fmt.points_interval(interval),
        n=n,
    )
    return f"{said} {outlook}".strip()


def _pp(points: float) -> str:
    return fmt.number(points, 1).removesuffix(".0")


def outlook(
    shown: Mapping[str, Any],
    planned: Mapping[str, Any],
    *,
    started_at: datetime,
    ends_at: datetime,
    now: datetime,
) -> str:
    """Return how a running experiment goes on: in about how many days it would show the planned difference.

    The planned number of articles, less those that count, at the rate at which articles came to count so far.
    """
    needed, effect = planned.get("articles"), planned.get("effect")
    elapsed = max((now - started_at).total_seconds() / _DAY_S, 1.0)
    left = max(0, ceil((ends_at - now).total_seconds() / _DAY_S))
    if not needed or not effect or not shown.get("n"):
        return tn("It ends in {n} day at the latest.", "It ends in {n} days at the latest.", left)
    points = _pp(100 * effect)
    missing = needed - shown["n"]
    if missing <= 0:
        return t("A difference of {points} points would probably have shown by now.", points=points)
    more = max(1, ceil(missing / (shown["n"] / elapsed)))
    if more > left:
        return tn(
            "At the present rate a difference of {points} points takes about {n} more day: longer than it runs.",
            "At the present rate a difference of {points} points takes about {n} more days: longer than it runs.",
            more,
            points=points,
        )
    if shown.get("unit") == Unit.DAY:  # fewer bets than articles: the plan's number is a lower bound
        return tn(
            "At the present rate at least {n} more day for a difference of {points} points.",
            "At the present rate at least {n} more days for a difference of {points} points.",
            more,
            points=points,
        )
    return tn(
        "At the present rate about {n} more day for a difference of {points} points.",
        "At the present rate about {n} more days for a difference of {points} points.",
        more,
        points=points,
    )


_WATCH_LOOK = {
    Verdict.BETTER: ("red", ":material/priority_high:", mark("Former one better")),
    Verdict.WORSE: ("green", ":material/verified:", mark("Holds its place")),
    Verdict.INCONCLUSIVE: ("gray", ":material/visibility:", mark("Watching")),
}


def watch_badge(verdict_code: str) -> str:
    """Return what a watch says of the new champion, as an inline badge."""
    colour, icon, word = _WATCH_LOOK[Verdict(verdict_code)]
    return f":{colour}-badge[{icon} {t(word)}]"


def watch_reason(shown: Mapping[str, Any]) -> str:
    """Return the reason of a rollback by one click, from what the watch has found so far."""
    if not shown.get("n") or shown.get("e_for") is None:
        return t("Taken back while the former champion watched.")
    e = shown.get("e_decided") if shown["verdict"] == Verdict.BETTER else None
    return t(
        "The watch: evidence {ratio} that the former champion is better (n = {n}).",
        ratio=ratio(e or shown["e_for"]),
        n=fmt.number(shown["n"]),
    )


def ended_by(shown: Mapping[str, Any]) -> str:
    """Return what ended an experiment, a dash while it runs."""
    code = shown.get("ended_by")
    return t(ENDED_BY[code]) if code in ENDED_BY else fmt.DASH


def unit_note(shown: Mapping[str, Any]) -> str:
    """Return what one bet of the evidence is about, and why."""
    if shown.get("e_for") is None:
        return t("Articles of the two sides are different ones: only the interval decides.")
    effect = fmt.number(shown.get("design_effect"), 2)
    notes = {
        MARKET_DAYS: t("All articles of a day share one market move: the day counts as one."),
        TOO_FEW_DAYS: t(
            "Too few days with an article on which exactly one is right: the day counts as one until then."
        ),
        DEPENDENT: t(
            "Articles of a day resemble each other (design effect {value}): the day counts as one.",
            value=effect,
        ),
        INDEPENDENT: t(
            "Articles of a day are as good as independent (design effect {value}): each counts.", value=effect
        ),
    }
    return notes.get(shown["unit_reason"], "")


def how_evidence(shown: Mapping[str, Any]) -> str:
    """Return how the evidence was computed, for its tooltip."""
    threshold = fmt.number(shown.get("threshold"))
    return t(
        "Odds against 'no difference', computed from the articles on which exactly one of the two is right, in the "
        "order in which their labels were known. It holds however often one looks: where there is no difference, it "
        "reaches {threshold} : 1 for the wrong side in at most {share} of all experiments.",
        threshold=threshold,
        share=fmt.share(1 / float(shown["threshold"])) if shown.get("threshold") else fmt.DASH,
    )


def how_interval() -> str:
    """Return how the interval of the difference was computed, for its tooltip."""
    return t(
        "Challenger minus champion in percentage points. The band is a confidence sequence: it covers the true "
        "difference at every look together in 95 % of all experiments, and is therefore wider than an interval "
        "looked at once. There is {none}.",
        none=no_interval(),
    )
