"""Prices as pages and commands see them: the table beside an independent library's, and corrections."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlmodel import Session

from core import ledger
from core.bootstrap import App
from core.db import reading, writing
from core.domain.pricing import Price, PriceBook
from core.domain.types import CostPurpose, PriceKind
from core.queries.costs import ModelUse, model_use
from core.services import costs
from core.sources.prices import cross_check


@dataclass(frozen=True)
class PriceRow:
    """A price of the table.

    Parameters
    ----------
    price : Price
        The price itself.
    counts : bool
        Whether it is the one used today: neither over, nor to come, nor corrected by a person.
    theirs : Decimal or None
        The same price in the library genai-prices; None where the library does not know it.
    """

    price: Price
    counts: bool
    theirs: Decimal | None

    @property
    def differs(self) -> bool:
        """Whether the library says another amount."""
        return self.theirs is not None and self.theirs != self.price.usd


@dataclass(frozen=True)
class ArticleCost:
    """What an article costs with a model version at today's prices.

    Parameters
    ----------
    use : ModelUse
        The version, and the tokens of a mean answer.
    micro_usd : float or None
        Micro-dollars an article, fractions included; None where a price is missing.
    """

    use: ModelUse
    micro_usd: float | None


def price_book(app: App, session: Session) -> PriceBook:
    """Return all prices, entered ones over the shipped table."""
    return costs.price_book(session, app.prices)


def today(app: App) -> date:
    """Return the day in Seoul."""
    return app.now().astimezone(ledger.SEOUL).date()


def edit_price(
    app: App,
    *,
    provider: str,
    model: str,
    kind: str,
    usd: str,
    source: str,
    valid_until: date | None = None,
    actor: str | None = None,
) -> None:
    """Enter a price, which counts before the shipped one from now on."""
    with writing(app.engine) as session:
        costs.edit_price(
            session,
            provider=provider,
            model=model,
            kind=kind,
            usd=usd,
            valid_until=valid_until,
            source=source,
            actor=actor or app.settings.actor,
            now=app.now(),
        )


def hourly_price(app: App, purpose: CostPurpose, provider: str, model: str) -> Price | None:
    """Return what an hour costs today by the price table, for a form to begin with."""
    with reading(app.engine) as session:
        book = price_book(app, session)
    return book.find(provider, model, costs.HOURLY[purpose], today(app))


def price_table(app: App) -> list[PriceRow]:
    """Return every known price, entered ones first, each beside the library's."""
    with reading(app.engine) as session:
        book = price_book(app, session)
    day = today(app)
    theirs = {check.price: check.theirs for check in cross_check(book, day)}
    return [
        PriceRow(price, book.find(price.provider, price.model, price.kind, day) is price, theirs.get(price))
        for price in book
    ]


def article_costs(app: App) -> list[ArticleCost]:
    """Return what an article costs with each model version whose vendor counted tokens."""
    with reading(app.engine) as session:
        book, used = price_book(app, session), model_use(session)
    return [ArticleCost(use, _per_article(use, book, today(app))) for use in used]


def _per_article(use: ModelUse, book: PriceBook, on: date) -> float | None:
    into, out = (
        book.find(use.model.provider, use.priced_as, kind, on) for kind in (PriceKind.INPUT, PriceKind.OUTPUT)
    )
    if into is None or out is None:
        return None
    return use.prompt_tokens * float(into.usd) + use.completion_tokens * float(out.usd)
