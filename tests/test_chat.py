"""The OpenAI-compatible routes without OpenAI's library: reading messages, shapes, refusals."""

import json

import pytest
from pydantic import SecretStr
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import workflows
from core.api import routes
from core.db import reading
from core.domain.answers import parse_answer
from core.domain.chat import last_user_text, read_news
from core.domain.training_format import serving_messages
from core.domain.types import Failure, Target
from core.models import Article, Prediction
from tests.predicting import MODEL, VENDOR, PaidVendor, bad

BODY = "한국은행이 내렸다.\n둘째 줄"


@pytest.fixture
def vendor(seeded):
    made = PaidVendor(priced=False)
    seeded.providers[VENDOR] = made
    workflows.promote(
        seeded, workflows.create_few_shot(seeded, VENDOR, MODEL), Target.SENTIMENT, "it answers"
    )
    return made


def client():
    return TestClient(Starlette(routes=routes), client=("127.0.0.1", 50000), base_url="http://localhost")


def post(**payload):
    chat = {"model": "newstune", "messages": [{"role": "user", "content": f"제목: 금리 인하\n본문: {BODY}"}]}
    return client().post("/v1/chat/completions", json=chat | payload)


@pytest.mark.parametrize(
    ("message", "news"),
    [
        (serving_messages("s", "금리 인하", BODY)[1]["content"], ("금리 인하", BODY)),
        (serving_messages("s", "금리 인하", None)[1]["content"], ("금리 인하", None)),
        ("Title: Rates cut\nContent: By a quarter.", ("Rates cut", "By a quarter.")),
        ("title : Rates cut\nbody: By a quarter.", ("Rates cut", "By a quarter.")),
        ("다음 기사를 판단하라.\n\n제목: 금리 인하\n내용: 내렸다.", ("금리 인하", "내렸다.")),
        ("제목: 금리 인하\n출처 없음\n본문: 내렸다.", ("금리 인하 출처 없음", "내렸다.")),
        ("Rates cut\nBy a quarter.", ("Rates cut", "By a quarter.")),
        ("  Rates cut  ", ("Rates cut", None)),
        ("제목: 금리: 인하\n본문: 제목: 이 아니다", ("금리: 인하", "제목: 이 아니다")),
        ("", ("", None)),
    ],
)
def test_a_message_is_read_as_the_template_writes_it(message, news):
    assert read_news(message) == news


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}], "two"),
        ([{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}], "one"),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
            "a\nb",
        ),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], None),
        ([{"role": "system", "content": "one"}], None),
        ([], None),
        ("one", None),
        ([{"role": "user", "content": 5}], None),
    ],
)
def test_the_last_user_message_is_the_news(messages, text):
    assert last_user_text(messages) == text


def test_an_answer_is_what_our_own_reader_of_answers_takes(seeded, vendor):
    answer = post()
    choice = answer.json()["choices"][0]
    parsed = parse_answer(choice["message"]["content"])
    assert (parsed.sentiment, parsed.confidence, choice["finish_reason"]) == ("positive", 80, "stop")
    assert "\n" not in choice["message"]["content"]


def test_a_question_is_kept_like_any_other_and_named_by_its_request(seeded, vendor):
    answer = post(metadata={"url": "https://news.example/1", "family": "crypto", "source": "A wire"}).json()
    with reading(seeded.engine) as session:
        kept = session.exec(select(Prediction).order_by(Prediction.id.desc())).first()
        article = session.get(Article, kept.article_id)
    assert answer["id"] == f"chatcmpl-{kept.request_id}"
    assert (article.title, article.body, article.url) == ("금리 인하", BODY, "https://news.example/1")
    assert (article.family, article.publisher) == ("crypto", "A wire")


def test_tokens_are_the_vendors_where_it_counts(seeded, vendor):
    answer = post()
    assert answer.json()["usage"] == {"prompt_tokens": 400, "completion_tokens": 50, "total_tokens": 450}
    assert answer.headers["x-newstune-usage"] == "vendor"


def test_models_are_the_names_with_a_champion(seeded, vendor):
    listed = client().get("/v1/models").json()
    assert [each["id"] for each in listed["data"]] == ["newstune", "newstune-sentiment"]
    assert client().get("/v1/models/newstune").json()["object"] == "model"
    assert client().get("/v1/models/newstune-direction").status_code == 404


@pytest.mark.parametrize(
    ("payload", "status", "code", "param"),
    [
        ({"model": "gpt-9"}, 404, "model_not_found", "model"),
        ({"model": None}, 400, None, "model"),
        ({"messages": []}, 400, None, "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, 400, None, "title"),
        ({"n": 2}, 400, None, "n"),
        ({"metadata": "x"}, 400, None, "metadata"),
        ({"messages": [{"role": "user", "content": "제목: x\n본문: " + "x" * 20_001}]}, 413, None, "content"),
        ({"model": "newstune-direction"}, 503, None, None),
    ],
)
def test_a_refusal_has_openais_shape_and_is_not_to_be_repeated(seeded, vendor, payload, status, code, param):
    answer = post(**payload)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.headers["x-should-retry"] == "false"
    assert vendor.asker.asked.total() == 0


def test_a_failed_answer_is_a_server_error_that_is_not_to_be_repeated(seeded, vendor):
    vendor.asker.script = lambda _text: bad(Failure.TIMEOUT, billed=None)
    answer = post()
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
    assert (answer.headers["x-should-retry"], vendor.asker.asked.total()) == ("false", 1)


def test_with_a_token_the_header_decides(seeded, vendor):
    seeded.settings.api_token = SecretStr("correct horse")
    answer = post()
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert client().get("/v1/models").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/chat/completions", 405), ("GET", "/v1/x", 404)]
)
def test_what_is_no_route_is_refused_in_openais_shape(app, method, path, status):
    answer = client().request(method, path)
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_a_stream_ends_as_openais_does(seeded, vendor):
    answer = post(stream=True, stream_options={"include_usage": True})
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"]) == ([], 450)
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}
    assert answer.headers["content-type"].startswith("text/event-stream")
