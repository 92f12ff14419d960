"""Live experiments: who may stand against whom, what is kept of each article, and what of it is evidence."""

from datetime import timedelta
from multiprocessing import get_context
from threading import Barrier, Thread

import pytest

from core import workflows
from core.db import open_engine, reading, writing
from core.domain.policy import Policy
from core.domain.types import Arm, ExperimentMode, ExperimentStatus, Family, Sentiment, Target
from core.errors import InputRejected, NotFound, Refused
from core.models import Champion, Comparison, ModelVersion
from core.queries import experiments as looks
from core.services import experiments
from core.services.experiments import Enrolment, Pair, Side, Wish
from tests.conftest import NOW
from tests.experimenting import NEW, OLD, arrive, begin, closes, duel, experiment, items, title, wins
from tests.predicting import Clock

WISH = Wish(Target.SENTIMENT, NEW)


@pytest.fixture
def app(seeded):
    duel(seeded)
    seeded.now = Clock()
    return seeded


def change(app, model_id, **values):
    with writing(app.engine) as session:
        row = session.get(ModelVersion, model_id)
        for name, value in values.items():
            setattr(row, name, value)
        session.commit()


def enrol(app, article_ids, arm=Arm.BOTH, experiment_id=1, **sides):
    entries = [Enrolment(experiment_id, article, "r", arm, **sides) for article in article_ids]
    with writing(app.engine) as session:
        enrolled = experiments.enrol(session, entries, now=app.now())
        session.commit()
    return enrolled


def settle(app, *answers):
    with writing(app.engine) as session:
        experiments.settle(session, answers, now=app.now())
        session.commit()


def answered(app, titles, *, labelled_at=None, **more):
    """Let articles come in, be enrolled and answered by both as their titles say."""
    ids = arrive(app, titles, at=app.now(), labelled_at=labelled_at, **more)
    entries = [
        Enrolment(
            1, key, "", Arm.BOTH, champion_sentiment=said.split()[1], challenger_sentiment=said.split()[2]
        )
        for key, said in zip(ids, titles, strict=True)
    ]
    with writing(app.engine) as session:
        experiments.enrol(session, entries, now=app.now())
        session.commit()
    return ids


def coverage(app):
    return workflows.experiment_evidence(app, 1)["coverage"]


def test_an_experiment_begins_with_the_present_champion_and_its_plan(app):
    experiment_id = workflows.start_experiment(app, Wish(Target.SENTIMENT, NEW, days=7, reason=" why not "))
    row = experiment(app, experiment_id)
    assert (row.champion_id, row.challenger_id, row.status, row.reason) == (OLD, NEW, "running", "why not")
    assert row.ends_at - row.started_at == timedelta(days=7)
    assert (row.planned["effect"], row.planned["articles_fixed"]) == (0.1, 194)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(Target.DIRECTION, NEW), "no champion for 'direction'"),
        (Wish(Target.SENTIMENT, OLD), "is the champion for 'sentiment' itself"),
        (Wish(Target.SENTIMENT, 1), "stored predictions only"),
    ],
)
def test_a_challenge_that_cannot_be_is_refused(app, wish, said):
    with pytest.raises(Refused, match=said):
        workflows.start_experiment(app, wish)
    assert experiment(app) is None


def test_an_unknown_challenger_is_named(app):
    with pytest.raises(NotFound, match="99"):
        workflows.plan_experiment(app, Wish(Target.SENTIMENT, 99))


def test_a_model_of_the_other_target_does_not_challenge(app):
    change(app, NEW, target="direction")
    with pytest.raises(Refused, match="learned the target 'direction'"):
        begin(app, WISH)


def test_a_simulated_model_is_not_held_against_a_real_one(app):
    change(app, NEW, simulated=True)
    with pytest.raises(Refused, match="new is SIMULATED"):
        begin(app, WISH)


@pytest.mark.parametrize(
    ("name", "value"), [("allocation", 0.0), ("allocation", 1.0), ("effect", 0.0), ("days", 0), ("days", 366)]
)
def test_a_wish_out_of_range_is_rejected(name, value):
    with pytest.raises(InputRejected, match=name):
        Wish(Target.SENTIMENT, NEW, **{name: value})


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        (None, None, False),
        (None, Family.CRYPTO, False),
        (Family.CRYPTO, None, False),
        (Family.CRYPTO, Family.CRYPTO, False),
        (Family.CRYPTO, Family.GENERAL, True),
    ],
)
def test_one_challenge_at_a_time_on_the_same_articles(app, first, second, fits):
    begin(app, Wish(Target.SENTIMENT, NEW, family=first))
    if fits:
        assert begin(app, Wish(Target.SENTIMENT, NEW, family=second)) == 2
        return
    with pytest.raises(Refused, match="Experiment 1 is under way"):
        begin(app, Wish(Target.SENTIMENT, NEW, family=second))


def test_the_other_target_may_be_challenged_at_the_same_time(app):
    with writing(app.engine) as session:
        session.add(Champion(target=Target.DIRECTION, model_id=OLD, since=NOW))
        session.commit()
    begin(app, WISH)
    assert begin(app, Wish(Target.DIRECTION, NEW)) == 2


def test_of_four_people_who_start_at_once_one_does(app):
    together, begun = Barrier(4), []

    def start():
        together.wait(10)
        try:
            begun.append(workflows.start_experiment(app, WISH))
        except Refused:
            return

    threads = [Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert begun == [1]


def begin_in_a_process(url, together, answers):
    engine = open_engine(url)
    pair = Pair(ModelVersion(id=OLD), ModelVersion(id=NEW, simulated=False))
    together.wait(30)
    try:
        with writing(engine) as session:
            experiments.begin(
                session, Policy(), WISH, pair, planned={}, budget_micro_usd=0, actor="kim", now=NOW
            )
        answers.put(True)
    except Refused:
        answers.put(False)
    engine.dispose()


def test_of_four_processes_that_begin_at_once_one_does(app):
    url = str(app.engine.url)
    app.engine.dispose()
    context = get_context("fork")  # as in tests.race: a fresh interpreter would only import
    together, answers = context.Barrier(4), context.Queue()
    workers = [context.Process(target=begin_in_a_process, args=(url, together, answers)) for _ in range(4)]
    for worker in workers:
        worker.start()
    began = [answers.get(timeout=30) for _ in workers]
    for worker in workers:
        worker.join(10)
    assert sorted(began) == [False, False, False, True]


def test_a_champion_that_changed_since_the_plan_is_noticed(app):
    with reading(app.engine) as session:
        pair = Pair(session.get(ModelVersion, 1), session.get(ModelVersion, NEW))
    with pytest.raises(Refused, match="old has become the champion"), writing(app.engine) as session:
        experiments.begin(
            session, app.policy, WISH, pair, planned={}, budget_micro_usd=0, actor="kim", now=NOW
        )


def test_the_first_question_about_an_article_counts(app):
    begin(app, WISH)
    [article] = arrive(app, [title()], at=NOW)
    assert enrol(app, [article], champion_sentiment="positive") == 1
    assert enrol(app, [article], champion_sentiment="negative") == 0
    assert [item.champion_sentiment for item in items(app)] == ["positive"]


def test_an_ended_experiment_takes_no_article(app):
    begin(app, WISH)
    workflows.stop_experiment(app, 1, "enough")
    assert enrol(app, arrive(app, [title()], at=NOW)) == 0


def test_a_side_is_filled_once(app):
    begin(app, WISH)
    [article] = arrive(app, [title()], at=NOW)
    enrol(app, [article], champion_sentiment="positive")
    settle(app, Side(1, article, "challenger", failure="TIMEOUT"))
    settle(app, Side(1, article, "challenger", "positive"), Side(1, article, "champion", "negative"))
    [item] = items(app)
    assert (item.champion_sentiment, item.challenger_sentiment, item.challenger_failure) == (
        "positive",
        None,
        "TIMEOUT",
    )


@pytest.mark.parametrize(
    ("arm", "sides", "complete"),
    [
        (Arm.BOTH, ["champion"], False),
        (Arm.BOTH, ["challenger"], False),
        (Arm.BOTH, ["champion", "challenger"], True),
        (Arm.CHAMPION, ["champion"], True),
        (Arm.CHAMPION, ["challenger"], False),
        (Arm.CHALLENGER, ["challenger"], True),
    ],
)
def test_an_item_is_answered_once_all_that_its_arm_asks_are_known(app, arm, sides, complete):
    begin(app, WISH)
    settled, given = arrive(app, [title(), title()], at=NOW)
    enrol(app, [settled], arm)
    settle(app, *(Side(1, settled, side, "neutral") for side in sides))
    enrol(app, [given], arm, **{f"{side}_sentiment": "neutral" for side in sides})
    assert [item.answered_at is not None for item in items(app)] == [complete, complete]


def test_open_sides_are_those_the_arm_asks_and_that_are_old_enough(app):
    begin(app, WISH)
    both, one, done = arrive(app, [title(), title(), title()], at=NOW)
    enrol(app, [both])
    enrol(app, [one], Arm.CHALLENGER)
    enrol(app, [done], Arm.CHAMPION, champion_failure="TIMEOUT")
    with reading(app.engine) as session:
        found = experiments.open_items(session, before=NOW + timedelta(seconds=1), limit=10)
        assert experiments.open_items(session, before=NOW, limit=10) == []
    assert sorted((item.article_id, item.side, item.model_id) for item in found) == [
        (both, "challenger", NEW),
        (both, "champion", OLD),
        (one, "challenger", NEW),
    ]


def test_human_labels_count_once_their_day_in_seoul_is_over(app):
    begin(app, WISH)
    answered(app, wins(3, lost=1), labelled_at=NOW)
    assert (coverage(app)["waiting"], coverage(app)["matured"]) == (4, 0)
    app.now.forward(hours=11)  # noon in Seoul to 23:00
    assert coverage(app)["matured"] == 0
    app.now.forward(hours=1)
    shown = workflows.experiment_evidence(app, 1)
    assert (shown["n"], shown["wins"], shown["losses"], shown["days"]) == (4, 3, 1, 1)


def test_an_article_on_which_reviewers_disagree_is_no_evidence(app):
    begin(app, WISH)
    [article] = answered(app, wins(1), labelled_at=NOW)
    workflows.label_article(app, article, Sentiment.NEGATIVE, "lee")
    app.now.forward(days=2)
    assert (coverage(app)["void"], coverage(app)["matured"]) == (1, 0)


def test_an_article_that_is_no_sample_is_no_evidence(app):
    begin(app, WISH)
    answered(app, wins(1), labelled_at=NOW, reason="NEAR_DUPLICATE")
    app.now.forward(days=2)
    assert (coverage(app)["void"], coverage(app)["matured"]) == (1, 0)


def test_a_failed_side_counts_as_wrong(app):
    begin(app, WISH)
    ids = arrive(app, [title() for _ in range(2)], at=NOW, labelled_at=NOW)
    enrol(app, ids, champion_sentiment="positive", challenger_failure="TIMEOUT")
    app.now.forward(days=2)
    shown = workflows.experiment_evidence(app, 1)
    assert (shown["n"], shown["losses"], shown["coverage"]["failed_challenger"]) == (2, 2, 2)


def test_market_labels_count_from_their_close_and_not_for_who_was_asked_after_it(app):
    with writing(app.engine) as session:
        session.add(Champion(target=Target.DIRECTION, model_id=OLD, since=NOW))
        session.commit()
    begin(app, Wish(Target.DIRECTION, NEW))
    in_time, late, void, open_day, missed = answered(app, wins(4)) + arrive(app, wins(1), at=NOW)
    closes(app, in_time, NOW + timedelta(hours=3))
    closes(app, late, NOW - timedelta(seconds=1))
    closes(app, void, NOW + timedelta(hours=3), state="void")
    closes(app, open_day, NOW + timedelta(hours=30), state="pending")
    closes(app, missed, NOW + timedelta(hours=1))
    assert coverage(app)["matured"] == 0
    app.now.forward(hours=4)
    shown = workflows.experiment_evidence(app, 1)
    assert shown["coverage"] == {
        "enrolled": 4,
        "answered": 4,
        "matured": 1,
        "waiting": 1,
        "void": 1,
        "late": 2,  # one was asked too late, one came in too late to be asked
        "failed_champion": 0,
        "failed_challenger": 0,
    }
    assert (shown["wins"], shown["unit"]) == (1, "day")


def test_evidence_is_weighed_in_the_order_of_closing(app):
    begin(app, WISH)
    late, early = wins(0, lost=8), wins(30)
    answered(app, late, labelled_at=NOW + timedelta(days=3))
    answered(app, early, labelled_at=NOW)
    app.now.forward(days=5)
    points = workflows.experiment_evidence(app, 1)["series"]
    assert [(point["day"], point["wins"], point["losses"]) for point in points] == [
        ("2026-01-05", 30, 0),
        ("2026-01-08", 30, 8),
    ]


def test_a_stop_keeps_what_was_shown_and_needs_a_reason(app):
    begin(app, WISH)
    answered(app, wins(3), labelled_at=NOW)
    app.now.forward(days=1)
    with pytest.raises(Refused, match="without a reason"):
        workflows.stop_experiment(app, 1, " ")
    workflows.stop_experiment(app, 1, "a better idea")
    answered(app, wins(5), labelled_at=NOW)
    app.now.forward(days=1)
    shown = workflows.experiment_evidence(app, 1)
    assert experiment(app).status == ExperimentStatus.STOPPED
    assert (shown["wins"], shown["ended_by"], shown["note"], shown["ended"]) == (
        3,
        "person",
        "a better idea",
        True,
    )
    with pytest.raises(Refused, match="has ended already"):
        workflows.stop_experiment(app, 1, "again")


def test_only_an_ended_experiment_is_put_away_and_nothing_of_it_is_lost(app):
    begin(app, WISH)
    with pytest.raises(Refused, match="is under way"):
        workflows.archive_experiment(app, 1)
    workflows.stop_experiment(app, 1, "enough")
    workflows.archive_experiment(app, 1)
    first = experiment(app).archived_at
    app.now.forward(days=1)
    workflows.archive_experiment(app, 1)
    assert experiment(app).archived_at == first == NOW
    with reading(app.engine) as session:
        assert looks.experiments(session, archived=False) == []
        assert [row.challenger for row in looks.experiments(session, "sentiment")] == ["new"]


def test_a_plan_takes_its_discordance_from_the_newest_comparison_of_the_two(app):
    assert workflows.plan_experiment(app, WISH).planned["discordance_from"] == "assumed"
    report = {"n": 100, "table": {"champion_only": 5, "challenger_only": 15}}
    with writing(app.engine) as session:
        session.add(
            Comparison(
                champion_id=OLD,
                challenger_id=NEW,
                dataset_id=1,
                split="test",
                report=report,
                created_at=NOW,
            )
        )
        session.commit()
    plan = workflows.plan_experiment(app, WISH)
    assert (plan.planned["discordance"], plan.planned["discordance_from"]) == (0.2, "comparison")


def test_a_plan_says_that_no_labels_arrive_and_expects_days_where_they_do(app):
    arrive(app, [title() for _ in range(280)], at=NOW, labelled_at=NOW)
    plan = workflows.plan_experiment(app, WISH)
    # 280 of these and the 90 that the fixture labelled, of which none has its gold sentiment yet
    assert plan.planned["labels_a_day"] == 10
    assert 10 < plan.planned["days_median"] < plan.planned["days_power"] < 60
    app.now.forward(days=40)
    quiet = workflows.plan_experiment(app, WISH)
    assert (quiet.planned["labels_a_day"], "NO_LABELS" in quiet.warnings) == (0, True)


def test_a_split_needs_more_articles_than_a_shadow(app):
    arrive(app, [title() for _ in range(560)], at=NOW, labelled_at=NOW)
    shadow = workflows.plan_experiment(app, WISH).planned["articles"]
    split = workflows.plan_experiment(app, Wish(Target.SENTIMENT, NEW, mode=ExperimentMode.SPLIT))
    assert split.planned["articles"] > 2 * shadow
    assert "SPLIT_IS_SLOW" in split.warnings
