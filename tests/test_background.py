"""What the scheduler's jobs find due."""

from datetime import date, timedelta

import pytest
from sqlmodel import select

from core import workflows
from core.db import insert_new, reading, writing
from core.errors import Refused
from core.models import Article, MarketDay, Outcome
from tests.conftest import NOW, article


def add_article(app, at):
    with writing(app.engine) as session:
        insert_new(session, Article, [article(1) | {"effective_at": at}])
        session.commit()


def outcome(app):
    with reading(app.engine) as session:
        return session.exec(select(Outcome)).one()


def test_nothing_is_due_in_an_empty_database(app):
    assert workflows.settle_outcomes(app) == ""


def test_a_new_article_gets_a_pending_outcome_and_is_then_left_alone_until_its_close(app):
    add_article(app, NOW)
    assert workflows.settle_outcomes(app).startswith("outcomes new: 1")
    assert outcome(app).state == "pending"
    assert workflows.settle_outcomes(app) == ""


def test_an_outcome_matures_once_its_close_is_past_and_known(app):
    add_article(app, NOW)
    workflows.settle_outcomes(app)
    closes = {"2026-01-02": 100.0, "2026-01-05": 103.0}
    rows = [
        {"day": date.fromisoformat(day), "instrument": "kospi", "source": "backfill-close", "close": close}
        for day, close in closes.items()
    ]
    with writing(app.engine) as session:
        insert_new(session, MarketDay, rows)
        session.commit()
    app.now = lambda: NOW + timedelta(hours=6)
    assert "outcomes changed: 1" in workflows.settle_outcomes(app)
    assert (outcome(app).state, outcome(app).direction, outcome(app).partial) == ("matured", "positive", True)


def test_following_training_with_no_job_does_nothing(app):
    assert workflows.follow_training(app) == ""


def test_a_job_run_by_hand_that_fails_says_so(app, monkeypatch):
    def broken(_):
        raise ValueError("the disk is on fire")

    monkeypatch.setattr("core.workflows.background.JOBS", (workflows.Job("broken", broken, every_s=1),))
    with pytest.raises(Refused, match="the disk is on fire"):
        workflows.run_job_now(app, "broken")
