"""Single answers of a paid champion: held, asked once, settled."""

from threading import Thread

import pytest
from sqlmodel import select

from core.db import reading
from core.domain.question import Question
from core.domain.types import CostKind, Failure, Target
from core.errors import NotFound, ProviderFailed, Refused
from core.models import Champion, Prediction
from core.providers.base import Usage
from core.workflows import answers, predictions, promotion
from tests.predicting import (
    MODEL,
    PRICE,
    VENDOR,
    Clock,
    Killed,
    PaidVendor,
    bad,
    cap,
    die,
    entries,
    good,
    held,
    money,
)

QUESTION = Question("금리 인하", "본문이다")


@pytest.fixture
def vendor(seeded):
    made = PaidVendor()
    seeded.providers[VENDOR] = made
    return made


@pytest.fixture
def app(seeded, vendor):
    model_id = predictions.create_few_shot(seeded, VENDOR, MODEL)
    promotion.promote(seeded, model_id, Target.SENTIMENT, "it answers")
    seeded.now = Clock()
    return seeded


def test_an_answer_is_billed_by_its_tokens_and_the_rest_given_back(app):
    assert answers.answer(app, QUESTION, None)["sentiment"] == "positive"
    assert ([entry.micro_usd for entry in entries(app)], held(app)) == ([PRICE], 0)
    assert entries(app)[0].reference.startswith("answer-")


def test_an_answer_is_kept_with_its_tokens_and_who_gave_it(app):
    answers.answer(app, QUESTION, None)
    with reading(app.engine) as session:
        kept = session.exec(select(Prediction).where(Prediction.model_id == 2)).one()
    assert (kept.prompt_tokens, kept.completion_tokens, kept.answered_by) == (400, 50, MODEL)
    assert entries(app)[0].reference == f"answer-{kept.request_id}"


def test_a_trial_is_paid_and_not_kept(app):
    assert predictions_of(app) == 0
    answers.predict_text(app, "금리 인하", None)
    assert (predictions_of(app), money(app)) == (0, PRICE)


def predictions_of(app):
    with reading(app.engine) as session:
        return len(session.exec(select(Prediction).where(Prediction.model_id == 2)).all())


def test_beyond_the_budget_nothing_is_asked(app, vendor):
    cap(app, 10)
    with pytest.raises(Refused, match="of the month's budget"):
        answers.answer(app, QUESTION, None)
    assert (vendor.asker.asked.total(), entries(app, CostKind.RESERVATION)) == (0, [])


def test_eight_questions_at_once_never_pass_the_cap(app, vendor):
    quote = 3 * 700
    cap(app, quote)
    vendor.asker.delay_s = 0.05

    def ask():
        try:
            answers.answer(app, QUESTION, None)
        except Refused:
            return

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < money(app) <= quote
    assert held(app) == 0


def test_a_model_without_a_price_is_not_asked(app, vendor):
    unheard_of = predictions.create_few_shot(app, VENDOR, "unheard-of")
    promotion.promote(app, unheard_of, Target.SENTIMENT, "why not", override=True)
    with pytest.raises(Refused, match="No price is known"):
        answers.answer(app, QUESTION, None)
    assert vendor.asker.asked.total() == 0


@pytest.mark.parametrize(
    ("reply", "cost"),
    [
        (bad(Failure.KEY_REFUSED), 0),
        (bad(Failure.NOT_JSON, billed=True, usage=good("").usage), PRICE),
    ],
)
def test_a_failed_answer_is_said_and_billed_only_where_the_vendor_does(app, vendor, reply, cost):
    vendor.asker.script = lambda _text: reply
    with pytest.raises(ProviderFailed, match=f"no answer came \\({reply.failure}\\)"):
        answers.answer(app, QUESTION, None)
    assert (money(app), held(app), predictions_of(app)) == (cost, 0, 0)


def test_a_lost_answer_counts_at_its_estimate(app, vendor):
    vendor.asker.script = lambda _text: bad(Failure.TIMEOUT, billed=None)
    with pytest.raises(ProviderFailed):
        answers.answer(app, QUESTION, None)
    assert (money(app) > 0, entries(app)[0].detail["estimated"], held(app)) == (True, True, 0)


def test_a_question_whose_program_died_is_closed_at_its_estimate_after_ten_minutes(app, vendor):
    vendor.asker.script = lambda _text: die()
    with pytest.raises(Killed):
        answers.answer(app, QUESTION, None)
    assert (predictions.follow_predictions(app), held(app) > 0) == ("", True)
    app.now.forward(minutes=11)
    assert predictions.follow_predictions(app) == "single answers whose program stopped: 1"
    assert (money(app), held(app)) == (money(app, CostKind.ESTIMATE), 0)
    assert predictions.follow_predictions(app) == ""


def test_a_question_that_was_lost_long_ago_is_closed_too(app, vendor):
    vendor.asker.script = lambda _text: die()
    with pytest.raises(Killed):
        answers.answer(app, QUESTION, None)
    app.now.forward(days=400)
    assert predictions.follow_predictions(app) == "single answers whose program stopped: 1"
    assert held(app) == 0


def test_an_answer_slower_than_the_closing_is_billed_once(app, vendor):
    def slow(text):
        app.now.forward(minutes=11)
        predictions.follow_predictions(app)
        return good(text.title)

    vendor.asker.script = slow
    assert answers.answer(app, QUESTION, None)["sentiment"] == "positive"
    [entry] = entries(app)
    assert (entry.detail["lost"], held(app)) == (True, 0)


def test_an_answer_as_long_as_allowed_costs_no_more_than_was_held(app, vendor):
    seen = []

    def longest(text):
        seen.append(held(app))
        return good(text.title, usage=Usage(40, vendor.asker.max_answer_tokens))

    vendor.asker.script = longest
    answers.answer(app, QUESTION, None)
    assert 640 < money(app) <= seen[0]


def test_a_free_network_model_needs_no_price_and_no_budget(app, vendor):
    vendor.priced = False
    cap(app, 0)
    assert answers.answer(app, QUESTION, None)["confidence"] == 80
    assert entries(app) == []


def test_a_tuned_model_is_asked_and_billed_by_the_vendors_name_for_it(app, vendor):
    from core.db import writing
    from core.models import ModelVersion

    tuned = "ft:gpt-4.1-mini-2025-04-14:org::abc"
    loaded = []
    vendor.load = lambda model: loaded.append(model) or vendor.asker
    vendor.asker.script = lambda text: good(text.title, answered_by=tuned)
    with writing(app.engine) as session:
        session.get(ModelVersion, 2).params = {"remote_model": tuned}
        session.commit()
    answers.answer(app, QUESTION, None)
    assert (loaded[0].remote_model, entries(app)[0].model) == (tuned, tuned)
    assert money(app) == -(-(400 * 8 + 50 * 32) // 10)


def test_no_champion_no_question(app):
    with reading(app.engine) as session:
        assert session.get(Champion, "sentiment").model_id == 2
    with pytest.raises(Refused, match="no champion for the target 'direction'"):
        answers.answer(app, QUESTION, Target.DIRECTION)
    with pytest.raises(NotFound):
        promotion.promote(app, 99, Target.SENTIMENT, "nobody")
