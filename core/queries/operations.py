"""The engine room: background jobs, the database, data sources and what went wrong while importing."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, inspect
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, desc, select

from core.db import sqlite_is_affected, sqlite_version
from core.models import Base, ImportRun, JobRun, MarketDay


@dataclass(frozen=True)
class Health:
    """State of the database.

    Parameters
    ----------
    file : str
        File name, without its folder.
    n_bytes : int or None
        Size with the write-ahead log; None for a database in memory.
    rows : dict of str to int
        Rows by table, largest first.
    sqlite : str
        Version of the SQLite library.
    affected : bool
        That version has the WAL-reset bug.
    """

    file: str
    n_bytes: int | None
    rows: dict[str, int]
    sqlite: str
    affected: bool


def job_runs(session: Session, *, job: str | None = None, limit: int = 50) -> list[JobRun]:
    """Return the newest runs of the background jobs."""
    query = select(JobRun).order_by(desc(JobRun.id)).limit(limit)
    return list(session.exec(query.where(JobRun.job == job) if job else query))


def last_runs(session: Session) -> dict[str, JobRun]:
    """Return the newest run of each background job."""
    newest = select(func.max(JobRun.id)).group_by(col(JobRun.job))
    return {run.job: run for run in session.exec(select(JobRun).where(col(JobRun.id).in_(newest)))}


def database_health(session: Session) -> Health:
    """Return size, rows and library version of the database."""
    bind = session.get_bind()
    path = Path(str(bind.engine.url.database or ""))
    files = [path, path.with_name(f"{path.name}-wal")]
    sizes = [file.stat().st_size for file in files if file.is_file()]
    tables = [
        Base.metadata.tables[name]
        for name in inspect(session.connection()).get_table_names()
        if name in Base.metadata.tables
    ]
    counts = {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}
    version = sqlite_version()
    return Health(
        file=path.name,
        n_bytes=sum(sizes) if sizes else None,
        rows=dict(sorted(counts.items(), key=lambda item: -item[1])),
        sqlite=".".join(str(part) for part in version),
        affected=sqlite_is_affected(version),
    )


def market_coverage(session: Session) -> list[tuple[str, str, int, date, date]]:
    """Return what market data there is: instrument, source, days, first and last day."""
    days = col(MarketDay.day)
    series = (col(MarketDay.instrument), col(MarketDay.source))
    query = select_columns(*series, func.count(), func.min(days), func.max(days)).group_by(*series)
    return [(name, source, n, first, last) for name, source, n, first, last in session.execute(query)]


def rejected_files(session: Session, limit: int = 20) -> list[tuple[datetime, dict[str, Any]]]:
    """Return the files that recent imports rejected, newest first, each with its import's time."""
    runs = session.exec(select(ImportRun).order_by(desc(ImportRun.id)).limit(limit))
    return [(run.started_at, file) for run in runs for file in run.files if file.get("status") == "rejected"]
