"""Evaluation and comparison through the database, over the scripted provider."""

import pytest
from sqlmodel import func, select

from core import workflows
from core.db import reading
from core.domain.types import Split
from core.errors import Refused
from core.models import Comparison, EvaluationRun, Prediction


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
