"""Few-shot model versions: what their prompt shows, and what counts as seen in training."""

import pytest
from sqlalchemy import update
from sqlmodel import func, select

from core.db import insert_new, reading, writing
from core.domain.prompting import DEFAULT_SHOTS, Prompt
from core.domain.types import Sentiment, Split
from core.errors import NotFound, Refused
from core.models import Article, DatasetItem, ModelVersion, Prediction
from core.workflows import predictions, scoring
from tests.conftest import NOW
from tests.predicting import MODEL, VENDOR, PaidVendor, run_to_the_end


@pytest.fixture
def app(seeded):
    seeded.providers[VENDOR] = PaidVendor()
    return seeded


def create(app, dataset_id=1):
    return predictions.create_few_shot(app, VENDOR, MODEL, dataset_id)


def version(app, model_id=2):
    with reading(app.engine) as session:
        return session.get(ModelVersion, model_id)


def shown(app, model_id=2):
    """Return the examples of a model version by class."""
    shots = Prompt.from_json(version(app, model_id).prompt).shots
    return {shot.answer.sentiment: shot for shot in shots}


def change(app, table, where, **values):
    with writing(app.engine) as session:
        session.execute(update(table).where(where).values(**values))
        session.commit()


def test_the_prompt_shows_a_success_article_of_each_class_that_has_one(app):
    create(app)
    shots = shown(app)
    assert (shots["positive"].article_id, shots["negative"].article_id) == (1, 3)
    assert shots["neutral"] == DEFAULT_SHOTS[Sentiment.NEUTRAL]  # the imported model was never right there
    assert (shots["positive"].title, shots["positive"].body) == ("News number 0 about company 0", "Body 0")
    answer = shots["positive"].answer
    assert (answer.confidence, answer.keywords) == (80, ("News", "number", "about", "company"))


def test_examples_come_from_the_training_part_only(app):
    held_out = DatasetItem.split != Split.TRAIN
    change(
        app,
        Prediction,
        Prediction.article_id.in_(select(DatasetItem.article_id).where(held_out)),
        confidence=99,
    )
    create(app)
    with reading(app.engine) as session:
        for shot in shown(app).values():
            if shot.article_id is not None:
                where = DatasetItem.article_id == shot.article_id
                assert session.exec(select(DatasetItem.split).where(where)).one() == Split.TRAIN


def test_the_most_confident_success_is_shown_and_of_equals_the_shortest(app):
    change(app, Prediction, Prediction.article_id.in_([4, 7]), confidence=90)
    change(app, Article, Article.id == 7, body="x")
    create(app)
    assert shown(app)["positive"].article_id == 7


def test_the_choice_does_not_depend_on_chance(app):
    assert create(app) == create(app)
    with reading(app.engine) as session:
        assert session.exec(select(func.count()).select_from(ModelVersion)).one() == 2


def test_neither_placeholders_nor_long_articles_are_shown(app):
    change(app, Article, Article.id == 1, placeholder=True)
    change(app, Article, Article.id == 4, body="long " * 400)
    create(app)
    assert shown(app)["positive"].article_id == 7


def test_what_an_answer_lends_is_taught(app):
    lent = {"keywords": ["금리"], "rationale": "부담이 줄어듭니다.", "confidence": 91.4}
    change(app, Prediction, Prediction.article_id == 7, **lent)
    create(app)
    answer = shown(app)["positive"].answer
    assert (answer.confidence, answer.keywords, answer.reason) == (91, ("금리",), "부담이 줄어듭니다.")


def test_later_answers_of_another_few_shot_model_do_not_change_what_is_shown(app):
    create(app)
    with writing(app.engine) as session:
        rows = [
            {"article_id": i + 1, "model_id": 2, "sentiment": "neutral", "confidence": 99, "created_at": NOW}
            for i in range(60)
        ]
        insert_new(session, Prediction, rows)
        session.commit()
    assert create(app) == 2


def test_without_a_dataset_the_default_examples_are_shown(app):
    create(app, dataset_id=None)
    assert list(shown(app).values()) == list(DEFAULT_SHOTS.values())
    assert (version(app).dataset_id, version(app).target) == (None, None)


def test_the_version_stores_everything_that_is_sent(app):
    create(app)
    stored = version(app)
    assert (stored.kind, stored.provider, stored.base_model, stored.dataset_id, stored.target) == (
        "few_shot", VENDOR, MODEL, 1, "sentiment")  # fmt: skip
    assert stored.prompt["system"].startswith(app.policy.system_prompt)
    assert len(stored.prompt["shots"]) == 3
    assert not stored.simulated


def test_another_base_model_dataset_or_prompt_is_another_version(app):
    made = {create(app), create(app, None), predictions.create_few_shot(app, VENDOR, "gpt-4.1", 1)}
    change(app, Prediction, Prediction.article_id == 10, confidence=99)
    assert len(made | {create(app)}) == 4


def test_a_prompt_that_shows_a_demo_article_is_simulated(app):
    change(app, Article, Article.id == 1, origin="demo")
    create(app)
    assert version(app).simulated


def test_a_simulated_provider_makes_simulated_versions(app):
    app.providers[VENDOR].simulated = True
    create(app, None)
    assert version(app).simulated


def test_only_the_articles_that_it_shows_count_as_seen(app):
    create(app)
    run_to_the_end(app, dataset_id=1)
    assert scoring.evaluate(app, 2, 1, Split.TRAIN)["contaminated"] == 2
    assert scoring.evaluate(app, 2, 1, Split.TEST)["contaminated"] == 0


def test_what_cannot_be_made_is_refused(app):
    with pytest.raises(NotFound):
        create(app, dataset_id=9)
    with pytest.raises(NotFound, match="provider 'nobody'"):
        predictions.create_few_shot(app, "nobody", MODEL)
    with pytest.raises(Refused, match="No base model"):
        predictions.create_few_shot(app, VENDOR, " ")
