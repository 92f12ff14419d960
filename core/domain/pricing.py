"""What tokens and hours cost: prices with their dates, the cost of a request, quotes before anything is sent.

A dollar a million tokens is a micro-dollar a token, so token prices need no conversion. Amounts are whole
micro-dollars, rounded up once a request: what is held or billed is never less than what is owed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from core.domain.price import Price, parse_usd, unit
from core.domain.tokens import TokenEstimate
from core.domain.types import PriceKind

__all__ = [
    "ANY_MODEL",
    "MICRO",
    "Price",
    "PriceBook",
    "Quote",
    "Unpriced",
    "cost",
    "hours_cost",
    "names",
    "parse_usd",
    "prediction_quote",
    "request_cost",
    "training_quote",
    "unit",
]

MICRO = 1_000_000
#: A provider's row for all its models.
ANY_MODEL = "*"
_NO_TOKENS = TokenEstimate(0, 0, 0)
#: A model's date at the end of its name: -2025-04-14 or -20250414.
_DATED = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")
_KIND_WORDS = {
    PriceKind.TRAINING: "training tokens",
    PriceKind.INPUT: "input tokens",
    PriceKind.CACHED_INPUT: "cached input tokens",
    PriceKind.OUTPUT: "output tokens",
    PriceKind.BATCH_INPUT: "input tokens in a batch",
    PriceKind.BATCH_OUTPUT: "output tokens in a batch",
    PriceKind.HOSTING_HOUR: "an hour of hosting",
    PriceKind.GPU_HOUR: "an hour of a GPU",
}


class PriceBook:
    """Prices by what they are for. The first that holds on a day counts, entered ones before shipped ones.

    Parameters
    ----------
    prices : iterable of Price
        Of several entered for the same thing, the first is the newest.
    """

    def __init__(self, prices: Iterable[Price]) -> None:
        self._prices = tuple(sorted(prices, key=lambda price: not price.edited))  # stable within each
        self._rows: dict[tuple[str, str, PriceKind], list[Price]] = defaultdict(list)
        for price in self._prices:
            self._rows[price.provider, price.model, price.kind].append(price)

    def __iter__(self) -> Iterator[Price]:
        return iter(self._prices)

    def find(self, provider: str, model: str, kind: PriceKind, on: date) -> Price | None:
        """Return the price of a model on a day, or None where none is known.

        The exact name is looked up first, then the name without its date, then a tuned model's family
        ("ft:gpt-4.1-mini-2025-04-14:org::abc" is priced as "ft:gpt-4.1-mini", never as its base model),
        then the provider's row for all models.
        """
        for name in names(model):
            for price in self._rows.get((provider, name, kind), ()):
                if price.holds(on):
                    return price
        return None


def names(model: str) -> tuple[str, ...]:
    """Return the names under which a model's price may stand, the most particular first."""
    family = ":".join(model.split(":")[:2]) if model.startswith("ft:") else model
    return tuple(dict.fromkeys((model, family, _DATED.sub("", family), ANY_MODEL)))


def cost(tokens: int, price: Price) -> int:
    """Return what tokens cost in micro-dollars, rounded up."""
    return _up(tokens * price.usd)


def hours_cost(hours: Decimal, price: Price) -> int:
    """Return what hours cost in micro-dollars, rounded up."""
    return _up(hours * price.usd * MICRO)


def request_cost(  # noqa: PLR0917 - a request as the vendor counts it, in its own order
    book: PriceBook,
    provider: str,
    model: str,
    usage_prompt: int | None,
    usage_completion: int | None,
    usage_cached: int | None,
    on: date,
    *,
    batch: bool = False,
) -> int | None:
    """Return what one request cost in micro-dollars; None where a price or a count is missing.

    Cached tokens are part of the prompt. Where the vendor does not count them, or no price of theirs is
    known, they cost as much as any other input; so they do within a batch.
    """
    paid_in, paid_out = _kinds(batch=batch)
    into, out = book.find(provider, model, paid_in, on), book.find(provider, model, paid_out, on)
    if into is None or out is None or usage_prompt is None or usage_completion is None:
        return None
    cheaper = None if batch else book.find(provider, model, PriceKind.CACHED_INPUT, on)
    cached = min(usage_cached or 0, usage_prompt) if cheaper else 0
    saved = cached * (into.usd - cheaper.usd) if cheaper else Decimal(0)
    return _up(usage_prompt * into.usd - saved + usage_completion * out.usd)


@dataclass(frozen=True)
class Quote:
    """What something will cost, said before it is bought; micro-dollars.

    Parameters
    ----------
    low, likely, high : int
        Ends and middle of the range; `high` is what is reserved.
    prices : tuple of Price
        The prices used.
    tokens_in, tokens_out : TokenEstimate
        What was multiplied: billed training tokens or prompts, and answers.
    n : int or None
        Requests it is about; None of a training.
    """

    low: int
    likely: int
    high: int
    prices: tuple[Price, ...]
    tokens_in: TokenEstimate
    tokens_out: TokenEstimate = _NO_TOKENS
    n: int | None = None

    @property
    def certain(self) -> bool:
        """Whether every price used comes from the vendor or from a person here."""
        return all(price.certain for price in self.prices)

    def as_json(self) -> dict[str, Any]:
        """Return how it came about, as a ledger row keeps it."""
        return {
            "low": self.low,
            "likely": self.likely,
            "high": self.high,
            "tokens_in": vars(self.tokens_in),
            "tokens_out": vars(self.tokens_out),
            "prices": [price.as_json() for price in self.prices],
        } | ({} if self.n is None else {"n": self.n})


@dataclass(frozen=True)
class Unpriced:
    """No quote can be given: these prices are not known on that day.

    `problem` and `remedy` fit the errors of this program (`Refused(unpriced.problem, unpriced.remedy)`).
    """

    provider: str
    model: str
    kinds: tuple[PriceKind, ...]
    on: date

    @property
    def problem(self) -> str:
        """A sentence that names the missing prices, without its full stop."""
        wanted = " and ".join(_KIND_WORDS[kind] for kind in self.kinds)
        return f"No price is known for {wanted} of '{self.model}' at {self.provider} on {self.on}"

    @property
    def remedy(self) -> str:
        """What to do about it, without the full stop."""
        each = " and ".join(f"{kind} (US dollars per {unit(kind)})" for kind in self.kinds)
        return f"Enter it on the Costs page under provider '{self.provider}', model '{self.model}': {each}"

    @property
    def sentence(self) -> str:
        """Both as text."""
        return f"{self.problem}. {self.remedy}."


def training_quote(
    book: PriceBook, provider: str, model: str, on: date, *, billable: TokenEstimate
) -> Quote | Unpriced:
    """Return what a training costs.

    Parameters
    ----------
    book : PriceBook
        The prices.
    provider, model : str
        Who trains, and the base model.
    on : date
        Day of the start.
    billable : TokenEstimate
        Tokens that will be billed, epochs included.
    """
    price = book.find(provider, model, PriceKind.TRAINING, on)
    if price is None:
        return Unpriced(provider, model, (PriceKind.TRAINING,), on)
    low, likely, high = (cost(n, price) for n in (billable.low, billable.likely, billable.high))
    return Quote(low, likely, high, (price,), billable)


def prediction_quote(
    book: PriceBook,
    provider: str,
    model: str,
    on: date,
    *,
    n: int,
    prompts: TokenEstimate,
    answers: TokenEstimate,
    batch: bool = False,
) -> Quote | Unpriced:
    """Return what asking a model `n` times costs, cached prompts not counted on.

    Parameters
    ----------
    book : PriceBook
        The prices.
    provider, model : str
        Who answers.
    on : date
        Day of asking.
    n : int
        Requests. Each is rounded up by itself later, so the upper end holds a micro-dollar more for each.
    prompts, answers : TokenEstimate
        Tokens of all requests together (see `tokens.answer_tokens`).
    batch : bool
        Whether the vendor's batch service is used, which has prices of its own.
    """
    kinds = _kinds(batch=batch)
    found = [(kind, book.find(provider, model, kind, on)) for kind in kinds]
    prices = tuple(price for _, price in found if price is not None)
    if len(prices) < len(found):
        return Unpriced(provider, model, tuple(kind for kind, price in found if price is None), on)
    into, out = prices
    low, likely, high = (
        _up(asked * into.usd + said * out.usd)
        for asked, said in (
            (prompts.low, answers.low),
            (prompts.likely, answers.likely),
            (prompts.high, answers.high),
        )
    )
    return Quote(low, likely, high + n, prices, prompts, answers, n)


def _kinds(*, batch: bool) -> tuple[PriceKind, PriceKind]:
    plain, batched = (
        (PriceKind.INPUT, PriceKind.OUTPUT),
        (PriceKind.BATCH_INPUT, PriceKind.BATCH_OUTPUT),
    )
    return batched if batch else plain


def _up(micro_usd: Decimal) -> int:
    return int(micro_usd.to_integral_value(rounding=ROUND_CEILING))
