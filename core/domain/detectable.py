"""Which falls in accuracy the drift statistics would find, how soon, at the present rate of labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from core.domain.cusum import reflected
from core.domain.drift import STAKES, day_evidence, mean_evidence
from core.domain.intervals import Floats
from core.domain.reference import Reference
from core.domain.watching import Bools, Whole

#: Falls that the page tells about.
DROPS = (0.05, 0.10, 0.20)
#: What takes longer than this in one of ten cases is not called detectable.
LONGEST_DAYS = 200
#: Days before the fall. A statistic that has just begun is slower than one some weeks old.
QUIET_DAYS = 30

_RUNS = 500  # a median of 10 days is then known to within a day
_BLOCK = 10  # days simulated at once, after which the runs that signalled are left out


@dataclass(frozen=True)
class Delay:
    """Days with labels from a fall to its signal; None beyond `LONGEST_DAYS`.

    Parameters
    ----------
    median_days, p90_days : int or None
        Half, and nine tenths, of such falls are found within so many days.
    """

    median_days: int | None
    p90_days: int | None

    @property
    def reliable(self) -> bool:
        """Whether nine of ten such falls are found within `LONGEST_DAYS`."""
        return self.p90_days is not None


@dataclass(frozen=True)
class Detection:
    """How soon a fall of `drop` (0-1) would be warned of, and alerted to."""

    drop: float
    warn: Delay
    alert: Delay


class _State(NamedTuple):
    """Where the statistics of all runs stand: S of the CUSUM (runs,), logs of the e-SR (runs, `STAKES`)."""

    level: Floats
    logs: Floats


def detectable(
    reference: Reference, *, per_day: float, seed: int, drops: Sequence[float] = DROPS
) -> list[Detection]:
    """Return how soon each fall would be found, by simulation with the reference's own thresholds.

    Parameters
    ----------
    reference : Reference
        Its accuracy, that accuracy's uncertainty, and the correlation within days are taken as they are.
    per_day : float
        Labels a day at present; taken as a whole number, at least 1.
    seed : int
        Of the simulation.
    drops : sequence of float
        Falls below the accuracy of the reference days, 0-1.

    Notes
    -----
    Every run draws a true accuracy around the measured one (normal, with its standard error), lowers it,
    draws each day's accuracy from the beta distribution with the reference's correlation, and its answers
    from that. The fall comes after 30 days without one; a statistic that signals in them begins anew. A
    label comes after its article: what that takes is not in these days.
    """
    m = max(1, round(per_day))
    return [_detection(reference, drop, m, seed) for drop in drops]


@lru_cache(maxsize=64)  # a page asks again whenever it is drawn
def _detection(reference: Reference, drop: float, m: int, seed: int) -> Detection:
    random = np.random.default_rng(seed)
    true = np.clip(reference.accuracy + reference.standard_error * random.standard_normal(_RUNS), 0, 1)
    state = _State(np.zeros(_RUNS), np.full((_RUNS, STAKES), -np.inf))
    everyone = np.arange(_RUNS)
    for _ in range(0, QUIET_DAYS, _BLOCK):
        warns, alerts = _block(reference, state, everyone, _answers(true, reference.correlation, m, random))
        # What signals begins anew, as in the product.
        state.level[warns.any(axis=1)], state.logs[alerts.any(axis=1)] = 0, -np.inf
    warned, alerted = np.zeros(_RUNS, dtype=int), np.zeros(_RUNS, dtype=int)  # 0: not yet
    for day in range(0, LONGEST_DAYS, _BLOCK):
        running = np.flatnonzero((warned == 0) | (alerted == 0))
        if not len(running):
            break
        fallen = np.maximum(true[running] - drop, 0)
        warns, alerts = _block(reference, state, running, _answers(fallen, reference.correlation, m, random))
        _note(warned, running, warns, day)
        _note(alerted, running, alerts, day)
    return Detection(drop, _delay(warned), _delay(alerted))


def _block(reference: Reference, state: _State, running: Whole, right: Bools) -> tuple[Bools, Bools]:
    """Move the state of the `running` on, and return on which days (runs, days) each statistic signalled."""
    steps = np.where(right, -reference.down, reference.up).reshape(len(running), -1)
    path = reflected(steps, state.level[running])
    logs = day_evidence(right.mean(axis=-1), reference.ref, state.logs[running])
    state.level[running], state.logs[running] = path[:, -1], logs[:, -1]
    highest = path.reshape(right.shape).max(axis=-1)
    return highest >= reference.warn_at, mean_evidence(logs) >= reference.alert_at


def _answers(accuracy: Floats, correlation: float, m: int, random: Generator) -> Bools:
    """Return right answers, shape (runs, `_BLOCK`, m), those of a day correlated."""
    daily = np.repeat(accuracy[:, None], _BLOCK, axis=1)
    if correlation > 0:
        spread = (1 - correlation) / correlation
        # A beta distribution has no mean of exactly 0 or 1.
        inside = np.clip(daily, 1e-6, 1 - 1e-6)
        daily = random.beta(inside * spread, (1 - inside) * spread)
    return np.asarray(random.random((*daily.shape, m)) < daily[..., None])


def _note(first: Whole, running: Whole, signalled: Bools, before: int) -> None:
    """Enter the day of the first signal of the runs that had none."""
    new = (first[running] == 0) & signalled.any(axis=1)
    first[running[new]] = before + 1 + np.argmax(signalled[new], axis=1)


def _delay(days: Whole) -> Delay:
    ordered = np.sort(np.where(days > 0, days, LONGEST_DAYS + 1))
    # The smallest number of days within which at least that share has signalled.
    within = [int(ordered[int(np.ceil(share * len(ordered))) - 1]) for share in (0.5, 0.9)]
    median, p90 = (None if found > LONGEST_DAYS else found for found in within)
    return Delay(median, p90)
