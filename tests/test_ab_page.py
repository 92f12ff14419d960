"""The A/B page's comparison as a person uses it: the verdict, what it rests on, and the articles behind it."""

import pytest
from sqlmodel import select

from core import workflows
from core.db import reading, writing
from core.domain.types import Target
from core.models import Article, Champion, Comparison, DatasetItem, DatasetVersion, ModelVersion
from tests.comparing import add_model, right
from tests.conftest import NOW
from tests.screens import stored, visit, words_on

pytestmark = pytest.mark.screens

CHOSEN = {"ab_target_next": "sentiment"}
NEWER = (
    "macro_f1_difference", "per_class", "calibration", "abstention", "latency", "cost_per_1000_micro_usd",
    "confusion", "plan", "sensible_n", "test_too_small", "selected_on", "p_by_day",
)  # fmt: skip


@pytest.fixture
def compared(seeded):
    """Model 2, always right, compared with model 1, which is right on two of three of the 15 articles."""
    better = add_model(seeded, "tuned", right, latency_ms=12.0)
    workflows.compare(seeded, 1, better, 1)
    return seeded


def seen(screen):
    return " ".join(words_on(screen)).replace("\\", "")


def page(tab="Comparison", **state):
    return visit("ab", tab, **CHOSEN, **state)


def change_report(app, without=(), **changes):
    """Take keys away from the stored comparison, or change them."""
    with writing(app.engine) as session:
        comparison = session.exec(select(Comparison)).one()
        merged = comparison.report | changes
        comparison.report = {name: value for name, value in merged.items() if name not in without}
        session.commit()


def test_the_verdict_is_one_sentence_with_both_names_beside_the_plans_targets(compared):
    text = seen(page())
    assert "tuned is better than few-shot by" in text
    assert "points (n=15)" in text
    assert "Tango, 95 %" in text
    assert "Gain of at least +10.0 pp" in text
    assert "Accuracy of at least 80 %" in text
    assert "not measured: both models need stored response times" in text


def test_the_forest_has_a_row_for_accuracy_macro_f1_and_the_recall_of_each_class(compared):
    screen = page()
    forest = next(each for each in screen.get("plotly_chart") if "Recall of neutral" in each.proto.spec)
    for row in ("Accuracy", "Macro-F1", "Recall of positive", "Recall of neutral", "Recall of negative"):
        assert row in forest.proto.spec
    assert "+100.0 pp" in forest.proto.spec  # of the five neutral ones the champion found none


def test_a_comparison_stored_by_an_earlier_version_is_drawn_with_what_it_has(compared):
    change_report(compared, without=NEWER)
    for view in ("disagreements", "errors", "confidence"):
        screen = page(ab_view=view)
        assert not screen.exception
        assert "press Compare for all figures" in seen(screen)
        assert "is better than few-shot" in seen(screen)


def test_a_part_that_helped_to_choose_a_model_and_one_that_taught_it_are_warned_of(compared):
    change_report(
        compared,
        selected_on={"champion": False, "challenger": True},
        contaminated={"champion": 4, "challenger": 0},
    )
    warnings = [warning.value.replace("\\", "") for warning in page().warning]
    assert any(said.startswith("few-shot was trained on 4 of these articles") for said in warnings)
    assert any(said.startswith("tuned was chosen on this part") for said in warnings)


def test_a_test_part_too_small_for_the_plans_gain_says_how_many_articles_it_takes(compared):
    report = stored(compared, Comparison)[0].report
    assert f"takes about {report['sensible_n']:,}" in page().info[0].value
    settled = [item | {"state": "reached"} for item in report["plan"]]
    change_report(compared, plan=settled)
    assert not page().info  # it was large enough


def test_response_times_and_cost_stand_side_by_side_and_what_is_not_known_is_a_dash(compared):
    table = next(each.value for each in page().table if "Cost of 1,000 articles" in set(each.value[" "]))
    row = table[table[" "] == "Median response time"].iloc[0]
    assert (row["Champion"], row["Challenger"]) == ("–", "12.0 ms")
    assert set(table[table[" "] == "Cost of 1,000 articles"].iloc[0][1:]) == {"–"}


def test_the_articles_behind_a_verdict_are_those_of_the_chosen_kind_with_both_answers(compared):
    screen = page()
    assert set(screen.dataframe[0].value["Gold label"]) == {"neutral"}
    assert len(screen.dataframe[0].value) == 5
    text = seen(screen)
    assert "Champion: **positive 80** · few-shot" in text
    assert "Challenger: **neutral 80** · tuned" in text
    screen.segmented_control(key="disagree_1_2_1_kind").set_value("champion_only").run()
    assert not screen.dataframe
    assert "No such article" in seen(screen)


def test_another_row_shows_another_article(compared):
    selection = {"selection": {"rows": [2], "columns": [], "cells": []}}
    screen = page(disagree_1_2_1_challenger_only_1_rows=selection)
    shown = screen.dataframe[0].value["Title"][2]
    assert f"**{shown}**" in seen(screen)


def test_pages_of_articles_turn(compared):
    worse = add_model(compared, "worse", lambda i: "negative" if right(i) != "negative" else "neutral")
    workflows.compare(compared, worse, 2, 1)
    screen = page()
    first = screen.dataframe[0].value["Title"].tolist()
    assert len(first) == 10
    assert "15 articles" in seen(screen)
    screen = page(**{f"disagree_{worse}_2_1_challenger_only_page": 2})
    second = screen.dataframe[0].value["Title"].tolist()
    assert len(second) == 5
    assert not set(first) & set(second)


def test_names_and_news_that_others_wrote_are_shown_letter_for_letter(compared):
    hostile = "**a** <b>b</b> $x$ :red[c]"
    with writing(compared.engine) as session:
        session.get(ModelVersion, 2).name = hostile
        for article in session.exec(select(Article)):
            article.title = article.body = hostile
        session.commit()
    screen = page()
    rendered = [element.value for kind in ("markdown", "caption") for element in getattr(screen, kind)]
    assert any("\\*\\*a\\*\\* \\<b\\>b\\</b\\> \\$x\\$ \\:red\\[c\\]" in text for text in rendered)
    assert not [text for text in rendered if "<b>" in text.replace("\\<b\\>", "")]
    accuracies = next(each for each in screen.get("plotly_chart") if "few-shot" in each.proto.spec)
    assert "<b>b</b>" not in accuracies.proto.spec.replace("\\u003c", "<").replace("\\u003e", ">")


def test_both_confusion_matrices_are_drawn_and_so_is_the_confidence_of_both(compared):
    before = len(page().get("plotly_chart"))
    assert len(page(ab_view="errors").get("plotly_chart")) == before + 2
    screen = page(ab_view="confidence")
    assert "Spiegelhalter z" in seen(screen)
    assert "perfect calibration would show" in seen(screen)
    assert "no threshold (fewer than 200 articles" in seen(screen)


def test_several_models_are_compared_pair_by_pair_with_holms_p_and_nothing_is_stored(compared):
    add_model(compared, "tuned too", right)
    screen = page(ab_how_many="several")
    screen.button(key="compare_many").click().run()
    assert not screen.error
    table = screen.dataframe[0].value
    assert len(table) == 3
    assert {"p, Holm", "Interval", "n"} <= set(table)
    assert set(table["n"]) == {"15"}
    assert "On the 15 articles all of them answered" in [each.value for each in screen.subheader]
    assert len(stored(compared, Comparison)) == 1


def test_another_choice_of_models_hides_what_was_found_for_the_one_before(compared):
    add_model(compared, "tuned too", right)
    screen = page(ab_how_many="several")
    screen.button(key="compare_many").click().run()
    screen.multiselect(key="many_sentiment").set_value([1, 2]).run()
    assert not screen.dataframe
    assert screen.button(key="compare_many").disabled is False


def taught(app, article_id):
    """Add a model, always right, that a later dataset version taught one of the articles; return its id."""
    with writing(app.engine) as session:
        values = {"target": "sentiment", "strategy": "all_verified", "balance": "none", "counts": {}}
        version = DatasetVersion(
            **values, split_method="stratified", sha256="1" * 64, config={}, created_at=NOW
        )
        session.add(version)
        session.flush()
        item = {"article_id": article_id, "split": "train", "position": 0, "label": right(article_id - 1)}
        session.add(DatasetItem(dataset_id=version.id, **item))
        session.commit()
        dataset_id = version.id
    return add_model(app, "taught", right, kind="fine_tuned", target="sentiment", dataset_id=dataset_id)


def test_a_model_that_was_taught_the_articles_is_named_and_left_out_of_the_accuracies(compared):
    taught(compared, 90)
    workflows.evaluate(compared, 1, 1)  # scored last, and so the dataset version chosen at first
    screen = page(ab_how_many="several")
    screen.button(key="compare_many").click().run()
    assert any(said.value.startswith("taught was trained on 1 of these") for said in screen.warning)
    assert [each for each in screen.get("plotly_chart") if "few-shot" in each.proto.spec]
    assert not [each for each in screen.get("plotly_chart") if "taught" in each.proto.spec]


def test_one_model_alone_cannot_be_compared(compared):
    screen = page(ab_how_many="several")
    screen.multiselect(key="many_sentiment").set_value([1]).run()
    assert screen.button(key="compare_many").disabled


def test_the_verdict_leads_to_the_gates_of_the_challenger(compared):
    third = add_model(compared, "third", right, provider="scripted")
    fourth = add_model(compared, "fourth", right, provider="scripted")
    workflows.compare(compared, 1, third, 1)
    screen = page()
    screen.button(key="verdict_gates").click().run()
    assert fourth > third
    assert screen.selectbox(key="promote_model").value.model.id == third


def test_a_challenger_that_is_the_champion_already_has_nowhere_to_be_promoted_to(compared):
    with writing(compared.engine) as session:
        session.add(Champion(target=Target.SENTIMENT, model_id=2, since=NOW))
        session.commit()
    screen = page()
    assert "is better than few-shot" in seen(screen)
    assert not [button for button in screen.button if button.key == "verdict_gates"]


def test_compare_on_the_overview_opens_the_comparison(compared):
    screen = visit()
    screen.button(key="compare").click().run()
    assert screen.title[0].value == "A/B"
    assert screen.button(key="compare_now")


def test_the_registry_leads_to_the_gates_of_its_target(compared):
    screen = visit("models", "Registry", models_target_next="sentiment")
    screen.button(key="to_gates").click().run()
    assert screen.title[0].value == "A/B"
    assert screen.segmented_control(key="ab_target").value == "sentiment"
    assert not screen.exception


def test_without_a_second_model_the_comparison_leads_to_training(seeded):
    screen = page()
    assert screen.button(key="train_second")
    assert "A comparison needs two model versions" in seen(screen)


def test_a_refused_comparison_says_why_and_stores_nothing(seeded):
    with writing(seeded.engine) as session:
        silent = {"kind": "few_shot", "provider": "imported", "base_model": "x", "created_at": NOW}
        session.add(ModelVersion(name="silent", **silent))
        session.commit()
    screen = page()
    screen.button(key="compare_now").click().run()
    assert "silent" in screen.error[0].value
    with reading(seeded.engine) as session:
        assert session.exec(select(Comparison)).first() is None
