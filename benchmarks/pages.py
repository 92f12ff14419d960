"""Script time of each page on the demo data, and the Overview's SQL on 10,000 articles.

Both through Streamlit's own test runner, so the pages are measured as they are.
"""

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, event
from streamlit.testing.v1 import AppTest

from benchmarks.local_model import synthetic
from benchmarks.row import Row
from benchmarks.volume import fill
from core import workflows
from core.bootstrap import App, build_app, set_app
from core.domain.types import JobStatus
from core.providers.base import TrainingSpec
from core.providers.local.provider import LocalTrainer
from core.settings import ROOT, Settings

PAGES = ("overview", "samples", "training", "models", "operations")
RUNS = 15


def rows(_shared: Path | None) -> Iterator[Row]:
    """Yield the figures."""
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    with _application() as app:
        _prepare(app)
        runner = _runner()
        for page in PAGES:
            yield Row(f"page_{page}", _median_ms(runner, page), f"ms, median of {RUNS}", "<= 250")
        idle = _median_ms(runner, "overview")
        with _training(app.settings.data_dir):
            busy = _median_ms(runner, "overview")
        yield Row("page_overview_while_training", busy / idle, "x", "<= 2", "the same page with no training")
    with _application() as app:
        fill(app.engine, articles=10_000)
        yield Row("overview_sql_10k_articles", _sql_ms(app.engine), f"ms, median of {RUNS}", "<= 20")


@contextmanager
def _application() -> Iterator[App]:
    with tempfile.TemporaryDirectory() as name:
        app = build_app(Settings(data_dir=Path(name)))
        set_app(app)
        yield app
        set_app(None)
        app.close()


@contextmanager
def _training(folder: Path) -> Iterator[None]:
    """Keep a local training of 4,000 long texts going in its child process."""
    trainer, work = LocalTrainer(), folder / "bench"
    work.mkdir()
    handle = trainer.start(TrainingSpec(tuple(synthetic(4000, 400))), work)
    try:
        yield
        if trainer.poll(handle, work).status != JobStatus.RUNNING:
            raise RuntimeError("the training ended before the page was measured: take more texts")
    finally:
        trainer.cancel(handle, work)


def _prepare(app: App) -> None:
    """Load the demo, train, evaluate and compare, so that every page has something to show."""
    workflows.load_demo(app)
    dataset_id = workflows.build_dataset(app)
    model_id = workflows.wait_for_training(
        app, workflows.start_training(app, workflows.Request(dataset_id, "local")).job_id
    )
    workflows.compare(app, 1, model_id, dataset_id)
    for model in (1, model_id):
        workflows.evaluate(app, model, dataset_id)


def _runner() -> AppTest:
    return AppTest.from_file(str(ROOT / "ui" / "router.py"), default_timeout=60).run()


def _median_ms(runner: AppTest, page: str) -> float:
    runner.switch_page(f"../pages/{page}.py").run()
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        runner.run()
        times.append((time.perf_counter() - started) * 1000)
    if runner.exception:
        raise RuntimeError(f"the page '{page}' raised: {runner.exception[0].value}")
    return median(times)


def _sql_ms(engine: Engine) -> float:
    """Return the milliseconds that the statements of one run of the Overview take, as a median."""
    spent: list[float] = []

    def begin(*arguments: Any) -> None:
        arguments[4].started = time.perf_counter()

    def end(*arguments: Any) -> None:
        spent.append((time.perf_counter() - arguments[4].started) * 1000)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    runner = _runner()
    totals = []
    for _ in range(RUNS):
        spent.clear()
        runner.run()
        totals.append(sum(spent))
    if runner.exception or not all(totals):
        raise RuntimeError("the Overview raised or asked the database nothing")
    return median(totals)
