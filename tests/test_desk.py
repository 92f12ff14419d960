"""The answer desk: batches, one commit, shadows behind the answers, split experiments and their deadlines."""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Thread
from time import monotonic, sleep

import pytest
from sqlmodel import select

from core.db import reading, writing
from core.domain.assignment import assigned
from core.domain.question import Question
from core.domain.types import (
    Arm,
    CostKind,
    ExperimentMode,
    ExperimentStatus,
    Failure,
    Family,
    Sentiment,
    Target,
)
from core.errors import InputRejected, ProviderFailed, Refused
from core.models import Article, Champion, CostEntry, Experiment, ExperimentItem, ModelVersion, Prediction
from core.providers.base import Forecast, Reply
from core.workflows import desk_of
from core.workflows.answers import answer
from core.workflows.desk import AnswerDesk
from tests.conftest import NOW
from tests.predicting import MODEL, PRICE, VENDOR, PaidVendor, ScriptedAsker, bad, good

CHAMPION, CHALLENGER = 1, 2


@dataclass
class Local:
    """A local model that says one thing, and remembers in what batches it was asked."""

    says: Sentiment = Sentiment.POSITIVE
    hold: Event | None = None
    entered: Event = field(default_factory=Event)
    breaks_on: str = ""
    batches: list = field(default_factory=list)

    def predict(self, texts):
        self.entered.set()
        if self.hold is not None:
            self.hold.wait(20)
        self.batches.append([text.title for text in texts])
        if self.breaks_on and any(self.breaks_on in text.title for text in texts):
            raise ProviderFailed("cast", "it broke", "Look at it")
        return [Forecast(self.says, 80.0, ("word",), "It says what it always says.") for _ in texts]


@dataclass
class Cast:
    """A provider whose models are played by what a test puts there."""

    parts: dict
    name: str = "cast"
    priced: bool = False
    simulated: bool = False
    trainer: object = None
    batcher: object = None

    def load(self, model):
        part = self.parts[model.model_id]
        if isinstance(part, Exception):
            raise part
        return part


@pytest.fixture
def parts(app):
    """The champion and the challenger of the target sentiment; both local unless a test replaces them."""
    made = {CHAMPION: Local(), CHALLENGER: Local(Sentiment.NEGATIVE)}
    app.providers["cast"] = Cast(made)
    with writing(app.engine) as session:
        for model_id in made:
            session.add(
                ModelVersion(
                    id=model_id,
                    name=f"model {model_id}",
                    kind="few_shot",
                    provider="cast",
                    base_model=MODEL,
                    created_at=NOW,
                )
            )
        session.flush()
        session.add(Champion(target="sentiment", model_id=CHAMPION, since=NOW))
        session.commit()
    return made


def experiment(app, *, mode=ExperimentMode.SHADOW, allocation=None, deadline_s=10.0, **more):
    with writing(app.engine) as session:
        row = Experiment(
            key="exp-1",
            target="sentiment",
            mode=mode,
            champion_id=CHAMPION,
            challenger_id=CHALLENGER,
            allocation=allocation,
            deadline_s=deadline_s,
            actor="test",
            started_at=NOW,
            ends_at=NOW + timedelta(days=28),
            **more,
        )
        session.add(row)
        session.commit()
        return row.id


def split(app, **more):
    """Begin a split experiment that gives every article but one in ten million to the challenger."""
    return experiment(app, mode=ExperimentMode.SPLIT, allocation=0.9999999, **more)


def ask(app, *titles, shadow=True, **more):
    with AnswerDesk(app, shadow=shadow) as desk:
        futures = [desk.submit(Question(title, **more)) for title in titles]
        return [future.result(20) for future in futures]


def rows(app, table):
    with reading(app.engine) as session:
        return session.exec(select(table)).all()


def said(app, model_id):
    return [row for row in rows(app, Prediction) if row.model_id == model_id]


def sentiments(answers):
    return [answered.forecast.sentiment for answered in answers]


def test_questions_that_gather_are_answered_in_one_batch(app, parts):
    parts[CHAMPION].hold = Event()
    with AnswerDesk(app) as desk:
        first = desk.submit(Question("the first"))
        parts[CHAMPION].entered.wait(20)
        others = [desk.submit(Question(f"later {i}")) for i in range(5)]
        parts[CHAMPION].hold.set()
        for future in (first, *others):
            future.result(20)
    assert [len(batch) for batch in parts[CHAMPION].batches] == [1, 5]


def test_an_answer_is_stored_when_its_asker_gets_it(app, parts):
    with AnswerDesk(app) as desk:
        answered = desk.submit(Question("a headline")).result(20)
        [kept] = rows(app, Prediction)
    assert (kept.request_id, kept.sentiment, kept.model_id) == (answered.request_id, "positive", CHAMPION)


def test_a_text_that_breaks_the_model_spoils_no_other_of_its_batch(app, parts):
    parts[CHAMPION].breaks_on = "bad"
    with AnswerDesk(app) as desk:
        futures = [desk.submit(Question(title)) for title in ("good", "bad", "fine")]
        outcomes = [future.exception(20) for future in futures]
    assert [type(outcome) for outcome in outcomes] == [type(None), ProviderFailed, type(None)]
    assert sorted(article.title for article in rows(app, Article)) == ["fine", "good"]


def test_a_new_champion_answers_from_the_next_question_on(app, parts):
    with AnswerDesk(app) as desk:
        before = desk.submit(Question("one")).result(20)
        with writing(app.engine) as session:
            session.get(Champion, "sentiment").model_id = CHALLENGER
            session.commit()
        after = desk.submit(Question("two")).result(20)
    assert (before.model.id, after.model.id) == (CHAMPION, CHALLENGER)


def test_an_asker_who_has_gone_takes_no_answer_from_the_others(app, parts):
    parts[CHAMPION].hold = Event()
    with AnswerDesk(app) as desk:
        first = desk.submit(Question("the first"))
        parts[CHAMPION].entered.wait(20)
        gone, other = desk.submit(Question("gone")), desk.submit(Question("other"))
        assert gone.cancel()
        assert not first.cancel()  # it is being answered
        parts[CHAMPION].hold.set()
        assert other.result(20).forecast
    assert sorted(article.title for article in rows(app, Article)) == ["other", "the first"]


def test_without_a_champion_the_asker_is_told(app, parts):
    with AnswerDesk(app) as desk, pytest.raises(Refused, match="no champion for the target 'direction'"):
        desk.submit(Question("a headline"), Target.DIRECTION).result(20)


def test_a_closed_desk_takes_nothing_and_has_answered_everything(app, parts):
    desk = AnswerDesk(app)
    futures = [desk.submit(Question(f"headline {i}")) for i in range(30)]
    desk.close()
    desk.close()
    assert all(future.result(0).forecast for future in futures)
    with pytest.raises(Refused, match="about to stop"):
        desk.submit(Question("too late"))


def test_a_database_that_cannot_be_written_is_said_and_the_next_question_answered(app, parts, caplog):
    parts[CHAMPION].hold = Event()
    with AnswerDesk(app) as desk:
        lost = desk.submit(Question("lost"))
        with writing(app.engine) as session:
            session.connection().exec_driver_sql("ALTER TABLE prediction RENAME TO gone")
            session.commit()
        parts[CHAMPION].hold.set()
        with pytest.raises(Refused, match="nothing was written"):
            lost.result(20)
        with writing(app.engine) as session:
            session.connection().exec_driver_sql("ALTER TABLE gone RENAME TO prediction")
            session.commit()
        assert desk.submit(Question("kept")).result(20).forecast
    assert "could not answer a batch" in caplog.text
    assert [article.title for article in rows(app, Article)] == ["kept"]


def test_the_desk_of_an_application_closes_with_it(app, parts):
    desk = desk_of(app)
    assert desk_of(app) is desk
    app.stop_services()
    with pytest.raises(Refused):
        desk.submit(Question("too late"))


def test_a_slow_remote_champion_does_not_hold_up_a_local_one(app, parts):
    parts[CHAMPION] = ScriptedAsker(delay_s=0.5)
    with writing(app.engine) as session:
        session.add(Champion(target="direction", model_id=CHALLENGER, since=NOW))
        session.commit()
    with AnswerDesk(app) as desk:
        slow = desk.submit(Question("slow"), Target.SENTIMENT)
        desk.submit(Question("quick"), Target.DIRECTION).result(20)
        assert not slow.done()
        assert slow.result(20).forecast.sentiment == "positive"


# --- shadows


def test_a_shadow_judges_every_question_and_the_champion_answers(app, parts):
    experiment(app)
    answers = ask(app, "one", "two", "three")
    assert sentiments(answers) == ["positive"] * 3
    items = rows(app, ExperimentItem)
    assert {(item.arm, item.champion_sentiment, item.challenger_sentiment) for item in items} == {
        ("both", "positive", "negative")
    }
    assert all(item.answered_at is not None for item in items)
    assert sorted(row.request_id for row in said(app, CHALLENGER)) == sorted(
        answered.request_id for answered in answers
    )


def test_an_answer_does_not_wait_for_its_shadow(app, parts):
    experiment(app)
    parts[CHALLENGER].hold = Event()
    with AnswerDesk(app) as desk:
        assert desk.submit(Question("one")).result(5).forecast.sentiment == "positive"
        assert desk.submit(Question("two")).result(5).forecast.sentiment == "positive"
        assert said(app, CHALLENGER) == []
        parts[CHALLENGER].hold.set()
    assert len(said(app, CHALLENGER)) == 2


def test_a_shadow_makes_way_while_questions_come(app, parts):
    experiment(app)
    with AnswerDesk(app, calm_s=60) as desk:
        for i in range(20):
            desk.submit(Question(f"headline {i}")).result(20)
        assert parts[CHALLENGER].batches == []
    assert [len(batch) for batch in parts[CHALLENGER].batches] == [20]  # closing asks what is left


def test_a_shadow_that_breaks_leaves_its_side_open_for_the_scheduled_job(app, parts, caplog):
    experiment(app)
    parts[CHALLENGER].breaks_on = "o"
    with caplog.at_level(logging.WARNING):
        assert sentiments(ask(app, "one")) == ["positive"]
    [item] = rows(app, ExperimentItem)
    assert (item.challenger_sentiment, item.challenger_failure, item.answered_at) == (None, None, None)
    assert "stay open" in caplog.text


def test_an_article_counts_once_and_every_request_has_both_predictions(app, parts):
    experiment(app)
    ask(app, "one")
    ask(app, "one")
    assert (len(rows(app, ExperimentItem)), len(rows(app, Article))) == (1, 1)
    assert (len(said(app, CHAMPION)), len(said(app, CHALLENGER))) == (2, 2)


def test_an_experiment_takes_articles_of_its_family_only(app, parts):
    experiment(app, family="crypto")
    ask(app, "a stock")
    ask(app, "a coin", family=Family.CRYPTO)
    [item] = rows(app, ExperimentItem)
    with reading(app.engine) as session:
        assert session.get(Article, item.article_id).title == "a coin"


def test_an_experiment_that_has_ended_takes_nothing(app, parts):
    experiment(app, status=ExperimentStatus.STOPPED)
    ask(app, "one")
    assert rows(app, ExperimentItem) == []


def test_a_failure_of_the_champion_is_told_and_counts(app, parts):
    experiment(app)
    parts[CHAMPION] = ScriptedAsker(lambda _text: bad(Failure.DECLINED))
    [answered] = ask(app, "one")
    with pytest.raises(ProviderFailed, match="DECLINED"):
        _ = answered.forecast
    [item] = rows(app, ExperimentItem)
    assert (item.champion_failure, item.challenger_sentiment) == ("DECLINED", "negative")
    assert said(app, CHAMPION) == []


def test_a_question_of_the_command_line_leaves_its_shadow_to_the_scheduled_job(app, parts):
    experiment(app)
    assert answer(app, Question("one"), None)["sentiment"] == "positive"
    [item] = rows(app, ExperimentItem)
    assert (item.champion_sentiment, item.answered_at) == ("positive", None)
    assert parts[CHALLENGER].batches == []


# --- split


def test_a_split_shares_articles_out_by_their_address(app, parts):
    experiment(app, mode=ExperimentMode.SPLIT, allocation=0.5)
    urls = [f"https://news.example/{i}" for i in range(40)]
    with AnswerDesk(app) as desk:
        futures = [desk.submit(Question(f"headline {i}", url=url)) for i, url in enumerate(urls)]
        models = [future.result(20).model.id for future in futures]
    wanted = [CHALLENGER if assigned("exp-1", url, 0.5) == Arm.CHALLENGER else CHAMPION for url in urls]
    assert models == wanted
    assert {CHAMPION, CHALLENGER} == set(models)


def test_in_a_split_only_the_assigned_side_is_asked_and_known(app, parts):
    split(app)
    [answered] = ask(app, "one")
    assert (answered.model.id, answered.forecast.sentiment) == (CHALLENGER, "negative")
    [item] = rows(app, ExperimentItem)
    assert (item.arm, item.challenger_sentiment, item.champion_sentiment) == ("challenger", "negative", None)
    assert item.answered_at is not None
    assert parts[CHAMPION].batches == []


def test_a_challenger_past_its_deadline_is_a_failure_and_the_champion_answers(app, parts):
    split(app, deadline_s=0.1)
    parts[CHALLENGER].hold = Event()
    with AnswerDesk(app) as desk:
        started = monotonic()
        answered = desk.submit(Question("one")).result(20)
        assert monotonic() - started < 5
        parts[CHALLENGER].hold.set()
    assert (answered.model.id, answered.forecast.sentiment) == (CHAMPION, "positive")
    [item] = rows(app, ExperimentItem)
    assert (item.challenger_sentiment, item.challenger_failure) == (None, "TIMEOUT")
    assert item.answered_at is not None


@pytest.mark.parametrize(
    ("part", "failure"),
    [
        (Local(breaks_on="one"), "NOT_AVAILABLE"),
        (ScriptedAsker(lambda _text: bad(Failure.NOT_JSON)), "NOT_JSON"),
        (ProviderFailed("cast", "no key", "Enter one"), "NOT_AVAILABLE"),
    ],
)
def test_a_challenger_that_fails_is_wrong_and_the_champion_answers(app, parts, part, failure):
    split(app)
    parts[CHALLENGER] = part
    [answered] = ask(app, "one")
    assert answered.model.id == CHAMPION
    [item] = rows(app, ExperimentItem)
    assert (item.arm, item.challenger_failure) == ("challenger", failure)


def test_a_waiting_challenger_holds_up_no_other_question(app, parts):
    experiment(app, mode=ExperimentMode.SPLIT, allocation=0.5)
    urls = [f"https://news.example/{i}" for i in range(20)]
    arms = [assigned("exp-1", url, 0.5) for url in urls]
    parts[CHALLENGER].hold = Event()
    with AnswerDesk(app) as desk:
        futures = [desk.submit(Question(f"headline {i}", url=url)) for i, url in enumerate(urls)]
        for future, arm in zip(futures, arms, strict=True):
            if arm == Arm.CHAMPION:
                assert future.result(5).model.id == CHAMPION
        assert not any(
            future.done() for future, arm in zip(futures, arms, strict=True) if arm != Arm.CHAMPION
        )
        parts[CHALLENGER].hold.set()


# --- money


@pytest.fixture
def vendor(app, parts):
    """A paid vendor behind the challenger."""
    made = PaidVendor()
    app.providers[VENDOR] = made
    with writing(app.engine) as session:
        session.get(ModelVersion, CHALLENGER).provider = VENDOR
        session.commit()
    return made


def money(app, kind=CostKind.ACTUAL):
    return [entry.micro_usd for entry in rows(app, CostEntry) if entry.kind == kind]


def test_a_paid_challenger_of_a_split_is_asked_once_and_paid_by_its_experiment(app, vendor):
    split(app, budget_micro_usd=10_000)
    [answered] = ask(app, "one")
    assert (answered.model.id, vendor.asker.asked.total(), money(app)) == (CHALLENGER, 1, [PRICE])
    assert {entry.reference for entry in rows(app, CostEntry)} == {f"answer-exp-1-{answered.request_id}"}
    assert sum(money(app, CostKind.RESERVATION)) == sum(money(app, CostKind.RELEASE))


def test_beyond_the_budget_of_a_split_the_champion_answers_and_nobody_fails(app, vendor):
    split(app, budget_micro_usd=10)
    [answered] = ask(app, "one")
    assert (answered.model.id, vendor.asker.asked.total(), money(app)) == (CHAMPION, 0, [])
    assert rows(app, ExperimentItem) == []


def test_a_paid_challenger_past_its_deadline_is_paid_all_the_same(app, vendor):
    split(app, budget_micro_usd=10_000, deadline_s=0.1)
    vendor.asker.delay_s = 0.4
    [answered] = ask(app, "one")
    assert (answered.model.id, vendor.asker.asked.total(), money(app)) == (CHAMPION, 1, [PRICE])
    [item] = rows(app, ExperimentItem)
    assert item.challenger_failure == "TIMEOUT"


def test_a_paid_shadow_is_asked_once_however_often_the_question_comes(app, vendor):
    experiment(app, budget_micro_usd=10_000)
    with AnswerDesk(app) as desk:
        for _ in range(3):
            desk.submit(Question("one")).result(20)
        wait_for(lambda: money(app))
    assert (vendor.asker.asked.total(), money(app)) == (1, [PRICE])
    assert len(said(app, CHAMPION)) == 3


def test_a_paid_shadow_never_passes_the_budget_of_its_experiment(app, vendor, caplog):
    experiment(app, budget_micro_usd=2_000)
    vendor.asker.script = lambda text: good(text.title)
    with AnswerDesk(app) as desk:
        futures = [desk.submit(Question(f"headline {i}")) for i in range(12)]
        assert sentiments([future.result(20) for future in futures]) == ["positive"] * 12
        wait_for(lambda: "stay open" in caplog.text)
    assert 0 < sum(money(app)) <= 2_000
    assert vendor.asker.asked.total() == len(money(app)) < 12


def wait_for(done):
    until = monotonic() + 10
    while not done():
        assert monotonic() < until
        sleep(0.01)


def test_many_askers_at_once_lose_nothing(app, parts):
    experiment(app)
    with AnswerDesk(app) as desk:

        def ask_some(who):
            for i in range(25):
                assert desk.submit(Question(f"headline {who} {i}")).result(20).forecast

        threads = [Thread(target=ask_some, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(rows(app, Article)), len(said(app, CHAMPION)), len(said(app, CHALLENGER))) == (200, 200, 200)
    assert all(item.answered_at for item in rows(app, ExperimentItem))


@pytest.mark.parametrize(
    "url", ["ftp://news.example/1", "news.example", "https://", "http://a b/", "https://[::1", "x" * 2_001]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(InputRejected, match="url"):
        Question("a headline", url=url)


def test_the_address_stays_with_the_article(app, parts):
    ask(app, "one", url="https://news.example/1")
    assert rows(app, Article)[0].url == "https://news.example/1"


def test_a_reply_keeps_its_tokens(app, parts):
    parts[CHAMPION] = ScriptedAsker(lambda text: good(text.title))
    [answered] = ask(app, "one")
    [kept] = said(app, CHAMPION)
    assert (kept.prompt_tokens, kept.completion_tokens, kept.answered_by) == (400, 50, MODEL)
    assert isinstance(answered.reply, Reply)
