"""What asking a model costs: the range before anything is sent, and the bill of each request."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from core.domain.pricing import PriceBook, Quote, Unpriced, prediction_quote, request_cost
from core.domain.tokens import TokenEstimate, answer_tokens


@dataclass(frozen=True)
class Usage:
    """Tokens of one request as they were counted, and the model that answered; None where nobody said."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    answered_by: str | None = None


@dataclass(frozen=True)
class Bill:
    """What one request cost, in micro-dollars, and how that is known."""

    micro_usd: int
    detail: dict[str, Any]


@dataclass(frozen=True)
class Tariff:
    """At what prices a model answers.

    Parameters
    ----------
    book : PriceBook
        The prices.
    provider, model : str
        Who answers, by the name under which it is billed.
    on : date
        Day in Seoul whose prices hold.
    longest : int
        Tokens at which the vendor is told to cut an answer off: no answer costs more.
    batch : bool
        Whether the vendor's batch service is used.
    """

    book: PriceBook
    provider: str
    model: str
    on: date
    longest: int
    batch: bool = False

    def quote(self, n: int, prompts: TokenEstimate) -> Quote | Unpriced:
        """Return what `n` requests cost whose prompts have `prompts` tokens together."""
        return prediction_quote(
            self.book,
            self.provider,
            self.model,
            self.on,
            n=n,
            prompts=prompts,
            answers=answer_tokens(self.longest) * n,
            batch=self.batch,
        )

    def most(self, prompt: TokenEstimate) -> int:
        """Return the most that one request can cost, in micro-dollars; 0 where its price is not known.

        Rounded as its bill will be, so the sum over a run's requests never passes its quote's upper end.
        """
        return self._cost(self.model, Usage(prompt.high, self.longest)) or 0

    def bill(self, usage: Usage | None, prompt: TokenEstimate) -> Bill:
        """Return what a request cost: by the vendor's count, else by the estimate of its `prompt`.

        A vendor may let another model answer than was asked, at that one's price: the dearer of the two
        that are known counts. Without any price the bill is 0 and says so; no run begins like that.
        """
        if usage is not None and (counted := self._counted(usage)) is not None:
            return Bill(counted, self._detail(usage))
        expected = self.quote(1, prompt)
        likely = 0 if isinstance(expected, Unpriced) else expected.likely
        how = {"estimated": True} | ({"unpriced": True} if isinstance(expected, Unpriced) else {})
        return Bill(likely, self._detail(usage or Usage()) | how)

    def _counted(self, usage: Usage) -> int | None:
        costs = [self._cost(model, usage) for model in (self.model, usage.answered_by or self.model)]
        return max((each for each in costs if each is not None), default=None)

    def _cost(self, model: str, usage: Usage) -> int | None:
        return request_cost(
            self.book,
            self.provider,
            model,
            usage.prompt,
            usage.completion,
            usage.cached,
            self.on,
            batch=self.batch,
        )

    def _detail(self, usage: Usage) -> dict[str, Any]:
        quote = self.quote(0, TokenEstimate.exactly(0))
        prices = {} if isinstance(quote, Unpriced) else {str(p.kind): str(p.usd) for p in quote.prices}
        as_of = None if isinstance(quote, Unpriced) else min(p.as_of for p in quote.prices).isoformat()
        counts = {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "cached_tokens": usage.cached,
            "answered_by": usage.answered_by,
        }
        known = {name: value for name, value in counts.items() if value is not None}
        return known | {"usd_per_million": prices, "as_of": as_of}
