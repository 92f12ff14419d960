"""Trainings at a vendor: what is refused beforehand, what they cost, how they are followed to their end."""

import json
from datetime import UTC, date, datetime
from itertools import pairwise
from time import sleep

import httpx2
import pytest

from core.domain.tokens import TokenEstimate, estimate_tokens
from core.domain.types import JobStatus, Readiness
from core.errors import ProviderFailed, ProviderUnreachable
from core.providers.base import ModelRef, NewsText, TrainingRow
from core.providers.loopback.script import Fault, Script
from core.providers.openai_compat import following, job_request, reports, settings
from core.providers.openai_compat.flavours import AZURE, CUSTOM, NEBIUS, OPENAI, SIMULATOR
from tests.openai_vendor import LABELS, MODEL, Driver, jobs, provider, row, sdk, spec, vendor

pytestmark = pytest.mark.vendors

LLAMA = "meta-llama/Llama-3.3-70B-Instruct"


class Time:
    """A clock of seconds since 1970 that moves when it is told to."""

    def __init__(self):
        self.now = 1_790_000_000.0

    def __call__(self):
        return self.now


class Nowhere:
    url = "http://127.0.0.1:9"


def started(made, tmp_path, **more):
    return made.trainer.start(spec(**more), tmp_path, Driver().launch())


# what is refused before anything is sent


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rows": 9}, "needs 10 training rows; there are 9"),
        ({"base_model": ""}, "Choose a model that can be tuned: gpt-4.1-mini"),
        ({"base_model": "gpt-6-luna"}, "Choose a model that can be tuned"),
        ({"hyperparameters": {"epochs": 3}}, "has no setting 'epochs'; there are n_epochs"),
        ({"hyperparameters": {"n_epochs": 51}}, "n_epochs cannot be 51: enter a whole number from 1 to 50"),
        ({"hyperparameters": {"n_epochs": 2.5}}, "n_epochs cannot be 2.5"),
        ({"hyperparameters": {"n_epochs": True}}, "n_epochs cannot be True"),
        ({"hyperparameters": {"learning_rate_multiplier": "fast"}}, "cannot be 'fast': enter a number"),
    ],
)
def test_what_a_vendor_would_refuse_is_said_before_anything_is_sent(changes, says):
    said = provider(Nowhere).trainer.preflight(spec(**changes))
    assert (said.status, said.allowed) == (Readiness.BLOCKED, False)
    assert says in said.reason


@pytest.mark.parametrize("given", [{}, {"n_epochs": "auto"}, {"batch_size": None, "n_epochs": 50}])
def test_settings_may_be_left_to_the_vendor(given):
    assert provider(Nowhere).trainer.preflight(spec(hyperparameters=given)).status == Readiness.READY


def test_without_a_key_a_training_is_blocked():
    said = provider(Nowhere, key=None).trainer.preflight(spec())
    assert (said.code, said.reason) == ("no_key", "No key: set OPENAI_API_KEY.")


def test_rows_without_two_classes_or_without_answers_are_refused():
    trainer = provider(Nowhere).trainer
    one_class = spec(rows=0).__class__(tuple(row(n, LABELS[0]) for n in range(12)), base_model=MODEL)
    assert "same label" in trainer.preflight(one_class).reason
    no_answers = TrainingRow(NewsText("t"), LABELS[0])
    assert (
        "no answer to teach"
        in trainer.preflight(spec().__class__((no_answers,) * 12, base_model=MODEL)).reason
    )


def test_a_model_that_is_not_on_our_list_is_left_to_the_vendor_to_judge():
    said = provider(Nowhere).trainer.preflight(spec(base_model="gpt-9"))
    assert (said.status, said.allowed) == (Readiness.UNKNOWN, True)


def test_class_weights_are_said_to_be_left_out():
    rows = tuple(TrainingRow(r.text, r.label, 2.0, r.answer) for r in spec().train)
    said = provider(Nowhere).trainer.preflight(spec().__class__(rows, base_model=MODEL))
    assert said.status == Readiness.READY
    assert "Undersample" in said.reason


def test_a_server_of_ones_own_does_not_train():
    made = provider(Nowhere, CUSTOM)
    assert (made.trainer, made.batcher) == (None, None)


# what it will cost


def test_tokens_are_those_of_the_training_file_times_the_epochs():
    trainer, given = provider(Nowhere).trainer, spec(rows=12, hyperparameters={"n_epochs": 4})
    content = job_request.build_file(given.train, given.system, bom=False).decode()
    texts = [m["content"] for line in content.splitlines() for m in json.loads(line)["messages"]]
    per_epoch = sum(map(len, texts)) + 12 * (3 * 3 + 3)
    assert trainer.estimate_tokens(given) == TokenEstimate.exactly(4 * per_epoch)


def test_epochs_left_to_the_vendor_widen_the_estimate():
    trainer = provider(Nowhere).trainer
    one = trainer.estimate_tokens(spec(hyperparameters={"n_epochs": 1})).likely
    said = trainer.estimate_tokens(spec(hyperparameters={"n_epochs": "auto"}))
    assert said == TokenEstimate(one, 3 * one, 10 * one)


def test_the_billed_tokens_lie_in_the_estimates_range(tmp_path):
    with vendor(script=Script(tuning_s=0), count=estimate_tokens) as (_, made):
        estimate = made.trainer.estimate_tokens(spec(rows=60))
        model = made.trainer.poll(started(made, tmp_path, rows=60), tmp_path).model
        assert estimate.low * 0.5 < model.billed_tokens < estimate.high * 2


def test_a_longer_training_is_expected_to_take_longer():
    trainer = provider(Nowhere).trainer
    assert 600 < trainer.estimate_s(spec(rows=12)) < trainer.estimate_s(spec(rows=120))


# what is sent


def test_the_defaults_of_the_card_are_sent_and_open_settings_are_not():
    sent, beside = settings.split(OPENAI, {"batch_size": "auto", "learning_rate_multiplier": 0.5})
    assert (sent, beside) == ({"n_epochs": 3, "learning_rate_multiplier": 0.5}, {})


def test_azures_files_begin_with_a_byte_order_mark_and_its_names_are_short(tmp_path):
    with vendor(AZURE, base="/openai/v1") as (server, made):
        started(made, tmp_path, hyperparameters={"trainingType": "Developer"})
        (job,) = jobs(server)
        with sdk(server) as client:
            assert client.files.content(job.training_file).content.startswith(b"\xef\xbb\xbf{")
        assert len(job.user_provided_suffix) <= 18
        assert ("POST", "/openai/v1/fine_tuning/jobs") in server.requests


def test_azures_training_type_stands_beside_the_method():
    given = spec(hyperparameters={"trainingType": "Developer", "n_epochs": 2})
    request = job_request.build_job(AZURE, given, "key", {"train_file": "file-1"})
    assert request["extra_body"] == {"trainingType": "Developer"}
    assert request["method"]["supervised"]["hyperparameters"] == {"n_epochs": 2}


def test_an_azure_address_with_a_version_uses_azures_own_paths(tmp_path):
    with vendor(AZURE, base="", api_version="2025-04-01-preview") as (server, made):
        started(made, tmp_path)
        made.load(ModelRef(1, "deployed", None, None)).ask(NewsText("t"))
        assert ("POST", "/openai/fine_tuning/jobs") in server.requests
        assert ("POST", "/openai/deployments/deployed/chat/completions") in server.requests


def test_nebius_is_told_of_the_adapter_as_a_boolean():
    sent, _ = settings.split(NEBIUS, {"lora": "true", "lora_r": 16})
    assert sent == {"n_epochs": 3, "lora": True, "lora_r": 16}


# following a job


def test_a_job_is_followed_from_queue_to_model_with_events_that_never_change_their_number(tmp_path):
    clock, seen = Time(), {}
    with vendor(script=Script(tuning_s=100), clock=clock) as (_, made):
        handle = started(made, tmp_path, rows=40)
        shares, statuses = [], []
        for _ in range(13):
            report = made.trainer.poll(handle, tmp_path)
            statuses.append(report.status)
            shares.append(report.progress)
            for event in report.events:
                assert seen.setdefault(event.sequence, event) == event
            clock.now += 10
        assert statuses == [JobStatus.RUNNING] * 10 + [JobStatus.SUCCEEDED] * 3
        assert all(a <= b for a, b in pairwise(shares))
        assert (shares[0], shares[-1]) == (0.0, 1.0)
        assert sorted(seen) == list(range(len(seen)))
        assert [event.at for _, event in sorted(seen.items())] == sorted(event.at for event in seen.values())
        losses = [event.data for event in seen.values() if "train_loss" in event.data]
        assert {"step", "train_loss", "valid_loss"} <= losses[0].keys()
        assert report.message == "The job has successfully completed"


def test_what_a_finished_job_left_behind_is_recorded_with_its_bill_and_its_last_day(tmp_path):
    with vendor(script=Script(tuning_s=0)) as (server, made):
        handle = started(made, tmp_path)
        model = made.trainer.poll(handle, tmp_path).model
        (job,) = jobs(server)
        assert (model.artefact, model.sha256, model.base_model) == (None, None, MODEL)
        assert model.remote_model == job.fine_tuned_model
        assert model.billed_tokens == job.trained_tokens
        assert model.retires == date(2027, 1, 14)
        assert model.params["seed"] == 7
        assert model.params["hyperparameters"]["learning_rate_multiplier"] == 1.8
        assert len(model.params["checkpoints"]) == 3
        assert model.params["result_files"] == job.result_files
        assert json.dumps(dict(model.params))


def test_a_tuned_model_answers(tmp_path):
    with vendor(script=Script(tuning_s=0)) as (_, made):
        tuned = made.trainer.poll(started(made, tmp_path), tmp_path).model.remote_model
        asker = made.load(ModelRef(1, MODEL, None, None, remote_model=tuned))
        reply = asker.ask(NewsText("Headline 3 금리", "Body 3"))
        assert (reply.forecast.sentiment, reply.answered_by) == (LABELS[0], tuned)


def test_a_failed_job_says_why(tmp_path):
    with vendor(script=Script(tuning_s=0, tuning_error="moderation refused the file")) as (_, made):
        report = made.trainer.poll(started(made, tmp_path), tmp_path)
        assert (report.status, report.model) == (JobStatus.FAILED, None)
        assert "moderation refused the file" in report.error


def test_a_cancelled_job_is_cancelled_and_cancelling_twice_does_nothing(tmp_path):
    with vendor() as (_, made):
        handle = started(made, tmp_path)
        made.trainer.cancel(handle, tmp_path)
        made.trainer.cancel(handle, tmp_path)
        assert made.trainer.poll(handle, tmp_path).status == JobStatus.CANCELLED


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", "GET *", status=500),
        Fault("status", "GET *", status=401),
        Fault("status", "GET *", status=404),
        Fault("status", "GET *", status=429),
        Fault("reset_before", "GET *"),
        Fault("truncated", "GET *"),
        Fault("html", "GET *", status=200),
        Fault("status", "GET *", status=200, body=[1, 2]),
        Fault("status", "GET */events", status=500),
        Fault("status", "GET */checkpoints", status=500),
        Fault("status", "GET */models", status=503),
    ],
    ids=lambda fault: f"{fault.outcome}-{fault.status}-{fault.route}",
)
def test_a_look_that_fails_says_nothing_about_the_job(fault, tmp_path):
    with vendor(script=Script(tuning_s=0)) as (server, made):
        handle = started(made, tmp_path)
        server.script = Script(faults=(fault,))
        with pytest.raises(ProviderUnreachable):
            made.trainer.poll(handle, tmp_path)
        server.script = Script()
        assert made.trainer.poll(handle, tmp_path).status == JobStatus.SUCCEEDED


def test_a_cancel_that_does_not_get_through_is_tried_again_later(tmp_path):
    with vendor(script=Script(faults=(Fault("status", "POST */cancel", status=500),))) as (_, made):
        handle = started(made, tmp_path)
        with pytest.raises(ProviderUnreachable):
            made.trainer.cancel(handle, tmp_path)
        made.trainer.poll(handle, tmp_path)


def test_a_vendor_without_a_list_of_models_leaves_the_last_day_open(tmp_path):
    script = Script(tuning_s=0, faults=(Fault("status", "GET */models", status=404),))
    with vendor(script=script) as (_, made):
        assert made.trainer.poll(started(made, tmp_path), tmp_path).model.retires is None


def test_a_handle_without_a_job_is_a_job_that_never_was(tmp_path):
    with pytest.raises(ProviderFailed, match="never created"):
        provider(Nowhere).trainer.poll({"sends": 1}, tmp_path)


def test_a_trained_adapter_is_set_up_once_and_then_answers_under_its_own_name(tmp_path):
    clock = Time()
    with vendor(NEBIUS, script=Script(tuning_s=0, deploy_s=30), clock=clock) as (server, made):
        handle = started(made, tmp_path, base_model=LLAMA)
        report = made.trainer.poll(handle, tmp_path)
        assert (report.status, report.model) == (JobStatus.RUNNING, None)
        assert "being set up" in report.message
        clock.now += 31
        model = made.trainer.poll(handle, tmp_path).model
        assert made.trainer.poll(handle, tmp_path).model == model
        assert server.count("POST", "/v0/models") == 1
        asker = made.load(ModelRef(1, LLAMA, None, None, remote_model=model.remote_model))
        assert asker.ask(NewsText("Headline 3 금리")).forecast


def test_the_simulator_trains_without_a_key(tmp_path):
    with vendor(SIMULATOR, key=None, script=Script(tuning_s=0)) as (_, made):
        base_model = next(m.name for m in made.card().base_models if m.trainable)
        assert made.trainer.poll(started(made, tmp_path, base_model=base_model), tmp_path).model


# a job that is gone, without a name, or stopped


def test_a_job_that_the_vendor_does_not_have_any_more_is_left_to_a_person(tmp_path):
    with vendor() as (server, made):
        handle = started(made, tmp_path)
        httpx2.post(f"{server.url}/_reset", trust_env=False, verify=False)
        report = made.trainer.poll(handle, tmp_path)
        assert (report.status, report.model, report.may_be_billed) == (JobStatus.UNKNOWN, None, False)
        assert f"has no job {handle['job']}" in report.error
        made.trainer.cancel(handle, tmp_path)


def test_a_cancel_at_a_wrong_address_is_not_taken_for_done(tmp_path):
    with vendor() as (server, made):
        handle = started(made, tmp_path)
        server.script = Script(faults=(Fault("status", "* /v1/*", status=404),))
        with pytest.raises(ProviderUnreachable):
            made.trainer.cancel(handle, tmp_path)


def nameless(ended, name=None):
    """Return a script in which a job has succeeded at a time, and nothing says what came of it."""
    body = {
        "id": "ftjob-1",
        "status": "succeeded",
        "fine_tuned_model": name,
        "model": MODEL,
        "finished_at": ended,
    }
    events = {"data": [event("e", ended - 1)]}
    return Script(
        faults=(
            Fault("status", "GET */events", status=200, body=events),
            Fault("status", "GET */checkpoints", status=200, body={"data": []}),
            Fault("status", "GET /v1/fine_tuning/jobs/*", status=200, body=body),
        )
    )


@pytest.mark.parametrize("name", [None, "", 7])
def test_a_success_without_a_name_is_waited_for_and_is_a_failure_after_half_an_hour(name, tmp_path):
    clock = Time()
    with vendor(script=nameless(clock.now, name), clock=clock) as (_, made):
        early = made.trainer.poll({"job": "ftjob-1"}, tmp_path)
        assert (early.status, early.model, early.error) == (JobStatus.RUNNING, None, None)
        assert "being set up" in early.message
        clock.now += 29 * 60
        assert made.trainer.poll({"job": "ftjob-1"}, tmp_path).status == JobStatus.RUNNING
        clock.now += 2 * 60
        late = made.trainer.poll({"job": "ftjob-1"}, tmp_path)
        assert (late.status, late.model, late.may_be_billed) == (JobStatus.FAILED, None, True)
        assert "names no model that answers, 31 minutes after its end" in late.error


def test_where_no_clock_of_the_vendor_tells_a_name_is_waited_for_from_the_first_look(tmp_path, monkeypatch):
    monkeypatch.setattr(following, "NAMED_S", 0.2)
    with vendor(script=nameless(0.0)) as (_, made):
        assert made.trainer.poll({"job": "ftjob-1"}, tmp_path).status == JobStatus.RUNNING
        sleep(0.25)
        assert made.trainer.poll({"job": "ftjob-1"}, tmp_path).status == JobStatus.FAILED


@pytest.mark.parametrize(("flavour", "billed"), [(OPENAI, True), (AZURE, True), (NEBIUS, True)])
def test_a_training_that_is_cancelled_midway_may_be_billed(flavour, billed, tmp_path):
    clock = Time()
    with vendor(flavour, script=Script(tuning_s=1_000), clock=clock) as (_, made):
        base_model = LLAMA if flavour is NEBIUS else MODEL
        early, late = (
            made.trainer.start(
                spec(base_model=base_model, hyperparameters={}), tmp_path, Driver(key).launch()
            )
            for key in ("one", "two")
        )
        clock.now += 50
        made.trainer.cancel(early, tmp_path)
        clock.now += 250
        made.trainer.cancel(late, tmp_path)
        assert not made.trainer.poll(early, tmp_path).may_be_billed
        assert made.trainer.poll(late, tmp_path).may_be_billed is billed


def test_azure_bills_no_failed_training_and_openai_may():
    assert (JobStatus.FAILED in AZURE.may_bill, JobStatus.FAILED in OPENAI.may_bill) == (False, True)
    assert any("cancelled after it has begun" in note for note in OPENAI.notes)


@pytest.mark.parametrize(
    ("job", "story", "begun"),
    [
        ({"trained_tokens": 12}, [], True),
        ({"trained_tokens": 0}, ["Step 3/4: training loss=1"], False),
        ({"started_at": 1_790_000_000}, ["Created fine-tuning job: x"], True),
        ({}, ["Created fine-tuning job: x", "Fine-tuning job started"], True),
        ({}, ["Job enqueued. Waiting for jobs ahead to complete.", "Training started."], True),
        ({}, ["Created fine-tuning job: x", "Validating training file: y", "cancelled"], False),
        ({}, ["Preprocessing started for file training."], False),
        ({"trained_steps": 3, "total_steps": 9}, ["said"], True),
        ({}, [], True),
    ],
)
def test_whether_a_training_had_begun_is_told_by_tokens_times_steps_or_its_story(job, story, begun):
    assert reports.had_begun(job, [event(str(n), n, text) for n, text in enumerate(story)]) is begun


# setting an adapter up

MODELS_AT_NEBIUS = "GET /v0/models"


@pytest.mark.parametrize("status", [404, 500])
def test_an_adapter_is_not_asked_for_where_it_cannot_be_known_whether_it_was(status, tmp_path):
    clock = Time()
    with vendor(NEBIUS, script=Script(tuning_s=0), clock=clock) as (server, made):
        handle = started(made, tmp_path, base_model=LLAMA)
        server.script = Script(faults=(Fault("status", MODELS_AT_NEBIUS, status=status),))
        for _ in range(3):
            if status == 404:
                assert made.trainer.poll(handle, tmp_path).status == JobStatus.RUNNING
            else:
                with pytest.raises(ProviderUnreachable):
                    made.trainer.poll(handle, tmp_path)
        assert server.count("POST", "/v0/models") == 0
        clock.now += 1_801
        if status == 404:
            report = made.trainer.poll(handle, tmp_path)
            assert (report.status, report.may_be_billed) == (JobStatus.FAILED, True)
            assert "vendor's console" in report.error


def test_an_adapter_is_asked_for_once_although_the_list_never_shows_it(tmp_path):
    clock = Time()
    with vendor(NEBIUS, script=Script(tuning_s=0), clock=clock) as (server, made):
        handle = started(made, tmp_path, base_model=LLAMA)
        server.script = Script(faults=(Fault("status", MODELS_AT_NEBIUS, status=200, body=[]),))
        made.trainer.poll(handle, tmp_path)
        clock.now += 3_600
        assert made.trainer.poll(handle, tmp_path).status == JobStatus.RUNNING
        clock.now += 86_400
        assert made.trainer.poll(handle, tmp_path).status == JobStatus.FAILED
        assert server.count("POST", "/v0/models") == 1


def test_a_set_up_whose_answer_is_lost_is_not_asked_for_again_and_a_busy_vendor_is(tmp_path):
    for outcome, asked in (("500_before", 1), ("status", 2)):
        fault = Fault(outcome, "POST /v0/models", nth=(1,), status=429 if asked == 2 else 500)
        with vendor(NEBIUS, script=Script(tuning_s=0, deploy_s=0, faults=(fault,))) as (server, made):
            handle = started(made, tmp_path, base_model=LLAMA)
            with pytest.raises(ProviderUnreachable):
                made.trainer.poll(handle, tmp_path)
            for _ in range(2):
                made.trainer.poll(handle, tmp_path)
            assert server.count("POST", "/v0/models") == asked


# reading what vendors report


def event(name, at, message="said", **data):
    return {"id": name, "created_at": at, "message": message, "data": data}


def test_events_of_the_newest_second_wait_until_no_other_can_come_before_them():
    first = reports.parse_events([event("b", 2), event("z", 1)], str, ended=False)
    second = reports.parse_events(
        [event("c", 3), event("b", 2), event("a", 2), event("z", 1)], str, ended=False
    )
    assert [e.at.second for e in first] == [1]
    assert [(e.sequence, e.at.second) for e in second] == [(0, 1), (1, 2), (2, 2)]
    assert second[: len(first)] == first
    assert len(reports.parse_events([event("b", 2), event("z", 1)], str, ended=True)) == 2


def test_events_are_numbered_the_same_in_whatever_order_they_are_listed():
    listed = [event("b", 2), event("a", 2), event("c", 1), event("b", 2)]
    forth = reports.parse_events(listed, str, ended=True)
    assert forth == reports.parse_events(listed[::-1], str, ended=True)
    assert len(forth) == 3


def test_an_event_keeps_its_numbers_and_its_time():
    (one,) = reports.parse_events(
        [event("a", 60, "Step\n1", step=1, train_loss=0.5, note="x")], str, ended=True
    )
    assert one.at == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert (one.message, one.data) == ("Step 1", {"step": 1, "train_loss": 0.5})


@pytest.mark.parametrize(
    ("job", "events", "expected"),
    [
        ({}, [], 0.0),
        ({"trained_steps": 5, "total_steps": 20}, [], 0.25),
        ({}, [event("a", 1, step=3, total_steps=4)], 0.75),
        ({}, [event("a", 1, "Step 10/40: training loss=0.1")], 0.25),
        ({"trained_steps": 9, "total_steps": 0}, [], 0.0),
        ({"trained_steps": "x", "total_steps": None}, [{"message": None}], 0.0),
        ({"trained_steps": 9, "total_steps": 3}, [], 1.0),
    ],
)
def test_progress_is_read_from_whatever_tells_it(job, events, expected):
    assert reports.progress_of(job, events) == expected


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("validating_files", JobStatus.RUNNING),
        ("paused", JobStatus.RUNNING),
        ("something_new", JobStatus.RUNNING),
        (None, JobStatus.RUNNING),
        ("succeeded", JobStatus.SUCCEEDED),
        ("failed", JobStatus.FAILED),
        ("cancelled", JobStatus.CANCELLED),
    ],
)
def test_a_state_that_is_not_an_end_goes_on(said, meant):
    assert reports.status_of({"status": said}) == meant


@pytest.mark.parametrize("odd", [None, "soon", 20270114, "2027-13-01", ["2027-01-14"]])
def test_a_last_day_that_cannot_be_read_is_no_last_day(odd):
    assert reports.retirement([{"id": "m", "shutdown_date": odd}], ["m"]) is None


def test_times_that_no_calendar_has_do_not_break_the_story():
    odd = [event("a", 1e300), event("b", "yesterday"), event("c", -5), {"no": "id"}]
    assert len(reports.parse_events(odd, str, ended=True)) == 3
