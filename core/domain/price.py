"""One price: whose, for what, from when to when, read where."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from core.domain.types import PriceKind

HOURLY = (PriceKind.HOSTING_HOUR, PriceKind.GPU_HOUR)
#: Plain digits only: no sign, exponent, "NaN" or digits of other scripts, all of which Decimal reads.
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
#: Far above the dearest price known ($600 a million tokens): a larger one is a slip of the hand.
_HIGHEST_USD = Decimal(100_000)


@dataclass(frozen=True)
class Price:
    """One price as somebody published or entered it.

    Parameters
    ----------
    provider, model : str
        Whose price; model "*" holds for every model that has no row of its own.
    kind : PriceKind
        What it is for.
    usd : Decimal
        US dollars a million tokens, or an hour.
    as_of : date
        Day on which it was read or entered.
    source : str
        Where it was read.
    valid_from, valid_until : date or None
        First and last day on which it holds, both included; None where no such day is known.
    certain : bool
        False for what only third parties report, or the vendor calls an example.
    edited : bool
        Whether a person entered it.
    """

    provider: str
    model: str
    kind: PriceKind
    usd: Decimal
    as_of: date
    source: str
    valid_from: date | None = None
    valid_until: date | None = None
    certain: bool = True
    edited: bool = False

    @property
    def per(self) -> str:
        """What the amount buys: "million tokens" or "hour"."""
        return unit(self.kind)

    def holds(self, on: date) -> bool:
        """Tell whether it is the price on a day."""
        return (self.valid_from is None or self.valid_from <= on) and (
            self.valid_until is None or on <= self.valid_until
        )

    def as_json(self) -> dict[str, Any]:
        """Return the price as a ledger row keeps it."""
        return {
            "kind": str(self.kind),
            "usd": str(self.usd),
            "per": self.per,
            "as_of": self.as_of.isoformat(),
            "source": self.source,
            "certain": self.certain,
        }


def parse_usd(text: str) -> Decimal:
    """Return a price in US dollars from a decimal text: 0 to 100,000, at most nine decimal places.

    Raises
    ------
    ValueError
        If it is no such amount; the message says why, and is meant for a person.
    """
    if not _AMOUNT.fullmatch(text.strip()):
        raise ValueError(f"'{text.strip()[:20]}' is no amount in US dollars such as 0.80")
    usd = Decimal(text.strip())
    if usd > _HIGHEST_USD:
        raise ValueError(f"{usd:,} US dollars are no price of a million tokens or of an hour")
    return usd


def unit(kind: PriceKind) -> str:
    """Return what a price of a kind is for: "million tokens" or "hour"."""
    return "hour" if kind in HOURLY else "million tokens"
