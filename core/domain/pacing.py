"""How fast a provider may be asked: so many requests and so many tokens a minute, evenly.

The generic cell rate algorithm (ITU-T I.371): a limit is one moment, up to which the allowance is used up.
Seconds are given by the caller, from a clock that never goes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

MINUTE_S = 60.0
#: How much may go at once after a pause, in seconds' worth of the limit.
BURST_S = 1.0


@dataclass(frozen=True)
class Pace:
    """One limit and how far it is used up.

    In no minute does more go than `per_minute`, but for a single amount that alone exceeds what may go at
    once: it waits until nothing before it counts any more.

    Parameters
    ----------
    per_minute : float
        What may go in any 60 seconds.
    paid_until_s : float
        The moment at which all that went is accounted for.
    """

    per_minute: float
    paid_until_s: float = float("-inf")

    def wait_s(self, amount: float, now_s: float) -> float:
        """Return the seconds until `amount` may go; 0 when it may go now."""
        allowed_ahead = max(0.0, BURST_S - self._seconds(amount))
        return max(0.0, self.paid_until_s - now_s - allowed_ahead)

    def after(self, amount: float, now_s: float) -> "Pace":
        """Return the limit after `amount` went."""
        return replace(self, paid_until_s=max(self.paid_until_s, now_s) + self._seconds(amount))

    def _seconds(self, amount: float) -> float:
        """Return how long `amount` uses the limit up; the burst is taken off the minute's allowance."""
        return amount * (MINUTE_S + BURST_S) / self.per_minute


class Pacer:
    """Several limits that must all allow what goes, such as requests and tokens.

    Parameters
    ----------
    per_minute : mapping of str to float
        What may go in any 60 seconds, by the name of what is counted.
    """

    def __init__(self, per_minute: Mapping[str, float]) -> None:
        self._paces = {name: Pace(limit) for name, limit in per_minute.items()}

    def wait_s(self, amounts: Mapping[str, float], now_s: float) -> float:
        """Return the seconds until all `amounts` may go; 0 when they may go now."""
        return max(self._paces[name].wait_s(amount, now_s) for name, amount in amounts.items())

    def went(self, amounts: Mapping[str, float], now_s: float) -> None:
        """Count what goes now."""
        for name, amount in amounts.items():
            self._paces[name] = self._paces[name].after(amount, now_s)
