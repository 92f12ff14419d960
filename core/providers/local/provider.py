"""The local model behind the provider protocols: training in a child process, answers from memory."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import IO, Any

from core.domain.tokens import TokenEstimate
from core.domain.types import JobStatus, Sentiment
from core.errors import Refused
from core.providers.base import (
    BaseModel,
    Batcher,
    Forecast,
    HyperParameter,
    JobReport,
    Launch,
    ModelRef,
    NewsText,
    Predictor,
    Preflight,
    ProviderCard,
    TrainedModel,
    Trainer,
    TrainerEvent,
    TrainingSpec,
)
from core.providers.local import artefact, explain, pipeline
from core.providers.local.worker import ARTEFACT, CANCELLED, LOCK, LOG, RESULT, SPEC, STATUS, write_json

_ROOT = Path(__file__).resolve().parents[3]
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
_STRENGTH = "Inverse regularisation: larger fits the training part more closely."
SETTINGS = (
    HyperParameter("svm_c", "float", 0.3, 0.001, 1_000, about=_STRENGTH),
    HyperParameter(
        "logistic_c",
        "float",
        10.0,
        0.001,
        1_000,
        about=f"Logistic regression stands in only where a class has fewer than four rows. {_STRENGTH}",
    ),
    HyperParameter(
        "max_words", "int", 40_000, 1, 1_000_000, about="Word features kept, most frequent first."
    ),
    HyperParameter(
        "max_characters", "int", 60_000, 1, 1_000_000, about="Character features kept, most frequent first."
    ),
)
_AGAIN = "Start the training again; if it repeats, the job's log has the details"


class LocalPredictor:
    """Answers for one trained local model."""

    def __init__(self, model: pipeline.LocalModel) -> None:
        self._model = model
        self._explainer = explain.Explainer(model)

    def predict(self, texts: Sequence[NewsText]) -> list[Forecast]:
        """Return one forecast a text, in order, with calibrated confidence in percent."""
        if not texts:
            return []
        matrix = self._model.matrix(texts)
        shares = self._model.probabilities(matrix)
        top = shares.argmax(axis=1)
        words = self._explainer.keywords(texts, matrix, top)
        return [
            _forecast(text, Sentiment(self._model.classes[k]), float(row[k]), found)
            for text, k, row, found in zip(texts, top.tolist(), shares, words, strict=True)
        ]


def _forecast(text: NewsText, sentiment: Sentiment, share: float, found: tuple[str, ...]) -> Forecast:
    keywords = found or explain.fallback(text)
    return Forecast(
        sentiment=sentiment,
        confidence=round(100 * share, 2),
        keywords=keywords,
        rationale=explain.rationale(sentiment, keywords, spoken=bool(found)),
    )


class LocalTrainer:
    """Trains in a child process of its own session; everything it says goes through the job's folder.

    Whether the child lives is told by a file lock that it inherits and the kernel releases when it
    ends, however it ends: unlike a process id it cannot be taken over by another process, and it
    answers in every process, also after a restart of the dashboard.
    """

    remote: bool = False
    slots: int = 1

    def preflight(self, spec: TrainingSpec) -> Preflight:
        """Say whether `spec` could be trained now, without touching anything."""
        if reason := pipeline.problem([str(row.label) for row in spec.train]):
            return Preflight.blocked(reason)
        try:
            pipeline.Hyperparameters.of(spec.hyperparameters)
        except Refused as refusal:
            return Preflight.blocked(str(refusal))
        return Preflight.ready()

    def estimate_s(self, spec: TrainingSpec) -> float:
        """Return the expected duration in seconds: start-up, and the characters to be read."""
        read = (len(row.text.title) + len(row.text.body or "") for row in spec.train)
        return 3.0 + 5e-6 * sum(min(characters, pipeline.MAX_CHARS) for characters in read)

    def estimate_tokens(self, spec: TrainingSpec) -> TokenEstimate | None:  # noqa: ARG002 - nothing is billed
        """Return None: training here is free."""
        return None

    def start(self, spec: TrainingSpec, folder: Path, launch: Launch | None = None) -> dict[str, Any]:  # noqa: ARG002 - a child that broke off is not resumed
        """Start a child process working in the empty `folder`; return its id and when it started.

        Raises
        ------
        Refused
            When `spec` does not pass `preflight`.
        """
        verdict = self.preflight(spec)
        if not verdict.allowed:
            raise Refused(verdict.reason.removesuffix("."), "Choose a dataset version that can be trained on")
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SPEC, spec_content(spec))
        with (folder / LOCK).open("w") as lock, (folder / LOG).open("wb") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            child = _spawn(folder, lock, log)
        # Waited for by a thread, so that no zombie stays behind if nobody polls.
        Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
        return {"pid": child.pid, "started": (folder / LOCK).stat().st_mtime}

    def poll(self, handle: Mapping[str, Any], folder: Path) -> JobReport:  # noqa: ARG002 - the folder says it all
        """Say where the work stands; a written result decides, also against a cancellation."""
        alive = _alive(folder)  # asked first: what ended in between has left its result
        status = _read_json(folder / STATUS)
        events = tuple(_event(event) for event in status.get("events", []))
        progress, message = float(status.get("progress", 0.0)), str(status.get("message", "starting"))
        if result := _read_json(folder / RESULT):
            return _concluded(result, folder, events, progress)
        if (folder / CANCELLED).exists():
            return JobReport(JobStatus.CANCELLED, progress, "cancelled", events)
        if alive:
            return JobReport(JobStatus.RUNNING, progress, message, events)
        return JobReport(JobStatus.FAILED, progress, message, events, error=_broken_off(folder))

    def cancel(self, handle: Mapping[str, Any], folder: Path) -> None:
        """Kill the process group. Cancelling what has ended does nothing."""
        if not _alive(folder) or (folder / RESULT).exists():
            return
        artefact.write_atomically(folder / CANCELLED, b"")
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(int(handle["pid"]), signal.SIGKILL)


class LocalProvider:
    """The embedded default: needs no key and no network."""

    name: str = "local"
    priced: bool = False
    simulated: bool = False

    def __init__(self) -> None:
        self.trainer: Trainer | None = LocalTrainer()
        self.batcher: Batcher | None = None

    def card(self) -> ProviderCard:
        """Return what is known of it: always there, trains and answers on this machine."""
        return ProviderCard(
            name=self.name,
            title="Local model",
            destination="this machine",
            base_models=(BaseModel("", trainable=True),),
            hyperparameters=SETTINGS,
        )

    def check(self, what: str) -> Preflight:  # noqa: ARG002 - it can do both
        """Say that it is ready."""
        return Preflight.ready()

    def load(self, model: ModelRef) -> Predictor:
        """Return the predictor of a model version; the model behind it is loaded once a process.

        Raises
        ------
        ProviderFailed
            When its artefact is missing, altered, or not a model.
        """
        return LocalPredictor(artefact.load(model.artefact, model.sha256))


def spec_content(spec: TrainingSpec) -> dict[str, Any]:
    """Return `spec` as JSON values: rows are [title, body, label, weight]."""

    def rows(part: Sequence[Any]) -> list[list[Any]]:
        return [[row.text.title, row.text.body, str(row.label), row.weight] for row in part]

    return {
        "train": rows(spec.train),
        "validation": rows(spec.validation),
        "hyperparameters": dict(spec.hyperparameters),
        "seed": spec.seed,
    }


def _spawn(folder: Path, lock: IO[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own module, no shell, a path of ours
        [sys.executable, "-m", "core.providers.local.worker", str(folder)],
        cwd=_ROOT,
        env=os.environ | _ONE_THREAD,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=(lock.fileno(),),
        start_new_session=True,
    )


def _alive(folder: Path) -> bool:
    """Tell whether the child still holds its lock. A shared probe, so that two pollers do not meet."""
    try:
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content if isinstance(content, dict) else {}


def _event(event: Mapping[str, Any]) -> TrainerEvent:
    return TrainerEvent(
        int(event["sequence"]), datetime.fromisoformat(event["at"]), event["message"], event["data"]
    )


def _concluded(
    result: Mapping[str, Any], folder: Path, events: tuple[TrainerEvent, ...], progress: float
) -> JobReport:
    if result["status"] != "succeeded":
        return JobReport(JobStatus.FAILED, progress, "failed", events, error=str(result["error"]))
    model = TrainedModel(folder / ARTEFACT, result["sha256"], result["base_model"], result["params"])
    return JobReport(JobStatus.SUCCEEDED, 1.0, "done", events, model=model)


def _broken_off(folder: Path) -> str:
    """Return a sentence about a child that left no result, from the last line it wrote."""
    if not folder.exists():
        return f"The job's folder is gone. {_AGAIN.partition(';')[0]}."
    log = folder / LOG
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return f"The training process was ended from outside, perhaps for lack of memory. {_AGAIN}."
    # Paths of this machine say nothing to the reader of a page.
    last = re.sub(r"(?:/[^\s/'\"]+)+/", "", lines[-1])[:200].rstrip(".")
    return f"The training process broke off: {last}. {_AGAIN}."
