"""What came in: imports, articles, human labels, market days, and what the market did with each article."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field

from core.domain.types import (
    Family,
    Instrument,
    MarketSource,
    Origin,
    OutcomeState,
    Reason,
    RunStatus,
    Sentiment,
    VoidReason,
)
from core.models.base import Base, json_column, one_of


class ImportRun(Base, table=True):
    """One import of a folder, archive or table, with the report of each file."""

    __tablename__ = "import_run"
    __table_args__ = (one_of("status", RunStatus),)
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
    counts: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    #: list of {"file", "kind", "sha256", "rows", "status", "notes": [...], "problem"}
    files: list[dict[str, Any]] = Field(default_factory=list, sa_column=json_column(list))


class Article(Base, table=True):
    """One observation of a news item as received. Text and times never change after insert.

    ``reason``, ``near_duplicate_group`` and ``gold_sentiment`` are derived by the quality service; NULL
    reason means that the article is an eligible sample for at least one target.
    """

    __table_args__ = (
        one_of("family", Family),
        one_of("origin", Origin),
        one_of("reason", Reason),
        one_of("gold_sentiment", Sentiment),
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
    flags: list[str] = Field(default_factory=list, sa_column=json_column(list))
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
        one_of("sentiment", Sentiment),
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
        one_of("instrument", Instrument),
        one_of("source", MarketSource),
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
    payload: dict[str, Any] = Field(sa_column=json_column())
    import_id: int | None = Field(default=None, foreign_key="import_run.id", index=True)


class DayScore(Base, table=True):
    """The parent's index and accuracy of one file date and family, recomputed from what is known.

    ``actual_pct`` and ``accuracy`` are NULL while nothing of the market is known.
    """

    __tablename__ = "day_score"
    __table_args__ = (UniqueConstraint("file_date", "family"), one_of("family", Family))
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
        one_of("state", OutcomeState),
        one_of("direction", Sentiment),
        one_of("void_reason", VoidReason),
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
