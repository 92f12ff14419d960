"""The launch desk as a person uses it: prices before clicks, one question before money, nothing bought twice."""

from datetime import date

import pytest
from sqlmodel import select

from core import workflows
from core.bootstrap import build_app, set_app
from core.db import insert_new, reading, writing
from core.domain.types import CostKind, JobStatus
from core.models import (
    Alert,
    Article,
    Budget,
    CostEntry,
    DatasetItem,
    DatasetVersion,
    EvaluationRun,
    ModelVersion,
    TrainingEvent,
    TrainingJob,
)
from core.providers.base import HyperParameter, JobReport, KnownDate, Preflight, TrainedModel, TrainerEvent
from core.queries.training import LossPoint, losses, sweeps
from core.settings import Settings
from tests.conftest import CLASSES, article, empty_database
from tests.screens import stored, visit, words_on
from tests.vendors import BASE, NOW, TOKENS, Clock, Lost, Refusing, vendors
from ui.endings import ending
from ui.hyper import parse
from ui.launch_dialogs import half_width

pytestmark = pytest.mark.screens

PARTS = {"train": 120, "validation": 20, "test": 20}
EPOCHS = HyperParameter("n_epochs", "int", 3, 1, 50)
RATE = HyperParameter("learning_rate_multiplier", "float", None, 0.01, 10)


def fill(app):
    """Store 160 articles and a dataset version of them."""
    parts = [part for part, n in PARTS.items() for _ in range(n)]
    counts = {part: {label: sum(1 for i, p in enumerate(parts) if p == part and CLASSES[i % 3] == label)
                     for label in CLASSES} for part in PARTS}  # fmt: skip
    with writing(app.engine) as session:
        insert_new(session, Article, [article(i) for i in range(len(parts))])
        version = DatasetVersion(
            target="sentiment", strategy="all_verified", balance="none", split_method="stratified",
            sha256="ab" * 32, counts=counts, config={}, created_at=NOW,
        )  # fmt: skip
        session.add(version)
        session.flush()
        rows = [
            {
                "dataset_id": version.id,
                "article_id": i + 1,
                "split": part,
                "position": i,
                "label": CLASSES[i % 3],
            }
            for i, part in enumerate(parts)
        ]
        insert_new(session, DatasetItem, rows)
        session.commit()


@pytest.fixture
def app(tmp_path):
    settings = Settings(data_dir=tmp_path / "data", _env_file=None)
    empty_database(tmp_path / "data" / "newstune.db").dispose()
    app = build_app(settings, providers=vendors(), now=Clock())
    fill(app)
    set_app(app)
    yield app
    set_app(None)
    app.close()


def desk(provider="openai", **state):
    return visit("training", "Jobs", train_provider=provider, **state)


def seen(screen):
    return " ".join(words_on(screen)).replace("\\", "")


def jobs(app):
    return stored(app, TrainingJob)


def ledger(app, kind):
    return [row.micro_usd for row in stored(app, CostEntry) if row.kind == kind]


def succeed(app, **changes):
    """Let the paid vendor's next poll report success."""
    model = TrainedModel(
        None, None, BASE, remote_model=f"ft:{BASE}:org::tuned", billed_tokens=18_000, **changes
    )
    app.providers["openai"].trainer.reports = [JobReport(JobStatus.SUCCEEDED, 1.0, model=model)]


def follow(app):
    """Launch what waits, and ask about it a while later."""
    workflows.poll_training(app)
    app.now.forward(seconds=10)
    workflows.poll_training(app)


def train(app, **given):
    """Train at the paid vendor to the end, as the command line would."""
    succeed(app)
    request = workflows.Request(1, "openai", BASE, **given)
    started = workflows.start_training(app, request, accept_micro_usd=150_000)
    follow(app)
    return started.job_id


def test_training_here_is_one_click_and_asks_nothing(app):
    screen = visit("training", "Jobs")
    screen.button(key="train_now").click().run()
    assert [(job.provider, job.status) for job in jobs(app)] == [("local", JobStatus.SUCCEEDED)]
    assert ledger(app, CostKind.RESERVATION) == []


def test_the_price_stands_there_before_any_click_with_what_it_was_made_of(app):
    text = seen(desk())
    assert "Price: about $0.10 ($0.05–$0.15)" in text
    assert "120 rows, ~5,000 tokens × 4 epochs" in text
    assert "$5.00 per million tokens, as of 2026-11-22 (reported)" in text
    assert "$50.00 of this month's $50.00 left" in text
    assert jobs(app) == []


def test_a_paid_training_asks_once_naming_price_destination_dates_and_notes(app):
    screen = desk()
    screen.button(key="train_now").click().run()
    assert jobs(app) == []
    text = seen(screen)
    assert "120 training and 20 validation articles go to **vendor.example**" in text
    assert "No new trainings from 2027-01-06 (44 days left, reported)" in text
    assert f"{BASE} is switched off on 2026-12-10 (17 days left)" in text
    assert "Fees may apply." in text
    screen.button(key="paid_yes").click().run()
    assert not screen.exception
    assert [(job.provider, job.base_model) for job in jobs(app)] == [("openai", BASE)]
    assert ledger(app, CostKind.RESERVATION) == [150_000]


def test_what_is_typed_as_a_setting_goes_into_the_job_and_the_rest_is_left_to_the_vendor(app):
    screen = desk()
    screen.number_input(key="setting_openai_n_epochs").set_value(2).run()
    assert "× 2 epochs" in seen(screen)
    screen.button(key="train_now").click().run()
    screen.button(key="paid_yes").click().run()
    assert jobs(app)[0].config["hyperparameters"] == {"n_epochs": 2}


def test_settings_that_are_counted_are_whole_and_start_at_one(app):
    field = desk("local").number_input(key="setting_local_max_words")
    assert (field.min, field.step) == (1, 1)


def test_a_second_click_joins_the_run_that_is_under_way(app):
    app.providers["openai"].trainer.reports = [JobReport(JobStatus.RUNNING, 0.1)]
    workflows.start_training(app, workflows.Request(1, "openai", BASE), accept_micro_usd=150_000)
    screen = desk()
    screen.button(key="train_now").click().run()
    screen.button(key="paid_yes").click().run()
    assert len(jobs(app)) == 1
    assert "An equal run is under way: joined job 1" in seen(screen)
    assert "Run again and pay again" not in seen(screen)


def test_an_equal_run_that_was_paid_for_is_joined_and_paid_again_only_when_that_is_said(app):
    train(app)
    screen = desk()
    screen.button(key="train_now").click().run()
    screen.button(key="paid_yes").click().run()
    assert len(jobs(app)) == 1
    assert "was paid for already: joined job 1" in seen(screen)
    screen.button(key="run_again").click().run()
    assert "billed in full once more" in seen(screen)
    assert len(jobs(app)) == 1
    screen.button(key="paid_yes").click().run()
    assert len(jobs(app)) == 2


def test_a_missing_price_is_named_with_the_way_to_enter_it(app):
    screen = desk("nebius")
    assert "No price is known" in screen.error[0].value
    assert screen.button(key="launch_costs")
    assert screen.button(key="train_now").disabled


def test_a_provider_that_refused_when_asked_is_not_started_and_another_is_offered(app):
    app.providers["openai"].says = Preflight.blocked("The account may not train.", "training_not_available")
    screen = desk()
    screen.button(key="check_openai").click().run()
    assert "The account may not train" in screen.error[0].value
    assert screen.button(key="train_now").disabled
    screen.button(key="use_another").click().run()
    assert screen.selectbox(key="train_provider").value == "local"
    assert not screen.button(key="train_now").disabled


def test_a_check_is_shown_with_its_sentence_and_when_it_was_asked(app):
    app.providers["openai"].says = Preflight.unknown("The vendor does not say.")
    screen = desk()
    assert "Not asked yet" in seen(screen)
    screen.button(key="check_openai").click().run()
    text = seen(screen)
    assert "orange-badge[Unknown]" in text
    assert "The vendor does not say." in text
    assert "asked just now" in text


def test_a_provider_without_a_key_folds_away_and_names_the_setting(app):
    screen = visit("training", "Jobs")
    assert any("1 more provider needs a key: Azure" in each.label for each in screen.expander)
    assert "Set `AZURE_OPENAI_API_KEY`" in seen(screen)
    assert [button.key for button in screen.button if button.key == "check_azure"] == []
    assert "There is no key" in desk("azure").error[0].value


def test_more_than_is_left_of_the_budget_cannot_be_started(app):
    with writing(app.engine) as session:
        session.add(Budget(monthly_micro_usd=100_000, warn_share=0.8, actor="test", at=NOW))
        session.commit()
    screen = desk()
    assert "This may cost $0.15 and $0.10 of the month's budget are left" in seen(screen)
    assert screen.button(key="train_now").disabled
    assert screen.button(key="launch_costs")


def test_a_sweep_says_its_price_starts_only_when_agreed_and_shares_a_group(app):
    screen = desk(sweep_openai_n_epochs="1, 2", sweep_openai_learning_rate_multiplier="0.5,2")
    button = screen.button(key="start_sweep")
    assert button.label.replace("\\", "") == "Start 4 runs for about $0.40"
    button.click().run()
    assert jobs(app) == []
    screen.button(key="sweep_yes").click().run()
    started = jobs(app)
    assert len(started) == 4
    assert len({job.group_key for job in started}) == 1
    assert sum(ledger(app, CostKind.RESERVATION)) == 600_000


def test_whatever_is_typed_into_a_sweep_leads_to_a_sentence_or_numbers(app):
    screen = desk()
    for typed in ("1, two", "1, 2.5", "0, 1", "1,99", "nan", "1e999", "²", "१, २", "**a**, [b](http://c)"):
        for name in ("n_epochs", "learning_rate_multiplier"):
            screen.text_input(key=f"sweep_openai_{name}").set_value(typed)
        screen.run()
        assert not screen.exception, typed
    assert "\\*\\*a\\*\\*" in screen.error[0].value
    assert jobs(app) == []


def scored(app, job_id, macro_f1):
    metrics = {"macro_f1": macro_f1, "macro_f1_interval": [macro_f1 - 0.1, macro_f1 + 0.1], "accuracy": 0.7}
    with writing(app.engine) as session:
        model = session.exec(select(ModelVersion).where(ModelVersion.job_id == job_id)).one()
        session.add(
            EvaluationRun(
                model_id=model.id, dataset_id=1, split="validation", target="sentiment", n=20,
                metrics=metrics, created_at=NOW,
            )
        )  # fmt: skip
        session.commit()


def test_the_runs_of_a_sweep_are_ordered_by_their_score_and_the_best_is_marked(app):
    ids = [train(app, hyperparameters={"n_epochs": n}, group_key="g") for n in (1, 2, 3)]
    scored(app, ids[0], 0.6)
    scored(app, ids[1], 0.8)
    table = next(each.value for each in visit("training", "Jobs").dataframe if "Macro-F1" in each.value)
    assert table["n_epochs"].tolist() == ["2", "1", "3"]
    assert table[""].tolist() == ["★", "", ""]
    assert table["Macro-F1"].tolist() == ["80.0 %", "60.0 %", "–"]
    assert table["Interval"][0] == "70.0–90.0 %"
    assert table["n"].tolist() == ["20", "20", "–"]


def test_models_of_a_paid_sweep_are_asked_at_a_price_and_then_scored(app):
    train(app, hyperparameters={"n_epochs": 1}, group_key="g")
    screen = visit("training", "Jobs")
    screen.button(key="score_g").click().run()
    assert "20 requests go to **vendor.example**" in seen(screen)
    screen.button(key="score_yes").click().run()
    for _ in range(5):  # a page drives for a second only, and hands back what is left
        app.now.forward(minutes=5)
        workflows.drive_predictions(app)
    visit("training", "Jobs").button(key="evaluate_g").click().run()
    with reading(app.engine) as session:
        best = sweeps(session)[0].runs[0]
    assert best.score.split == "validation"
    assert best.macro_f1 is not None


def test_a_pilot_says_what_it_cannot_prove_and_trains_on_a_hundred_rows(app):
    screen = desk("local")
    screen.button(key="pilot").click().run()
    text = seen(screen)
    assert "It does not prove" in text
    assert "On its 20 test articles, an accuracy of 80 % is known to ±16.8 percentage points only" in text
    screen.button(key="pilot_yes").click().run()
    assert [(job.purpose, job.config["rows"]) for job in jobs(app)] == [("pilot", 100)]


def test_the_width_of_an_interval_is_half_of_wilsons(app):
    assert half_width(0) is None
    assert half_width(100) == pytest.approx((0.8667 - 0.7112) / 2, abs=1e-4)  # statsmodels' wilson(80, 100)


def test_a_lost_start_asks_a_person_and_giving_up_gives_the_reservation_back(app):
    app.providers["openai"].trainer = Lost(remote=True, tokens=TOKENS)
    workflows.start_training(app, workflows.Request(1, "openai", BASE), accept_micro_usd=150_000)
    workflows.poll_training(app)
    screen = visit("training", "Jobs")
    assert any("its answer was lost" in warning.value for warning in screen.warning)
    screen.button(key="give_up_1").click().run()
    assert jobs(app)[0].status == JobStatus.FAILED
    assert sum(ledger(app, CostKind.RELEASE)) == 150_000


def test_a_lost_start_is_sent_again_only_when_a_person_says_so(app):
    app.providers["openai"].trainer = Lost(remote=True, tokens=TOKENS)
    workflows.start_training(app, workflows.Request(1, "openai", BASE), accept_micro_usd=150_000)
    workflows.poll_training(app)
    visit("training", "Jobs").button(key="again_1").click().run()
    assert jobs(app)[0].status in (JobStatus.RESERVED, JobStatus.UNKNOWN)
    assert {alert.rule for alert in stored(app, Alert)} == {"LAUNCH_UNKNOWN"}


def told(losses_by_step):
    return [
        TrainerEvent(step, NOW, f"Step {step}/9: training loss={train}", {"step": step, "train_loss": train, "valid_loss": valid})
        for step, (train, valid) in losses_by_step.items()
    ]  # fmt: skip


def test_a_running_job_shows_its_losses_its_money_and_can_be_cancelled(app):
    events = tuple(told({1: (1.5, 1.6), 2: (0.9, 1.2)}))
    app.providers["openai"].trainer.reports = [JobReport(JobStatus.RUNNING, 0.4, "Step 2/9", events)]
    workflows.start_training(app, workflows.Request(1, "openai", BASE), accept_micro_usd=150_000)
    follow(app)
    screen = visit("training", "Jobs")
    text = seen(screen)
    assert "last loss 0.900, on the validation part 1.200 · 2 points" in text
    assert "estimated $0.10, $0.15 held" in text
    assert "last checked just now" in text
    screen.button(key="cancel_1").click().run()
    assert jobs(app)[0].status == JobStatus.CANCELLED


def chosen(row=0, **state):
    return visit(
        "training", "Jobs", job_history={"selection": {"rows": [row], "columns": [], "cells": []}}, **state
    )


def test_a_job_of_the_history_shows_what_was_frozen_and_what_was_billed(app):
    train(app, hyperparameters={"n_epochs": 4})
    screen = chosen()
    text = seen(screen)
    assert "estimated $0.10, billed $0.09" in text
    assert "ab" * 32 in text
    assert "n_epochs = 4" in text
    assert "$5.00 per million tokens, as of 2026-11-22 (reported)" in text
    row = next(each.value for each in screen.dataframe if "Held" in each.value)
    assert (row["Held"][0], row["Billed"][0]) == ("$0.15", "$0.09")


def test_retry_elsewhere_fills_the_desk_and_the_new_job_names_the_old_one(app):
    train(app)
    screen = chosen()
    screen.selectbox(key="retry_with_1").set_value("local").run()
    screen.button(key="retry_elsewhere").click().run()
    assert screen.selectbox(key="train_provider").value == "local"
    assert "Repeats job 1 on the same frozen dataset version" in seen(screen)
    assert len(jobs(app)) == 1
    screen.button(key="train_now").click().run()
    assert jobs(app)[-1].config["retry_of"] == 1


def test_a_vendors_words_are_shown_letter_for_letter(app):
    train(app)
    with writing(app.engine) as session:
        job = session.get(TrainingJob, 1)
        job.status, job.error, job.base_model = "failed", "**a** [b](http://c) $x$", "*base*"
        session.add(job)
        session.commit()
    screen = chosen()
    assert "\\*\\*a\\*\\*" in screen.error[0].value
    assert not [
        word for word in words_on(screen) if "[b](http" in word and "http" in word and "Error" in word
    ]


def test_play_money_is_marked_wherever_it_is_seen(app):
    app.providers["openai"].simulated = True
    train(app)
    screen = chosen(train_provider="openai")
    marks = [word for word in words_on(screen) if "SIMULATED" in word]
    assert len(marks) >= 4  # the price, the card, the row, the job in full
    assert "Play money: $49.91 of $50.00 left" in seen(screen)


def test_losses_come_from_events_and_a_diverged_one_is_left_out():
    events = [
        TrainingEvent(job_id=1, sequence=n, at=NOW, message="", data=data)
        for n, data in enumerate(
            [
                {"step": 2, "train_loss": 0.5, "valid_loss": 0.7, "full_valid_loss": 0.6},
                {"step": 1, "train_loss": 1},
                {"step": 3, "train_loss": float("nan")},
                {"step": "4", "train_loss": 0.1},
                {"train_loss": 0.1},
                {},
            ]
        )
    ]
    assert losses(events) == [LossPoint(1, 1.0, None), LossPoint(2, 0.5, 0.6)]


def test_values_of_a_sweep_are_numbers_of_their_kind_within_their_bounds():
    assert parse(" 3, 1 ,,3", EPOCHS) == [3, 1]
    assert parse("0.5,2", RATE) == [0.5, 2.0]
    assert parse("", RATE) == []
    for text, setting in (("1.5", EPOCHS), ("51", EPOCHS), ("nan", RATE), ("inf", RATE), ("1 000", EPOCHS)):
        with pytest.raises(ValueError, match=setting.name):
            parse(text, setting)


def test_a_date_says_how_many_days_are_left_until_it_has_come():
    known = KnownDate("new_jobs_end", date(2027, 1, 6), source="a page", certain=False)
    assert (
        ending(known, date(2027, 1, 5)).sentence == "No new trainings from 2027-01-06 (1 day left, reported)"
    )
    assert ending(known, date(2027, 1, 6)).sentence == "No new trainings since 2027-01-06 (reported)"
    assert ending(known, date(2027, 1, 6)).days_left == 0


def test_a_start_that_was_refused_is_shown_at_once_and_not_repeated_before_the_vendor_is_asked_again(app):
    app.providers["openai"].trainer = Refusing(remote=True, tokens=TOKENS)
    workflows.start_training(app, workflows.Request(1, "openai", BASE), accept_micro_usd=150_000)
    workflows.poll_training(app)
    assert jobs(app)[0].status == JobStatus.BLOCKED
    assert sum(ledger(app, CostKind.RELEASE)) == 150_000
    screen = desk()
    assert sum("The account may not train" in error.value for error in screen.error) == 2  # desk, history
    assert screen.button(key="train_now").disabled
    app.now.forward(minutes=1)
    screen.button(key="check_openai").click().run()
    assert not screen.button(key="train_now").disabled
