"""Training jobs while they run: step, story, losses, money, cancel, and the question about a lost start."""

import streamlit as st

from core import workflows
from core.domain.types import JobStatus
from core.queries.training import JobCard, active_jobs, job_seconds
from ui import format as fmt
from ui import job_parts, words
from ui.components import attempt
from ui.i18n import t
from ui.state import app, flash, reading

#: Seconds between two looks at a running job.
LOOK_EVERY_S = 2.0


def live_jobs(*, detailed: bool) -> bool:
    """Draw the jobs that have not ended, refreshed while there are any; return whether there are."""
    running = bool(_cards(detailed=detailed))
    if running:
        st.fragment(_live, run_every=LOOK_EVERY_S)(detailed=detailed)
    return running


def _cards(*, detailed: bool) -> list[JobCard]:
    """Return the jobs that have not ended; where there is little room, not those an alert speaks of."""
    with reading() as session:
        cards = active_jobs(session)
    return [card for card in cards if detailed or card.job.status != JobStatus.UNKNOWN]


def _live(*, detailed: bool) -> None:
    if app().scheduler_state()["role"] == "off":
        workflows.poll_training(app())
    cards = _cards(detailed=detailed)
    if not cards:
        st.rerun()
    for card in cards:
        with st.container(border=True):
            _running(card, detailed=detailed)


def _running(card: JobCard, *, detailed: bool) -> None:
    job = card.job
    st.markdown(job_parts.title(card))
    if job.status == JobStatus.UNKNOWN:
        job_parts.unknown(card)
    else:
        st.progress(job.progress, text=_step(card))
    notes = [job_parts.cost(card.money)]
    if job.checked_at is not None and job.status != JobStatus.SUBMITTING:
        notes.append(t("last checked {ago}", ago=fmt.ago(job.checked_at, app().now())))
    if any(notes):
        st.caption(
            " · ".join(note for note in notes if note),
            help=t("Held until the bill is known; what is not used is given back."),
        )
    if job.error and job.status != JobStatus.UNKNOWN:  # the vendor cannot be reached now; the job goes on
        st.caption(f":material/cloud_off: {fmt.plain(job.error)}")
    if detailed:
        _details(card)


def _step(card: JobCard) -> str:
    return t(
        "{step} · {elapsed} of about {expected}",
        step=fmt.plain(words.told(card.job.message)) or t("Waiting"),
        elapsed=job_parts.seconds(job_seconds(card.job, app().now())),
        expected=job_parts.seconds(card.job.config.get("estimate_s")),
    )


def _details(card: JobCard) -> None:
    job = card.job
    left, right = st.columns([3, 2], gap="medium")
    with left:
        job_parts.curve(card)
    with right:
        job_parts.events(card)
    if job.status == JobStatus.UNKNOWN:
        return
    stopping = job.cancel_requested
    st.button(
        t("Stopping …") if stopping else t("Cancel"),
        icon=":material/cancel:",
        key=f"cancel_{job.id}",
        disabled=stopping,
        on_click=_cancel,
        args=(job.id,),
        help=t("What a paid vendor has trained until then may be billed.") if card.money.reserved else None,
    )


def _cancel(job_id: int) -> None:
    if attempt(lambda: [workflows.cancel_training(app(), job_id)]) is not None:
        flash(t("Job {id}: its cancellation is asked for.", id=job_id))
