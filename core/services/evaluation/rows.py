"""The stored answers of models beside the gold labels of a part."""

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import func
from sqlmodel import Session, col, select

from core.domain.compare import Facts
from core.domain.types import Split, Target
from core.errors import NotFound, Refused
from core.models import DatasetItem, DatasetVersion, ModelVersion, Outcome, Prediction
from core.services.evaluation import seen

_COLUMNS = ["article_id", "label", "market_day", "intraday", "sentiment", "confidence", "latency_ms"]


@dataclass(frozen=True)
class Scored:
    """The stored answers of one model on one split.

    Parameters
    ----------
    model : ModelVersion
        Who answered.
    rows : pandas.DataFrame
        One row an item of the split, in its order: ``article_id, label, market_day, intraday,
        sentiment, confidence, latency_ms``; the last three are missing where the model gave no answer.
    seen : frozenset of int
        Articles of the split on which this model was trained, or which its prompt shows.
    selected_on : bool
        Whether items of the split helped to choose this model.
    """

    model: ModelVersion
    rows: pd.DataFrame
    seen: frozenset[int]
    selected_on: bool

    @property
    def contaminated(self) -> int:
        """How many of the articles it answered it had seen."""
        return self.seen_among(self.rows["sentiment"].notna())

    def seen_among(self, rows: "pd.Series[bool]") -> int:
        """Return how many of the given rows it had seen."""
        return int((self.rows["article_id"].isin(self.seen) & rows).sum())

    @property
    def answers(self) -> list[str | None]:
        """The class it gave each item, None where it gave none."""
        said = self.rows["sentiment"]
        pairs = zip(said.tolist(), said.isna().tolist(), strict=True)
        return [None if missing else str(answer) for answer, missing in pairs]

    def facts(self, cost_per_1000_micro_usd: int | None) -> Facts:
        """Return confidences, latencies and cost as a comparison takes them."""
        return Facts(
            numbers(self.rows["confidence"]), numbers(self.rows["latency_ms"]), cost_per_1000_micro_usd
        )


def pair(session: Session, model_id: int, dataset_id: int) -> tuple[ModelVersion, DatasetVersion]:
    """Return a model and a dataset version on which it may be scored.

    Raises
    ------
    NotFound
        If one of them does not exist.
    Refused
        If their targets differ.
    """
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


def scored(session: Session, model: ModelVersion, dataset_id: int, split: Split) -> Scored:
    """Read the items of a split with a model's stored batch answers beside them.

    Raises
    ------
    Refused
        If the split is empty, or the model has no answer on any of its items.
    """
    answer = (col(Prediction.article_id) == DatasetItem.article_id) & (
        (col(Prediction.model_id) == model.id) & (col(Prediction.request_id) == "")
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
    # as tuples: pandas asks every other kind of row for names that it does not have
    rows = pd.DataFrame([tuple(row) for row in session.exec(query)], columns=_COLUMNS)
    _check(rows, model, split)
    model_id = int(model.id or 0)
    return Scored(
        model,
        rows,
        seen.articles(session, model_id, dataset_id, split),
        seen.selected_on(session, model_id, dataset_id, split),
    )


def _check(rows: pd.DataFrame, model: ModelVersion, split: Split) -> None:
    if rows.empty:
        raise Refused(
            f"The {split} part of this dataset version is empty", "Build one with more days or rows"
        )
    if rows["sentiment"].isna().all():
        raise Refused(
            f"{model.name} has no prediction for any article of this {split} part",
            "Choose a dataset version whose articles it predicted, or a model that can answer",
        )


def market_days(rows: pd.DataFrame, dataset: DatasetVersion) -> list[str] | None:
    """Return the market day of each row where labels come from the market, else None."""
    return rows["market_day"].tolist() if dataset.target == Target.DIRECTION else None


def numbers(column: pd.Series) -> list[float | None]:
    """Return floats with None for what is missing."""
    known = pd.to_numeric(column)
    pairs = zip(known.tolist(), known.isna().tolist(), strict=True)
    return [None if missing else float(value) for value, missing in pairs]
