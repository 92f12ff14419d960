"""Asking a paid model about many articles: time against a bare loop of the same SDK, and peak memory.

The vendor is the loopback server in a process of its own, which takes 200 ms for an answer.
"""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
from pydantic import SecretStr
from sqlmodel import select

from benchmarks.row import Row
from core.bootstrap import App, build_app
from core.db import insert_new, reading, writing
from core.domain.prompting import Prompt
from core.domain.text import content_hash
from core.models import Article, ModelVersion
from core.providers.base import NewsText
from core.providers.loopback.server import HOST
from core.providers.openai_compat.chat import build_request
from core.providers.openai_compat.flavours import OPENAI
from core.providers.openai_compat.provider import OpenAICompatible
from core.settings import Settings
from core.workflows import predictions

ARTICLES, CONCURRENCY, LATENCY_S = 1_000, 16, 0.2
MODEL, KEY = "gpt-4.1-mini", "sk-loopback-benchmark"
#: Characters of a body: usual ones for the time, long ones for the memory.
USUAL, LONG = 300, 10_000


def _peak_mb() -> float:
    """Return this process's own peak memory in megabytes.

    Linux hands `ru_maxrss` on to children, past their exec: beside a larger parent no growth would ever show.
    """
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1e3


@contextmanager
def _vendor(folder: Path, latency_s: float) -> Iterator[str]:
    """Yield the address of a loopback vendor in a process of its own."""
    script = folder / "script.json"
    script.write_text(json.dumps({"latency_s": {"POST /v1/chat/completions": latency_s}}))
    command = [sys.executable, "-m", "core.providers.loopback", "--script", str(script)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or not (url := process.stdout.readline().strip()).startswith(
            f"http://{HOST}"
        ):
            raise RuntimeError("the loopback vendor did not start")
        yield url
    finally:
        process.terminate()
        process.wait()


def _texts(n: int, characters: int, start: int = 0) -> list[NewsText]:
    words = "금리 인하 기대에 코스피 상승 마감 외국인 순매수 "
    body = (words * (characters // len(words) + 1))[:characters]
    return [
        NewsText(f"속보 {i}: 시장 소식 {i * 7919}", f"{i} {body}"[:characters])
        for i in range(start, start + n)
    ]


def _application(folder: Path, url: str, texts: Sequence[NewsText]) -> App:
    """Return an app whose database holds the texts, and whose only provider is the vendor."""
    provider = OpenAICompatible(OPENAI, key=SecretStr(KEY), base_url=f"{url}/v1", redact=str)
    settings = Settings(data_dir=folder, _env_file=None)
    settings.keys.provider_concurrency = CONCURRENCY
    settings.keys.requests_per_minute, settings.keys.tokens_per_minute = 10**6, 10**9
    app = build_app(settings, providers={"openai": provider})
    with writing(app.engine) as session:
        insert_new(session, Article, [_row(text, app) for text in texts])
        session.commit()
    return app


def _row(text: NewsText, app: App) -> dict[str, Any]:
    digest = content_hash(text.title, text.body)
    article = {"family": "general", "origin": "labelled", "title": text.title, "body": text.body}
    return article | {"key": f"labelled|{digest}", "content_hash": digest, "created_at": app.now()}


def _begin(app: App) -> int:
    model_id = predictions.create_few_shot(app, "openai", MODEL)
    with reading(app.engine) as session:
        ids = session.exec(select(Article.id).order_by(Article.id)).all()
    return predictions.start_predictions(app, model_id, article_ids=ids, accept_micro_usd=10**9)


def _ours(folder: Path, url: str, texts: Sequence[NewsText]) -> tuple[float, int]:
    """Return the seconds of one run and how many articles it answered."""
    app = _application(folder, url, texts)
    run_id = _begin(app)
    started = time.perf_counter()
    run = predictions.wait_for_predictions(app, run_id)
    seconds = time.perf_counter() - started
    app.close()
    return seconds, run.answered


def _bare(url: str, prompt: Prompt, texts: Sequence[NewsText]) -> float:
    """Return the seconds of the same requests in a plain loop: nothing is kept, limited or counted."""
    started = time.perf_counter()  # making the client reads all certificates; the run above does it too
    with openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, timeout=60) as client:

        def ask(text: NewsText) -> Any:
            body = build_request(OPENAI, MODEL, prompt.messages(text.title, text.body))
            answer = client.chat.completions.create(**body)
            return json.loads(answer.choices[0].message.content or "")

        with ThreadPoolExecutor(CONCURRENCY) as pool:
            answers = list(pool.map(ask, texts))
        seconds = time.perf_counter() - started
    if len(answers) != len(texts):
        raise RuntimeError("the bare loop lost answers")
    return seconds


def _prompt(folder: Path, url: str) -> Prompt:
    app = _application(folder, url, [])
    predictions.create_few_shot(app, "openai", MODEL)
    with reading(app.engine) as session:
        prompt = Prompt.from_json(session.exec(select(ModelVersion)).one().prompt)
    app.close()
    return prompt


def _speed(folder: Path) -> Iterator[Row]:
    """Run each way twice, in an order that a slow drift of the machine does not favour."""
    texts = _texts(ARTICLES, USUAL)
    with _vendor(folder, LATENCY_S) as url:
        prompt = _prompt(folder / "prompt", url)
        bare = _bare(url, prompt, texts)
        ours = [_ours(folder / name, url, texts) for name in ("first", "second")]
        bare = (bare + _bare(url, prompt, texts)) / 2
    seconds = sum(each for each, _ in ours) / 2
    yield Row("predictions_answered", min(n for _, n in ours), f"of {ARTICLES:,} articles", f">= {ARTICLES}")
    yield Row("predictions_bare_loop", bare, "s")
    yield Row("predictions_run", seconds, "s")
    beside = "a bare loop of the same SDK on the same server in the same run"
    yield Row("predictions_overhead", seconds / bare, "x", "<= 1.15", beside)


def _peak(folder: str, url: str, n: int, results: Any) -> None:
    """Report by how many megabytes a run of `n` long articles raises this process's peak memory."""
    app = _application(Path(folder), url, [])
    for start in range(0, n, 50):  # stored a few at a time, or storing them would be the peak
        with writing(app.engine) as session:
            insert_new(session, Article, [_row(text, app) for text in _texts(50, LONG, start)])
            session.commit()
    run_id = _begin(app)
    run = predictions.wait_for_predictions(app, run_id)
    results.put((run.answered, _peak_mb()))
    app.close()


def _memory(folder: Path) -> Iterator[Row]:
    context = multiprocessing.get_context("spawn")
    results, peaks = context.Queue(), {}
    with _vendor(folder, 0.02) as url:
        for n in (ARTICLES // 2, ARTICLES):
            child = context.Process(target=_peak, args=(str(folder / f"memory-{n}"), url, n, results))
            child.start()
            answered, peaks[n] = results.get()
            child.join()
            if answered != n:
                raise RuntimeError(f"only {answered} of {n} articles were answered")
    held = 2 * LONG * (ARTICLES // 2) / 1e6
    growth = peaks[ARTICLES] - peaks[ARTICLES // 2]
    yield Row("predictions_peak_memory", peaks[ARTICLES], "MB")
    beside = f"the {held:.0f} MB that {ARTICLES // 2} more texts take"
    yield Row(
        "predictions_memory_growth",
        growth,
        f"MB from {ARTICLES // 2} to {ARTICLES:,} articles",
        "<= 4",
        beside,
    )


def rows(_shared: Path | None) -> Iterator[Row]:
    """Yield the figures."""
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    with tempfile.TemporaryDirectory() as name:
        yield from _speed(Path(name))
        yield from _memory(Path(name))
