"""Live experiments, gates, the watch and cascades on the A/B page, driven as a person would."""

from dataclasses import replace

import pytest
from sqlmodel import select

from core import workflows
from core.db import insert_new, writing
from core.domain.types import ExperimentMode, Family, ModelKind, Sentiment, SplitMethod, Target
from core.models import Alert, Champion, DatasetVersion, Experiment, ModelVersion, Promotion
from core.providers.base import Forecast
from core.providers.scripted import ScriptedProvider
from core.services.experiments import Wish
from tests.conftest import agree
from tests.experimenting import NEW, OLD, begin, champion, duel, experiment, live_through, title, wins
from tests.predicting import Clock
from tests.screens import stored, visit, words_on
from tests.vendors import BASE, vendors

pytestmark = pytest.mark.screens

WISH = Wish(Target.SENTIMENT, NEW)


@pytest.fixture
def app(seeded):
    duel(seeded)
    seeded.now = Clock()
    return seeded


def page(tab, **state):
    screen = visit("ab", tab, ab_target_next="sentiment", **state)
    assert not screen.exception
    return screen


def seen(screen):
    return " ".join(words_on(screen)).replace("\\", "")


def labels(screen):
    return [button.label for button in screen.button]


def decided(app):
    """Let a challenge run until its evidence decides, and let the job conclude it."""
    experiment_id = begin(app, WISH)
    live_through(app, experiment_id, wins(41, lost=1), days=14)
    workflows.follow_experiments(app)
    return experiment_id


def test_without_a_champion_the_page_leads_to_one(app):
    with writing(app.engine) as session:
        session.delete(session.get_one(Champion, "sentiment"))
        session.commit()
    screen = page("Live experiment")
    screen.button(key="live_crown").click().run()
    assert "Promote" in [heading.value for heading in screen.subheader]


def test_the_plan_is_said_before_the_start_and_the_start_is_one_click(app):
    screen = page("Live experiment")
    text = seen(screen)
    assert "All answers are free" in text
    assert "new against old" in text
    screen.button(key="live_start").click().run()
    assert not screen.exception
    assert [(row.challenger_id, row.mode) for row in stored(app, Experiment)] == [(NEW, "shadow")]
    assert "Not decided: no article of a closed day counts yet" in seen(screen)


def test_a_split_with_its_allocation_and_family_is_started_as_chosen(app):
    screen = page("Live experiment")
    screen.radio(key="live_mode").set_value(ExperimentMode.SPLIT).run()
    screen.slider(key="live_allocation").set_value(30).run()
    screen.selectbox(key="live_family").set_value(Family.CRYPTO).run()
    assert "a split needs" in " ".join(widget.help or "" for widget in screen.radio)
    screen.button(key="live_start").click().run()
    [row] = stored(app, Experiment)
    assert (row.mode, row.allocation, row.family) == ("split", 0.3, "crypto")


def test_while_a_challenge_on_all_articles_runs_no_other_is_offered(app):
    begin(app, WISH)
    screen = page("Live experiment")
    assert "One challenge at a time" in seen(screen)
    assert "live_start" not in [button.key for button in screen.button]


def test_while_a_challenge_on_one_family_runs_the_other_family_is_offered(app):
    begin(app, replace(WISH, family=Family.CRYPTO))
    screen = page("Live experiment", plan_box=True)
    assert screen.selectbox(key="live_family").options == ["General (KOSPI, KOSDAQ)"]


def test_a_missing_label_rate_is_said_with_the_button_that_helps(app):
    app.now.forward(days=60)
    screen = page("Live experiment")
    assert "no label arrives" in seen(screen)
    assert screen.button(key="plan_NO_LABELS")


def test_a_paid_challenger_shows_its_price_and_begins_only_when_that_is_agreed(app):
    app.providers["openai"] = vendors()["openai"]
    paid = workflows.create_few_shot(app, "openai", BASE, None)
    screen = page("Live experiment", live_challenger_sentiment_next=paid)
    assert "Asking the challenger: $" in seen(screen)
    screen.button(key="live_start").click().run()
    assert stored(app, Experiment) == []
    assert "**At most $" in seen(screen)
    assert "vendor.example" in seen(screen)
    screen.button(key="experiment_yes").click().run()
    assert not screen.exception
    [row] = stored(app, Experiment)
    assert row.challenger_id == paid
    assert row.budget_micro_usd > 0
    assert "0.00 of $" in seen(screen)


def test_a_running_experiment_tells_its_evidence_and_its_coverage(app):
    live_through(app, begin(app, WISH), wins(9, lost=5) + [title() for _ in range(10)])
    text = seen(page("Live experiment"))
    assert "Not decided: evidence" in text
    assert "(n = 24)" in text
    assert "counted 24" in text
    assert "only the challenger right" in text


def test_an_experiment_is_stopped_with_a_reason_only(app):
    experiment_id = begin(app, WISH)
    screen = page("Live experiment")
    stop = next(button for button in screen.button if button.label == "Stop")
    stop.click().run()
    assert "reason" in screen.error[0].value
    screen.text_input(key=f"stop_reason_{experiment_id}").set_value("enough seen")
    next(button for button in screen.button if button.label == "Stop").click().run()
    row = experiment(app, experiment_id)
    assert (row.status, row.conclusion["note"]) == ("stopped", "enough seen")


def test_a_concluded_experiment_leads_to_its_gates(app):
    experiment_id = decided(app)
    screen = page("Live experiment")
    assert "The challenger is better: evidence" in seen(screen)
    screen.button(key=f"experiment_gates_{experiment_id}").click().run()
    assert "Live evidence" in seen(screen)


def test_an_archived_experiment_leaves_the_list_until_it_is_asked_for(app):
    experiment_id = decided(app)
    screen = page("Live experiment")
    screen.button(key=f"archive_{experiment_id}").click().run()
    assert experiment(app, experiment_id).archived_at is not None
    assert not screen.dataframe
    screen.toggle(key="live_archived").set_value(True).run()
    assert screen.dataframe[0].value["Verdict"].tolist() == ["Better"]


def test_names_of_models_are_shown_letter_for_letter(app):
    with writing(app.engine) as session:
        model = session.get_one(ModelVersion, NEW)
        model.name = "**new** <b>one</b>"
        session.add(model)
        session.commit()
    begin(app, WISH)
    screen = page("Live experiment")
    assert any("\\*\\*new\\*\\* \\<b\\>one" in word for word in words_on(screen))


def test_gates_that_are_not_passed_are_said_and_the_override_must_be_ticked(app):
    screen = page("Promotion gates", promote_model_next=NEW)
    assert "0 of 7 gates passed" in seen(screen)
    assert {"Compare them", "To the live experiment"} <= set(labels(screen))
    screen.text_input(key="promote_reason").set_value("a hunch")
    screen.form_submit_button[0].click().run()
    assert "tick the box" in screen.error[0].value
    assert champion(app) == OLD
    screen.text_input(key="promote_reason").set_value("a hunch")
    screen.checkbox(key="promote_override").check()
    screen.form_submit_button[0].click().run()
    assert champion(app) == NEW
    entry = stored(app, Promotion)[-1]
    assert (entry.reason, entry.evidence["override"]) == ("a hunch", True)
    assert "0 of 7 · overridden" in seen(screen)


def test_the_reason_of_an_override_stays_on_the_model(app):
    workflows.promote(app, NEW, Target.SENTIMENT, "a **hunch**", override=True)
    screen = visit("models", "Registry", models_target_next="sentiment")
    assert "a **hunch** (local; gates 0 of 7 · overridden)" in seen(screen)


def test_a_test_part_too_small_for_ten_points_offers_a_larger_one(app):
    with writing(app.engine) as session:
        version = session.get_one(DatasetVersion, 1)
        sizes = {"train": 400, "validation": 50, "test": 50}
        version.counts = {part: {"positive": n} for part, n in sizes.items()}
        version.config = {"train_share": 0.8, "validation_share": 0.1}
        session.add(version)
        agree(session)
    screen = page("Promotion gates", promote_model_next=NEW)
    assert "80/10/10 at 500 samples cannot decide 10 points" in screen.warning[0].value
    screen.button(key="larger_test").click().run()
    assert screen.slider(key="build_test_share").value == 40
    assert screen.segmented_control(key="build_target").value == Target.SENTIMENT


def test_the_builder_says_what_its_test_part_cannot_decide_and_takes_more_by_one_click(app):
    with writing(app.engine) as session:
        agree(session)
    screen = visit("training", "Dataset versions", build_target_next="sentiment")
    screen.selectbox(key="build_split").set_value(SplitMethod.STRATIFIED).run()
    assert "80/10/10 at 90 samples cannot decide 10 points" in screen.warning[0].value
    screen.slider(key="build_test_share").set_value(40).run()
    assert "50/10/40 at 90 samples" in screen.warning[0].value
    screen.button(key="build").click().run()
    assert stored(app, DatasetVersion)[-1].config["test_share"] == 0.4


def watched(app):
    """Promote a model that turns out worse, and let the watch find that out."""
    with writing(app.engine) as session:
        session.delete(session.get_one(Champion, "sentiment"))
        session.commit()
    workflows.promote(app, OLD, Target.SENTIMENT, "the first")
    done = workflows.promote(app, NEW, Target.SENTIMENT, "a hunch", override=True)
    live_through(app, done.watch_id, wins(1, lost=41), days=14)
    workflows.follow_experiments(app)
    return done


def test_a_watch_that_found_the_former_champion_better_is_taken_back_by_one_click(app):
    done = watched(app)
    screen = page("Promotion gates")
    assert "The former champion is better: evidence" in seen(screen)
    screen.button(key=f"undo_{done.watch_id}").click().run()
    assert champion(app) == OLD
    assert stored(app, Promotion)[-1].reason.startswith("The watch: evidence")


def test_the_alert_of_a_watch_takes_the_promotion_back_by_one_click(app):
    watched(app)
    screen = visit()
    assert "old has done better than new on 42 new articles" in seen(screen)
    [alert] = [row for row in stored(app, Alert) if row.rule == "former_champion_better"]
    screen.button(key=f"alert_undo_{alert.id}").click().run()
    assert champion(app) == OLD
    assert stored(app, Alert)[-1].state == "resolved"


def test_a_second_click_on_a_rollback_does_not_go_back_one_further(app):
    done = watched(app)
    screen = page("Promotion gates")
    workflows.rollback(app, Target.SENTIMENT, "another person was first")
    screen.button(key=f"undo_{done.watch_id}").click().run()
    assert not screen.exception
    assert len(stored(app, Promotion)) == 3
    assert champion(app) == OLD


def test_an_ended_experiment_is_told_on_the_overview_and_leads_to_its_page(app):
    decided(app)
    screen = visit()
    assert "new is better than old on 42 new articles (Sentiment). Nothing was promoted." in seen(screen)
    [alert] = stored(app, Alert)
    screen.button(key=f"alert_open_{alert.id}").click().run()
    assert "The challenger is better" in seen(screen)


def sure(title_text):
    """Answer with the label on even articles, surely; on odd ones wrongly, and unsurely."""
    number = int(title_text.split()[2])
    right = ("positive", "neutral", "negative")[number % 3]
    wrong = ("neutral", "negative", "positive")[number % 3]
    return (
        Forecast(Sentiment(right), 95.0, ("w",), "sure")
        if number % 2 == 0
        else Forecast(Sentiment(wrong), 40.0, ("w",), "unsure")
    )


def always_right(title_text):
    number = int(title_text.split()[2])
    return Forecast(Sentiment(("positive", "neutral", "negative")[number % 3]), 90.0, ("w",), "knows")


@pytest.fixture
def pair(app):
    """Two local models of the seeded articles: one sure where it is right, one always right."""
    app.providers["quick"] = ScriptedProvider("quick", sure, simulated=False)
    app.providers["slow"] = ScriptedProvider("slow", always_right, simulated=False)
    made = {"kind": "fine_tuned", "base_model": "scripted", "target": "sentiment", "artefact": "a"}
    with writing(app.engine) as session:
        rows = [
            {"name": name, "provider": name, "simulated": False, "created_at": app.now(), **made}
            for name in ("quick", "slow")
        ]
        insert_new(session, ModelVersion, rows)
        session.commit()
        return [
            session.exec(select(ModelVersion.id).where(ModelVersion.name == n)).one()
            for n in ("quick", "slow")
        ]


def test_a_cascade_is_measured_chosen_made_and_scored_by_clicks(app, pair):
    screen = page("Cascade")
    screen.selectbox(key="cascade_first_sentiment").select("quick").run()
    screen.selectbox(key="cascade_second_sentiment").select("slow").run()
    screen.button(key="cascade_answer").click().run()
    assert not screen.exception
    assert "it is spared" in seen(screen)
    screen.button(key="cascade_make").click().run()
    made = [model for model in stored(app, ModelVersion) if model.kind == ModelKind.CASCADE]
    assert [(model.params["first_id"], model.params["second_id"]) for model in made] == [tuple(pair)]
    screen.button(key=f"cascade_score_{made[0].id}").click().run()
    assert "Test part: accuracy **100.0 %**" in seen(screen)
