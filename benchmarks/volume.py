"""A database of a given size, filled straight into its tables."""

from datetime import UTC, date, datetime, timedelta
from random import Random

from sqlalchemy import Engine

from core.db import insert_new, writing
from core.domain.text import content_hash
from core.models import Article, HumanLabel, ModelVersion, Outcome, Prediction

START = datetime(2025, 1, 2, 1, 0, tzinfo=UTC)
CLASSES = ("positive", "neutral", "negative")
REASONS = (None, None, None, "NO_LABEL", "DUPLICATE_URL", "NEAR_DUPLICATE")


def fill(engine: Engine, *, articles: int) -> None:
    """Insert articles with outcomes, labels and few-shot predictions, ten a session; seeded."""
    random = Random(7)  # noqa: S311 - a fixture, not a secret
    with writing(engine) as session:
        gold = [random.choice(CLASSES) if i % 2 else None for i in range(articles)]
        insert_new(session, Article, [_article(i, random.choice(REASONS), gold[i]) for i in range(articles)])
        insert_new(session, Outcome, [_outcome(i + 1, random) for i in range(articles)])
        labels = [_label(i + 1, label) for i, label in enumerate(gold) if label]
        insert_new(session, HumanLabel, labels)
        few_shot = {"name": "few-shot", "kind": "few_shot", "provider": "imported", "base_model": "x"}
        insert_new(session, ModelVersion, [few_shot | {"created_at": START}])
        insert_new(session, Prediction, [_prediction(i + 1, random) for i in range(articles)])
        session.commit()


def _day(i: int) -> date:
    return START.date() + timedelta(days=i // 10)


def _article(i: int, reason: str | None, gold: str | None) -> dict[str, object]:
    title = f"Volume article {i} of the benchmark, company {i % 97}"
    return {
        "key": f"labelled|{i}",
        "family": "crypto" if i % 5 == 0 else "general",
        "origin": "labelled",
        "title": title,
        "content_hash": content_hash(title, None),
        "effective_at": START + timedelta(hours=i * 2.4),
        "reason": reason,
        "gold_sentiment": gold,
        "file_date": _day(i),
        "created_at": START,
    }


def _outcome(article_id: int, random: Random) -> dict[str, object]:
    matured = random.random() < 0.7
    return {
        "article_id": article_id,
        "state": "matured" if matured else "pending",
        "session": _day(article_id),
        "return_pct": 1.5 if matured else None,
        "direction": random.choice(CLASSES) if matured else None,
        "closes_at": START + timedelta(hours=article_id * 2.4 + 6),
        "decided_at": START,
    }


def _label(article_id: int, sentiment: str) -> dict[str, object]:
    return {
        "article_id": article_id,
        "sentiment": sentiment,
        "reviewer": "kim",
        "created_at": START,
    }


def _prediction(article_id: int, random: Random) -> dict[str, object]:
    return {
        "article_id": article_id,
        "model_id": 1,
        "sentiment": random.choice(CLASSES),
        "confidence": 70.0,
        "created_at": START,
    }
