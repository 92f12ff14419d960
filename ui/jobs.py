"""Training jobs on screen: live while one runs, a quiet history after."""

from datetime import timedelta

import pandas as pd
import streamlit as st

from core import workflows
from core.queries.training import JobCard, active_jobs, job_history, job_seconds
from ui import format as fmt
from ui import words
from ui.components import job_badge, perform
from ui.i18n import t
from ui.state import app, reading

#: Seconds between two looks at a running job.
LOOK_EVERY_S = 2.0


def live_jobs(*, detailed: bool) -> bool:
    """Draw the jobs that have not ended, refreshed while there are any; return whether there are."""
    with reading() as session:
        running = bool(active_jobs(session))
    if running:
        st.fragment(_live, run_every=LOOK_EVERY_S)(detailed=detailed)
    return running


def _live(*, detailed: bool) -> None:
    if app().scheduler_state()["role"] == "off":
        workflows.poll_training(app())
    with reading() as session:
        cards = active_jobs(session)
    if not cards:
        st.rerun()
    for card in cards:
        _running_card(card, detailed=detailed)


def _running_card(card: JobCard, *, detailed: bool) -> None:
    job = card.job
    seconds = job_seconds(job, app().now())
    estimate = job.config.get("estimate_s")
    with st.container(border=True):
        st.markdown(f"{job_badge(job.status)} **{_name(card)}**")
        elapsed = fmt.duration(None if seconds is None else timedelta(seconds=seconds))
        expected = fmt.duration(None if estimate is None else timedelta(seconds=estimate))
        st.progress(
            job.progress,
            text=t(
                "{step} · {elapsed} of about {expected}",
                step=fmt.plain(words.told(job.message)) or t("Waiting"),
                elapsed=elapsed,
                expected=expected,
            ),
        )
        if detailed:
            _events(card)
            if st.button(
                t("Cancel"), icon=":material/cancel:", key=f"cancel_{job.id}", disabled=job.cancel_requested
            ):
                perform(
                    lambda: workflows.cancel_training(app(), job.id),
                    working=t("Stopping the job …"),
                    done=t("The job is cancelled."),
                )


def _name(card: JobCard) -> str:
    return t(
        "Job {id} · {provider} · {target} {hash}",
        id=card.job.id,
        provider=fmt.plain(card.job.provider),
        target=fmt.word("target", card.target),
        hash=fmt.short_hash(card.dataset_sha256),
    )


def _events(card: JobCard) -> None:
    for event in card.events[-6:]:
        st.text(f"{fmt.seoul(event.at):%H:%M:%S}  {words.told(event.message)}")


def history() -> None:
    """Draw the jobs that have ended, and the story of the one chosen."""
    with reading() as session:
        cards = job_history(session)
    if not cards:
        st.caption(t("No job has ended yet."))
        return
    now = app().now()
    frame = pd.DataFrame(
        {
            t("Job"): [card.job.id for card in cards],
            t("State"): [fmt.word("job", card.job.status) for card in cards],
            t("Provider"): [card.job.provider for card in cards],
            t("Target"): [fmt.word("target", card.target) for card in cards],
            t("Dataset version"): [fmt.short_hash(card.dataset_sha256) for card in cards],
            t("Started"): [fmt.moment(card.job.started_at) for card in cards],
            t("Took"): [_took(card, now) for card in cards],
            t("Error"): [card.job.error or "" for card in cards],
        }
    )
    picked = st.dataframe(
        frame,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="job_history",
        placeholder=fmt.DASH,
        alt=t("Training jobs that have ended"),
    )
    for row in picked.selection.rows[:1]:
        with st.container(border=True):
            st.markdown(f"{job_badge(cards[row].job.status)} **{_name(cards[row])}**")
            settings = cards[row].job.config.get("hyperparameters") or {}
            st.text(
                t(
                    "Settings: {settings}",
                    settings=", ".join(f"{k} = {v}" for k, v in settings.items()) or fmt.DASH,
                )
            )
            _events(cards[row])


def _took(card: JobCard, now: object) -> str:
    seconds = job_seconds(card.job, now)
    return fmt.duration(None if seconds is None else timedelta(seconds=seconds))
