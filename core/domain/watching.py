"""A statistic that is looked at once a day, signals at a threshold, and then begins anew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.domain.cusum import reflected
from core.domain.intervals import Floats

Bools = NDArray[np.bool_]
Whole = NDArray[np.int64]


class Dated(Protocol):
    """Anything that belongs to one date."""

    @property
    def day(self) -> str:
        """ISO date."""


#: Days measured at once at first. A statistic that signals again and again is not taken to the end each time.
_AHEAD = 32

D = TypeVar("D", bound=Dated)


@dataclass(frozen=True)
class Point:
    """A day's value on the chart, and whether it reached the threshold."""

    day: str
    value: float
    crossed: bool


@dataclass(frozen=True)
class Crossing:
    """A day on which the threshold was reached.

    Parameters
    ----------
    day : str
        ISO date of the signal.
    began : str
        The likeliest first day of what was signalled; not later than `day`.
    value : float
        What the statistic had reached.
    """

    day: str
    began: str
    value: float


@dataclass(frozen=True)
class Watch:
    """What watching some days has shown.

    Parameters
    ----------
    threshold : float
        Where it signals.
    points : tuple of Point
        One a day, oldest first. After a signal the statistic begins anew with the next day.
    crossings : tuple of Crossing
        The signals, oldest first.
    """

    threshold: float
    points: tuple[Point, ...]
    crossings: tuple[Crossing, ...]

    @property
    def first(self) -> Crossing | None:
        """The first signal, if there was any."""
        return self.crossings[0] if self.crossings else None


def in_order(days: Sequence[D], after: str = "") -> list[D]:
    """Return the days later than the ISO date `after`, oldest first; ValueError where a date comes twice."""
    ordered = sorted(days, key=lambda each: each.day)
    if len({each.day for each in ordered}) < len(ordered):
        raise ValueError("a day comes once, with all its articles")
    return [each for each in ordered if each.day > after]


def walk(
    dates: Sequence[str], threshold: float, measure: Callable[[int, int], tuple[Floats, Whole]]
) -> Watch:
    """Return the watch of the days of these ISO dates, oldest first.

    Parameters
    ----------
    dates : sequence of str
        Closed days.
    threshold : float
        Where it signals.
    measure : callable
        From the places [first, end) of some days, at whose start the statistic is at its start too, to the
        value of each of them and the place, counted from `first`, of the day on which what the value shows
        most likely began.
    """
    points: list[Point] = []
    crossings: list[Crossing] = []
    ahead = _AHEAD
    while len(points) < len(dates):
        first = len(points)
        end = min(first + ahead, len(dates))
        values, began = measure(first, end)
        over = np.flatnonzero(values >= threshold)
        if not len(over) and end < len(dates):
            ahead *= 2
            continue
        last = int(over[0]) if len(over) else end - first - 1
        points += [
            Point(dates[first + i], float(values[i]), bool(values[i] >= threshold)) for i in range(last + 1)
        ]
        if len(over):
            start = dates[first + int(began[last])]
            crossings.append(Crossing(dates[first + last], start, float(values[last])))
            ahead = _AHEAD
    return Watch(threshold, tuple(points), tuple(crossings))


def walk_items(dates: Sequence[str], threshold: float, steps: Sequence[Floats]) -> Watch:
    """Return the watch of a reflected sum of single items; a day's value is the highest of that day.

    Parameters
    ----------
    dates : sequence of str
        ISO dates of closed days, oldest first.
    threshold : float
        Where it signals.
    steps : sequence of array
        What each item of each day adds; no day without items.

    Notes
    -----
    A rise begins with the item after the last one that left the sum at 0.
    """
    offsets = np.concatenate([[0], np.cumsum([len(day) for day in steps], dtype=int)])
    flat = np.concatenate([*steps, np.array([])])

    def measure(first: int, end: int) -> tuple[Floats, Whole]:
        starts = offsets[first:end] - offsets[first]
        sizes = np.diff(offsets[first : end + 1])
        path = reflected(flat[offsets[first] : offsets[end]])
        highest = np.maximum.reduceat(path, starts)
        at_highest = np.flatnonzero(path == np.repeat(highest, sizes))
        peaks = at_highest[np.searchsorted(at_highest, starts)]
        last_zero = np.maximum.accumulate(np.where(path <= 0, np.arange(len(path)), -1))
        began = np.repeat(np.arange(end - first), sizes)[np.minimum(last_zero[peaks] + 1, peaks)]
        return highest, began

    return walk(dates, threshold, measure)
