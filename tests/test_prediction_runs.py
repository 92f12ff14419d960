"""Prediction runs over a scripted vendor: each article at most once, every cent written down."""

from _thread import interrupt_main
from collections import Counter
from datetime import UTC, date, datetime
from itertools import count
from threading import Event, Thread

import pytest
from sqlmodel import select

from core.db import insert_new, reading, writing
from core.domain.types import CostKind, Failure, RunMode, Split
from core.errors import NotFound, ProviderBlocked, Refused
from core.models import ModelVersion, Prediction, PredictionItem
from core.providers.base import Usage
from core.queries import predictions as queries
from core.services import prediction_runs
from core.workflows import predictions, scoring
from core.workflows.answering import load_predictor, tariff
from tests.predicting import (
    MODEL,
    PRICE,
    VENDOR,
    Clock,
    Killed,
    PaidVendor,
    at_request,
    bad,
    begin,
    cap,
    die,
    entries,
    good,
    held,
    is_whole,
    items,
    money,
    run,
    run_to_the_end,
    stored,
    tally,
)

pytestmark = pytest.mark.vendors

TEST = {"dataset_id": 1, "split": Split.TEST}


@pytest.fixture
def vendor(seeded):
    made = PaidVendor()
    seeded.providers[VENDOR] = made
    return made


@pytest.fixture
def asked(seeded, vendor):
    """The seeded application with model 2: few-shot at a paid vendor."""
    assert predictions.create_few_shot(seeded, VENDOR, MODEL) == 2
    seeded.now = Clock()
    return seeded


# --- the price ---------------------------------------------------------------------------------------


def test_a_quote_says_how_many_are_missing_and_what_they_cost(asked, vendor):
    quote = predictions.quote_predictions(asked, 2, **TEST)
    assert (quote.missing, quote.stored, quote.problem) == (15, 0, "")
    assert 0 < quote.low < quote.likely < quote.high < 15_000
    assert quote.cost.tokens_out.high == 15 * vendor.asker.max_answer_tokens
    assert vendor.asker.asked == Counter()


def test_what_is_answered_is_no_longer_in_the_quote(asked):
    run_to_the_end(asked, **TEST)
    quote = predictions.quote_predictions(asked, 2, dataset_id=1)
    assert (quote.missing, quote.stored) == (75, 15)


def test_nothing_is_asked_without_an_agreement_to_the_price(asked, vendor):
    high = predictions.quote_predictions(asked, 2, **TEST).high
    for agreed in (None, high - 1):
        with pytest.raises(Refused, match=r"15 articles may cost \$0\.00\d+ to \$0\.0"):
            predictions.start_predictions(asked, 2, **TEST, accept_micro_usd=agreed)
    assert (run(asked), entries(asked, CostKind.RESERVATION)) == (None, [])
    assert predictions.start_predictions(asked, 2, **TEST, accept_micro_usd=high) == 1


def test_a_model_without_a_price_is_not_asked(asked):
    unpriced = predictions.create_few_shot(asked, VENDOR, "model-nobody-knows")
    quote = predictions.quote_predictions(asked, unpriced, **TEST)
    assert (quote.low, quote.likely, quote.high) == (None, None, None)
    with pytest.raises(Refused, match=r"No price is known .* Enter it on the Costs page"):
        predictions.start_predictions(asked, unpriced, **TEST, accept_micro_usd=10**9)


def test_a_run_beyond_the_budget_is_not_queued(asked):
    cap(asked, 100)
    with pytest.raises(Refused, match="of the month's budget"):
        begin(asked)
    assert (run(asked), entries(asked, CostKind.ESTIMATE)) == (None, [])


def test_the_upper_end_is_reserved_with_the_run(asked):
    begin(asked)
    assert held(asked) == predictions.quote_predictions(asked, 2, **TEST).high
    assert run(asked).estimate_micro_usd == money(asked, CostKind.ESTIMATE)


# --- asking ------------------------------------------------------------------------------------------


def test_every_article_is_asked_once_and_its_answer_is_kept(asked, vendor):
    ended = run_to_the_end(asked, **TEST)
    assert (ended.status, ended.answered, ended.failed, ended.total) == ("succeeded", 15, 0, 15)
    assert (len(vendor.asker.asked), set(vendor.asker.asked.values())) == (15, {1})
    row = stored(asked)[0]
    assert (row.request_id, row.prompt_tokens, row.completion_tokens, row.answered_by) == ("", 400, 50, MODEL)
    assert (row.sentiment, row.confidence, row.rationale, row.latency_ms) == ("positive", 80, "because", 5)
    assert is_whole(asked)


def test_each_request_is_billed_by_its_own_tokens_and_the_rest_given_back(asked):
    run_to_the_end(asked, **TEST)
    assert [entry.micro_usd for entry in entries(asked)] == [PRICE] * 15
    assert held(asked) == 0
    entry = entries(asked)[0]
    assert entry.detail["usd_per_million"] == {"input": "0.40", "output": "1.60"}
    assert (entry.detail["prompt_tokens"], entry.detail["as_of"]) == (400, "2026-11-22")
    assert (entry.reference, entry.purpose, entry.model) == (run(asked).key, "inference", MODEL)


def test_play_money_is_marked_in_every_row(asked, vendor):
    vendor.simulated = True
    assert run_to_the_end(asked, **TEST).simulated
    assert {entry.simulated for kind in CostKind for entry in entries(asked, kind)} == {True}


def test_a_stored_answer_is_never_paid_for_again(asked, vendor):
    run_to_the_end(asked, **TEST)
    run_to_the_end(asked, dataset_id=1)
    assert (len(vendor.asker.asked), set(vendor.asker.asked.values())) == (90, {1})
    with pytest.raises(Refused, match="has answered all of these articles already"):
        begin(asked)


def test_a_second_click_joins_the_first_run(asked):
    assert begin(asked) == begin(asked)
    assert len(entries(asked, CostKind.RESERVATION)) == 1


def test_runs_of_one_model_follow_each_other_and_share_their_answers(asked, vendor):
    first, second = begin(asked, **TEST), begin(asked, dataset_id=1)
    assert predictions.drive_predictions(asked, second) is None
    predictions.drive_predictions(asked, first)
    predictions.drive_predictions(asked, second)
    assert set(vendor.asker.asked.values()) == {1}
    assert (run(asked, second).answered, run(asked, second).total) == (90, 90)
    assert money(asked) == 90 * PRICE
    assert held(asked) == 0


def test_an_article_is_marked_as_sent_before_its_request_leaves(asked, vendor):
    seen = []

    def script(text):
        with reading(asked.engine) as session:
            item = session.get(PredictionItem, 1)
            seen.append(item.state)
        return good(text.title)

    vendor.asker.script = script
    begin(asked, article_ids=[5])
    predictions.drive_predictions(asked)
    assert (seen, items(asked)) == (["sent"], [("ok", None)])


def test_no_more_requests_fly_at_a_time_than_allowed(asked, vendor):
    asked.settings.keys.provider_concurrency = 4
    vendor.asker.delay_s = 0.1
    run_to_the_end(asked, **TEST)
    assert vendor.asker.peak == 4


def test_requests_keep_to_the_limit_of_a_minute(asked, vendor):
    asked.settings.keys.requests_per_minute = 2_400  # 40 at once, then 39 a second
    sent_at = []
    vendor.asker.script = lambda text: sent_at.append(predictions.monotonic()) or good(text.title)
    run_to_the_end(asked, dataset_id=1, split=Split.TRAIN)
    assert max(sent_at) - min(sent_at) > 0.4


def test_an_over_long_article_is_not_sent(asked, vendor):
    vendor.asker.messages = lambda text: [{"content": "가" * 90_000}]
    ended = run_to_the_end(asked, **TEST)
    assert (ended.failed, tally(asked), vendor.asker.asked) == (15, {"TOO_LONG": 15}, Counter())
    assert money(asked) == 0


def test_a_local_model_answers_in_the_same_run_for_nothing(seeded):
    seeded.settings.keys.requests_per_minute = 1
    local = predictions.create_few_shot(seeded, "scripted", "base")
    run_id = predictions.start_predictions(seeded, local, dataset_id=1)
    predictions.drive_predictions(seeded, run_id)
    assert (run(seeded).answered, len(stored(seeded)), entries(seeded)) == (90, 90, [])
    assert sum(row.latency_ms is not None for row in stored(seeded)) == 50


def test_a_run_whose_every_answer_is_as_long_as_allowed_ends_within_its_price(asked, vendor):
    quote = predictions.quote_predictions(asked, 2, dataset_id=1)
    in_each = quote.cost.tokens_in.likely // 90
    vendor.asker.script = lambda text: good(text.title, usage=Usage(in_each, 400))
    cap(asked, quote.high)
    predictions.start_predictions(asked, 2, dataset_id=1, accept_micro_usd=quote.high)
    predictions.drive_predictions(asked, 1)
    assert (run(asked).status, run(asked).answered) == ("succeeded", 90)
    assert 90 * 640 < money(asked) <= quote.high


@pytest.mark.parametrize("limit", ["price", "budget"])
def test_a_run_stops_before_it_spends_more_than_was_agreed_to_or_the_budget(asked, vendor, limit):
    vendor.asker.script = lambda text: good(text.title, usage=Usage(400, 2_000))
    high = predictions.quote_predictions(asked, 2, dataset_id=1).high
    if limit == "budget":
        cap(asked, high)
    agreed = high if limit == "price" else 10**9
    predictions.start_predictions(asked, 2, dataset_id=1, accept_micro_usd=agreed)
    predictions.drive_predictions(asked, 1)
    assert (run(asked).status, is_whole(asked), held(asked)) == ("blocked", True, 0)
    assert ("agreed to" if limit == "price" else "month's budget") in run(asked).error
    assert high // 2 < money(asked) <= high
    assert len(stored(asked)) == run(asked).answered > 10


def test_what_was_spent_before_a_pause_counts_against_the_price(asked, vendor):
    vendor.asker.script, vendor.asker.delay_s = at_request(20, interrupt_main), 0.01
    high = predictions.quote_predictions(asked, 2, dataset_id=1).high
    predictions.start_predictions(asked, 2, dataset_id=1, accept_micro_usd=high)
    with pytest.raises(KeyboardInterrupt):
        predictions.drive_predictions(asked)
    vendor.asker.script, vendor.asker.delay_s = lambda text: good(text.title, usage=Usage(400, 2_000)), 0.0
    predictions.drive_predictions(asked)
    assert (run(asked).status, money(asked) <= high) == ("blocked", True)


# --- failures ----------------------------------------------------------------------------------------


def test_a_failed_article_says_why_and_the_others_are_answered(asked, vendor):
    vendor.asker.script = lambda text: bad(Failure.DECLINED) if "8" in text.title else good(text.title)
    ended = run_to_the_end(asked, **TEST)
    assert (ended.status, ended.answered + ended.failed) == ("succeeded", 15)
    assert tally(asked)["DECLINED"] == ended.failed > 0
    with reading(asked.engine) as session:
        failed = select(PredictionItem.detail).where(PredictionItem.failure == "DECLINED")
        assert set(session.exec(failed)) == {"seen: DECLINED"}
        assert queries.run_card(session, 1).failures == {"DECLINED": ended.failed}


def test_failed_articles_are_asked_again_in_a_new_run_at_a_new_price(asked, vendor):
    vendor.asker.script = lambda text: bad(Failure.EMPTY) if "8" in text.title else good(text.title)
    failed = run_to_the_end(asked, **TEST).failed
    vendor.asker.script = lambda text: good(text.title)
    with pytest.raises(Refused, match=f"{failed} articles may cost"):
        predictions.retry_failed(asked, 1)
    again = predictions.retry_failed(asked, 1, accept_micro_usd=10**9)
    predictions.drive_predictions(asked, again)
    assert (run(asked, again).answered, max(vendor.asker.asked.values())) == (failed, 2)
    assert len(stored(asked)) == 15


def test_a_run_under_way_cannot_be_retried(asked):
    with pytest.raises(Refused, match="still under way"):
        predictions.retry_failed(asked, begin(asked))


def test_a_run_without_a_single_answer_has_failed(asked, vendor):
    vendor.asker.script = lambda _text: bad(Failure.NOT_JSON, billed=True)
    ended = run_to_the_end(asked, **TEST)
    assert (ended.status, ended.failed) == ("failed", 15)
    assert "most often: NOT_JSON" in ended.error


def test_a_failed_answer_is_billed_where_the_vendor_bills_it(asked, vendor):
    vendor.asker.script = lambda text: bad(Failure.NOT_JSON, billed=True, usage=good("").usage)
    run_to_the_end(asked, **TEST)
    assert money(asked) == 15 * PRICE


def test_a_lost_answer_counts_as_billed_at_its_estimate(asked, vendor):
    vendor.asker.script = lambda _text: bad(Failure.TIMEOUT, billed=None)
    run_to_the_end(asked, **TEST)
    assert all(entry.detail["estimated"] for entry in entries(asked))
    assert (len(entries(asked)), held(asked)) == (15, 0)
    assert 15 * 100 < money(asked) < 15 * 400
    with reading(asked.engine) as session:
        assert queries.run_card(session, 1).estimated


@pytest.mark.parametrize("failure", [Failure.KEY_REFUSED, Failure.NOT_AVAILABLE])
def test_a_wrong_key_or_model_stops_the_run_after_three_requests(asked, vendor, failure):
    vendor.asker.script = lambda _text: bad(failure)
    ended = run_to_the_end(asked, dataset_id=1)
    assert (ended.status, vendor.asker.asked.total(), ended.failed) == ("blocked", 3, 90)
    assert tally(asked) == {failure: 90}
    assert (money(asked), held(asked)) == (0, 0)
    assert f"3 failures of the same kind in a row ({failure})" in ended.error


def test_refusals_of_several_kinds_stop_the_run_as_soon(asked, vendor):
    kinds = count()
    vendor.asker.script = lambda _text: bad((Failure.KEY_REFUSED, Failure.NOT_AVAILABLE)[next(kinds) % 2])
    ended = run_to_the_end(asked, dataset_id=1)
    assert (ended.status, vendor.asker.asked.total(), is_whole(asked)) == ("blocked", 3, True)


def test_a_vendor_that_is_down_is_not_asked_about_every_article(asked, vendor):
    vendor.asker.script = lambda _text: bad(Failure.NO_CONNECTION)
    ended = run_to_the_end(asked, dataset_id=1)
    assert ended.status == "blocked"
    assert vendor.asker.asked.total() < 40
    assert is_whole(asked)


def test_failures_of_single_texts_never_stop_a_run(asked, vendor):
    vendor.asker.script = lambda _text: bad(Failure.WRONG_SENTIMENT)
    assert run_to_the_end(asked, article_ids=range(1, 31)).status == "failed"
    assert vendor.asker.asked.total() == 30


def test_an_answer_by_a_dearer_model_is_billed_at_that_models_price(asked, vendor):
    vendor.asker.script = lambda text: good(text.title, answered_by="gpt-4.1-2025-04-14")
    run_to_the_end(asked, article_ids=[1])
    assert money(asked) == 400 * 2 + 50 * 8


def test_a_provider_that_lost_its_key_ends_the_run_with_its_sentence(asked, vendor):
    begin(asked)
    vendor.asker = ProviderBlocked("OpenAI", "there is no key", "Set OPENAI_API_KEY")
    predictions.drive_predictions(asked)
    assert (run(asked).status, tally(asked)) == ("blocked", {"NOT_AVAILABLE": 15})
    assert "Set OPENAI_API_KEY" in run(asked).error
    quote = predictions.quote_predictions(asked, 2, **TEST)
    assert (quote.problem, quote.remedy, quote.high) == ("there is no key", "Set OPENAI_API_KEY", None)


def test_imported_answers_cannot_be_added_to(asked):
    with pytest.raises(Refused, match="stored predictions only"):
        predictions.start_predictions(asked, 1, article_ids=[])


@pytest.mark.parametrize("wish", [{"dataset_id": 9}, {"article_ids": [4711]}])
def test_what_is_not_there_cannot_be_predicted(asked, wish):
    with pytest.raises(NotFound):
        begin(asked, **wish)


# --- stopping and going on ---------------------------------------------------------------------------


def test_a_cancelled_run_stops_and_keeps_what_was_answered(asked, vendor):
    vendor.asker.script = at_request(20, lambda: predictions.cancel_predictions(asked, 1))
    ended = run_to_the_end(asked, dataset_id=1)
    assert (ended.status, is_whole(asked)) == ("cancelled", True)
    assert 20 <= ended.answered == len(stored(asked)) < 60
    assert (money(asked), held(asked)) == (ended.answered * PRICE, 0)


def test_a_waiting_run_is_cancelled_at_once_and_an_ended_one_not_at_all(asked, vendor):
    predictions.cancel_predictions(asked, begin(asked))
    assert (run(asked).status, held(asked), vendor.asker.asked) == ("cancelled", 0, Counter())
    with pytest.raises(Refused, match="has ended already"):
        predictions.cancel_predictions(asked, 1)


def test_a_run_stops_where_the_budget_is_used_up_and_can_be_gone_on_with(asked, vendor):
    asked.settings.keys.provider_concurrency = 2  # windows of eight
    vendor.asker.delay_s = 0.01  # so that others get the write lock

    vendor.asker.script = at_request(10, lambda: cap(asked, 1))
    ended = run_to_the_end(asked, dataset_id=1)
    assert (ended.status, is_whole(asked)) == ("blocked", True)
    assert "Raise the budget on the Costs page" in ended.error
    assert (money(asked), held(asked)) == (ended.answered * PRICE, 0)
    assert 10 <= ended.answered < 60
    cap(asked, 10**8)
    vendor.asker.script = lambda text: good(text.title)
    predictions.drive_predictions(asked, predictions.retry_failed(asked, 1, accept_micro_usd=10**9))
    assert (len(stored(asked)), set(vendor.asker.asked.values())) == (90, {1})


def test_what_was_sent_when_the_program_died_is_never_sent_again_by_itself(asked, vendor):
    vendor.asker.script = at_request(20, die)
    with pytest.raises(Killed):
        run_to_the_end(asked, dataset_id=1)
    vendor.asker.script = lambda text: good(text.title)
    before = tally(asked)
    assert before["sent"] >= 1
    assert predictions.drive_predictions(asked) is None  # its lease still holds
    asked.now.forward(minutes=4)
    predictions.drive_predictions(asked)
    assert set(vendor.asker.asked.values()) == {1}
    assert tally(asked) == {"ok": 90 - before["sent"], "INTERRUPTED": before["sent"]}
    assert (is_whole(asked), held(asked)) == (True, 0)
    lost = [entry for entry in entries(asked) if entry.detail.get("estimated")]
    assert len(lost) == before["sent"]


def test_what_was_sent_counts_as_billed_though_the_provider_is_gone(asked, vendor):
    vendor.asker.script = at_request(20, die)
    with pytest.raises(Killed):
        run_to_the_end(asked, dataset_id=1)
    before, spent = tally(asked), money(asked)
    del asked.providers[VENDOR]
    asked.now.forward(minutes=4)
    predictions.drive_predictions(asked)
    left = {"ok": before["ok"], "INTERRUPTED": before["sent"], "NOT_AVAILABLE": before["pending"]}
    assert (run(asked).status, tally(asked), is_whole(asked), held(asked)) == ("blocked", left, True, 0)
    [lost] = [entry for entry in entries(asked) if entry.detail.get("estimated")]
    assert (lost.detail["requests"], money(asked) - spent) == (before["sent"], lost.micro_usd)
    assert lost.micro_usd == -(-run(asked).estimate_micro_usd * before["sent"] // 90)


def test_prices_are_those_of_the_day_in_seoul(asked):
    asked.now = lambda: datetime(2026, 12, 31, 20, tzinfo=UTC)
    with reading(asked.engine) as session:
        model = session.get_one(ModelVersion, 2)
        assert tariff(asked, session, model, load_predictor(asked, model)).on == date(2027, 1, 1)


def test_a_driver_that_lost_its_lease_writes_nothing_more(asked, vendor):
    first, second = Event(), Event()

    def script(text):
        first.set()
        second.wait(5)
        return good(text.title)

    vendor.asker.script = script
    begin(asked, article_ids=[1])
    slow = Thread(target=predictions.drive_predictions, args=(asked, 1))
    slow.start()
    first.wait(5)
    asked.now.forward(minutes=4)
    predictions.drive_predictions(asked)
    second.set()
    slow.join()
    assert (items(asked), stored(asked)) == ([("failed", "INTERRUPTED")], [])
    assert (vendor.asker.asked.total(), len(entries(asked))) == (1, 1)


def test_eight_drivers_at_once_ask_each_article_once(asked, vendor):
    vendor.asker.delay_s = 0.002
    begin(asked, dataset_id=1)
    drivers = [Thread(target=predictions.drive_predictions, args=(asked,)) for _ in range(8)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    assert (len(vendor.asker.asked), set(vendor.asker.asked.values())) == (90, {1})
    assert (is_whole(asked), money(asked)) == (True, 90 * PRICE)


def test_a_run_is_driven_in_slices_and_handed_back_in_between(asked, vendor):
    vendor.asker.delay_s = 0.1
    begin(asked, dataset_id=1)
    predictions.drive_predictions(asked, for_s=0.3)
    between = run(asked)
    assert (between.status, between.lease_owner) == ("running", None)
    assert 0 < between.answered < 90
    assert tally(asked)["sent"] == 0
    assert predictions.follow_predictions(asked) == "prediction run 1 succeeded: 90 answered, 0 failed"
    assert set(vendor.asker.asked.values()) == {1}
    assert predictions.follow_predictions(asked) == ""


def test_runs_of_different_models_take_turns(asked, vendor):
    vendor.asker.delay_s = 0.05
    begin(asked, dataset_id=1)
    other = predictions.create_few_shot(asked, VENDOR, "gpt-4.1")
    predictions.start_predictions(asked, other, dataset_id=1, accept_micro_usd=10**9)
    driven = []
    for _ in range(4):
        asked.now.forward(seconds=3)
        driven.append(predictions.drive_predictions(asked, for_s=0.01))
    assert driven == [1, 2, 1, 2]


def test_ctrl_c_keeps_what_is_under_way_and_the_rest_can_be_gone_on_with(asked, vendor):
    vendor.asker.script = at_request(20, interrupt_main)
    vendor.asker.delay_s = 0.02
    begin(asked, dataset_id=1)
    with pytest.raises(KeyboardInterrupt):
        predictions.drive_predictions(asked)
    between = run(asked)
    assert (between.status, between.lease_owner) == ("running", None)
    assert between.answered == len(stored(asked)) >= 19
    predictions.drive_predictions(asked)
    assert (len(vendor.asker.asked), set(vendor.asker.asked.values())) == (90, {1})
    assert is_whole(asked)


def test_waiting_for_a_run_drives_what_stands_before_it(asked):
    begin(asked)
    second = begin(asked, dataset_id=1)
    assert predictions.wait_for_predictions(asked, second).answered == 90
    assert run(asked, 1).answered == 15


def test_an_answer_that_came_by_another_way_is_not_asked_for(asked, vendor):
    begin(asked)
    with reading(asked.engine) as session:
        ids = prediction_runs.missing(session, prediction_runs.Wish(2, 1, Split.TEST)).article_ids
    with writing(asked.engine) as session:
        row = {"article_id": ids[0], "model_id": 2, "sentiment": "neutral", "created_at": asked.now()}
        insert_new(session, Prediction, [row])
        session.commit()
    predictions.drive_predictions(asked)
    assert (vendor.asker.asked.total(), run(asked).answered) == (14, 15)


# --- scoring never spends ----------------------------------------------------------------------------


def test_scoring_a_paid_model_asks_nothing_and_names_the_run_that_would(asked, vendor):
    with pytest.raises(
        Refused, match=r"has not answered any of the 15 .* prediction run .*\(it may cost \$0"
    ):
        scoring.evaluate(asked, 2, 1)
    assert (vendor.asker.asked, entries(asked)) == (Counter(), [])


def test_a_paid_model_is_scored_on_what_it_has_answered(asked, vendor):
    vendor.asker.script = lambda text: bad(Failure.EMPTY) if "8" in text.title else good(text.title)
    answered = run_to_the_end(asked, **TEST).answered
    asked_before = vendor.asker.asked.total()
    report = scoring.evaluate(asked, 2, 1)
    assert (report["n"], report["asked"]) == (answered, 15)
    assert scoring.compare(asked, 1, 2, 1)["coverage"] == {"asked": 15, "both_answered": answered}
    assert vendor.asker.asked.total() == asked_before


def test_a_paid_model_is_not_let_loose_on_a_file(asked, vendor, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("title,label\na,positive\n")
    with pytest.raises(Refused, match="scoring never asks there by itself"):
        scoring.evaluate_file(asked, 2, table)
    assert vendor.asker.asked == Counter()


def test_a_batch_needs_a_batch_service(asked, vendor):
    vendor.batcher = None
    quote = predictions.quote_predictions(asked, 2, **TEST, mode=RunMode.BATCH)
    assert "has no batch service" in quote.problem
