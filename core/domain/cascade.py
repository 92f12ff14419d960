"""What two models would do as a cascade: the first answers where it is sure, the second is asked about the rest.

The trade-off is read off the answers that both gave to the same articles, so that no threshold costs a request.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.domain.intervals import Floats
from core.domain.metrics import Answers, accuracy_interval

#: Thresholds that are looked at, in percent of the first model's confidence: 0 never asks the second.
THRESHOLDS = range(101)
#: How far below the best accuracy of the curve the cheapest threshold may lie.
SLACK = 0.01
#: English sentence of each finding; the figures are filled in after translation.
RULES = {
    "cascade": "The threshold that asks the second model least often while the accuracy stays within 1 point of "
    "the best of the curve ({best} on {n} articles).",
    "first": "The first model alone is within 1 point of the best of the curve ({best} on {n} articles): the "
    "second one adds nothing that this part can show.",
}
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Pair:
    """What both models said of one article.

    Parameters
    ----------
    label, first, second : str
        Gold class and the two answers.
    confidence : float or None
        The first model's, 0-100; None counts as unsure.
    day : str or None
        Unit of resampling where labels come from the market.
    first_ms, second_ms : float or None
        Milliseconds that each took; None where nobody measured.
    second_micro_usd : float or None
        What asking the second costs; 0 where that is free, None where it is not known.
    """

    label: str
    first: str
    confidence: float | None
    second: str
    day: str | None = None
    first_ms: float | None = None
    second_ms: float | None = None
    second_micro_usd: float | None = None


def escalates(confidence: float | None, threshold: float) -> bool:
    """Tell whether the second model is asked: the first one's confidence (0-100) is below the threshold."""
    return confidence is None or confidence < threshold


def latency(first_ms: float | None, second_ms: float | None, *, escalated: bool) -> float | None:
    """Return the milliseconds of a cascade's answer; None where a part that answered was not timed."""
    if not escalated:
        return first_ms
    return None if first_ms is None or second_ms is None else first_ms + second_ms


def curve(pairs: Sequence[Pair], *, target: str, seed: int) -> dict[str, Any]:
    """Return the trade-off over the threshold, and the point that the rule chooses.

    Parameters
    ----------
    pairs : sequence of Pair
        The articles that both answered, at least one.
    target : str
        ``sentiment`` (Wilson intervals) or ``direction`` (market days are resampled).
    seed : int
        Seed of the bootstraps.

    Returns
    -------
    dict
        ``points``: list of ``{threshold, share_second, accuracy, interval, n, cost_per_1000_micro_usd,
        latency_p50, latency_p95}``, the lowest threshold of each share that differs, in rising order, the
        first of them being the first model alone; ``chosen``: one of them; ``first_only``, ``second_only``:
        such points, the latter with threshold None; ``rule_code`` and ``rule``.
    """
    measured = _Measured(pairs, target, seed)
    points: list[dict[str, Any]] = []
    for threshold in THRESHOLDS:
        asked = np.array([escalates(pair.confidence, threshold) for pair in pairs]) & (threshold > 0)
        if not points or asked.mean() > points[-1]["share_second"]:
            points.append(measured.point(threshold, asked))
    chosen = choose(points)
    report = {
        "n": len(pairs),
        "points": points,
        "chosen": chosen,
        "best_accuracy": max(point["accuracy"] for point in points),
        "first_only": points[0],
        "second_only": measured.point(None, np.ones(len(pairs), dtype=bool)),
        "rule_code": "cascade" if chosen["share_second"] else "first",
    }
    return report | {"rule": rule_sentence(report)}


def choose(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the point that asks the second model least often, of those within `SLACK` of the best accuracy."""
    best = max(point["accuracy"] for point in points)
    near = [point for point in points if point["accuracy"] >= best - SLACK - 1e-9]
    return dict(min(near, key=lambda point: point["share_second"]))


def rule_sentence(report: Mapping[str, Any], t: Callable[[str], str] = str) -> str:
    """Return how the point was chosen; `t` translates the template before the figures go in."""
    return t(RULES[report["rule_code"]]).format(best=f"{report['best_accuracy']:.1%}", n=f"{report['n']:,}")


class _Measured:
    """The answers as arrays, and the figures of one threshold."""

    def __init__(self, pairs: Sequence[Pair], target: str, seed: int) -> None:
        self._pairs, self._target, self._seed = pairs, target, seed
        self._cost = _floats([pair.second_micro_usd for pair in pairs])
        self._first_ms = _floats([pair.first_ms for pair in pairs])
        self._second_ms = _floats([pair.second_ms for pair in pairs])
        timed = self._first_ms[~np.isnan(self._first_ms)]
        self._usual_first_ms = float(np.median(timed)) if len(timed) else float("nan")

    def point(self, threshold: int | None, asked: Bools) -> dict[str, Any]:
        said = [pair.second if ask else pair.first for pair, ask in zip(self._pairs, asked, strict=True)]
        days = [str(pair.day) for pair in self._pairs]
        answers = Answers([pair.label for pair in self._pairs], said, days, self._target)
        interval, _ = accuracy_interval(answers, self._seed)
        p50, p95 = self._latencies(asked, alone=threshold is None)
        return {
            "threshold": threshold,
            "share_second": float(asked.mean()),
            "accuracy": float(answers.right.mean()),
            "interval": None if interval is None else list(interval),
            "n": len(self._pairs),
            "cost_per_1000_micro_usd": self._per_1000(asked),
            "latency_p50": p50,
            "latency_p95": p95,
        }

    def _per_1000(self, asked: Bools) -> int | None:
        """Return micro-dollars a thousand articles; the mean of those known stands for the others."""
        if not asked.any():
            return 0
        known = self._cost[asked & ~np.isnan(self._cost)]
        return round(1000 * float(asked.mean()) * float(known.mean())) if len(known) else None

    def _latencies(self, asked: Bools, *, alone: bool) -> tuple[float | None, float | None]:
        """Return median and 95th percentile in milliseconds; None where a kind of answer was never timed.

        Both kinds of answers keep their share of all articles, however many of each were timed: of a local
        model only the first few are, so its median stands for the others below what the second took.
        """
        usual = 0.0 if alone else self._usual_first_ms
        before = np.where(np.isnan(self._first_ms) | alone, usual, self._first_ms)
        groups = [(self._known(self._first_ms, ~asked), 1 - float(asked.mean()))]
        groups.append((self._known(before + self._second_ms, asked), float(asked.mean())))
        used = [(times, share) for times, share in groups if share > 0]
        if any(not len(times) for times, _ in used):
            return None, None
        times = np.concatenate([each for each, _ in used])
        weights = np.concatenate([np.full(len(each), share / len(each)) for each, share in used])
        return _weighted(times, weights, 0.5), _weighted(times, weights, 0.95)

    @staticmethod
    def _known(times: Floats, rows: Bools) -> Floats:
        return np.asarray(times[rows & ~np.isnan(times)], dtype=float)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _weighted(values: Floats, weights: Floats, share: float) -> float:
    """Return the smallest value at or below which `share` of the weight lies."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, share - 1e-12)), len(values) - 1)])
