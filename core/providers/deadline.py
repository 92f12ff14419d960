"""Waiting for a request no longer than a time in all, however slowly its answer trickles in.

HTTP clients bound each single read, not their sum: a vendor that sends one byte a minute would outlast the
lease of whoever launches something, and the next driver might send the paid request again.
"""

from collections.abc import Callable
from contextlib import closing
from multiprocessing import TimeoutError as _Late
from multiprocessing.pool import ThreadPool
from typing import Final, TypeVar

#: Seconds without a sign of life after which a request to a training or batch service is given up, whatever
#: the settings allow, and seconds that it may take in all. A launch is driven under a lease of 180 seconds
#: that begins anew right before the paid request leaves: an answer after that is too late to be of use.
SILENCE_S: Final = 60.0
REQUEST_S: Final = 90.0
#: Seconds in all for a training file. Longer than for other requests, as it costs nothing to send it twice.
UPLOAD_S: Final = 150.0

T = TypeVar("T")


class OutOfTime(Exception):
    """Something took longer than it may."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises, if that comes in time.

    What is bounded is the waiting. `call` goes on in a thread that does not keep the process from ending:
    whoever must be sure that it does nothing any more takes away what it works with.

    Raises
    ------
    OutOfTime
        If it has not ended after so many seconds.
    """
    raised: list[BaseException] = []

    def run() -> T | None:
        try:
            return call()
        except BaseException as error:  # noqa: BLE001 - a pool loses what is no Exception, and waits for ever
            raised.append(error)
            return None

    with closing(ThreadPool(1)) as pool:
        try:
            result = pool.apply_async(run).get(seconds)
        except _Late:
            raise OutOfTime from None
    if raised:
        raise raised[0]
    return result  # type: ignore[return-value]  # None only where `call` returned it
