"""Prediction runs and their answers as the command line prints them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from core.domain.types import CostKind, ItemState
from core.errors import NotFound
from core.models import CostEntry, ModelVersion, Prediction, PredictionItem, PredictionRun

#: Values of one IN list: below every SQLite build's limit of parameters.
_LOOKUP = 5_000


@dataclass(frozen=True)
class RunReport:
    """A prediction run, its model, and how far it is.

    Parameters
    ----------
    waiting : int
        Articles not asked yet, or asked and not answered yet; 0 once the run has ended.
    failures : dict of str to int
        Failed articles by code, most frequent first.
    cost_micro_usd : int
        What was billed so far.
    estimated : bool
        Whether a part of that is an estimate: an answer was lost, or its tokens were not counted.
    """

    run: PredictionRun
    model_name: str
    provider: str
    waiting: int
    failures: dict[str, int]
    cost_micro_usd: int
    estimated: bool


@dataclass(frozen=True)
class Outcome:
    """What a model said of an article, or why it said nothing; `sentiment` is "" then."""

    sentiment: str = ""
    confidence: float | None = None
    keywords: tuple[str, ...] = ()
    reason: str = ""
    failure: str = ""
    detail: str = ""


def run_card(session: Session, run_id: int) -> RunReport:
    """Return one run, or raise NotFound."""
    run = session.get(PredictionRun, run_id)
    if run is None:
        raise NotFound("prediction run", run_id, "Look at the prediction runs on the Models page")
    return _card(session, run)


def _card(session: Session, run: PredictionRun) -> RunReport:
    model = session.get_one(ModelVersion, run.model_id)
    failed = (
        select(col(PredictionItem.failure), func.count())
        .where(PredictionItem.run_id == run.id, PredictionItem.state == ItemState.FAILED)
        .group_by(col(PredictionItem.failure))
        .order_by(func.count().desc(), col(PredictionItem.failure))
    )
    billed = select(func.coalesce(func.sum(CostEntry.micro_usd), 0)).where(
        CostEntry.reference == run.key, CostEntry.kind == CostKind.ACTUAL
    )
    guessed = col(CostEntry.detail)["estimated"].as_boolean()
    return RunReport(
        run=run,
        model_name=model.name,
        provider=model.provider,
        waiting=run.total - run.answered - run.failed,
        failures={str(code): n for code, n in session.exec(failed)},
        cost_micro_usd=session.exec(billed).one(),
        estimated=session.exec(billed.where(guessed)).one() > 0,
    )


def as_row(card: RunReport) -> dict[str, Any]:
    """Return a run as the command line prints it; an ended run has total = answered + failed."""
    run = card.run
    return {
        "run_id": run.id,
        "model": card.model_name,
        "mode": run.mode,
        "status": run.status,
        "total": run.total,
        "answered": run.answered,
        "failed": run.failed,
        "waiting": card.waiting,
        "failures": card.failures,
        "cost_micro_usd": card.cost_micro_usd,
        "cost_estimated": card.estimated,
        "simulated": run.simulated,
        "error": run.error,
    }


def outcomes(
    session: Session, model_id: int, article_ids: Sequence[int], run_id: int | None
) -> dict[int, Outcome]:
    """Return what a model said of articles, and of the others why a run has no answer, by article id."""
    found: dict[int, Outcome] = {}
    if run_id is not None:
        failed = select(PredictionItem).where(
            PredictionItem.run_id == run_id, PredictionItem.state == ItemState.FAILED
        )
        for item in session.exec(failed):
            found[item.article_id] = Outcome(failure=item.failure or "", detail=item.detail or "")
    wanted = list(dict.fromkeys(article_ids))
    for start in range(0, len(wanted), _LOOKUP):
        query = select(Prediction).where(
            Prediction.model_id == model_id,
            Prediction.request_id == "",
            col(Prediction.article_id).in_(wanted[start : start + _LOOKUP]),
        )
        for said in session.exec(query):
            found[said.article_id] = Outcome(
                said.sentiment, said.confidence, tuple(said.keywords), said.rationale or ""
            )
    return found
