"""From verified samples to a trained model: dataset versions, exports, training jobs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from time import sleep
from typing import Any

from sqlmodel import select

from core.bootstrap import App
from core.db import reading, writing
from core.domain.dataset import DatasetPlan
from core.domain.types import ACTIVE_JOB_STATUSES, Balance, SplitMethod, Strategy, Target
from core.errors import ProviderFailed
from core.models import ModelVersion, TrainingJob
from core.services import datasets, exports, training

#: Seconds between two looks at a training job that a caller waits for.
POLL_INTERVAL_S = 0.3


def build_dataset(
    app: App,
    target: Target | None = None,
    strategy: Strategy = Strategy.ALL_VERIFIED,
    balance: Balance = Balance.NONE,
    split_method: SplitMethod = SplitMethod.CHRONOLOGICAL,
) -> int:
    """Freeze the verified samples of a target as a dataset version and return its id."""
    with writing(app.engine) as session:
        version = datasets.build_dataset(
            session,
            app.policy,
            target=target,
            strategy=strategy,
            balance=balance,
            split_method=split_method,
            now=app.now(),
        )
        return int(version.id or 0)


def preview_dataset(
    app: App,
    target: Target | None = None,
    strategy: Strategy = Strategy.ALL_VERIFIED,
    balance: Balance = Balance.NONE,
    split_method: SplitMethod = SplitMethod.CHRONOLOGICAL,
) -> DatasetPlan:
    """Return what `build_dataset` would freeze, storing nothing."""
    with reading(app.engine) as session:
        return datasets.preview_dataset(
            session, app.policy, target=target, strategy=strategy, balance=balance, split_method=split_method
        )


def export_files(app: App, dataset_id: int, fmt: str, out: Path) -> dict[str, Any]:
    """Write a dataset version as training files into a folder and return the manifest."""
    with reading(app.engine) as session:
        return exports.export_dataset(session, app.policy, dataset_id, fmt=fmt, out=out, now=app.now())


def export_zip(app: App, dataset_id: int, fmt: str) -> bytes:
    """Return a dataset version's export as one zip for the browser."""
    with reading(app.engine) as session:
        return exports.export_zip(session, app.policy, dataset_id, fmt=fmt, now=app.now())


def start_training(
    app: App,
    dataset_id: int,
    provider: str = "local",
    hyperparameters: Mapping[str, Any] | None = None,
    actor: str | None = None,
) -> int:
    """Queue a training job, launch it if nothing else is running, and return its id."""
    with writing(app.engine) as session:
        job = training.queue_training(
            session,
            app.trainer(provider),
            dataset_id=dataset_id,
            provider=provider,
            hyperparameters=hyperparameters or {},
            seed=app.policy.split_seed,
            actor=actor or app.settings.actor,
            now=app.now(),
        )
        training.launch_next(session, app.trainers, job_dir=app.settings.job_dir, now=app.now())
        return int(job.id or 0)


def poll_training(app: App) -> list[int]:
    """Bring the jobs in flight up to date, launch the next, and return the ids of those that ended."""
    with writing(app.engine) as session:
        ended = training.poll_jobs(
            session,
            app.trainers,
            job_dir=app.settings.job_dir,
            artefact_dir=app.settings.artefact_dir,
            now=app.now(),
        )
        training.launch_next(session, app.trainers, job_dir=app.settings.job_dir, now=app.now())
        return [int(job.id or 0) for job in ended]


def cancel_training(app: App, job_id: int) -> None:
    """Cancel a job: a queued one at once, a running one by killing its work."""
    with writing(app.engine) as session:
        training.request_cancel(session, job_id=job_id, now=app.now())
    poll_training(app)


def wait_for_training(app: App, job_id: int, tell: Callable[[str], None] = lambda _: None) -> int:
    """Wait for a job to end and return the id of its model version.

    Raises
    ------
    ProviderFailed
        If the job failed or was cancelled.
    """
    said = ""
    while True:
        poll_training(app)
        with reading(app.engine) as session:
            job = session.get_one(TrainingJob, job_id)
            model = session.exec(select(ModelVersion.id).where(ModelVersion.job_id == job_id)).first()
        if job.status not in ACTIVE_JOB_STATUSES:
            break
        if (line := f"{job.status} {job.progress:.0%} {job.message}".strip()) != said:
            tell(said := line)
        sleep(POLL_INTERVAL_S)
    if model is None:
        raise ProviderFailed(job.provider, job.error or f"the job was {job.status}", "See the command 'jobs'")
    return model
