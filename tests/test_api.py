"""The JSON routes: the parent's contract, its envelope, and who may ask."""

import asyncio
import json
import socket

import pytest
from pydantic import SecretStr
from sqlmodel import func, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import workflows
from core.api import MAX_REQUEST_BYTES, routes
from core.db import reading
from core.domain.types import Sentiment, Target
from core.models import Article, Prediction
from core.providers.base import Forecast
from core.settings import Settings

NEWS = {
    "id": 7,
    "title": "The central bank cut its rate",
    "content": "A quarter of a point.",
    "source": "A wire",
}


def client(host="127.0.0.1", base="http://localhost"):
    return TestClient(Starlette(routes=routes), client=(host, 50000), base_url=base)


@pytest.fixture
def ready(seeded):
    """The seeded application with a champion for sentiment."""
    model_id = workflows.wait_for_training(
        seeded, workflows.start_training(seeded, workflows.Request(1, "scripted")).job_id
    )
    workflows.promote(seeded, model_id, Target.SENTIMENT, "first")
    return seeded


def count(app, table):
    with reading(app.engine) as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_health_answers_in_the_envelope(app):
    answer = client().get("/api/health")
    assert (answer.status_code, answer.json()["success"], answer.json()["data"]["status"]) == (
        200,
        True,
        "ok",
    )


def test_the_champion_answers_in_the_parents_shape(ready):
    answer = client().post("/api/predict", json=NEWS).json()
    assert answer["success"] is True
    assert set(answer["data"]) == {"newsId", "sentiment", "confidence", "keywords", "reason"}
    assert (answer["data"]["newsId"], answer["data"]["sentiment"]) == (7, "neutral")
    assert 1 <= len(answer["data"]["keywords"]) <= 5
    assert len(answer["data"]["reason"]) >= 10


def test_every_prediction_is_stored_and_the_article_once(ready):
    before = count(ready, Prediction), count(ready, Article)
    for _ in range(2):
        client().post("/api/predict", json=NEWS)
    assert (count(ready, Prediction), count(ready, Article)) == (before[0] + 2, before[1] + 1)


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"id": 1, "content": "x"}, 400),
        ({"id": 1, "title": "x"}, 400),
        ({"title": "", "content": "x"}, 400),
        ({"title": 5, "content": "x"}, 400),
        ({"title": "x", "content": ["x"]}, 400),
        ({"title": "x", "content": "x", "source": 3}, 400),
        ({"title": "x", "content": "x", "id": {}}, 400),
        ({"title": "x", "content": "x", "target": "mood"}, 400),
        ({"title": "x", "content": "x", "family": "bonds"}, 400),
        ({"title": "x", "content": "x", "url": "file:///etc/passwd"}, 400),
        ({"title": "x", "content": "x", "url": 5}, 400),
        ({"title": "x" * 1_001, "content": "x"}, 413),
        ({"title": "x", "content": "x" * 20_001}, 413),
        ({"title": "a\x00b", "content": "x"}, 400),
        ([1, 2], 400),
        ({"title": "x", "content": "x", "target": "direction"}, 503),
    ],
)
def test_what_cannot_be_answered_is_refused_in_the_envelope(ready, payload, status):
    before = count(ready, Article)
    answer = client().post("/api/predict", json=payload)
    assert (answer.status_code, answer.json()["success"]) == (status, False)
    assert answer.json()["error"].endswith(".")
    assert count(ready, Article) == before


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"title": "\\ud800", "content": "x"}']
)
def test_bad_json_is_refused_in_the_envelope(ready, body):
    answer = client().post("/api/predict", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["success"]) == (400, False)


def test_an_oversized_request_is_refused_unread(ready):
    body = b'{"title": "' + b"x" * MAX_REQUEST_BYTES + b'"}'
    answer = client().post("/api/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_a_form_cannot_ask(ready):
    answer = client().post("/api/predict", data={"title": "x", "content": "x"})
    assert answer.status_code == 415


def test_without_a_champion_it_says_what_to_do(app):
    answer = client().post("/api/predict", json=NEWS)
    assert (answer.status_code, "promote" in answer.json()["error"]) == (503, True)


@pytest.mark.parametrize(
    ("host", "base"), [("10.0.0.9", "http://localhost"), ("127.0.0.1", "http://evil.example")]
)
def test_without_a_token_only_this_machine_may_ask_and_only_by_its_own_name(ready, host, base):
    assert client(host, base).post("/api/predict", json=NEWS).status_code == 403


def test_with_a_token_the_header_decides(ready):
    ready.settings.api_token = SecretStr("correct horse")
    far = client("10.0.0.9", "http://newstune.example")
    assert far.post("/api/predict", json=NEWS).status_code == 401
    wrong = far.post("/api/predict", json=NEWS, headers={"authorization": "Bearer wrong"})
    assert (wrong.status_code, "correct horse" in wrong.text) == (401, False)
    assert (
        far.post("/api/predict", json=NEWS, headers={"authorization": "Bearer correct horse"}).status_code
        == 200
    )


def test_an_empty_token_is_no_token(monkeypatch):
    monkeypatch.setenv("NEWSTUNE_API_TOKEN", " ")
    assert Settings(_env_file=None).api_token is None


def test_the_token_needs_its_scheme(ready):
    ready.settings.api_token = SecretStr("correct horse")
    answer = client().post("/api/predict", json=NEWS, headers={"authorization": "correct horse"})
    assert answer.status_code == 401


@pytest.mark.parametrize("news_id", ["\ud800", "x" * 201])
def test_an_id_that_cannot_be_sent_back_is_refused_before_anything_is_stored(ready, news_id):
    before = count(ready, Article)
    body = json.dumps(NEWS | {"id": news_id}).encode()
    answer = client().post("/api/predict", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code in (400, 413), count(ready, Article)) == (True, before)


def test_news_is_cleaned_like_that_of_every_other_source(ready):
    client().post("/api/predict", json=NEWS | {"title": "Rates <img src=x> cut"})
    with reading(ready.engine) as session:
        stored = session.exec(select(Article.title).order_by(Article.id.desc())).first()
    assert "<img" not in stored


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/predict", 405),
        ("GET", "/api/analyze", 405),
        ("PUT", "/api/predict", 405),
        ("POST", "/api/health", 405),
        ("GET", "/api/x", 404),
    ],
)
def test_what_is_no_route_is_refused_in_the_envelope(app, method, path, status):
    answer = client().request(method, path)
    assert (answer.status_code, answer.json()["success"]) == (status, False)


def test_an_asked_article_is_no_sample_before_it_is_judged(ready):
    client().post("/api/predict", json=NEWS)
    with reading(ready.engine) as session:
        assert session.exec(select(Article.reason).order_by(Article.id.desc())).first() == "NO_LABEL"


def test_the_address_of_an_article_is_kept(ready):
    client().post("/api/predict", json=NEWS | {"url": "https://news.example/7"})
    with reading(ready.engine) as session:
        assert (
            session.exec(select(Article.url).order_by(Article.id.desc())).first() == "https://news.example/7"
        )


def test_a_reason_too_short_for_the_parent_is_written_out():
    forecast = Forecast(Sentiment.NEGATIVE, None, (), "악재")
    said = workflows.as_parent(forecast, "증권사 목표가 하향")
    assert (said["confidence"], said["keywords"]) == (None, ["증권사", "목표가", "하향"])
    assert said["reason"].startswith("악재 ")
    assert len(said["reason"]) >= 10


def test_the_server_sends_small_pieces_at_once():
    """Without that, each answer on a connection that stays open waits 40 ms for an acknowledgement."""
    from app import send_at_once

    async def option_of_accepted():
        loop = asyncio.get_running_loop()
        send_at_once(loop)
        with socket.socket() as listening:  # bound as Streamlit binds its own
            listening.bind(("127.0.0.1", 0))
            accepted = loop.create_future()

            class Protocol(asyncio.Protocol):
                def connection_made(self, transport):
                    option = transport.get_extra_info("socket").getsockopt(
                        socket.IPPROTO_TCP, socket.TCP_NODELAY
                    )
                    accepted.set_result(option)
                    transport.close()

            server = await loop.create_server(Protocol, sock=listening)
            _, writer = await asyncio.open_connection(*listening.getsockname())
            option = await accepted
            writer.close()
            server.close()
            return option

    assert asyncio.run(option_of_accepted()) != 0
