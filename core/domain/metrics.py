"""One model version scored on gold labels: what it gets right, how sure that is, how honest it is.

Rates are 0-1; confidences come in as 0-100. What is not known is None, never zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.domain import intervals
from core.domain.calibration import calibration
from core.domain.intervals import RESAMPLES, Floats, Interval
from core.domain.policy import Policy
from core.domain.selective import abstention
from core.domain.types import Sentiment, Target

CLASSES: tuple[str, ...] = tuple(str(sentiment) for sentiment in Sentiment)
_PLACE = {name: i for i, name in enumerate(CLASSES)}

WILSON = "wilson"
BY_DAY = "market-day bootstrap"

_POLICY = Policy()


@dataclass(frozen=True)
class Answers:
    """Rows that were answered: gold and predicted classes, their market days, and what they are for."""

    gold: list[str]
    predicted: list[str]
    days: list[str] | None
    target: str

    @cached_property
    def right(self) -> Floats:
        """1.0 where the prediction is the gold class, else 0.0; shape (n,)."""
        pairs = zip(self.predicted, self.gold, strict=True)
        return np.array([p == g for p, g in pairs], dtype=float)

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """Cell of the flattened confusion matrix that each row falls into, 0-8; shape (n,)."""
        pairs = zip(self.gold, self.predicted, strict=True)
        return np.array([_PLACE[g] * 3 + _PLACE[p] for g, p in pairs], dtype=np.int64)

    def confusion(self) -> NDArray[np.int64]:
        """Return counts (3, 3): rows gold, columns predicted, in the order of `CLASSES`."""
        return np.bincount(self.cells, minlength=9).reshape(3, 3)

    def without(self, dropped: Sequence[bool]) -> "Answers":
        """Return the rows that are not dropped."""
        rows = [i for i, drop in enumerate(dropped) if not drop]
        days = None if self.days is None else [self.days[i] for i in rows]
        return Answers([self.gold[i] for i in rows], [self.predicted[i] for i in rows], days, self.target)


def evaluate(
    gold: Sequence[str],
    predicted: Sequence[str | None],
    *,
    target: str,
    confidence: Sequence[float | None] | None = None,
    market_days: Sequence[str | None] | None = None,
    intraday: Sequence[bool] | None = None,
    latency_ms: Sequence[float | None] | None = None,
    asked: int | None = None,
    policy: Policy = _POLICY,
    seed: int,
) -> dict[str, Any]:
    """Return the evaluation report of one model on one set of rows, as plain JSON values.

    Parameters
    ----------
    gold, predicted : sequence of str
        Classes, row by row. A prediction of None was asked for and not answered: it is counted in
        `asked` and left out of every figure.
    target : str
        ``sentiment`` or ``direction``. On ``direction`` all intervals resample market days.
    confidence : sequence of float or None, optional
        Calibrated probability of the predicted class, 0-100.
    market_days : sequence of str, optional
        The market day of each row; needed for intervals on ``direction``.
    intraday : sequence of bool, optional
        Rows published while their deciding session was under way.
    latency_ms : sequence of float or None, optional
        Milliseconds each answer took.
    asked : int, optional
        Rows the model was asked for; by default all of `gold`.
    policy : Policy
        Accuracy that the answers kept by a confidence threshold shall have, and how sure of it to be.
    seed : int
        Seed of the bootstraps.

    Returns
    -------
    dict
        ``n`` rows answered; ``accuracy`` with ``accuracy_interval`` (Wilson, or over market days; None
        with fewer than two of them); ``macro_f1`` over the classes present in gold or predictions with
        a percentile bootstrap interval; ``brier`` is the top-label Brier score, mean of
        (confidence - right)^2, since only the top probability is known of every kind of model; ``ece``
        is the top-label expected calibration error in ten equal-width bins, with ``ece_null`` and
        ``spiegelhalter`` (see `calibration.calibration`); ``abstention`` is accuracy against coverage with
        the threshold chosen (see `selective.abstention`).
    """
    kept = [i for i, answer in enumerate(predicted) if answer is not None]
    days = None if market_days is None else [str(market_days[i]) for i in kept]
    answers = Answers([str(gold[i]) for i in kept], [str(predicted[i]) for i in kept], days, str(target))
    late = None if intraday is None else [bool(intraday[i]) for i in kept]
    stated = [None if confidence is None else confidence[i] for i in kept]
    return {
        **_scores(answers, seed),
        **certainty(answers, stated, policy=policy, seed=seed),
        "latency_ms": _latency(latency_ms),
        "market_days": len(set(days)) if days is not None and target == Target.DIRECTION else None,
        "asked": len(gold) if asked is None else asked,
        "answered": len(kept),
        "without_intraday": _without_intraday(answers, late, seed),
    }


def certainty(
    answers: Answers, confidence: Sequence[float | None], *, policy: Policy, seed: int
) -> dict[str, Any]:
    """Return what the stated confidences (0-100, None where there is none) of answers are worth."""
    stated = np.array([np.nan if value is None else value for value in confidence], dtype=float)
    days = answers.days if answers.target == Target.DIRECTION else None
    return {
        **calibration(answers.right, stated / 100, days=days, seed=seed),
        "abstention": abstention(
            answers.right,
            stated,
            accuracy=policy.abstention_accuracy,
            level=policy.abstention_confidence,
            days=days,
        ),
    }


def accuracy_interval(answers: Answers, seed: int) -> tuple[Interval | None, str | None]:
    """Return the interval of the accuracy and its method's name; both None where neither applies."""
    right = answers.right
    of_rows = intervals.wilson(int(right.sum()), len(right))
    if answers.target != Target.DIRECTION or of_rows is None:
        return of_rows, WILSON if of_rows else None
    interval = intervals.mean_by_day(right.tolist(), answers.days, seed=seed)
    # days that are all alike have no spread to draw from; rows of one day know no more than separate ones
    return (intervals.hull(interval, of_rows), BY_DAY) if interval else (None, None)


def macro_f1_interval(answers: Answers, seed: int) -> Interval | None:
    """Return the percentile bootstrap interval of macro-F1, over rows, or over days on direction."""
    if not answers.gold:
        return None
    if answers.target != Target.DIRECTION:
        # Drawing n rows with replacement is drawing n cells of the confusion matrix: one multinomial.
        shares = answers.confusion().ravel() / len(answers.gold)
        draws = np.random.default_rng(seed).multinomial(len(answers.gold), shares, size=RESAMPLES)
        return intervals.percentile(macro_f1(draws.reshape(-1, 3, 3)))
    if answers.days is None:
        return None
    sums, number = intervals.day_sums(np.eye(9)[answers.cells], answers.days)
    if number < 2:
        return None
    drawn = macro_f1(intervals.resample_days(sums, seed).reshape(-1, 3, 3))
    return intervals.percentile(drawn, units=number)


def majority(gold: Sequence[str]) -> tuple[float | None, str | None]:
    """Return the share and the name of the most frequent class; ties go to the vocabulary's order."""
    if not gold:
        return None, None
    label = max(CLASSES, key=list(gold).count)
    return list(gold).count(label) / len(gold), label


def macro_f1(confusions: NDArray[Any]) -> Floats:
    """Return macro-F1 of confusion matrices (..., 3, 3) over the classes present in each; NaN if none."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1).astype(float)
    sizes = (confusions.sum(axis=-1) + confusions.sum(axis=-2)).astype(float)
    present = sizes > 0
    f1 = np.divide(2 * hits, sizes, out=np.zeros_like(hits), where=present)
    number = present.sum(axis=-1)
    empty = np.full(number.shape, np.nan)
    return np.asarray(np.divide(f1.sum(axis=-1), number, out=empty, where=number > 0), dtype=float)


def _scores(answers: Answers, seed: int) -> dict[str, Any]:
    counts, known = answers.confusion(), bool(answers.gold)
    interval, method = accuracy_interval(answers, seed)
    share, label = majority(answers.gold)
    return {
        "n": len(answers.gold),
        "target": answers.target,
        "accuracy": float(answers.right.mean()) if known else None,
        "accuracy_interval": _listed(interval),
        "interval_method": method,
        "macro_f1": float(macro_f1(counts)) if known else None,
        "macro_f1_interval": _listed(macro_f1_interval(answers, seed)),
        "per_class": _per_class(counts),
        "confusion": as_rows(counts),
        "majority": share,
        "majority_label": label,
    }


def as_rows(counts: NDArray[np.int64]) -> dict[str, dict[str, int]]:
    """Return a confusion matrix (3, 3) by name: gold class -> predicted class -> rows."""
    return {gold: dict(zip(CLASSES, map(int, counts[i]), strict=True)) for i, gold in enumerate(CLASSES)}


def _per_class(counts: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """Return the scores of the classes present; precision or recall over nothing is None."""
    report: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(CLASSES):
        hits, support, answers = int(counts[i, i]), int(counts[i].sum()), int(counts[:, i].sum())
        if support + answers:
            report[name] = {
                "precision": hits / answers if answers else None,
                "recall": hits / support if support else None,
                "f1": 2 * hits / (support + answers),
                "support": support,
            }
    return report


def _without_intraday(answers: Answers, intraday: list[bool] | None, seed: int) -> dict[str, Any] | None:
    if intraday is None or answers.target != Target.DIRECTION:
        return None
    rest = answers.without(intraday)
    interval, _ = accuracy_interval(rest, seed)
    accuracy = float(rest.right.mean()) if rest.gold else None
    return {"n": len(rest.gold), "accuracy": accuracy, "interval": _listed(interval)}


def _latency(latency_ms: Sequence[float | None] | None) -> dict[str, float] | None:
    known = [value for value in latency_ms or () if value is not None]
    if not known:
        return None
    p50, p95 = np.quantile(known, [0.5, 0.95])
    return {"p50": float(p50), "p95": float(p95)}


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
