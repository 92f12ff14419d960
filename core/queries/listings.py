"""Dataset versions, jobs and models as plain rows, newest first: what the command line prints."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, desc, select

from core.domain.registry import stage
from core.domain.types import Target
from core.errors import NotFound
from core.models import Champion, DatasetVersion, ModelVersion, Promotion, TrainingJob


def datasets(session: Session) -> list[dict[str, Any]]:
    """Return every dataset version with its counts by part and class."""
    versions = session.exec(select(DatasetVersion).order_by(desc(DatasetVersion.id)))
    return [_dataset(version) for version in versions]


def dataset(session: Session, dataset_id: int) -> dict[str, Any]:
    """Return one dataset version, or raise NotFound."""
    version = session.get(DatasetVersion, dataset_id)
    if version is None:
        raise NotFound("dataset version", dataset_id, "List them with the command 'datasets'")
    return _dataset(version)


def _dataset(version: DatasetVersion) -> dict[str, Any]:
    return {
        "id": version.id,
        "target": version.target,
        "strategy": version.strategy,
        "balance": version.balance,
        "split": version.split_method,
        "sha256": version.sha256,
        "counts": version.counts,
        "warnings": version.config.get("warnings", []),
        "created_at": _iso(version.created_at),
    }


def jobs(session: Session) -> list[dict[str, Any]]:
    """Return every training job with the model version that came out of it, if any."""
    query = (
        select(TrainingJob, ModelVersion.id)
        .join(ModelVersion, col(ModelVersion.job_id) == TrainingJob.id, isouter=True)
        .order_by(desc(TrainingJob.id))
    )
    return [
        {
            "id": job.id,
            "provider": job.provider,
            "base_model": job.base_model or None,
            "simulated": job.simulated,
            "dataset_id": job.dataset_id,
            "hyperparameters": job.config.get("hyperparameters", {}),
            "status": job.status,
            "progress": job.progress,
            "message": job.message,
            "error": job.error,
            "model_id": model_id,
            "created_at": _iso(job.created_at),
            "finished_at": _iso(job.finished_at),
        }
        for job, model_id in session.exec(query)
    ]


def models(session: Session) -> list[dict[str, Any]]:
    """Return every model version with its stage for each target it may serve."""
    champions = {entry.target: entry.model_id for entry in session.exec(select(Champion))}
    promoted: dict[str, set[int]] = {target: set() for target in Target}
    for target, model_id in session.exec(select(Promotion.target, Promotion.to_model_id)):
        if model_id is not None:
            promoted[target].add(model_id)
    return [
        {
            "id": model.id,
            "name": model.name,
            "kind": model.kind,
            "provider": model.provider,
            "base_model": model.base_model,
            "target": model.target,
            "dataset_id": model.dataset_id,
            "simulated": model.simulated,
            "stages": {
                str(target): str(
                    stage(
                        int(model.id or 0), champion_id=champions.get(target), past_champions=promoted[target]
                    )
                )
                for target in Target
                if model.target in (None, target)
            },
            "created_at": _iso(model.created_at),
        }
        for model in session.exec(select(ModelVersion).order_by(desc(ModelVersion.id)))
    ]


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
