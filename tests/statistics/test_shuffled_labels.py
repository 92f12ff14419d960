"""Labels shuffled, from the database to the verdict: nobody may win more often than chance allows."""

import numpy as np
import pytest
from sqlmodel import col, select

from core import workflows
from core.db import insert_new, reading, writing
from core.domain.types import Verdict
from core.models import Article, DatasetItem, DatasetVersion, ModelVersion, Prediction
from tests.conftest import CLASSES, NOW, article

pytestmark = pytest.mark.statistics

DAYS, A_DAY = 60, 10
N = DAYS * A_DAY
SHUFFLES = 80
LOOKS = 1_500


@pytest.fixture
def two_models(app):
    """An application with 600 test articles, 200 of each class, and a challenger that is really better.

    With as many of each class, shuffled labels favour no model, whatever classes it prefers.
    """
    rng = np.random.default_rng(11)
    gold = rng.permutation(np.repeat(CLASSES, N // 3)).tolist()
    with writing(app.engine) as session:
        insert_new(session, Article, [article(i) for i in range(N)])
        for name in ("champion", "challenger"):
            session.add(
                ModelVersion(
                    name=name, kind="few_shot", provider="imported", base_model="gemini", created_at=NOW
                )
            )
        session.add(
            DatasetVersion(
                target="sentiment",
                strategy="all_verified",
                balance="none",
                split_method="chronological",
                sha256="0" * 64,
                counts={},
                config={},
                created_at=NOW,
            )
        )
        session.flush()
        for model_id, skill in ((1, 0.4), (2, 0.6)):
            said = [g if rng.random() < skill else str(rng.choice(CLASSES)) for g in gold]
            insert_new(session, Prediction, [answer(i, model_id, s) for i, s in enumerate(said)])
        items = [
            {"dataset_id": 1, "article_id": i + 1, "split": "test", "position": i, "label": label}
            for i, label in enumerate(gold)
        ]
        insert_new(session, DatasetItem, items)
        session.commit()
    return app


def answer(i, model_id, sentiment):
    return {
        "article_id": i + 1,
        "model_id": model_id,
        "sentiment": sentiment,
        "confidence": 70.0,
        "created_at": NOW,
    }


def stored(app):
    """Return labels, and the answers of both models, as the database holds them; each of shape (n,)."""
    with reading(app.engine) as session:
        labels = session.exec(select(DatasetItem.label).order_by(col(DatasetItem.position))).all()
        said = [
            session.exec(
                select(Prediction.sentiment)
                .where(Prediction.model_id == model_id)
                .order_by(col(Prediction.article_id))
            ).all()
            for model_id in (1, 2)
        ]
    return (np.array(column) for column in (labels, *said))


def shuffle(app, labels, rng):
    with writing(app.engine) as session:
        fresh = [(label, i + 1) for i, label in enumerate(rng.permutation(labels).tolist())]
        session.connection().exec_driver_sql("UPDATE dataset_item SET label = ? WHERE id = ?", fresh)
        session.commit()


def ever_significant(app, rng):
    """Return how often a z test of the wins, looked at on each of 60 days, rejects on one of them at least."""
    labels, old, new = stored(app)
    found = 0
    for _ in range(LOOKS):
        gold = rng.permutation(labels)
        gain = (new == gold).astype(int) - (old == gold)
        ahead, decisive = (
            np.cumsum(values.reshape(DAYS, A_DAY).sum(axis=1)) for values in (gain, np.abs(gain))
        )
        found += bool((np.abs(ahead) > 1.96 * np.sqrt(np.maximum(decisive, 1))).any())
    return found / LOOKS


def test_shuffled_labels_make_no_winner_although_a_daily_z_test_would_find_one(two_models):
    assert workflows.compare(two_models, 1, 2, 1)["verdict"] == Verdict.BETTER
    labels, _, _ = stored(two_models)
    rng = np.random.default_rng(12)
    verdicts = []
    for _ in range(SHUFFLES):
        shuffle(two_models, labels, rng)
        verdicts.append(workflows.compare(two_models, 1, 2, 1)["verdict"])
    assert verdicts.count(Verdict.BETTER) / SHUFFLES <= 0.05
    assert verdicts.count(Verdict.WORSE) / SHUFFLES <= 0.05
    assert 0.30 <= ever_significant(two_models, rng) <= 0.36
