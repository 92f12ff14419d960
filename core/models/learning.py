"""What was learned from it: datasets, trainings, model versions, their answers and scores, who answers."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, Index, String, UniqueConstraint
from sqlmodel import Field

from core.domain.types import (
    Balance,
    JobPurpose,
    JobStatus,
    ModelKind,
    Sentiment,
    Split,
    SplitMethod,
    Strategy,
    Target,
)
from core.models.base import Base, json_column, one_of


class ModelVersion(Base, table=True):
    """Something that predicts: a few-shot prompt on a base model, or the product of a training job."""

    __tablename__ = "model_version"
    __table_args__ = (one_of("kind", ModelKind), one_of("target", Target))
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
    prompt: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    params: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    simulated: bool = False
    created_at: datetime


class Prediction(Base, table=True):
    """What one model version said of one article. Never a label."""

    __table_args__ = (
        UniqueConstraint("article_id", "model_id", "request_id"),
        one_of("sentiment", Sentiment),
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
    keywords: list[str] = Field(default_factory=list, sa_column=json_column(list))
    rationale: str | None = None
    latency_ms: float | None = None
    #: tokens as the vendor counted them; None where nobody did
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    #: the model that the vendor says answered; it may differ from the one that was asked
    answered_by: str | None = None
    import_id: int | None = Field(default=None, foreign_key="import_run.id", index=True)
    created_at: datetime


class DatasetVersion(Base, table=True):
    """A frozen, hashed list of samples with splits, for one target."""

    __tablename__ = "dataset_version"
    __table_args__ = (
        one_of("target", Target),
        one_of("strategy", Strategy),
        one_of("balance", Balance),
        one_of("split_method", SplitMethod),
    )
    id: int | None = Field(default=None, primary_key=True)
    target: str
    strategy: str
    balance: str
    split_method: str
    #: SHA-256 over the article keys, labels, splits and order; independent of row ids
    sha256: str = Field(unique=True)
    #: {"train": {"positive": n, ...}, ..., "embargoed": n}
    counts: dict[str, Any] = Field(sa_column=json_column())
    #: the policy numbers and the warnings in force at the build
    config: dict[str, Any] = Field(sa_column=json_column())
    created_at: datetime


class DatasetItem(Base, table=True):
    """One sample of a dataset version, with its gold label frozen."""

    __tablename__ = "dataset_item"
    __table_args__ = (
        UniqueConstraint("dataset_id", "article_id"),
        one_of("split", Split),
        one_of("label", Sentiment),
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
    """One attempt to train, with its frozen configuration.

    At a paid provider it is also the intent row: written with its reservation before anything is sent, and
    driven by one process at a time, which holds the lease.
    """

    __tablename__ = "training_job"
    __table_args__ = (
        one_of("status", JobStatus),
        CheckConstraint("progress BETWEEN 0 AND 1", name="ck_progress"),
        Index("ix_training_job_status", "status", "created_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    provider: str
    dataset_id: int = Field(foreign_key="dataset_version.id", index=True)
    status: str = JobStatus.RESERVED
    config: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    #: the provider's own handle (a process, a remote job id), opaque to everybody else
    handle: dict[str, Any] | None = Field(default=None, sa_column=json_column(nullable=True))
    progress: float = 0.0
    message: str = ""
    error: str | None = None
    cancel_requested: bool = False
    #: name of this intent in the ledger and at the vendor (file names, metadata)
    key: str | None = Field(default=None, unique=True, index=True)
    #: hash of dataset, provider, base model and settings with the number of the attempt: a second click joins
    dedupe_key: str | None = Field(default=None, unique=True, index=True)
    base_model: str = ""
    purpose: str = JobPurpose.TRAIN
    #: what the jobs of one sweep have in common
    group_key: str | None = Field(default=None, index=True)
    #: its money is play money: the provider is the loopback server
    simulated: bool = False
    lease_owner: str | None = None
    lease_until: datetime | None = None
    #: when the paid request was sent, and how many of the later looks for duplicates are done
    submitted_at: datetime | None = None
    sweeps: int = 0
    #: when the vendor was last looked at for duplicates, in vain or not
    looked_at: datetime | None = None
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
    data: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))


class EvaluationRun(Base, table=True):
    """One model version scored on one dataset version's split."""

    __tablename__ = "evaluation_run"
    __table_args__ = (
        one_of("split", Split),
        one_of("target", Target),
        Index("ix_evaluation_model", "model_id", "dataset_id", "split"),
    )
    id: int | None = Field(default=None, primary_key=True)
    model_id: int = Field(foreign_key="model_version.id")
    dataset_id: int = Field(foreign_key="dataset_version.id", index=True)
    split: str
    target: str
    n: int
    #: the report of domain.metrics as plain numbers and lists
    metrics: dict[str, Any] = Field(sa_column=json_column())
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
    report: dict[str, Any] = Field(sa_column=json_column())
    created_at: datetime


class Champion(Base, table=True):
    """Who answers for a target now. The primary key is the rule: one champion per target."""

    __table_args__ = (one_of("target", Target),)
    target: str = Field(sa_column=Column(String, primary_key=True))
    model_id: int = Field(foreign_key="model_version.id", index=True)
    since: datetime


class Promotion(Base, table=True):
    """The ledger of promotions and rollbacks. Rows are never changed."""

    __table_args__ = (
        one_of("target", Target),
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
    evidence: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    at: datetime
