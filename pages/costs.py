"""Costs: what was spent and is held, what the month may cost, and what things cost."""

import streamlit as st

from ui import break_even, cost_forms, costs, ledger, prices
from ui.components import LazyTabs, header
from ui.i18n import t
from ui.state import Session, reading


def month(session: Session) -> None:
    """Draw this month's money, real and played apart, beside what a person can set."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        costs.months(session)
    with right:
        cost_forms.budget(session)
        costs.plan_lines(session)
        cost_forms.hours()


def main() -> None:
    """Draw the page."""
    header(t("Costs"), t("What was spent and is held, what the month may cost, and what things cost."))
    tabs = LazyTabs("costs_tab", [t("This month"), t("Ledger"), t("Prices"), t("Break-even")])
    with reading() as session, tabs:
        if tabs.label == t("This month"):
            month(session)
        elif tabs.label == t("Ledger"):
            ledger.table(session)
        elif tabs.label == t("Prices"):
            prices.table()
            prices.form()
        else:
            break_even.card()


main()
