"""The loopback vendor, asked by the real clients of the vendors it plays."""

import json
import signal
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from urllib.request import Request, urlopen

import openai
import pytest

from core.errors import InputRejected
from core.providers.loopback.answers import ANSWERS
from core.providers.loopback.batch_faults import BATCH_FAULTS
from core.providers.loopback.script import Fault, RateLimit, Script
from core.providers.loopback.server import Loopback
from core.providers.loopback.simulator import SimulatorServer

pytestmark = pytest.mark.vendors

BASE = "gpt-4.1-mini-2025-04-14"
LABELS = ("positive", "neutral", "negative")
SCHEMA = {
    "type": "object",
    "properties": {
        "sentiment": {"type": "string", "enum": list(LABELS)},
        "confidence": {"type": "integer"},
        "keywords": {"type": "array", "items": {"type": "string"}},
        "reason": {"type": "string"},
    },
    "required": ["sentiment", "confidence", "keywords", "reason"],
    "additionalProperties": False,
}


class Clock:
    """A clock that stands still until a test moves it."""

    now = 1_780_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def server(clock):
    with Loopback(clock=clock) as server:
        yield server


def unencrypted():
    """Options of an OpenAI client that spare it from reading all certificates, a tenth of a second each time."""
    return {"http_client": openai.DefaultHttpx2Client(verify=False), "max_retries": 0, "timeout": 5}


@contextmanager
def client_of(server):
    with openai.OpenAI(api_key="sk-anything", base_url=f"{server.url}/v1", **unencrypted()) as client:
        yield client


@pytest.fixture
def client(server):
    with client_of(server) as client:
        yield client


def example(i):
    said = json.dumps({"sentiment": LABELS[i % 3], "confidence": 80, "keywords": ["금리"]})
    turns = (("system", "판단"), ("user", f"제목: {i * 7919} 뉴스 {i} 번째"), ("assistant", said))
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def jsonl(rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def upload(client, rows=12, purpose="fine-tune"):
    content = rows if isinstance(rows, bytes) else jsonl(map(example, range(rows)))
    return client.files.create(file=("intent-1.jsonl", content, "application/jsonl"), purpose=purpose).id


def train(client, **more):
    asked = {"model": BASE, "training_file": more.pop("training_file", None) or upload(client), **more}
    return client.fine_tuning.jobs.create(**asked)


def ask(client, question="제목: 코스피 급등", model="gpt-6-luna", schema=SCHEMA):
    shape = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}], response_format=shape
    )


def test_every_response_says_that_it_is_simulated(server, client):
    raw = client.models.with_raw_response.list()
    assert raw.headers["x-newstune-simulated"] == "1"
    with pytest.raises(openai.NotFoundError) as caught:
        client.get("/nothing", cast_to=object)
    assert caught.value.response.headers["x-newstune-simulated"] == "1"


def test_the_model_list_has_shutdown_dates(client):
    dates = {model.id: model.shutdown_date for model in client.models.list()}
    assert (dates[BASE], dates["gpt-6-luna"]) == ("2027-01-14", None)


def test_a_training_passes_through_its_states_by_elapsed_time_alone(server, client, clock):
    job = train(client, seed=7, suffix="news", metadata={"run_id": "a"})
    seen = [job.status]
    for seconds in (0.8, 1.0, 4.0):
        clock.now += seconds
        seen.append(client.fine_tuning.jobs.retrieve(job.id).status)
    done = client.fine_tuning.jobs.retrieve(job.id)
    assert seen == ["validating_files", "queued", "running", "running"]
    clock.now += 0.3
    done = client.fine_tuning.jobs.retrieve(job.id)
    assert (done.status, done.seed, done.metadata) == ("succeeded", 7, {"run_id": "a"})
    assert done.fine_tuned_model == f"ft:{BASE}:newstune:news:{job.id.removeprefix('ftjob-')}"
    assert done.finished_at == int(Clock.now + 6)
    assert done.fine_tuned_model in {model.id for model in client.models.list()}
    assert client.files.content(done.result_files[0]).text.startswith("step,train_loss")


def test_billed_tokens_are_those_of_the_file_times_the_epochs(client, clock):
    file = upload(client)
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 4}}}
    jobs = [
        train(client, training_file=file, hyperparameters={"n_epochs": 1}),
        train(client, training_file=file, method=method),
    ]
    assert jobs[0].trained_tokens is None
    clock.now += 10
    one, four = (client.fine_tuning.jobs.retrieve(job.id).trained_tokens for job in jobs)
    assert four == 4 * one > 0


def test_events_come_newest_first_in_pages_and_losses_fall(client, clock):
    job = train(client, validation_file=upload(client))
    clock.now += 3
    earlier = list(client.fine_tuning.jobs.list_events(job.id, limit=7))
    clock.now += 10
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=7))
    assert len({event.id for event in events}) == len(events) > len(earlier)
    assert [event.id for event in events[-len(earlier) :]] == [event.id for event in earlier]
    assert events[0].message == "The job has successfully completed"
    metrics = [event.data for event in events if event.type == "metrics"][::-1]
    assert [one["step"] for one in metrics] == list(range(1, 37))
    assert metrics[-1]["train_loss"] < metrics[0]["train_loss"] / 2
    assert metrics[-1]["full_valid_loss"] == metrics[-1]["valid_loss"]


def test_checkpoints_appear_when_the_training_has_succeeded(client, clock):
    job = train(client)
    assert list(client.fine_tuning.jobs.checkpoints.list(job.id)) == []
    clock.now += 10
    model = client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model
    found = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert [one.step_number for one in found] == [36, 24, 12]
    assert (found[0].fine_tuned_model_checkpoint, found[0].metrics.step) == (model, 36)
    assert ask(client, model=found[-1].fine_tuned_model_checkpoint).choices


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"model": "gpt-6-luna"}, "model_not_available"),
        ({"training_file": "file-none"}, "invalid_file_id"),
        ({"suffix": "s" * 65}, "string_above_max_length"),
        ({"metadata": {"key": "v" * 513}}, "invalid_metadata"),
        ({"metadata": {f"key{i}": "v" for i in range(17)}}, "invalid_metadata"),
        ({"hyperparameters": {"n_epochs": 51}}, "invalid_value"),
        ({"rows": 9}, "invalid_n_examples"),
        ({"rows": b'{"messages": []}\n' * 10}, "invalid_file_format"),
        ({"rows": b"headline,label\n" * 10}, "invalid_file_format"),
    ],
)
def test_a_training_that_the_vendor_would_refuse_is_refused_and_not_made(client, more, code):
    file = upload(client, more.pop("rows", 12))
    with pytest.raises(openai.BadRequestError) as caught:
        train(client, **{"training_file": file, **more})
    assert caught.value.code == code
    assert list(client.fine_tuning.jobs.list()) == []


def test_a_blocked_account_may_upload_but_not_train(server, client):
    server.script = Script(blocked=True)
    file = upload(client)
    with pytest.raises(openai.PermissionDeniedError, match="winding down") as caught:
        train(client, training_file=file)
    assert caught.value.code == "training_not_available"


def test_model_limits_are_absent_unless_the_script_knows_them(server, client):
    with pytest.raises(openai.NotFoundError):
        client.get("/fine_tuning/model_limits", cast_to=object)
    server.script = Script(model_limits={"data": [{"model": BASE}]})
    assert client.get("/fine_tuning/model_limits", cast_to=object) == {"data": [{"model": BASE}]}


def test_trainings_are_found_by_metadata_newest_first_over_pages(client):
    made = [train(client, metadata={"intent": "a" if i % 2 else "b"}).id for i in range(5)]
    assert [job.id for job in client.fine_tuning.jobs.list(limit=2)] == made[::-1]
    assert [job.id for job in client.fine_tuning.jobs.list(metadata={"intent": "a"})] == [made[3], made[1]]


def test_a_new_training_can_be_kept_out_of_lists_for_a_while(server, client, clock):
    server.script = Script(list_lag_s=5)
    job = train(client)
    assert list(client.fine_tuning.jobs.list()) == []
    assert client.fine_tuning.jobs.retrieve(job.id).id == job.id
    clock.now += 5
    assert [one.id for one in client.fine_tuning.jobs.list()] == [job.id]


def test_a_cancelled_training_stays_cancelled_and_leaves_no_model(client, clock):
    job = train(client)
    clock.now += 3
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    clock.now += 60
    done = client.fine_tuning.jobs.retrieve(job.id)
    assert (done.status, done.fine_tuned_model, done.trained_tokens) == ("cancelled", None, None)
    with pytest.raises(openai.BadRequestError):
        client.fine_tuning.jobs.cancel(job.id)


def test_a_training_can_be_made_to_fail(server, client, clock):
    server.script = Script(tuning_error="The file was blocked by moderation.")
    job = train(client)
    clock.now += 60
    done = client.fine_tuning.jobs.retrieve(job.id)
    assert (done.status, done.error.message) == ("failed", "The file was blocked by moderation.")
    assert client.fine_tuning.jobs.list_events(job.id).data[0].level == "error"


def test_a_tuned_model_repeats_the_label_of_the_most_alike_example(client, clock):
    job = train(client)
    name = f"ft:{BASE}:newstune::{job.id.removeprefix('ftjob-')}"
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, model=name)
    assert caught.value.code == "model_not_found"
    clock.now += 6
    questions = [example(i)["messages"][1]["content"] for i in range(12)]
    said = [json.loads(ask(client, text, name).choices[0].message.content) for text in questions]
    assert [one["sentiment"] for one in said] == [LABELS[i % 3] for i in range(12)]
    assert all(one["reason"].startswith("SIMULATED") for one in said)


@pytest.mark.parametrize(
    ("question", "sentiment"),
    [
        ("코스피 급등, 외국인 수주 기대", "positive"),
        ("Shares plunge after lawsuit", "negative"),
        ("금통위 회의", "neutral"),
    ],
)
def test_a_base_model_counts_cue_words(client, question, sentiment):
    reply = ask(client, question)
    said = json.loads(reply.choices[0].message.content)
    assert set(said) == set(SCHEMA["required"])
    assert said["sentiment"] == sentiment
    assert reply.system_fingerprint == "newstune-loopback"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0


def test_strict_mode_refuses_an_open_schema(client):
    with pytest.raises(openai.BadRequestError, match="additionalProperties"):
        ask(client, schema={**SCHEMA, "additionalProperties": True})


def test_an_answer_longer_than_allowed_is_cut(client):
    reply = client.chat.completions.create(
        model="gpt-6-luna", messages=[{"role": "user", "content": "급등"}], max_completion_tokens=5
    )
    assert reply.choices[0].finish_reason == "length"


def test_a_silently_rerouted_model_answers_under_another_name(server, client):
    server.script = Script(answered_as={"gpt-6-luna": "gpt-6.1-terra"})
    assert ask(client).model == "gpt-6.1-terra"


def test_only_accepted_keys_are_let_in(server, client):
    assert json.loads(_get(f"{server.url}/v1/models", expect=401))["error"]["code"] == "invalid_api_key"
    server.script = Script(keys=("sk-another",))
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        client.models.list()


def test_a_body_of_the_wrong_shape_is_a_bad_request(client):
    for body in ({"model": "gpt-6-luna", "messages": [1]}, {"model": "gpt-6-luna", "messages": "x"}):
        with pytest.raises(openai.BadRequestError):
            client.post("/chat/completions", cast_to=object, body=body)
    with pytest.raises(openai.BadRequestError, match="wrong kind"):
        train(client, method="supervised")


def test_both_addresses_of_azure_lead_to_the_same_vendor(server):
    with openai.AzureOpenAI(
        azure_endpoint=server.url, api_version="2025-04-01-preview", api_key="azure-key", **unencrypted()
    ) as old:
        job = train(old)
        assert ask(old).choices
    with openai.OpenAI(base_url=f"{server.url}/openai/v1/", api_key="azure-key", **unencrypted()) as new:
        assert new.fine_tuning.jobs.retrieve(job.id).id == job.id
    assert ("POST", "/openai/deployments/gpt-6-luna/chat/completions") in server.requests


def test_a_checkpoint_answers_once_it_is_deployed(server, client, clock):
    job = train(client, model="meta-llama/Llama-3.1-8B-Instruct")
    clock.now += 10
    checkpoint = client.fine_tuning.jobs.checkpoints.list(job.id).data[0].id
    asked = {
        "name": "news",
        "base_model": "meta-llama/Llama-3.1-8B-Instruct",
        "source": f"{job.id}:{checkpoint}",
    }
    made = client.post(f"{server.url}/v0/models", cast_to=object, body=asked)
    assert made["status"] == "validating"
    with pytest.raises(openai.NotFoundError):
        ask(client, model=made["name"])
    clock.now += 1
    assert client.get(f"{server.url}/v0/models/{made['name']}", cast_to=object)["status"] == "active"
    assert json.loads(ask(client, "제목: 7919 뉴스 1", made["name"]).choices[0].message.content)[
        "sentiment"
    ] == ("neutral")


def test_state_outlives_the_server_and_is_shared(tmp_path, clock):
    path = tmp_path / "deep" / "vendor.db"
    with Loopback(path, clock=clock) as first, client_of(first) as client:
        job = train(client, metadata={"intent": "a"})
        with Loopback(path, clock=clock) as second, client_of(second) as other:
            assert [one.id for one in other.fine_tuning.jobs.list(metadata={"intent": "a"})] == [job.id]
            other.fine_tuning.jobs.cancel(job.id)
        assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"
    with Loopback(path, clock=clock) as third, client_of(third) as client:
        assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"


def test_a_stopped_server_answers_nobody_and_returns_on_its_port(server):
    with client_of(server) as client:
        client.models.list()
        server.stop()
        with pytest.raises(openai.APIConnectionError):
            client.models.list()
        server.start()
        assert client.models.list().data


@pytest.mark.parametrize(
    ("fault", "error", "jobs"),
    [
        (Fault("lost_reset"), openai.APIConnectionError, 1),
        (Fault("lost_timeout"), openai.APITimeoutError, 1),
        (Fault("500_after"), openai.InternalServerError, 1),
        (Fault("status_after", status=503), openai.InternalServerError, 1),
        (Fault("truncated"), json.JSONDecodeError, 1),
        (Fault("cut_off"), openai.APIConnectionError, 1),
        (Fault("reset_before"), openai.APIConnectionError, 0),
        (Fault("500_before"), openai.InternalServerError, 0),
        (Fault("status", status=429), openai.RateLimitError, 0),
        (Fault("status", status=401, body={"error": {"message": "No $KEY"}}), openai.AuthenticationError, 0),
        (Fault("html", status=502), openai.InternalServerError, 0),
    ],
)
def test_a_fault_decides_whether_the_work_is_done_and_what_is_seen(server, client, fault, error, jobs):
    file = upload(client)
    server.script = Script(faults=(fault,))
    with pytest.raises(error):
        client.with_options(timeout=0.3).fine_tuning.jobs.create(model=BASE, training_file=file)
    server.script = Script()
    assert len(list(client.fine_tuning.jobs.list())) == jobs
    assert server.count("POST", "/fine_tuning/jobs") == 1


def test_bytes_in_another_encoding_or_of_another_type_arrive_as_they_are(server, client):
    server.script = Script(faults=(Fault("wrong_encoding", nth=(1,)), Fault("mislabelled", nth=(2,))))
    with pytest.raises(UnicodeDecodeError):
        ask(client)
    assert (
        client.chat.completions.with_raw_response.create(
            model="gpt-6-luna", messages=[{"role": "user", "content": "x"}]
        )
        .headers["content-type"]
        .startswith("text/plain")
    )


def test_a_fault_strikes_where_and_when_it_was_told(server, client):
    server.script = Script(
        faults=(
            Fault("status", "POST *chat/completions", contains="poison", status=400),
            Fault("status", "POST *chat/completions", nth=(2,), status=429, headers={"Retry-After": "7"}),
        )
    )
    assert client.models.list().data
    assert ask(client).choices
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client)
    assert caught.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.BadRequestError):
        ask(client, "poison")
    assert ask(client).choices


def test_faults_by_chance_are_the_same_for_the_same_seed(server, client):
    def struck():
        server.script = Script(faults=(Fault("status", probability=0.5, seed=3),))
        return [_refused(client) for _ in range(20)]

    first, second = struck(), struck()
    assert first == second
    assert set(first) == {True, False}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_odd_answer_reaches_the_client(server, client, name):
    plain = ask(client)
    server.script = Script(faults=(Fault("answer", answer=name),))
    odd = ask(client)
    assert (odd.choices, odd.usage) != (plain.choices, plain.usage)
    assert odd.choices[0].message.refusal if name == "refusal" else True


def test_an_answer_can_be_given_word_for_word(server, client):
    server.script = Script(faults=(Fault("answer", content="{'a': 1}"),))
    assert ask(client).choices[0].message.content == "{'a': 1}"


def test_the_rate_limit_says_when_to_come_back(server, client, clock):
    server.script = Script(rate_limit=RateLimit(2, per_s=10))
    ask(client)
    clock.now += 4
    ask(client)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client)
    assert caught.value.response.headers["retry-after"] == "6"
    clock.now += 6
    assert ask(client).choices


def test_sixteen_are_answered_at_a_time(server, client):
    server.script = Script(latency_s={"POST *chat/completions": 0.1})
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda i: ask(client, f"급등 {i}"), range(48)))
    assert (len(replies), server.peak) == (48, 16)


def batch_of(client, texts, **more):
    lines = [
        {
            "custom_id": f"item-{i}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-6-luna", "messages": [{"role": "user", "content": text}], **more},
        }
        for i, text in enumerate(texts)
    ]
    file = upload(client, jsonl(lines), "batch")
    return client.batches.create(
        input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h", metadata={"intent": "a"}
    )


def results(client, file):
    return client.files.content(file).text.split("\n") if file else []


def test_a_batch_answers_every_line_in_its_own_time(client, clock):
    batch = batch_of(client, ["급등", "급락", "회의"])
    assert (batch.status, batch.output_file_id, batch.metadata) == ("validating", None, {"intent": "a"})
    clock.now += 1
    assert client.batches.retrieve(batch.id).status == "in_progress"
    clock.now += 2
    done = client.batches.retrieve(batch.id)
    assert (done.status, done.request_counts.completed, done.error_file_id) == ("completed", 3, None)
    lines = [json.loads(line) for line in results(client, done.output_file_id)]
    said = {
        line["custom_id"]: json.loads(line["response"]["body"]["choices"][0]["message"]["content"])[
            "sentiment"
        ]
        for line in lines
    }
    assert said == {"item-0": "positive", "item-1": "negative", "item-2": "neutral"}
    assert {line["response"]["status_code"] for line in lines} == {200}
    assert [one.id for one in client.batches.list()] == [batch.id]


def test_lines_that_fail_go_to_the_file_of_errors(client, clock):
    batch = batch_of(client, ["급등", "급락"], model="gpt-none")
    clock.now += 5
    done = client.batches.retrieve(batch.id)
    errors = [json.loads(line) for line in results(client, done.error_file_id)]
    assert (done.output_file_id, done.request_counts.failed) == (None, 2)
    assert errors[0]["response"]["body"]["error"]["code"] == "model_not_found"


def test_a_line_of_a_batch_can_have_an_odd_answer(server, client, clock):
    fault = Fault("answer", "BATCH /v1/chat/completions", contains="급락", answer="wrong_enum")
    server.script = Script(faults=(fault,))
    batch = batch_of(client, ["급등", "급락"])
    clock.now += 5
    lines = results(client, client.batches.retrieve(batch.id).output_file_id)
    assert ["bullish" in line for line in lines] == [False, True]


@pytest.mark.parametrize("name", BATCH_FAULTS)
def test_every_fault_of_a_batch_shows_in_its_files(server, client, clock, name):
    server.script = Script(batch=(name,))
    batch = batch_of(client, [f"급등 {i}" for i in range(4)])
    clock.now += 5
    done = client.batches.retrieve(batch.id)
    whole = [f"item-{i}" for i in range(4)]
    assert [_custom_id(line) for line in results(client, done.output_file_id)] != whole
    assert done.status == ("expired" if name == "expired" else "completed")
    assert bool(done.error_file_id) == (name in ("errors", "expired"))


def test_a_stopped_batch_gives_what_it_has(client, clock):
    batch = batch_of(client, [f"급등 {i}" for i in range(10)])
    clock.now += 1.5
    assert client.batches.cancel(batch.id).status == "cancelling"
    clock.now += 1
    done = client.batches.retrieve(batch.id)
    assert (done.status, len(results(client, done.output_file_id))) == ("cancelled", 5)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"not json", "invalid_json_line"),
        (b'{"custom_id": "a", "method": "POST", "url": "/v1/other", "body": {}}', "mismatched_endpoint"),
        (b"", "empty_file"),
    ],
)
def test_a_batch_file_that_cannot_be_read_fails_the_batch(client, clock, content, code):
    file = upload(client, content, "batch")
    batch = client.batches.create(
        input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h"
    )
    clock.now += 5
    done = client.batches.retrieve(batch.id)
    assert (done.status, done.errors.data[0].code) == ("failed", code)


@contextmanager
def gemini_of(server, **options):
    from google import genai

    http = genai.types.HttpOptions(
        base_url=server.url, timeout=5000, client_args={"verify": False}, **options
    )
    with genai.Client(api_key="AIza-anything", http_options=http) as client:
        yield client


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_the_present_google_client_reads_answers_models_and_counts(server, version):
    with gemini_of(server, api_version=version) as client:
        config = {"response_mime_type": "application/json", "response_schema": SCHEMA}
        reply = client.models.generate_content(
            model="gemini-3.5-flash-lite", contents="제목: 급락", config=config
        )
        names = [model.name for model in client.models.list(config={"page_size": 3})]
        assert reply.parsed["sentiment"] == "negative"
        assert reply.usage_metadata.prompt_token_count > 0
        assert reply.model_version == "gemini-3.5-flash-lite"
        assert "models/gemini-3.5-flash-lite" in names
        assert client.models.get(model="gemini-3.5-flash").name == "models/gemini-3.5-flash"
        assert client.models.count_tokens(model="gemini-3.5-flash", contents="news").total_tokens == 1


def test_googles_errors_have_googles_shape(server):
    from google.genai import errors

    server.script = Script(faults=(Fault("status", status=429, nth=(2,)),))
    with gemini_of(server) as client:
        for status in ("NOT_FOUND", "RESOURCE_EXHAUSTED"):
            with pytest.raises(errors.ClientError) as caught:
                client.models.generate_content(model="gemini-none", contents="x")
            assert caught.value.status == status
    assert json.loads(_get(f"{server.url}/v1beta/models", expect=401))["error"]["status"] == "UNAUTHENTICATED"


@pytest.fixture
def legacy(server):
    """Google's old client: told where to go, and its notice of its own end passed over."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import google.generativeai as legacy
    options = {"api_endpoint": server.url}
    legacy.configure(api_key="AIza-anything", transport="rest", client_options=options)
    return legacy.GenerativeModel("gemini-3.5-flash-lite")


@pytest.mark.parametrize(
    ("answer", "finish"),
    [("", 1), ("length", 2), ("content_filter", 3), ("empty", 1), ("null", 1), ("refusal", None)],
)
def test_both_google_clients_read_every_way_to_end(server, legacy, answer, finish):
    server.script = Script(faults=(Fault("answer", answer=answer),))
    old = legacy.generate_content("급등", request_options={"timeout": 5})
    with gemini_of(server) as client:
        new = client.models.generate_content(model="gemini-3.5-flash-lite", contents="급등")
    assert [int(one.finish_reason) for one in old.candidates] == ([finish] if finish else [])
    assert [one.finish_reason.value for one in new.candidates or []] == [
        one.finish_reason.name for one in old.candidates
    ]
    assert (new.prompt_feedback is not None) == bool(old.prompt_feedback.block_reason) == (finish is None)


@contextmanager
def vertex_of(server):
    from google import genai
    from google.auth.credentials import AnonymousCredentials

    credentials = AnonymousCredentials()
    credentials.token = "ya29.anything"
    http = genai.types.HttpOptions(
        base_url=server.url,
        headers={"Authorization": "Bearer ya29.anything"},
        client_args={"verify": False},
    )
    with genai.Client(
        vertexai=True, project="p", location="us-central1", credentials=credentials, http_options=http
    ) as client:
        yield client


def vertex_example(i):
    turns = (("user", f"제목: {i * 7919} 뉴스 {i} 번째"), ("model", LABELS[i % 3]))
    return {"contents": [{"role": role, "parts": [{"text": text}]} for role, text in turns]}


@pytest.mark.filterwarnings("ignore:The SDK's tuning implementation is experimental")
def test_a_vertex_tuning_runs_is_found_by_its_label_and_answers(server, clock):
    address = server.upload("train.jsonl", jsonl(map(vertex_example, range(12))))
    with vertex_of(server) as client:
        job = client.tunings.tune(
            base_model="gemini-3.5-flash-lite",
            training_dataset={"gcs_uri": address},
            config={"epoch_count": 2, "tuned_model_display_name": "intent-1", "labels": {"intent": "a"}},
        )
        states = [job.state.value]
        for seconds in (0.8, 1.0, 4.3):
            clock.now += seconds
            states.append(client.tunings.get(name=job.name).state.value)
        assert states == [f"JOB_STATE_{word}" for word in ("PENDING", "QUEUED", "RUNNING", "SUCCEEDED")]
        for condition, found in (('labels.intent="a"', 1), ('labels.intent="b"', 0), ("", 1)):
            assert len(list(client.tunings.list(config={"filter": condition}))) == found
        done = client.tunings.get(name=job.name)
        stats = done.tuning_data_stats.supervised_tuning_data_stats
        assert (stats.tuning_dataset_example_count, stats.tuning_step_count) == (12, 6)
        assert stats.total_billable_token_count > 0
        question = vertex_example(5)["contents"][0]["parts"][0]["text"]
        reply = client.models.generate_content(model=done.tuned_model.endpoint, contents=question)
        assert json.loads(reply.text)["sentiment"] == LABELS[5 % 3]
        client.tunings.cancel(name=job.name)
        assert client.tunings.get(name=job.name).has_succeeded


@pytest.mark.filterwarnings("ignore:The SDK's tuning implementation is experimental")
def test_a_vertex_tuning_can_be_cancelled_and_blocked(server, clock):
    from google.genai import errors

    asked = {"base_model": "gemini-3.5-flash-lite", "training_dataset": {"gcs_uri": "gs://elsewhere/x.jsonl"}}
    with vertex_of(server) as client:
        job = client.tunings.tune(**asked)
        client.tunings.cancel(name=job.name)
        clock.now += 60
        assert client.tunings.get(name=job.name).state.value == "JOB_STATE_CANCELLED"
        server.script = Script(blocked=True)
        with pytest.raises(errors.ClientError) as caught:
            client.tunings.tune(**asked)
        assert caught.value.code == 403


def test_a_script_survives_json():
    script = Script(
        latency_s={"*": 0.1},
        rate_limit=RateLimit(3),
        keys=("sk-a",),
        batch=("shuffled",),
        faults=(Fault("status", "POST *", nth=(1, 3), body={"a": 1}), Fault("answer", answer="fenced")),
    )
    assert Script.from_json(json.loads(json.dumps(asdict(script)))) == script


@pytest.mark.parametrize(
    "values",
    [
        {"latency": 1},
        {"faults": [{"outcome": "explode"}]},
        {"faults": [{"outcome": "status", "code": 4}]},
        {"faults": [{"outcome": "answer", "answer": "odd"}]},
        {"batch": ["lost"]},
    ],
)
def test_a_script_with_an_unknown_word_is_refused_with_the_known_ones(values):
    with pytest.raises(InputRejected, match="Use one of"):
        Script.from_json(values)


def test_the_server_runs_as_a_process_and_is_scripted_from_outside(tmp_path):
    command = [sys.executable, "-m", "core.providers.loopback", "--state", str(tmp_path / "vendor.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        with openai.OpenAI(api_key="x", base_url=f"{url}/v1", **unencrypted()) as client:
            assert ask(client).choices
            assert json.loads(_get(f"{url}/_log"))["counts"] == {"POST /v1/chat/completions": 1}
            _get(f"{url}/_script", {"faults": [{"outcome": "status", "status": 429}]})
            with pytest.raises(openai.RateLimitError):
                ask(client)
            assert "Use one of" in json.loads(_get(f"{url}/_script", {"lag": 1}, expect=400))["error"]
            assert json.loads(_get(f"{url}/_reset", {}))["counts"] == {}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0


def test_the_simulator_starts_one_server_however_many_ask(tmp_path):
    simulator = SimulatorServer(tmp_path / "data")
    with ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(lambda _: simulator(), range(8)))
    assert len(urls) == 1
    with openai.OpenAI(api_key="simulated", base_url=urls.pop(), **unencrypted()) as client:
        assert train(client).id
    assert (tmp_path / "data" / "simulator.db").exists()
    simulator.stop()


def _get(url, body=None, expect=200):
    """Return the body of a plain request that has no key."""
    from urllib.error import HTTPError

    try:
        with urlopen(Request(url, None if body is None else json.dumps(body).encode())) as response:
            status, content = response.status, response.read()
    except HTTPError as error:
        with error:
            status, content = error.code, error.read()
    assert status == expect
    return content


def _refused(client):
    try:
        return not client.models.list().data
    except openai.InternalServerError:
        return True


def _custom_id(line):
    try:
        return json.loads(line)["custom_id"] if line else None
    except ValueError:
        return None
