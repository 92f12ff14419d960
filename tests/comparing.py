"""What tests of comparisons share: model versions with stored answers to the seeded articles."""

from core.db import insert_new, writing
from core.models import ModelVersion, Prediction
from tests.conftest import CLASSES, NOW


def add_model(app, name, said=None, *, confidence=80.0, latency_ms=None, tokens=None, **values):
    """Store a model version with an answer to each article from a function of its place; return its id."""
    with writing(app.engine) as session:
        model = ModelVersion(
            **{"name": name, "kind": "few_shot", "provider": "imported", "base_model": "gemini"} | values,
            created_at=NOW,
        )
        session.add(model)
        session.flush()
        answers = [
            {
                "article_id": i + 1,
                "model_id": model.id,
                "sentiment": sentiment,
                "confidence": confidence,
                "latency_ms": latency_ms,
                "prompt_tokens": tokens,
                "completion_tokens": tokens,
                "created_at": NOW,
            }
            for i in range(90)
            if said and (sentiment := said(i)) is not None
        ]
        insert_new(session, Prediction, answers)
        session.commit()
        return model.id


def right(i):
    return CLASSES[i % 3]
