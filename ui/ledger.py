"""The ledger as a table: filters, pages, and a download for spreadsheets."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.types import CostKind, CostPurpose
from core.queries import costs as queries
from core.queries.costs import By, LedgerFilter
from ui import cost_words, money
from ui import format as fmt
from ui.components import section
from ui.i18n import t, tn
from ui.state import Session, app

PAGE_SIZE = 20


def table(session: Session) -> None:
    """Draw filters, one page of rows, and the download of all that pass."""
    section(
        t("Ledger"),
        t("Estimate, money held, bill, what was given back. Rows are added, never changed or deleted."),
    )
    wanted = _filters(session)
    n = queries.count_ledger(session, wanted)
    if n == 0:
        st.caption(
            t("No row passes these filters.")
            if wanted != queries.ALL
            else t("The ledger is empty: nothing was spent, nothing is held.")
        )
        return
    _purchases(session, wanted)
    pages = -(-n // PAGE_SIZE)
    page = min(st.session_state.get("ledger_page", 1), pages)
    _rows(session, wanted, page)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(tn("{n} row", "{n} rows", n), width="content")
        if pages > 1:
            st.pagination(pages, key="ledger_page", max_visible_pages=5)
        st.download_button(
            t("Download as CSV"),
            data=lambda: workflows.export_ledger(app(), wanted),
            file_name=f"newstune-ledger-{wanted.month or 'all'}.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            key="ledger_export",
            help=t("All rows that pass the filters, oldest first, safe to open in a spreadsheet."),
        )


def _filters(session: Session) -> LedgerFilter:
    with st.grid(5, min_column_width=120):
        month = _select(t("Month (Seoul)"), queries.ledger_values(session, By.MONTH)[::-1], "month")
        provider = _select(t("Provider"), queries.ledger_values(session, By.PROVIDER), "provider")
        purpose = _select(t("What for"), list(CostPurpose), "purpose", cost_words.purpose)
        kind = _select(t("What it says"), list(CostKind), "kind", cost_words.entry)
        simulated = _select(t("Money"), [False, True], "simulated", _whose)
    return LedgerFilter(simulated=simulated, provider=provider, purpose=purpose, kind=kind, month=month)


def _select(label: str, choices: Sequence[Any], name: str, words: Callable[[Any], str] = str) -> Any:
    return st.selectbox(
        label, choices, index=None, key=f"ledger_{name}", placeholder=t("All"), format_func=words
    )


def _whose(simulated: bool) -> str:  # noqa: FBT001 - a value of the column
    return t("SIMULATED") if simulated else t("Real")


def _purchases(session: Session, wanted: LedgerFilter) -> None:
    bought = queries.purchases(session, wanted)
    frame = pd.DataFrame(
        {
            t("Provider"): [each.provider for each in bought],
            t("Model"): [each.model for each in bought],
            t("What for"): [cost_words.purpose(each.purpose) for each in bought],
            t("Money"): [_whose(each.simulated) for each in bought],
            t("Estimate"): [money.dollars(each.estimated) for each in bought],
            t("Held"): [money.dollars(each.reserved) for each in bought],
            t("Billed"): [money.dollars(each.billed) for each in bought],
            t("Given back"): [money.dollars(each.released) for each in bought],
        }
    )
    st.dataframe(frame, hide_index=True, placeholder=fmt.DASH, alt=t("From estimate to bill"))


def _rows(session: Session, wanted: LedgerFilter, page: int) -> None:
    rows = queries.ledger_page(session, wanted, page=page, size=PAGE_SIZE)
    frame = pd.DataFrame(
        {
            t("When"): [fmt.moment(row.at) for row in rows],
            t("What it says"): [cost_words.entry(row.kind) for row in rows],
            t("Amount"): [money.dollars(row.micro_usd) for row in rows],
            t("What for"): [cost_words.purpose(row.purpose) for row in rows],
            t("Provider"): [row.provider for row in rows],
            t("Model"): [row.model for row in rows],
            t("Money"): [_whose(row.simulated) for row in rows],
            t("Who"): [row.actor for row in rows],
            t("Reference"): [row.reference for row in rows],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height="content",
        placeholder=fmt.DASH,
        alt=t("Ledger"),
        column_config={
            t("When"): st.column_config.TextColumn(help=t("Seoul time"), width=125),
            t("What for"): st.column_config.TextColumn(width=105),
        },
    )
