"""Articles of a live experiment summed by day, and the running difference of its two models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np

from core.domain import sequential
from core.domain.intervals import Floats
from core.domain.types import Arm

#: Days before an interval is told. Its variance is taken between days, which takes a few of them.
DAYS_FOR_AN_INTERVAL = 10

_SEOUL = timezone(timedelta(hours=9))  # no daylight saving since 1988


@dataclass(frozen=True)
class Row:
    """An article whose label is known and all of whose asked models have answered or failed to.

    Parameters
    ----------
    closed_at : datetime
        When its label was known; aware.
    day : str
        What its label shares with others: a market day of a family, or the day of labelling.
    arm : Arm
        Who was asked.
    champion_right, challenger_right : bool, optional
        None: this side was not asked, or has not answered yet. A failure is False.
    """

    closed_at: datetime
    day: str
    arm: Arm
    champion_right: bool | None
    challenger_right: bool | None


@dataclass(frozen=True)
class Days:
    """Sums over each unit of dependence, in order of closing; all arrays have the shape (days,)."""

    #: Seoul date on which the last article of the day closed
    dates: list[str]
    n: Floats
    both_right: Floats
    wins: Floats
    losses: Floats
    #: articles and right answers of either arm; articles of both arms count in both
    asked: Mapping[Arm, Floats]
    right: Mapping[Arm, Floats]

    def looks(self) -> list[int]:
        """Return the last day of each date: a date is looked at once, when it is over."""
        return [i for i, date in enumerate(self.dates) if self.dates[i + 1 : i + 2] != [date]]


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion after every day; arrays of shape (days,)."""

    value: Floats
    #: half-width of the confidence sequence; NaN before 100 articles and `DAYS_FOR_AN_INTERVAL`
    half: Floats
    #: variance between days over that of independent articles; NaN before `DAYS_FOR_AN_INTERVAL`
    effect: Floats

    def interval(self, i: int) -> list[float] | None:
        """Return both ends after day `i`, within -1 and 1; None while there is none."""
        value, half = self.value[i], self.half[i]
        return None if np.isnan(half) else [float(max(value - half, -1.0)), float(min(value + half, 1.0))]


def by_day(rows: Sequence[Row]) -> Days:
    """Return `rows` summed by day; a row without an answer that it was asked for is left out."""
    known = [row for row in rows if None not in _answers(row)]
    closes: dict[str, datetime] = {}
    for row in known:
        closes[row.day] = max(row.closed_at, closes.get(row.day, row.closed_at))
    order = sorted(closes, key=lambda day: (closes[day], day))
    place = {day: i for i, day in enumerate(order)}
    where = np.array([place[row.day] for row in known], dtype=int)
    old = np.array([row.champion_right is True for row in known], dtype=bool)
    new = np.array([row.challenger_right is True for row in known], dtype=bool)
    mine = {
        arm: np.array([row.arm in (arm, Arm.BOTH) for row in known], dtype=bool)
        for arm in (Arm.CHAMPION, Arm.CHALLENGER)
    }

    def count(chosen: object) -> Floats:
        sums = np.zeros(len(order))
        np.add.at(sums, where, np.asarray(chosen, dtype=float))
        return sums

    right = {Arm.CHAMPION: old, Arm.CHALLENGER: new}
    return Days(
        dates=[closes[day].astimezone(_SEOUL).date().isoformat() for day in order],
        n=count(np.ones(len(known))),
        both_right=count(old & new),
        wins=count(new & ~old),
        losses=count(old & ~new),
        asked={arm: count(chosen) for arm, chosen in mine.items()},
        right={arm: count(chosen & right[arm]) for arm, chosen in mine.items()},
    )


def _answers(row: Row) -> list[bool | None]:
    of = {Arm.CHAMPION: [row.champion_right], Arm.CHALLENGER: [row.challenger_right]}
    return of.get(row.arm, [row.champion_right, row.challenger_right])


def of_pairs(days: Days) -> Difference:
    """Return the difference where every article has both answers: each is worth -1, 0 or 1."""
    return running(days.n, days.wins - days.losses, days.wins + days.losses)


def of_arms(days: Days, allocation: float) -> Difference:
    """Return the difference of two arms, each article weighted by the inverse of its arm's share.

    Notes
    -----
    What is weighted is right (1 or 0) less the share of right answers on the days before. That leaves the
    mean as it is, since it is known before the article is dealt out, and takes off most of the variance.
    """
    seen = days.asked[Arm.CHAMPION] + days.asked[Arm.CHALLENGER]
    right = days.right[Arm.CHAMPION] + days.right[Arm.CHALLENGER]
    centre = (np.cumsum(right, axis=-1) - right + 0.5) / (np.cumsum(seen, axis=-1) - seen + 1)
    total, squares = np.zeros_like(seen), np.zeros_like(seen)
    for arm, weight in ((Arm.CHALLENGER, 1 / allocation), (Arm.CHAMPION, -1 / (1 - allocation))):
        n, good = days.asked[arm], days.right[arm]
        total = total + weight * (good - n * centre)
        squares = squares + weight**2 * (good * (1 - centre) ** 2 + (n - good) * centre**2)
    return running(seen, total, squares)


def running(n: Floats, total: Floats, squares: Floats) -> Difference:
    """Return the running mean of the articles' values, with the interval that holds at all days at once.

    Parameters
    ----------
    n, total, squares : array (..., days)
        Each day's number of articles, sum of their values, and sum of the squares.

    Notes
    -----
    The variance is the larger of the articles' own and that of the days' sums over the articles (days as
    clusters), so that days of one common move do not pass for many independent articles. Measured over 365
    daily looks of 50 articles at an intraclass correlation of 0 to .5: misses the true difference in at most
    5 % of the runs.
    """
    count = np.maximum(np.cumsum(n, axis=-1), 1)
    mean = np.cumsum(total, axis=-1) / count
    plain = np.cumsum(squares, axis=-1) / count - mean**2
    number = np.cumsum(n > 0, axis=-1)
    spread = np.cumsum(total**2, axis=-1) - 2 * mean * np.cumsum(total * n, axis=-1)
    spread = spread + mean**2 * np.cumsum(n**2, axis=-1)
    between = spread / count * number / np.maximum(number - 1, 1)
    enough = number >= DAYS_FOR_AN_INTERVAL
    # Student's t of so few days varies by (days - 1) / (days - 3), not by 1.
    cautious = between * (number - 1) / np.maximum(number - 3, 1)
    half = sequential.confidence_sequence(np.maximum(np.maximum(plain, cautious), 0), count)
    effect = np.where(enough & (plain > 0), between / np.where(plain > 0, plain, 1), np.nan)
    return Difference(mean, np.where(enough, half, np.nan), effect)
