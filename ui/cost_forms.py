"""What a person enters about money: the month's budget, and hours of hosting or of a GPU."""

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.types import CostPurpose
from core.queries import costs as queries
from ui import cost_words, money
from ui import format as fmt
from ui.components import perform, section
from ui.i18n import t
from ui.state import Session, app


def budget(session: Session) -> None:
    """Draw the form of the monthly cap and the warning line, and who set them before."""
    state = queries.standing(session, app().policy, simulated=False, now=app().now())
    section(
        t("Budget"),
        t(
            "At the cap nothing that costs money starts any more: trainings, answers and scheduled runs alike."
        ),
    )
    if state.is_default:
        st.caption(t("Nobody has set a budget: this is the default."))
    with st.form("budget", border=False):
        left, right = st.columns(2)
        cap = left.number_input(
            t("US dollars a month"),
            min_value=0.0,
            max_value=1_000_000.0,
            value=state.cap / money.MICRO,
            step=5.0,
            format="%.2f",
            key="budget_cap",
            help=t("0 stops all spending. The cap counts at once, also for play money."),
        )
        share = right.number_input(
            t("Warn from, in percent"),
            min_value=1,
            max_value=100,
            value=round(100 * state.warn_share),
            key="budget_warn",
        )
        if st.form_submit_button(t("Set the budget"), type="primary", icon=":material/savings:"):
            perform(
                lambda: workflows.set_budget(app(), f"{cap:.2f}", share / 100),
                working=t("Setting …"),
                done=t("The budget is set."),
            )
    _history(session)


def _history(session: Session) -> None:
    rows = queries.budget_history(session)
    if not rows:
        return
    with st.expander(t("Earlier budgets ({n})", n=len(rows)), icon=":material/history:"):
        frame = pd.DataFrame(
            {
                t("When"): [fmt.moment(row.at) for row in rows],
                t("Cap"): [money.dollars(row.monthly_micro_usd) for row in rows],
                t("Warns from"): [fmt.share(row.warn_share, 0) for row in rows],
                t("Who"): [row.actor for row in rows],
            }
        )
        st.dataframe(frame, hide_index=True, placeholder=fmt.DASH, alt=t("Earlier budgets"))


def hours() -> None:
    """Draw the form in which hours of hosting or of a GPU enter the ledger."""
    section(
        t("Hours of hosting or of a GPU"),
        t("Hours are billed outside this program, so a person enters them. A row of the ledger stays."),
    )
    purpose = st.segmented_control(
        t("What"),
        [CostPurpose.HOSTING, CostPurpose.GPU],
        default=CostPurpose.HOSTING,
        required=True,
        key="hours_purpose",
        format_func=cost_words.purpose,
    )
    provider, model, spent, usd = _rate(purpose)
    amount = round(spent * usd * money.MICRO)
    if st.button(
        t("Record {usd}", usd=money.written(amount)),
        icon=":material/add:",
        disabled=not amount or not provider.strip() or not model.strip(),
        key="hours_record",
    ):
        perform(
            lambda: workflows.record_hours(
                app(),
                purpose=purpose,
                provider=provider,
                model=model,
                hours=f"{spent:.4f}",
                usd_per_hour=f"{usd:.4f}",
            ),
            working=t("Recording …"),
            done=lambda micro_usd: t("{usd} are in the ledger.", usd=money.written(micro_usd)),
        )


def _rate(purpose: CostPurpose) -> tuple[str, str, float, float]:
    """Draw who asks for the hours, how many they are and what one costs."""
    with st.grid(2, min_column_width=140):
        provider = st.text_input(t("Provider"), max_chars=200, key="hours_provider", placeholder="azure")
        model = st.text_input(
            t("Model or machine"), max_chars=200, key="hours_model", placeholder=t("as you call it")
        )
        spent = st.number_input(
            t("Hours"), min_value=0.0, max_value=17_520.0, step=1.0, key="hours_spent", format="%.2f"
        )
        known = workflows.hourly_price(app(), purpose, provider.strip(), model.strip())
        usd = st.number_input(
            t("US dollars an hour"),
            min_value=0.0,
            max_value=100_000.0,
            value=float(known.usd) if known else 0.0,
            step=0.1,
            key=f"hours_usd_{known.usd if known else 0}",  # a new key takes the known price as its value
            format="%.4f",
        )
    if known:
        said = t("Known price, as of {day}: {source}", day=known.as_of, source=fmt.plain(known.source))
        st.caption(said if known.certain else t("{fact} (reported)", fact=said))
    return provider, model, spent, usd
