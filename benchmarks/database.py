"""Lost updates and lock errors of two processes of five threads."""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlmodel import select

from benchmarks.row import Row
from core.db import migrate, open_engine, reading, writing
from core.errors import Refused
from core.models import ImportRun

START = datetime(2026, 1, 1, tzinfo=UTC)
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
            except Refused as error:
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
        session.add(ImportRun(kind="count", name="count", counts={"count": 0}, started_at=START))
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


def rows(_shared: Path | None) -> Iterator[Row]:
    """Yield the figures."""
    with tempfile.TemporaryDirectory() as name:
        yield from _concurrency(Path(name))
