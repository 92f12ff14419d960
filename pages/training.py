"""Training: freeze a dataset version, export it, train on it here or at a provider, follow the job."""

import streamlit as st

from core import workflows
from core.queries.progress import progress
from ui import datasets, job_history, jobs, launch, prediction_runs, provider_cards, sweep
from ui.components import LazyTabs, empty, go_to, header, section
from ui.i18n import t
from ui.state import Session, app, reading


def desk(session: Session) -> None:
    """Draw the launch desk, what runs, who can train, what sweeps found and what has ended."""
    states = workflows.provider_states(app())
    launch.desk(session, states)
    if jobs.live_jobs(detailed=True):
        st.caption(t("This view follows the jobs by itself; you may leave the page."))
    prediction_runs.live()
    provider_cards.draw(session, states)
    sweep.results(session)
    section(t("History"))
    job_history.history(states)


def main() -> None:
    """Draw the page."""
    header(t("Training"), t("Freeze a dataset version, export it, train on it, follow the job."))
    tabs = LazyTabs("training_tab", [t("Dataset versions"), t("Jobs")])
    with reading() as session, tabs:
        if tabs.label == t("Jobs"):
            desk(session)
            return
        counters = progress(session, app().policy)["targets"]
        if not any(counters[target]["verified"] for target in counters):
            with empty(t("A dataset version needs verified samples, and there is none yet.")):
                go_to("samples", t("See why there is no sample yet"), key="why_none")
            return
        datasets.builder()
        datasets.versions(session)


main()
