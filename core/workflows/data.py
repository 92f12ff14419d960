"""Bringing data in, and keeping what follows from it up to date."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlmodel import Session

from core.bootstrap import App
from core.db import writing
from core.domain.records import FileReport, FileStatus, ParentImport
from core.domain.types import Sentiment
from core.errors import InputRejected, NewstuneError
from core.models import ImportRun
from core.services import demo, imports, ingest, labels, outcomes, quality
from core.sources.ai_news_trader import read_parent_folder
from core.sources.archive import read_file
from core.sources.market_csv import read_market
from core.sources.tabular import parse_mapping, read_labelled

Tell = Callable[[str], None]
#: What can be imported. ``auto`` tells a folder or zip (the parent's data) from a table (labels).
KINDS = ("auto", "ai-news-trader", "labelled", "market")


def refresh(app: App, tell: Tell = lambda _: None) -> dict[str, int]:
    """Bring outcomes, day scores and reasons up to date with what is stored; return what changed."""
    with writing(app.engine) as session:
        tell("Working out outcomes")
        changed = outcomes.refresh_outcomes(session, app.calendar, app.policy, now=app.now())
        outcomes.refresh_day_scores(session, app.policy, now=app.now())
        tell("Looking for duplicates and missing labels")
        return changed | quality.refresh_reasons(session, app.policy, now=app.now())


def import_path(
    app: App, path: Path, *, kind: str = "auto", mapping: str | None = None, tell: Tell = lambda _: None
) -> dict[str, Any]:
    """Import a folder, archive or table from this machine and return the counts and file reports."""
    run_id = begin_import(app, path.name, kind)
    chosen = parse_mapping(mapping) if mapping else None
    return run_import(app, run_id, path, path.name, kind, chosen, tell)


def start_import_parent(app: App, path: str) -> int:
    """Import a data folder in the background and return the id of its ImportRun, which shows progress."""
    return _start(app, Path(path), Path(path).name, "ai-news-trader", None)


def start_import_upload(
    app: App, name: str, data: bytes, mapping: Mapping[str, str] | None = None, kind: str = "auto"
) -> int:
    """Import an uploaded file in the background and return the id of its ImportRun."""
    return _start(app, data, name, kind, mapping)


def _start(
    app: App, source: Path | bytes, name: str, kind: str, mapping: Mapping[str, str] | None
) -> int:
    run_id = begin_import(app, name, kind)

    def work() -> None:
        with suppress(NewstuneError):  # the sentence stands in the ImportRun
            run_import(app, run_id, source, name, kind, mapping)

    app.background.submit(work)
    return run_id


def begin_import(app: App, name: str, kind: str) -> int:
    """Record that an import has begun, so that every page shows it, and return its id."""
    with writing(app.engine) as session:
        return imports.begin_run(session, kind, name, runner=app.runner, now=app.now())


def run_import(
    app: App,
    run_id: int,
    source: Path | bytes,
    name: str,
    kind: str,
    mapping: Mapping[str, str] | None,
    tell: Tell = lambda _: None,
) -> dict[str, Any]:
    """Read, store and follow up one import, keeping its ImportRun; return counts and file reports.

    Raises
    ------
    NewstuneError
        With the sentence that the ImportRun keeps too; nothing of the input was stored then.
    """

    def step(line: str) -> None:
        tell(line)
        with writing(app.engine) as session:
            imports.note_step(session, run_id, line)

    try:
        step("Reading")
        counts, files = _read_and_store(app, run_id, source, name, kind, mapping, step)
        refresh(app, step)
    except Exception as error:
        sentence = str(error) if isinstance(error, NewstuneError) else f"It broke off ({type(error).__name__})."
        with writing(app.engine) as session:
            imports.fail_run(session, run_id, problem=sentence, now=app.now())
        raise
    with writing(app.engine) as session:
        imports.finish_run(session, run_id, counts=counts, files=files, now=app.now())
        run = session.get_one(ImportRun, run_id)
        return {"import_id": run_id, "kind": run.kind} | run.counts | {"files": _noteworthy(run.files)}


def _read_and_store(
    app: App,
    run_id: int,
    source: Path | bytes,
    name: str,
    kind: str,
    mapping: Mapping[str, str] | None,
    step: Tell,
) -> tuple[dict[str, Any], Sequence[FileReport]]:
    kind = _settled_kind(source, name, kind)
    if kind == "ai-news-trader":
        parsed = read_parent_folder(source, name)
        _refuse_if_nothing_was_read(parsed)
        step("Storing")
        with writing(app.engine) as session:
            return ingest.store_parent(session, parsed, run_id=run_id, now=app.now()), parsed.files
    data = source if isinstance(source, bytes) else read_file(source, name)
    if kind == "market":
        market, report = read_market(name, data)
        with writing(app.engine) as session:
            return ingest.store_market(session, market, run_id=run_id, now=app.now()), [report]
    records, report = read_labelled(name, data, mapping)
    step("Storing")
    with writing(app.engine) as session:
        return ingest.store_labels(session, records, run_id=run_id, now=app.now()), [report]


def _settled_kind(source: Path | bytes, name: str, kind: str) -> str:
    if kind not in KINDS:
        raise InputRejected(name, f"the kind '{kind}' is unknown", f"Use one of: {', '.join(KINDS)}")
    if kind != "auto":
        return kind
    folder = isinstance(source, Path) and source.is_dir()
    return "ai-news-trader" if folder or name.lower().endswith(".zip") else "labelled"


def _refuse_if_nothing_was_read(parsed: ParentImport) -> None:
    rejected = [report for report in parsed.files if report.status == FileStatus.REJECTED]
    if rejected and not any(report.status == FileStatus.READ for report in parsed.files):
        problem = f"none of its files could be read; the first says: {rejected[0].problem}"
        raise InputRejected(rejected[0].file, problem.rstrip("."), "Check that this is the data folder")


def _noteworthy(files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the file reports that say more than "read": hundreds of market files need no line each."""
    return [report for report in files if report["notes"] or report["status"] != FileStatus.READ]


def backfill_market(app: App, name: str, data: bytes) -> dict[str, Any]:
    """Back-fill market closes or changes from an uploaded CSV and return the counts."""
    run_id = begin_import(app, name, "market")
    return run_import(app, run_id, data, name, "market", None)


# --- people ------------------------------------------------------------------------------------------


def label_article(app: App, article_id: int, sentiment: Sentiment, reviewer: str) -> None:
    """Store a person's label of an article."""
    _then_reasons(
        app, lambda s: labels.label_article(s, article_id, sentiment=sentiment, reviewer=reviewer, now=app.now())
    )


def exclude(app: App, article_id: int, why: str) -> None:
    """Take an article out of the samples by hand."""
    _then_reasons(app, lambda s: quality.exclude(s, article_id, why=why, now=app.now()))


def restore(app: App, article_id: int) -> None:
    """Take back an exclusion by hand."""
    _then_reasons(app, lambda s: quality.restore(s, article_id, now=app.now()))


def _then_reasons(app: App, change: Callable[[Session], object]) -> None:
    with writing(app.engine) as session:
        change(session)
        quality.refresh_reasons(session, app.policy, now=app.now())


# --- demo --------------------------------------------------------------------------------------------


def load_demo(app: App) -> dict[str, Any]:
    """Load the demo data into an empty database and return its counts."""
    with writing(app.engine) as session:
        counts = demo.load_demo(session, app.calendar, now=app.now())
    refresh(app)
    return counts


def remove_demo(app: App) -> dict[str, Any]:
    """Remove everything that came from the demo data and return what went."""
    with writing(app.engine) as session:
        counts = demo.remove_demo(session)
    refresh(app)
    return counts
