"""The child process that trains: ``python -m core.providers.local.worker FOLDER``.

It reads ``spec.json`` from the folder and writes ``status.json`` as it goes, then ``model.skops``, then
``result.json`` last: whoever sees the result sees a finished artefact. The parent holds nothing of it in
memory, so a restart of the dashboard does not disturb a training.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SPEC, STATUS, RESULT, ARTEFACT, LOG = "spec.json", "status.json", "result.json", "model.skops", "worker.log"
LOCK, CANCELLED = "worker.lock", "cancelled"

BASE_MODEL = "words and characters + linear SVM"

#: Below the dashboard's priority: its pages stay quick while a model trains.
_NICENESS = 10


class Story:
    """Progress and events so far, rewritten to ``status.json`` at every step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events: list[dict[str, Any]] = []

    def tell(self, progress: float, message: str, data: Mapping[str, Any]) -> None:
        """Add an event and publish it."""
        event = {
            "sequence": len(self._events),
            "at": datetime.now(UTC).isoformat(),
            "message": message,
            "data": dict(data),
        }
        self._events.append(event)
        write_json(self._folder / STATUS, {"progress": progress, "message": message, "events": self._events})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace `path` by `content` as JSON, whole or not at all."""
    from core.providers.local.artefact import write_atomically  # noqa: PLC0415 - see `main`

    write_atomically(path, json.dumps(content).encode())


def train(folder: Path) -> dict[str, Any]:
    """Train what ``spec.json`` in `folder` asks for and return the content of ``result.json``.

    Raises
    ------
    NewstuneError
        With a sentence for the user, when the rows cannot be trained on.
    """
    from core.providers.local import artefact, pipeline  # noqa: PLC0415 - see `main`

    began = time.monotonic()
    story = Story(folder)
    spec = read_spec(folder / SPEC)
    story.tell(0.05, f"rows read: {len(spec.train):,}", {"rows": len(spec.train)})
    settings = pipeline.Hyperparameters.of(spec.hyperparameters)
    model = pipeline.fit(spec.train, settings, seed=spec.seed, say=story.tell)
    facts = _validated(model, spec, story)
    sha256 = artefact.dump(model, folder / ARTEFACT)
    story.tell(1.0, "artefact written", {"bytes": (folder / ARTEFACT).stat().st_size})
    return {
        "status": "succeeded",
        "sha256": sha256,
        "base_model": BASE_MODEL,
        "params": {
            "rows": len(spec.train),
            "class_counts": dict(sorted(Counter(str(row.label) for row in spec.train).items())),
            "features": len(model.weights),
            "hyperparameters": asdict(settings),
            "seed": spec.seed,
            "seconds": round(time.monotonic() - began, 2),
            "libraries": _versions(),
            **facts,
        },
    }


def read_spec(path: Path) -> Any:
    """Return the TrainingSpec that `spec_content` wrote to `path`."""
    from core.domain.types import Sentiment  # noqa: PLC0415 - see `main`
    from core.providers.base import NewsText, TrainingRow, TrainingSpec  # noqa: PLC0415

    content = json.loads(path.read_text(encoding="utf-8"))
    parts = {
        part: tuple(
            TrainingRow(NewsText(title, body), Sentiment(label), weight)
            for title, body, label, weight in content[part]
        )
        for part in ("train", "validation")
    }
    return TrainingSpec(
        train=parts["train"],
        validation=parts["validation"],
        hyperparameters=content["hyperparameters"],
        seed=content["seed"],
    )


def _validated(model: Any, spec: Any, story: Story) -> dict[str, Any]:
    """Score the validation part, if there is one, and return its figures."""
    if not spec.validation:
        return {}
    from core.domain.metrics import Answers, macro_f1  # noqa: PLC0415 - see `main`

    shares = model.probabilities(model.matrix([row.text for row in spec.validation]))
    predicted = [model.classes[k] for k in shares.argmax(axis=1)]
    answers = Answers([str(row.label) for row in spec.validation], predicted, None, "")
    figures = {
        "n": len(predicted),
        "accuracy": float(answers.right.mean()),
        "macro_f1": float(macro_f1(answers.confusion())),
    }
    message = "validation: accuracy {accuracy:.3f}, macro-F1 {macro_f1:.3f} (n={n})".format(**figures)
    story.tell(0.95, message, figures)
    return {"validation": figures}


def _versions() -> dict[str, str]:
    import numpy as np  # noqa: PLC0415 - see `main`
    import scipy  # noqa: PLC0415
    import sklearn  # noqa: PLC0415
    import skops  # noqa: PLC0415

    return {module.__name__: str(module.__version__) for module in (np, scipy, sklearn, skops)}


def main(folder: Path) -> int:
    """Train in `folder` and return the exit status; the heavy imports happen at low priority, in here."""
    os.nice(_NICENESS)
    from core.errors import NewstuneError  # noqa: PLC0415

    try:
        result = train(folder)
    except NewstuneError as error:
        result = {"status": "failed", "error": str(error)}
    write_json(folder / RESULT, result)
    return 0 if result["status"] == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
