"""The registry: model versions with their stage, scores, lineage and the promotion ledger."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, desc, or_, select

from core.domain.registry import champions_so_far, stage
from core.domain.types import Split, Stage
from core.models import (
    Champion,
    Comparison,
    DatasetVersion,
    EvaluationRun,
    ModelVersion,
    Prediction,
    Promotion,
    TrainingJob,
)


@dataclass(frozen=True)
class RegistryRow:
    """A model version as it stands for one target.

    Parameters
    ----------
    evaluation : EvaluationRun or None
        Its newest test evaluation that is evidence, see `untouched`; None where there is none.
    measured_on : str or None
        SHA-256 of the dataset version of that evaluation.
    predictions : int
        Answers stored of it.
    """

    model: ModelVersion
    stage: Stage
    evaluation: EvaluationRun | None
    measured_on: str | None
    predictions: int


@dataclass(frozen=True)
class Lineage:
    """Where a model version comes from; None where a link does not exist (few-shot has no job)."""

    model: ModelVersion
    job: TrainingJob | None
    dataset: DatasetVersion | None


@dataclass(frozen=True)
class LedgerRow:
    """One promotion or rollback with the names of the models."""

    entry: Promotion
    from_name: str | None
    to_name: str | None


def registry(session: Session, target: str) -> list[RegistryRow]:
    """Return the model versions that can serve a target: trained for it, or few-shot. Champion first."""
    query = select(ModelVersion).where(or_(ModelVersion.target == target, col(ModelVersion.target).is_(None)))
    champion = session.get(Champion, target)
    ledger = _ledger(session, target)
    stored = dict(
        session.exec(select(Prediction.model_id, func.count()).group_by(col(Prediction.model_id))).all()
    )
    runs = _test_runs(session, target)
    newest = {run.model_id: run for run, _ in runs}
    measured_on = {run.model_id: sha256 for run, sha256 in runs}
    rows = [
        RegistryRow(
            model,
            stage(
                model.id or 0,
                champion_id=champion.model_id if champion else None,
                past_champions=[entry.to_model_id for entry in ledger if entry.to_model_id is not None],
            ),
            newest.get(model.id or 0),
            measured_on.get(model.id or 0),
            stored.get(model.id or 0, 0),
        )
        for model in session.exec(query.order_by(desc(ModelVersion.id)))
    ]
    return sorted(rows, key=lambda row: row.stage != Stage.CHAMPION)


def untouched() -> ColumnElement[bool]:
    """Return the condition of `is_evidence` for a query of evaluations."""
    return func.coalesce(col(EvaluationRun.metrics)["contaminated"].as_integer(), 0) == 0


def is_evidence(metrics: dict[str, Any]) -> bool:
    """Tell whether an evaluation says something of new articles: the model was trained on none of these."""
    return not metrics.get("contaminated")


def _test_runs(session: Session, target: str) -> list[tuple[EvaluationRun, str]]:
    query = (
        select(EvaluationRun, DatasetVersion.sha256)
        .join(DatasetVersion, col(DatasetVersion.id) == col(EvaluationRun.dataset_id))
        .where(EvaluationRun.target == target, EvaluationRun.split == Split.TEST, untouched())
    )
    return list(session.exec(query.order_by(col(EvaluationRun.id))))


def _ledger(session: Session, target: str) -> list[Promotion]:
    query = select(Promotion).where(Promotion.target == target).order_by(col(Promotion.id))
    return list(session.exec(query))


def scores(session: Session, dataset_id: int, split: str = Split.TEST) -> dict[int, EvaluationRun]:
    """Return the newest evaluation of each model version on one part of a dataset version, by model id."""
    query = select(EvaluationRun).where(EvaluationRun.dataset_id == dataset_id, EvaluationRun.split == split)
    return {run.model_id: run for run in session.exec(query.order_by(col(EvaluationRun.id)))}


def datasets_of(session: Session, target: str) -> list[DatasetVersion]:
    """Return the dataset versions of a target, newest first."""
    query = select(DatasetVersion).where(DatasetVersion.target == target)
    return list(session.exec(query.order_by(desc(DatasetVersion.id))))


def scored_last(session: Session, target: str) -> int | None:
    """Return the id of the dataset version of a target on which a model was scored last."""
    query = select(EvaluationRun.dataset_id).where(EvaluationRun.target == target)
    return session.exec(query.order_by(desc(EvaluationRun.id)).limit(1)).first()


def compared_last(session: Session, dataset_id: int) -> tuple[int, int] | None:
    """Return champion and challenger of the newest comparison on a dataset version, by id."""
    query = select(Comparison).where(Comparison.dataset_id == dataset_id)
    found = session.exec(query.order_by(desc(Comparison.id)).limit(1)).first()
    return (found.champion_id, found.challenger_id) if found else None


def lineage(session: Session, model: ModelVersion) -> Lineage:
    """Return the job and the dataset version that a model version was made by and from."""
    job = session.get(TrainingJob, model.job_id) if model.job_id is not None else None
    dataset = session.get(DatasetVersion, model.dataset_id) if model.dataset_id is not None else None
    return Lineage(model, job, dataset)


def newest_comparison(
    session: Session, champion_id: int, challenger_id: int, dataset_id: int
) -> Comparison | None:
    """Return the newest comparison of two model versions, this way round, on one dataset version."""
    query = (
        select(Comparison)
        .where(
            Comparison.champion_id == champion_id,
            Comparison.challenger_id == challenger_id,
            Comparison.dataset_id == dataset_id,
        )
        .order_by(desc(Comparison.id))
        .limit(1)
    )
    return session.exec(query).first()


def ledger(session: Session, target: str) -> list[LedgerRow]:
    """Return the promotions and rollbacks of a target, newest first."""
    names: dict[int | None, str] = dict(session.exec(select(ModelVersion.id, ModelVersion.name)).all())
    return [
        LedgerRow(entry, names.get(entry.from_model_id), names.get(entry.to_model_id))
        for entry in reversed(_ledger(session, target))
    ]


def previous_champion(session: Session, target: str) -> str | None:
    """Return the name of the model version that a rollback would bring back; None where there is none."""
    line = champions_so_far([(entry.action, entry.to_model_id) for entry in _ledger(session, target)])
    model = session.get(ModelVersion, line[-2]) if len(line) > 1 else None
    return model.name if model else None


def headline(metrics: dict[str, Any] | None) -> dict[str, Any]:
    """Return the figures of an evaluation that a table shows; empty where there is none."""
    kept = ("n", "accuracy", "accuracy_interval", "macro_f1", "majority", "market_days")
    return {key: (metrics or {}).get(key) for key in kept}
