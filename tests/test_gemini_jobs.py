"""What is sent for a tuning, and what Vertex's record of one says, told from values alone."""

import json
from datetime import UTC, datetime

import pytest

from core.domain.training_format import Answer
from core.domain.types import JobStatus, Sentiment
from core.providers.base import NewsText, TrainingRow, TrainingSpec
from core.providers.gemini import jobs
from core.redaction import Redactor

KEY = "3f2c9a0e5d7b4c61a8e2f0d4b6c8e0f2"
REDACT = Redactor()
ENDPOINT = "projects/p/locations/us-central1/endpoints/7"


def row(i, label=Sentiment.POSITIVE):
    answer = Answer(label, 80, ("금리",), "이유")
    return TrainingRow(NewsText(f"제목 {i}", f"본문 {i}"), label, answer=answer)


def spec(rows=3, **changes):
    facts = {"base_model": "gemini-3.5-flash-lite", "system": "규칙", "validation": (row(9),)}
    return TrainingSpec(train=tuple(map(row, range(rows))), **(facts | changes))


def record(state, **more):
    return {"name": "projects/p/locations/us-central1/tuningJobs/1", "state": f"JOB_STATE_{state}", **more}


def said(state, **more):
    return jobs.report(record(state, **more), "gemini-3.5-flash-lite", REDACT)


def trained(tokens=250, epochs=10, **more):
    stats = {"total_billable_token_count": tokens, "tuning_step_count": 40, "tuning_dataset_example_count": 3}
    hyper = {"hyper_parameters": {"epoch_count": epochs}} if epochs else {}
    return {
        "tuned_model": {"model": "projects/p/locations/us-central1/models/7@1", "endpoint": ENDPOINT},
        "tuning_data_stats": {"supervised_tuning_data_stats": stats},
        "supervised_tuning_spec": hyper,
        **more,
    }


def test_a_job_is_named_after_its_intent_so_that_it_can_be_found():
    config = jobs.build_config(spec(), KEY, None)
    assert config["tuned_model_display_name"] == f"newstune-{KEY}"
    assert config["labels"] == {"newstune": KEY}
    assert "validation_dataset" not in config


@pytest.mark.parametrize("key", ["Großbuchstaben und Leerzeichen", "x" * 200, "a/b", ""])
def test_a_key_that_a_label_cannot_hold_is_shortened_to_one_that_it_can(key):
    label = jobs.label_of(key)
    assert len(label) <= 63
    assert label == label.lower()
    assert label.isalnum()
    assert label != jobs.label_of(f"{key}2")
    assert len(jobs.display_name(key)) <= 128


def test_settings_go_by_the_vendors_names_and_what_is_left_out_by_the_cards_defaults():
    given = {"epoch_count": 5, "adapter_size": "ADAPTER_SIZE_ONE", "learning_rate_multiplier": None}
    config = jobs.build_config(spec(hyperparameters=given), KEY, "gs://b/v.jsonl")
    assert config["epoch_count"] == 5
    assert config["adapter_size"] == "ADAPTER_SIZE_ONE"
    assert config["learning_rate_multiplier"] == 1.0
    assert config["validation_dataset"] == {"gcs_uri": "gs://b/v.jsonl"}


def test_the_training_file_holds_one_example_a_line_and_none_without_an_answer():
    rows = [row(0), TrainingRow(NewsText("ohne", None), Sentiment.NEUTRAL), row(1, Sentiment.NEGATIVE)]
    lines = [json.loads(line) for line in jobs.training_file(rows, "규칙").decode().splitlines()]
    assert [json.loads(line["contents"][-1]["parts"][0]["text"])["sentiment"] for line in lines] == [
        "positive",
        "negative",
    ]
    assert {line["systemInstruction"]["parts"][0]["text"] for line in lines} == {"규칙"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"base_model": ""}, "No base model"),
        ({"rows": 0}, "No training row"),
        ({"validation": (row(0),) * 5_001}, "5001 validation rows"),
        ({"hyperparameters": {"n_epochs": 3}}, "no setting 'n_epochs'"),
        ({"hyperparameters": {"epoch_count": 0}}, "'0' is no epoch_count (1 to 100)"),
        ({"hyperparameters": {"epoch_count": 1.5}}, "'1.5' is no epoch_count"),
        ({"hyperparameters": {"epoch_count": True}}, "'True' is no epoch_count"),
        ({"hyperparameters": {"epoch_count": "3"}}, "'3' is no epoch_count"),
        ({"hyperparameters": {"adapter_size": "huge"}}, "'huge' is no adapter_size"),
        ({"hyperparameters": {"learning_rate_multiplier": 2}}, ""),
        ({"hyperparameters": {"learning_rate_multiplier": None}}, ""),
    ],
)
def test_what_vertex_would_refuse_is_told_before_anything_is_sent(changes, problem):
    found = jobs.problem_of(spec(**changes))
    assert problem in found
    assert bool(problem) == bool(found)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("QUEUED", JobStatus.RUNNING),
        ("PENDING", JobStatus.RUNNING),
        ("RUNNING", JobStatus.RUNNING),
        ("UPDATING", JobStatus.RUNNING),
        ("PAUSED", JobStatus.RUNNING),
        ("CANCELLING", JobStatus.RUNNING),
        ("UNSPECIFIED", JobStatus.RUNNING),
        ("SOMETHING_NEW", JobStatus.RUNNING),
        ("CANCELLED", JobStatus.CANCELLED),
        ("FAILED", JobStatus.FAILED),
        ("EXPIRED", JobStatus.FAILED),
        ("SUCCEEDED", JobStatus.SUCCEEDED),
        ("PARTIALLY_SUCCEEDED", JobStatus.SUCCEEDED),
    ],
)
def test_every_state_of_vertex_is_one_of_ours(state, status):
    report = said(state, **trained())
    assert report.status == status
    assert (report.model is not None) == (status == JobStatus.SUCCEEDED)
    assert (report.error is not None) == (status == JobStatus.FAILED)
    assert report.message


def test_a_record_without_a_state_is_under_way():
    assert jobs.report({}, "", REDACT).status == JobStatus.RUNNING


def test_a_tuned_model_answers_from_its_endpoint_and_each_pass_over_the_file_is_billed():
    model = said("SUCCEEDED", **trained(tokens=250, epochs=10)).model
    assert (model.remote_model, model.base_model) == (ENDPOINT, "gemini-3.5-flash-lite")
    assert model.billed_tokens == 2_500
    assert model.params["tokens_in_file"] == 250
    assert model.params["epochs"] == 10


@pytest.mark.parametrize("counts", [{"tokens": None}, {"epochs": None}])
def test_tokens_that_cannot_be_told_are_unknown_and_not_zero(counts):
    assert said("SUCCEEDED", **trained(**counts)).model.billed_tokens is None


def test_success_without_an_endpoint_is_a_failure_that_was_probably_billed():
    report = said("SUCCEEDED", tuned_model={"model": "projects/p/locations/l/models/7@1"})
    assert report.status == JobStatus.FAILED
    assert "probably billed" in report.error


def test_a_failure_is_told_in_vertexs_words_without_keys():
    report = said("FAILED", error={"code": 3, "message": "row 7 is empty, token ya29.abcdefghijkl"})
    assert report.error == "Vertex says: row 7 is empty, token [key hidden]"
    assert said("EXPIRED").error == "Vertex ended the job (JOB_STATE_EXPIRED) without saying why."


def test_progress_is_told_by_steps_else_by_epochs_else_not_at_all():
    assert said("RUNNING", **trained(tuning_job_metadata={"completed_step_count": 10})).progress == 0.25
    assert said("RUNNING", **trained(tuning_job_metadata={"completed_epoch_count": 5})).progress == 0.5
    assert said("RUNNING", **trained(tuning_job_metadata={"completed_step_count": 90})).progress == 1
    assert said("RUNNING").progress == 0


def test_the_moments_of_a_job_are_its_events():
    began, ended = "2026-11-22T01:00:00Z", "2026-11-22T02:30:00.5Z"
    early = said("RUNNING", create_time=began, start_time=began)
    late = said("FAILED", create_time=began, start_time=began, end_time=ended)
    assert [event.sequence for event in late.events] == [0, 1, 2]
    assert late.events[:2] == early.events
    assert late.events[2].at == datetime(2026, 11, 22, 2, 30, 0, 500_000, tzinfo=UTC)


def test_a_job_belongs_to_an_intent_by_its_label_or_its_name():
    assert jobs.belongs({"labels": {"newstune": KEY}}, KEY)
    assert jobs.belongs({"tuned_model_display_name": f"newstune-{KEY}"}, KEY)
    assert not jobs.belongs({"labels": {"newstune": "another"}}, KEY)
    assert not jobs.belongs({}, KEY)


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED", "EXPIRED"])
def test_a_tuning_that_had_been_running_may_be_billed_and_one_that_waited_is_not(state):
    assert said(state, start_time="2026-11-22T01:00:00Z").may_be_billed
    assert said(state, **trained(tuning_job_metadata={"completed_step_count": 4})).may_be_billed
    assert not said(state, create_time="2026-11-22T01:00:00Z").may_be_billed


def test_a_tuning_that_is_being_cancelled_is_not_one_to_go_on_with():
    assert jobs.status_of(record("CANCELLING")) == JobStatus.CANCELLED
    assert jobs.status_of(record("PENDING")) == JobStatus.RUNNING
