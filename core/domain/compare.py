"""Champion against challenger on the same rows: paired table, intervals, verdict, and what the plan asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.domain import paired, plan
from core.domain.intervals import Interval, tango
from core.domain.latency import latency
from core.domain.metrics import Answers, accuracy_interval, as_rows, certainty, macro_f1, majority
from core.domain.paired import mcnemar_mid_p, mcnemar_n, minimum_detectable
from core.domain.policy import Policy
from core.domain.types import Target, Verdict
from core.domain.verdicts import (
    DAYS_FOR_A_VERDICT,
    UNDECIDED,
    decide,
    sentence,
    too_few_days,
    withhold_leaked,
)

__all__ = [
    "DAYS_FOR_A_VERDICT",
    "Facts",
    "compare",
    "mcnemar_mid_p",
    "mcnemar_n",
    "minimum_detectable",
    "sentence",
    "withhold_leaked",
]


@dataclass(frozen=True)
class Facts:
    """What is known of a model's answers besides their class.

    Parameters
    ----------
    confidence : sequence of float or None, optional
        Stated confidence of each row, 0-100.
    latency_ms : sequence of float or None
        Milliseconds of each answer that was timed, of these rows or others.
    cost_per_1000_micro_usd : int or None
        What a thousand answers cost; 0 only where answering is free, None where it is not known.
    """

    confidence: Sequence[float | None] | None = None
    latency_ms: Sequence[float | None] = ()
    cost_per_1000_micro_usd: int | None = None


_NO_FACTS = Facts()


def compare(
    gold: Sequence[str],
    champion: Sequence[str | None],
    challenger: Sequence[str | None],
    *,
    target: str,
    market_days: Sequence[str | None] | None = None,
    champion_facts: Facts = _NO_FACTS,
    challenger_facts: Facts = _NO_FACTS,
    policy: Policy,
    seed: int,
) -> dict[str, Any]:
    """Return the comparison report of two models on the same rows, as plain JSON values.

    Parameters
    ----------
    gold, champion, challenger : sequence of str
        Classes, row by row; a prediction of None was not answered. Rows answered by both are compared.
    target : str
        On ``direction`` every interval resamples market days and the p value is descriptive only.
    market_days : sequence of str, optional
        The market day of each row.
    champion_facts, challenger_facts : Facts
        Confidences, latencies and cost of each.
    policy : Policy
        Margin of "equivalent", smallest effect of interest, power, the plan's targets.
    seed : int
        Seed of the bootstraps.

    Returns
    -------
    dict
        ``difference`` is challenger minus champion, -1 to 1. ``verdict``: equivalent when all of
        ``interval`` lies within the margin, better or worse when all of it lies on one side of zero and
        the test agrees (``p``, on ``direction`` ``p_by_day``, which swaps whole market days: see
        `paired.day_sign_p`), else inconclusive; ``reason`` is the code behind it. ``more_labels`` is given
        while inconclusive: the McNemar number for ``minimum_effect`` at the observed discordance, less
        the present n; ``sensible_n`` is that number for the plan's gain. On ``direction`` both are taken
        as many times as rows of one day are worth less than separate ones, if they come with as many new
        days; with too few days to see that, they take rows as separate and are lower bounds. ``macro_f1_difference``, ``per_class``, ``calibration``, ``abstention``,
        ``latency`` and ``plan`` are described where they are made: `paired`, `calibration`, `selective`,
        `latency`, `plan`.
    """
    both = [i for i in range(len(gold)) if champion[i] is not None and challenger[i] is not None]
    days = None if market_days is None else [str(market_days[i]) for i in both]
    truth = [str(gold[i]) for i in both]
    old = Answers(truth, [str(champion[i]) for i in both], days, str(target))
    new = Answers(truth, [str(challenger[i]) for i in both], days, str(target))
    number = len(set(days or ())) if target == Target.DIRECTION else None
    report = _decided(old, new, number, policy, seed)
    report |= _sides(old, new, (champion_facts, challenger_facts), both, policy=policy, seed=seed)
    decidable = bool(both) and not too_few_days(number)
    report["plan"] = plan.targets(report, policy, decidable=decidable)
    report["coverage"] = {"asked": len(gold), "both_answered": len(both)}
    return report


def _decided(old: Answers, new: Answers, days: int | None, policy: Policy, seed: int) -> dict[str, Any]:
    """Return the figures about the difference of the accuracies, and the verdict."""
    table, n = _table(old, new), len(old.gold)
    interval, method = paired.accuracy_difference_interval(old, new, seed=seed)
    p = float(mcnemar_mid_p(table["champion_only"], table["challenger_only"]))
    p_by_day = paired.day_sign_p(old, new, seed=seed) if days is not None else None
    verdict, reason = decide(interval, p if days is None else p_by_day, days, n, policy.equivalence_margin)
    undecided = verdict == Verdict.INCONCLUSIVE and reason in UNDECIDED
    return {
        **_figures(old, new, table),
        "accuracy_champion_interval": _listed(accuracy_interval(old, seed)[0]),
        "accuracy_challenger_interval": _listed(accuracy_interval(new, seed)[0]),
        "interval": _listed(interval),
        "interval_method": method,
        "p": p,
        "p_method": "mcnemar mid-p",
        "p_descriptive": days is not None,
        "p_by_day": p_by_day,
        "market_days": days,
        "verdict": str(verdict),
        "reason": reason,
        "minimum_effect": policy.minimum_effect,
        **_outlook(table, n, _design_effect(interval, days, table, n), policy, undecided=undecided),
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


def _design_effect(interval: Interval | None, days: int | None, table: dict[str, int], n: int) -> float:
    """Return how many rows of these days are worth one separate row: the square of the intervals' widths."""
    if interval is None or days is None or too_few_days(days):
        return 1.0
    low, high = tango(table["challenger_only"], table["champion_only"], n)
    return max(((interval[1] - interval[0]) / float(high - low)) ** 2, 1.0)


def _outlook(
    table: dict[str, int], n: int, design_effect: float, policy: Policy, *, undecided: bool
) -> dict[str, Any]:
    """Say what more labels would settle, where that is a question of labels at all."""
    discordance = (table["champion_only"] + table["challenger_only"]) / n if n else 0.0
    more = sensible = None
    if undecided:
        wanted = mcnemar_n(policy.minimum_effect, discordance, policy.power)
        more = max(round(wanted * design_effect) - n, 0)
    if n:
        sensible = round(mcnemar_n(policy.plan_gain, discordance, policy.power) * design_effect)
    return {
        "more_labels": more,
        "minimum_detectable": minimum_detectable(round(n / design_effect), discordance, policy.power),
        "sensible_n": sensible,
        "test_too_small": sensible is None or n < sensible,
    }


def _sides(
    old: Answers, new: Answers, facts: tuple[Facts, Facts], both: list[int], *, policy: Policy, seed: int
) -> dict[str, Any]:
    """Return what is told of each model by itself, and their macro-F1, recalls and latencies side by side."""
    names = ("champion", "challenger")
    sure = {
        name: certainty(answers, _of_rows(known.confidence, both), policy=policy, seed=seed)
        for name, answers, known in zip(names, (old, new), facts, strict=True)
    }
    return {
        "macro_f1_difference": paired.macro_f1_difference(old, new, seed=seed),
        "per_class": paired.per_class(old, new, seed=seed),
        "abstention": {name: sure[name].pop("abstention") for name in names},
        "calibration": sure,
        "confusion": {"champion": as_rows(old.confusion()), "challenger": as_rows(new.confusion())},
        "latency": latency(facts[0].latency_ms, facts[1].latency_ms, seed=seed),
        "cost_per_1000_micro_usd": {
            name: known.cost_per_1000_micro_usd for name, known in zip(names, facts, strict=True)
        },
    }


def _of_rows(confidence: Sequence[float | None] | None, rows: list[int]) -> list[float | None]:
    return [None if confidence is None else confidence[i] for i in rows]
