"""Operations: the engine room, what runs and what went wrong."""

import pandas as pd
import streamlit as st

from core import workflows
from core.queries import operations
from ui import format as fmt
from ui import words
from ui.components import empty, facts, go_to, header, perform, section
from ui.i18n import t
from ui.state import Session, app, reading


def scheduler(session: Session) -> None:
    """Draw the scheduler's role and each job with its last and next run."""
    state = app().scheduler_state()
    section(t("Scheduler"), t("One process leads; others stand by and take over when it ends."))
    colour = {"leader": "green", "standby": "blue"}.get(state["role"], "orange")
    since = t(" · since {at}", at=fmt.moment(state["since"])) if state["since"] else ""
    st.markdown(f":{colour}-badge[{fmt.word('role', state['role'])}]{since}")
    last = operations.last_runs(session)
    for name in words.JOBS:
        run, due = last.get(name), state["next_runs"].get(name)
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"job_{name}"):
            with st.container(gap=None):
                st.markdown(f"**{words.job(name)}**")
                st.caption(
                    t(
                        "last did something {last} · next {next}",
                        last=fmt.ago(run.finished_at or run.started_at, app().now()) if run else fmt.DASH,
                        next=fmt.moment(due),
                    )
                )
            if st.button(t("Run now"), icon=":material/play_arrow:", key=f"run_{name}"):
                perform(
                    lambda name=name: workflows.run_job_now(app(), name),
                    working=t("Running …"),
                    done=lambda said: fmt.plain(words.told(said)) or t("Nothing was due."),
                )


def runs(session: Session) -> None:
    """Draw the history of background jobs."""
    section(t("Job runs"), t("Runs that did something, and failures. A run with nothing due leaves no row."))
    found = operations.job_runs(session)
    if not found:
        st.caption(t("No background job has done anything yet."))
        return
    frame = pd.DataFrame(
        {
            t("Started"): [fmt.moment(run.started_at) for run in found],
            t("State"): [fmt.word("job", run.status) for run in found],
            t("What happened"): [words.told(run.message) for run in found],
            t("Job"): [words.job(run.job) for run in found],
            t("Where"): [run.runner for run in found],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        placeholder=fmt.DASH,
        alt=t("Job runs"),
        column_config={t("What happened"): st.column_config.TextColumn(width=260)},
    )


def database(session: Session) -> None:
    """Draw size, rows and the library's version, with a warning where it is affected by a known bug."""
    health = operations.database_health(session)
    section(t("Database"))
    if health.affected:
        st.warning(
            t(
                "SQLite {version} can corrupt a database in rare cases when several processes write (the "
                "WAL-reset bug). Use a version with the fix: 3.51.3, 3.50.7, 3.44.6 or later.",
                version=health.sqlite,
            ),
            icon=":material/warning:",
        )
    facts(
        [
            (t("File"), health.file),
            (t("Size"), fmt.size(health.n_bytes)),
            (t("SQLite"), health.sqlite),
            *((words.table(name), fmt.number(n)) for name, n in health.rows.items() if n),
        ]
    )


def sources(session: Session) -> None:
    """Draw market coverage and the files that imports rejected."""
    section(t("Market data"), t("Sources never overwrite each other; the best one counts."))
    coverage = operations.market_coverage(session)
    if coverage:
        frame = pd.DataFrame(
            {
                t("Instrument"): [name.upper() for name, *_ in coverage],
                t("Source"): [words.source(source) for _, source, *_ in coverage],
                t("Days"): [n for _, _, n, _, _ in coverage],
                t("From"): [str(first) for *_, first, _ in coverage],
                t("To"): [str(last) for *_, last in coverage],
            }
        )
        st.dataframe(frame, hide_index=True, placeholder=fmt.DASH, alt=t("Market data by instrument"))
    else:
        with empty(t("No market data: outcomes cannot be known without closes.")):
            go_to("samples", t("Back-fill market closes"), key="fill", samples_tab_next=t("Import"))
    section(t("Rejected files"))
    rejected = operations.rejected_files(session)
    if not rejected:
        st.caption(t("No file of the recent imports was rejected."))
        return
    frame = pd.DataFrame(
        {
            t("When"): [fmt.moment(at) for at, _ in rejected],
            t("File"): [file.get("file") for _, file in rejected],
            t("Problem"): [file.get("problem") for _, file in rejected],
        }
    )
    st.dataframe(frame, hide_index=True, placeholder=fmt.DASH, alt=t("Rejected files"))


def interface() -> None:
    """Draw the prediction API's state; a token is said to exist, never shown."""
    section(t("Prediction API"))
    settings = app().settings
    token = settings.api_token is not None
    facts(
        [
            (t("Address"), "POST /api/predict"),
            (t("Bearer token"), t("set") if token else t("not set: only this machine is answered")),
            (t("Providers"), ", ".join(app().providers)),
            (t("Version"), words.version()),
        ]
    )


def main() -> None:
    """Draw the page."""
    header(t("Operations"), t("Is everything running, and what went wrong?"))
    with reading() as session:
        left, right = st.columns([3, 2], gap="large")
        with left:
            scheduler(session)
            runs(session)
            sources(session)
        with right:
            database(session)
            interface()


main()
