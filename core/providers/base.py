"""The small protocols behind which every model stands, and the values that cross them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from core.domain.tokens import TokenEstimate
from core.domain.training_format import Answer
from core.domain.types import Failure, JobStatus, Readiness, Sentiment


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
class Usage:
    """Tokens of one request as the vendor counted them; None where it did not say.

    `cached_tokens` are part of `prompt_tokens`. Tokens of hidden reasoning are part of `completion_tokens`.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


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


@dataclass(frozen=True)
class Reply:
    """What came of asking about one article: a forecast or the reason why there is none.

    Parameters
    ----------
    forecast : Forecast or None
        None where `failure` says why.
    failure : Failure or None
        Why there is no forecast.
    detail : str
        What was seen, in a few words; never a key, a prompt or a whole answer.
    usage : Usage or None
        Tokens of the request. A failed answer may have been billed all the same.
    answered_by : str or None
        The model that the vendor says answered.
    latency_ms : float or None
        Milliseconds of the last attempt, waiting for a turn not included.
    billed : bool or None
        Whether the vendor charges for it: None where that cannot be told (a lost answer), which counts as
        billed at the estimate. Only who knows that nothing was carried out says False.
    """

    forecast: Forecast | None
    failure: Failure | None = None
    detail: str = ""
    usage: Usage | None = None
    answered_by: str | None = None
    latency_ms: float | None = None
    billed: bool | None = None


class Predictor(Protocol):
    """Something that answers for one model version."""

    def predict(self, texts: Sequence[NewsText]) -> list[Forecast]:
        """Return one forecast a text, in order."""
        ...


class Asker(Protocol):
    """A predictor over a network: asked one article at a time, from several threads, and it may fail.

    `messages` is what is sent for a text, so that its tokens can be counted before; `max_answer_tokens` is the
    limit that is sent with it, behind which the vendor cuts the answer off, hidden reasoning included.
    """

    @property
    def max_answer_tokens(self) -> int:
        """Tokens that an answer has at most, and is billed for."""
        ...

    def messages(self, text: NewsText) -> list[dict[str, str]]:
        """Return the messages that would be sent for a text."""
        ...

    def ask(self, text: NewsText) -> Reply:
        """Ask about one article. Never raises for what a vendor can do; that is the reply's `failure`."""
        ...


@dataclass(frozen=True)
class TrainingRow:
    """One example of the training or validation part, with its gold label and weight (1.0 = normal).

    `answer` is the whole answer that a chat model is taught; its sentiment is the label.
    """

    text: NewsText
    label: Sentiment
    weight: float = 1.0
    answer: Answer | None = None


@dataclass(frozen=True)
class TrainingSpec:
    """Everything a trainer needs, frozen when the job is made.

    Parameters
    ----------
    train, validation : tuple of TrainingRow
        The parts a trainer may see; the test part is never handed over.
    hyperparameters : mapping
        The provider's own settings by the vendor's names, JSON values only; what is left out keeps the
        vendor's default.
    seed : int
        Seed of everything random.
    base_model : str
        What is tuned, by the vendor's name; "" where the provider has one only.
    system : str
        System prompt of the chat template.
    """

    train: tuple[TrainingRow, ...]
    validation: tuple[TrainingRow, ...] = ()
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    base_model: str = ""
    system: str = ""


@dataclass(frozen=True)
class Preflight:
    """Whether a provider can do something now, said before anything is started.

    Parameters
    ----------
    status : Readiness
        READY, BLOCKED (trying again does not help) or UNKNOWN (it could not be asked, or does not say).
    reason : str
        A sentence for the user; empty when ready and nothing is to be said.
    code : str
        The vendor's own error code where there was one, such as "training_not_available".
    """

    status: Readiness
    reason: str = ""
    code: str = ""

    @property
    def allowed(self) -> bool:
        """Whether nothing is known that forbids it."""
        return self.status != Readiness.BLOCKED

    @classmethod
    def ready(cls, reason: str = "") -> "Preflight":
        """Return a go-ahead."""
        return cls(Readiness.READY, reason)

    @classmethod
    def blocked(cls, reason: str, code: str = "") -> "Preflight":
        """Return a refusal with a sentence for the user."""
        return cls(Readiness.BLOCKED, reason, code)

    @classmethod
    def unknown(cls, reason: str, code: str = "") -> "Preflight":
        """Return that it is not known, with a sentence that says why."""
        return cls(Readiness.UNKNOWN, reason, code)


@dataclass(frozen=True)
class HyperParameter:
    """A setting by the vendor's name, for a form.

    Parameters
    ----------
    name : str
        The vendor's name, such as "n_epochs".
    kind : str
        "int", "float" or "choice".
    default : Any
        What is sent when nothing is entered; None leaves it to the vendor ("auto").
    low, high : float or None
        Bounds, both included.
    choices : tuple of str
        For kind "choice".
    about : str
        One English sentence.
    """

    name: str
    kind: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True)
class KnownDate:
    """A date on which something ends, with where it is known from.

    Parameters
    ----------
    what : str
        "new_jobs_end", "base_retires", "tuned_retires", "price_changes", "rerouted" or "support_ended".
    day : date
        The first day on which it no longer holds.
    model : str
        Which model it concerns; "" for the whole provider.
    source : str
        Page or report.
    certain : bool
        False for what third parties report: shown as reported, never as fact.
    """

    what: str
    day: date
    model: str = ""
    source: str = ""
    certain: bool = True


@dataclass(frozen=True)
class BaseModel:
    """A model that a provider offers: whether it answers, can be tuned, and its dates.

    `certain` is False where the vendor's own list could not be read.
    """

    name: str
    answers: bool = True
    trainable: bool = False
    dates: tuple[KnownDate, ...] = ()
    certain: bool = True


@dataclass(frozen=True)
class ProviderCard:
    """What is known of a provider without asking it.

    Parameters
    ----------
    name, title : str
        Its name in tables and commands, and for people.
    destination : str
        Where the news goes: "this machine" or the host's name.
    keys : mapping of str to bool
        Names of the settings it needs and whether each is given. Values are never held here.
    base_models : tuple of BaseModel
        What it offers; the first trainable and the first answering one are its defaults.
    hyperparameters : tuple of HyperParameter
        Settings of a training.
    dates : tuple of KnownDate
        What ends for the whole provider.
    notes : tuple of str
        English sentences that a person should read before paying or sending data.
    min_rows : int
        Training rows under which it refuses a file.
    """

    name: str
    title: str
    destination: str
    keys: Mapping[str, bool] = field(default_factory=dict)
    base_models: tuple[BaseModel, ...] = ()
    hyperparameters: tuple[HyperParameter, ...] = ()
    dates: tuple[KnownDate, ...] = ()
    notes: tuple[str, ...] = ()
    min_rows: int = 0

    @property
    def configured(self) -> bool:
        """Whether every key it needs is given."""
        return all(self.keys.values())


@dataclass(frozen=True)
class Launch:
    """What a paid start is handed, so that it can be resumed by another process after a crash.

    Parameters
    ----------
    key : str
        Name of the intent, unique for ever; goes into file names and metadata at the vendor.
    handle : mapping
        What earlier drivers saved, {} at first.
    save : callable
        Stores the whole handle durably before it returns. Raises LeaseLost when somebody else drives now.
    """

    key: str
    handle: Mapping[str, Any] = field(default_factory=dict)
    save: Callable[[Mapping[str, Any]], None] = lambda _handle: None


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
    remote_model : str or None
        Name under which the vendor answers for it.
    billed_tokens : int or None
        Tokens that the vendor bills for the training; None where it does not say.
    retires : date or None
        Day on which the vendor switches it off, where known.
    """

    artefact: Path | None
    sha256: str | None
    base_model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    remote_model: str | None = None
    billed_tokens: int | None = None
    retires: date | None = None


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
    may_be_billed : bool
        Ended without a model, and the vendor may charge for it all the same.
    billed_tokens : int or None
        What it charges for then, where it says so.
    """

    status: JobStatus
    progress: float = 0.0
    message: str = ""
    events: tuple[TrainerEvent, ...] = ()
    model: TrainedModel | None = None
    error: str | None = None
    may_be_billed: bool = False
    billed_tokens: int | None = None


class Trainer(Protocol):
    """Something that trains. Every call returns soon; the work goes on elsewhere.

    `remote` trainers cost money and are resumable: `start` may be called again with the handle that was
    saved, by any process, and never sends the paid request twice. It raises

    - ProviderBlocked where the vendor refuses for good,
    - ProviderUnreachable where nothing was sent,
    - FateUnknown where the paid request may have been carried out and cannot be found (yet),
    - ProviderFailed for any other definite failure.

    `slots` is how many of its jobs may run at a time.
    """

    remote: bool
    slots: int

    def preflight(self, spec: TrainingSpec) -> Preflight:
        """Say whether `spec` could be trained now, without sending or changing anything."""
        ...

    def estimate_s(self, spec: TrainingSpec) -> float:
        """Return the expected duration in seconds."""
        ...

    def estimate_tokens(self, spec: TrainingSpec) -> TokenEstimate | None:
        """Return the tokens that will be billed, epochs included; None where training is free."""
        ...

    def start(self, spec: TrainingSpec, folder: Path, launch: Launch) -> dict[str, Any]:
        """Start the work, using the empty `folder`, and return a JSON handle for poll and cancel."""
        ...

    def poll(self, handle: Mapping[str, Any], folder: Path) -> JobReport:
        """Say where the work stands. Safe to call from any process, any number of times."""
        ...

    def cancel(self, handle: Mapping[str, Any], folder: Path) -> None:
        """Stop the work. Cancelling what has ended does nothing."""
        ...


class LaunchFinder(Protocol):
    """A remote trainer or batcher whose vendor can be asked what belongs to an intent."""

    def find(self, key: str) -> list[dict[str, Any]]:
        """Return the handles of all live and ended jobs of an intent at the vendor, oldest first."""
        ...


@dataclass(frozen=True)
class BatchReport:
    """What a vendor says of a batch. `replies` is filled once it has ended, by the item's id."""

    status: JobStatus
    message: str = ""
    replies: Mapping[str, Reply] = field(default_factory=dict)
    error: str | None = None


class Batcher(Protocol):
    """The vendor's batch service: cheaper, within a day. Resumable like a remote trainer, with its errors."""

    def start(
        self, model: "ModelRef", texts: Sequence[tuple[str, NewsText]], launch: Launch
    ) -> dict[str, Any]:
        """Send (id, text) pairs as one batch and return its handle."""
        ...

    def poll(self, handle: Mapping[str, Any]) -> BatchReport:
        """Say where the batch stands, with all replies once it has ended."""
        ...

    def cancel(self, handle: Mapping[str, Any]) -> None:
        """Stop the batch. Cancelling what has ended does nothing."""
        ...


@dataclass(frozen=True)
class ModelRef:
    """What a provider needs to answer for a model version.

    `remote_model` is the vendor's name of a tuned model; None asks `base_model`. `prompt` is what
    `domain.prompting.Prompt.as_json` stored with the version; {} for local models.
    """

    model_id: int
    base_model: str
    artefact: Path | None
    sha256: str | None
    prompt: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    remote_model: str | None = None


class Provider(Protocol):
    """A source of models. `trainer` and `batcher` are None where it has no such service."""

    @property
    def name(self) -> str:
        """As in tables and commands."""
        ...

    @property
    def priced(self) -> bool:
        """Whether answers and trainings cost money, so that a price is needed before anything is sent."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether everything it produces must be marked SIMULATED; may ask a server on this machine once."""
        ...

    @property
    def trainer(self) -> Trainer | None:
        """Its training service."""
        ...

    @property
    def batcher(self) -> Batcher | None:
        """Its batch service."""
        ...

    def load(self, model: ModelRef) -> "Predictor | Asker":
        """Return what answers for a model version, from memory where it was loaded before."""
        ...

    def card(self) -> ProviderCard:
        """Return what is known of it without asking it."""
        ...

    def check(self, what: str) -> Preflight:
        """Ask it, for free, whether it would "answer" or "train" now."""
        ...
