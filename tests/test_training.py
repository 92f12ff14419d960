"""Training jobs over the scripted trainer: queue, launch, follow, cancel, register."""

from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlmodel import select

from core import workflows
from core.db import reading, writing
from core.domain.types import JobStatus
from core.errors import NotFound, ProviderFailed, Refused
from core.models import ModelVersion, TrainingEvent, TrainingJob
from core.providers.base import JobReport, TrainerEvent
from core.services import training
from tests.conftest import NOW

RUNNING = JobReport(
    JobStatus.RUNNING, 0.4, "fitting", events=(TrainerEvent(0, NOW, "features built", {"n": 41}),)
)


def job(app, job_id=1):
    with reading(app.engine) as session:
        return session.get(TrainingJob, job_id)


def rows(app, table):
    with reading(app.engine) as session:
        return session.exec(select(table)).all()


def test_a_trainer_is_handed_the_train_and_validation_parts_and_never_the_test_part(seeded):
    with reading(seeded.engine) as session:
        spec = training.training_spec(session, 1, {"hyperparameters": {}, "seed": 1})
    assert (len(spec.train), len(spec.validation)) == (60, 15)
    assert not {row.text.title for row in spec.train} & {
        f"News number {i} about company {i * 7}" for i in range(60, 90)
    }


def test_a_finished_job_becomes_a_model_version_with_its_lineage(seeded):
    job_id = workflows.start_training(seeded, workflows.Request(1, "scripted")).job_id
    model_id = workflows.wait_for_training(seeded, job_id)
    model = next(model for model in rows(seeded, ModelVersion) if model.id == model_id)
    assert (model.job_id, model.dataset_id, model.target, model.kind) == (1, 1, "sentiment", "fine_tuned")
    assert (seeded.settings.artefact_dir / model.artefact).is_file()
    assert job(seeded).status == JobStatus.SUCCEEDED


def test_polling_twice_neither_repeats_events_nor_registers_twice(seeded):
    seeded.providers["scripted"].trainer.reports = [RUNNING]
    workflows.start_training(seeded, workflows.Request(1, "scripted"))
    workflows.poll_training(seeded)
    workflows.poll_training(seeded)
    assert [event.message for event in rows(seeded, TrainingEvent)] == ["features built"]
    assert (job(seeded).progress, job(seeded).message) == (0.4, "fitting")
    seeded.providers["scripted"].trainer.reports = []
    workflows.poll_training(seeded)
    workflows.poll_training(seeded)
    assert len(rows(seeded, ModelVersion)) == 2  # the few-shot one and this


def start(app, **settings):
    request = workflows.Request(1, "scripted", hyperparameters=settings)
    return workflows.start_training(app, request)


def test_one_job_runs_at_a_time_and_the_next_follows(seeded):
    seeded.providers["scripted"].trainer.reports = [RUNNING]
    first, second = (start(seeded, c=c).job_id for c in (1, 2))
    assert (job(seeded, first).status, job(seeded, second).status) == ("running", "queued")
    seeded.providers["scripted"].trainer.reports = []
    workflows.poll_training(seeded)
    assert (job(seeded, first).status, job(seeded, second).status) == ("succeeded", "running")


def test_a_second_click_joins_the_run_under_way(seeded):
    seeded.providers["scripted"].trainer.reports = [RUNNING]
    assert [start(seeded, c=1).joined for _ in range(3)] == [False, True, True]
    assert len(rows(seeded, TrainingJob)) == 1


def test_a_free_training_that_has_ended_may_be_repeated(seeded):
    for _ in range(2):
        workflows.wait_for_training(seeded, start(seeded).job_id)
    assert [each.status for each in rows(seeded, TrainingJob)] == ["succeeded", "succeeded"]


def test_cancelling_a_running_job_ends_it_and_registers_nothing(seeded):
    seeded.providers["scripted"].trainer.reports = [RUNNING]
    workflows.start_training(seeded, workflows.Request(1, "scripted"))
    workflows.cancel_training(seeded, 1)
    assert job(seeded).status == JobStatus.CANCELLED
    assert len(rows(seeded, ModelVersion)) == 1


def test_cancelling_a_queued_job_ends_it_at_once(seeded):
    seeded.providers["scripted"].trainer.reports = [RUNNING]
    start(seeded, c=1)
    second = start(seeded, c=2).job_id
    workflows.cancel_training(seeded, second)
    assert job(seeded, second).status == JobStatus.CANCELLED


def test_a_job_that_has_ended_cannot_be_cancelled(seeded):
    workflows.wait_for_training(
        seeded, workflows.start_training(seeded, workflows.Request(1, "scripted")).job_id
    )
    with pytest.raises(Refused, match="ended already"):
        workflows.cancel_training(seeded, 1)


def test_a_failed_job_says_why_to_whoever_waits(seeded):
    seeded.providers["scripted"].trainer.reports = [JobReport(JobStatus.FAILED, error="no memory was left")]
    job_id = workflows.start_training(seeded, workflows.Request(1, "scripted")).job_id
    with pytest.raises(ProviderFailed, match="no memory was left"):
        workflows.wait_for_training(seeded, job_id)
    assert job(seeded).status == JobStatus.FAILED


def test_a_provider_that_cannot_train_on_this_queues_nothing(seeded):
    seeded.providers["scripted"].trainer.blocked = "Only one class"
    with pytest.raises(Refused, match="Only one class"):
        workflows.start_training(seeded, workflows.Request(1, "scripted"))
    assert rows(seeded, TrainingJob) == []


def test_a_launch_that_broke_off_is_given_up_after_its_limit(seeded):
    with writing(seeded.engine) as session:
        session.add(
            TrainingJob(
                provider="scripted",
                dataset_id=1,
                status="submitting",
                actor="x",
                created_at=NOW,
                started_at=NOW,
            )
        )
        session.commit()
    workflows.poll_training(seeded)
    assert job(seeded).status == "submitting"
    seeded.now = lambda: NOW + timedelta(minutes=4)
    workflows.poll_training(seeded)
    assert job(seeded).status == JobStatus.FAILED


@pytest.mark.parametrize(("dataset_id", "provider"), [(99, "scripted"), (1, "nobody")])
def test_an_unknown_dataset_or_provider_is_named(seeded, dataset_id, provider):
    with pytest.raises(NotFound, match=r"99|nobody"):
        workflows.start_training(seeded, workflows.Request(dataset_id, provider))


def test_no_transaction_is_open_while_a_trainer_is_spoken_to(seeded):
    open_now = []
    trainer = seeded.providers["scripted"].trainer
    begun = set()
    event.listen(seeded.engine, "begin", lambda connection: begun.add(id(connection)))
    for end in ("commit", "rollback"):
        event.listen(seeded.engine, end, lambda connection: begun.discard(id(connection)))
    for name in ("preflight", "start", "poll", "cancel"):
        asked = getattr(trainer, name)
        setattr(trainer, name, lambda *a, asked=asked: (open_now.append(bool(begun)), asked(*a))[1])
    trainer.reports = [RUNNING]
    workflows.start_training(seeded, workflows.Request(1, "scripted"))
    workflows.poll_training(seeded)
    workflows.cancel_training(seeded, 1)
    assert (len(open_now) >= 5, any(open_now)) == (True, False)


def test_a_job_of_a_provider_that_is_not_set_up_here_waits_and_lets_others_run(seeded):
    with writing(seeded.engine) as session:
        for status in ("queued", "running"):  # another process may have the key
            session.add(TrainingJob(provider="gone", dataset_id=1, status=status, actor="x", created_at=NOW))
        session.commit()
    workflows.wait_for_training(seeded, start(seeded).job_id)
    assert [each.status for each in rows(seeded, TrainingJob)] == ["queued", "running", "succeeded"]
    workflows.cancel_training(seeded, 1)
    assert job(seeded, 1).status == "cancelled"


def test_a_name_that_an_imported_model_took_does_not_lose_the_trained_one(seeded):
    with writing(seeded.engine) as session:
        taken = {
            "name": "scripted-sentiment-001",
            "kind": "few_shot",
            "provider": "imported",
            "base_model": "x",
        }
        session.add(ModelVersion(**taken, created_at=NOW))
        session.commit()
    assert (
        workflows.wait_for_training(
            seeded, workflows.start_training(seeded, workflows.Request(1, "scripted")).job_id
        )
        == 3
    )
