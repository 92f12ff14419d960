import json
import os
import time

import pytest

from core.domain.types import JobStatus, Sentiment
from core.errors import ProviderFailed, Refused
from core.providers.base import ModelRef, NewsText, TrainingRow, TrainingSpec
from core.providers.local.pipeline import Hyperparameters, fit
from core.providers.local.provider import LocalPredictor, LocalProvider, LocalTrainer
from core.providers.local.worker import read_spec
from tests.test_local_pipeline import headlines

SPEC = TrainingSpec(tuple(headlines(60)), tuple(headlines(9, seed=2)), seed=3)


def ended(trainer, handle, folder, seconds=60):
    """Poll until the job has ended and return its last report."""
    until = time.monotonic() + seconds
    while (report := trainer.poll(handle, folder)).status == JobStatus.RUNNING and time.monotonic() < until:
        time.sleep(0.05)
    return report


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    trainer = LocalTrainer()
    handle = trainer.start(SPEC, folder)
    return handle, folder, ended(trainer, handle, folder)


@pytest.fixture(scope="module")
def predictor():
    return LocalPredictor(fit(headlines(90), Hyperparameters(), seed=3))


def test_a_job_trains_in_another_process_and_leaves_a_model_that_answers(trained):
    handle, _, report = trained
    assert (report.status, report.progress, report.error) == (JobStatus.SUCCEEDED, 1.0, None)
    assert handle["pid"] != os.getpid()
    model = ModelRef(1, report.model.base_model, report.model.artefact, report.model.sha256)
    (forecast,) = LocalProvider().load(model).predict([NewsText("회사3 주가 급등 5%")])
    assert forecast.sentiment == Sentiment.POSITIVE


def test_the_handle_and_the_events_are_plain_values_in_order(trained):
    handle, _, report = trained
    assert json.loads(json.dumps(handle)) == handle
    assert [event.sequence for event in report.events] == list(range(len(report.events)))
    assert all(event.at.tzinfo for event in report.events)
    assert any(event.message.startswith("features built") for event in report.events)
    assert any(event.message.startswith("validation: accuracy") for event in report.events)


def test_the_facts_of_a_training_are_kept(trained):
    params = trained[2].model.params
    assert params["rows"] == 60
    assert params["class_counts"] == {"negative": 20, "neutral": 20, "positive": 20}
    assert params["validation"]["n"] == 9
    assert params["seed"] == 3


def test_the_child_trains_exactly_what_this_process_would(trained):
    _, folder, report = trained
    assert read_spec(folder / "spec.json") == SPEC
    here = LocalPredictor(fit(SPEC.train, Hyperparameters(), seed=SPEC.seed))
    there = LocalProvider().load(ModelRef(1, "", report.model.artefact, report.model.sha256))
    texts = [row.text for row in SPEC.validation]
    assert here.predict(texts) == there.predict(texts)


def test_a_finished_job_stays_finished_when_it_is_cancelled(trained):
    handle, folder, _ = trained
    LocalTrainer().cancel(handle, folder)
    assert LocalTrainer().poll(handle, folder).status == JobStatus.SUCCEEDED


def test_no_process_is_left_behind(trained):
    pid = trained[0]["pid"]
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail("the child is still there, if only as a zombie")


def test_a_cancelled_job_is_killed_and_says_so(tmp_path):
    trainer = LocalTrainer()
    handle = trainer.start(SPEC, tmp_path)
    trainer.cancel(handle, tmp_path)
    report = ended(trainer, handle, tmp_path)
    assert (report.status, report.model) == (JobStatus.CANCELLED, None)
    trainer.cancel(handle, tmp_path)
    assert not (tmp_path / "model.skops").exists()


def test_a_child_that_breaks_off_is_failed_with_its_last_line_and_no_path(tmp_path):
    trainer = LocalTrainer()
    handle = trainer.start(SPEC, tmp_path)
    trainer.cancel(handle, tmp_path)
    (tmp_path / "cancelled").unlink()
    (tmp_path / "result.json").unlink(missing_ok=True)
    (tmp_path / "worker.log").write_text("Traceback\nOSError: no space left: '/home/me/data/model.skops'\n")
    report = ended(trainer, handle, tmp_path)
    assert report.status == JobStatus.FAILED
    assert "OSError: no space left: 'model.skops'" in report.error
    assert "/home" not in report.error


def test_a_child_killed_from_outside_is_failed_with_a_guess_at_the_cause(tmp_path):
    report = LocalTrainer().poll({"pid": 1, "started": 0.0}, tmp_path)
    assert (report.status, "lack of memory" in report.error) == (JobStatus.FAILED, True)


def test_a_job_whose_folder_is_gone_is_failed(tmp_path):
    report = LocalTrainer().poll({"pid": 1, "started": 0.0}, tmp_path / "gone")
    assert (report.status, "folder is gone" in report.error) == (JobStatus.FAILED, True)


def test_texts_without_words_fail_with_the_reason(tmp_path):
    labels = (Sentiment.POSITIVE, Sentiment.NEGATIVE)
    rows = tuple(TrainingRow(NewsText("?!"), label) for label in labels * 4)
    trainer = LocalTrainer()
    report = ended(trainer, trainer.start(TrainingSpec(rows), tmp_path), tmp_path)
    assert report.status == JobStatus.FAILED
    assert "no word to learn from" in report.error


def test_preflight_blocks_what_cannot_be_trained_on(tmp_path):
    trainer = LocalTrainer()
    one_class = TrainingSpec(tuple(headlines(9, (Sentiment.NEUTRAL,))))
    assert "two classes" in trainer.preflight(one_class).reason
    assert "depth" in trainer.preflight(TrainingSpec(SPEC.train, hyperparameters={"depth": 3})).reason
    assert trainer.preflight(SPEC).allowed
    with pytest.raises(Refused):
        trainer.start(one_class, tmp_path)


def test_longer_texts_are_expected_to_take_longer():
    longer = TrainingSpec(
        tuple(TrainingRow(NewsText("제목", "본문 " * 300), row.label) for row in SPEC.train)
    )
    assert LocalTrainer().estimate_s(longer) > LocalTrainer().estimate_s(SPEC) > 0


def test_keywords_stand_in_the_article_and_the_rationale_names_them(predictor):
    text = NewsText("회사7 주가 급락 8%", "적자 전환에 하락")
    (forecast,) = predictor.predict([text])
    assert forecast.sentiment == Sentiment.NEGATIVE
    assert "급락" in forecast.keywords
    assert all(word in f"{text.title} {text.body}".split() for word in forecast.keywords)
    assert all(word in forecast.rationale for word in forecast.keywords)
    assert 0 <= forecast.confidence <= 100


@pytest.mark.parametrize("title", ["Zürich", "???", "가", "", "12.5%", "\ud800 급등"])
def test_every_answer_has_a_keyword_and_a_reason_of_ten_characters(predictor, title):
    (forecast,) = predictor.predict([NewsText(title)])
    assert 1 <= len(forecast.keywords) <= 5
    assert len(forecast.rationale) >= 10


def test_no_texts_give_no_forecasts(predictor):
    assert predictor.predict([]) == []


def test_one_text_is_answered_alone_as_among_others(predictor):
    texts = [row.text for row in headlines(20, seed=5)]
    assert predictor.predict(texts)[3] == predictor.predict([texts[3]])[0]


def test_a_version_without_artefact_cannot_be_loaded():
    with pytest.raises(ProviderFailed):
        LocalProvider().load(ModelRef(1, "", None, None))
