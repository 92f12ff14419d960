"""What running it leaves behind: prediction runs, money, prices, checks, alerts, background jobs."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field

from core.domain.types import (
    AlertState,
    CostKind,
    CostPurpose,
    ItemState,
    JobStatus,
    PriceKind,
    RunMode,
    RunStatus,
)
from core.models.base import Base, json_column, one_of


class PredictionRun(Base, table=True):
    """Many articles asked of one model version, one request each or as one batch at the vendor."""

    __tablename__ = "prediction_run"
    __table_args__ = (
        one_of("mode", RunMode),
        one_of("status", JobStatus),
        Index("ix_prediction_run_status", "status", "id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    #: name of this run in the ledger and at the vendor
    key: str = Field(unique=True)
    model_id: int = Field(foreign_key="model_version.id", index=True)
    mode: str = RunMode.DIRECT
    status: str = JobStatus.QUEUED
    #: {"dataset_id", "split"} or {"file": name}
    source: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    total: int
    answered: int = 0
    failed: int = 0
    estimate_micro_usd: int = 0
    simulated: bool = False
    #: a batch's own handle at the vendor
    handle: dict[str, Any] | None = Field(default=None, sa_column=json_column(nullable=True))
    message: str = ""
    error: str | None = None
    cancel_requested: bool = False
    lease_owner: str | None = None
    lease_until: datetime | None = None
    submitted_at: datetime | None = None
    actor: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class PredictionItem(Base, table=True):
    """One article of a prediction run. Rows in = ok + failed once the run has ended."""

    __tablename__ = "prediction_item"
    __table_args__ = (
        UniqueConstraint("run_id", "article_id"),
        one_of("state", ItemState),
        Index("ix_prediction_item_state", "run_id", "state", "position"),
    )
    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="prediction_run.id")
    article_id: int = Field(foreign_key="article.id", index=True)
    position: int
    state: str = ItemState.PENDING
    #: code of domain.types.Failure, and what was seen in a few words (never a key, never the prompt)
    failure: str | None = None
    detail: str | None = None


class CostEntry(Base, table=True):
    """One row of the ledger. Rows are never changed or deleted: triggers refuse it.

    Spent is the sum of actuals; reserved is the sum of reservations less releases. `reference` is the key
    of a job, run or request: the ledger outlives what it paid for.
    """

    __tablename__ = "cost_entry"
    __table_args__ = (
        one_of("kind", CostKind),
        one_of("purpose", CostPurpose),
        CheckConstraint("micro_usd >= 0", name="ck_not_negative"),
        Index("ix_cost_entry_sum", "simulated", "kind", "at", "micro_usd"),
        Index("ix_cost_entry_reference", "reference", "kind", "micro_usd"),
    )
    id: int | None = Field(default=None, primary_key=True)
    at: datetime
    kind: str
    purpose: str
    reference: str
    provider: str
    model: str
    #: millionths of a US dollar
    micro_usd: int
    simulated: bool = False
    #: tokens, hours, the price used with its date; how an estimate was made
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    actor: str


class Budget(Base, table=True):
    """The monthly cap as somebody set it; the newest row counts, older ones are the history."""

    __table_args__ = (
        CheckConstraint("monthly_micro_usd >= 0", name="ck_monthly_not_negative"),
        CheckConstraint("warn_share > 0 AND warn_share <= 1", name="ck_warn_share"),
    )
    id: int | None = Field(default=None, primary_key=True)
    monthly_micro_usd: int
    #: share of the cap from which a warning is shown
    warn_share: float
    actor: str
    at: datetime


class PriceEdit(Base, table=True):
    """A price that a person entered; the newest of its kind counts before the shipped table."""

    __tablename__ = "price_edit"
    __table_args__ = (one_of("kind", PriceKind), Index("ix_price_edit_key", "provider", "model", "kind"))
    id: int | None = Field(default=None, primary_key=True)
    provider: str
    model: str
    kind: str
    #: US dollars a million tokens, or an hour, as a decimal text
    usd: str
    #: last day on which it holds; None where no end is known
    valid_until: date | None = None
    source: str
    actor: str
    at: datetime


class ProviderCheck(Base, table=True):
    """What a provider said when it was last asked whether it is ready."""

    __tablename__ = "provider_check"
    __table_args__ = (UniqueConstraint("provider", "what"),)
    id: int | None = Field(default=None, primary_key=True)
    provider: str
    #: "answer" or "train"
    what: str
    status: str
    reason: str
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    at: datetime


class Alert(Base, table=True):
    """Something that happened and that a person should know of."""

    __table_args__ = (one_of("state", AlertState), Index("ix_alert_state", "state", "at"))
    id: int | None = Field(default=None, primary_key=True)
    #: one row for one thing, however often it is seen
    key: str = Field(unique=True)
    rule: str
    message: str
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    state: str = AlertState.OPEN
    at: datetime
    closed_at: datetime | None = None


class JobRun(Base, table=True):
    """One run of a background job."""

    __tablename__ = "job_run"
    __table_args__ = (one_of("status", RunStatus), Index("ix_job_run_job", "job", "started_at"))
    id: int | None = Field(default=None, primary_key=True)
    job: str
    status: str = RunStatus.RUNNING
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""
    #: "host:pid" of the process that ran it
    runner: str
