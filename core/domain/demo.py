"""The value in which the demo crosses from its generator to the service that stores it."""

from dataclasses import dataclass

from core.domain.records import ArticleRecord, MarketRecord, PredictionRecord
from core.domain.types import Sentiment


@dataclass(frozen=True)
class DemoLabel:
    """What one invented reviewer said of one article."""

    article_key: str
    sentiment: Sentiment
    reviewer: str


@dataclass(frozen=True)
class DemoPrediction:
    """What the demo's few-shot model said, and how long it took in milliseconds."""

    record: PredictionRecord
    latency_ms: float


@dataclass(frozen=True)
class DemoData:
    """A whole invented history: news, labels, predictions and closes."""

    articles: tuple[ArticleRecord, ...]
    labels: tuple[DemoLabel, ...]
    predictions: tuple[DemoPrediction, ...]
    market: tuple[MarketRecord, ...]
