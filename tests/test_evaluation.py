"""Evaluation and comparison through the database, over the scripted provider."""

import pytest
from sqlmodel import func, select

from core import workflows
from core.db import insert_new, reading, writing
from core.domain.prompting import few_shot_prompt
from core.domain.types import Split, Target
from core.errors import NotFound, Refused
from core.models import Article, Comparison, DatasetItem, DatasetVersion, EvaluationRun, Prediction
from core.services import evaluation
from core.workflows import scoring
from tests.comparing import add_model, right
from tests.conftest import NOW


@pytest.fixture
def trained(seeded):
    """The seeded application with model 2, which answers neutral to everything."""
    workflows.wait_for_training(
        seeded, workflows.start_training(seeded, workflows.Request(1, "scripted")).job_id
    )
    return seeded


def count(app, table):
    with reading(app.engine) as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_imported_predictions_are_scored_as_they_are(seeded):
    report = workflows.evaluate(seeded, 1, 1)
    assert (report["n"], report["accuracy"], report["majority"]) == (
        15,
        pytest.approx(10 / 15),
        pytest.approx(5 / 15),
    )


def test_a_model_that_can_answer_predicts_what_is_missing_once(trained):
    first = workflows.evaluate(trained, 2, 1)
    stored = count(trained, Prediction)
    again = workflows.evaluate(trained, 2, 1)
    assert (first, count(trained, Prediction)) == (again, stored)
    assert stored == 90 + 15


def test_the_report_is_kept(seeded):
    workflows.evaluate(seeded, 1, 1)
    assert count(seeded, EvaluationRun) == 1


def test_scoring_a_model_on_its_own_training_part_is_said(trained):
    assert workflows.evaluate(trained, 2, 1, Split.TRAIN)["contaminated"] == 60
    assert workflows.evaluate(trained, 2, 1, Split.TEST)["contaminated"] == 0


def test_two_models_are_compared_on_the_same_items(trained):
    report = workflows.compare(trained, 1, 2, 1)
    assert (report["n"], report["accuracy_champion"], report["accuracy_challenger"]) == (
        15, pytest.approx(10 / 15), pytest.approx(5 / 15))  # fmt: skip
    assert report["table"] == {"both_right": 0, "champion_only": 10, "challenger_only": 5, "both_wrong": 0}
    assert report["sentence"]
    assert count(trained, Comparison) == 1


def test_a_model_is_not_compared_with_itself(seeded):
    with pytest.raises(Refused, match="with itself"):
        workflows.compare(seeded, 1, 1, 1)


def test_a_comparison_on_what_a_model_was_trained_on_gives_no_verdict(trained):
    report = workflows.compare(trained, 1, 2, 1, Split.TRAIN)
    assert (report["verdict"], report["contaminated"]) == ("inconclusive", {"champion": 0, "challenger": 60})
    assert "trained on 60 of these 60 articles" in report["sentence"]


def test_single_answers_carry_their_latency_and_a_batch_does_not(trained):
    workflows.evaluate(trained, 2, 1, Split.TRAIN)
    with reading(trained.engine) as session:
        rows = session.exec(select(Prediction.latency_ms).where(Prediction.model_id == 2)).all()
    assert (len(rows), sum(row is not None for row in rows)) == (60, 50)


def another_dataset(app, parts):
    """Store a dataset version of given articles by their part; return its id."""
    with writing(app.engine) as session:
        values = {"target": "sentiment", "strategy": "all_verified", "balance": "none", "counts": {}}
        dataset = DatasetVersion(
            **values, split_method="stratified", sha256="1" * 64, config={}, created_at=NOW
        )
        session.add(dataset)
        session.flush()
        rows = [(split, place) for split, places in parts.items() for place in places]
        items = [
            {
                "dataset_id": dataset.id,
                "article_id": place + 1,
                "split": split,
                "position": position,
                "label": right(place),
            }
            for position, (split, place) in enumerate(rows)
        ]
        insert_new(session, DatasetItem, items)
        session.commit()
        return dataset.id


def seen(app, model_id, split=Split.TEST, dataset_id=1):
    """Return how many items of a part a model was taught or shown, and whether it was chosen there."""
    with reading(app.engine) as session:
        asked = (session, model_id, dataset_id, split)
        return evaluation.contaminated(*asked), evaluation.selected_on(*asked)


def test_what_a_prompt_shows_was_seen_whatever_the_kind_of_model(seeded):
    prompt = few_shot_prompt("role", {}).as_json()
    for shot, article_id in zip(prompt["shots"], (76, 90, 5), strict=True):
        shot["article_id"] = article_id
    few_shot = add_model(seeded, "shown", right, prompt=prompt)
    tuned = add_model(seeded, "tuned", right, prompt=prompt, kind="fine_tuned", dataset_id=1)
    assert (seen(seeded, few_shot), seen(seeded, few_shot, Split.TRAIN)) == ((2, False), (1, False))
    assert (seen(seeded, tuned), seen(seeded, tuned, Split.TRAIN)) == ((2, False), (60, False))


def test_another_telling_of_a_story_that_a_model_was_taught_or_shown_was_seen(seeded):
    other = another_dataset(seeded, {"train": [10], "validation": [], "test": []})
    with writing(seeded.engine) as session:  # 76 tells what 11 told, 77 what 12 did
        for article_id, group in ((11, 1), (76, 1), (12, 2), (77, 2)):
            session.get_one(Article, article_id).near_duplicate_group = group
        session.commit()
    prompt = few_shot_prompt("role", {}).as_json()
    prompt["shots"][0]["article_id"] = 12
    tuned = add_model(seeded, "tuned", right, kind="fine_tuned", dataset_id=other)
    shown = add_model(seeded, "shown", right, prompt=prompt)
    assert [seen(seeded, model)[0] for model in (tuned, shown, 1)] == [1, 1, 0]
    assert workflows.compare(seeded, 1, tuned, 1)["reason"] == "trained_on_the_test"


def test_only_articles_that_both_answered_make_a_comparison_no_evidence(seeded):
    other = another_dataset(seeded, {"train": range(75, 79)})
    tuned = add_model(seeded, "tuned", right, kind="fine_tuned", dataset_id=other)
    some = add_model(seeded, "some", lambda i: right(i) if i >= 78 else None)
    rest = add_model(seeded, "rest", lambda i: right(i) if i >= 80 else None)
    assert workflows.evaluate(seeded, tuned, 1)["contaminated"] == 4
    assert workflows.compare(seeded, tuned, some, 1)["contaminated"] == {"champion": 1, "challenger": 0}
    clean = workflows.compare(seeded, tuned, rest, 1)
    assert (clean["contaminated"]["champion"], clean["reason"]) == (0, "interval_spans_zero")


def test_a_cascade_has_seen_what_either_of_its_models_has(seeded):
    other = another_dataset(seeded, {"train": range(70, 80), "validation": range(80, 84)})
    prompt = few_shot_prompt("role", {}).as_json()
    prompt["shots"][0]["article_id"] = 90
    first = add_model(seeded, "first", right, kind="fine_tuned", dataset_id=other)
    second = add_model(seeded, "second", right, prompt=prompt)
    params = {"first_id": first, "second_id": second, "threshold": 70, "dataset_id": 1}
    cascade = add_model(seeded, "both", right, kind="cascade", params=params)
    assert seen(seeded, cascade) == (5 + 1, True)  # articles 75-79 and the shown one; 80-83 chose the first


def test_the_validation_part_helped_to_choose_what_was_trained_beside_it(trained):
    assert (seen(trained, 2, Split.VALIDATION), seen(trained, 2)) == ((0, True), (0, False))
    assert seen(trained, 1, Split.VALIDATION) == (0, False)


def test_the_threshold_of_a_cascade_was_chosen_on_the_validation_part_that_it_names(seeded):
    parts = {"first_id": add_model(seeded, "a"), "second_id": add_model(seeded, "b")}
    params = parts | {"threshold": 70, "dataset_id": 1}
    cascade = add_model(seeded, "cascade", right, kind="cascade", params=params)
    assert (seen(seeded, cascade, Split.VALIDATION), seen(seeded, cascade)) == ((0, True), (0, False))


def test_a_comparison_where_a_model_was_chosen_warns_and_still_decides(seeded):
    tuned = add_model(seeded, "tuned", right, kind="fine_tuned", dataset_id=1, target="sentiment")
    wrong = add_model(seeded, "wrong", lambda i: right(i + 1))
    report = workflows.compare(seeded, wrong, tuned, 1, Split.VALIDATION)
    assert (report["verdict"], report["selected_on"]) == ("better", {"champion": False, "challenger": True})
    assert workflows.evaluate(seeded, tuned, 1, Split.VALIDATION)["selected_on"] is True


def test_latencies_are_compared_where_they_were_measured(seeded):
    slow = add_model(seeded, "slow", right, latency_ms=200.0)
    quick = add_model(seeded, "quick", right, latency_ms=50.0)
    latency = workflows.compare(seeded, slow, quick, 1)["latency"]
    assert (latency["champion"], latency["change"]) == ({"p50": 200.0, "p95": 200.0, "n": 15}, -0.75)
    assert workflows.compare(seeded, 1, quick, 1)["latency"]["champion"] is None


def test_imported_answers_cost_nobody_knows_what_and_local_ones_nothing(trained):
    report = workflows.compare(trained, 1, 2, 1)
    assert report["cost_per_1000_micro_usd"] == {"champion": None, "challenger": 0}


def test_a_paid_models_thousand_articles_cost_its_counted_tokens_at_todays_price(seeded):
    seeded.providers["scripted"].priced = True
    paid = {"provider": "scripted", "base_model": "gpt-x"}
    unpriced = add_model(seeded, "unpriced", right, tokens=100, **paid | {"base_model": "gpt-y"})
    asked = add_model(seeded, "asked", right, tokens=101, **paid)
    silent = add_model(seeded, "silent", right, **paid)
    for kind, usd in (("input", "0.4"), ("output", "1.6")):
        workflows.edit_price(seeded, provider="scripted", model="gpt-x", kind=kind, usd=usd, source="a test")
    costs = scoring.costs_per_1000(seeded, [asked, unpriced, silent])
    assert costs == {asked: 101 * 2 * 1000, unpriced: None, silent: None}


def test_a_cascade_costs_less_by_the_share_that_its_first_model_answers(seeded):
    seeded.providers["scripted"].priced = True
    params = {"first_id": 1, "second_id": 1, "threshold": 70, "dataset_id": 1, "remote": True}
    paid = {"provider": "scripted", "base_model": "gpt-x"}
    cascade = add_model(seeded, "cascade", kind="cascade", params=params, **paid)
    with writing(seeded.engine) as session:
        answers = [
            {
                "article_id": i + 1,
                "model_id": cascade,
                "sentiment": "neutral",
                "prompt_tokens": 0 if i % 4 else 1000,
                "completion_tokens": 0 if i % 4 else 100,
                "created_at": NOW,
            }
            for i in range(88)
        ]
        insert_new(session, Prediction, answers)
        session.commit()
    for kind, usd in (("input", "0.4"), ("output", "1.6")):
        workflows.edit_price(seeded, provider="scripted", model="gpt-x", kind=kind, usd=usd, source="a test")
    assert scoring.costs_per_1000(seeded, [cascade]) == {cascade: (400 + 160) * 1000 // 4}


def test_a_server_that_is_paid_by_the_hour_has_no_price_an_article(seeded):
    own = add_model(seeded, "own", right, provider="scripted")
    assert scoring.costs_per_1000(seeded, [own]) == {own: None}


def test_many_models_are_compared_on_what_all_of_them_answered(seeded):
    half = add_model(seeded, "half", lambda i: right(i) if i % 2 else None)
    most = add_model(seeded, "most", lambda i: right(i) if i % 5 else None)
    found = workflows.compare_many(seeded, [1, half, most], 1)
    assert found["n"] == 6  # of 75-89 the odd ones that 5 does not divide
    assert {pair["n"] for pair in found["pairs"]} == {6}
    assert [(pair["champion_id"], pair["challenger_id"]) for pair in found["pairs"]] == [
        (1, half), (1, most), (half, most)]  # fmt: skip
    assert [model["name"] for model in found["models"]] == ["few-shot", "half", "most"]
    assert [model["accuracy"] for model in found["models"]][1:] == [1.0, 1.0]


def test_of_many_pairs_only_those_that_holm_confirms_are_decided(seeded):
    wrong = add_model(seeded, "wrong", lambda i: right(i + 1))
    best = add_model(seeded, "best", right)
    [clear] = [
        pair
        for pair in workflows.compare_many(seeded, [1, best, wrong], 1)["pairs"]
        if pair["champion_id"] == best
    ]
    assert clear["verdict"] == "worse"
    assert clear["sentence"].startswith("wrong is worse than best by ")


def test_a_winner_of_one_pair_may_be_chance_among_many(seeded):
    best, equal = (add_model(seeded, name, right) for name in ("best", "equal"))
    assert workflows.compare(seeded, 1, best, 1)["verdict"] == "better"
    unsure = workflows.compare_many(seeded, [1, best, equal], 1)["pairs"][0]
    # it is right on five articles more and on none less
    assert (unsure["p"], unsure["holm_p"]) == pytest.approx((1 / 2**5, 3 / 2**5))
    assert (unsure["verdict"], unsure["reason"]) == ("inconclusive", "not_after_holm")
    assert "among 3 pairs compared at once" in unsure["sentence"]


def test_comparing_many_stores_nothing_but_free_answers(trained):
    before = count(trained, Comparison)
    found = workflows.compare_many(trained, [1, 2], 1)
    assert (found["n"], count(trained, Comparison)) == (15, before)


def test_a_pair_with_a_model_that_was_trained_there_has_no_verdict_among_many_either(trained):
    found = workflows.compare_many(trained, [1, 2], 1, Split.TRAIN)
    assert (found["pairs"][0]["reason"], found["models"][1]["contaminated"]) == ("trained_on_the_test", 60)


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [([1], "1 models"), (range(1, 10), "9 models"), ([1, 1], "with itself"), ([], "0 models")],
)
def test_two_to_eight_different_models_are_compared(seeded, chosen, problem):
    with pytest.raises(Refused, match=problem):
        workflows.compare_many(seeded, list(chosen), 1)


def test_a_model_that_is_not_there_is_said_among_many(seeded):
    with pytest.raises(NotFound):
        workflows.compare_many(seeded, [1, 99], 1)


def test_models_without_a_common_article_are_refused(seeded):
    even = add_model(seeded, "even", lambda i: None if i % 2 else right(i))
    odd = add_model(seeded, "odd", lambda i: right(i) if i % 2 else None)
    for compare in (
        lambda: workflows.compare(seeded, even, odd, 1),
        lambda: workflows.compare_many(seeded, [1, even, odd], 1),
    ):
        with pytest.raises(Refused, match="no answered article in common"):
            compare()


def test_many_models_of_direction_are_judged_by_market_days(seeded):
    with writing(seeded.engine) as session:
        session.get_one(DatasetVersion, 1).target = Target.DIRECTION
        for item in session.exec(select(DatasetItem)):
            item.market_day = f"general|2025-11-{item.article_id % 5 + 3:02d}"
        session.commit()
    best = add_model(seeded, "best", right)
    wrong = add_model(seeded, "wrong", lambda i: right(i + 1))
    [pair] = workflows.compare_many(seeded, [wrong, best], 1)["pairs"]
    assert (pair["market_days"], pair["p_by_day"], pair["holm_p"]) == (5, 2 / 2**5, 2 / 2**5)
    assert (pair["verdict"], pair["reason"]) == ("inconclusive", "too_few_market_days")
