"""The prediction API under eight clients, with a running shadow: delay, errors, and what was kept.

The server is the real application in a process of its own, the clients are another one. What a single
prediction takes in this process is measured between the blocks of requests, so that a machine that others
use too slows both sides of the ratio.
"""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlmodel import col, func, select

from benchmarks.row import Row
from core import workflows
from core.bootstrap import App, build_app
from core.db import reading, writing
from core.domain.question import Question
from core.domain.types import ModelKind, Target
from core.models import Article, ExperimentItem, ModelVersion, Prediction
from core.providers.base import NewsText, TrainingRow
from core.providers.local import artefact, pipeline
from core.settings import ROOT, Settings
from core.workflows.answering import is_asker, load_predictor

REQUESTS, CLIENTS, BLOCKS, SINGLE = 5_000, 8, 5, 60
#: Requests of one client, sent before the others.
ALONE = 200
#: Predictions before the first that is timed: the processor's caches are the clients' by then.
WARM = 5
CHARACTERS, TRAINED = 300, 1_500
SEED = 20251102
#: Seconds that the server has to start, and its shadow to catch up.
START_S, DRAIN_S = 60, 120


def _texts(n: int, seed: int) -> list[NewsText]:
    """Return seeded news of a headline and a body as long as the parent app keeps it, no two the same."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    words = _words()
    weights = [1 / (rank + 10) for rank in range(len(words))]

    def some(k: int) -> str:
        return " ".join(rng.choices(words, weights, k=k))

    return [NewsText(f"{some(8)} {seed}-{i}", some(CHARACTERS // 4)[:CHARACTERS]) for i in range(n)]


def _words() -> list[str]:
    rng = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    syllables = [chr(0xAC00 + 28 * rng.randrange(399)) for _ in range(300)]
    return ["".join(rng.choices(syllables, k=rng.randint(2, 4))) for _ in range(12_000)]


def _model(app: App, name: str, strength: float) -> int:
    """Train a local model on texts whose class is a matter of chance: its speed is what counts here."""
    texts = _texts(TRAINED, seed=1)
    labels = ("positive", "neutral", "negative")
    rows = [TrainingRow(text, labels[i % 3]) for i, text in enumerate(texts)]  # type: ignore[arg-type]
    model = pipeline.fit(rows, pipeline.Hyperparameters(svm_c=strength), seed=SEED)
    app.settings.artefact_dir.mkdir(parents=True, exist_ok=True)
    digest = artefact.dump(model, app.settings.artefact_dir / f"{name}.skops")
    version = ModelVersion(
        name=name,
        kind=ModelKind.FINE_TUNED,
        provider="local",
        base_model="local",
        target=Target.SENTIMENT,
        artefact=f"{name}.skops",
        artefact_sha256=digest,
        created_at=app.now(),
    )
    with writing(app.engine) as session:
        session.add(version)
        session.commit()
        return int(version.id or 0)


def _prepare(folder: Path, *, shadow: bool) -> App:
    """Return an application with a local champion, and a challenger in its shadow."""
    app = build_app(Settings(data_dir=folder, _env_file=None))
    workflows.promote(app, _model(app, "champion", 0.3), Target.SENTIMENT, "benchmark")
    if shadow:
        challenger = _model(app, "challenger", 1.0)
        workflows.start_experiment(app, workflows.Wish(Target.SENTIMENT, challenger))
    return app


@contextmanager
def _server(folder: Path) -> Iterator[int]:
    """Yield the port of the real application, as ``make run`` starts it, on a database of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = ("--server.port", str(port), "--server.headless", "true", "--server.address", "127.0.0.1")
    quiet = ("--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false")
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options, *quiet]
    environment = os.environ | {"NEWSTUNE_DATA_DIR": str(folder), "NEWSTUNE_API_TOKEN": ""}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(lambda: _answers(port), START_S, "the server did not start")
            yield port
        finally:
            process.terminate()
            process.wait(60)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"GET /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _wait_for(done: Callable[[], bool], seconds: float, otherwise: str) -> float:
    started = time.perf_counter()
    while not done():
        if time.perf_counter() - started > seconds:
            raise RuntimeError(otherwise)
        time.sleep(0.1)
    return time.perf_counter() - started


def _load(port: int, texts: Sequence[NewsText], clients: int) -> dict[str, Any]:
    """Return milliseconds and errors of requests that `clients` send, each after its last answer."""
    news = [{"id": i, "title": text.title, "content": text.body} for i, text in enumerate(texts)]
    command = [sys.executable, "-m", "benchmarks.answers_load", str(port), str(clients)]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(news), capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _timed(work: Callable[[NewsText], object], texts: Sequence[NewsText]) -> list[float]:
    """Return the milliseconds of each call."""
    taken = []
    for text in texts:
        started = time.perf_counter()
        work(text)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _settled(app: App) -> int:
    """Return how many articles both models have answered."""
    with reading(app.engine) as session:
        items = select(func.count()).select_from(ExperimentItem)
        return session.exec(items.where(col(ExperimentItem.answered_at).is_not(None))).one()


def _until_settled(app: App, articles: int) -> float:
    """Wait until both models have answered all articles, and return the seconds that took."""
    return _wait_for(lambda: _settled(app) == articles, DRAIN_S, "the shadow does not catch up")


def _kept(app: App) -> dict[str, int]:
    """Return how many articles came in, and what both models said of them."""
    with reading(app.engine) as session:

        def count(*where: Any) -> int:
            return session.exec(select(func.count()).select_from(Prediction).where(*where)).one()

        return {
            "articles": session.exec(select(func.count()).select_from(Article)).one(),
            "champion": count(Prediction.model_id == 1),
            "challenger": count(Prediction.model_id == 2),
            "settled": _settled(app),
        }


def rows(_shared: Path | None) -> Iterator[Row]:
    """Yield the figures."""
    with tempfile.TemporaryDirectory() as name:
        here, there = Path(name, "here"), Path(name, "there")
        single, served = _prepare(here, shadow=False), _prepare(there, shadow=True)
        try:
            yield from _figures(single, served, there)
        finally:
            single.close()
            served.close()


def _figures(single: App, served: App, folder: Path) -> Iterator[Row]:
    with reading(single.engine) as session:
        predictor = load_predictor(single, session.get_one(ModelVersion, 1))
    if predictor is None or is_asker(predictor):
        raise TypeError("the champion is no local model")
    ways: dict[str, Callable[[NewsText], object]] = {
        "predict": lambda text: predictor.predict([text]),
        "answer": lambda text: workflows.answer(single, Question(text.title, text.body), None),
        "desk": lambda text: workflows.desk_of(single).submit(Question(text.title, text.body)).result(),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    delays: list[float] = []
    seconds, size = 0.0, REQUESTS // BLOCKS
    with _server(folder) as port:
        alone = _load(port, _texts(ALONE, seed=7), 1)
        errors = alone["errors"]
        drained = 0.0
        for block in range(BLOCKS):
            # a shadow that is catching up would slow what is measured here
            asked = ALONE + block * size
            drained = max(drained, _until_settled(served, asked))
            for i, (way, work) in enumerate(ways.items()):
                texts = _texts(WARM + SINGLE, seed=1000 + 10 * block + i)
                taken[way] += _timed(work, texts)[WARM:]
            done = _load(port, _texts(size, seed=100 + block), CLIENTS)
            delays += done["milliseconds"]
            errors, seconds = errors + done["errors"], seconds + done["seconds"]
        drained = max(drained, _until_settled(served, ALONE + REQUESTS))
        kept = _kept(served)
    yield from _report(taken, alone["milliseconds"], delays, REQUESTS / seconds)
    yield Row("answers_errors", errors, f"of {REQUESTS:,} requests", "<= 0")
    least = min(kept[what] for what in ("articles", "champion", "challenger", "settled"))
    yield Row("answers_kept", least - ALONE, "requests with both predictions", f">= {REQUESTS}")
    yield Row("answers_shadow_caught_up", drained, "s at most after a block of requests")


def _report(
    taken: dict[str, list[float]], alone: list[float], delays: list[float], rate: float
) -> Iterator[Row]:
    medians = {way: float(np.median(values)) for way, values in taken.items()}
    p50, p95 = (float(np.percentile(delays, share)) for share in (50, 95))
    for way, value in medians.items():
        yield Row(f"answers_single_{way}", value, "ms in process, median")
    yield Row("answers_one_client_p50", float(np.median(alone)), "ms")
    yield Row("answers_requests_a_second", rate, f"of {CLIENTS} clients")
    yield Row("answers_p50", p50, f"ms at {CLIENTS} clients")
    yield Row("answers_p95", p95, f"ms at {CLIENTS} clients")
    for way, bar in (("predict", ""), ("desk", ""), ("answer", "<= 5")):
        beside = f"a single in-process '{way}' in the same run"
        yield Row(f"answers_p95_per_{way}", p95 / medians[way], "x", bar, beside)
