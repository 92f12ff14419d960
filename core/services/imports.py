"""The record of each import: when it began, how it ended, what became of each file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlmodel import Session

from core.domain.records import FileReport
from core.domain.types import RunStatus
from core.errors import NotFound
from core.models import ImportRun


def begin_run(session: Session, kind: str, name: str, *, runner: str = "", now: datetime) -> int:
    """Record that an import has begun and return its id; committed at once, so that it shows.

    Parameters
    ----------
    runner : str
        "host:pid" of the process at work.
    """
    run = ImportRun(kind=kind, name=name, runner=runner, started_at=now)
    session.add(run)
    session.commit()
    return int(run.id or 0)


def note_step(session: Session, run_id: int, step: str) -> None:
    """Record what a running import is doing, in a few words, and commit."""
    run = _run(session, run_id)
    run.step = step
    session.commit()


def finish_run(
    session: Session, run_id: int, *, counts: Mapping[str, Any], files: Sequence[FileReport], now: datetime
) -> None:
    """Record that an import succeeded, with its counts and the report of each file, and commit."""
    run = _run(session, run_id)
    run.status, run.finished_at = RunStatus.SUCCEEDED, now
    run.step, run.counts, run.files = "", dict(counts), [asdict(report) for report in files]
    session.commit()


def fail_run(
    session: Session, run_id: int, *, problem: str, files: Sequence[FileReport] = (), now: datetime
) -> None:
    """Record that an import was refused or broke off, and why, and commit."""
    run = _run(session, run_id)
    run.status, run.finished_at = RunStatus.FAILED, now
    run.step, run.files = problem, [asdict(report) for report in files]
    session.commit()


def _run(session: Session, run_id: int) -> ImportRun:
    run = session.get(ImportRun, run_id)
    if run is None:
        raise NotFound("import", run_id, "Look at the list of imports")
    return run
