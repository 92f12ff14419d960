"""A provider that says and does what it was told: for tests and simulations, never for real figures.

Whatever it produces must be marked SIMULATED by those who use it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.domain.tokens import TokenEstimate
from core.domain.types import JobStatus, Sentiment
from core.providers.base import (
    BaseModel,
    Batcher,
    Forecast,
    JobReport,
    Launch,
    ModelRef,
    NewsText,
    Predictor,
    Preflight,
    ProviderCard,
    TrainedModel,
    TrainingSpec,
)


@dataclass(frozen=True)
class ScriptedPredictor:
    """Answers each text with what `script` returns for its title."""

    script: Callable[[str], Forecast]

    def predict(self, texts: Sequence[NewsText]) -> list[Forecast]:
        """Return one forecast a text, in order."""
        return [self.script(text.title) for text in texts]


def always_neutral(_title: str) -> Forecast:
    """Return the same neutral answer to everything."""
    return Forecast(Sentiment.NEUTRAL, 50.0, ("scripted",), "A scripted answer, not a judgement.")


@dataclass
class ScriptedTrainer:
    """Goes through `reports` one poll at a time and stays at the last; a cancel ends it at once."""

    reports: Sequence[JobReport] = ()
    blocked: str = ""
    remote: bool = False
    slots: int = 1
    #: what a paid one would bill; None is free
    tokens: TokenEstimate | None = None

    def preflight(self, spec: TrainingSpec) -> Preflight:
        """Allow everything unless told otherwise."""
        if self.blocked or not spec.train:
            return Preflight.blocked(self.blocked or "There is nothing to train on")
        return Preflight.ready()

    def estimate_s(self, spec: TrainingSpec) -> float:
        """Return one second a thousand rows."""
        return len(spec.train) / 1000

    def estimate_tokens(self, spec: TrainingSpec) -> TokenEstimate | None:
        """Return what was scripted."""
        del spec
        return self.tokens

    def start(self, spec: TrainingSpec, folder: Path, launch: Launch | None = None) -> dict[str, Any]:
        """Begin at the first report."""
        del launch
        (folder / "state.json").write_text(json.dumps({"polls": 0, "rows": len(spec.train)}))
        return {"folder": folder.name}

    def poll(self, handle: Mapping[str, Any], folder: Path) -> JobReport:
        """Return the next report of the script."""
        path = folder / "state.json"
        state = json.loads(path.read_text())
        if state.get("cancelled"):
            return JobReport(JobStatus.CANCELLED)
        path.write_text(json.dumps(state | {"polls": state["polls"] + 1}))
        if not self.reports:
            artefact = folder / "model.bin"
            artefact.write_bytes(f"scripted, {state['rows']} rows, {handle['folder']}".encode())
            digest = sha256(artefact.read_bytes()).hexdigest()
            return JobReport(JobStatus.SUCCEEDED, 1.0, model=TrainedModel(artefact, digest, "scripted"))
        return self.reports[min(int(state["polls"]), len(self.reports) - 1)]

    def cancel(self, handle: Mapping[str, Any], folder: Path) -> None:
        """End the script."""
        del handle
        path = folder / "state.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"cancelled": True}))


@dataclass
class ScriptedProvider:
    """A provider made of the two above."""

    name: str = "scripted"
    script: Callable[[str], Forecast] = always_neutral
    trainer: ScriptedTrainer | None = field(default_factory=ScriptedTrainer)
    batcher: Batcher | None = None
    priced: bool = False
    simulated: bool = True

    def card(self) -> ProviderCard:
        """Return a card without keys."""
        return ProviderCard(
            self.name, "Scripted", "this machine", base_models=(BaseModel("", trainable=True),)
        )

    def check(self, what: str) -> Preflight:
        """Say that it is ready."""
        del what
        return Preflight.ready()

    def load(self, model: ModelRef) -> Predictor:
        """Return the scripted predictor, whatever the model."""
        del model
        return ScriptedPredictor(self.script)
