"""Provider cards: what is known of each provider, and what it says when it is asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from core import ledger
from core.bootstrap import App
from core.db import reading, writing
from core.domain.pricing import PriceBook
from core.domain.types import PriceKind, Readiness
from core.errors import ProviderBlocked
from core.models import ProviderCheck
from core.providers.base import BaseModel, KnownDate, Preflight, Provider, ProviderCard
from core.queries.providers import last_checks
from core.services import checks, costs

#: What a provider can be asked for.
ASKS = ("answer", "train")
#: A refusal is believed for this long; then the provider is asked again before it counts.
LAST_WORD = timedelta(hours=1)
#: Dates after which training makes no sense, in words.
ENDS = {"new_jobs_end": "no new training jobs", "base_retires": "the base model is switched off"}
#: Prices worth showing on a card, in this order.
SHOWN_PRICES = (PriceKind.TRAINING, PriceKind.INPUT, PriceKind.OUTPUT, PriceKind.HOSTING_HOUR)


@dataclass(frozen=True)
class ProviderState:
    """A provider with what is known of it now.

    Parameters
    ----------
    card : ProviderCard
        What is known without asking.
    priced, simulated, trains, batches : bool
        Whether it costs money, plays only, can train, has a batch service.
    checks : mapping of str to ProviderCheck
        What it said last, by "answer" and "train"; left out where it was never asked.
    """

    card: ProviderCard
    priced: bool
    simulated: bool
    trains: bool
    batches: bool
    checks: dict[str, ProviderCheck]


def provider_states(app: App) -> list[ProviderState]:
    """Return all providers as they are known now, asking none."""
    with reading(app.engine) as session:
        said = last_checks(session)
    return [
        ProviderState(
            provider.card(),
            provider.priced,
            provider.simulated,
            provider.trainer is not None,
            provider.batcher is not None,
            {what: said[name, what] for what in ASKS if (name, what) in said},
        )
        for name, provider in app.providers.items()
    ]


def check_provider(app: App, name: str) -> dict[str, Preflight]:
    """Ask a provider, for free, whether it would answer and train now, and keep what it says."""
    provider = app.provider(name)
    said = {what: verdict(provider, what) for what in ASKS}
    for what, preflight in said.items():
        with writing(app.engine) as session:
            checks.keep_check(
                session,
                provider=name,
                what=what,
                status=preflight.status,
                reason=preflight.reason,
                code=preflight.code,
                now=app.now(),
            )
    return said


def verdict(provider: Provider, what: str) -> Preflight:
    """Return what a provider says, unless a key is missing."""
    card = provider.card()
    missing = [key for key, given in card.keys.items() if not given]
    if missing:
        needed = ", ".join(missing)
        return Preflight.blocked(
            f"No key: set {needed} in the environment or in .streamlit/secrets.toml.", "no_key"
        )
    return provider.check(what)


def known_block(app: App, name: str, base_model: str = "") -> Preflight | None:
    """Return why a provider is known not to train, without asking it: a certain date, or its last word."""
    card, today = app.provider(name).card(), ledger.seoul_day(app.now())
    ended = past(card, base_model, today)
    if ended is not None and ended.certain:
        return Preflight.blocked(f"{card.title}: {ENDS[ended.what]} on {ended.day}.", ended.what)
    with reading(app.engine) as session:
        said = last_checks(session).get((name, "train"))
    if said is None or said.status != Readiness.BLOCKED or app.now() - said.at > LAST_WORD:
        return None
    return Preflight.blocked(said.reason, said.detail.get("code") or "refused")


def refuse_unready(app: App, provider: Provider, base_models: Iterable[str]) -> None:
    """Ask a provider whether it would train now, and refuse where it, or a certain date, says no.

    Raises
    ------
    ProviderBlocked
        With what it said.
    """
    said = check_provider(app, provider.name)["train"]
    blocked = [said] if said.status == Readiness.BLOCKED else []
    blocked += [known for model in base_models if (known := known_block(app, provider.name, model))]
    for preflight in blocked:
        remedy = "Choose another provider for the same dataset"
        raise ProviderBlocked(provider.name, preflight.reason.rstrip("."), remedy)


def past(card: ProviderCard, base_model: str, today: date) -> KnownDate | None:
    """Return the date after which a training makes no sense any more, if it has come."""
    known = [each for each in dates(card, base_model) if each.what in ENDS and each.day <= today]
    return min(known, key=lambda each: each.day, default=None)


def dates(card: ProviderCard, base_model: str = "") -> list[KnownDate]:
    """Return the dates of a provider and of one of its models, or of all where none is named."""
    chosen = [model for model in card.base_models if base_model in ("", model.name)]
    return sorted(
        dict.fromkeys([*card.dates, *(each for model in chosen for each in model.dates)]),
        key=lambda each: each.day,
    )


def providers_report(app: App, *, ask: bool = True) -> dict[str, Any]:
    """Return all provider cards as plain values, having asked each that has its keys."""
    said = {name: check_provider(app, name) for name in app.providers} if ask else {}
    with reading(app.engine) as session:
        book = costs.price_book(session, app.prices)
    today = ledger.seoul_day(app.now())
    return {
        "providers": [
            _as_json(state, said.get(state.card.name, {}), book, today) for state in provider_states(app)
        ]
    }


def _as_json(
    state: ProviderState, said: dict[str, Preflight], book: PriceBook, today: date
) -> dict[str, Any]:
    card = state.card
    answers = {what: {"status": str(p.status), "reason": p.reason} for what, p in said.items()}
    return {
        "name": card.name,
        "title": card.title,
        "simulated": state.simulated,
        "keys": dict(card.keys),
        **answers,
        "data_goes_to": card.destination,
        "dates": [_date(each, today) for each in dates(card)],
        "models": [_model(card.name, model, book, today) for model in card.base_models],
        "notes": list(card.notes),
    }


def _date(known: KnownDate, today: date) -> dict[str, Any]:
    return {
        "what": known.what,
        "model": known.model or None,
        "day": known.day.isoformat(),
        "days_left": (known.day - today).days,
        "certain": known.certain,
        "source": known.source,
    }


def _model(provider: str, model: BaseModel, book: PriceBook, today: date) -> dict[str, Any]:
    found = {kind: book.find(provider, model.name, kind, today) for kind in SHOWN_PRICES}
    known = {kind: price for kind, price in found.items() if price is not None}
    return {
        "name": model.name,
        "answers": model.answers,
        "trainable": model.trainable,
        "usd": {f"{kind}_per_{price.per.replace(' ', '_')}": str(price.usd) for kind, price in known.items()},
        "prices_as_of": min((price.as_of.isoformat() for price in known.values()), default=None),
        "prices_certain": all(price.certain for price in known.values()) if known else None,
    }
