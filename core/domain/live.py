"""The verdict of a live experiment from its labelled articles, in the order in which their labels were known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.domain import live_days, sequential
from core.domain.intervals import Floats
from core.domain.live_days import Days, Difference
from core.domain.live_days import Row as Row  # noqa: PLC0414 - callers build their rows as live.Row
from core.domain.policy import Policy
from core.domain.types import Arm, ExperimentMode, Unit, Verdict

#: Evidence is told within 1e-12 and 1e12: beyond, only the exponent would change, and JSON has no infinity.
LARGEST = 1e12

#: Why the unit is what it is.
MARKET_DAYS = "market_labels_of_a_day_are_one_move"
TOO_FEW_DAYS = "design_effect_not_known_yet"
DEPENDENT = "design_effect_above_limit"
INDEPENDENT = "design_effect_within_limit"

#: Why the verdict is what it is.
NO_ROWS = "no_rows"
REACHED = "evidence_reached"
NOT_YET = "evidence_not_reached"
RATIO_BROKEN = "sample_ratio_broken"


def judge(
    rows: Sequence[Row],
    *,
    mode: ExperimentMode,
    by_day: bool,
    allocation: float | None,
    asked: Mapping[Arm, int],
    policy: Policy,
    watch: bool = False,
) -> dict[str, Any]:
    """Return what an experiment has shown so far, as plain JSON values.

    Parameters
    ----------
    rows : sequence of Row
        Labelled articles of closed days only, in any order. Articles of one `day` are one bet where the day
        is the unit, so that a day that is still open would be settled before its time.
    mode : ExperimentMode
        Shadow compares both answers to each article; split compares two groups of articles.
    by_day : bool
        Whether labels come from the market.
    allocation : float, optional
        Planned share of the challenger; of the split mode.
    asked : mapping of Arm to int
        Articles of each arm so far, labelled or not; of the split mode.
    policy : Policy
        Thresholds.
    watch : bool
        Whether it asks of the challenger alone, a former champion: that it was shown worse at first does not
        keep it from being shown better later. Of the shadow mode.

    Returns
    -------
    dict
        ``n``, ``wins`` (only the challenger right), ``losses``, ``both_right``, ``both_wrong`` (None in the
        split mode, where no article has two answers), ``champion_accuracy``, ``challenger_accuracy``,
        ``difference`` (challenger minus champion, 0-1; in the split mode weighted by the inverse of the
        allocation, so that it may differ a little from that of the two shares), ``interval`` (95 %, holds at
        all looks at once; None before 100 articles and ten days).

        ``unit`` and ``unit_reason``, ``design_effect`` (None while unknown), ``days``. ``e_for`` and
        ``e_against`` are e-values as of now, ``threshold`` what decides; None in the split mode.
        ``decided_on`` is the Seoul date on which the threshold was first reached (in the split mode: on
        which the interval first left zero), and ``e_decided`` the e-value of that date; later dates never
        take it back. ``verdict`` is about the challenger, ``reason`` the code behind it.

        ``series``: the same figures at the end of each Seoul date on which something closed, oldest first.
        ``ratio`` of the split mode: whether articles reached the arms as planned; ``labelled`` in it asks
        the same of those in `rows` at every date. Where either is broken no verdict is given.

    Raises
    ------
    ValueError
        In the split mode without an allocation, or with a row of both arms.

    Notes
    -----
    Everything is computed anew from `rows` at every call. What was told on a past date stays as long as
    the labels of past dates do; one changed later changes the evidence from its date on.
    """
    if mode == ExperimentMode.SPLIT:
        if allocation is None:
            raise ValueError("a split experiment has an allocation")
        if any(row.arm == Arm.BOTH for row in rows):
            raise ValueError("an article of a split experiment belongs to one arm")
        return _split(live_days.by_day(rows), asked, allocation, by_day=by_day, policy=policy)
    return _shadow(live_days.by_day(rows), by_day=by_day, policy=policy, watch=watch)


def _shadow(days: Days, *, by_day: bool, policy: Policy, watch: bool) -> dict[str, Any]:
    difference = live_days.of_pairs(days)
    found = sequential.evidence(days.wins, days.losses, by_day=by_day, limit=policy.design_effect_limit)
    up, down = _capped(found.log_for), _capped(found.log_against)
    strongest = np.maximum(up, down)
    first = _reached(days, strongest, policy)
    if watch and (back := _reached(days, up, policy)) is not None:
        first, strongest = back, up
    n, both, wins, losses = (int(each.sum()) for each in (days.n, days.both_right, days.wins, days.losses))
    won, lost = np.cumsum(days.wins), np.cumsum(days.losses)
    return {
        **_figures(days, difference),
        "wins": wins,
        "losses": losses,
        "both_right": both,
        "both_wrong": n - both - wins - losses,
        **_unit(_last(found.design_effect), by_day=by_day, limit=policy.design_effect_limit),
        "e_for": _last(up, 1.0),
        "e_against": _last(down, 1.0),
        "threshold": policy.evidence_threshold,
        "e_decided": None if first is None else float(strongest[first]),
        **_decision(days, first, better=first is not None and bool(up[first] >= strongest[first])),
        "series": [
            _point(days, difference, i)
            | {"wins": int(won[i]), "losses": int(lost[i])}
            | {"e_for": float(up[i]), "e_against": float(down[i])}
            for i in days.looks()
        ],
        "ratio": None,
    }


def _split(
    days: Days, asked: Mapping[Arm, int], allocation: float, *, by_day: bool, policy: Policy
) -> dict[str, Any]:
    difference = live_days.of_arms(days, allocation)
    # NaN compares as false: no interval, no decision.
    beyond = np.abs(difference.value) > difference.half
    first = next((i for i in days.looks() if beyond[i]), None)
    no_pairs: dict[str, Any] = dict.fromkeys(("wins", "losses", "e_for", "e_against"))
    report = {
        **_figures(days, difference),
        **dict.fromkeys(("both_right", "both_wrong", "threshold", "e_decided")),
        **no_pairs,
        **_unit(_last(difference.effect), by_day=by_day, limit=policy.design_effect_limit),
        **_decision(days, first, better=first is not None and bool(difference.value[first] > 0)),
        "series": [_point(days, difference, i) | no_pairs for i in days.looks()],
    }
    ratio = _ratio({arm: np.array([asked.get(arm, 0)]) for arm in days.asked}, allocation, policy)
    labelled = _ratio({arm: np.cumsum(n) for arm, n in days.asked.items()}, allocation, policy)
    if ratio["broken"] or labelled["broken"]:
        report |= {"verdict": str(Verdict.INCONCLUSIVE), "reason": RATIO_BROKEN}
    return report | {"ratio": ratio | {"labelled": labelled}}


def _figures(days: Days, difference: Difference) -> dict[str, Any]:
    n = int(days.n.sum())
    shares = {arm: float(days.right[arm].sum() / max(days.asked[arm].sum(), 1)) for arm in days.asked}
    known = {arm: shares[arm] if days.asked[arm].any() else None for arm in shares}
    return {
        "n": n,
        "champion_accuracy": known[Arm.CHAMPION],
        "challenger_accuracy": known[Arm.CHALLENGER],
        "difference": _last(difference.value) if None not in known.values() else None,
        "interval": difference.interval(-1) if n else None,
        "days": len(days.dates),
    }


def _reached(days: Days, e: Floats, policy: Policy) -> int | None:
    """Return the first look at which an e-value reaches the threshold."""
    return next((i for i in days.looks() if e[i] >= policy.evidence_threshold), None)


def _last(values: Floats, empty: float | None = None) -> float | None:
    return empty if not len(values) or np.isnan(values[-1]) else float(values[-1])


def _unit(effect: float | None, *, by_day: bool, limit: float) -> dict[str, Any]:
    if by_day:
        reason = MARKET_DAYS
    elif effect is None:
        reason = TOO_FEW_DAYS
    else:
        reason = INDEPENDENT if effect <= limit else DEPENDENT
    unit = Unit.ARTICLE if reason == INDEPENDENT else Unit.DAY
    return {"unit": str(unit), "unit_reason": reason, "design_effect": effect}


def _decision(days: Days, first: int | None, *, better: bool) -> dict[str, Any]:
    if first is None:
        reason = NOT_YET if days.dates else NO_ROWS
        return {"decided_on": None, "verdict": str(Verdict.INCONCLUSIVE), "reason": reason}
    verdict = Verdict.BETTER if better else Verdict.WORSE
    return {"decided_on": days.dates[first], "verdict": str(verdict), "reason": REACHED}


def _point(days: Days, difference: Difference, i: int) -> dict[str, Any]:
    low, high = difference.interval(i) or (None, None)
    return {
        "day": days.dates[i],
        "n": int(days.n[: i + 1].sum()),
        "difference": float(difference.value[i]),
        "low": low,
        "high": high,
    }


def _capped(log_e: Floats) -> Floats:
    return np.asarray(np.clip(np.exp(np.minimum(log_e, 700)), 1 / LARGEST, LARGEST), dtype=float)


def _ratio(counts: Mapping[Arm, Any], allocation: float, policy: Policy) -> dict[str, Any]:
    """Say whether articles reached the arms as planned, at the last count and at any before it."""
    challenger, champion = counts[Arm.CHALLENGER], counts[Arm.CHAMPION]
    e = _capped(sequential.ratio_log_e(challenger, champion, allocation))
    return {
        "e": _last(e, 1.0),
        "threshold": policy.ratio_threshold,
        "broken": bool((e >= policy.ratio_threshold).any()),
        "challenger": int(_last(challenger, 0) or 0),
        "champion": int(_last(champion, 0) or 0),
    }
