"""Training jobs that have ended: a list, one of them in full with its frozen configuration, and repeating it."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from core.domain.types import JobStatus
from core.queries.training import JobCard, job_history, job_seconds
from core.workflows import ProviderState
from ui import format as fmt
from ui import job_parts, launch_notes, money
from ui.components import facts, go_to
from ui.i18n import t
from ui.provider_cards import ordered, title
from ui.state import app, reading

_WENT_WRONG = (JobStatus.FAILED, JobStatus.BLOCKED)


def history(states: Sequence[ProviderState]) -> None:
    """Draw the jobs that have ended, and the one chosen in full."""
    with reading() as session:
        cards = job_history(session)
    if not cards:
        st.caption(t("No job has ended yet."))
        return
    now = app().now()
    picked = st.dataframe(
        pd.DataFrame([_line(card, now) for card in cards]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="job_history",
        placeholder=fmt.DASH,
        alt=t("Training jobs that have ended"),
        column_config={
            t("Held"): st.column_config.TextColumn(
                help=t("Upper end of the estimate, held against the budget.")
            ),
            t("Billed"): st.column_config.TextColumn(
                help=t(
                    "Tokens that the vendor counted times the price of that day; a dash where nothing was billed."
                )
            ),
        },
    )
    chosen = [cards[row] for row in picked.selection.rows[:1] if row < len(cards)]
    if not chosen and cards[0].job.status in _WENT_WRONG:  # whoever started it should not have to look for it
        chosen = cards[:1]
    if not chosen:
        st.caption(t("Choose a row to see its frozen configuration and its story."))
    for card in chosen:
        with st.container(border=True, key="job_in_full"):
            _in_full(card, states)


def _line(card: JobCard, now: datetime) -> dict[str, object]:
    job = card.job
    return {
        t("Job"): job.id,
        t("State"): fmt.word("job", job.status) + (f" · {t('SIMULATED')}" if job.simulated else ""),
        t("Provider"): job.provider,
        t("Base model"): job.base_model or fmt.DASH,
        t("Target"): fmt.word("target", card.target),
        t("Dataset version"): fmt.short_hash(card.dataset_sha256),
        t("Held"): money.dollars(card.money.reserved),
        t("Billed"): money.dollars(card.money.actual),
        t("Started"): fmt.moment(job.started_at),
        t("Took"): job_parts.seconds(job_seconds(job, now)),
        t("Error"): job.error or "",
    }


def _in_full(card: JobCard, states: Sequence[ProviderState]) -> None:
    st.markdown(job_parts.title(card))
    if card.job.error:
        st.error(fmt.plain(card.job.error), icon=":material/error:")
    spent = job_parts.cost(card.money)
    if spent:
        st.caption(f":material/payments: {spent}")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        facts(job_parts.config(card))
    with right:
        job_parts.curve(card)
        job_parts.events(card, shown=12)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _retry(card, states)
        if card.model_id is not None:
            go_to("models", t("Open its model"), key="open_model", models_target_next=card.target)


def _retry(card: JobCard, states: Sequence[ProviderState]) -> None:
    others = [s for s in ordered(states) if s.card.name != card.job.provider and launch_notes.may_train(s)]
    if not others:
        st.caption(t("There is no other provider to repeat it with."))
        return
    titles = {state.card.name: title(state) for state in others}
    name = st.selectbox(
        t("Repeat on the same dataset version with"),
        list(titles),
        key=f"retry_with_{card.job.id}",
        format_func=titles.__getitem__,
        placeholder=fmt.DASH,
        width=320,
    )
    st.button(
        t("Retry elsewhere"),
        icon=":material/replay:",
        key="retry_elsewhere",
        on_click=launch_notes.repeat,
        args=(card, name),
        help=t("Fills in the form above; nothing is started yet."),
    )
