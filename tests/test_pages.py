"""The dashboard as a person uses it: every page from the router, clicks included."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from core import workflows
from core.bootstrap import build_app, set_app
from core.db import reading, writing
from core.domain.types import JobStatus, Sentiment, Target
from core.errors import Refused
from core.models import (
    Article,
    Champion,
    Comparison,
    DatasetVersion,
    EvaluationRun,
    HumanLabel,
    ImportRun,
    ModelVersion,
    TrainingJob,
)
from core.providers.base import Forecast, JobReport
from core.providers.scripted import ScriptedProvider
from core.settings import Settings
from tests.screens import stored, visit, words_on
from ui import words
from ui.format import WORDS

pytestmark = pytest.mark.screens

NOW = datetime(2026, 3, 13, 3, 0, tzinfo=UTC)
TOKEN = "a-token-nobody-may-read"
TABS = {
    "overview": [None],
    "samples": ["Funnel", "Articles", "Import"],
    "training": ["Dataset versions", "Jobs"],
    "models": ["Registry", "Evaluation", "Few-shot", "Try it"],
    "ab": ["Comparison", "Live experiment", "Cascade", "Promotion gates"],
    "costs": ["This month", "Ledger", "Prices", "Break-even"],
    "operations": [None],
}
#: Views on which nothing needs to be done when there is nothing yet.
QUIET = {("costs", "Ledger"), ("costs", "Break-even")}
PLACES = [(page, tab) for page, tabs in TABS.items() for tab in tabs]


def hopeful(_title):
    return Forecast(Sentiment.POSITIVE, 71.0, ("수출",), "'수출' 표현이 긍정 판단을 뒷받침합니다.")


def newstune(folder):
    settings = Settings(data_dir=folder, api_token=TOKEN, _env_file=None)
    provider = ScriptedProvider(name="local", script=hopeful)
    return build_app(settings, providers={"local": provider}, now=lambda: NOW)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with the demo, a dataset version of each target, and a scored, compared champion."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    app = newstune(folder)
    workflows.load_demo(app)
    for target in Target:
        dataset = workflows.build_dataset(app, target)
        model = workflows.wait_for_training(
            app, workflows.start_training(app, workflows.Request(dataset, "local")).job_id
        )
        with reading(app.engine) as session:
            few_shot = session.exec(select(ModelVersion.id).where(ModelVersion.kind == "few_shot")).one()
        workflows.evaluate(app, model, dataset)
        workflows.evaluate(app, few_shot, dataset)
        workflows.compare(app, few_shot, model, dataset)
        workflows.promote(app, model, target, "the first that can answer")
    app.close()
    return folder


@pytest.fixture
def app(filled, tmp_path):
    """The program on a copy of that folder."""
    shutil.copytree(filled, tmp_path / "data")
    app = newstune(tmp_path / "data")
    set_app(app)
    yield app
    set_app(None)
    app.close()


@pytest.fixture
def empty(tmp_path):
    """The program on an empty database."""
    app = newstune(tmp_path / "empty")
    set_app(app)
    yield app
    set_app(None)
    app.close()


@pytest.mark.parametrize(("page", "tab"), PLACES)
def test_every_view_draws_without_an_error(app, page, tab):
    screen = visit(page, tab)
    assert not screen.exception
    assert not screen.error


@pytest.mark.parametrize(("page", "tab"), PLACES)
def test_every_view_of_an_empty_database_draws_without_an_error(empty, page, tab):
    screen = visit(page, tab)
    assert not screen.exception
    assert screen.button or (page, tab) in QUIET


@pytest.mark.parametrize(("page", "tab"), PLACES)
def test_no_code_of_ours_reaches_the_screen(app, page, tab):
    codes = {code for words in WORDS.values() for code in words if "_" in code}
    seen = " ".join(words_on(visit(page, tab)))
    assert not [code for code in codes if code in seen]


@pytest.mark.parametrize("page", TABS)
def test_the_demo_is_marked_on_every_page_and_the_footer_disclaims_advice(app, page):
    seen = " ".join(words_on(visit(page)))
    assert "DEMO" in seen
    assert "investment advice" in seen


@pytest.mark.parametrize(
    ("page", "title"), [("overview", "개요"), ("samples", "샘플"), ("operations", "운영")]
)
def test_a_korean_browser_gets_korean_pages(app, page, title):
    screen = visit(page, locale="ko-KR")
    assert screen.title[0].value == title
    assert screen.query_params["lang"] == "ko"


def test_the_chosen_language_wins_over_the_browser_and_survives_navigation(app):
    screen = visit(locale="ko-KR")
    screen.get_by_key("_language_switch").set_value("en").run()
    assert screen.title[0].value == "Overview"
    screen.switch_page("../pages/models.py").run()
    assert screen.title[0].value == "Models"
    assert screen.query_params["lang"] == "en"


def test_an_empty_database_offers_three_ways_in_and_the_demo_loads_with_one_click(empty):
    screen = visit()
    assert {"load_demo", "way_folder", "way_table"} <= {button.key for button in screen.button}
    screen.button(key="load_demo").click().run()
    assert not screen.error
    assert len(stored(empty, Article)) == 700
    assert "DEMO" in " ".join(words_on(screen))


def test_the_demo_goes_with_one_click(app):
    visit().button(key="remove_demo_button").click().run()
    assert stored(app, Article) == []


def test_the_overview_shows_each_champion_with_its_interval_n_and_majority(app):
    captions = " ".join(caption.value for caption in visit().caption)
    run = next(run for run in stored(app, EvaluationRun) if run.target == "sentiment")
    assert f"n = {run.n}" in captions
    assert "majority" in captions


def test_train_on_the_overview_queues_a_job_that_the_next_page_shows(app):
    app.providers["local"].trainer.reports = [JobReport(JobStatus.RUNNING, 0.4, "margins of 6 folds")]
    visit().button(key="train").click().run()
    job = stored(app, TrainingJob)[-1]
    assert job.status == JobStatus.RUNNING
    screen = visit("training", "Jobs")
    assert any("Running" in word for word in words_on(screen))
    assert "margins of 6 folds" in next(iter(screen.get("progress"))).proto.text
    screen.button(key=f"cancel_{job.id}").click().run()
    assert stored(app, TrainingJob)[-1].status == JobStatus.CANCELLED


def test_a_dataset_version_is_previewed_before_it_is_built(app):
    screen = visit("training", "Dataset versions")
    screen.selectbox(key="build_balance").set_value("undersample").run()
    assert len(stored(app, DatasetVersion)) == 2
    assert any("embargoed" in caption.value for caption in screen.caption)
    screen.button(key="build").click().run()
    newest = stored(app, DatasetVersion)[-1]
    assert newest.balance == "undersample"
    assert any(newest.sha256[:10] in word for word in words_on(screen))


def test_a_dataset_version_is_downloaded_as_a_zip(app):
    screen = visit("training", "Dataset versions")
    assert {"export_openai", "export_csv"} <= {button.key for button in screen.download_button}


def test_an_evaluation_shows_the_majority_beside_the_accuracy(app):
    screen = visit("models", "Evaluation")
    seen = " ".join(words_on(screen))
    assert "majority" in seen
    assert "market day" in seen


def test_evaluate_and_compare_store_what_they_show(app):
    before = len(stored(app, EvaluationRun)), len(stored(app, Comparison))
    visit("models", "Evaluation").button(key="evaluate").click().run()
    screen = visit("ab", "Comparison")
    screen.button(key="compare_now").click().run()
    assert not screen.error
    assert (len(stored(app, EvaluationRun)), len(stored(app, Comparison))) == (before[0] + 1, before[1] + 1)


def test_a_score_on_articles_the_model_was_trained_on_is_no_headline(app):
    before = " ".join(words_on(visit("models", "Registry")))
    with writing(app.engine) as session:
        for run in session.exec(select(EvaluationRun)):
            run.metrics = run.metrics | {"contaminated": 7}
        session.commit()
        hashes = [version.sha256[:10] for version in session.exec(select(DatasetVersion))]
    assert any(shown in before for shown in hashes)
    registry = visit("models", "Registry").dataframe[0].value
    assert set(registry["Accuracy"]) == set(registry["Measured on"]) == {"–"}
    assert "no test score yet" in {metric.proto.delta_description for metric in visit().metric}
    seen = " ".join(words_on(visit("models", "Evaluation")))
    assert "All on this test part" not in seen
    assert "is not evidence" in seen


def test_every_accuracy_to_choose_by_says_its_interval_its_n_and_its_test_set(app):
    screen = visit("ab", "Promotion gates")
    run = next(run for run in stored(app, EvaluationRun) if run.target == "direction")
    version = next(version for version in stored(app, DatasetVersion) if version.id == run.dataset_id)
    ledger = screen.dataframe[0].value
    assert ledger["n"].tolist() == [str(run.n)]
    assert "%" in ledger["Interval"][0]
    assert version.sha256[:10] in set(visit("models", "Registry").dataframe[0].value["Measured on"])


def test_a_promotion_without_a_reason_is_refused_in_a_sentence_and_with_one_it_counts(app):
    workflows.wait_for_training(app, workflows.start_training(app, workflows.Request(2, "local")).job_id)
    newest = stored(app, ModelVersion)[-1]
    screen = visit("ab", "Promotion gates")
    screen.form_submit_button[0].click().run()
    assert "reason" in screen.error[0].value
    screen.text_input(key="promote_reason").set_value("more samples")
    screen.checkbox(key="promote_override").check()  # nothing live has confirmed it yet
    screen.form_submit_button[0].click().run()
    champions = {row.target: row.model_id for row in stored(app, Champion)}
    assert champions[newest.target] == newest.id
    screen.text_input(key="rollback_reason").set_value("worse on Monday")
    screen.form_submit_button[-1].click().run()
    assert {row.target: row.model_id for row in stored(app, Champion)} != champions


def test_a_typed_headline_is_answered_and_not_stored(app):
    before = len(stored(app, Article))
    screen = visit("models", "Try it")
    screen.text_input(key="trial_title").set_value("반도체 수출 증가")
    screen.form_submit_button[0].click().run()
    assert any(metric.value == "positive" for metric in screen.metric)
    assert len(stored(app, Article)) == before


def test_without_a_champion_a_trial_is_refused_in_a_sentence(app):
    with writing(app.engine) as session:
        for champion in session.exec(select(Champion)):
            session.delete(champion)
        session.commit()
    screen = visit("models", "Try it")
    screen.text_input(key="trial_title").set_value("반도체 수출 증가")
    screen.form_submit_button[0].click().run()
    assert not screen.exception
    assert "champion" in screen.error[0].value


def chosen_article(app, **changes):
    """Return the newest article of the table, changed, and the view with it chosen."""
    with writing(app.engine) as session:
        article = session.exec(select(Article).order_by(Article.effective_at.desc())).first()
        for name, value in changes.items():
            setattr(article, name, value)
        session.commit()
        article_id = article.id
    selection = {"selection": {"rows": [0], "columns": [], "cells": []}}
    return article_id, visit("samples", "Articles", articles=selection)


def test_an_article_is_labelled_excluded_and_restored_by_hand(app):
    article_id, screen = chosen_article(app)
    screen.button(key=f"label_negative_{article_id}").click().run()
    mine = [label for label in stored(app, HumanLabel) if label.reviewer == "dashboard"]
    assert [(label.article_id, label.sentiment) for label in mine] == [(article_id, "negative")]
    screen.text_input(key=f"why_{article_id}").set_value("advert")
    screen.form_submit_button[0].click().run()
    assert {a.id: a.excluded_reason for a in stored(app, Article)}[article_id] == "advert"
    _, screen = chosen_article(app)
    screen.button(key=f"restore_{article_id}").click().run()
    assert {a.id: a.excluded_reason for a in stored(app, Article)}[article_id] is None


def test_a_click_acts_on_the_article_it_was_drawn_for_though_rows_have_shifted(app):
    drawn, screen = chosen_article(app)
    screen.text_input(key=f"why_{drawn}").set_value("advert")
    with writing(app.engine) as session:
        newest = session.exec(select(Article).order_by(Article.effective_at.desc())).first()
        session.add(
            Article(
                **newest.model_dump(exclude={"id", "key", "effective_at"}),
                key="later",
                effective_at=newest.effective_at + timedelta(days=1),
            )
        )
        session.commit()
    screen.button(key=f"label_negative_{drawn}").click().run()
    mine = [label for label in stored(app, HumanLabel) if label.reviewer == "dashboard"]
    assert [label.article_id for label in mine] == [drawn]
    assert not [button for button in screen.button if button.key == f"label_negative_{drawn}"]


def test_hostile_text_is_shown_letter_for_letter(app):
    _, screen = chosen_article(app, title="[급락](http://x) <script>alert(1)</script> **굵게** $x$ :red[a]")
    shown = next(word.value for word in screen.markdown if "script" in word.value)
    assert "\\<script\\>" in shown
    assert "\\[급락\\]\\(http\\://x\\)" in shown.replace("\\:", "\\:")
    assert "\\*\\*굵게\\*\\*" in shown


def test_names_and_reasons_that_others_gave_are_shown_letter_for_letter(app):
    hostile = "**a** <b>b</b>"
    with writing(app.engine) as session:
        for model in session.exec(select(ModelVersion)):
            model.name, model.base_model = f"{hostile} {model.id}", hostile
        session.commit()
    _, screen = chosen_article(app, excluded_reason=hostile)
    assert "\\*\\*a\\*\\*" in " ".join(words_on(screen))
    assert hostile not in [cell for table in screen.table for cell in table.value[" "]]
    screen = visit("models", "Registry")
    assert hostile not in [cell for table in screen.table for cell in table.value[" "]]
    screen = visit("models", "Evaluation")
    assert not [heading for heading in screen.subheader if "**" in heading.value]


def test_filters_narrow_the_table_and_pages_turn(app):
    screen = visit("samples", "Articles")
    first = screen.dataframe[0].value["Title"].tolist()
    screen.session_state["articles_page"] = 2
    screen.run()
    assert screen.dataframe[0].value["Title"].tolist() != first
    screen.selectbox(key="filter_status").set_value("DUPLICATE_URL").run()
    assert set(screen.dataframe[0].value["State"]) == {"Same address as another article"}
    screen.text_input(key="filter_search").set_value("no such title anywhere").run()
    assert screen.button(key="clear_filters")


def test_an_uploaded_table_is_confirmed_column_by_column_and_imported(empty):
    table = "headline,verdict\n수출이 늘었다,긍정\n금리가 올랐다,부정\n".encode()
    screen = visit("samples", "Import")
    screen.file_uploader(key="upload").upload("labels.csv", table).run()
    assert any("Label" in warning.value for warning in screen.warning)
    screen.selectbox(key="column_label").set_value("verdict").run()
    screen.button(key="import_upload").click().run()
    empty.background.submit(lambda: None).result(timeout=60)
    screen.run()
    assert [run.status for run in stored(empty, ImportRun)] == ["succeeded"]
    assert len(stored(empty, HumanLabel)) == 2
    assert any("labels\\.csv" in expander.label for expander in screen.expander)


def test_a_folder_is_imported_once_its_path_is_typed(empty):
    screen = visit("samples", "Import")
    assert screen.button(key="import_folder").disabled
    screen.text_input(key="folder_path").set_value("  ").run()
    assert screen.button(key="import_folder").disabled
    screen.text_input(key="folder_path").set_value("/no/such/folder").run()
    screen.button(key="import_folder").click().run()
    assert screen.error or stored(empty, ImportRun)


def test_a_running_import_shows_its_step_and_no_bar(empty):
    with writing(empty.engine) as session:
        session.add(
            ImportRun(kind="ai-news-trader", name="data", started_at=NOW, step="Reading 120 of 267 files")
        )
        session.commit()
    screen = visit("samples", "Import")
    assert not screen.get("progress")
    assert [status.label for status in screen.status] == ["Reading 120 of 267 files"]


def test_a_bad_market_file_is_refused_naming_file_and_column(app):
    screen = visit("samples", "Import")
    screen.file_uploader(key="market").upload("closes.csv", b"when,what\n1,2\n").run()
    screen.button(key="backfill").click().run()
    assert "closes" in screen.error[0].value


def test_a_job_that_fails_when_run_now_says_so_and_claims_no_success(app, monkeypatch):
    def refuse(*_):
        raise Refused("The job 'outcomes due' failed: no disk", "Look at the job runs on this page")

    monkeypatch.setattr(workflows, "run_job_now", refuse)
    screen = visit("operations")
    screen.button(key="run_outcomes due").click().run()
    assert "no disk" in screen.error[0].value
    assert not screen.toast


def test_operations_runs_a_job_now_and_never_shows_the_token(app):
    screen = visit("operations")
    screen.button(key="run_outcomes due").click().run()
    assert not screen.error
    seen = " ".join(words_on(screen))
    assert "Bearer token" in seen
    assert TOKEN not in seen


@pytest.mark.parametrize("message", ["rows read: 60", "features built: 41", "margins of 6 folds"])
def test_what_a_trainer_tells_is_shown_whole_whatever_its_number(message):
    assert words.told(message) == message


def test_counts_that_the_reader_has_no_word_for_are_shown_as_told():
    assert words.told("imports closed: 2") == "Broken-off imports closed 2"
    assert words.told("strange things: 2") == "strange things: 2"
