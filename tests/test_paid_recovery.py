"""What a person and other processes may do to a paid launch whose fate is open."""

from datetime import timedelta

import pytest
from sqlmodel import select, update

from core import workflows
from core.bootstrap import App
from core.db import reading, writing
from core.errors import ProviderBlocked
from core.models import Alert, ProviderCheck, TrainingJob
from core.providers.base import JobReport
from core.providers.loopback.script import Fault, Script
from core.providers.loopback.server import Loopback
from core.providers.scripted import ScriptedProvider, ScriptedTrainer
from tests.conftest import NOW
from tests.paid import Clock, application, cap, creations, held, job, paid_for, price, queue, request, settle

CREATE = "POST /v1/fine_tuning/jobs"
LIST = "GET /v1/fine_tuning/jobs"


@pytest.fixture
def vendor():
    with Loopback(script=Script(tuning_s=3_600)) as server:
        yield server


@pytest.fixture
def desk(seeded, vendor):
    clock = Clock()
    app = application(seeded.settings.data_dir, vendor.url, clock)
    yield app, clock
    app.close()


def alerts(app):
    with reading(app.engine) as session:
        return session.exec(select(Alert)).all()


def lose(app, vendor, *faults):
    """Launch with the response of the paid request lost and the vendor's list hiding what was created."""
    hidden = Fault("status", LIST, status=200, body={"object": "list", "data": [], "has_more": False})
    vendor.script = Script(faults=(Fault("lost_reset", CREATE, nth=(1,)), *faults, hidden), tuning_s=3_600)
    queue(app)
    workflows.poll_training(app)


def test_a_job_that_shows_up_after_send_again_was_allowed_is_taken_on_and_not_cancelled(desk, vendor):
    app, clock = desk
    lose(app, vendor)
    settle(app, clock)
    assert job(app).status == "unknown"
    workflows.resolve_unknown(app, 1, "send_again")
    vendor.script = Script(tuning_s=3_600)
    settle(app, clock)
    assert (job(app).status, creations(vendor), len(paid_for(vendor))) == ("running", 1, 1)
    assert [alert.rule for alert in alerts(app)] == ["LAUNCH_UNKNOWN"]


def test_a_second_job_after_send_again_is_looked_for_and_cancelled(desk, vendor):
    app, clock = desk
    lose(app, vendor)
    settle(app, clock)
    workflows.resolve_unknown(app, 1, "send_again")
    workflows.poll_training(app)
    assert creations(vendor) == 2
    vendor.script = Script(tuning_s=3_600)
    settle(app, clock)
    assert paid_for(vendor) == [job(app).handle["job"]]
    assert {alert.rule: alert.state for alert in alerts(app)} == {
        "LAUNCH_UNKNOWN": "resolved",
        "DUPLICATE_LAUNCH": "open",
    }


def test_a_process_without_the_provider_leaves_a_running_job_alone(desk, vendor):
    app, clock = desk
    queue(app)
    workflows.poll_training(app)
    clock.forward(minutes=10)
    stranger = App(app.settings, app.engine, {}, app.now)
    assert workflows.poll_training(stranger) == []
    assert (job(app).status, held(app) > 0, len(paid_for(vendor))) == ("running", True, 1)


def test_a_job_cancelled_while_its_driver_was_dead_is_never_sent(desk, vendor):
    app, clock = desk
    queue(app)
    with writing(app.engine) as session:
        gone = {"status": "submitting", "lease_owner": "dead", "lease_until": NOW, "cancel_requested": True}
        session.exec(update(TrainingJob).values(**gone))
        session.commit()
    clock.forward(minutes=5)
    workflows.poll_training(app)
    assert (job(app).status, held(app), creations(vendor)) == ("cancelled", 0, 0)


def test_a_cap_lowered_below_what_is_held_stops_a_job_that_was_not_sent(desk, vendor):
    app, _ = desk
    queue(app)
    cap(app, 0)
    workflows.poll_training(app)
    assert (job(app).status, held(app), creations(vendor)) == ("blocked", 0, 0)


def test_a_refusal_that_the_provider_gave_within_the_hour_blocks_before_any_upload(desk, vendor):
    app, _ = desk
    agreed = price(app, request())
    with writing(app.engine) as session:
        said = {"status": "blocked", "reason": "This account may not train.", "detail": {"code": "no"}}
        session.add(ProviderCheck(provider="openai", what="train", at=NOW - timedelta(minutes=5), **said))
        session.commit()
    assert "may not train" in workflows.quote_training(app, request()).preflight.reason
    vendor.script = Script(faults=(Fault("status", "GET /v1/models", status=403),))
    with pytest.raises(ProviderBlocked):
        workflows.start_training(app, request(), accept_micro_usd=agreed)
    assert vendor.count("POST", "/files") == 0


def test_a_vendor_whose_list_fails_is_not_asked_at_every_poll(desk, vendor):
    app, clock = desk
    queue(app)
    workflows.poll_training(app)
    vendor.script = Script(faults=(Fault("status", LIST, status=500),), tuning_s=3_600)
    clock.forward(minutes=1)
    before = vendor.count("GET", "/fine_tuning/jobs")
    for _ in range(20):
        clock.forward(seconds=3)
        workflows.poll_training(app)
    assert vendor.count("GET", "/fine_tuning/jobs") - before <= 2


def test_a_job_that_the_vendor_does_not_know_any_more_asks_a_person_once(seeded):
    lost = JobReport("unknown", error="The vendor has no such job any more.")
    trainer = ScriptedTrainer(reports=[lost], remote=True)
    seeded.providers["scripted"] = ScriptedProvider(trainer=trainer)
    workflows.start_training(seeded, workflows.Request(1, "scripted"))
    workflows.poll_training(seeded)
    seeded.now = lambda: NOW + timedelta(minutes=1)
    workflows.poll_training(seeded)
    assert job(seeded).status == "unknown"
    assert [(alert.rule, alert.state) for alert in alerts(seeded)] == [("LAUNCH_UNKNOWN", "open")]
    workflows.resolve_unknown(seeded, 1, "give_up")
    assert job(seeded).status == "failed"
