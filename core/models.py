"""All tables. Every row carries the key of its cause, so lineage is a join.

Times are aware UTC, sentiments and states are closed sets held by CHECK constraints, and nothing
here validates: values are built by the services from checked domain values.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index, String, UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from core.domain.types import (
    Balance,
    Family,
    Instrument,
    JobStatus,
    MarketSource,
    ModelKind,
    Origin,
    OutcomeState,
    Reason,
    RunStatus,
    Sentiment,
    Split,
    SplitMethod,
    Strategy,
    Target,
    VoidReason,
)


class Base(SQLModel, registry=registry()):
    """A registry of our own: a hot reload re-imports this module without "Table already defined"."""


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """Return a CHECK that holds a text column to a closed vocabulary (NULL passes)."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"ck_{column}")


def _json(default: type | None = None, *, nullable: bool = False) -> Column[Any]:
    return Column(JSON(none_as_null=True), default=default, nullable=nullable)


class ImportRun(Base, table=True):
    """One import of a folder, archive or table, with the report of each file."""

    __tablename__ = "import_run"
    __table_args__ = (_one_of("status", RunStatus),)
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    name: str
    status: str = RunStatus.RUNNING
    #: the present step in a few words while running, the sentence of the error when failed
    step: str = ""
    #: "host:pid" of the process at work, so that a crash can be told from patience
    runner: str = ""
    started_at: datetime
    finished_at: datetime | None = None
    #: counts by kind of row, as the command line prints them
    counts: dict[str, Any] = Field(default_factory=dict, sa_column=_json(dict))
    #: list of {"file", "kind", "sha256", "rows", "status", "notes": [...], "problem"}
    files: list[dict[str, Any]] = Field(default_factory=list, sa_column=_json(list))


class Article(Base, table=True):
    """One observation of a news item as received. Text and times never change after insert.

    ``reason``, ``near_duplicate_group`` and ``gold_sentiment`` are derived by the quality service; NULL
    reason means that the article is an eligible sample for at least one target.
    """

    __table_args__ = (
        _one_of("family", Family),
        _one_of("origin", Origin),
        _one_of("reason", Reason),
        _one_of("gold_sentiment", Sentiment),
        Index("ix_article_gold", "reason", "gold_sentiment", "effective_at"),
        Index("ix_article_funnel", "reason", "family", "origin"),
        Index("ix_article_day", "family", "file_date"),
        Index("ix_article_arrival", "reason", "effective_at"),
        Index("ix_article_origin", "origin"),
    )
    id: int | None = Field(default=None, primary_key=True)
    #: "origin|family|file date|id" for the parent's folder, "origin|content hash" for tables
    key: str = Field(unique=True)
    family: str
    origin: str
    import_id: int | None = Field(default=None, foreign_key="import_run.id", index=True)
    #: date in the file's name (parent's folder only): the day whose index this article entered
    file_date: date | None = None
    #: the parent's id, a position within that file
    external_id: int | None = None
    title: str
    #: None where the source has no body; never a placeholder of ours
    body: str | None = None
    url: str | None = Field(default=None, index=True)
    publisher: str | None = None
    published_at: datetime | None = None
    scraped_at: datetime | None = None
    #: the time that counts: published, or scraped where published is unreliable; None = undated
    effective_at: datetime | None = Field(default=None, index=True)
    placeholder: bool = False
    flags: list[str] = Field(default_factory=list, sa_column=_json(list))
    #: SHA-256 of the normalised title and body
    content_hash: str = Field(index=True)
    excluded_reason: str | None = None
    #: services insert articles as NO_LABEL: one that has not been judged yet has no label known
    reason: str | None = None
    near_duplicate_group: int | None = Field(default=None, index=True)
    #: the class on which all its human labels agree
    gold_sentiment: str | None = None
    created_at: datetime


class HumanLabel(Base, table=True):
    """What one reviewer (or one imported table) said of one article. Gold for target sentiment."""

    __tablename__ = "human_label"
    __table_args__ = (
        UniqueConstraint("article_id", "reviewer", "sentiment"),
        _one_of("sentiment", Sentiment),
        Index("ix_human_label_gold", "article_id", "sentiment"),
    )
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id")
    sentiment: str
    reviewer: str
    #: given on an article on which reviewers disagreed: it decides, the others stay as they are
    settles: bool = False
    import_id: int | None = Field(default=None, foreign_key="import_run.id", index=True)
    created_at: datetime


class MarketDay(Base, table=True):
    """One instrument's close or percent change on one date, from one source. Sources never overwrite."""

    __tablename__ = "market_day"
    __table_args__ = (
        UniqueConstraint("day", "instrument", "source"),
        _one_of("instrument", Instrument),
        _one_of("source", MarketSource),
        CheckConstraint("(close IS NULL) <> (return_pct IS NULL)", name="ck_close_or_return"),
    )
    id: int | None = Field(default=None, primary_key=True)
    day: date
    instrument: str
    source: str
    close: float | None = None
    return_pct: float | None = None
    import_id: int | None = Field(default=None, foreign_key="import_run.id", index=True)
    collected_at: datetime | None = None


class AccuracyLog(Base, table=True):
    """The parent's own accuracy log of one file date, kept as it was written."""

    __tablename__ = "accuracy_log"
    id: int | None = Field(default=None, primary_key=True)
    file_date: date = Field(unique=True)
    payload: dict[str, Any] = Field(sa_column=_json())
    import_id: int | None = Field(default=None, foreign_key="import_run.id", index=True)


class DayScore(Base, table=True):
    """The parent's index and accuracy of one file date and family, recomputed from what is known.

    ``actual_pct`` and ``accuracy`` are NULL while nothing of the market is known.
    """

    __tablename__ = "day_score"
    __table_args__ = (UniqueConstraint("file_date", "family"), _one_of("family", Family))
    id: int | None = Field(default=None, primary_key=True)
    file_date: date
    family: str
    index_value: float
    predicted_direction: str
    actual_pct: float | None = None
    accuracy: float | None = None
    error_rate: float | None = None
    partial: bool = False
    #: why our figure differs from the parent's log, or None where it is reproduced or has no log
    explanation: str | None = None


class Outcome(Base, table=True):
    """What the market did over one article's horizon. Gold for target direction when matured."""

    __table_args__ = (
        _one_of("state", OutcomeState),
        _one_of("direction", Sentiment),
        _one_of("void_reason", VoidReason),
        CheckConstraint(
            "state <> 'matured' OR (direction IS NOT NULL AND return_pct IS NOT NULL)",
            name="ck_matured_is_known",
        ),
        Index("ix_outcome_state", "state", "direction"),
        Index("ix_outcome_due", "state", "closes_at", "session"),
    )
    article_id: int = Field(foreign_key="article.id", primary_key=True)
    state: str
    void_reason: str | None = None
    #: the deciding session; with the family it names the market day
    session: date | None = None
    #: the interval (previous close, deciding close] that the return covers
    opens_after: datetime | None = None
    closes_at: datetime | None = None
    return_pct: float | None = None
    direction: str | None = None
    #: only some of the family's instruments had closes
    partial: bool = False
    #: the article appeared while its deciding session was under way
    intraday: bool = False
    decided_at: datetime


class ModelVersion(Base, table=True):
    """Something that predicts: a few-shot prompt on a base model, or the product of a training job."""

    __tablename__ = "model_version"
    __table_args__ = (_one_of("kind", ModelKind), _one_of("target", Target))
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    kind: str
    #: which provider answers for it; "imported" has predictions but cannot answer
    provider: str
    base_model: str
    #: None for few-shot: it takes the target of the dataset it is scored on
    target: str | None = None
    dataset_id: int | None = Field(default=None, foreign_key="dataset_version.id", index=True)
    #: unique: two pollers that see the same job end register one model
    job_id: int | None = Field(default=None, foreign_key="training_job.id", unique=True)
    #: file name inside the artefact folder; never a path given by a user
    artefact: str | None = None
    artefact_sha256: str | None = None
    #: system prompt and templates used for training and for serving
    prompt: dict[str, Any] = Field(default_factory=dict, sa_column=_json(dict))
    params: dict[str, Any] = Field(default_factory=dict, sa_column=_json(dict))
    simulated: bool = False
    created_at: datetime


class Prediction(Base, table=True):
    """What one model version said of one article. Never a label."""

    __table_args__ = (
        UniqueConstraint("article_id", "model_id", "request_id"),
        _one_of("sentiment", Sentiment),
        CheckConstraint("confidence BETWEEN 0 AND 100", name="ck_confidence"),
        Index("ix_prediction_model", "model_id", "article_id", "sentiment"),
    )
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id")
    model_id: int = Field(foreign_key="model_version.id")
    #: "" for imported and batch predictions (one per article and model), unique for API requests
    request_id: str = ""
    sentiment: str
    #: None where the source gave none; never zero for missing
    confidence: float | None = None
    keywords: list[str] = Field(default_factory=list, sa_column=_json(list))
    rationale: str | None = None
    latency_ms: float | None = None
    import_id: int | None = Field(default=None, foreign_key="import_run.id", index=True)
    created_at: datetime


class DatasetVersion(Base, table=True):
    """A frozen, hashed list of samples with splits, for one target."""

    __tablename__ = "dataset_version"
    __table_args__ = (
        _one_of("target", Target),
        _one_of("strategy", Strategy),
        _one_of("balance", Balance),
        _one_of("split_method", SplitMethod),
    )
    id: int | None = Field(default=None, primary_key=True)
    target: str
    strategy: str
    balance: str
    split_method: str
    #: SHA-256 over the article keys, labels, splits and order; independent of row ids
    sha256: str = Field(unique=True)
    #: {"train": {"positive": n, ...}, ..., "embargoed": n}
    counts: dict[str, Any] = Field(sa_column=_json())
    #: the policy numbers and the warnings in force at the build
    config: dict[str, Any] = Field(sa_column=_json())
    created_at: datetime


class DatasetItem(Base, table=True):
    """One sample of a dataset version, with its gold label frozen."""

    __tablename__ = "dataset_item"
    __table_args__ = (
        UniqueConstraint("dataset_id", "article_id"),
        _one_of("split", Split),
        _one_of("label", Sentiment),
        Index("ix_dataset_item_order", "dataset_id", "split", "position"),
    )
    id: int | None = Field(default=None, primary_key=True)
    dataset_id: int = Field(foreign_key="dataset_version.id")
    article_id: int = Field(foreign_key="article.id", index=True)
    split: str
    position: int
    label: str
    #: training weight (class weights); 1.0 otherwise
    weight: float = 1.0
    #: the unit of resampling where labels come from the market: "family|session"
    market_day: str | None = None


class TrainingJob(Base, table=True):
    """One attempt to train, with its frozen configuration."""

    __tablename__ = "training_job"
    __table_args__ = (
        _one_of("status", JobStatus),
        CheckConstraint("progress BETWEEN 0 AND 1", name="ck_progress"),
        Index("ix_training_job_status", "status", "created_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    provider: str
    dataset_id: int = Field(foreign_key="dataset_version.id", index=True)
    status: str = JobStatus.RESERVED
    config: dict[str, Any] = Field(default_factory=dict, sa_column=_json(dict))
    #: the provider's own handle (a process, a remote job id), opaque to everybody else
    handle: dict[str, Any] | None = Field(default=None, sa_column=_json(nullable=True))
    progress: float = 0.0
    message: str = ""
    error: str | None = None
    cancel_requested: bool = False
    actor: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    checked_at: datetime | None = None


class TrainingEvent(Base, table=True):
    """One line of a training job's story; (job, sequence) is unique, so polling twice adds nothing."""

    __tablename__ = "training_event"
    __table_args__ = (UniqueConstraint("job_id", "sequence"),)
    id: int | None = Field(default=None, primary_key=True)
    job_id: int = Field(foreign_key="training_job.id")
    sequence: int
    at: datetime
    message: str
    data: dict[str, Any] = Field(default_factory=dict, sa_column=_json(dict))


class EvaluationRun(Base, table=True):
    """One model version scored on one dataset version's split."""

    __tablename__ = "evaluation_run"
    __table_args__ = (
        _one_of("split", Split),
        _one_of("target", Target),
        Index("ix_evaluation_model", "model_id", "dataset_id", "split"),
    )
    id: int | None = Field(default=None, primary_key=True)
    model_id: int = Field(foreign_key="model_version.id")
    dataset_id: int = Field(foreign_key="dataset_version.id", index=True)
    split: str
    target: str
    n: int
    #: the report of domain.metrics as plain numbers and lists
    metrics: dict[str, Any] = Field(sa_column=_json())
    created_at: datetime


class Comparison(Base, table=True):
    """Champion against challenger on one split of one dataset version, with its verdict."""

    __table_args__ = (Index("ix_comparison_pair", "champion_id", "challenger_id", "dataset_id"),)
    id: int | None = Field(default=None, primary_key=True)
    champion_id: int = Field(foreign_key="model_version.id")
    challenger_id: int = Field(foreign_key="model_version.id", index=True)
    dataset_id: int = Field(foreign_key="dataset_version.id", index=True)
    split: str
    #: the report of domain.compare as plain numbers and lists
    report: dict[str, Any] = Field(sa_column=_json())
    created_at: datetime


class Champion(Base, table=True):
    """Who answers for a target now. The primary key is the rule: one champion per target."""

    __table_args__ = (_one_of("target", Target),)
    target: str = Field(sa_column=Column(String, primary_key=True))
    model_id: int = Field(foreign_key="model_version.id", index=True)
    since: datetime


class Promotion(Base, table=True):
    """The ledger of promotions and rollbacks. Rows are never changed."""

    __table_args__ = (
        _one_of("target", Target),
        CheckConstraint("action IN ('promote', 'rollback')", name="ck_action"),
        CheckConstraint("length(trim(reason)) > 0", name="ck_reason_given"),
    )
    id: int | None = Field(default=None, primary_key=True)
    target: str
    action: str
    from_model_id: int | None = Field(default=None, foreign_key="model_version.id", index=True)
    to_model_id: int | None = Field(default=None, foreign_key="model_version.id", index=True)
    reason: str
    actor: str
    #: the newest evaluation and comparison at that moment, by id, with their headline figures
    evidence: dict[str, Any] = Field(default_factory=dict, sa_column=_json(dict))
    at: datetime


class JobRun(Base, table=True):
    """One run of a background job."""

    __tablename__ = "job_run"
    __table_args__ = (_one_of("status", RunStatus), Index("ix_job_run_job", "job", "started_at"))
    id: int | None = Field(default=None, primary_key=True)
    job: str
    status: str = RunStatus.RUNNING
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""
    #: "host:pid" of the process that ran it
    runner: str
