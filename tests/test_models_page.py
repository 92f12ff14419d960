"""Remote models on the Models page and the Overview: prompts, paid answers, ends, and what needs a person."""

from datetime import timedelta

import pytest
from sqlmodel import select

from core import workflows
from core.bootstrap import build_app, set_app
from core.db import reading, writing
from core.domain.types import AlertState, CostKind, JobStatus, RunMode
from core.models import (
    Alert,
    Budget,
    Champion,
    CostEntry,
    DatasetItem,
    ModelVersion,
    Prediction,
    PredictionRun,
)
from core.providers.base import BatchReport
from core.queries.prediction_runs import failed_articles, failures
from core.settings import Settings
from core.workflows.alerts import acknowledge_alert
from tests.conftest import empty_database
from tests.screens import stored, visit, words_on
from tests.test_training_page import fill
from tests.vendors import BASE, NOW, Clock, vendors

pytestmark = pytest.mark.screens

CHOSEN = {"models_target_next": "sentiment"}


class Waiting:
    """A batch service that never gets further."""

    def start(self, model, texts, launch):
        return {"batch": "b1"}

    def poll(self, handle):
        return BatchReport(JobStatus.RUNNING, "in progress")

    def cancel(self, handle):
        return None


@pytest.fixture
def app(tmp_path):
    """A program with 160 articles, a dataset version (20 to test on), and a few-shot version at a vendor."""
    settings = Settings(data_dir=tmp_path / "data", _env_file=None)
    empty_database(tmp_path / "data" / "newstune.db").dispose()
    app = build_app(settings, providers=vendors(), now=Clock())
    fill(app)
    workflows.create_few_shot(app, "openai", BASE, 1)
    set_app(app)
    yield app
    set_app(None)
    app.close()


def seen(screen):
    return " ".join(words_on(screen)).replace("\\", "")


def ask(app, **given):
    """Ask about the test part as the command line would, and drive the run to its end."""
    run_id = workflows.start_predictions(app, 1, dataset_id=1, split="test", accept_micro_usd=10**6, **given)
    workflows.drive_predictions(app, run_id)
    return run_id


def runs(app):
    return stored(app, PredictionRun)


def test_a_few_shot_version_is_made_by_one_click_and_its_exact_prompt_is_shown(app):
    screen = visit("models", "Few-shot", **CHOSEN)
    screen.selectbox(key="few_shot_provider").set_value("openai").run()
    screen.selectbox(key="few_shot_examples_sentiment").set_value(0).run()
    screen.button(key="few_shot_make").click().run()
    assert not screen.exception
    assert [model.name for model in stored(app, ModelVersion)][1:] != []
    text = seen(screen)
    assert "The exact prompt, with 3 examples" in " ".join(each.label for each in screen.expander)
    assert "positive · made up" in text
    assert "nothing" in text  # making a version sends nothing


def test_examples_name_the_article_they_are(app):
    with writing(app.engine) as session:
        model = session.get(ModelVersion, 1)
        shots = [dict(shot) for shot in model.prompt["shots"]]
        shots[0]["article_id"] = 17
        model.prompt = model.prompt | {"shots": shots}
        session.add(model)
        session.commit()
    assert "article 17" in seen(visit("models", "Registry", **CHOSEN))


def test_missing_answers_have_a_price_and_are_asked_for_once_agreed(app):
    screen = visit("models", "Evaluation", **CHOSEN)
    assert "20 articles of the Test part are not answered yet" in seen(screen)
    screen.button(key="ask_1_1_test").click().run()
    assert runs(app) == []
    assert "20 articles go to **vendor.example**" in seen(screen)
    screen.button(key="predict_1_1_test_yes").click().run()
    assert [(run.total, run.mode) for run in runs(app)] == [(20, RunMode.DIRECT)]
    assert not screen.exception


def test_the_vendors_batch_is_offered_where_there_is_one_at_its_own_price(app):
    app.providers["openai"].batcher = Waiting()
    screen = visit("models", "Evaluation", **CHOSEN)
    direct, batch = (option.replace("\\", "") for option in screen.radio(key="mode_1_1_test").options)
    assert direct.startswith("one by one, now: about $")
    assert batch.startswith("as a batch, within a day: about $")
    screen.radio(key="mode_1_1_test").set_value(RunMode.BATCH).run()
    screen.button(key="ask_1_1_test").click().run()
    screen.button(key="predict_1_1_test_yes").click().run()
    assert [run.mode for run in runs(app)] == [RunMode.BATCH]


def test_an_ended_run_says_how_many_have_no_answer_and_why_and_asks_again_at_a_price(app):
    ask(app)
    run = runs(app)[0]
    assert run.answered + run.failed == run.total == 20
    screen = visit("models", "Evaluation", **CHOSEN)
    assert "19 of 20 answered, 1 without an answer: answer is no JSON 1" in seen(screen)
    screen.button(key="retry_run_1").click().run()
    assert len(runs(app)) == 1
    assert "1 article goes to **vendor.example**" in seen(screen)
    screen.button(key="again_run_1_yes").click().run()
    assert [run.total for run in runs(app)] == [20, 1]


def test_a_waiting_run_is_cancelled_with_one_click_and_gives_its_reservation_back(app):
    app.providers["openai"].batcher = Waiting()
    workflows.start_predictions(
        app, 1, dataset_id=1, split="test", mode=RunMode.BATCH, accept_micro_usd=10**6
    )
    workflows.drive_predictions(app)
    screen = visit("models", "Evaluation", **CHOSEN)
    assert "as a batch, within a day" in seen(screen)
    screen.button(key="cancel_run_1").click().run()
    assert not screen.exception
    assert runs(app)[0].cancel_requested


def test_a_batch_whose_fate_is_unknown_is_decided_by_a_person(app):
    app.providers["openai"].batcher = Waiting()
    workflows.start_predictions(
        app, 1, dataset_id=1, split="test", mode=RunMode.BATCH, accept_micro_usd=10**6
    )
    with writing(app.engine) as session:
        run = session.get(PredictionRun, 1)
        run.status, run.lease_until = JobStatus.UNKNOWN, NOW + timedelta(hours=1)
        session.add(run)
        session.commit()
    screen = visit("models", "Evaluation", **CHOSEN)
    assert "may never have heard of it" in screen.warning[0].value
    screen.button(key="run_give_up_1").click().run()
    assert runs(app)[0].status == JobStatus.FAILED
    held = [(row.kind, row.micro_usd) for row in stored(app, CostEntry)]
    assert sum(n for kind, n in held if kind == CostKind.RESERVATION) == sum(
        n for kind, n in held if kind == CostKind.RELEASE
    )


def test_without_a_price_nothing_is_asked_and_the_costs_page_is_offered(app):
    workflows.create_few_shot(app, "nebius", BASE, None)
    screen = visit("models", "Evaluation", **CHOSEN)
    assert "No price is known" in screen.error[0].value
    assert screen.button(key="costs_2_1_test")
    assert not [button for button in screen.button if button.key == "ask_2_1_test"]


def test_a_remote_model_that_ends_is_marked_with_its_days_left(app):
    with writing(app.engine) as session:
        model = session.get(ModelVersion, 1)
        model.params = model.params | {"retires": "2026-12-03"}
        session.add(model)
        session.commit()
    screen = visit("models", "Registry", **CHOSEN)
    assert "is switched off on 2026-12-03 (10 days left)" in seen(screen)
    assert screen.dataframe[0].value["Days left"].tolist() == ["10"]


def test_the_end_of_a_few_shot_version_is_that_of_its_base_model(app):
    screen = visit("models", "Registry", **CHOSEN)
    assert screen.dataframe[0].value["Days left"].tolist() == ["17"]


def champion(app, *, simulated=False, **params):
    with writing(app.engine) as session:
        model = session.get(ModelVersion, 1)
        model.simulated = simulated
        model.params = model.params | params
        session.add_all([model, Champion(target="sentiment", model_id=1, since=NOW)])
        session.commit()


def test_a_champion_that_ends_within_a_month_asks_for_attention(app):
    champion(app, retires="2026-12-20")
    assert "(27 days left)" in seen(visit())


def test_a_simulated_champion_is_marked_on_the_overview(app):
    champion(app, simulated=True)
    assert "SIMULATED" in seen(visit())


def test_a_champion_that_ends_later_does_not(app):
    champion(app, retires="2027-12-20")
    assert "The champion" not in seen(visit())


def test_every_question_to_a_paid_champion_is_said_to_be_billed(app):
    champion(app)
    assert "every question is billed" in seen(visit("models", "Try it", **CHOSEN))


def alert(app, rule="LAUNCH_UNKNOWN", message="the answer was lost **x**"):
    with writing(app.engine) as session:
        row = Alert(key=f"{rule}|k", rule=rule, message=message, at=NOW)
        session.add(row)
        session.commit()
        return row.id


def test_an_alert_is_shown_letter_for_letter_and_acknowledged_with_one_click(app):
    alert_id = alert(app)
    screen = visit()
    assert any("\\*\\*x\\*\\*" in word for word in words_on(screen))
    screen.button(key=f"alert_ack_{alert_id}").click().run()
    row = stored(app, Alert)[0]
    assert (row.state, row.detail["acknowledged_by"]) == (AlertState.ACKNOWLEDGED, "local")
    assert "the answer was lost" not in seen(screen)


def test_acknowledging_twice_is_a_sentence(app):
    alert_id = alert(app)
    screen = visit()
    acknowledge_alert(app, alert_id)
    screen.button(key=f"alert_ack_{alert_id}").click().run()
    assert not screen.exception
    assert "not open any more" in screen.error[0].value


def test_an_unknown_start_is_not_forgotten_when_its_alert_was_acknowledged(app):
    alert_id = alert(app)
    with writing(app.engine) as session:
        session.add(
            PredictionRun(key="k", model_id=1, status=JobStatus.UNKNOWN, total=1, actor="kim", created_at=NOW)
        )
        session.commit()
    assert "waits for your decision" not in seen(visit())
    acknowledge_alert(app, alert_id)
    assert "1 start waits for your decision" in seen(visit())


@pytest.mark.parametrize(
    ("cap", "spent", "said"),
    [(100, 79, ""), (100, 80, "80 % of the month's budget"), (100, 100, "budget is used up")],
)
def test_the_budget_warns_at_its_line_and_says_when_all_is_stopped(app, cap, spent, said):
    with writing(app.engine) as session:
        session.add(Budget(monthly_micro_usd=cap, warn_share=0.8, actor="kim", at=NOW))
        session.add(
            CostEntry(
                at=NOW, kind="actual", purpose="training", reference="r", provider="openai", model=BASE,
                micro_usd=spent, actor="kim",
            )
        )  # fmt: skip
        session.commit()
    text = seen(visit())
    assert said in text
    told = [said for said in ("80 % of the month's budget", "budget is used up") if said in text]
    assert told == ([said] if said else [])


def test_what_a_run_did_not_answer_is_counted_by_reason_and_listed_in_its_order(app):
    ask(app)
    with reading(app.engine) as session:
        assert failures(session, 1) == {"NOT_JSON": 1}
        assert failed_articles(session, 1) == [141]
        part = select(DatasetItem.article_id).where(DatasetItem.split == "test")
        answered = session.exec(select(Prediction.article_id)).all()
        assert set(answered) | {141} == set(session.exec(part))
