"""What would make a live experiment say something untrue, or spend money in vain."""

from datetime import timedelta
from time import monotonic, sleep

import pytest

from core import workflows
from core.db import reading, writing
from core.domain.question import Question
from core.domain.types import Arm, ExperimentMode, ExperimentPurpose, Target
from core.errors import ProviderFailed
from core.models import Article, Champion, Experiment, ModelVersion, Prediction
from core.services import experiments, quality
from core.services.experiments import Enrolment, Wish
from core.workflows import experiment_job
from core.workflows.experiment_asking import ask_open
from tests.conftest import NOW
from tests.experimenting import (
    NEW,
    OLD,
    alerts,
    arrive,
    begin,
    closes,
    duel,
    items,
    live_through,
    paid_challenger,
    title,
    wins,
)
from tests.predicting import Clock, good, money

WISH = Wish(Target.SENTIMENT, NEW)


@pytest.fixture
def app(seeded):
    duel(seeded)
    seeded.now = Clock()
    return seeded


@pytest.fixture
def vendor(app):
    return paid_challenger(app)


def crown(app, model_id, target=Target.SENTIMENT):
    with writing(app.engine) as session:
        row = session.get(Champion, target) or Champion(target=target, model_id=model_id, since=NOW)
        row.model_id = model_id
        session.add(row)
        session.commit()


def follow(app, **later):
    app.now.forward(**(later or {"seconds": 31}))
    return workflows.follow_experiments(app)


def answered(app, titles):
    """Let articles come in with their labels, answered by both as their titles say."""
    ids = arrive(app, titles, at=app.now(), labelled_at=app.now())
    entries = [
        Enrolment(1, key, "", Arm.BOTH, said.split()[1], None, said.split()[2], None)
        for key, said in zip(ids, titles, strict=True)
    ]
    with writing(app.engine) as session:
        experiments.enrol(session, entries, now=app.now())
        session.commit()


def evidence(app, experiment_id=1):
    return workflows.experiment_evidence(app, experiment_id)


def test_an_article_stored_before_the_start_is_no_new_one_when_it_is_asked_about_again(app):
    """One of the two may have been trained on it, and its label has been known all along."""
    before = NOW - timedelta(days=60)
    arrive(app, titles := wins(3), at=before, labelled_at=before)
    begin(app, WISH)
    for said in [*titles, fresh := title("positive", "negative", "positive")]:
        workflows.answer(app, Question(said), Target.SENTIMENT)
    [item] = items(app)
    with reading(app.engine) as session:
        assert session.get(Article, item.article_id).title == fresh


def test_articles_from_before_the_start_do_not_keep_new_ones_from_coming_in(app, monkeypatch):
    monkeypatch.setattr(experiment_job, "ARRIVALS", 2)
    begin(app, WISH)
    arrive(app, [title() for _ in range(3)], at=NOW + timedelta(hours=1), created_at=NOW - timedelta(days=1))
    wanted = arrive(app, [title()], at=NOW)
    follow(app)
    assert [item.article_id for item in items(app)] == wanted


def test_copies_of_one_story_count_once(app):
    begin(app, WISH)
    story = f"{title('positive', 'negative', 'positive')} the central bank left its rates unchanged today"
    answered(app, [story, f"{story} again", f"{story} (2)", *wins(1)])
    with writing(app.engine) as session:
        quality.refresh_reasons(session, app.policy, now=app.now())
    app.now.forward(days=1)
    shown = evidence(app)
    assert (shown["n"], shown["wins"], shown["coverage"]["void"]) == (2, 2, 2)


def test_what_never_was_a_sample_is_not_called_late(app):
    crown(app, OLD, Target.DIRECTION)
    begin(app, Wish(Target.DIRECTION, NEW))
    copy, unknown = (
        *arrive(app, [title()], at=NOW, reason="NEAR_DUPLICATE"),
        *arrive(app, [title()], at=NOW),
    )
    closes(app, copy, NOW + timedelta(hours=1))
    closes(app, unknown, NOW + timedelta(hours=1), state="void")
    app.now.forward(hours=2)
    assert evidence(app)["coverage"]["late"] == 0


def test_no_paid_question_leaves_after_its_experiment_was_stopped(app, vendor):
    begin(app, WISH, budget=1_000_000)
    arrive(app, [title() for _ in range(3)], at=NOW)
    follow(app)
    with reading(app.engine) as session:
        [one] = experiments.running(session)
        waiting = experiments.open_items(session, before=app.now() + timedelta(1), limit=9, model_id=NEW)
        challenger = session.get(ModelVersion, NEW)
        session.expunge_all()
    workflows.stop_experiment(app, 1, "seen enough")
    assert len(waiting) == 3
    assert ask_open(app, one, waiting, challenger, monotonic() + 60) == 0
    assert (vendor.asker.asked.total(), money(app)) == (0, 0)


def test_articles_that_nobody_pays_for_do_not_keep_others_from_coming_in(app, vendor, monkeypatch):
    monkeypatch.setattr(experiment_job, "ARRIVALS", 2)
    crown(app, NEW)
    begin(app, Wish(Target.SENTIMENT, OLD))
    *_, known = arrive(app, [title() for _ in range(4)], at=NOW)
    with writing(app.engine) as session:
        session.add(Prediction(article_id=known, model_id=NEW, sentiment="neutral", created_at=NOW))
        session.commit()
    follow(app)
    assert [item.article_id for item in items(app)] == [known]


def test_where_one_side_of_a_split_is_not_paid_for_neither_arm_gets_what_comes_in(app, vendor):
    """Articles of the free arm alone would break the ratio of the two."""
    crown(app, NEW)
    begin(app, Wish(Target.SENTIMENT, OLD, mode=ExperimentMode.SPLIT))
    arrive(app, [title() for _ in range(20)], at=NOW)
    follow(app)
    assert items(app) == []


def test_a_slow_model_leaves_time_for_the_other(app, vendor, monkeypatch):
    monkeypatch.setattr(experiment_job, "SLICE_S", 1.0)
    crown(app, NEW)
    begin(app, Wish(Target.SENTIMENT, OLD), budget=10_000_000)

    def slowly(text):
        sleep(0.3)
        return good(text.title)

    vendor.asker.script = slowly
    arrive(app, [title() for _ in range(4)], at=NOW)
    follow(app)
    follow(app)
    assert [item.challenger_sentiment is not None for item in items(app)] == [True] * 4
    assert [item.champion_sentiment is not None for item in items(app)].count(False) > 0


def test_what_this_program_did_not_ask_for_a_day_is_no_failure_of_the_model(app, vendor, monkeypatch):
    begin(app, WISH, budget=10_000_000)
    arrive(app, [title() for _ in range(3)], at=NOW)
    follow(app)
    monkeypatch.setattr(experiment_job, "SLICE_S", 0.0)  # switched off for two days, and no time left after
    assert "given up" not in follow(app, days=2)
    monkeypatch.undo()
    follow(app)
    assert [item.challenger_sentiment is not None for item in items(app)] == [True] * 3


@pytest.mark.parametrize("error", [ProviderFailed("old", "gone", "Train another"), ZeroDivisionError()])
def test_only_the_model_that_breaks_down_is_counted_wrong(app, error):
    begin(app, WISH)

    def broken(_title):
        raise error

    app.providers["old"].script = broken
    arrive(app, [title()], at=NOW)
    follow(app)
    assert follow(app) == "answered: 1"
    assert "given up: 1" in follow(app, days=1)
    [item] = items(app)
    assert (item.champion_failure, item.challenger_sentiment) == ("NOT_AVAILABLE", "positive")


def test_a_former_champion_that_was_behind_at_first_can_still_be_shown_better(app):
    workflows.promote(app, NEW, Target.SENTIMENT, "because", override=True)
    with reading(app.engine) as session:
        assert session.get(Experiment, 1).purpose == ExperimentPurpose.WATCH
    live_through(app, 1, wins(16))
    follow(app)
    assert (evidence(app)["verdict"], alerts(app)) == ("worse", [])
    live_through(app, 1, wins(0, lost=60), days=30)
    follow(app)
    [alert] = alerts(app, "former_champion_better")
    assert (alert.detail["verdict"], alert.detail["e_for"] >= 40) == ("better", True)
