"""What a split experiment needs, said before its start."""

from math import ceil
from typing import Any

import numpy as np
from scipy.stats import norm

from core.domain.sequential import PLANNED_DAYS, confidence_sequence, first_day


def planned_split(
    effect: float, accuracy: float, allocation: float, *, per_day: float, power: float = 0.8
) -> dict[str, Any]:
    """Return what a split experiment needs to see a difference, with the keys of `planned`.

    Parameters
    ----------
    effect : float
        Difference of the two accuracies, above 0.
    accuracy : float
        Accuracy of the champion, 0-1.
    allocation : float
        Share of the challenger, above 0 and below 1.
    per_day, power
        As of `planned`.

    Notes
    -----
    By normal approximation: the first number of articles at which the interval's half-width and the standard
    error's quantile fit into `effect`. ``articles_fixed`` is the two-sample z test's number, of both arms.
    """
    other = min(accuracy + effect, 1.0)
    variance = accuracy * (1 - accuracy) / (1 - allocation) + other * (1 - other) / allocation
    days = np.arange(1, PLANNED_DAYS + 1)
    half = confidence_sequence(variance, days * per_day)
    error = np.sqrt(variance / np.maximum(days * per_day, 1))
    at_power, at_half = (first_day(half + norm.ppf(share) * error <= effect) for share in (power, 0.5))
    fixed = variance * ((norm.ppf(0.975) + norm.ppf(power)) / effect) ** 2
    return {
        "articles_fixed": ceil(fixed),
        "articles": None if at_power is None else ceil(at_power * per_day),
        "days_median": at_half,
        "days_power": at_power,
        "detectable": at_power is not None,
        "power": power,
        "per_day": per_day,
    }
