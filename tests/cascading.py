"""A cascade of a free model here and a paid vendor's, each saying what a test can foresee."""

from core import workflows
from core.db import reading, writing
from core.domain.types import Sentiment, Split
from core.models import ModelVersion
from core.providers.base import Forecast
from core.providers.scripted import ScriptedProvider
from core.workflows import predictions
from tests.conftest import CLASSES, NOW
from tests.predicting import MODEL, VENDOR, Clock, PaidVendor, ScriptedAsker, good, run

#: Ids of the two parts, and of the cascade where there is one.
FIRST, SECOND, CASCADE = 2, 3, 4
VALIDATION = {"dataset_id": 1, "split": Split.VALIDATION}
TEST = {"dataset_id": 1, "split": Split.TEST}


def number(title):
    """Return i of the article "News number i about company j"."""
    return int(title.split()[2])


def first_says(title):
    """Is sure of even numbers and right about them, unsure of odd ones and wrong."""
    i = number(title)
    said = CLASSES[i % 3] if i % 2 == 0 else CLASSES[(i + 1) % 3]
    return Forecast(Sentiment(said), 90.0 if i % 2 == 0 else 50.0, ("word",), "from here")


def second_says(text):
    return good(text.title, Sentiment(CLASSES[number(text.title) % 3]))


def with_parts(app):
    """Add model 2, free and here, and model 3, a paid vendor's few-shot version; return the vendor."""
    vendor = app.providers[VENDOR] = PaidVendor(ScriptedAsker(second_says))
    app.providers["here"] = ScriptedProvider("here", first_says, simulated=False)
    app.now = Clock()
    with writing(app.engine) as session:
        session.add(local_model())
        session.commit()
    assert predictions.create_few_shot(app, VENDOR, MODEL) == SECOND
    return vendor


def with_cascade(app):
    """Add model 4 too, the cascade of both at 70 %; return the vendor."""
    vendor = with_parts(app)
    assert workflows.create_cascade(app, FIRST, SECOND, 70, 1) == CASCADE
    return vendor


def local_model(name="local-1", **values):
    given = {"kind": "fine_tuned", "provider": "here", "base_model": "svm", "target": "sentiment"}
    return ModelVersion(**{"name": name, **given, "dataset_id": 1, "created_at": NOW, **values})


def predict(app, model_id, **scope):
    """Queue a run whose price is agreed to, drive it, and return how it ended."""
    run_id = predictions.start_predictions(app, model_id, **scope, accept_micro_usd=10**9)
    predictions.drive_predictions(app, run_id)
    return run(app, run_id)


def version(app, model_id):
    with reading(app.engine) as session:
        return session.get(ModelVersion, model_id)
