"""Outcomes: the pure decision, and the service that keeps them up to date in the database."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from sqlmodel import select

from core.db import insert_new, reading, writing
from core.domain.market import MarketBook, Move
from core.domain.outcomes import decide, direction, outcomes
from core.domain.policy import Policy
from core.domain.sessions import SessionTable, instants
from core.domain.types import MarketStatus
from core.models import (
    AccuracyLog,
    Article,
    DayScore,
    ImportRun,
    MarketDay,
    ModelVersion,
    Outcome,
    Prediction,
)
from core.services.outcomes import refresh_day_scores, refresh_outcomes
from tests.conftest import empty_database

#: Monday to Friday, nine to half past three in Seoul
DAYS = [date(2025, 11, 3) + timedelta(days=n) for n in range(5)]
WEEK = SessionTable(
    np.array(DAYS, "datetime64[D]"),
    instants([datetime.combine(day, time(0), UTC) for day in DAYS]),
    instants([datetime.combine(day, time(6, 30), UTC) for day in DAYS]),
)

MONDAY, TUESDAY, WEDNESDAY = DAYS[:3]
LATER = datetime(2025, 12, 1, tzinfo=UTC)
POLICY = Policy()
CLOSE = datetime(2025, 11, 4, 6, 30, tzinfo=UTC)


def at(day, hour=1, minute=0):
    return datetime(2025, 11, day, hour, minute, tzinfo=UTC)


# --- the decision ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("move", "label"),
    [(1.0, "positive"), (0.999999, "neutral"), (0.0, "neutral"), (-0.999999, "neutral"), (-1.0, "negative")],
)
def test_a_move_from_the_threshold_has_a_direction(move, label):
    assert direction(move, 1.0) == label


def test_an_outcome_is_pending_until_its_close_is_past_even_if_a_number_is_there():
    move = Move(2.0, MarketStatus.REAL, seen=True)
    assert decide(move, closes_at=CLOSE, now=CLOSE - timedelta(seconds=1), threshold=1.0).state == "pending"
    assert decide(move, closes_at=CLOSE, now=CLOSE, threshold=1.0).state == "matured"


@pytest.mark.parametrize(
    ("move", "state", "reason"),
    [
        (Move(None, MarketStatus.UNKNOWN, seen=False), "pending", None),
        (Move(None, MarketStatus.UNKNOWN, seen=True), "void", "MARKET_UNKNOWN"),
        (Move(None, MarketStatus.SUSPECT, seen=True), "void", "MARKET_SUSPECT"),
        (Move(0.5, MarketStatus.PARTIAL, seen=True), "matured", None),
    ],
)
def test_missing_data_waits_and_unbelievable_data_voids(move, state, reason):
    decision = decide(move, closes_at=CLOSE, now=LATER, threshold=1.0)
    assert (decision.state, decision.void_reason) == (state, reason)
    assert (decision.direction is None) == (state != "matured")


def test_news_without_a_date_or_outside_the_calendar_is_void():
    book = MarketBook([], stock_limit_pct=30.0)
    rows = [(1, "general", None), (2, "general", at(30)), (3, "crypto", at(30)), (4, "crypto", None)]
    found = {row.article_id: row.decision for row in outcomes(rows, WEEK, book, POLICY, now=LATER)}
    assert [found[n].void_reason for n in (1, 2, 3, 4)] == ["UNDATED", "OUTSIDE_CALENDAR", None, "UNDATED"]
    assert found[3].state == "pending"


# --- the service -------------------------------------------------------------------------------------


@pytest.fixture
def engine(tmp_path):
    engine = empty_database(tmp_path / "test.db")
    with writing(engine) as session:
        session.add(ImportRun(kind="test", name="test", started_at=LATER))
        session.commit()
    yield engine
    engine.dispose()


def add_articles(engine, *rows):
    """Insert (family, effective time, file date) and return nothing; ids count from one."""
    with writing(engine) as session:
        insert_new(
            session,
            Article,
            [
                {
                    "key": f"a{n}",
                    "family": family,
                    "origin": "ai-news-trader",
                    "title": f"News {n}",
                    "content_hash": str(n),
                    "effective_at": moment,
                    "file_date": day,
                    "created_at": LATER,
                }
                for n, (family, moment, day) in enumerate(rows, start=1)
            ],
        )
        session.commit()


def add_market(engine, source, *rows):
    """Insert (day, instrument, number): closes for the close sources, else percents."""
    field = "close" if "close" in source else "return_pct"
    with writing(engine) as session:
        for day, instrument, number in rows:
            session.add(MarketDay(day=day, instrument=instrument, source=source, **{field: number}))
        session.commit()


def refresh(engine, now=LATER):
    with writing(engine) as session:
        return refresh_outcomes(session, WEEK, POLICY, now=now)


def stored(engine):
    with reading(engine) as session:
        return {row.article_id: row for row in session.exec(select(Outcome)).all()}


INSTRUMENTS = ("btc", "eth", "kospi", "kosdaq")


@pytest.mark.parametrize("source", ["parent", "live", "backfill-percent"])
def test_a_file_of_zeros_never_becomes_a_label(engine, source):
    add_articles(engine, ("general", at(4), None), ("crypto", at(4), None), ("general", at(5, 7), None))
    zeros = [(day, name, 0.0) for day in DAYS for name in INSTRUMENTS]
    add_market(engine, source, *zeros)
    assert refresh(engine)["matured"] == 0
    assert {row.void_reason for row in stored(engine).values()} == {"MARKET_UNKNOWN"}
    assert all(row.return_pct is None and row.direction is None for row in stored(engine).values())


def test_a_void_or_pending_outcome_matures_after_the_back_fill(engine):
    add_articles(engine, ("general", at(4), None), ("general", at(5), None))
    add_market(engine, "parent", *[(TUESDAY, name, 0.0) for name in INSTRUMENTS])
    refresh(engine)
    assert [stored(engine)[n].state for n in (1, 2)] == ["void", "pending"]
    closes = [(MONDAY, 4000.0, 900.0), (TUESDAY, 4080.0, 918.0), (WEDNESDAY, 3960.0, 909.0)]
    add_market(engine, "backfill-close", *[(day, "kospi", kospi) for day, kospi, _ in closes])
    add_market(engine, "backfill-close", *[(day, "kosdaq", kosdaq) for day, _, kosdaq in closes])
    counts = refresh(engine)
    assert (counts["matured"], counts["outcomes_changed"], counts["matured_changed"]) == (2, 2, 0)
    first, second = stored(engine)[1], stored(engine)[2]
    assert (first.return_pct, first.direction, first.void_reason) == (2.0, "positive", None)
    assert (second.direction, second.partial, second.session) == ("negative", False, WEDNESDAY)
    assert first.opens_after == datetime(2025, 11, 3, 6, 30, tzinfo=UTC)
    assert first.closes_at == datetime(2025, 11, 4, 6, 30, tzinfo=UTC)


def test_refreshing_again_writes_nothing(engine):
    add_articles(engine, ("general", at(4), None), ("crypto", at(4), None), ("general", None, None))
    add_market(engine, "live", (TUESDAY, "kospi", 1.5), (TUESDAY, "btc", -2.0))
    assert refresh(engine)["outcomes_new"] == 3
    before = {n: row.decided_at for n, row in stored(engine).items()}
    again = refresh(engine, now=LATER + timedelta(days=1))
    assert (again["outcomes_new"], again["outcomes_changed"]) == (0, 0)
    assert {n: row.decided_at for n, row in stored(engine).items()} == before


def test_better_market_data_changes_a_matured_outcome_and_is_counted(engine):
    add_articles(engine, ("general", at(4), None))
    add_market(engine, "parent", (TUESDAY, "kospi", 1.5), (TUESDAY, "kosdaq", 1.5))
    refresh(engine)
    add_market(engine, "backfill-percent", (TUESDAY, "kospi", -2.0), (TUESDAY, "kosdaq", -1.0))
    counts = refresh(engine)
    assert (counts["outcomes_changed"], counts["matured_changed"]) == (1, 1)
    assert stored(engine)[1].direction == "negative"


def test_one_instrument_of_two_decides_and_is_flagged(engine):
    add_articles(engine, ("crypto", at(4), None))
    add_market(engine, "backfill-close", (MONDAY, "btc", 100.0), (TUESDAY, "btc", 101.0))
    refresh(engine)
    outcome = stored(engine)[1]
    assert (outcome.return_pct, outcome.direction, outcome.partial, outcome.intraday) == (
        1.0,
        "positive",
        True,
        True,
    )


def test_an_outcome_matures_at_its_close_and_not_before(engine):
    add_articles(engine, ("general", at(4), None), ("general", at(4, 6, 30), None))
    add_market(engine, "live", (TUESDAY, "kospi", 1.5), (WEDNESDAY, "kospi", 1.5))
    assert refresh(engine, now=CLOSE - timedelta(seconds=1))["pending"] == 2
    refresh(engine, now=CLOSE)
    assert [stored(engine)[n].state for n in (1, 2)] == ["matured", "pending"]
    assert [stored(engine)[n].intraday for n in (1, 2)] == [True, False]


# --- day scores --------------------------------------------------------------------------------------


def add_predictions(engine, *sentiments):
    with writing(engine) as session:
        session.add(
            ModelVersion(name="m", kind="few_shot", provider="imported", base_model="x", created_at=LATER)
        )
        session.flush()
        for article_id, sentiment in enumerate(sentiments, start=1):
            session.add(
                Prediction(
                    article_id=article_id,
                    model_id=1,
                    sentiment=sentiment,
                    confidence=80.0,
                    import_id=1,
                    created_at=LATER,
                )
            )
        session.commit()


def score(engine):
    with writing(engine) as session:
        return refresh_day_scores(session, WEEK, POLICY, now=LATER)


def scores(engine):
    with reading(engine) as session:
        return {(row.file_date, row.family): row for row in session.exec(select(DayScore)).all()}


def test_a_day_is_scored_against_the_calendar_day_after_it(engine):
    add_articles(engine, *[("general", at(3), MONDAY)] * 3, ("crypto", at(3), MONDAY))
    add_predictions(engine, "positive", "positive", "neutral", "negative")
    add_market(engine, "live", *[(TUESDAY, name, 2.0) for name in INSTRUMENTS])
    assert score(engine) == {"day_scores": 2, "day_scores_changed": 2}
    assert score(engine)["day_scores_changed"] == 0
    general, crypto = scores(engine)[MONDAY, "general"], scores(engine)[MONDAY, "crypto"]
    assert (general.index_value, general.accuracy, general.error_rate) == (83.3, 76.7, 23.3)
    assert (crypto.index_value, crypto.accuracy, general.partial) == (0.0, 0.0, False)
    assert general.explanation is None


def test_a_day_of_zeros_has_no_accuracy_and_says_why_the_log_has_one(engine):
    add_articles(engine, ("general", at(3), MONDAY))
    add_predictions(engine, "neutral")
    add_market(engine, "parent", *[(TUESDAY, name, 0.0) for name in INSTRUMENTS])
    moves = {"crypto": {"btc": 0, "eth": 0}, "stock": {"kospi": 0, "kosdaq": 0}}
    payload = {
        "accuracy": 70,
        "errorRate": 0,
        "prediction": {"index": 50, "direction": "neutral"},
        "actual": moves,
    }
    with writing(engine) as session:
        session.add(AccuracyLog(file_date=MONDAY, payload=payload))
        session.commit()
    score(engine)
    row = scores(engine)[MONDAY, "general"]
    assert (row.index_value, row.actual_pct, row.accuracy) == (50.0, None, None)
    assert row.explanation.startswith("The log counted an all-zero market file")


def test_the_back_fill_completes_a_score(engine):
    add_articles(engine, ("general", at(3), MONDAY))
    add_predictions(engine, "positive")
    score(engine)
    assert scores(engine)[MONDAY, "general"].accuracy is None
    add_market(engine, "backfill-close", (MONDAY, "kospi", 100.0), (TUESDAY, "kospi", 104.0))
    assert score(engine)["day_scores_changed"] == 1
    row = scores(engine)[MONDAY, "general"]
    assert (row.actual_pct, row.accuracy, row.partial) == (4.0, 70.0, True)


def test_only_the_prediction_an_article_came_with_enters_the_index(engine):
    add_articles(engine, ("general", at(3), MONDAY))
    add_predictions(engine, "positive")
    with writing(engine) as session:
        later = Prediction(article_id=1, model_id=1, request_id="x", sentiment="negative", created_at=LATER)
        session.add(later)
        session.commit()
    score(engine)
    assert scores(engine)[MONDAY, "general"].index_value == 100.0
