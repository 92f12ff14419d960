"""Sending again where nothing was carried out: rate limits, overload, connections that never came about.

Anything else (a timeout, a reset, a 500 after sending) may have been billed and is never sent again here.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
    wait_random,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long to go on.

    Parameters
    ----------
    attempts : int
        Requests altogether.
    deadline_s : float
        Seconds from the first attempt within which the last one must begin. A vendor who asks for more
        is not waited for at all.
    first_wait_s, longest_wait_s : float
        Seconds of the first pause where the vendor names none, doubled up to the longest; each is
        lengthened by up to `first_wait_s` at random, so that many threads do not return at once.
    """

    attempts: int = 5
    deadline_s: float = 60.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0


PATIENCE = Patience()


@dataclass(frozen=True)
class TurnedAway:
    """An attempt that the vendor did not carry out: sending it again is free.

    `wait_s` is how long the vendor asks to wait; None where it does not say.
    """

    wait_s: float | None = None


def patiently(
    call: Callable[[], T],
    turned_away: Callable[[BaseException], TurnedAway | None],
    patience: Patience = PATIENCE,
) -> T:
    """Return what `call` returns, calling again while `turned_away` says that nothing was carried out.

    Parameters
    ----------
    turned_away : callable
        Judges an exception of `call`; None means that sending again is not safe.

    Raises
    ------
    BaseException
        The last attempt's own exception.
    """
    backoff = wait_exponential_jitter(
        initial=patience.first_wait_s, max=patience.longest_wait_s, jitter=patience.first_wait_s
    )
    spread = wait_random(0, patience.first_wait_s)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        told = turned_away(error) if error else None
        return backoff(state) if told is None or told.wait_s is None else told.wait_s + spread(state)

    return Retrying(
        retry=retry_if_exception(lambda error: turned_away(error) is not None),
        wait=pause,
        stop=stop_after_attempt(patience.attempts) | stop_before_delay(patience.deadline_s),
        reraise=True,
    )(call)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a response asks to wait, 0 or more; None where it does not say.

    `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). A date is measured from the
    response's own `Date`, so that a wrong clock on this machine does no harm.

    Parameters
    ----------
    headers : mapping
        With lower-case names, or one that does not distinguish case.
    """
    given = headers.get("retry-after", "").strip()
    if not given:
        return None
    try:
        seconds = float(given)
    except ValueError:
        until, at = _moment(given), sent_at(headers)
        seconds = (until - at).total_seconds() if until and at else math.nan
    return None if math.isnan(seconds) else max(0.0, seconds)


def sent_at(headers: Mapping[str, str]) -> datetime | None:
    """Return when a response was made by its sender's clock; None where it does not say."""
    return _moment(headers.get("date", ""))


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
