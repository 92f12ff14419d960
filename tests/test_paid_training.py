"""Paid training from quote to bill, with the real SDK on the loopback vendor."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from core import workflows
from core.db import reading
from core.domain.tokens import TokenEstimate
from core.domain.types import JobStatus
from core.errors import ProviderBlocked, ProviderFailed, Refused
from core.models import Alert, CostEntry, ModelVersion, TrainingEvent, TrainingJob
from core.providers.base import JobReport
from core.providers.loopback.script import Fault, Script
from core.providers.loopback.server import Loopback
from core.providers.scripted import ScriptedProvider, ScriptedTrainer
from tests.conftest import NOW
from tests.paid import (
    KEY,
    Clock,
    application,
    cap,
    creations,
    held,
    job,
    money,
    price,
    queue,
    request,
    settle,
)

CREATE = "POST /v1/fine_tuning/jobs"


@pytest.fixture
def vendor():
    with Loopback(script=Script(tuning_s=3_600)) as server:
        yield server


@pytest.fixture
def desk(seeded, vendor):
    """An app on the seeded database whose OpenAI is the loopback vendor, and its clock."""
    clock = Clock()
    app = application(seeded.settings.data_dir, vendor.url, clock)
    yield app, clock
    app.close()


def all_of(app, table):
    with reading(app.engine) as session:
        return session.exec(select(table)).all()


def test_the_price_is_known_before_anything_is_sent(desk, vendor):
    app, _ = desk
    quote = workflows.quote_training(app, request())
    assert quote.rows == 60
    assert 0 < quote.cost.low <= quote.cost.likely <= quote.cost.high
    assert str(quote.cost.prices[0].usd) == "5.00"
    assert vendor.requests == []


@pytest.mark.parametrize("accepted", [None, 1])
def test_nothing_is_queued_for_a_price_nobody_agreed_to(desk, vendor, accepted):
    app, _ = desk
    with pytest.raises(Refused, match="agreed"):
        workflows.start_training(app, request(), accept_micro_usd=accepted)
    assert all_of(app, TrainingJob) == all_of(app, CostEntry) == []
    assert not creations(vendor)


def test_a_training_that_would_pass_the_budget_is_refused_with_both_amounts(desk, vendor):
    app, _ = desk
    cap(app, price(app, request()) - 1)
    with pytest.raises(Refused, match=r"may cost \$.*month's budget"):
        queue(app)
    assert all_of(app, TrainingJob) == all_of(app, CostEntry) == []
    assert not creations(vendor)


def test_a_model_without_a_price_is_not_trained(desk, vendor):
    app, _ = desk
    vendor.script = Script(models={"gpt-4o-2099-01-01": None})
    unpriced = replace(request(), base_model="unheard-of")
    with pytest.raises((Refused, ProviderBlocked), match="unheard-of"):
        workflows.start_training(app, unpriced, accept_micro_usd=10**9)
    assert all_of(app, TrainingJob) == []


def test_from_reservation_to_bill(desk, vendor):
    app, clock = desk
    vendor.script = Script(tuning_s=0.0)
    job_id = queue(app)
    reserved = held(app)
    assert (job(app).status, reserved) == ("reserved", price(app, request()))
    workflows.poll_training(app)
    assert job(app).status == "running"
    clock.forward(seconds=10)
    workflows.poll_training(app)
    done = job(app, job_id)
    assert (done.status, done.simulated) == ("succeeded", True)
    model = next(each for each in all_of(app, ModelVersion) if each.job_id == job_id)
    assert model.params["remote_model"].startswith("ft:gpt-4.1-mini")
    assert model.prompt["system"] == app.policy.system_prompt
    assert model.simulated
    sums = money(app)
    assert sums["actual"] == -(-model.params["billed_tokens"] * 5 // 1)
    assert sums["reservation"] == sums["release"] == reserved
    assert all(entry.simulated for entry in all_of(app, CostEntry))


def test_events_come_once_however_often_they_are_polled(desk, vendor):
    app, clock = desk
    vendor.script = Script(tuning_s=0.0)
    queue(app)
    for _ in range(4):
        workflows.poll_training(app)
        clock.forward(seconds=10)
    events = all_of(app, TrainingEvent)
    assert [event.sequence for event in events] == list(range(len(events)))
    assert any("train_loss" in event.data for event in events)


def test_a_second_click_joins_and_a_paid_run_is_not_bought_again_unless_asked(desk, vendor):
    app, clock = desk
    vendor.script = Script(tuning_s=0.0)
    queue(app)
    agreed = price(app, request())
    assert workflows.start_training(app, request(), accept_micro_usd=agreed).joined
    workflows.poll_training(app)
    clock.forward(seconds=10)
    workflows.poll_training(app)
    assert workflows.start_training(app, request(), accept_micro_usd=agreed).job_id == 1
    again = workflows.start_training(app, request(again=True), accept_micro_usd=agreed)
    assert (again.job_id, again.joined) == (2, False)


def test_a_pilot_trains_on_a_hundred_rows_at_most_and_is_no_equal_run(desk):
    app, _ = desk
    small = replace(request(), rows=30)
    assert workflows.quote_training(app, small).rows == 30
    queue(app)
    assert not workflows.start_training(app, small, accept_micro_usd=price(app, small)).joined


def test_an_account_that_may_not_train_is_blocked_and_pays_nothing(desk, vendor):
    app, _ = desk
    vendor.script = Script(blocked=True)
    queue(app)
    workflows.poll_training(app)
    assert job(app).status == JobStatus.BLOCKED
    assert (held(app), money(app)["actual"]) == (0, 0)


def test_a_vendor_that_cannot_be_reached_has_been_sent_nothing_and_is_tried_again_for_hours(desk, vendor):
    app, clock = desk
    queue(app)
    vendor.stop()
    workflows.poll_training(app)
    waiting = job(app)
    assert (waiting.status, bool(waiting.error), held(app) > 0) == ("reserved", True, True)
    assert KEY not in waiting.error
    settle(app, clock, minutes=(60, 60))
    assert job(app).status == "reserved"
    vendor.start()
    settle(app, clock, minutes=(2,))
    assert (job(app).status, job(app).error, creations(vendor)) == ("running", None, 1)


def test_a_vendor_that_stays_away_ends_the_launch_and_gives_the_money_back(desk, vendor):
    app, clock = desk
    queue(app)
    vendor.stop()
    settle(app, clock, minutes=(5, 361))
    assert (job(app).status, held(app)) == ("failed", 0)


def test_a_running_job_outlives_an_hour_without_the_vendor(desk, vendor):
    app, clock = desk
    queue(app)
    workflows.poll_training(app)
    vendor.stop()
    settle(app, clock, minutes=(1, 20, 39))
    lost = job(app)
    assert (lost.status, bool(lost.error)) == ("running", True)
    vendor.start()
    settle(app, clock, minutes=(2,))
    assert (job(app).status, job(app).error) == ("running", None)


def test_a_cancelled_job_gives_its_reservation_back(desk, vendor):
    app, _ = desk
    queue(app)
    workflows.poll_training(app)
    workflows.cancel_training(app, 1)
    assert (job(app).status, held(app)) == ("cancelled", 0)


def test_a_job_cancelled_before_its_launch_is_never_sent(desk, vendor):
    app, _ = desk
    queue(app)
    workflows.cancel_training(app, 1)
    assert (job(app).status, held(app), creations(vendor)) == ("cancelled", 0, 0)


def test_a_lost_request_that_never_arrived_asks_a_person_and_is_not_sent_again_by_itself(desk, vendor):
    app, clock = desk
    vendor.script = Script(faults=(Fault("reset_before", CREATE, nth=(1,)),), tuning_s=3_600)
    queue(app)
    workflows.poll_training(app)
    settle(app, clock)
    assert (job(app).status, creations(vendor)) == ("unknown", 1)
    assert [(alert.rule, alert.state) for alert in all_of(app, Alert)] == [("LAUNCH_UNKNOWN", "open")]
    assert held(app) > 0
    workflows.resolve_unknown(app, 1, "send_again")
    settle(app, clock, minutes=(1,))
    assert (job(app).status, creations(vendor)) == ("running", 2)
    assert [alert.state for alert in all_of(app, Alert)] == ["resolved"]


def test_giving_up_an_unknown_launch_ends_it_and_a_job_found_later_is_cancelled(desk, vendor):
    app, clock = desk
    vendor.script = Script(faults=(Fault("lost_reset", CREATE, nth=(1,)),), list_lag_s=1.2, tuning_s=3_600)
    queue(app)
    workflows.poll_training(app)
    assert job(app).status == "unknown"
    workflows.resolve_unknown(app, 1, "give_up")
    assert (job(app).status, held(app)) == ("failed", 0)
    vendor.script = Script(tuning_s=3_600)
    settle(app, clock)
    assert "was cancelled" in all_of(app, Alert)[-1].message


def test_only_an_unknown_fate_can_be_decided(desk):
    app, _ = desk
    queue(app)
    with pytest.raises(Refused, match="is known"):
        workflows.resolve_unknown(app, 1, "give_up")


def test_a_sweep_starts_all_of_its_runs_or_none(desk, vendor):
    app, _ = desk
    wanted = {"n_epochs": [1, 2, 3]}
    quote = workflows.quote_sweep(app, request(), wanted)
    assert quote.runs == 3
    cap(app, quote.high - 1)
    with pytest.raises(Refused, match="budget"):
        workflows.start_sweep(app, request(), wanted, accept_micro_usd=quote.high)
    assert all_of(app, TrainingJob) == []
    cap(app, quote.high)
    started = workflows.start_sweep(app, request(), wanted, accept_micro_usd=quote.high)
    assert [each.joined for each in started] == [False] * 3
    assert len({each.group_key for each in all_of(app, TrainingJob)}) == 1


def test_the_last_dollar_is_reserved_for_one_only(desk):
    app, _ = desk
    first, second = request(), request(hyperparameters={"n_epochs": 2})
    cap(app, price(app, first))
    workflows.start_training(app, first, accept_micro_usd=price(app, first))
    with pytest.raises(Refused, match="budget"):
        workflows.start_training(app, second, accept_micro_usd=price(app, second))


def test_a_job_is_repeated_elsewhere_from_the_same_frozen_dataset(desk):
    app, _ = desk
    queue(app)
    again = request(retry_of=1, hyperparameters={"n_epochs": 4})
    job_id = workflows.start_training(app, again, accept_micro_usd=price(app, again)).job_id
    assert (job(app, job_id).dataset_id, job(app, job_id).config["retry_of"]) == (1, 1)


def test_who_waits_for_an_unknown_fate_is_told(desk, vendor):
    app, _ = desk
    vendor.script = Script(faults=(Fault("reset_before", CREATE, nth=(1,)),))
    queue(app)
    with pytest.raises(ProviderFailed, match="may have been carried out"):
        workflows.wait_for_training(app, 1)


def test_a_frozen_configuration_survives_a_change_of_the_price(desk):
    app, _ = desk
    queue(app)
    frozen = json.loads(json.dumps(job(app).config))
    assert frozen["quote"]["prices"][0]["usd"] == "5.00"
    assert frozen["hyperparameters"] == {}
    assert job(app).created_at + timedelta(0) == app.now()


@pytest.mark.parametrize(("may_be_billed", "bill"), [(True, 100_000), (False, 0)])
def test_a_training_that_ended_without_a_model_costs_its_estimate_where_it_may_be_billed(
    seeded, may_be_billed, bill
):
    report = JobReport(JobStatus.CANCELLED, may_be_billed=may_be_billed)
    trainer = ScriptedTrainer(reports=[report], remote=True, tokens=TokenEstimate(10_000, 20_000, 30_000))
    seeded.providers["openai"] = ScriptedProvider(name="openai", trainer=trainer, priced=True)
    queue(seeded)
    workflows.poll_training(seeded)
    seeded.now = lambda: NOW + timedelta(minutes=1)
    workflows.poll_training(seeded)
    sums = money(seeded)
    assert (job(seeded).status, sums["actual"], held(seeded)) == ("cancelled", bill, 0)
