"""What was known when a champion changed: the ledger's entry with everything that it rests on, as plain values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session, col, desc, select

from core.domain.types import ModelKind
from core.errors import NotFound
from core.models import (
    Comparison,
    CostEntry,
    DatasetVersion,
    EvaluationRun,
    Experiment,
    ModelVersion,
    Promotion,
    TrainingEvent,
    TrainingJob,
)

#: Columns of an experiment that its end fixes; putting it away later changes nothing that it proves.
_OF_EXPERIMENT = (
    "id",
    "key",
    "target",
    "family",
    "mode",
    "purpose",
    "status",
    "champion_id",
    "challenger_id",
    "allocation",
    "deadline_s",
    "planned",
    "budget_micro_usd",
    "simulated",
    "promotion_id",
    "reason",
    "actor",
    "started_at",
    "ends_at",
    "ended_at",
    "conclusion",
)
_OF_JOB = (
    "id",
    "key",
    "provider",
    "base_model",
    "purpose",
    "dataset_id",
    "status",
    "config",
    "simulated",
    "actor",
    "created_at",
    "submitted_at",
    "started_at",
    "finished_at",
)
_OF_MODEL = (
    "id",
    "name",
    "kind",
    "provider",
    "base_model",
    "target",
    "dataset_id",
    "job_id",
    "artefact",
    "artefact_sha256",
    "params",
    "simulated",
    "created_at",
)
_OF_DATASET = (
    "id",
    "sha256",
    "target",
    "strategy",
    "balance",
    "split_method",
    "counts",
    "config",
    "created_at",
)


@dataclass(frozen=True)
class Proof:
    """A promotion or rollback, the model versions it is about, and its papers.

    Parameters
    ----------
    entry : Promotion
        The row of the ledger.
    models : tuple of ModelVersion
        The new champion first, then the former one, then the parts of cascades among them; those that exist.
    papers : dict
        Plain values by the name of the file that holds them.
    """

    entry: Promotion
    models: tuple[ModelVersion, ...]
    papers: dict[str, Any]


def proof(session: Session, promotion_id: int) -> Proof:
    """Return what a promotion or rollback rests on: nothing in it is younger, but the end of its own watch.

    Raises
    ------
    NotFound
        If there is no such entry.
    """
    entry = session.get(Promotion, promotion_id)
    if entry is None:
        raise NotFound("promotion", promotion_id, "Look at the history on the Models page")
    found = _models(session, entry)
    evaluations = _evaluations(session, found, entry.at)
    comparisons = _comparisons(session, entry)
    papers = {
        "promotion.json": _promotion(entry, found),
        "model.json": {"models": [_plain(model, _OF_MODEL) for model in found]},
        "job.json": {"jobs": [_job(session, job) for job in _jobs(session, found)]},
        "dataset.json": {
            "datasets": [
                _plain(version, _OF_DATASET)
                for version in _datasets(session, found, [*evaluations, *comparisons])
            ]
        },
        "prompt.json": {"prompts": [{"model": each.name, "prompt": each.prompt} for each in found]},
        "evaluations.json": {"evaluations": [plain(run.model_dump()) for run in evaluations]},
        "comparison.json": {"comparisons": [plain(each.model_dump()) for each in comparisons]},
        "gates.json": _gates(entry),
        "experiment.json": {
            "experiments": [_plain(each, _OF_EXPERIMENT) for each in _experiments(session, entry)]
        },
    }
    return Proof(entry, tuple(found), papers)


def plain(value: Any) -> Any:
    """Return a value as JSON knows it; times in UTC, ending in Z. Private names of rows are left out."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items() if not str(key).startswith("_")}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _plain(row: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: plain(getattr(row, name)) for name in names}


def _models(session: Session, entry: Promotion) -> list[ModelVersion]:
    found = _existing(session, (entry.to_model_id, entry.from_model_id))
    parts = [
        model.params.get(name)
        for model in found
        if model.kind == ModelKind.CASCADE
        for name in ("first_id", "second_id")
    ]
    return list({model.id: model for model in [*found, *_existing(session, parts)]}.values())


def _existing(session: Session, ids: Iterable[int | None]) -> list[ModelVersion]:
    rows = [session.get(ModelVersion, model_id) for model_id in ids if model_id is not None]
    return [row for row in rows if row is not None]


def _promotion(entry: Promotion, found: Iterable[ModelVersion]) -> dict[str, Any]:
    names = {model.id: model.name for model in found}
    said = {"from": names.get(entry.from_model_id), "to": names.get(entry.to_model_id)}
    return {name: plain(value) for name, value in entry.model_dump().items()} | said


def _jobs(session: Session, found: Iterable[ModelVersion]) -> list[TrainingJob]:
    jobs = [session.get(TrainingJob, model.job_id) for model in found if model.job_id is not None]
    return [job for job in jobs if job is not None]


def _job(session: Session, job: TrainingJob) -> dict[str, Any]:
    """Return a job with its story and its money; of the provider's handle only the vendor's name of the job."""
    events = select(TrainingEvent).where(TrainingEvent.job_id == job.id)
    booked = select(CostEntry).where(CostEntry.reference == job.key)
    at_vendor = (job.handle or {}).get("job")
    return _plain(job, _OF_JOB) | {
        "job_at_vendor": at_vendor if isinstance(at_vendor, str) else None,
        "events": [
            _plain(event, ("sequence", "at", "message"))
            for event in session.exec(events.order_by(col(TrainingEvent.sequence)))
        ],
        "ledger": [
            _plain(row, ("at", "kind", "purpose", "provider", "model", "micro_usd", "simulated", "detail"))
            for row in session.exec(booked.order_by(col(CostEntry.id)))
        ],
    }


def _datasets(
    session: Session, found: Iterable[ModelVersion], measured: Iterable[EvaluationRun | Comparison]
) -> list[DatasetVersion]:
    """Return the versions that the models were made of, chosen on and measured on."""
    wanted = {model.dataset_id for model in found} | {model.params.get("dataset_id") for model in found}
    wanted |= {each.dataset_id for each in measured}
    query = select(DatasetVersion).where(col(DatasetVersion.id).in_([each for each in wanted if each]))
    return list(session.exec(query.order_by(col(DatasetVersion.id))))


def _evaluations(session: Session, found: Iterable[ModelVersion], until: datetime) -> list[EvaluationRun]:
    query = select(EvaluationRun).where(
        col(EvaluationRun.model_id).in_([model.id for model in found]), EvaluationRun.created_at <= until
    )
    return list(session.exec(query.order_by(col(EvaluationRun.id))))


def _comparisons(session: Session, entry: Promotion) -> list[Comparison]:
    """Return the comparisons that the entry names as its evidence."""
    named = {entry.evidence.get("comparison_id"), (entry.evidence.get("comparison") or {}).get("id")}
    query = select(Comparison).where(col(Comparison.id).in_([each for each in named if each]))
    return list(session.exec(query.order_by(col(Comparison.id))))


def _gates(entry: Promotion) -> dict[str, Any]:
    gates = entry.evidence.get("gates")
    if gates is None:
        return {"measured": False, "gates": [], "override": None}
    return {"measured": True, "gates": plain(gates), "override": entry.evidence.get("override")}


def _experiments(session: Session, entry: Promotion) -> list[Experiment]:
    """Return the live experiment behind a promotion, and the watch that followed it or led to its rollback."""
    watched = entry.id if entry.action == "promote" else _undone(session, entry)
    query = select(Experiment).where(
        (col(Experiment.id) == entry.evidence.get("experiment_id"))
        | (col(Experiment.promotion_id) == watched),
        col(Experiment.ended_at).is_not(None),
    )
    return list(session.exec(query.order_by(col(Experiment.id))))


def _undone(session: Session, entry: Promotion) -> int | None:
    """Return the promotion that a rollback took back."""
    query = select(Promotion.id).where(
        Promotion.target == entry.target,
        Promotion.action == "promote",
        Promotion.to_model_id == entry.from_model_id,
        col(Promotion.id) < entry.id,
    )
    return session.exec(query.order_by(desc(Promotion.id)).limit(1)).first()
