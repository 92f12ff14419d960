"""A statistic that is looked at once a day, signals at a threshold, and then begins anew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

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
    days: Sequence[D], threshold: float, measure: Callable[[Sequence[D]], tuple[Floats, Whole]]
) -> Watch:
    """Return the watch of `days`, oldest first.

    Parameters
    ----------
    days : sequence
        Closed days.
    threshold : float
        Where it signals.
    measure : callable
        From days at whose start the statistic is at its start too, to the value of each day and the place
        among them at which what the value shows most likely began.
    """
    points: list[Point] = []
    crossings: list[Crossing] = []
    ahead = _AHEAD
    while len(points) < len(days):
        rest = days[len(points) : len(points) + ahead]
        values, began = measure(rest)
        over = np.flatnonzero(values >= threshold)
        if not len(over) and len(points) + len(rest) < len(days):
            ahead *= 2
            continue
        end = int(over[0]) if len(over) else len(rest) - 1
        points += [Point(rest[i].day, float(values[i]), bool(values[i] >= threshold)) for i in range(end + 1)]
        if len(over):
            crossings.append(Crossing(rest[end].day, rest[int(began[end])].day, float(values[end])))
            ahead = _AHEAD
    return Watch(threshold, tuple(points), tuple(crossings))


def highest_of_day(path: Floats, sizes: Sequence[int]) -> tuple[Floats, Whole]:
    """Return each day's highest value of a statistic of single items, and the day on which its rise began.

    Parameters
    ----------
    path : array, shape (items,)
        The statistic after every item, at least 0, begun at 0.
    sizes : sequence of int, at least 1
        Items of each day.

    Notes
    -----
    A rise begins with the item after the last one that left the statistic at 0.
    """
    ends = np.cumsum(sizes)
    place = np.repeat(np.arange(len(sizes)), sizes)
    last_zero = np.maximum.accumulate(np.where(path <= 0, np.arange(len(path)), -1))
    starts = ends - np.asarray(sizes)
    peaks = np.array(
        [first + int(np.argmax(path[first:end])) for first, end in zip(starts, ends, strict=True)]
    )
    began = place[np.minimum(last_zero[peaks] + 1, peaks)]
    return path[peaks], np.asarray(began, dtype=np.int64)
