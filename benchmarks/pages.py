"""Script time of each page on the demo data, through Streamlit's own test runner."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from streamlit.testing.v1 import AppTest

from benchmarks.row import Row
from core import workflows
from core.bootstrap import build_app, set_app
from core.settings import ROOT, Settings

PAGES = ("overview", "samples", "training", "models", "operations")
RUNS = 9


def rows(_shared: Path | None) -> Iterator[Row]:
    """Yield the median script time of each page with data, a trained model and a comparison behind it."""
    with tempfile.TemporaryDirectory() as name:
        app = build_app(Settings(data_dir=Path(name)))
        set_app(app)
        workflows.load_demo(app)
        dataset_id = workflows.build_dataset(app)
        model_id = workflows.wait_for_training(app, workflows.start_training(app, dataset_id))
        workflows.compare(app, 1, model_id, dataset_id)
        for model in (1, model_id):
            workflows.evaluate(app, model, dataset_id)
        runner = AppTest.from_file(str(ROOT / "ui" / "router.py"), default_timeout=60).run()
        for page in PAGES:
            yield Row(f"page_{page}", _median_ms(runner, page), f"ms, median of {RUNS}", "<= 250")
        set_app(None)
        app.close()


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
