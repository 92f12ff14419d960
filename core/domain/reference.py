"""What a model version's accuracy is held to: its own first live labels, taken once and then frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from typing import Protocol, TypeVar

import numpy as np
from scipy.stats import norm

from core.domain import watching
from core.domain.cusum import cusum_threshold, weights
from core.domain.intervals import Floats
from core.domain.policy import Policy

#: Why there is no reference.
CALIBRATING = "calibrating"
TOO_LOW = "accuracy_too_low"

#: The reference is the lower end of a one-sided interval of this level: a reference that is too high by
#: chance would alarm for ever.
_LEVEL = 0.8


class Sized(Protocol):
    """A day with a number of items."""

    @property
    def n(self) -> int:
        """Items of the day."""


S = TypeVar("S", bound=Sized)


@dataclass(frozen=True)
class Day:
    """The labelled answers of one model version on one closed day.

    Parameters
    ----------
    day : str
        ISO date: the market day of a family, or the Seoul date of labelling. Two kinds of labels are two
        series.
    n, right : int
        Answers whose label is known, and those of them that are right. An answer that failed is not right;
        a label that is missing is in neither.
    answers : tuple of bool, optional
        The same in the order in which the labels came. Without it the wrong ones are taken as evenly
        spread over the day, which never signals earlier.

    Raises
    ------
    ValueError
        Where the numbers contradict each other.
    """

    day: str
    n: int
    right: int
    answers: tuple[bool, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.n:
            raise ValueError("of the answers of a day, none to all are right")
        if self.answers is not None and (len(self.answers), sum(self.answers)) != (self.n, self.right):
            raise ValueError("the answers of a day are as many, and as right, as its numbers say")

    def in_order(self) -> Floats:
        """Return 1.0 for right and 0.0 for wrong, answer by answer, shape (n,)."""
        if self.answers is not None:
            return np.array(self.answers, dtype=float)
        return np.diff(np.arange(self.n + 1) * self.right // max(self.n, 1)).astype(float)


@dataclass(frozen=True)
class Reference:
    """What a model version is held to; frozen once taken. All values are plain numbers and ISO dates.

    Parameters
    ----------
    accuracy : float
        Share of right answers over the reference days.
    ref : float
        Its lower end (80 %, one-sided): the accuracy that still counts as unchanged.
    standard_error : float
        Of `accuracy`, with days as clusters.
    design_effect : float, at least 1
        How much more the accuracy varies than that of as many independent answers.
    correlation : float
        Correlation of two answers of one day that would have this effect, 0 to below 1.
    n, days : int
        Labels and days with labels.
    first_day, last_day : str
        ISO dates. Watching begins on the day after.
    up, down, threshold : int
        The CUSUM for independent answers (`core.domain.cusum`).
    warn_at : float
        `threshold` times `design_effect`: where the CUSUM warns.
    alert_at : float
        Where the e-SR statistic alerts: the days between its false alarms.
    """

    accuracy: float
    ref: float
    standard_error: float
    design_effect: float
    correlation: float
    n: int
    days: int
    first_day: str
    last_day: str
    up: int
    down: int
    threshold: int
    warn_at: float
    alert_at: float

    @property
    def per_day(self) -> float:
        """Labels on a day that had any."""
        return self.n / self.days


@dataclass(frozen=True)
class NoReference:
    """Why a version is not watched yet: `CALIBRATING` with what is missing, or `TOO_LOW` to fall further."""

    reason: str
    days_missing: int = 0
    labels_missing: int = 0


def reference(days: Sequence[Day], *, policy: Policy) -> Reference | NoReference:
    """Return the reference of a model version from its first live days, or what is missing.

    Parameters
    ----------
    days : sequence of Day
        Closed days of the version since its promotion, in any order. The first of them that reach both
        numbers of the policy are used, so that later days change nothing.
    policy : Policy
        Days and labels it takes, the drop to be found fastest, and days between false alarms.

    Raises
    ------
    ValueError
        Where a day comes twice.

    Notes
    -----
    With days as clusters, SE^2 = K / (K - 1) sum (right_k - accuracy n_k)^2 / n^2 over the K days, though
    not less than accuracy (1 - accuracy) / n; the design effect is their ratio. ref = accuracy - .8416 SE.
    Where everything is right SE is 0, so that ref is at most Wilson's lower end for n right of n.
    """
    used = first_enough([day for day in watching.in_order(days) if day.n], policy)
    if isinstance(used, NoReference):
        return used
    sizes = np.array([day.n for day in used], dtype=float)
    right = np.array([day.right for day in used], dtype=float)
    n, z = sizes.sum(), float(norm.ppf(_LEVEL))
    accuracy = float(right.sum() / n)
    effect = design_effect(right, sizes, accuracy * (1 - accuracy))
    error = sqrt(effect * accuracy * (1 - accuracy) / n)
    ref = min(accuracy - z * error, float(n / (n + z * z)))
    if ref <= policy.drift_drop:
        return NoReference(TOO_LOW)
    up, down = weights(ref, policy.drift_drop)
    per_day = n / len(used)
    threshold = cusum_threshold(ref, policy.drift_false_alarm_days * per_day, drop=policy.drift_drop)
    pairs = max(float((sizes**2).sum() / n) - 1, 0.0)  # others on the day of an answer, on average
    return Reference(
        accuracy=accuracy,
        ref=ref,
        standard_error=error,
        design_effect=effect,
        correlation=min((effect - 1) / pairs, 0.99) if pairs else 0.0,
        n=int(n),
        days=len(used),
        first_day=used[0].day,
        last_day=used[-1].day,
        up=up,
        down=down,
        threshold=threshold,
        warn_at=threshold * effect,
        alert_at=float(policy.drift_false_alarm_days),
    )


def first_enough(days: Sequence[S], policy: Policy) -> Sequence[S] | NoReference:
    """Return the first `days`, oldest first, that reach both numbers of the policy, or what is missing."""
    labels = list(accumulate(day.n for day in days))
    enough = (
        number
        for number, total in enumerate(labels, start=1)
        if number >= policy.drift_reference_days and total >= policy.drift_reference_labels
    )
    number = next(enough, None)
    if number is not None:
        return days[:number]
    return NoReference(
        CALIBRATING,
        days_missing=max(policy.drift_reference_days - len(days), 0),
        labels_missing=max(policy.drift_reference_labels - (labels[-1] if labels else 0), 0),
    )


def design_effect(sums: Floats, sizes: Floats, variance: float) -> float:
    """Return by how much a mean over days varies more than one of independent items, at least 1.

    Parameters
    ----------
    sums, sizes : array, shape (days,)
        Sum of each day's values and their number; sizes at least 1.
    variance : float
        Of a single value.

    Notes
    -----
    The variance of the ratio estimator with days as clusters over that of independent values; with days of
    equal size m it is m s^2 / variance, s^2 the variance of the days' means.
    """
    expected = float(sizes.sum()) * variance
    if expected <= 0 or len(sizes) < 2:  # nothing varies
        return 1.0
    mean = sums.sum() / sizes.sum()
    between = len(sizes) / (len(sizes) - 1) * float(((sums - mean * sizes) ** 2).sum())
    return max(1.0, between / expected)
