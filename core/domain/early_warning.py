"""Signs of a changed model or world that need no labels. They warn; nothing is set in motion by them.

The mix of the answered classes moves with the market itself, so that a shift of it is a question, not a
fault. A fall in confidence comes before any label does, yet a model may go wrong with full confidence:
what these signs do not show is told at each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import norm

from core.domain import watching
from core.domain.intervals import Floats
from core.domain.mix import Mix, Shift, Week, mix_design_effect, mix_shift, weekly_shifts
from core.domain.policy import Policy
from core.domain.reference import NoReference, design_effect, first_enough
from core.domain.watching import Watch

__all__ = [
    "Calibrator",
    "ConfidenceReference",
    "Estimate",
    "Mix",
    "Shift",
    "Stated",
    "Week",
    "confidence_reference",
    "estimated_accuracy",
    "fit_confidence",
    "mix_design_effect",
    "mix_shift",
    "watch_confidence",
    "weekly_shifts",
]

#: Why there is no reference of the confidence: all answers state the same.
CONSTANT = "confidence_constant"

_ALLOWANCE = 0.2  # of a standard deviation; falls of twice as much are found fastest
_THRESHOLD = 15.0  # some 5,500 independent answers between false alarms
_LEAST_LABELS = 200  # fewer leave the fitted curve too uncertain to be of use
_EDGE = 0.005  # a stated 0 or 100 has no logit; taken as half a point from it


@dataclass(frozen=True)
class Stated:
    """The confidences (0-100) stated on one day, in the order of the answers; `day` is an ISO date."""

    day: str
    values: tuple[float, ...]

    @property
    def n(self) -> int:
        """Answers of the day that stated one."""
        return len(self.values)


@dataclass(frozen=True)
class ConfidenceReference:
    """How confident a model version was at first; frozen once taken.

    Parameters
    ----------
    mean, standard_deviation : float
        Of the stated confidences, 0-100.
    design_effect : float, at least 1
        How much more the mean varies between days than that of independent answers.
    n, days : int
        Answers and days.
    last_day : str
        ISO date. Watching begins on the day after.
    warn_at : float
        Where the CUSUM warns: 15 times the design effect.
    """

    mean: float
    standard_deviation: float
    design_effect: float
    n: int
    days: int
    last_day: str
    warn_at: float


def confidence_reference(days: Sequence[Stated], *, policy: Policy) -> ConfidenceReference | NoReference:
    """Return what later confidences are compared with, or why there is nothing.

    Parameters
    ----------
    days : sequence of Stated
        Closed days of a model version, in any order. The first of them that reach the policy's numbers of
        days and answers are used.
    policy : Policy
        The same numbers as for the reference of the accuracy.

    Raises
    ------
    ValueError
        Where a day comes twice.
    """
    used = first_enough([day for day in watching.in_order(days) if day.n], policy)
    if isinstance(used, NoReference):
        return used
    values = np.concatenate([day.values for day in used])
    variance = float(values.var(ddof=1))
    # Equal values may leave a rounding error of a variance.
    if variance <= 1e-9:
        return NoReference(CONSTANT)
    sums = np.array([sum(day.values) for day in used])
    effect = design_effect(sums, np.array([day.n for day in used], dtype=float), variance)
    return ConfidenceReference(
        mean=float(values.mean()),
        standard_deviation=sqrt(variance),
        design_effect=effect,
        n=len(values),
        days=len(used),
        last_day=used[-1].day,
        warn_at=_THRESHOLD * effect,
    )


def watch_confidence(days: Sequence[Stated], reference: ConfidenceReference) -> Watch:
    """Return the CUSUM of falling confidence after the reference days.

    Parameters
    ----------
    days : sequence of Stated
        Closed days in any order; those of the reference and before are passed over.
    reference : ConfidenceReference
        Frozen earlier.

    Returns
    -------
    Watch
        A day's value is the highest S of that day.

    Notes
    -----
    S <- max(0, S - z - .2), z the confidence in standard deviations from the reference's mean. Confidence
    that rises, and accuracy that falls under unchanged confidence, are not seen.
    """
    stated = [day for day in watching.in_order(days, reference.last_day) if day.n]
    steps = [
        confidence_steps((np.array(day.values) - reference.mean) / reference.standard_deviation)
        for day in stated
    ]
    return watching.walk_items([day.day for day in stated], reference.warn_at, steps)


def confidence_steps(z: ArrayLike) -> Floats:
    """Return what each answer adds to the CUSUM of falling confidence; same shape as `z`."""
    return -np.asarray(z, dtype=float) - _ALLOWANCE


@dataclass(frozen=True)
class Calibrator:
    """Turns a stated confidence into the probability that the answer is right.

    Parameters
    ----------
    slope, intercept : float
        On the scale of logits; 1 and 0 take the confidence at its word.
    n : int
        Labelled answers it was fitted on.
    """

    slope: float
    intercept: float
    n: int

    def probability(self, confidence: ArrayLike) -> Floats:
        """Return the probabilities (0-1) of stated confidences (0-100), same shape."""
        return np.asarray(expit(self.slope * _logits(confidence) + self.intercept), dtype=float)


def fit_confidence(right: ArrayLike, confidence: ArrayLike) -> Calibrator | None:
    """Return the calibrator that fits labelled answers, or None below 200 of them.

    Parameters
    ----------
    right : array of bool, shape (n,)
        Whether each answer is right.
    confidence : array of float, shape (n,)
        Stated confidences, 0-100.

    Notes
    -----
    Logistic regression of `right` on the logit of the confidence (J. Platt, 1999), with a weak pull (that of
    one standard deviation of 2) to slope 1 and intercept 0: without it, answers that all state the same
    confidence would have no slope, and answers that are all right no finite one.
    """
    hits, logits = np.asarray(right, dtype=float), _logits(confidence)
    if len(hits) < _LEAST_LABELS:
        return None

    def loss(values: Floats) -> tuple[float, Floats]:
        scores = values[0] * logits + values[1]
        off = expit(scores) - hits
        pull = (values - start) / 4
        gradient = np.array([off @ logits, off.sum()]) + pull
        return float((np.logaddexp(0, scores) - hits * scores).sum() + (values - start) @ pull / 2), gradient

    start = np.array([1.0, 0.0])
    slope, intercept = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return Calibrator(float(slope), float(intercept), len(hits))


def _logits(confidence: ArrayLike) -> Floats:
    share = np.asarray(confidence, dtype=float) / 100
    return np.asarray(logit(np.clip(share, _EDGE, 1 - _EDGE)), dtype=float)


@dataclass(frozen=True)
class Estimate:
    """An accuracy estimated without labels, 0-1, with the range in which the true one is expected."""

    value: float
    low: float
    high: float
    n: int


def estimated_accuracy(probabilities: ArrayLike) -> Estimate | None:
    """Return the accuracy that the answers' own calibrated confidences promise; None without answers.

    Parameters
    ----------
    probabilities : array of float, shape (n,)
        Probability (0-1) that each answer is right, calibrated (`Calibrator.probability`).

    Notes
    -----
    The mean, with a 95 % range for the share that turns out right: 1.96 sqrt(sum p (1 - p)) / n on either
    side, cut to 0-1. Known as confidence-based performance estimation.

    It follows harder or easier articles. It is blind to a changed meaning of the articles: where a model
    goes wrong as confidently as ever, it stays as it was (.10 too high after a fall from .82 to .72). With
    confidences that are not calibrated it is off from the start. The range knows of neither.
    """
    known = np.asarray(probabilities, dtype=float)
    if not known.size:
        return None
    value = float(known.mean())
    half = float(norm.ppf(0.975)) * sqrt(float((known * (1 - known)).sum())) / known.size
    return Estimate(value, max(value - half, 0.0), min(value + half, 1.0), int(known.size))
