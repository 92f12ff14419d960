"""Lost updates, lock errors, and the Overview's SQL."""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlmodel import select

from benchmarks.row import Row
from benchmarks.volume import fill
from core.db import migrate, open_engine, reading, writing
from core.domain.policy import Policy
from core.models import ImportRun
from core.queries.progress import progress

PROCESSES, THREADS, TRANSACTIONS = 2, 5, 1_000


def _count_up(url: str, results: Any) -> None:
    """Read a counter and write it back plus one, TRANSACTIONS times in each thread."""
    engine = open_engine(url)
    times: list[float] = []
    locked: list[str] = []

    def work() -> None:
        for _ in range(TRANSACTIONS):
            started = time.perf_counter()
            try:
                with writing(engine) as session:
                    row = session.exec(select(ImportRun)).one()
                    row.counts = {"count": row.counts["count"] + 1}
                    session.add(row)
                    session.commit()
            except OperationalError as error:
                locked.append(str(error))
            times.append(time.perf_counter() - started)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((times, len(locked)))
    engine.dispose()


def _concurrency(folder: Path) -> Iterator[Row]:
    url = f"sqlite:///{folder / 'counter.db'}"
    engine = open_engine(url)
    migrate(engine)
    with writing(engine) as session:
        session.add(ImportRun(kind="count", name="count", counts={"count": 0}, started_at=_moment()))
        session.commit()
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_count_up, args=(url, results)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    gathered = [results.get() for _ in processes]
    for process in processes:
        process.join()
    with reading(engine) as session:
        counted = session.exec(select(ImportRun)).one().counts["count"]
    engine.dispose()
    asked = PROCESSES * THREADS * TRANSACTIONS
    locked = sum(errors for _, errors in gathered)
    times = sorted(t for each, _ in gathered for t in each)
    yield Row("db_lost_updates", asked - locked - counted, f"of {asked:,} transactions", "<= 0")
    yield Row("db_lock_errors", locked, f"of {asked:,} transactions", "<= 0")
    yield Row("db_transaction_p95", times[int(len(times) * 0.95)] * 1000, "ms")


def _moment() -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415 - the one moment that this file needs

    return datetime(2026, 1, 1, tzinfo=UTC)


def _overview(folder: Path) -> Iterator[Row]:
    engine = open_engine(f"sqlite:///{folder / 'volume.db'}")
    migrate(engine)
    fill(engine, articles=10_000)
    times = []
    with reading(engine) as session:
        for _ in range(15):
            started = time.perf_counter()
            progress(session, Policy())
            times.append((time.perf_counter() - started) * 1000)
    engine.dispose()
    yield Row("overview_sql_10k_articles", sorted(times)[len(times) // 2], "ms, median of 15", "<= 20")


def rows(_shared: Path | None) -> Iterator[Row]:
    """Yield the database's figures."""
    with tempfile.TemporaryDirectory() as name:
        yield from _concurrency(Path(name))
        yield from _overview(Path(name))
