"""The official OpenAI library against our own server: another base URL and nothing else."""

import json
import socket
from contextlib import contextmanager
from threading import Thread
from time import sleep

import openai
import pytest
import uvicorn
from pydantic import SecretStr
from sqlmodel import func, select
from starlette.applications import Starlette

from core import workflows
from core.api import routes
from core.db import reading
from core.domain.training_format import serving_messages
from core.domain.types import Failure, Target
from core.models import Prediction
from tests.predicting import MODEL, VENDOR, PaidVendor, bad

pytestmark = pytest.mark.vendors
MESSAGES = serving_messages("You judge news.", "금리 인하", "한국은행이 기준금리를 내렸다.")


@contextmanager
def serving():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(Starlette(routes=routes), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join()


@pytest.fixture
def local(seeded):
    """A champion on this machine: the scripted one."""
    job = workflows.start_training(seeded, workflows.Request(1, "scripted")).job_id
    workflows.promote(seeded, workflows.wait_for_training(seeded, job), Target.SENTIMENT, "first")
    seeded.settings.api_token = SecretStr("correct horse")
    return seeded


@pytest.fixture
def vendor(seeded):
    """A champion behind a paid vendor."""
    made = PaidVendor(priced=False)
    seeded.providers[VENDOR] = made
    workflows.promote(
        seeded, workflows.create_few_shot(seeded, VENDOR, MODEL), Target.SENTIMENT, "it answers"
    )
    seeded.settings.api_token = SecretStr("correct horse")
    return made


@pytest.fixture
def client():
    with serving() as url, openai.OpenAI(api_key="correct horse", base_url=url, timeout=20) as made:
        yield made


def test_the_library_gets_a_chat_completion(local, client):
    answer = client.chat.completions.create(model="newstune", messages=MESSAGES, temperature=0)
    said = json.loads(answer.choices[0].message.content)
    assert (said["sentiment"], said["confidence"], answer.choices[0].finish_reason) == ("neutral", 50, "stop")
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_the_library_sees_that_tokens_of_a_local_model_are_estimated(local, client):
    raw = client.chat.completions.with_raw_response.create(model="newstune-sentiment", messages=MESSAGES)
    assert raw.headers["x-newstune-usage"] == "estimated"


def test_the_library_reads_a_stream(local, client):
    options = {"include_usage": True}
    stream = client.chat.completions.create(
        model="newstune", messages=MESSAGES, stream=True, stream_options=options
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert json.loads(text)["sentiment"] == "neutral"
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens > 0


def test_the_library_lists_models(local, client):
    assert [model.id for model in client.models.list()] == ["newstune", "newstune-sentiment"]
    assert client.models.retrieve("newstune").owned_by == "newstune"


def test_every_question_of_the_library_is_kept(local, client):
    before = kept(local)
    for i in range(3):
        messages = [{"role": "user", "content": f"제목: 소식 {i}"}]
        client.chat.completions.create(model="newstune", messages=messages)
    assert kept(local) == before + 3


def kept(app):
    with reading(app.engine) as session:
        return session.exec(select(func.count()).select_from(Prediction)).one()


def test_an_unknown_model_is_the_librarys_not_found(local, client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-9", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_wrong_token_is_the_librarys_authentication_error(local, client):
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()


def test_a_lost_answer_is_not_asked_again_by_the_librarys_own_retries(vendor, client):
    vendor.asker.script = lambda _text: bad(Failure.TIMEOUT, billed=None)
    with pytest.raises(openai.InternalServerError):
        client.with_options(max_retries=2).chat.completions.create(model="newstune", messages=MESSAGES)
    assert vendor.asker.asked.total() == 1
