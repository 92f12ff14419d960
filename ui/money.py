"""Amounts as people read them: micro-dollars in, dollars out, and what an estimate was made of."""

from collections.abc import Mapping
from math import floor, log10
from typing import Any

from core.domain.budget import Standing
from core.domain.pricing import Quote
from ui import format as fmt
from ui.i18n import t

MICRO = 1_000_000


def dollars(micro_usd: int | None) -> str:
    """Return an amount for a cell or a metric: cents, or two digits where there are no cents."""
    if micro_usd is None:
        return fmt.DASH
    usd = micro_usd / MICRO
    if 0 < usd < 0.01:  # two digits that say something; the export has all six
        return f"${usd:.{1 - floor(log10(usd))}f}"
    return f"${usd:,.2f}" if usd >= 0 else f"−${-usd:,.2f}"


def written(micro_usd: int | None) -> str:
    """Return an amount for a sentence: two dollar signs in markdown would begin a formula."""
    return fmt.plain(dollars(micro_usd))


def span(low: int, likely: int, high: int) -> str:
    """Return a range of amounts for a sentence."""
    if dollars(low) == dollars(high):
        return t("about {likely}", likely=written(likely))
    return t("about {likely} ({low}–{high})", likely=written(likely), low=written(low), high=written(high))


def price(found: Mapping[str, Any]) -> str:
    """Return a price (`Price.as_json`) with its unit and date, marked where only third parties report it."""
    line = t("{usd} per million tokens, as of {day}", usd=fmt.plain(f"${found['usd']}"), day=found["as_of"])
    return line if found["certain"] else t("{fact} (reported)", fact=line)


def made_of(quote: Quote, rows: int, epochs: int | None) -> str:
    """Return what a training's price was multiplied from."""
    tokens = quote.tokens_in.likely
    exact = quote.tokens_in.low == quote.tokens_in.high
    shown = fmt.number(tokens / epochs if epochs else tokens)
    values = {"rows": fmt.number(rows), "tokens": shown if exact else f"\\~{shown}", "epochs": epochs}
    work = (
        t("{rows} rows, {tokens} tokens × {epochs} epochs", **values)
        if epochs
        else t("{rows} rows, {tokens} tokens", **values)
    )
    return " · ".join([work, *(price(each.as_json()) for each in quote.prices)])


def left(standing: Standing, *, simulated: bool = False) -> str:
    """Return what is left of the month's budget for a sentence."""
    values = {"left": written(max(0, standing.left)), "cap": written(standing.cap)}
    if simulated:
        return t("Play money: {left} of {cap} left this month", **values)
    return t("{left} of this month's {cap} left", **values)


def budget_help(standing: Standing) -> str:
    """Return how what is left of a budget comes about."""
    made = t(
        "Cap {cap} less {spent} billed this month (Seoul) and {held} held for work under way.",
        cap=written(standing.cap),
        spent=written(standing.spent),
        held=written(standing.reserved),
    )
    return f"{made} {t('Nobody has set a budget: this is the default.')}" if standing.is_default else made
