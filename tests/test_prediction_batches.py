"""Prediction runs through a vendor's batch service: sent once, looked at every minute, joined by item."""

from collections import Counter

import pytest
from sqlalchemy import text, update
from sqlmodel import select

from core.db import reading, writing
from core.domain.types import CostKind, Failure, JobStatus, RunMode, Split
from core.errors import FateUnknown, LeaseLost, ProviderBlocked, ProviderUnreachable, Refused
from core.models import Alert, PredictionItem, PredictionRun
from core.providers.base import BatchReport, Usage
from core.workflows import predictions
from tests.predicting import (
    BATCH_PRICE,
    MODEL,
    VENDOR,
    Clock,
    Killed,
    PaidVendor,
    bad,
    begin,
    cap,
    entries,
    good,
    held,
    is_whole,
    items,
    money,
    run,
    tally,
)

pytestmark = pytest.mark.vendors

TEST = {"dataset_id": 1, "split": Split.TEST, "mode": RunMode.BATCH}
LOST = FateUnknown("OpenAI", "the answer was lost", "Look at the vendor's console")


@pytest.fixture
def vendor(seeded):
    made = PaidVendor()
    seeded.providers[VENDOR] = made
    return made


@pytest.fixture
def asked(seeded, vendor):
    assert predictions.create_few_shot(seeded, VENDOR, MODEL) == 2
    seeded.now = Clock()
    begin(seeded, **TEST)
    return seeded


def results(app, reply=None, without=()):
    """Return a report in which every item but some has a reply."""
    with reading(app.engine) as session:
        ids = [str(item.id) for item in session.exec(select(PredictionItem))]
    replies = {item: reply or good("t") for item in ids if int(item) not in without}
    return BatchReport(JobStatus.SUCCEEDED, "completed", replies)


def alerts(app):
    with reading(app.engine) as session:
        return [(alert.rule, alert.state) for alert in session.exec(select(Alert))]


def later(app, **span):
    """Let time pass and the scheduler do its work."""
    app.now.forward(**span or {"seconds": 61})
    return predictions.follow_predictions(app)


def test_a_batch_is_quoted_at_half_the_price(asked):
    direct = predictions.quote_predictions(asked, 2, dataset_id=1)
    batch = predictions.quote_predictions(asked, 2, dataset_id=1, mode=RunMode.BATCH)
    assert batch.likely == pytest.approx(direct.likely / 2, abs=2)


def test_a_batch_goes_out_once_with_every_article_and_its_results_come_home(asked, vendor):
    predictions.follow_predictions(asked)
    assert (run(asked).status, run(asked).handle, tally(asked)) == (
        "running",
        {"job": "batch-1"},
        {"sent": 15},
    )
    [texts] = vendor.batcher.sent
    assert [text.title.split()[2] for _, text in texts] == [str(n) for n in range(75, 90)]
    vendor.batcher.report = results(asked)
    assert later(asked) == "prediction run 1 succeeded: 15 answered, 0 failed"
    assert (len(vendor.batcher.sent), vendor.asker.asked) == (1, Counter())
    assert ([entry.micro_usd for entry in entries(asked)], held(asked)) == ([BATCH_PRICE] * 15, 0)
    assert {entry.purpose for entry in entries(asked)} == {"batch"}


def test_a_vendor_is_asked_about_a_batch_once_a_minute_at_most(asked, vendor):
    for _ in range(5):
        predictions.follow_predictions(asked)
    assert vendor.batcher.looks == 0
    later(asked)
    for _ in range(5):
        predictions.follow_predictions(asked)
    assert (vendor.batcher.looks, run(asked).message) == (1, "in progress")


def test_results_are_joined_by_item_and_what_is_missing_says_so(asked, vendor):
    predictions.follow_predictions(asked)
    report = results(asked, without=(3, 7))
    replies = dict(reversed(report.replies.items())) | {"4711": good("nobody's"), "": good("empty")}
    replies["5"] = bad(Failure.DUPLICATE, billed=True, usage=good("").usage)
    vendor.batcher.report = BatchReport(JobStatus.SUCCEEDED, "completed", replies)
    later(asked)
    assert tally(asked) == {"ok": 12, "MISSING": 2, "DUPLICATE": 1}
    assert (items(asked)[2], items(asked)[4]) == (("failed", "MISSING"), ("failed", "DUPLICATE"))
    guessed = [entry for entry in entries(asked) if entry.detail.get("estimated")]
    assert {entry.detail["article"] for entry in guessed} == {78, 82}  # what is missing may be billed
    assert money(asked) - sum(entry.micro_usd for entry in guessed) == 13 * BATCH_PRICE
    assert (is_whole(asked), held(asked), guessed[0].micro_usd > 0) == (True, 0, True)


def test_what_a_batch_did_not_answer_is_asked_again_as_a_batch(asked, vendor):
    predictions.follow_predictions(asked)
    vendor.batcher.report = results(asked, without=(3, 7))
    later(asked)
    again = predictions.retry_failed(asked, 1, accept_micro_usd=10**9)
    predictions.follow_predictions(asked)
    assert (run(asked, again).mode, len(vendor.batcher.sent[1])) == ("batch", 2)


def test_a_batch_that_ended_early_keeps_what_was_answered_by_then(asked, vendor):
    predictions.follow_predictions(asked)
    partial = results(asked, without=range(1, 11)).replies
    vendor.batcher.report = BatchReport(JobStatus.FAILED, "expired", partial, "The batch expired.")
    later(asked)
    assert (run(asked).status, run(asked).error) == ("failed", "The batch expired.")
    assert tally(asked) == {"ok": 5, "MISSING": 10}


def test_a_crash_while_results_are_written_bills_none_of_them_twice(asked, vendor, monkeypatch):
    from core.workflows import prediction_batch

    monkeypatch.setattr(prediction_batch, "WINDOW", 4)
    predictions.follow_predictions(asked)
    whole = results(asked)

    class Dying(dict):
        def get(self, key, default=None):
            if key == "10":
                raise Killed
            return super().get(key, default)

    vendor.batcher.report = BatchReport(JobStatus.SUCCEEDED, "completed", Dying(whole.replies))
    with pytest.raises(Killed):
        later(asked)
    assert tally(asked) == {"ok": 8, "sent": 7}
    vendor.batcher.report = whole
    later(asked, minutes=4)
    assert (tally(asked), money(asked), held(asked)) == ({"ok": 15}, 15 * BATCH_PRICE, 0)


def test_a_batch_that_may_have_been_sent_is_not_sent_again_and_a_person_is_asked(asked, vendor):
    vendor.batcher.outcomes = [LOST] * 3
    predictions.follow_predictions(asked)
    assert (run(asked).status, alerts(asked)) == ("unknown", [("BATCH_UNKNOWN", "open")])
    later(asked)
    later(asked)
    assert (len(vendor.batcher.sent), len(alerts(asked))) == (0, 1)
    assert held(asked) > 0
    with pytest.raises(Refused, match="Look at the vendor's console"):
        predictions.cancel_predictions(asked, 1)


def test_a_lost_batch_that_is_found_goes_on_and_its_alert_is_closed(asked, vendor):
    vendor.batcher.outcomes = [LOST]
    predictions.follow_predictions(asked)
    later(asked)
    assert (run(asked).status, run(asked).error, alerts(asked)) == (
        "running", None, [("BATCH_UNKNOWN", "resolved")])  # fmt: skip


def test_a_lost_batch_is_looked_for_no_longer_than_an_hour(asked, vendor):
    vendor.batcher.outcomes = [LOST] * 9
    predictions.follow_predictions(asked)
    later(asked, minutes=61)
    assert len(vendor.batcher.starts) == 1


def test_a_person_may_have_it_sent_again(asked, vendor):
    def lose(launch):
        launch.save({"input_file": "f", "sends": 1, "lost": True, "unsure": True})
        return LOST

    vendor.batcher.outcomes = [lose]
    predictions.follow_predictions(asked)
    predictions.resolve_run(asked, 1, "send_again")
    predictions.follow_predictions(asked)
    assert vendor.batcher.starts[1] == {"input_file": "f", "unsure": True}
    assert (run(asked).status, alerts(asked)) == ("running", [("BATCH_UNKNOWN", "resolved")])
    with pytest.raises(Refused, match=r"is known \(running\)"):
        predictions.resolve_run(asked, 1, "send_again")


def test_a_person_may_give_it_up(asked, vendor):
    vendor.batcher.outcomes = [LOST]
    predictions.follow_predictions(asked)
    predictions.resolve_run(asked, 1, "give_up", actor="kim")
    assert (run(asked).status, is_whole(asked), held(asked)) == ("failed", True, 0)
    assert "Given up by kim" in run(asked).error
    assert "counts as spent" in run(asked).error
    assert counted_as_lost(asked)
    assert alerts(asked) == [("BATCH_UNKNOWN", "resolved")]


def test_a_driver_that_died_in_the_middle_of_a_start_is_resumed_with_what_it_saved(asked, vendor):
    def dies(launch):
        launch.save({"input_file": "file-1"})
        return Killed()

    vendor.batcher.outcomes = [dies]
    with pytest.raises(Killed):
        predictions.follow_predictions(asked)
    assert predictions.follow_predictions(asked) == ""  # its lease still holds
    later(asked, minutes=4)
    assert (vendor.batcher.starts, run(asked).status) == ([{}, {"input_file": "file-1"}], "running")


def test_a_driver_that_was_overtaken_saves_nothing(asked, vendor):
    def overtaken(launch):
        asked.now.forward(minutes=4)
        predictions.follow_predictions(asked)
        try:
            launch.save({"input_file": "of the slow one"})
        except LeaseLost as error:
            return error
        raise AssertionError

    vendor.batcher.outcomes = [overtaken]
    predictions.follow_predictions(asked)
    assert (run(asked).handle, len(vendor.batcher.sent)) == ({"job": "batch-1"}, 1)


def test_a_vendor_that_cannot_be_reached_is_tried_again_later(asked, vendor):
    vendor.batcher.outcomes = [ProviderUnreachable("OpenAI", "it is down", "Try again later")]
    predictions.follow_predictions(asked)
    assert (run(asked).status, "it is down" in run(asked).message) == ("submitting", True)
    assert predictions.follow_predictions(asked) == ""
    later(asked)
    vendor.batcher.report = ProviderUnreachable("OpenAI", "it is down", "Try again later")
    later(asked)
    assert (run(asked).status, "it is down" in run(asked).message) == ("running", True)
    vendor.batcher.report = results(asked)
    later(asked)
    assert run(asked).answered == 15


def test_results_that_cannot_be_fetched_for_two_days_are_given_up(asked, vendor):
    predictions.follow_predictions(asked)
    vendor.batcher.report = ProviderUnreachable("OpenAI", "it is gone", "Try again later")
    later(asked, hours=49)
    assert (run(asked).status, tally(asked), is_whole(asked)) == ("failed", {"MISSING": 15}, True)
    assert "counts as spent, at its estimate" in run(asked).error
    assert counted_as_lost(asked)


def counted_as_lost(app):
    """Tell whether all that was spent is the run's own estimate, and marked as one."""
    [entry] = entries(app)
    same = money(app) == run(app).estimate_micro_usd == money(app, CostKind.ESTIMATE) > 0
    return same and held(app) == 0 and entry.detail["estimated"] and entry.detail["requests"] == 15


def test_a_batch_whose_file_the_vendor_turned_away_costs_nothing(asked, vendor):
    predictions.follow_predictions(asked)
    vendor.batcher.report = BatchReport(JobStatus.FAILED, "failed", {}, "The batch failed: no such model.")
    later(asked)
    assert (run(asked).status, tally(asked), money(asked), held(asked)) == ("failed", {"MISSING": 15}, 0, 0)


def test_a_batch_whose_results_cannot_be_read_counts_at_its_estimate(asked, vendor):
    predictions.follow_predictions(asked)
    vendor.batcher.report = BatchReport(JobStatus.SUCCEEDED, "completed", {})
    later(asked)
    assert (run(asked).status, tally(asked), held(asked)) == ("failed", {"MISSING": 15}, 0)
    assert all(entry.detail["estimated"] for entry in entries(asked))
    assert run(asked).estimate_micro_usd <= money(asked) <= run(asked).estimate_micro_usd + 15


@pytest.mark.parametrize(
    ("error", "status", "failure"),
    [
        (ProviderBlocked("OpenAI", "no batches for you", "Ask one by one"), "blocked", "NOT_AVAILABLE"),
        (Refused("A batch takes 50,000 articles", "Send several"), "failed", "REQUEST_REFUSED"),
    ],
)
def test_a_refused_batch_ends_the_run_and_gives_the_money_back(asked, vendor, error, status, failure):
    vendor.batcher.outcomes = [error]
    predictions.follow_predictions(asked)
    assert (run(asked).status, tally(asked), held(asked)) == (status, {failure: 15}, 0)
    assert is_whole(asked)


def test_a_batch_is_cancelled_at_the_vendor_and_keeps_what_it_answered(asked, vendor):
    predictions.follow_predictions(asked)
    predictions.cancel_predictions(asked, 1)
    partial = results(asked, without=range(1, 14)).replies
    vendor.batcher.report = BatchReport(JobStatus.CANCELLED, "cancelled", partial)
    later(asked)
    assert (vendor.batcher.cancelled, run(asked).status) == (["batch-1"], "cancelled")
    assert tally(asked) == {"ok": 2, "MISSING": 13}


def test_a_second_batch_of_the_same_run_is_cancelled_and_said(asked, vendor):
    predictions.follow_predictions(asked)
    vendor.batcher.others = [{"job": "batch-1"}, {"job": "batch-zombie"}]
    later(asked)
    later(asked)
    assert set(vendor.batcher.cancelled) == {"batch-zombie"}
    assert alerts(asked) == [("DUPLICATE_BATCH", "open")]


def test_a_batch_does_not_leave_where_the_budget_was_lowered_meanwhile(asked, vendor):
    cap(asked, 1)
    predictions.follow_predictions(asked)
    assert (run(asked).status, vendor.batcher.sent, held(asked)) == ("blocked", [], 0)


def turned_away_once(vendor):
    """Let the first creation be refused, as by a 429: nothing left, and the handle says so."""

    def busy(launch):
        launch.save({"input_file": "f", "sends": 0})
        return ProviderUnreachable("OpenAI", "too many requests", "Try again later")

    vendor.batcher.outcomes = [busy]


def test_a_batch_that_was_refused_for_now_can_be_cancelled_before_it_leaves(asked, vendor):
    turned_away_once(vendor)
    predictions.follow_predictions(asked)
    predictions.cancel_predictions(asked, 1)
    later(asked)
    assert (run(asked).status, vendor.batcher.sent, held(asked)) == ("cancelled", [], 0)


def test_a_batch_that_was_refused_for_now_does_not_leave_over_a_lowered_budget(asked, vendor):
    turned_away_once(vendor)
    predictions.follow_predictions(asked)
    cap(asked, 1)
    later(asked)
    assert (run(asked).status, vendor.batcher.sent, money(asked), held(asked)) == ("blocked", [], 0, 0)


def test_a_batch_that_may_have_left_is_not_cancelled_here_before_it_was_looked_for(asked, vendor):
    def dies(launch):
        launch.save({"sends": 1})
        return Killed()

    vendor.batcher.outcomes = [dies]
    with pytest.raises(Killed):
        predictions.follow_predictions(asked)
    predictions.cancel_predictions(asked, 1)
    later(asked, minutes=4)
    assert (vendor.batcher.starts, run(asked).status) == ([{}, {"sends": 1}], "running")


def test_a_batch_does_not_leave_at_a_higher_price_than_was_agreed_to(asked, vendor):
    high = predictions.quote_predictions(
        asked, 2, dataset_id=1, split=Split.VALIDATION, mode=RunMode.BATCH
    ).high
    predictions.cancel_predictions(asked, 1)
    wish = {"dataset_id": 1, "split": Split.VALIDATION, "mode": RunMode.BATCH}
    second = predictions.start_predictions(asked, 2, **wish, accept_micro_usd=high)
    vendor.asker.max_answer_tokens = 2_048
    predictions.follow_predictions(asked)
    assert (run(asked, second).status, vendor.batcher.sent) == ("blocked", [])
    assert "agreed to" in run(asked, second).error


def test_every_answer_of_a_batch_may_be_as_long_as_its_limit(asked, vendor):
    quote = predictions.quote_predictions(asked, 2, dataset_id=1, mode=RunMode.BATCH)
    assert quote.cost.tokens_out.high == 90 * vendor.asker.max_answer_tokens
    predictions.follow_predictions(asked)
    longest = good("t", usage=Usage(30, 400))
    vendor.batcher.report = results(asked, longest)
    before = held(asked)
    later(asked)
    assert 15 * 320 <= money(asked) <= before


def test_a_batch_at_the_vendor_waits_while_the_key_is_missing(asked, vendor):
    predictions.follow_predictions(asked)
    asker, vendor.asker = vendor.asker, ProviderBlocked("OpenAI", "there is no key", "Set OPENAI_API_KEY")
    later(asked)
    assert (run(asked).status, "Set OPENAI_API_KEY" in run(asked).message) == ("running", True)
    vendor.asker, vendor.batcher.report = asker, results(asked)
    later(asked)
    assert run(asked).answered == 15


@pytest.mark.parametrize("out", [True, False], ids=["out", "unknown"])
def test_a_batch_holds_back_nothing_but_a_run_that_shares_its_articles(asked, vendor, out):
    vendor.batcher.outcomes = [] if out else [LOST] * 9
    predictions.follow_predictions(asked)
    other = predictions.create_few_shot(asked, VENDOR, "gpt-4.1")
    same = begin(asked, dataset_id=1, split=Split.VALIDATION)
    different = predictions.start_predictions(asked, other, dataset_id=1, accept_micro_usd=10**9)
    predictions.follow_predictions(asked)
    assert (run(asked, same).status, run(asked, different).status) == ("succeeded", "succeeded")
    why = "run 1, .* is out at the vendor" if out else "run 1, .* needs a decision"
    for wish in ({"dataset_id": 1}, TEST | {"mode": RunMode.DIRECT}, {"article_ids": [76, 1]}):
        with pytest.raises(Refused, match=why):
            begin(asked, **wish)
    assert run(asked, 4) is None


def test_a_wish_joins_a_batch_under_way_and_not_one_that_needs_a_decision(asked, vendor):
    vendor.batcher.outcomes = [LOST] * 9
    assert begin(asked, **TEST) == 1
    predictions.follow_predictions(asked)
    with pytest.raises(Refused, match="needs a decision"):
        begin(asked, **TEST)


def test_a_batch_does_not_join_a_run_that_asks_one_by_one(asked):
    direct = begin(asked, dataset_id=1, split=Split.VALIDATION)
    with pytest.raises(Refused, match=f"run {direct}, .* is asking one by one"):
        begin(asked, dataset_id=1, split=Split.VALIDATION, mode=RunMode.BATCH)


def test_a_run_that_asks_one_by_one_does_not_join_a_batch(asked):
    with pytest.raises(Refused, match=r"run 1, .* is about to leave as a batch"):
        begin(asked, **TEST | {"mode": RunMode.DIRECT})


@pytest.mark.parametrize("out", [True, False], ids=["out", "unknown"])
def test_waiting_for_a_run_behind_a_batch_says_so_and_returns(asked, vendor, out):
    predictions.cancel_predictions(asked, 1)
    direct, batch = begin(asked, article_ids=[1]), begin(asked, article_ids=[1, 2], mode=RunMode.BATCH)
    with writing(asked.engine) as session:  # begun by a version that let it: the batch comes first
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        session.execute(update(PredictionItem).where(PredictionItem.run_id == direct).values(run_id=99))
        session.execute(update(PredictionRun).where(PredictionRun.id == direct).values(id=99))
        session.commit()
    vendor.batcher.outcomes = [] if out else [LOST] * 9
    predictions.drive_predictions(asked, batch)
    said = []
    assert predictions.wait_for_predictions(asked, 99, said.append).status == "queued"
    assert f"run {batch}, which has some of these articles, {'is out' if out else 'needs'}" in said[-1]
    predictions.drive_predictions(asked)
    assert vendor.asker.asked == Counter()
