"""Scoring model versions on the splits of dataset versions, and comparing two of them.

A model is scored on its *stored* predictions; what is missing is predicted first, where a local model
answers. So imported few-shot predictions, paid models and local ones go the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import func
from sqlmodel import Session, col, select

from core.db import let_go
from core.domain.compare import compare, withhold_leaked
from core.domain.metrics import evaluate
from core.domain.policy import Policy
from core.domain.prompting import Prompt
from core.domain.types import ModelKind, Split, Target
from core.errors import NotFound, Refused
from core.models import (
    Comparison,
    DatasetItem,
    DatasetVersion,
    EvaluationRun,
    ModelVersion,
    Outcome,
    Prediction,
)

#: Seed of the bootstraps: the same rows give the same intervals.
SEED = 20251102


@dataclass(frozen=True)
class Scored:
    """The stored answers of one model on one split.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row an item of the split, in its order: ``article_id, label, market_day, intraday,
        sentiment, confidence, latency_ms``; the last three are missing where the model gave no answer.
    contaminated : int
        Items of the split on which this model was trained.
    """

    rows: pd.DataFrame
    contaminated: int


def evaluate_model(
    session: Session, *, model_id: int, dataset_id: int, split: Split, now: datetime
) -> EvaluationRun:
    """Score a model's stored answers on one split and keep the report.

    Raises
    ------
    NotFound
        If the model or the dataset version does not exist.
    Refused
        If their targets differ, the split is empty, or the model has no answer on any of its items.
    """
    model, dataset = _pair(session, model_id, dataset_id)
    scored = _scored(session, model_id, dataset_id, split)
    let_go(session)
    known = _answered(scored.rows, model, split)
    report = evaluate(
        known["label"].tolist(),
        known["sentiment"].tolist(),
        target=Target(dataset.target),
        confidence=_numbers(known["confidence"]),
        market_days=_market_days(known, dataset),
        intraday=known["intraday"].tolist() if dataset.target == Target.DIRECTION else None,
        latency_ms=_numbers(known["latency_ms"]),
        asked=len(scored.rows),
        seed=SEED,
    )
    run = EvaluationRun(
        model_id=model_id,
        dataset_id=dataset_id,
        split=split,
        target=dataset.target,
        n=len(known),
        metrics=report | {"contaminated": scored.contaminated},
        created_at=now,
    )
    session.add(run)
    session.commit()
    return run


def compare_models(
    session: Session,
    policy: Policy,
    *,
    champion_id: int,
    challenger_id: int,
    dataset_id: int,
    split: Split,
    now: datetime,
) -> Comparison:
    """Compare two models' stored answers on the same items of one split and keep the report.

    Raises
    ------
    NotFound
        If a model or the dataset version does not exist.
    Refused
        If the models are one and the same, their targets differ from the dataset's, or no item was
        answered by both.
    """
    if champion_id == challenger_id:
        raise Refused("A model cannot be compared with itself", "Choose two different models")
    champion, dataset = _pair(session, champion_id, dataset_id)
    challenger, _ = _pair(session, challenger_id, dataset_id)
    first = _scored(session, champion_id, dataset_id, split)
    second = _scored(session, challenger_id, dataset_id, split)
    let_go(session)
    _answered(first.rows, champion, split)
    _answered(second.rows, challenger, split)
    both = first.rows["sentiment"].notna() & second.rows["sentiment"].notna()
    if not both.any():
        raise Refused(
            f"{champion.name} and {challenger.name} have no answered article in common on this {split} part",
            "Choose a dataset version whose articles both models know",
        )
    left, right = first.rows[both], second.rows[both]
    report = compare(
        left["label"].tolist(),
        left["sentiment"].tolist(),
        right["sentiment"].tolist(),
        target=Target(dataset.target),
        market_days=_market_days(left, dataset),
        policy=policy,
        seed=SEED,
    )
    report["coverage"] = {"asked": len(first.rows), "both_answered": int(both.sum())}
    leaked = {"champion": first.contaminated, "challenger": second.contaminated}
    comparison = Comparison(
        champion_id=champion_id,
        challenger_id=challenger_id,
        dataset_id=dataset_id,
        split=split,
        report=withhold_leaked(report, leaked),
        created_at=now,
    )
    session.add(comparison)
    session.commit()
    return comparison


def scorable_model(session: Session, *, model_id: int, dataset_id: int) -> ModelVersion:
    """Return a model that may be scored on a dataset version, or raise what `evaluate_model` would."""
    model, _ = _pair(session, model_id, dataset_id)
    let_go(session)
    return model


def _pair(session: Session, model_id: int, dataset_id: int) -> tuple[ModelVersion, DatasetVersion]:
    model = session.get(ModelVersion, model_id)
    if model is None:
        raise NotFound("model version", model_id, "List them with the command 'models'")
    dataset = session.get(DatasetVersion, dataset_id)
    if dataset is None:
        raise NotFound("dataset version", dataset_id, "List them with the command 'datasets'")
    if model.target is not None and model.target != dataset.target:
        raise Refused(
            f"{model.name} learned the target '{model.target}' and the dataset has '{dataset.target}'",
            "Choose a dataset version of the model's own target",
        )
    return model, dataset


def _scored(session: Session, model_id: int, dataset_id: int, split: Split) -> Scored:
    """Read the items of a split with a model's stored batch answers beside them."""
    answer = (col(Prediction.article_id) == DatasetItem.article_id) & (
        (col(Prediction.model_id) == model_id) & (col(Prediction.request_id) == "")
    )
    query = (
        select(  # type: ignore[call-overload]  # SQLModel types four columns at most
            DatasetItem.article_id,
            DatasetItem.label,
            DatasetItem.market_day,
            func.coalesce(Outcome.intraday, False).label("intraday"),
            Prediction.sentiment,
            Prediction.confidence,
            Prediction.latency_ms,
        )
        .join(Prediction, answer, isouter=True)
        .join(Outcome, col(Outcome.article_id) == DatasetItem.article_id, isouter=True)
        .where(DatasetItem.dataset_id == dataset_id, DatasetItem.split == split)
        .order_by(col(DatasetItem.position))
    )
    columns = ["article_id", "label", "market_day", "intraday", "sentiment", "confidence", "latency_ms"]
    rows = pd.DataFrame(session.exec(query).all(), columns=columns)
    return Scored(rows, _contaminated(session, model_id, dataset_id, split))


def _contaminated(session: Session, model_id: int, dataset_id: int, split: Split) -> int:
    """Count the items of a part that a model was trained on; of a few-shot one, those that its prompt shows."""
    model = session.get_one(ModelVersion, model_id)
    seen: Any = select(DatasetItem.article_id).where(
        DatasetItem.dataset_id == model.dataset_id, DatasetItem.split == Split.TRAIN
    )
    if model.kind == ModelKind.FEW_SHOT:
        seen = [
            shot.article_id for shot in Prompt.from_json(model.prompt).shots if shot.article_id is not None
        ]
    query = select(func.count()).where(
        DatasetItem.dataset_id == dataset_id,
        DatasetItem.split == split,
        col(DatasetItem.article_id).in_(seen),
    )
    return session.exec(query).one()


def _answered(rows: pd.DataFrame, model: ModelVersion, split: Split) -> pd.DataFrame:
    if rows.empty:
        raise Refused(
            f"The {split} part of this dataset version is empty", "Build one with more days or rows"
        )
    known = rows[rows["sentiment"].notna()]
    if known.empty:
        raise Refused(
            f"{model.name} has no prediction for any article of this {split} part",
            "Choose a dataset version whose articles it predicted, or a model that can answer",
        )
    return known


def _market_days(rows: pd.DataFrame, dataset: DatasetVersion) -> list[str] | None:
    return rows["market_day"].tolist() if dataset.target == Target.DIRECTION else None


def _numbers(column: pd.Series) -> list[float | None]:
    """Return floats with None for what is missing."""
    values: Sequence[Any] = pd.to_numeric(column).tolist()
    return [None if pd.isna(value) else float(value) for value in values]
