"""Bringing data in, and keeping what follows from it up to date."""

import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.bootstrap import App
from core.db import writing
from core.domain.records import FileReport, FileStatus, ParentImport
from core.domain.types import Sentiment
from core.errors import InputRejected, NewstuneError
from core.services import demo, imports, ingest, labels, outcomes, quality, training
from core.sources.ai_news_trader import read_parent_folder
from core.sources.archive import read_file
from core.sources.demo import generate
from core.sources.market_csv import read_market
from core.sources.tabular import Preview, parse_mapping, preview, read_labelled

log = logging.getLogger(__name__)
Tell = Callable[[str], None]
#: What can be imported. ``auto`` tells a folder or zip (the parent's data) from a table (labels).
KINDS = ("auto", "ai-news-trader", "labelled", "market")


def refresh(app: App, tell: Tell = lambda _: None) -> dict[str, int]:
    """Bring outcomes, day scores and reasons up to date with what is stored; return what changed."""
    with writing(app.engine) as session:
        tell("Working out outcomes")
        changed = outcomes.refresh_outcomes(session, app.calendar, app.policy, now=app.now())
        outcomes.refresh_day_scores(session, app.calendar, app.policy, now=app.now())
        tell("Looking for duplicates and missing labels")
        return changed | quality.refresh_reasons(session, app.policy, now=app.now())


@dataclass(frozen=True)
class Parcel:
    """Something handed over for import.

    Parameters
    ----------
    source : Path or bytes
        A folder or file of this machine, or an uploaded file's bytes.
    name : str
        How reports and messages call it.
    kind : str
        One of KINDS.
    mapping : mapping of str to str, optional
        Field -> column of a labelled table; None takes the usual column names.
    """

    source: Path | bytes
    name: str
    kind: str = "auto"
    mapping: Mapping[str, str] | None = None

    @property
    def settled_kind(self) -> str:
        """The kind with ``auto`` decided: folders and zips are the parent's, anything else a table."""
        if self.kind not in KINDS:
            raise InputRejected(
                self.name, f"the kind '{self.kind}' is unknown", f"Use one of: {', '.join(KINDS)}"
            )
        if self.kind != "auto":
            return self.kind
        folder = isinstance(self.source, Path) and self.source.is_dir()
        return "ai-news-trader" if folder or self.name.lower().endswith(".zip") else "labelled"

    def read(self) -> bytes:
        """Return the bytes of a single file."""
        return self.source if isinstance(self.source, bytes) else read_file(self.source, self.name)


def import_path(
    app: App, path: Path, *, kind: str = "auto", mapping: str | None = None, tell: Tell = lambda _: None
) -> dict[str, Any]:
    """Import a folder, archive or table of this machine and return the counts and file reports."""
    name = os.fsencode(path.name or str(path)).decode("utf-8", "replace")
    parcel = Parcel(path, name, kind, parse_mapping(mapping) if mapping is not None else None)
    return run_import(app, begin_import(app, parcel), parcel, tell)


def start_import_parent(app: App, path: str) -> int:
    """Import a data folder in the background and return the id of its ImportRun, which shows progress."""
    if not path.strip():
        raise InputRejected("the folder", "no path is given", "Type the path of AI News Trader's data folder")
    try:
        folder = Path(path.strip()).expanduser()
    except RuntimeError as error:
        raise InputRejected(path, "there is no such home folder", "Type the whole path") from error
    return _start(app, Parcel(folder, folder.name or str(folder), "ai-news-trader"))


def start_import_upload(
    app: App, name: str, data: bytes, mapping: Mapping[str, str] | None = None, kind: str = "auto"
) -> int:
    """Import an uploaded file in the background and return the id of its ImportRun."""
    return _start(app, Parcel(data, name, kind, mapping))


def backfill_market(app: App, name: str, data: bytes) -> dict[str, Any]:
    """Back-fill market closes or changes from an uploaded CSV and return the counts."""
    parcel = Parcel(data, name, "market")
    return run_import(app, begin_import(app, parcel), parcel)


def preview_table(name: str, data: bytes) -> Preview:
    """Return the head of a labelled table with a guessed mapping, for a person to confirm."""
    return preview(name, data)


def _start(app: App, parcel: Parcel) -> int:
    run_id = begin_import(app, parcel)

    def work() -> None:
        with suppress(NewstuneError):  # the sentence stands in the ImportRun
            run_import(app, run_id, parcel)

    app.background.submit(work)
    return run_id


def begin_import(app: App, parcel: Parcel) -> int:
    """Record that an import has begun, so that every page shows it, and return its id."""
    with writing(app.engine) as session:
        return imports.begin_run(session, parcel.settled_kind, parcel.name, runner=app.runner, now=app.now())


def run_import(app: App, run_id: int, parcel: Parcel, tell: Tell = lambda _: None) -> dict[str, Any]:
    """Read, store and follow up one import, keeping its ImportRun; return counts and file reports.

    Raises
    ------
    NewstuneError
        With the sentence that the ImportRun keeps too. Storing is one transaction: nothing of the input
        is there, or all of it. In either case importing it again stores nothing twice.
    """

    def step(line: str) -> None:
        tell(line)
        with writing(app.engine) as session:
            imports.note_step(session, run_id, line)

    try:
        step("Reading")
        counts, files = _read_and_store(app, run_id, parcel, step)
        refresh(app, step)
    except BaseException as error:
        sentence = str(error)
        if not isinstance(error, NewstuneError):
            log.exception("the import of '%s' broke off", parcel.name)
            sentence = f"It broke off ({type(error).__name__}). Import it again: nothing is stored twice."
        with writing(app.engine) as session:
            imports.fail_run(session, run_id, problem=sentence, now=app.now())
        raise
    with writing(app.engine) as session:
        imports.finish_run(session, run_id, counts=counts, files=files, now=app.now())
    return {"import_id": run_id, "kind": parcel.settled_kind, **counts, "files": _noteworthy(files)}


def _read_and_store(
    app: App, run_id: int, parcel: Parcel, step: Tell
) -> tuple[dict[str, Any], Sequence[FileReport]]:
    kind = parcel.settled_kind
    if kind == "ai-news-trader":
        parsed = read_parent_folder(parcel.source, parcel.name, on_progress=_every_fifty(step))
        _refuse_if_nothing_was_read(parsed)
        step("Storing")
        with writing(app.engine) as session:
            return ingest.store_parent(session, parsed, run_id=run_id, now=app.now()), parsed.files
    if kind == "market":
        market, report = read_market(parcel.name, parcel.read())
        step("Storing")
        with writing(app.engine) as session:
            return ingest.store_market(session, market, run_id=run_id, now=app.now()), [report]
    records, report = read_labelled(parcel.name, parcel.read(), parcel.mapping)
    step("Storing")
    with writing(app.engine) as session:
        counts = ingest.store_labels(session, records, run_id=run_id, reviewer=parcel.name, now=app.now())
        return counts, [report]


def _every_fifty(step: Tell) -> Callable[[int, int], None]:
    def tell(done: int, files: int) -> None:
        if done % 50 == 0:
            step(f"Reading {done} of {files} files")

    return tell


def _refuse_if_nothing_was_read(parsed: ParentImport) -> None:
    rejected = [report for report in parsed.files if report.status == FileStatus.REJECTED]
    if rejected and not any(report.status == FileStatus.READ for report in parsed.files):
        problem = f"none of its files could be read; the first says: {rejected[0].problem}"
        raise InputRejected(rejected[0].file, problem.rstrip("."), "Check that this is the data folder")


def _noteworthy(files: Sequence[FileReport]) -> list[dict[str, Any]]:
    """Return the file reports that say more than "read": hundreds of market files need no line each."""
    return [asdict(report) for report in files if report.notes or report.status != FileStatus.READ]


# --- people ------------------------------------------------------------------------------------------


def label_article(app: App, article_id: int, sentiment: Sentiment, reviewer: str) -> None:
    """Store a person's label of an article and judge anew."""
    with writing(app.engine) as session:
        labels.label_article(session, article_id, sentiment=sentiment, reviewer=reviewer, now=app.now())
        quality.refresh_reasons(session, app.policy, now=app.now())


def exclude(app: App, article_id: int, why: str) -> None:
    """Take an article out of the samples by hand."""
    with writing(app.engine) as session:
        quality.exclude(session, article_id, why=why, now=app.now())


def restore(app: App, article_id: int) -> None:
    """Take back an exclusion by hand."""
    with writing(app.engine) as session:
        quality.restore(session, article_id, now=app.now())


# --- demo --------------------------------------------------------------------------------------------


def load_demo(app: App) -> dict[str, int]:
    """Load the demo data into an empty database and return how many rows of each kind went in."""
    data = generate(app.calendar, now=app.now())
    with writing(app.engine) as session:
        counts = demo.load_demo(session, data, now=app.now())
    refresh(app)
    return counts


def remove_demo(app: App) -> dict[str, int]:
    """Remove everything that came from the demo data, files included, and return the rows that went."""
    with writing(app.engine) as session:
        leftovers = demo.demo_leftovers(session)
        counts = demo.remove_demo(session)
    for name in leftovers.artefacts:
        (app.settings.artefact_dir / name).unlink(missing_ok=True)
    for job_id in leftovers.job_ids:
        shutil.rmtree(training.job_folder(app.settings.job_dir, job_id), ignore_errors=True)
    refresh(app)
    return counts
