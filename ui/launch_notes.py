"""What stays on the launch desk between two runs: a joined run, a job that is repeated elsewhere."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import streamlit as st

from core.domain.types import ACTIVE_JOB_STATUSES
from core.queries.training import JobCard, job_cards
from core.workflows import ProviderState, Request, Started
from ui import format as fmt
from ui.components import job_badge
from ui.i18n import t
from ui.provider_cards import ordered, refuses, title
from ui.state import Session

_JOINED = "_joined_run"
_AGAIN = "_run_again"
_RETRY = "_retry_of"


def kept(started: Started, request: Request) -> Started:
    """Remember a run that was joined, with what was asked for; forget what a start has settled."""
    for key in (_JOINED, _AGAIN, _RETRY):
        st.session_state.pop(key, None)
    if started.joined:
        st.session_state[_JOINED] = (started.job_id, request)
    return started


def said(started: Started) -> str:
    """Return the message after a start."""
    if started.joined:
        return t("Joined job {id}: nothing new was started.", id=started.job_id)
    return t("Training has started.")


def lasting(seconds: float) -> str:
    """Return a duration in seconds in words."""
    return fmt.duration(timedelta(seconds=seconds))


def joined(session: Session) -> None:
    """Say that an equal run was joined, and offer to pay once more where that can be meant."""
    job_id, request = st.session_state.get(_JOINED, (None, None))
    cards = job_cards(session, [job_id]) if job_id is not None else []
    if not cards:
        return
    with st.container(border=True, key="joined_run"):
        st.markdown(f"{job_badge(cards[0].job.status)} {_sentence(cards[0])}")
        with st.container(horizontal=True):
            paid_for = cards[0].job.status not in ACTIVE_JOB_STATUSES
            if paid_for and st.button(
                t("Run again and pay again"), icon=":material/replay:", key="run_again"
            ):
                st.session_state[_AGAIN] = replace(request, again=True)
            st.button(t("All right"), key="joined_seen", on_click=forget)


def _sentence(card: JobCard) -> str:
    if card.job.status in ACTIVE_JOB_STATUSES:
        return t("An equal run is under way: joined job {id}. Nothing new was started.", id=card.job.id)
    return t(
        "An equal run was paid for already: joined job {id}, whose model is ready. Nothing was sent or billed.",
        id=card.job.id,
    )


def forget() -> None:
    """Take the note of a joined run away."""
    st.session_state.pop(_JOINED, None)
    st.session_state.pop(_AGAIN, None)


def again() -> Request | None:
    """Return the request that somebody wants to pay for once more, once."""
    return st.session_state.pop(_AGAIN, None)


def retried(dataset_id: int) -> int | None:
    """Return the job that a start on this dataset version would repeat, if it was asked for."""
    job_id, of_dataset = st.session_state.get(_RETRY, (None, None))
    return job_id if of_dataset == dataset_id else None


def retry() -> None:
    """Say which job is repeated elsewhere, with the way out."""
    job_id, _ = st.session_state.get(_RETRY, (None, None))
    if job_id is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="retry_note"):
        with st.container():
            st.markdown(
                t("Repeats job {id} on the same frozen dataset version, by another provider.", id=job_id)
            )
        st.button(t("Never mind"), key="retry_off", on_click=_no_retry)


def _no_retry() -> None:
    st.session_state.pop(_RETRY, None)


def repeat(card: JobCard, provider: str) -> None:
    """Fill the desk with a job's dataset version for another provider; a callback."""
    st.session_state[_RETRY] = (card.job.id, card.job.dataset_id)
    st.session_state["train_on"] = card.job.dataset_id
    st.session_state["train_provider"] = provider


def other_provider(present: str, states: Sequence[ProviderState]) -> None:
    """Draw the button that chooses the next provider of which nothing is known that forbids training."""
    others = [state for state in ordered(states) if state.card.name != present and may_train(state)]
    if others:
        state = others[0]
        st.button(
            t("Use another provider: {name}", name=fmt.plain(title(state))),
            icon=":material/swap_horiz:",
            key="use_another",
            on_click=_use,
            args=(state.card.name,),
        )


def may_train(state: ProviderState) -> bool:
    """Tell whether nothing is known that keeps a provider from training."""
    return state.trains and state.card.configured and not refuses(state)


def _use(name: str) -> None:
    st.session_state["train_provider"] = name
