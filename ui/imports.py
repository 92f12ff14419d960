"""Bringing data in: a folder, an upload with its columns confirmed, market closes; and how it went."""

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.types import RunStatus
from core.errors import NewstuneError
from core.queries import articles
from core.queries.articles import ImportRun
from ui import format as fmt
from ui import words
from ui.components import job_badge, perform, section, sorry
from ui.i18n import mark, t, tn
from ui.state import Session, app, flash, reading

FIELDS = {
    "title": mark("Title"),
    "label": mark("Label"),
    "body": mark("Body"),
    "published_at": mark("Published"),
    "url": mark("Address (URL)"),
    "source": mark("Publisher"),
    "family": mark("Family"),
    "predicted": mark("Predicted class"),
    "confidence": mark("Confidence"),
    "model": mark("Model name"),
    "reviewer": mark("Reviewer"),
}
REQUIRED = ("title", "label")
TABLE_ENDINGS = ("csv", "jsonl", "ndjson")
#: Seconds between two looks at a running import.
LOOK_EVERY_S = 1.0


def bring_in(session: Session) -> None:
    """Draw the three ways in and the history of imports."""
    first, second, third = st.columns(3, gap="medium")
    with first.container(border=True, height="stretch"):
        _folder()
    with second.container(border=True, height="stretch"):
        _upload()
    with third.container(border=True, height="stretch"):
        _market()
    _history(session)


def _folder() -> None:
    section(t("AI News Trader folder"))
    st.caption(
        t("The parent app's data folder on this machine, or a zip of it. Importing twice adds nothing.")
    )
    path = st.text_input(
        t("Path"), key="folder_path", placeholder=t("folder or .zip on this machine"), live=True
    ).strip()
    if st.button(
        t("Import the folder"),
        type="primary",
        icon=":material/folder_open:",
        key="import_folder",
        disabled=not path,
        help=None if path else t("Type a path first."),
    ):
        perform(
            lambda: workflows.start_import_parent(app(), path),
            working=t("Starting the import …"),
            done=t("The import runs; its report appears below."),
        )


def _upload() -> None:
    section(t("Upload"))
    st.caption(t("A zip of the folder, or a labelled table: CSV or JSONL, UTF-8 or CP949, up to 20 MB."))
    file = st.file_uploader(
        t("File"),
        type=["zip", *TABLE_ENDINGS],
        key="upload",
        label_visibility="collapsed",
        max_upload_size=20,
    )
    if file is None:
        return
    mapping = _columns(file.name, file.getvalue()) if file.name.lower().endswith(TABLE_ENDINGS) else {}
    if mapping is None:
        return
    if st.button(t("Import the file"), type="primary", icon=":material/upload:", key="import_upload"):
        kind = "labelled" if mapping else "auto"
        perform(
            lambda: workflows.start_import_upload(app(), file.name, file.getvalue(), mapping or None, kind),
            working=t("Starting the import …"),
            done=t("The import runs; its report appears below."),
        )


def _columns(name: str, data: bytes) -> dict[str, str] | None:
    """Let the reader confirm which column is which; None while a required one is missing."""
    try:
        head = workflows.preview_table(name, data)
    except NewstuneError as error:
        sorry(error)
        return None
    rows = pd.DataFrame(list(head.rows), columns=list(head.columns))
    st.caption(t("First rows, read as {encoding}:", encoding=head.encoding))
    st.dataframe(rows, hide_index=True, height=180, alt=t("First rows of the table"))
    mapping = {}
    with st.expander(t("Which column is which"), expanded=not set(REQUIRED) <= set(head.mapping)):
        for field, word in FIELDS.items():
            guess = head.mapping.get(field)
            column = st.selectbox(
                t(word) + (" *" if field in REQUIRED else ""),
                head.columns,
                index=head.columns.index(guess) if guess in head.columns else None,
                key=f"column_{field}",
                placeholder=t("not in this table"),
            )
            if column is not None:
                mapping[field] = column
    missing = [t(FIELDS[field]) for field in REQUIRED if field not in mapping]
    if missing:
        st.warning(t("Choose a column for: {fields}", fields=", ".join(missing)), icon=":material/rule:")
        return None
    return mapping


def _market() -> None:
    section(t("Market closes"))
    st.caption(
        t(
            "CSV with date, instrument, close; or percent changes with date, btc, eth, kospi, kosdaq. Earlier values are kept."
        )
    )
    file = st.file_uploader(
        t("File"), type=["csv"], key="market", label_visibility="collapsed", max_upload_size=20
    )
    if file is not None and st.button(
        t("Back-fill and recompute outcomes"),
        type="primary",
        icon=":material/candlestick_chart:",
        key="backfill",
    ):
        perform(
            lambda: workflows.backfill_market(app(), file.name, file.getvalue()),
            working=t("Reading closes, recomputing outcomes …"),
            done=_told,
        )


def _told(counts: dict[str, object]) -> str:
    return t("Market data stored: {counts}", counts=words.counts(counts) or t("nothing new"))


def _history(session: Session) -> None:
    section(t("Imports"), t("Newest first, with the report of each file."))
    runs = articles.imports(session)
    if not runs:
        st.caption(t("Nothing was imported yet."))
        return
    if any(run.status == RunStatus.RUNNING for run in runs):
        st.fragment(_running, run_every=LOOK_EVERY_S)()
    for run in runs:
        if run.status != RunStatus.RUNNING:
            _report(run)


def _running() -> None:
    with reading() as session:
        running = [run for run in articles.imports(session) if run.status == RunStatus.RUNNING]
    if not running:
        flash(t("The import has ended."))
        st.rerun()
    for run in running:
        with st.container(border=True):
            st.markdown(f"{job_badge(run.status)} **{fmt.plain(run.name)}**")
            # how much is left is not known, so no bar: a spinner beside the step
            st.status(fmt.plain(words.told(run.step or "Reading")))


def _report(run: ImportRun) -> None:
    rejected = [file for file in run.files if file.get("status") == "rejected"]
    failed = run.status == RunStatus.FAILED
    icon = ":material/error:" if failed else ":material/warning:" if rejected else ":material/check_circle:"
    title = f"{fmt.plain(run.name)} · {fmt.word('origin', run.kind)} · {fmt.moment(run.started_at)}"
    with st.expander(title, icon=icon, key=f"import_{run.id}"):
        if failed and run.step:
            st.text(run.step)
        st.caption(words.counts(run.counts) or t("nothing new"))
        st.caption(
            tn("{n} file", "{n} files", len(run.files))
            + (" · " + tn("{n} rejected", "{n} rejected", len(rejected)) if rejected else "")
        )
        frame = pd.DataFrame(
            [
                {
                    t("File"): file.get("file"),
                    t("State"): fmt.word("file", file.get("status")),
                    t("Rows"): file.get("rows"),
                    t("Notes"): "; ".join(filter(None, [file.get("problem"), *file.get("notes", [])])),
                }
                for file in sorted(run.files, key=_interesting)
            ]
        )
        if not frame.empty:
            st.dataframe(
                frame, hide_index=True, height="auto", placeholder=fmt.DASH, alt=t("Report of each file")
            )


def _interesting(file: dict) -> tuple[int, str]:
    """Order a report so that rejected files come first, then those with notes."""
    rank = 0 if file.get("status") == "rejected" else 1 if file.get("notes") else 2
    return rank, str(file.get("file"))
