"""The two small protocols behind which every model stands, and the values that cross them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from core.domain.types import JobStatus, Sentiment


@dataclass(frozen=True)
class NewsText:
    """What a model is shown of an article.

    Parameters
    ----------
    title : str
        Headline.
    body : str or None
        Text; None where the source has none.
    """

    title: str
    body: str | None = None


@dataclass(frozen=True)
class Forecast:
    """A model's answer to one article.

    Parameters
    ----------
    sentiment : Sentiment
        Predicted class.
    confidence : float or None
        Calibrated probability of that class in percent, 0-100; None where the model gives none.
    keywords : tuple of str
        One to five words or phrases of the article.
    rationale : str
        A sentence naming what spoke for the class.
    """

    sentiment: Sentiment
    confidence: float | None
    keywords: tuple[str, ...] = ()
    rationale: str = ""


class Predictor(Protocol):
    """Something that answers for one model version."""

    def predict(self, texts: Sequence[NewsText]) -> list[Forecast]:
        """Return one forecast a text, in order."""
        ...


@dataclass(frozen=True)
class TrainingRow:
    """One example of the training or validation part, with its gold label and weight (1.0 = normal)."""

    text: NewsText
    label: Sentiment
    weight: float = 1.0


@dataclass(frozen=True)
class TrainingSpec:
    """Everything a trainer needs, frozen when the job is made.

    Parameters
    ----------
    train, validation : tuple of TrainingRow
        The parts a trainer may see; the test part is never handed over.
    hyperparameters : mapping
        The provider's own settings, JSON values only, defaults filled in.
    seed : int
        Seed of everything random.
    """

    train: tuple[TrainingRow, ...]
    validation: tuple[TrainingRow, ...] = ()
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Preflight:
    """Whether a provider can train now, said before anything is started."""

    allowed: bool
    reason: str = ""

    @classmethod
    def blocked(cls, reason: str) -> "Preflight":
        """Return a refusal with a sentence for the user."""
        return cls(allowed=False, reason=reason)


@dataclass(frozen=True)
class TrainerEvent:
    """One line of a job's story; `sequence` counts from 0 and never repeats within a job."""

    sequence: int
    at: datetime
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainedModel:
    """What a finished job left behind.

    Parameters
    ----------
    artefact : Path or None
        File to be moved into the artefact folder; None for a remote model.
    sha256 : str or None
        Checksum of that file.
    base_model : str
        Name of what was trained.
    params : mapping
        Facts worth keeping: rows, classes, seconds, library versions.
    """

    artefact: Path | None
    sha256: str | None
    base_model: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JobReport:
    """What a provider says of a job when asked.

    Parameters
    ----------
    status : JobStatus
        RUNNING, SUCCEEDED, FAILED or CANCELLED.
    progress : float
        Share done, 0-1.
    message : str
        The present step in a few words.
    events : tuple of TrainerEvent
        All events so far, oldest first.
    model : TrainedModel or None
        Present when succeeded.
    error : str or None
        A sentence when failed.
    """

    status: JobStatus
    progress: float = 0.0
    message: str = ""
    events: tuple[TrainerEvent, ...] = ()
    model: TrainedModel | None = None
    error: str | None = None


class Trainer(Protocol):
    """Something that trains. Every call returns at once; the work goes on elsewhere."""

    def preflight(self, spec: TrainingSpec) -> Preflight:
        """Say whether `spec` could be trained now, without touching anything."""
        ...

    def estimate_s(self, spec: TrainingSpec) -> float:
        """Return the expected duration in seconds."""
        ...

    def start(self, spec: TrainingSpec, folder: Path) -> dict[str, Any]:
        """Start the work, using the empty `folder`, and return a JSON handle for poll and cancel."""
        ...

    def poll(self, handle: Mapping[str, Any], folder: Path) -> JobReport:
        """Say where the work stands. Safe to call from any process, any number of times."""
        ...

    def cancel(self, handle: Mapping[str, Any], folder: Path) -> None:
        """Stop the work. Cancelling what has ended does nothing."""
        ...


@dataclass(frozen=True)
class ModelRef:
    """What a provider needs to answer for a model version."""

    model_id: int
    base_model: str
    artefact: Path | None
    sha256: str | None
    prompt: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


class Provider(Protocol):
    """A source of models. `trainer` is None where it cannot train."""

    name: str
    trainer: Trainer | None

    def load(self, model: ModelRef) -> Predictor:
        """Return a predictor for a model version, from memory where it was loaded before."""
        ...
