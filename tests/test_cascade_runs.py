"""What a cascade asks, pays and stores: only what its first part is unsure of."""

import pytest
from sqlmodel import select

from core import workflows
from core.db import reading, writing
from core.domain.types import CostKind, Failure, RunMode, Target
from core.errors import ProviderBlocked, Refused
from core.models import ModelVersion, Prediction
from core.queries import costs as cost_queries
from core.services import prediction_runs
from core.services.cascades import compose
from core.services.predict import Question
from core.workflows import answering, answers, predictions
from tests.cascading import (
    FIRST,
    SECOND,
    TEST,
    VALIDATION,
    local_model,
    number,
    predict,
    second_says,
    version,
    with_cascade,
)
from tests.conftest import CLASSES, NOW, article
from tests.predicting import MODEL, PRICE, VENDOR, bad, cap, entries, held, money, run, stored
from tests.screens import visit, words_on
from ui.money import written

pytestmark = pytest.mark.vendors


@pytest.fixture
def vendor(seeded):
    return with_cascade(seeded)


@pytest.fixture
def cascade(seeded, vendor):
    """The seeded application with model 4: a free model here, at 70 % a paid vendor's."""
    return seeded


def test_a_run_of_a_cascade_asks_and_bills_only_what_the_first_part_is_unsure_of(cascade, vendor):
    ended = predict(cascade, 4, **TEST)
    assert (ended.status, ended.answered, ended.failed) == ("succeeded", 15, 0)
    assert {number(title) % 2 for title in vendor.asker.asked} == {1}
    assert (vendor.asker.asked.total(), money(cascade), held(cascade)) == (8, 8 * PRICE, 0)
    rows = {row.article_id - 1: row for row in stored(cascade, 4)}
    assert {i: (row.answered_by, row.prompt_tokens) for i, row in rows.items()} == {
        i: (MODEL, 400) if i % 2 else ("local-1", 0) for i in range(75, 90)
    }
    assert all(row.latency_ms is not None for row in rows.values())


def test_a_quote_is_about_what_would_leave(cascade):
    alone = predictions.quote_predictions(cascade, SECOND, **TEST)
    both = predictions.quote_predictions(cascade, 4, **TEST)
    assert (both.missing, both.staying, both.stored, both.cost.n) == (15, 7, 0, 8)
    assert both.high == pytest.approx(alone.high * 8 / 15, rel=0.02)
    predictions.start_predictions(cascade, 4, **TEST, accept_micro_usd=both.high)
    assert money(cascade, CostKind.RESERVATION) == both.high
    predictions.drive_predictions(cascade)
    assert run(cascade).status == "succeeded"


def test_a_run_in_which_nothing_would_leave_is_free(cascade):
    even = [i + 1 for i in range(0, 20, 2)]
    quote = predictions.quote_predictions(cascade, 4, article_ids=even)
    assert (quote.missing, quote.high, quote.cost) == (10, 0, None)
    ended = run(cascade, predictions.start_predictions(cascade, 4, article_ids=even))
    predictions.drive_predictions(cascade)
    assert (run(cascade, ended.id).answered, money(cascade)) == (10, 0)


def test_what_both_parts_have_answered_is_composed_and_never_asked_anew(cascade, vendor):
    predict(cascade, SECOND, **TEST)
    workflows.evaluate(cascade, FIRST, 1)
    asked = vendor.asker.asked.total()
    quote = predictions.quote_predictions(cascade, 4, **TEST)
    assert (quote.missing, quote.stored) == (0, 15)
    with pytest.raises(Refused, match="has answered all of these articles already"):
        predictions.start_predictions(cascade, 4, **TEST, accept_micro_usd=0)
    assert (len(stored(cascade, 4)), vendor.asker.asked.total()) == (15, asked)


def test_answers_that_the_second_part_gave_after_the_run_was_queued_are_not_paid_twice(cascade, vendor):
    workflows.evaluate(cascade, FIRST, 1)
    queued = predictions.start_predictions(cascade, 4, **TEST, accept_micro_usd=10**9)
    predict(cascade, SECOND, **TEST)
    predictions.drive_predictions(cascade, queued)
    assert (run(cascade, queued).status, run(cascade, queued).answered) == ("succeeded", 8)
    assert set(vendor.asker.asked.values()) == {1}


def test_an_evaluation_composes_the_stored_answers_of_both_parts(cascade, vendor):
    predict(cascade, SECOND, **TEST)
    asked = vendor.asker.asked.total()
    report = workflows.evaluate(cascade, 4, 1)
    assert (report["n"], report["accuracy"], vendor.asker.asked.total()) == (15, 1, asked)
    first, second = (row_of(cascade, 4, i) for i in (76, 77))
    assert (first.sentiment, first.confidence, first.rationale) == (CLASSES[76 % 3], 90, "from here")
    assert (second.sentiment, second.confidence, second.rationale) == (CLASSES[77 % 3], 80, "because")
    assert (first.prompt_tokens, second.prompt_tokens, second.completion_tokens) == (0, 400, 50)
    assert second.latency_ms == pytest.approx(row_of(cascade, FIRST, 77).latency_ms + 5.0)


def row_of(app, model_id, i):
    with reading(app.engine) as session:
        query = select(Prediction).where(Prediction.model_id == model_id, Prediction.article_id == i + 1)
        return session.exec(query).one()


def test_a_composed_latency_is_unknown_where_an_answer_of_the_second_was_not_timed(cascade):
    """A batch is not timed: the first part's few milliseconds alone would pass for the cascade's."""
    predict(cascade, SECOND, **TEST)
    with writing(cascade.engine) as session:
        for row in session.exec(select(Prediction).where(Prediction.model_id == SECOND)):
            row.latency_ms = None
        session.commit()
    assert workflows.evaluate(cascade, 4, 1)["latency_ms"] is None


def test_a_cascade_is_not_scored_on_the_easy_articles_alone(cascade, vendor):
    with pytest.raises(
        Refused, match=r"no answer yet about 8 of the 15 .*Start a prediction run of cascade-"
    ):
        workflows.evaluate(cascade, 4, 1)
    queued = predictions.start_predictions(cascade, SECOND, **TEST, accept_micro_usd=10**9)
    predictions.cancel_predictions(cascade, queued)
    with pytest.raises(Refused, match="no answer yet about 8 of the 15"):
        workflows.evaluate(cascade, 4, 1)
    assert vendor.asker.asked.total() == 0


def test_questions_that_failed_are_missing_for_good_as_of_any_model(cascade, vendor):
    vendor.asker.script = lambda each: bad(Failure.NOT_JSON) if number(each.title) < 80 else second_says(each)
    predict(cascade, SECOND, **TEST)
    report = workflows.evaluate(cascade, 4, 1)
    assert (report["asked"], report["n"]) == (15, 12)  # 75, 77 and 79 were asked in vain


def test_a_cascade_of_two_free_models_answers_by_itself(cascade):
    with writing(cascade.engine) as session:
        session.add(local_model("local-2"))
        session.commit()
    model_id = workflows.create_cascade(cascade, FIRST, 5, 70, 1)
    assert version(cascade, model_id).params["remote"] is False
    assert predictions.quote_predictions(cascade, model_id, **TEST).high == 0
    assert predict(cascade, model_id, **VALIDATION).answered == 15
    assert workflows.evaluate(cascade, model_id, 1)["n"] == 15
    assert {row.prompt_tokens for row in stored(cascade, model_id)} == {None}


def test_a_batch_of_a_cascade_is_refused_with_what_helps(cascade):
    quote = predictions.quote_predictions(cascade, 4, **TEST, mode=RunMode.BATCH)
    assert "Start a batch of its second part instead" in quote.remedy
    with pytest.raises(Refused, match="one article at a time"):
        predictions.start_predictions(cascade, 4, **TEST, mode=RunMode.BATCH, accept_micro_usd=10**9)


def test_a_run_whose_part_cannot_answer_any_more_ends_with_its_sentence(cascade, vendor):
    queued = predictions.start_predictions(cascade, 4, **TEST, accept_micro_usd=10**9)
    vendor.asker = ProviderBlocked(VENDOR, "no key is set", "Set OPENAI_API_KEY")
    predictions.drive_predictions(cascade, queued)
    ended = run(cascade, queued)
    assert (ended.status, "no key is set" in ended.error, held(cascade)) == ("blocked", True, 0)


def test_a_cascade_whose_part_is_gone_says_so(cascade):
    with writing(cascade.engine) as session:
        session.delete(session.get(ModelVersion, FIRST))
        session.commit()
    with pytest.raises(Refused, match=r"A part of cascade-.* was deleted"):
        answering.load_predictor(cascade, version(cascade, 4))


def test_a_cascade_whose_parts_provider_is_not_set_up_any_more_says_so(cascade):
    del cascade.providers["here"]
    with pytest.raises(Refused, match="local-1 has stored predictions only"):
        answering.load_predictor(cascade, version(cascade, 4))


def test_lost_requests_count_by_the_price_of_what_was_to_leave(cascade, vendor):
    """The estimate is about 8 of the 15 articles: the share of a lost one is an eighth, not a fifteenth."""
    queued = predictions.start_predictions(cascade, 4, **TEST, accept_micro_usd=10**9)
    with writing(cascade.engine) as session:
        [item, *_] = prediction_runs.next_items(session, queued, after=-1, limit=1)
        model = session.get(ModelVersion, 4)
        prediction_runs.record(session, run(cascade, queued), model, [], [item], now=NOW)
        session.commit()
    vendor.asker = ProviderBlocked(VENDOR, "no key is set", "Set OPENAI_API_KEY")
    predictions.drive_predictions(cascade, queued)
    assert money(cascade) == -(-run(cascade, queued).estimate_micro_usd // 8)


def test_a_champion_cascade_pays_for_a_question_only_where_the_first_part_is_unsure(cascade, vendor):
    workflows.promote(cascade, 4, Target.SENTIMENT, "cheaper")
    answers.answer(cascade, Question(article(2)["title"]), None)
    assert (money(cascade), vendor.asker.asked.total()) == (0, 0)
    answers.answer(cascade, Question(article(3)["title"]), None)
    assert (money(cascade), vendor.asker.asked.total(), held(cascade)) == (PRICE, 1, 0)


def test_an_empty_budget_does_not_stop_what_a_cascade_answers_here(cascade):
    workflows.promote(cascade, 4, Target.SENTIMENT, "cheaper")
    cap(cascade, 0)
    assert answers.answer(cascade, Question(article(2)["title"]), None)["reason"].startswith("from here")
    with pytest.raises(Refused, match="budget"):
        answers.answer(cascade, Question(article(3)["title"]), None)
    assert entries(cascade) == []


def test_the_mean_article_of_a_cascade_holds_those_that_took_no_tokens(cascade):
    predict(cascade, 4, **TEST)
    with reading(cascade.engine) as session:
        use = {each.model.id: each for each in cost_queries.model_use(session)}
    assert (use[4].n, use[4].priced_as) == (15, MODEL)
    assert use[4].prompt_tokens == pytest.approx(400 * 8 / 15)


def test_composing_again_changes_nothing(cascade):
    predict(cascade, SECOND, **TEST)
    workflows.evaluate(cascade, FIRST, 1)
    with writing(cascade.engine) as session:
        model = session.get(ModelVersion, 4)
        first, again = (compose(session, model, range(76, 91), now=NOW) for _ in range(2))
    assert (first, again, len(stored(cascade, 4))) == (15, 0, 15)


def test_the_models_page_says_what_a_cascade_is_made_of_and_what_asking_it_would_cost(cascade):
    registry = visit("models", models_target=Target.SENTIMENT)
    assert not registry.exception
    words = " ".join(words_on(registry))
    assert "cascade\\-gpt\\-4\\.1\\-mini\\-at\\-70" in words
    assert "local\\-1" in words
    scores = visit("models", "Evaluation", models_target=Target.SENTIMENT)
    assert not scores.exception
    usd = written(predictions.quote_predictions(cascade, 4, **TEST).likely)
    assert f"Ask about 15 articles for about {usd}" in [button.label for button in scores.button]
    assert "batch" not in " ".join(words_on(scores))
