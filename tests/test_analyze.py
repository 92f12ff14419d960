"""POST /api/analyze: a day's articles in, the parent's analysis object out."""

import json
from dataclasses import replace

import pytest
from sqlmodel import func, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import workflows
from core.api import routes
from core.api.parent import MAX_ARTICLES, MAX_DAY_BYTES
from core.db import reading
from core.domain.types import Failure, Sentiment, Target
from core.models import Article, Prediction
from core.providers.base import Forecast
from tests.predicting import MODEL, VENDOR, PaidVendor, bad, cap, good

KEYS = {"date", "totalNews", "investmentIndex", "summary", "keywords", "newsAnalysis", "analyzedAt", "failed"}


@pytest.fixture
def vendor(seeded):
    """A champion over a network that says what a test tells it, by title."""
    made = PaidVendor(priced=False)
    seeded.providers[VENDOR] = made
    workflows.promote(
        seeded, workflows.create_few_shot(seeded, VENDOR, MODEL), Target.SENTIMENT, "it answers"
    )
    return made


def news(*titles):
    return [
        {"id": i, "title": title, "content": "본문", "source": "A wire", "url": f"https://news.example/{i}"}
        for i, title in enumerate(titles, start=1)
    ]


def post(payload, **more):
    client = TestClient(Starlette(routes=routes), client=("127.0.0.1", 50000), base_url="http://localhost")
    return client.post("/api/analyze", json=payload, **more)


def data(payload):
    answer = post(payload)
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    return answer.json()["data"]


def by_word(text):
    """Judge a title by its first word; its confidence is its second, its keywords the others."""
    sentiment, confidence, *words = text.title.split()
    forecast = Forecast(Sentiment(sentiment), float(confidence), tuple(words), "기사의 흐름이 그렇습니다.")
    return replace(good(text.title), forecast=forecast)


def test_a_day_comes_back_in_the_parents_shape(seeded, vendor):
    vendor.asker.script = by_word
    day = data(
        {"date": "2025-11-02", "news": news("positive 90 금리", "negative 60 규제", "neutral 50 출시")}
    )
    assert set(day) == KEYS
    assert (day["date"], day["totalNews"], day["failed"]) == ("2025-11-02", 3, [])
    assert day["summary"] == {"positive": 1, "negative": 1, "neutral": 1}
    assert day["analyzedAt"] == "2026-01-05T03:00:00.000Z"
    assert [set(each) for each in day["newsAnalysis"]] == [
        {"newsId", "sentiment", "confidence", "keywords", "reason"}
    ] * 3
    assert [each["newsId"] for each in day["newsAnalysis"]] == [1, 2, 3]
    assert all(len(each["reason"]) >= 10 for each in day["newsAnalysis"])


def test_the_index_is_the_parents_formula_over_the_answers(seeded, vendor):
    vendor.asker.script = by_word
    day = data({"news": news("positive 90 a", "positive 60 b", "negative 60 c")})
    assert day["investmentIndex"] == 71.4  # (1.5 + 1 - 1) / 3.5 of 100, moved to 0-100


def test_keywords_of_a_day_are_the_most_frequent_ten(seeded, vendor):
    vendor.asker.script = by_word
    titles = ["positive 90 금리 환율", "positive 90 금리 물가", "negative 60 환율 금리"]
    titles += [f"neutral 50 k{i} m{i}" for i in range(6)]
    words = data({"news": news(*titles)})["keywords"]
    assert (words[:3], len(words)) == (["금리", "환율", "물가"], 10)


def test_without_a_date_it_is_today_in_seoul(seeded, vendor):
    assert data({"news": []}) == {
        "date": "2026-01-05",
        "totalNews": 0,
        "investmentIndex": 0.0,
        "summary": {"positive": 0, "negative": 0, "neutral": 0},
        "keywords": [],
        "newsAnalysis": [],
        "analyzedAt": "2026-01-05T03:00:00.000Z",
        "failed": [],
    }


def test_a_failed_article_is_named_and_counts_nowhere(seeded, vendor):
    vendor.asker.script = lambda text: bad(Failure.DECLINED) if "no" in text.title else good(text.title)
    day = data({"news": news("yes", "no", "yes again")})
    assert (day["totalNews"], day["summary"]["positive"], day["summary"]["neutral"]) == (2, 2, 0)
    assert [each["newsId"] for each in day["newsAnalysis"]] == [1, 3]
    [failed] = day["failed"]
    assert (failed["newsId"], "DECLINED" in failed["error"]) == (2, True)


def test_where_every_article_fails_there_is_no_analysis(seeded, vendor):
    vendor.asker.script = lambda _text: bad(Failure.DECLINED)
    answer = post({"news": news("one", "two")})
    assert (answer.status_code, answer.json()["success"]) == (500, False)


def test_beyond_the_budget_some_are_answered_and_none_is_asked_unpaid(seeded, vendor):
    vendor.priced = True
    cap(seeded, 2_000)
    day = data({"news": news(*(f"headline {i}" for i in range(12)))})
    assert 0 < day["totalNews"] < 12
    assert day["totalNews"] + len(day["failed"]) == 12
    assert vendor.asker.asked.total() == day["totalNews"]
    assert "budget" in day["failed"][0]["error"]


def test_every_article_and_answer_is_kept(seeded, vendor):
    before = count(seeded, Article), count(seeded, Prediction)
    data({"news": news("one", "two", "three")})
    assert (count(seeded, Article), count(seeded, Prediction)) == (before[0] + 3, before[1] + 3)


def count(app, table):
    with reading(app.engine) as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_articles_without_an_id_are_numbered(seeded, vendor):
    unnamed = [{"title": "one", "content": "x"}, {"title": "two", "content": "x"}]
    assert [each["newsId"] for each in data({"news": unnamed})["newsAnalysis"]] == [1, 2]


def test_a_day_without_a_champion_says_what_to_do(app):
    answer = post({"news": news("one")})
    assert (answer.status_code, "promote" in answer.json()["error"]) == (503, True)


@pytest.mark.parametrize(
    ("payload", "status", "said"),
    [
        ({}, 400, "news"),
        ({"news": "one"}, 400, "not a list"),
        ({"news": [1]}, 400, "not a list"),
        ({"news": [{"title": "x", "content": "x"}, {"title": ""}]}, 400, "row 2"),
        ({"news": [{"title": "x", "content": "x", "url": "javascript:1"}]}, 400, "url"),
        ({"news": [{"id": 1, "title": "x", "content": ""}] * 2}, 400, "twice"),
        ({"news": [], "date": "02.11.2025"}, 400, "no day"),
        ({"news": [], "date": 20251102}, 400, "no day"),
        ({"news": [], "family": "bonds"}, 400, "unknown"),
        ({"news": [], "family": ["crypto"]}, 400, "unknown"),
        ({"news": news(*map(str, range(MAX_ARTICLES + 1)))}, 413, "200 are allowed"),
    ],
)
def test_what_is_no_day_is_refused_and_nothing_asked(seeded, vendor, payload, status, said):
    answer = post(payload)
    assert (answer.status_code, answer.json()["success"]) == (status, False)
    assert said in answer.json()["error"]
    assert vendor.asker.asked.total() == 0


def test_an_oversized_day_is_refused_unread(seeded, vendor):
    body = json.dumps({"news": [], "more": "x" * MAX_DAY_BYTES}).encode()
    client = TestClient(Starlette(routes=routes), client=("127.0.0.1", 50000), base_url="http://localhost")
    answer = client.post("/api/analyze", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
