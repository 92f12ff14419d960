"""Sweeps and pilots: several trainings under one price, and a small one to see that all works."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from sqlalchemy import exists
from sqlmodel import col, select

from core.bootstrap import App
from core.db import reading
from core.domain.pricing import Quote, Unpriced
from core.domain.sweep import MAX_RUNS, grid
from core.domain.types import JobPurpose, Split
from core.errors import Refused
from core.models import DatasetVersion, EvaluationRun, ModelVersion, TrainingJob
from core.services.training import Request, TrainingQuote
from core.workflows.scoring import evaluate
from core.workflows.training import Started, quote_training, start_trainings

#: Training rows of the plan's pilot.
PILOT_ROWS = 100


@dataclass(frozen=True)
class SweepQuote:
    """What a sweep would take: micro-dollars for all runs together, None where nothing is charged.

    `problem` says why it cannot be started, "" where it can.
    """

    runs: int
    seconds: float
    low: int | None = None
    likely: int | None = None
    high: int | None = None
    problem: str = ""


def sweep_requests(request: Request, settings: Mapping[str, Sequence[Any]]) -> list[Request]:
    """Return one request for each combination of settings.

    Raises
    ------
    Refused
        If there are none or too many.
    """
    points = grid(settings)
    if not 2 <= len(points) <= MAX_RUNS:
        raise Refused(f"A sweep has 2 to {MAX_RUNS} runs, not {len(points)}", "Choose more or fewer values")
    fixed = dict(request.hyperparameters)
    return [replace(request, hyperparameters=fixed | point, purpose=JobPurpose.SWEEP) for point in points]


def quote_sweep(app: App, request: Request, settings: Mapping[str, Sequence[Any]]) -> SweepQuote:
    """Return what all runs of a sweep would take together."""
    quotes = [quote_training(app, each) for each in sweep_requests(request, settings)]
    problem = next((text for text in map(_problem, quotes) if text), "")
    seconds = sum(quote.seconds or 0 for quote in quotes)
    costs = [quote.cost for quote in quotes if isinstance(quote.cost, Quote)]
    if problem or not costs:
        return SweepQuote(len(quotes), seconds, problem=problem)
    low, likely, high = (sum(getattr(cost, end) for cost in costs) for end in ("low", "likely", "high"))
    return SweepQuote(len(quotes), seconds, low, likely, high)


def _problem(quote: TrainingQuote) -> str:
    if not quote.preflight.allowed:
        return quote.preflight.reason
    return quote.cost.sentence if isinstance(quote.cost, Unpriced) else ""


def start_sweep(
    app: App,
    request: Request,
    settings: Mapping[str, Sequence[Any]],
    *,
    accept_micro_usd: int | None = None,
    actor: str | None = None,
) -> list[Started]:
    """Queue all runs of a sweep; the best is chosen by macro-F1 on the validation part.

    Raises
    ------
    Refused
        If the price is not agreed to, or the budget does not cover all of it: then none is started.
    """
    group = uuid4().hex
    wanted = [replace(each, group_key=group) for each in sweep_requests(request, settings)]
    return start_trainings(app, wanted, accept_micro_usd=accept_micro_usd, actor=actor)


def pilot(request: Request) -> Request:
    """Return the plan's small run: one hundred training rows of the same dataset version."""
    return replace(request, purpose=JobPurpose.PILOT, rows=PILOT_ROWS)


def score_sweeps(app: App) -> list[int]:
    """Score what free sweeps trained on its validation part; return the model versions scored.

    Answers of a paid provider cost money: those are asked for by a person.
    """
    free = [name for name, provider in app.providers.items() if not provider.priced]
    scored = (
        exists()
        .where(col(EvaluationRun.model_id) == ModelVersion.id, col(EvaluationRun.split) == Split.VALIDATION)
        .correlate(ModelVersion)
    )
    query = (
        select(ModelVersion.id, DatasetVersion.id, DatasetVersion.counts)
        .join(TrainingJob, col(TrainingJob.id) == ModelVersion.job_id)
        .join(DatasetVersion, col(DatasetVersion.id) == ModelVersion.dataset_id)
        .where(TrainingJob.purpose == JobPurpose.SWEEP, col(TrainingJob.provider).in_(free), ~scored)
    )
    with reading(app.engine) as session:
        due = [
            (m, d) for m, d, counts in session.exec(query) if sum((counts.get("validation") or {}).values())
        ]
    for model_id, dataset_id in due:
        evaluate(app, int(model_id or 0), int(dataset_id or 0), Split.VALIDATION)
    return [int(model_id or 0) for model_id, _ in due]
