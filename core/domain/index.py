"""The parent app's day formulas, reproduced: investment index, directions, error rate, accuracy.

Source: AI News Trader, ``calculate-investment-index`` and ``calculate-accuracy``. It rounds with
JavaScript's ``Math.round``, half up. What differs is only the input: the parent averages four numbers
and counts a missing one as 0 %, here the mean is taken over what is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import floor
from typing import Any

from core.domain.market import CLOSED, DIGITS, MarketBook, Move, Reading, combine
from core.domain.sessions import SessionTable
from core.domain.types import INSTRUMENTS, Family, Instrument, MarketStatus, Sentiment

#: From this confidence (0-100) a prediction weighs half as much again.
_CONFIDENT, _CONFIDENT_WEIGHT = 70, 1.5
#: |overall market move| in percent from which a day has a direction; the parent's constant.
_MOVE_PCT = 1.0


def half_up(value: float) -> float:
    """Round to one decimal, halves up, as JavaScript's ``Math.round(value * 10) / 10`` does."""
    return floor(value * 10 + 0.5) / 10


def investment_index(predictions: Iterable[tuple[str, float | None]]) -> float:
    """Return the investment index (0-100, one decimal) of one day's (sentiment, confidence) pairs.

    A confidence of None weighs 1. No predictions give 0, as in the parent.
    """
    score = total = 0.0
    for sentiment, confidence in predictions:
        weight = _CONFIDENT_WEIGHT if confidence is not None and confidence >= _CONFIDENT else 1.0
        total += weight
        score += weight * ((sentiment == Sentiment.POSITIVE) - (sentiment == Sentiment.NEGATIVE))
    if total == 0:
        return 0.0
    return half_up(max(0.0, min(100.0, (score / total * 100 + 100) / 2)))


def predicted_direction(index: float) -> Sentiment:
    """Return the direction an index stands for: positive from 60, negative to 40, else neutral."""
    if index >= 60:
        return Sentiment.POSITIVE
    return Sentiment.NEGATIVE if index <= 40 else Sentiment.NEUTRAL


def actual_direction(overall_pct: float) -> Sentiment:
    """Return the direction of the whole market from its mean move in percent."""
    if overall_pct >= _MOVE_PCT:
        return Sentiment.POSITIVE
    return Sentiment.NEGATIVE if overall_pct <= -_MOVE_PCT else Sentiment.NEUTRAL


def error_rate(index: float, overall_pct: float) -> float:
    """Return |index - (50 + 5 * overall)| clipped to 0-100, one decimal."""
    return min(100.0, max(0.0, half_up(abs(index - (50 + overall_pct * 5)))))


def day_accuracy(index: float, overall_pct: float) -> float:
    """Return the parent's accuracy of a day (0-100, one decimal).

    A day predicted neutral scores 70 or 30, never more.
    """
    predicted, actual = predicted_direction(index), actual_direction(overall_pct)
    error = error_rate(index, overall_pct)
    if predicted == Sentiment.NEUTRAL:
        return 70.0 if actual == Sentiment.NEUTRAL else 30.0
    return half_up(max(50.0, 100 - error) if predicted == actual else max(0.0, 50 - error))


def overall_pct(moves: Sequence[float]) -> float | None:
    """Return the mean of the families' moves in percent; None if there are none."""
    return sum(moves) / len(moves) if moves else None


@dataclass(frozen=True)
class DayActual:
    """What the market did on the calendar date after a file date.

    Parameters
    ----------
    readings : mapping of Instrument to Reading
        Each instrument's believed move, or why there is none.
    moves : tuple of Move
        The families' means, crypto first as in the parent.
    """

    readings: Mapping[Instrument, Reading]
    moves: tuple[Move, ...]

    @property
    def overall_pct(self) -> float | None:
        """Mean over the families that are known, in percent; None if nothing is known."""
        overall = overall_pct([move.return_pct for move in self.moves if move.return_pct is not None])
        return None if overall is None else round(overall, DIGITS)

    @property
    def partial(self) -> bool:
        """Something is known, but not all four instruments."""
        return self.overall_pct is not None and any(move.status != MarketStatus.REAL for move in self.moves)


def day_actual(day: date, calendar: SessionTable, book: MarketBook) -> DayActual:
    """Return what the market did on one calendar date; stocks are closed where there is no session."""
    session = calendar.on(day)
    previous = calendar.previous(session) if session else None
    base_days = {
        Family.CRYPTO: day.fromordinal(day.toordinal() - 1),
        Family.GENERAL: previous.day if previous else None,
    }
    readings: dict[Instrument, Reading] = {}
    for family, base_day in base_days.items():
        for name in INSTRUMENTS[family]:
            readings[name] = CLOSED if base_day is None else book.reading(name, day, base_day)
    moves = tuple(combine([readings[name] for name in INSTRUMENTS[family]]) for family in base_days)
    return DayActual(readings, moves)


@dataclass(frozen=True)
class DayScoreRecord:
    """One file date's index and, where the market of the next date is known, its accuracy.

    Percentages as in the parent: index, accuracy and error rate 0-100, the market's move in percent.
    """

    index_value: float
    predicted_direction: Sentiment
    actual_pct: float | None
    accuracy: float | None
    error_rate: float | None
    partial: bool


def day_score(predictions: Iterable[tuple[str, float | None]], actual: DayActual) -> DayScoreRecord:
    """Return the parent's figures of one day and family against what the market did."""
    index, overall = investment_index(predictions), actual.overall_pct
    return DayScoreRecord(
        index_value=index,
        predicted_direction=predicted_direction(index),
        actual_pct=overall,
        accuracy=None if overall is None else day_accuracy(index, overall),
        error_rate=None if overall is None else error_rate(index, overall),
        partial=actual.partial,
    )


def logged_moves(payload: Mapping[str, Any]) -> dict[Instrument, float]:
    """Return the percent moves that an accuracy log of the parent counted, by instrument."""
    actual = payload.get("actual") or {}
    groups = {Family.CRYPTO: actual.get("crypto") or {}, Family.GENERAL: actual.get("stock") or {}}
    return {
        name: float(group[name])
        for family, group in groups.items()
        for name in INSTRUMENTS[family]
        if isinstance(group.get(name), int | float)
    }


def explain(payload: Mapping[str, Any], score: DayScoreRecord, actual: DayActual) -> str | None:
    """Return why our figures differ from the parent's accuracy log; None where they are the same."""
    prediction = payload.get("prediction") or {}
    logged = (prediction.get("index"), prediction.get("direction"))
    if (*logged, payload.get("errorRate"), payload.get("accuracy")) == (
        score.index_value,
        score.predicted_direction,
        score.error_rate,
        score.accuracy,
    ):
        return None
    causes = []
    if logged != (score.index_value, score.predicted_direction):
        causes.append(
            f"The log's index is {logged[0]} ({logged[1]}), its stored predictions give "
            f"{score.index_value} ({score.predicted_direction})."
        )
    causes += _market_causes(logged_moves(payload), actual)
    return " ".join(causes) or "The same index and market give other figures than the log states."


def _market_causes(logged: Mapping[Instrument, float], actual: DayActual) -> list[str]:
    causes = []
    unknown = [name for name in logged if actual.readings[name].status != MarketStatus.REAL]
    if len(unknown) == len(logged) and not any(logged.values()):
        return ["The log counted an all-zero market file as a real 0 % move; we treat it as unknown."]
    closed = [name for name in unknown if actual.readings[name].status == MarketStatus.CLOSED]
    doubtful = [name for name in unknown if name not in closed]
    if closed:
        causes.append(f"The log counted {_listed(closed, logged)} on a day without a session.")
    if doubtful:
        causes.append(f"The log counted {_listed(doubtful, logged)}; we treat that as unknown.")
    for name, value in logged.items():
        reading = actual.readings[name]
        if reading.return_pct is not None and reading.return_pct != value:
            causes.append(
                f"{name.upper()} moved {reading.return_pct:+.2f} % ({reading.source}), the log has {value:+g} %."
            )
    return causes


def _listed(names: Sequence[Instrument], logged: Mapping[Instrument, float]) -> str:
    return ", ".join(f"{name.upper()} {logged[name]:+g} %" for name in names)
