"""Tuning on Vertex with the real SDK on the loopback vendor: started once, whatever breaks, and followed."""

import traceback
from time import monotonic
from urllib.request import urlopen

import pytest
from google.oauth2.credentials import Credentials

from core.domain.training_format import Answer
from core.domain.types import Failure, JobStatus, Readiness, Sentiment
from core.errors import FateUnknown, LeaseLost, ProviderBlocked, ProviderFailed, ProviderUnreachable
from core.providers.base import Launch, ModelRef, NewsText, TrainingRow, TrainingSpec
from core.providers.gemini import tuning
from core.providers.gemini import vertex as vertex_module
from core.providers.gemini.storage import is_installed
from core.providers.gemini.vertex import VertexProvider, address_of
from core.providers.loopback.script import Fault, Script
from core.providers.loopback.server import Loopback
from core.redaction import Redactor

pytestmark = pytest.mark.vendors

TOKEN = "ya29.canary-0123456789abcdef"
KEY = "3f2c9a0e5d7b4c61a8e2f0d4b6c8e0f2"
CREATE = "POST */tuningJobs"
LIST = "GET */tuningJobs"
LABELS = (Sentiment.POSITIVE, Sentiment.NEUTRAL, Sentiment.NEGATIVE)


@pytest.fixture(scope="module")
def server():
    with Loopback() as loopback:
        yield loopback


@pytest.fixture(scope="module")
def vertex(server):
    return provider(server)


@pytest.fixture
def trainer(server, vertex):
    """The trainer, at a vendor that remembers nothing and has no faults."""
    server.script = Script(tuning_s=0.0)
    urlopen(f"{server.url}/_reset", data=b"").close()
    server.requests.clear()
    return vertex.trainer


def provider(server=None, **changes):
    facts = {
        "project": "p",
        "location": "us-central1",
        "bucket": "b",
        "base_url": server.url if server else "",
        "timeout_s": 5.0,
        "redact": Redactor([TOKEN]),
        "upload": server.upload if server else None,
        "credentials": Credentials(token=TOKEN),
    }
    return VertexProvider(**(facts | changes))


def row(i):
    label = LABELS[i % 3]
    text = NewsText(("수주 급등 소식", "신제품 출시 안내", "소송 급락 충격")[i % 3] + f" {i}", None)
    return TrainingRow(text, label, answer=Answer(label, 80, ("주가",), "이유"))


def spec(**changes):
    facts = {"base_model": "gemini-3.5-flash-lite", "system": "규칙", "hyperparameters": {"epoch_count": 2}}
    return TrainingSpec(train=tuple(map(row, range(12))), validation=(row(13),), **(facts | changes))


class Book:
    """Keeps what a launch saves, and can be killed at any save."""

    def __init__(self, dies_at=None):
        self.saves, self.dies_at = [], dies_at

    @property
    def handle(self):
        return self.saves[-1] if self.saves else {}

    def save(self, handle):
        if len(self.saves) == self.dies_at:
            raise LeaseLost("Job 1")
        self.saves.append(dict(handle))

    def launch(self, handle=None):
        return Launch(KEY, self.handle if handle is None else handle, self.save)


def creations(server):
    return server.count("POST", "/tuningJobs")


def test_a_launch_saves_what_it_knows_before_each_step_and_sends_one_request(server, trainer, tmp_path):
    book = Book()
    handle = trainer.start(spec(), tmp_path, book.launch())
    assert [sorted(saved) for saved in book.saves] == [
        ["base_model", "train_uri"],
        ["base_model", "train_uri", "validation_uri"],
        ["base_model", "sends", "train_uri", "validation_uri"],
        ["base_model", "job", "sends", "train_uri", "validation_uri"],
    ]
    assert book.handle == handle
    assert handle["train_uri"].endswith(f"newstune/{KEY}-train.jsonl")
    assert creations(server) == 1
    assert trainer.find(KEY) == [{"job": handle["job"], "status": "succeeded"}]
    assert trainer.find("another") == []


def test_a_tuning_is_followed_to_a_model_that_answers_from_its_endpoint(server, vertex, trainer, tmp_path):
    handle = trainer.start(spec(), tmp_path, Book().launch())
    report = trainer.poll(handle, tmp_path)
    assert (report.status, report.progress) == (JobStatus.SUCCEEDED, 1.0)
    assert [event.sequence for event in report.events] == [0, 1, 2]
    model = report.model
    assert "/endpoints/" in model.remote_model
    assert model.base_model == "gemini-3.5-flash-lite"
    assert (model.params["rows"], model.params["epochs"]) == (12, 2)
    assert model.billed_tokens == model.params["tokens_in_file"] * 2
    asker = vertex.load(
        ModelRef(1, model.base_model, None, None, {"system": "규칙"}, remote_model=model.remote_model)
    )
    replies = [asker.ask(row(i).text) for i in range(3)]
    assert [reply.forecast.sentiment for reply in replies] == list(LABELS)
    assert replies[0].usage.prompt_tokens > 0


def test_a_tuning_is_under_way_until_it_has_ended(server, trainer, tmp_path):
    server.script = Script(tuning_s=600.0)
    handle = trainer.start(spec(), tmp_path, Book().launch())
    report = trainer.poll(handle, tmp_path)
    assert (report.status, report.message) == (JobStatus.RUNNING, "being prepared at Vertex")


def test_a_tuning_that_fails_says_why(server, trainer, tmp_path):
    server.script = Script(tuning_s=0.0, tuning_error="Row 3 has no contents.")
    handle = trainer.start(spec(), tmp_path, Book().launch())
    report = trainer.poll(handle, tmp_path)
    assert (report.status, report.error) == (JobStatus.FAILED, "Vertex says: Row 3 has no contents.")


def test_a_tuning_can_be_cancelled_more_than_once_and_an_ended_one_stays_as_it_is(server, trainer, tmp_path):
    server.script = Script(tuning_s=600.0)
    handle = trainer.start(spec(), tmp_path, Book().launch())
    for _ in range(2):
        trainer.cancel(handle, tmp_path)
    assert trainer.poll(handle, tmp_path).status == JobStatus.CANCELLED
    refused = Fault("status", "POST *:cancel", status=400, body={"error": {"status": "FAILED_PRECONDITION"}})
    server.script = Script(faults=(refused,))
    trainer.cancel(handle, tmp_path)


def test_a_cancel_that_fails_while_the_tuning_goes_on_is_told(server, trainer, tmp_path):
    server.script = Script(tuning_s=600.0, faults=(Fault("status", "POST *:cancel", status=500),))
    handle = trainer.start(spec(), tmp_path, Book().launch())
    with pytest.raises(ProviderUnreachable, match="cancelling"):
        trainer.cancel(handle, tmp_path)


def test_starting_again_with_a_job_asks_nothing(server, trainer, tmp_path):
    handle = {"job": "projects/p/locations/us-central1/tuningJobs/1"}
    assert trainer.start(spec(), tmp_path, Book().launch(handle)) == handle
    assert server.requests == []


LOST = ["lost_reset", "500_after", "truncated", "html_after", "503_after", "cut_off"]


def lost(outcome):
    """Return a fault after which the job exists and its answer is lost."""
    if outcome == "html_after":
        return Fault("status_after", CREATE, status=200, body="<html>")
    if outcome == "503_after":
        return Fault("status_after", CREATE, status=503)
    return Fault(outcome, CREATE)


@pytest.mark.parametrize("outcome", LOST)
def test_a_lost_answer_is_looked_up_at_once_and_nothing_is_sent_again(server, trainer, tmp_path, outcome):
    server.script = Script(tuning_s=0.0, faults=(lost(outcome),))
    book = Book()
    handle = trainer.start(spec(), tmp_path, book.launch())
    assert "lost" in book.saves[-2]
    assert "lost" not in handle
    assert trainer.poll(handle, tmp_path).status == JobStatus.SUCCEEDED
    assert creations(server) == 1


def test_a_lost_answer_that_is_not_in_the_list_yet_is_of_unknown_fate(server, trainer, tmp_path):
    server.script = Script(tuning_s=0.0, list_lag_s=600.0, faults=(lost("lost_reset"),))
    book = Book()
    for _ in range(3):  # by whatever process, however often
        with pytest.raises(FateUnknown):
            trainer.start(spec(), tmp_path, book.launch())
    assert (book.handle["sends"], book.handle["lost"]) == (1, True)
    assert creations(server) == 1
    server.script = Script()
    handle = trainer.start(spec(), tmp_path, book.launch())
    assert trainer.poll(handle, tmp_path).status == JobStatus.SUCCEEDED
    assert creations(server) == 1


def test_a_lost_answer_that_cannot_be_looked_for_is_of_unknown_fate(server, trainer, tmp_path):
    down = Fault("status", LIST, status=500, nth=(2,))
    server.script = Script(tuning_s=0.0, faults=(lost("lost_reset"), down))
    book = Book()
    with pytest.raises(FateUnknown, match="could not be looked for"):
        trainer.start(spec(), tmp_path, book.launch())
    assert book.handle["lost"]


def test_a_request_that_never_came_to_anything_after_a_timeout_is_not_repeated(server, trainer, tmp_path):
    impatient = provider(server, timeout_s=0.2).trainer
    server.script = Script(faults=(Fault("500_before", CREATE, delay_s=0.5),))
    with pytest.raises(FateUnknown, match="no answer"):
        impatient.start(spec(), tmp_path, Book().launch())
    assert creations(server) == 1


@pytest.mark.parametrize("outcome", [None, *LOST])
@pytest.mark.parametrize("dies_at", range(5))
def test_a_driver_killed_anywhere_leaves_one_job_and_its_successor_finds_it(
    server, trainer, tmp_path, dies_at, outcome
):
    server.script = Script(tuning_s=0.0, faults=(lost(outcome),) if outcome else ())
    book = Book(dies_at)
    try:
        trainer.start(spec(), tmp_path, book.launch())
    except LeaseLost:
        book.dies_at = None
    handle = trainer.start(spec(), tmp_path, book.launch())
    assert [one["job"] for one in trainer.find(KEY)] == [handle["job"]]
    assert creations(server) == 1


def test_a_driver_killed_before_its_request_left_is_made_good_once_only(server, trainer, tmp_path):
    ready = {"base_model": "gemini-3.5-flash-lite", "train_uri": "gs://b/t", "validation_uri": "gs://b/v"}
    with pytest.raises(FateUnknown):
        trainer.start(spec(), tmp_path, Book().launch(ready | {"sends": 2}))
    assert creations(server) == 0
    trainer.start(spec(), tmp_path, Book().launch(ready | {"sends": 1}))
    assert creations(server) == 1


def test_of_several_jobs_of_an_intent_the_oldest_is_gone_on_with(server, trainer, tmp_path):
    first = trainer.start(spec(), tmp_path, Book().launch())
    server.script = Script(tuning_s=0.0, list_lag_s=600.0)
    second = trainer.start(spec(), tmp_path, Book().launch())
    server.script = Script()
    assert [one["job"] for one in trainer.find(KEY)] == [first["job"], second["job"]]
    assert trainer.start(spec(), tmp_path, Book().launch({"sends": 1}))["job"] == first["job"]


REFUSED = [
    (403, ProviderBlocked),
    (404, ProviderBlocked),
    (400, ProviderFailed),
    (401, ProviderFailed),
    (429, ProviderFailed),
]


@pytest.mark.parametrize(("status", "error"), REFUSED)
def test_a_refused_start_is_definite_and_may_be_tried_again_later(server, trainer, tmp_path, status, error):
    server.script = Script(tuning_s=0.0, faults=(Fault("status", CREATE, status=status),))
    book = Book()
    with pytest.raises(ProviderFailed) as failed:
        trainer.start(spec(), tmp_path, book.launch())
    assert type(failed.value) is error
    assert (book.handle["sends"], creations(server)) == (0, 1)
    server.script = Script(tuning_s=0.0)
    assert trainer.start(spec(), tmp_path, book.launch())["job"]


def test_a_vendor_that_is_down_was_sent_nothing(server, tmp_path):
    unreachable = provider(server, base_url="http://127.0.0.1:9").trainer
    book = Book()
    with pytest.raises(ProviderUnreachable):
        unreachable.start(spec(), tmp_path, book.launch())
    assert "sends" not in book.handle


@pytest.mark.parametrize(("status", "error"), [(500, ProviderUnreachable), (401, ProviderUnreachable)])
def test_a_look_that_fails_does_not_end_a_job(server, trainer, tmp_path, status, error):
    handle = trainer.start(spec(), tmp_path, Book().launch())
    server.script = Script(faults=(Fault("status", "GET *", status=status),))
    with pytest.raises(error):
        trainer.poll(handle, tmp_path)
    with pytest.raises(ProviderFailed):
        trainer.find(KEY)


def test_a_job_that_is_gone_is_left_to_a_person_and_needs_no_cancelling(server, trainer, tmp_path):
    gone = {"job": "projects/p/locations/us-central1/tuningJobs/404"}
    report = trainer.poll(gone, tmp_path)
    assert (report.status, report.may_be_billed) == (JobStatus.UNKNOWN, False)
    assert "has no job" in report.error
    trainer.cancel(gone, tmp_path)
    server.script = Script(faults=(Fault("status", "GET *", status=404),))  # a wrong address, not a lost job
    with pytest.raises(ProviderUnreachable):
        trainer.poll(gone, tmp_path)


def resend(handle):
    return {name: handle[name] for name in handle if name not in ("sends", "lost")}


def test_a_cancelled_job_is_not_taken_for_the_one_that_a_person_asked_for(server, trainer, tmp_path):
    server.script = Script(tuning_s=600.0, list_lag_s=600.0, faults=(lost("lost_reset"),))
    book = Book()
    with pytest.raises(FateUnknown):
        trainer.start(spec(), tmp_path, book.launch())
    server.script = Script(tuning_s=600.0)
    (first,) = trainer.find(KEY)
    trainer.cancel(first, tmp_path)
    again = trainer.start(spec(), tmp_path, book.launch(resend(book.handle)))
    assert again["passed_over"] == [first["job"]]
    assert {one["job"]: one["status"] for one in trainer.find(KEY)} == {
        first["job"]: "cancelled",
        again["job"]: "running",
    }


def test_after_a_persons_word_a_list_that_cannot_be_read_is_no_proof_that_nothing_was_sent(
    server, trainer, tmp_path
):
    server.script = Script(list_lag_s=600.0, faults=(lost("lost_reset"),))
    book = Book()
    with pytest.raises(FateUnknown):
        trainer.start(spec(), tmp_path, book.launch())
    server.script = Script(faults=(Fault("status", LIST, status=500),))
    with pytest.raises(FateUnknown):
        trainer.start(spec(), tmp_path, book.launch(resend(book.handle)))
    assert creations(server) == 1


def test_an_answer_that_drips_is_given_up_in_time_and_its_job_is_found(
    server, trainer, tmp_path, monkeypatch
):
    monkeypatch.setattr(tuning, "REQUEST_S", 0.7)
    server.script = Script(tuning_s=0.0, faults=(Fault("drip", CREATE),))
    patient, began = provider(server, timeout_s=600.0).trainer, monotonic()
    handle = patient.start(spec(), tmp_path, Book().launch())
    assert 0.7 < monotonic() - began < 5
    assert trainer.poll(handle, tmp_path).status == JobStatus.SUCCEEDED
    assert creations(server) == 1


@pytest.mark.usefixtures("trainer")
def test_no_setting_lets_a_request_of_a_launch_outlast_its_lease(server, tmp_path, monkeypatch):
    monkeypatch.setattr(vertex_module, "SILENCE_S", 0.2)
    server.script = Script(faults=(Fault("500_before", CREATE, delay_s=3.0),))
    began = monotonic()
    with pytest.raises(FateUnknown, match="no answer"):
        provider(server, timeout_s=600.0).trainer.start(spec(), tmp_path, Book().launch())
    assert monotonic() - began < 2.5


def test_an_address_that_does_not_answer_is_of_unknown_kind(server):
    assert provider(server, base_url="http://127.0.0.1:9").reachable_kind() is None
    assert provider(server).reachable_kind() is True
    assert provider().reachable_kind() is False


@pytest.mark.filterwarnings("ignore:JOB_STATE_ASLEEP is not a valid JobState")  # the SDK says so itself
def test_a_state_that_the_sdk_does_not_know_is_under_way(server, trainer, tmp_path):
    handle = trainer.start(spec(), tmp_path, Book().launch())
    body = {"name": handle["job"], "state": "JOB_STATE_ASLEEP"}
    server.script = Script(faults=(Fault("status", "GET *", status=200, body=body),))
    assert trainer.poll(handle, tmp_path).status == JobStatus.RUNNING


def test_settings_that_vertex_does_not_have_are_refused_before_anything_is_sent(server, trainer, tmp_path):
    wrong = spec(hyperparameters={"n_epochs": 3})
    assert trainer.preflight(wrong).status == Readiness.BLOCKED
    with pytest.raises(ProviderFailed, match="no setting 'n_epochs'"):
        trainer.start(wrong, tmp_path, Book().launch())
    assert server.requests == []


def test_a_training_is_judged_before_without_asking(server, trainer):
    assert "advises 100" in trainer.preflight(spec()).reason
    assert trainer.preflight(spec()).status == Readiness.READY
    assert trainer.preflight(spec(base_model="gemini-2.5-flash")).status == Readiness.UNKNOWN
    assert server.requests == []


def test_the_tokens_grow_with_the_epochs(trainer):
    once, thrice = (trainer.estimate_tokens(spec(hyperparameters={"epoch_count": n})) for n in (1, 3))
    assert thrice == once * 3
    assert 0 < once.low <= once.likely <= once.high


@pytest.mark.parametrize("what", ["answer", "train"])
def test_whether_it_would_is_asked_for_free(server, vertex, trainer, what):
    assert vertex.check(what).status == Readiness.READY
    assert {method for method, _ in server.requests} == {"GET"}
    for status, expected in ((403, Readiness.BLOCKED), (500, Readiness.UNKNOWN)):
        server.script = Script(faults=(Fault("status", LIST, status=status),))
        assert vertex.check(what).status == expected


def test_what_is_not_set_is_named(server, tmp_path):
    blocked = provider(server, project="").check("answer")
    assert (blocked.status, blocked.reason) == (Readiness.BLOCKED, "GOOGLE_CLOUD_PROJECT is not set.")
    blocked = provider(server, bucket="", upload=None).check("train")
    assert blocked.reason == "GOOGLE_CLOUD_BUCKET is not set."
    with pytest.raises(ProviderFailed, match="GOOGLE_CLOUD_PROJECT"):
        provider(server, project="").trainer.start(spec(), tmp_path, Book().launch())
    assert not provider(server, project="").card().configured


@pytest.mark.skipif(is_installed(), reason="google-cloud-storage is installed here")
def test_without_the_storage_package_it_is_said_how_to_get_it(server, trainer, tmp_path):
    bare = provider(server, upload=None)
    for preflight in (bare.check("train"), bare.trainer.preflight(spec())):
        assert preflight.status == Readiness.BLOCKED
        assert "requirements-vertex.txt" in preflight.reason
    with pytest.raises(ProviderFailed, match=r"requirements-vertex\.txt"):
        bare.trainer.start(spec(), tmp_path, Book().launch())
    assert bare.check("answer").status == Readiness.READY


def test_without_credentials_it_is_said_how_to_sign_in(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    nobody = provider(server, credentials=None)
    blocked = nobody.check("train")
    assert blocked.status == Readiness.BLOCKED
    assert "gcloud auth application-default login" in blocked.reason
    reply = nobody.load(ModelRef(1, "gemini-3.5-flash-lite", None, None)).ask(NewsText("제목"))
    assert (reply.failure, reply.billed) == (Failure.KEY_REFUSED, False)
    with pytest.raises(ProviderBlocked):
        nobody.trainer.start(spec(), tmp_path, Book().launch())


@pytest.mark.parametrize("changes", [{"credentials": None}, {"project": ""}])
def test_credentials_that_are_gone_do_not_end_what_may_be_under_way(server, tmp_path, monkeypatch, changes):
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    nobody = provider(server, **changes).trainer
    with pytest.raises(FateUnknown, match="could not be looked for"):
        nobody.start(spec(), tmp_path, Book().launch({"train_uri": "gs://b/t", "sends": 1}))
    for look in (nobody.poll, nobody.cancel):
        with pytest.raises(ProviderUnreachable):
            look({"job": "projects/p/locations/us-central1/tuningJobs/1"}, tmp_path)


def test_the_environment_does_not_redirect_it(server, trainer, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "AIzaOtherKey-000000")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "false")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "other")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v7")
    server.script = Script(keys=(TOKEN,))
    assert provider(server).check("answer").status == Readiness.READY
    assert server.requests[-1] == ("GET", "/v1beta1/projects/p/locations/us-central1/tuningJobs")


def test_each_region_has_its_address():
    assert address_of("us-central1") == "https://us-central1-aiplatform.googleapis.com"
    assert address_of("global") == "https://aiplatform.googleapis.com"
    assert address_of("eu") == "https://aiplatform.eu.rep.googleapis.com"
    assert provider().card().destination == "us-central1-aiplatform.googleapis.com"
    assert not provider().simulated


def test_the_card_says_that_no_price_is_known_and_offers_what_can_be_tuned(vertex):
    card = vertex.card()
    assert vertex.simulated
    assert any("No price" in note for note in card.notes)
    assert card.base_models[0].name == "gemini-3.5-flash-lite"
    assert all(model.trainable for model in card.base_models)
    assert [setting.name for setting in card.hyperparameters] == [
        "epoch_count",
        "learning_rate_multiplier",
        "adapter_size",
    ]


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_a_token_that_the_vendor_echoes_never_comes_through(server, vertex, trainer, tmp_path, status):
    echo = {"error": {"status": "INVALID_ARGUMENT", "message": "You sent $KEY."}}
    server.script = Script(faults=(Fault("status", CREATE, status=status, body=echo),))
    with pytest.raises(ProviderFailed) as failed:
        trainer.start(spec(), tmp_path, Book().launch())
    shown = [*traceback.format_exception(failed.value), repr(vertex), repr(trainer), repr(vertex.card())]
    assert "[key hidden]" in str(failed.value)
    assert TOKEN not in "".join(shown)
