"""The plan's three targets beside a comparison: gain over few-shot, accuracy, latency saved."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from core.domain.policy import Policy

REACHED, MISSED, OPEN = "reached", "missed", "open"

#: More articles than these nobody will label: the measured figure is the target itself, as far as one can see.
_MOST = 20_000


def targets(report: Mapping[str, Any], policy: Policy, *, decidable: bool) -> list[dict[str, Any]]:
    """Return the plan's targets with what a comparison says of them.

    Parameters
    ----------
    report : mapping
        ``n``, ``difference`` and ``accuracy_challenger`` with their intervals, ``latency``, ``sensible_n``
        and ``test_too_small``.
    policy : Policy
        The targets.
    decidable : bool
        False where the intervals rest on too little to decide anything: every state is open then.

    Returns
    -------
    list of dict
        {code, target, measured, interval, state, needed}, shares all of them. ``latency`` is a change, so
        its target is negative. "reached" and "missed" need the whole interval on one side of the target.
        While open, ``needed`` is about how many articles in all would settle it if the measured figure
        stayed: an interval narrows with the root of their number. For the gain it is at least ``sensible_n``
        where there are fewer, since the figure of so few rarely stays. It is None where nothing was
        measured, or where no number of articles that one could label would do.
    """
    n, latency = report["n"], report["latency"]
    timed = min((side["n"] for side in (latency["champion"], latency["challenger"]) if side), default=0)
    accuracy = (report["accuracy_challenger"], report["accuracy_challenger_interval"])
    gain = _target(
        "gain", policy.plan_gain, (report["difference"], report["interval"]), n, decidable=decidable
    )
    if gain["needed"] is not None and report["test_too_small"]:
        gain["needed"] = max(gain["needed"], report["sensible_n"])
    return [
        gain,
        _target("accuracy", policy.plan_accuracy, accuracy, n, decidable=decidable),
        _target(
            "latency",
            -policy.plan_latency_cut,
            (latency["change"], latency["interval"]),
            timed,
            decidable=True,  # how long an answer takes does not depend on labels
            less=True,
        ),
    ]


def _target(
    code: str,
    target: float,
    found: tuple[float | None, list[float] | None],
    n: int,
    *,
    decidable: bool,
    less: bool = False,
) -> dict[str, Any]:
    measured, interval = found
    state = OPEN
    if interval is not None and decidable:
        low, high = interval
        beyond, short = (high <= target, low > target) if less else (low >= target, high < target)
        state = REACHED if beyond else MISSED if short else OPEN
    open_ = state == OPEN and decidable and measured is not None and interval is not None
    return {
        "code": code,
        "target": target,
        "measured": measured,
        "interval": interval,
        "state": state,
        "needed": _needed(n, float(measured or 0.0), interval or [0.0, 0.0], target) if open_ else None,
    }


def _needed(n: int, measured: float, interval: list[float], target: float) -> int | None:
    """Return the articles at which the interval's end next to the target would just reach it."""
    reach = measured - interval[0] if measured > target else interval[1] - measured
    distance = abs(measured - target)
    if distance * (_MOST / max(n, 1)) ** 0.5 <= reach:
        return None
    return max(ceil(n * (reach / distance) ** 2), n + 1)
