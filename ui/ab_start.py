"""The start of a live experiment on screen: free at once, paid after a question that names the price."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from core import workflows
from core.queries import costs
from core.queries.models import RegistryRow
from core.workflows.experiments import Plan, Wish
from ui import format as fmt
from ui import money
from ui.components import attempt, confirm, go_to, simulated_badge
from ui.endings import by_provider
from ui.i18n import t
from ui.provider_cards import destination
from ui.state import Session, app, flash


def start(session: Session, plan: Plan, rows: Sequence[RegistryRow]) -> None:
    """Draw the button that begins, after a question where it costs money."""
    pays = plan.must_agree
    if plan.prices and not pays:
        pays = st.checkbox(
            t("Also ask the champion about articles that come in by import (paid)"), key="live_pay_champion"
        )
    reason = st.text_input(
        t("Why (optional)"), max_chars=300, key="live_reason", placeholder=t("what you want to find out")
    )
    standing = costs.standing(session, app().policy, simulated=plan.simulated, now=app().now())
    blocked = pays and not standing.may_spend(plan.budget_micro_usd)
    if blocked:
        st.error(
            t(
                "This may cost {high}: more than is left of the month's budget.",
                high=money.written(plan.budget_micro_usd),
            ),
            icon=":material/block:",
        )
        go_to("costs", t("Open the Costs page"), key="live_costs")
    label = t("Start, up to {usd}", usd=money.written(plan.budget_micro_usd)) if pays else t("Start, free")
    pressed = st.button(
        label, type="primary", icon=":material/experiment:", key="live_start", disabled=blocked
    )
    if not pressed:
        return
    wish = replace(plan.wish, reason=reason)
    if not pays:
        _begin(wish, None)
        st.rerun()
    confirm(
        t("Start a paid experiment?"),
        partial(_terms, plan, rows, money.left(standing, simulated=plan.simulated)),
        label,
        partial(_begin, wish, plan.budget_micro_usd),
        key="experiment",
    )


def _terms(plan: Plan, rows: Sequence[RegistryRow], left: str) -> None:
    """Draw what a person should know before the first paid question."""
    if plan.simulated:
        st.markdown(f"{simulated_badge()} {t('Play money, and answers that say nothing about real models.')}")
    for price in plan.prices:
        name = plan.challenger if price.side == "challenger" else plan.champion
        st.markdown(
            t(
                "**{name}**: {price} per 1,000 articles, up to {high} for {n} articles.",
                name=fmt.plain(name),
                price=money.written(price.per_1000_micro_usd),
                high=money.written(price.high_micro_usd),
                n=fmt.number(price.questions),
            )
        )
    most = t("At most {usd} in all", usd=money.written(plan.budget_micro_usd))
    st.markdown(f"**{most}** · {left}")
    states = by_provider(workflows.provider_states(app()))
    model = next((row.model for row in rows if row.model.id == plan.challenger_id), None)
    if model is not None and model.provider in states:
        place = destination(states[model.provider])
        st.markdown(f":material/share_location: {t('News goes to: {place}', place=place)}")
    st.caption(
        t(
            "Each question is held against the budget before it is sent and sent once. When the amount is used up, the "
            "experiment ends by itself."
        )
    )


def _begin(wish: Wish, accept: int | None) -> None:
    """Begin what was agreed to; a callback."""
    started = attempt(lambda: workflows.start_experiment(app(), wish, accept_micro_usd=accept))
    if started is not None:
        flash(t("The experiment runs."))
