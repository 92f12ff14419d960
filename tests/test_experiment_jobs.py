"""The scheduled job of live experiments: what it enrols, asks and concludes, and what a crash leaves of it."""

from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlmodel import select

from core import workflows
from core.db import reading, writing
from core.domain.assignment import assigned
from core.domain.types import Arm, CostKind, ExperimentMode, Failure, Family, Target
from core.errors import ProviderFailed, Refused
from core.models import Champion, Prediction, Promotion
from core.services import experiments
from core.services.experiments import Enrolment, Wish
from core.workflows.predictions import follow_predictions
from tests.conftest import NOW
from tests.experimenting import (
    NEW,
    OLD,
    alerts,
    arrive,
    begin,
    champion,
    closes,
    duel,
    experiment,
    items,
    live_through,
    paid_challenger,
    title,
    wins,
)
from tests.predicting import (
    PRICE,
    Clock,
    Killed,
    bad,
    cap,
    die,
    entries,
    good,
    held,
    money,
)

WISH = Wish(Target.SENTIMENT, NEW)


@pytest.fixture
def app(seeded):
    duel(seeded)
    seeded.now = Clock()
    return seeded


@pytest.fixture
def vendor(app):
    return paid_challenger(app)


def follow(app, **later):
    """Run the job after some time: it leaves fresh items alone for half a minute."""
    app.now.forward(**(later or {"seconds": 31}))
    return workflows.follow_experiments(app)


def sides(app, experiment_id=1):
    return [
        (
            item.champion_sentiment or item.champion_failure,
            item.challenger_sentiment or item.challenger_failure,
        )
        for item in items(app, experiment_id)
    ]


def predictions(app, model_id):
    with reading(app.engine) as session:
        return session.exec(select(Prediction).where(Prediction.model_id == model_id)).all()


def test_with_no_experiment_nothing_is_due(app):
    arrive(app, [title()], at=NOW)
    assert follow(app) == ""


def test_an_article_that_came_in_is_enrolled_and_both_are_asked_once(app):
    begin(app, WISH)
    arrive(app, [title("positive", "neutral", "negative")], at=NOW)
    assert follow(app) == "enrolled: 1"
    assert follow(app) == "answered: 2"
    assert follow(app) == ""
    assert sides(app) == [("neutral", "negative")]
    assert [kept.request_id for kept in predictions(app, NEW)] == [""]


def test_only_articles_since_the_start_that_can_be_samples_of_its_family_are_enrolled(app):
    begin(app, Wish(Target.SENTIMENT, NEW, family=Family.GENERAL))
    arrive(app, [title()], at=NOW - timedelta(seconds=1))
    arrive(app, [title()], at=NOW, family="crypto")
    arrive(app, [title()], at=NOW, reason="NEAR_DUPLICATE")
    wanted = arrive(app, [title()], at=NOW) + arrive(app, [title()], at=NOW, reason="NO_LABEL")
    follow(app)
    assert [item.article_id for item in items(app)] == wanted


def test_an_article_whose_market_has_closed_is_not_asked_about(app):
    with writing(app.engine) as session:
        session.add(Champion(target=Target.DIRECTION, model_id=OLD, since=NOW))
        session.commit()
    begin(app, Wish(Target.DIRECTION, NEW))
    closed, waiting = arrive(app, [title(), title()], at=NOW)
    closes(app, closed, NOW + timedelta(seconds=1))
    closes(app, waiting, NOW + timedelta(hours=1), state="pending")
    follow(app)
    assert [item.article_id for item in items(app)] == [waiting]


def test_what_a_model_has_said_already_is_not_asked_again(app):
    begin(app, WISH)
    [article] = arrive(app, [title("positive", "neutral", "negative")], at=NOW)
    with writing(app.engine) as session:
        session.add(Prediction(article_id=article, model_id=NEW, sentiment="positive", created_at=NOW))
        session.commit()
    follow(app)
    assert follow(app) == "answered: 1"
    assert sides(app) == [("neutral", "positive")]


def test_in_a_split_each_article_is_asked_of_the_one_it_is_assigned_to(app):
    begin(app, Wish(Target.SENTIMENT, NEW, mode=ExperimentMode.SPLIT))
    urls = [f"https://news.example/{number}" for number in range(20)]
    for url in urls:
        arrive(app, [title()], at=NOW, url=url)
    follow(app)
    follow(app)
    key = experiment(app).key
    assert [item.arm for item in items(app)] == [assigned(key, url, 0.5) for url in urls]
    asked = [item.arm == Arm.CHAMPION for item in items(app)]
    assert [(one is not None, other is None) for one, other in sides(app)] == [(each, each) for each in asked]


def test_a_fresh_item_is_left_to_whoever_enrolled_it(app):
    begin(app, WISH)
    [article] = arrive(app, [title()], at=NOW)
    with writing(app.engine) as session:
        experiments.enrol(session, [Enrolment(1, article, "r", Arm.BOTH)], now=NOW)
        session.commit()
    assert follow(app, seconds=29) == ""
    assert follow(app, seconds=2) == "answered: 2"
    assert predictions(app, NEW)[0].request_id == "r"


def broken(_title):
    raise ProviderFailed("new", "the model is gone", "Train another")


def test_a_model_that_cannot_answer_holds_nobody_up_and_is_wrong_after_a_day(app):
    begin(app, WISH)
    app.providers["new"].script = broken
    arrive(app, [title()], at=NOW)
    follow(app)
    assert follow(app) == "answered: 1"
    with pytest.raises(ProviderFailed, match="the model is gone"):
        follow(app)
    assert items(app)[0].answered_at is None
    assert "given up: 1" in follow(app, hours=24)
    assert sides(app) == [("positive", "NOT_AVAILABLE")]
    assert items(app)[0].answered_at is not None


def decided(app, titles):
    """Run an experiment on labelled articles to the next day; return what the job said."""
    arrive(app, titles, at=NOW, labelled_at=NOW)
    follow(app)
    follow(app)
    return follow(app, days=1)


@pytest.mark.parametrize(("titles", "verdict"), [(wins(60), "better"), (wins(0, lost=60), "worse")])
def test_evidence_concludes_a_challenge_and_promotes_nobody(app, titles, verdict):
    begin(app, Wish(Target.SENTIMENT, NEW, days=28))
    live_through(app, 1, titles)
    assert follow(app) == f"concluded: experiment 1 ({verdict})"
    row = experiment(app)
    assert (row.status, row.conclusion["verdict"], row.conclusion["ended_by"]) == (
        "concluded",
        verdict,
        "evidence",
    )
    [alert] = alerts(app)
    assert (alert.rule, alert.detail["verdict"], alert.detail["challenger"]) == (
        "experiment_concluded",
        verdict,
        "new",
    )
    assert champion(app) == OLD
    with reading(app.engine) as session:
        assert session.exec(select(Promotion)).all() == []


def test_its_end_concludes_a_challenge_without_a_verdict(app):
    begin(app, Wish(Target.SENTIMENT, NEW, days=2))
    assert decided(app, wins(2)) == ""
    assert follow(app, days=1) == "concluded: experiment 1 (inconclusive)"
    assert experiment(app).conclusion["ended_by"] == "time"
    assert follow(app) == ""


def test_a_paid_challenger_needs_an_agreed_budget(app, vendor):
    plan = workflows.plan_experiment(app, WISH)
    assert ([price.side for price in plan.prices], plan.must_agree) == (["challenger"], True)
    with pytest.raises(Refused, match="nobody has agreed"):
        workflows.start_experiment(app, WISH)
    cap(app, plan.budget_micro_usd - 1)
    with pytest.raises(Refused, match="of the month's budget"):
        workflows.start_experiment(app, WISH, accept_micro_usd=plan.budget_micro_usd)
    assert experiment(app) is None


def test_a_paid_side_is_held_asked_once_billed_and_kept(app, vendor):
    begin(app, WISH, budget=1_000_000)
    [article] = arrive(app, [title("positive", "neutral", "negative")], at=NOW)
    follow(app)
    assert (follow(app), follow(app)) == ("answered: 2", "")
    assert (money(app), held(app), vendor.asker.asked.total()) == (PRICE, 0, 1)
    assert entries(app)[0].reference == f"answer-{experiment(app).key}-{article}-challenger"
    assert sides(app) == [("neutral", "negative")]
    assert predictions(app, NEW)[0].prompt_tokens == 400


def test_an_experiment_never_costs_more_than_was_agreed_and_ends_when_that_is_used_up(app, vendor):
    begin(app, WISH, budget=2_000)
    arrive(app, [title() for _ in range(20)], at=NOW)
    follow(app)
    follow(app)
    row = experiment(app)
    assert (row.status, row.conclusion["ended_by"]) == ("concluded", "budget")
    assert "may cost are used" in row.conclusion["note"]
    assert 0 < money(app) <= 2_000
    assert vendor.asker.asked.total() == money(app) / PRICE
    assert [alert.detail["ended_by"] for alert in alerts(app)] == ["budget"]


def test_the_months_budget_ends_a_paid_experiment_too(app, vendor):
    begin(app, WISH, budget=1_000_000)
    cap(app, 1_000)
    arrive(app, [title() for _ in range(20)], at=NOW)
    follow(app)
    follow(app)
    assert experiment(app).conclusion["ended_by"] == "budget"
    assert 0 < money(app) <= 1_000


def test_without_a_budget_a_paid_champion_is_asked_nothing(app, vendor):
    with writing(app.engine) as session:
        session.get(Champion, "sentiment").model_id = NEW
        session.commit()
    begin(app, Wish(Target.SENTIMENT, OLD))
    known, _ = arrive(app, [title(), title()], at=NOW)
    with writing(app.engine) as session:
        session.add(Prediction(article_id=known, model_id=NEW, sentiment="neutral", created_at=NOW))
        session.commit()
    follow(app)
    follow(app)
    assert [item.article_id for item in items(app)] == [known]
    assert (vendor.asker.asked.total(), sides(app)) == (0, [("neutral", "positive")])


def test_a_question_that_left_before_a_crash_is_lost_and_never_sent_again(app, vendor):
    begin(app, WISH, budget=1_000_000)
    arrive(app, [title()], at=NOW)
    follow(app)
    vendor.asker.script = lambda _text: die()
    with pytest.raises(Killed):
        follow(app)
    assert follow(app) == ""
    follow(app, minutes=10)
    assert sides(app) == [("positive", "INTERRUPTED")]
    assert follow_predictions(app) == "single answers whose program stopped: 1"
    follow(app)
    assert vendor.asker.asked.total() == 1
    assert (money(app), held(app)) == (money(app, CostKind.ESTIMATE), 0)


def test_two_drivers_at_once_ask_a_paid_question_once(app, vendor):
    begin(app, WISH, budget=1_000_000)
    arrive(app, [title() for _ in range(10)], at=NOW)
    follow(app)
    app.now.forward(seconds=31)
    vendor.asker.delay_s = 0.01
    together = Barrier(4)

    def drive():
        together.wait(10)
        workflows.follow_experiments(app)

    threads = [Thread(target=drive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(vendor.asker.asked.values()) == {1}
    assert (money(app), held(app)) == (10 * PRICE, 0)
    assert sides(app) == [("positive", "positive")] * 10


@pytest.mark.parametrize(
    ("reply", "kept", "cost"),
    [
        (good("x", latency_ms=10_001.0), "TIMEOUT", PRICE),
        (good("x", latency_ms=9_999.0), "positive", PRICE),
        (bad(Failure.NOT_JSON, billed=True, usage=good("").usage), "NOT_JSON", PRICE),
        (bad(Failure.KEY_REFUSED), "KEY_REFUSED", 0),
    ],
)
def test_a_late_or_unusable_answer_is_a_failure_of_the_challenger(app, vendor, reply, kept, cost):
    begin(app, WISH, budget=1_000_000)
    vendor.asker.script = lambda _text: reply
    arrive(app, [title()], at=NOW)
    follow(app)
    follow(app)
    assert (sides(app), money(app), held(app)) == ([("positive", kept)], cost, 0)


@contextmanager
def dying_at(moment, nth):
    """Let the program end once: right before its n-th commit is written, or right after."""
    seen = Counter()

    def on_commit(_session):
        seen["commits"] += 1
        if seen["commits"] == nth:
            raise Killed

    event.listen(Session, moment, on_commit)
    try:
        yield
    finally:
        event.remove(Session, moment, on_commit)


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
@pytest.mark.parametrize("nth", range(1, 8))
def test_a_crash_at_any_commit_is_mended_by_the_next_runs(app, vendor, nth, moment):
    begin(app, Wish(Target.SENTIMENT, NEW, days=1), budget=1_000_000)
    arrive(app, wins(2), at=NOW)
    died = 0
    with dying_at(moment, nth):
        for later in (
            {"seconds": 31},
            {"seconds": 31},
            {"minutes": 11},
            {"seconds": 31},
            {"days": 1},
            {"minutes": 1},
        ):
            try:
                follow(app, **later)
                follow_predictions(app)
            except Killed:
                died += 1
    assert died == 1
    assert set(vendor.asker.asked.values()) == {1}
    assert experiment(app).status == "concluded"
    assert len(alerts(app)) == 1
    assert [one for one, _ in sides(app)] == ["negative"] * 2
    # one answer at most was on its way back when the program ended
    assert sorted(other for _, other in sides(app))[1:] == ["positive"]
    assert {other for _, other in sides(app)} <= {"positive", "INTERRUPTED"}
    # and each question is on the bill once, a lost one at its estimate
    assert (held(app), len(entries(app))) == (0, 2)
