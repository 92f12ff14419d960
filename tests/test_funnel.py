"""The funnel and the progress to the goal, counted on rows of known kinds."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from core.db import insert_new, reading, writing
from core.domain.policy import Policy
from core.domain.types import Reason
from core.models import (
    AccuracyLog,
    Article,
    DayScore,
    HumanLabel,
    ImportRun,
    MarketDay,
    ModelVersion,
    Outcome,
    Prediction,
)
from core.queries.funnel import funnel, plan_strict
from core.queries.progress import outcome_clock, progress
from tests.conftest import agree, empty_database

NOW = datetime(2025, 12, 1, tzinfo=UTC)
FIRST = date(2025, 11, 3)
POLICY = Policy()


@pytest.fixture
def engine(tmp_path):
    engine = empty_database(tmp_path / "test.db")
    with writing(engine) as session:
        session.add(ImportRun(kind="test", name="test", started_at=NOW))
        session.add(
            ModelVersion(name="m", kind="few_shot", provider="imported", base_model="x", created_at=NOW)
        )
        session.commit()
    yield engine
    engine.dispose()


def add(engine, *rows):
    with writing(engine) as session:
        for row in rows:
            session.add(row)
            session.flush()
        agree(session)


def article(n, *, reason=None, family="general", day=FIRST, at=datetime(2025, 11, 3, 1, tzinfo=UTC)):
    return Article(
        id=n,
        key=f"a{n}",
        family=family,
        origin="ai-news-trader",
        title=f"News {n}",
        content_hash=str(n),
        file_date=day,
        effective_at=at,
        reason=reason,
        created_at=NOW,
    )


def predicted(n, sentiment="positive", **values):
    usual = {"import_id": 1, "confidence": 80.0}
    return Prediction(article_id=n, model_id=1, sentiment=sentiment, created_at=NOW, **(usual | values))


def labelled(n, sentiment="positive", reviewer="kim"):
    return HumanLabel(article_id=n, sentiment=sentiment, reviewer=reviewer, created_at=NOW)


def matured(n, direction="positive", day=FIRST):
    return Outcome(
        article_id=n, state="matured", direction=direction, return_pct=2.0, session=day, decided_at=NOW
    )


def scored(accuracy, family="general", day=FIRST):
    return DayScore(
        file_date=day, family=family, index_value=70.0, predicted_direction="positive", accuracy=accuracy
    )


def parent(day, **values):
    return [MarketDay(day=day, instrument=k, source="parent", return_pct=v) for k, v in values.items()]


def log(day, **values):
    payload = {"actual": {"crypto": {"btc": values.get("btc", 0)}, "stock": {"kospi": 0}}}
    return AccuracyLog(file_date=day, payload=payload)


def get(engine, question=funnel, policy=POLICY):
    with reading(engine) as session:
        return question(session, policy)


KEYS = [
    "articles_joined",
    "without_placeholder",
    "unique",
    "with_accuracy_log",
    "with_real_market",
    "verified",
    "verified_by_target",
    "plan_strict",
    "goal",
    "demo_articles",
    "by_label",
    "reasons",
    "market_days",
    "waterfall",
]


def test_an_empty_database_has_a_funnel_of_zeros(engine):
    found = get(engine)
    assert list(found) == KEYS
    assert (found["articles_joined"], found["verified"], found["goal"]) == (0, 0, 500)
    assert found["reasons"] == {str(code): 0 for code in Reason}
    assert found["market_days"] == {"total": 0, "unknown": 0, "suspect": 0, "real": 0}
    assert found["by_label"]["direction"] == {"positive": 0, "neutral": 0, "negative": 0}


def test_every_step_counts_what_is_left(engine):
    second = FIRST + timedelta(days=1)
    add(
        engine,
        article(1, reason="PLACEHOLDER_BODY"),
        article(2, reason="DUPLICATE_URL"),
        article(3, reason="NEAR_DUPLICATE"),
        article(4, reason="NO_LABEL", day=second),
        article(5, reason="LABEL_CONFLICT", day=date(2025, 11, 9)),
        article(6, reason="EXCLUDED_BY_HAND"),
        article(7),
        article(8, day=None),
        article(9, reason="NO_LABEL"),
    )
    add(
        engine,
        *[predicted(n) for n in range(1, 8)],
        labelled(8, "negative"),
        matured(7),
        matured(8, "neutral"),
    )
    add(engine, log(FIRST, btc=0.4), log(second))
    found = get(engine)
    assert found["articles_joined"] == 8, "the ninth has neither a prediction nor a label"
    assert (found["without_placeholder"], found["unique"]) == (7, 6)
    assert (found["with_accuracy_log"], found["with_real_market"]) == (4, 3)
    assert (found["verified"], found["verified_by_target"]) == (2, {"sentiment": 1, "direction": 2})
    assert found["by_label"] == {
        "sentiment": {"positive": 0, "neutral": 0, "negative": 1},
        "direction": {"positive": 1, "neutral": 1, "negative": 0},
    }
    assert [(row["reason"], row["lost"], row["left"]) for row in found["waterfall"]] == [
        (None, 0, 8),
        ("PLACEHOLDER_BODY", 1, 7),
        ("DUPLICATE_URL", 1, 6),
        ("NEAR_DUPLICATE", 1, 5),
        ("NO_LABEL", 1, 4),
        ("LABEL_CONFLICT", 1, 3),
        ("EXCLUDED_BY_HAND", 1, 2),
    ]
    assert found["articles_joined"] == sum(found["reasons"].values()) + found["verified"]


def test_an_article_with_only_a_market_label_is_joined(engine):
    add(engine, article(1), article(2), matured(1), Outcome(article_id=2, state="pending", decided_at=NOW))
    assert get(engine)["articles_joined"] == 1


def test_unchanged_data_gives_the_same_bytes(engine):
    add(engine, article(1), article(2, reason="NO_LABEL"), predicted(1), predicted(2), matured(1))
    assert json.dumps(get(engine)) == json.dumps(get(engine))


def test_only_the_parents_market_files_are_counted(engine):
    zeros = {"btc": 0.0, "eth": 0.0, "kospi": 0.0, "kosdaq": 0.0}
    add(
        engine,
        *parent(date(2025, 11, 1), **(zeros | {"btc": 0.4})),
        *parent(date(2025, 11, 2), **zeros),
        *parent(date(2025, 11, 3), **(zeros | {"kospi": 55.0})),
        MarketDay(day=date(2025, 11, 4), instrument="btc", source="backfill-close", close=9.0),
    )
    assert get(engine)["market_days"] == {"total": 3, "unknown": 1, "suspect": 1, "real": 1}


@pytest.mark.parametrize(
    ("row", "accuracy", "direction", "counted"),
    [
        (article(1), 80.0, "positive", 1),
        (article(1), 79.9, "positive", 0),
        (article(1), None, "positive", 0),
        (article(1), 90.0, "negative", 0),
        (article(1, reason="NEAR_DUPLICATE"), 90.0, "positive", 0),
        (article(1, family="crypto"), 90.0, "positive", 0),
        (article(1, day=date(2025, 11, 9)), 90.0, "positive", 0),
    ],
)
def test_plan_strict_asks_for_agreement_and_for_the_days_accuracy(engine, row, accuracy, direction, counted):
    add(engine, Article(**row.model_dump()), predicted(1), matured(1, direction), scored(accuracy))
    assert get(engine, plan_strict) == counted


def test_plan_strict_asks_the_prediction_the_article_came_with(engine):
    add(engine, article(1), predicted(1, "negative"), matured(1), scored(90.0))
    add(engine, predicted(1, "positive", request_id="later", import_id=None))
    assert get(engine, plan_strict) == 0


def test_progress_counts_samples_days_and_classes_of_each_target(engine):
    late = datetime(2025, 11, 3, 15, tzinfo=UTC)
    add(
        engine,
        article(1),
        article(2, at=late - timedelta(seconds=1)),
        article(3, at=late),
        article(4, at=None),
        article(5, family="crypto"),
        article(6, reason="NO_LABEL"),
    )
    add(engine, *[matured(n) for n in (1, 2, 3)], matured(5, "negative"), matured(6))
    add(engine, labelled(1), labelled(1, reviewer="lee"), labelled(3, "neutral"), labelled(4, "negative"))
    found = get(engine, progress)
    assert (found["verified"], found["goal"], found["ideal_goal"]) == (5, 500, 1000)
    direction = {"verified": 4, "days": 2, "by_label": {"positive": 3, "neutral": 0, "negative": 1}}
    sentiment = {"verified": 3, "days": 2, "by_label": {"positive": 1, "neutral": 1, "negative": 1}}
    assert found["targets"] == {"sentiment": sentiment, "direction": direction}


def test_progress_agrees_with_the_funnel(engine):
    kinds = [None, "NO_LABEL", None, "NEAR_DUPLICATE"]
    add(engine, *[article(n, reason=kinds[n % 4], at=NOW - timedelta(hours=5 * n)) for n in range(1, 41)])
    classes = ["positive", "neutral", "negative"]
    add(engine, *[matured(n, classes[n % 3]) for n in range(1, 41, 2)])
    with writing(engine) as session:
        rows = [
            {"article_id": n, "sentiment": classes[n % 3], "reviewer": "kim", "created_at": NOW}
            for n in range(1, 41)
        ]
        insert_new(session, HumanLabel, rows)
        agree(session)
    short, long = get(engine, progress), get(engine)
    assert short["verified"] == long["verified"]
    assert {name: target["by_label"] for name, target in short["targets"].items()} == long["by_label"]


def test_the_clock_shows_states_reasons_and_the_next_closes(engine):
    closes = [datetime(2025, 11, 3 + n, 6, 30, tzinfo=UTC) for n in range(2)]
    add(engine, *[article(n) for n in range(1, 7)])
    add(
        engine,
        matured(1),
        Outcome(article_id=2, state="void", void_reason="UNDATED", decided_at=NOW),
        Outcome(article_id=3, state="void", void_reason="MARKET_UNKNOWN", decided_at=NOW),
        *[
            Outcome(article_id=n, state="pending", session=close.date(), closes_at=close, decided_at=NOW)
            for n, close in ((4, closes[1]), (5, closes[0]), (6, closes[1]))
        ],
    )
    with reading(engine) as session:
        clock = outcome_clock(session, closes=2)
    assert clock["states"] == {"pending": 3, "matured": 1, "void": 2}
    assert clock["void_reasons"] == {"MARKET_UNKNOWN": 1, "UNDATED": 1}
    assert [(row["closes_at"], row["n"]) for row in clock["next_closes"]] == [(closes[0], 1), (closes[1], 2)]
