"""The price table with where each price is from, and the form that corrects one."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.pricing import ANY_MODEL, Price
from core.domain.types import PriceKind
from core.workflows.prices import PriceRow
from ui import cost_words
from ui import format as fmt
from ui.components import perform, section
from ui.i18n import t, tn
from ui.state import app


def table() -> None:
    """Draw every known price, with what an independent library says of it."""
    section(
        t("Prices"),
        t(
            "Shipped with the program, each with its day and source; what a person enters counts before it. "
            "No program knows today's prices for sure: look at the provider's page before spending much."
        ),
    )
    rows = workflows.price_table(app())
    _cross_check(rows)
    wanted = st.selectbox(
        t("Provider"),
        sorted({row.price.provider for row in rows}),
        index=None,
        key="prices_provider",
        placeholder=t("All"),
    )
    shown = [row for row in rows if wanted in (None, row.price.provider)]
    frame = pd.DataFrame(
        {
            t("Provider"): [row.price.provider for row in shown],
            t("Model"): [_model(row.price) for row in shown],
            t("What for"): [cost_words.price_kind(row.price.kind) for row in shown],
            t("US dollars"): [str(row.price.usd) for row in shown],
            t("Per"): [cost_words.unit(row.price.per) for row in shown],
            t("Certainty"): [_certainty(row.price) for row in shown],
            t("genai-prices"): [_theirs(row) for row in shown],
            t("Counts today"): [row.counts for row in shown],
            t("As of"): [str(row.price.as_of) for row in shown],
            t("Holds"): [_span(row.price) for row in shown],
            t("Source"): [row.price.source for row in shown],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=420,
        placeholder=fmt.DASH,
        alt=t("Prices"),
        column_config={
            t("genai-prices"): st.column_config.TextColumn(
                help=t("The same price in the library genai-prices, from the data shipped with it.")
            ),
            t("Source"): st.column_config.TextColumn(width=320),
        },
    )


def _cross_check(rows: Sequence[PriceRow]) -> None:
    known = [row for row in rows if row.theirs is not None]
    other = [row for row in known if row.differs]
    if other:
        named = "; ".join(
            f"{row.price.provider} {row.price.model}, {cost_words.price_kind(row.price.kind)}: "
            f"{fmt.plain(_usd(row.price.usd))} / {fmt.plain(_usd(row.theirs))}"
            for row in other[:5]
        )
        st.warning(
            tn(
                "{n} price differs from the library genai-prices (here / there): {named}",
                "{n} prices differ from the library genai-prices (here / there): {named}",
                len(other),
                named=named,
            ),
            icon=":material/warning:",
        )
    else:
        st.caption(
            tn(
                "The library genai-prices knows {n} of these prices and says the same.",
                "The library genai-prices knows {n} of these prices and says the same of all.",
                len(known),
            )
        )


def _model(price: Price) -> str:
    return t("every model") if price.model == ANY_MODEL else price.model


def _span(price: Price) -> str:
    if price.valid_from is None and price.valid_until is None:
        return fmt.DASH
    ends = (str(day) if day else "" for day in (price.valid_from, price.valid_until))
    return fmt.DASH.join(ends)


def _certainty(price: Price) -> str:
    if price.edited:
        return t("entered here")
    return t("published") if price.certain else t("reported")


def _theirs(row: PriceRow) -> str:
    if row.theirs is None:
        return fmt.DASH
    return _usd(row.theirs) if row.differs else t("the same")


def _usd(amount: Decimal) -> str:
    """Return an amount in cents, with more digits where it has them."""
    digits = max(2, -int(amount.as_tuple().exponent))
    return f"${amount:.{digits}f}"


def form() -> None:
    """Draw the form in which a person enters a price."""
    section(
        t("Enter or correct a price"),
        t("It counts from now on, before the shipped one. What was billed already does not change."),
    )
    with st.form("price", border=False), st.grid(3, min_column_width=170):
        entered = _fields()
        if st.form_submit_button(t("Enter the price"), type="primary", icon=":material/sell:"):
            perform(
                lambda: workflows.edit_price(app(), **entered),
                working=t("Entering …"),
                done=t("The price counts from now on."),
            )


def _fields() -> dict[str, Any]:
    """Draw what a price is made of and return it by the names of `workflows.edit_price`."""
    known = {price.provider for price in app().prices}
    priced = {name for name, provider in app().providers.items() if provider.priced}
    return {
        "provider": st.selectbox(
            t("Provider"), sorted(known | priced), key="price_provider", placeholder=fmt.DASH
        ),
        "model": st.text_input(
            t("Model"),
            max_chars=200,
            key="price_model",
            placeholder="gpt-4.1-mini",
            help=t(
                "The vendor's name without its date; * stands for every model without a price of its own."
            ),
        ),
        "kind": st.selectbox(
            t("What for"),
            list(PriceKind),
            key="price_kind",
            placeholder=fmt.DASH,
            format_func=cost_words.price_kind,
        ),
        "usd": st.text_input(
            t("US dollars"),
            max_chars=20,
            key="price_usd",
            placeholder="0.80",
            help=t("For a million tokens, or for an hour."),
        ),
        "valid_until": st.date_input(
            t("Last day"),
            value=None,
            min_value=fmt.seoul(app().now()).date(),
            key="price_until",
            format="YYYY-MM-DD",
        ),
        "source": st.text_input(
            t("Source"), max_chars=500, key="price_source", placeholder=t("where you read it")
        ),
    }
