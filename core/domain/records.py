"""The values that reading a file yields, before anything is stored. Immutable, no ids of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from core.domain.types import Family, Flag, Instrument, MarketSource, Origin, Sentiment


class FileStatus(StrEnum):
    """What became of one file of an import."""

    READ = "read"
    REJECTED = "rejected"
    IGNORED = "ignored"


@dataclass(frozen=True)
class ArticleRecord:
    """One observation of a news item, cleaned, as `core.models.Article` will hold it.

    Parameters
    ----------
    key : str
        ``origin|family|file date|id`` for the parent's folder, ``origin|content hash`` for tables.
    body : str or None
        None where the source has none. A placeholder body of the parent is kept and marked.
    published_at, scraped_at, effective_at : datetime or None
        Aware UTC. `effective_at` is the time that counts; None = undated.
    file_date : date or None
        Date in the file's name (parent's folder only).
    placeholder : bool
        The body says only that there is no body.
    content_hash : str
        SHA-256 of the normalised title and body, hexadecimal.
    """

    key: str
    family: Family
    origin: Origin
    title: str
    body: str | None
    content_hash: str
    url: str | None = None
    publisher: str | None = None
    published_at: datetime | None = None
    scraped_at: datetime | None = None
    effective_at: datetime | None = None
    file_date: date | None = None
    external_id: int | None = None
    placeholder: bool = False
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True)
class PredictionRecord:
    """What some model said of one article; confidence 0-100 or None where the source gave none."""

    article_key: str
    sentiment: Sentiment
    confidence: float | None = None
    keywords: tuple[str, ...] = ()
    rationale: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class LabelRecord:
    """One row of a labelled table: an article, its human label and, where given, a prediction.

    Parameters
    ----------
    row : int
        1-based line of the file on which the row begins (the header is row 1).
    reviewer : str or None
        Who labelled; None where the table does not say.
    """

    article: ArticleRecord
    sentiment: Sentiment
    row: int
    prediction: PredictionRecord | None = None
    reviewer: str | None = None


@dataclass(frozen=True)
class MarketRecord:
    """One instrument's close or percent change on one date; exactly one of the two is given."""

    day: date
    instrument: Instrument
    source: MarketSource
    close: float | None = None
    return_pct: float | None = None
    collected_at: datetime | None = None


@dataclass(frozen=True)
class AccuracyRecord:
    """The parent's accuracy log of one file date, as it was written."""

    file_date: date
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class FileReport:
    """What became of one file: how many rows it gave, what was noticed, why it was rejected.

    Parameters
    ----------
    file : str
        Name within the folder or archive.
    kind : str
        The parent's kind (``news``, ``analysis`` ...), ``labels``, ``market`` or ``other``.
    rows : int
        Rows read; 0 unless `status` is ``read``.
    problem : str or None
        The sentence of the rejection.
    """

    file: str
    kind: str
    sha256: str
    rows: int
    status: FileStatus
    notes: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class ParentImport:
    """Everything that one AI News Trader data folder holds, and a report of each file.

    Parameters
    ----------
    discarded_predictions : int
        Failed analyses, which are no predictions.
    changed_labels : int
        URLs seen more than once whose predictions differ.
    """

    articles: tuple[ArticleRecord, ...]
    predictions: tuple[PredictionRecord, ...]
    market: tuple[MarketRecord, ...]
    accuracy: tuple[AccuracyRecord, ...]
    files: tuple[FileReport, ...]
    discarded_predictions: int = 0
    changed_labels: int = 0

    @property
    def usable(self) -> bool:
        """Whether any file was read; an import without one is a failed import."""
        return any(report.status == FileStatus.READ for report in self.files)
