"""What a model version has seen of a part before it is scored there: in training, in a prompt, in a choice."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Session, col, select

from core.domain.prompting import Prompt
from core.domain.types import ModelKind, Split
from core.models import DatasetItem, ModelVersion


def contaminated(session: Session, model_id: int, dataset_id: int, split: Split) -> int:
    """Return how many items of a part a model version was trained on, or shown in its prompt.

    Of a cascade: those that either of its two models was trained on or shown.
    """
    made_of = _made_of(session, model_id)
    shown = {article_id for model in made_of for article_id in _shown(model)}
    seen = or_(col(DatasetItem.article_id).in_(shown), _in_part(map(_taught_from, made_of), Split.TRAIN))
    return _count(session, dataset_id, split, seen)


def selected_on(session: Session, model_id: int, dataset_id: int, split: Split) -> bool:
    """Tell whether some items of a part helped to choose the model version: by its validation, its threshold.

    A model that was picked because it did well there looks better there than it is. Vendors report the loss
    on the validation part of the dataset version a model is trained from, and a cascade's threshold is chosen
    on that of another.
    """
    made_of = _made_of(session, model_id)
    model = session.get_one(ModelVersion, model_id)
    chosen_on = model.params.get("dataset_id") if model.kind == ModelKind.CASCADE else None
    helped = _in_part([*map(_taught_from, made_of), chosen_on], Split.VALIDATION)
    return _count(session, dataset_id, split, helped) > 0


def _made_of(session: Session, model_id: int) -> list[ModelVersion]:
    """Return the model, or the two of a cascade as far as they are still there."""
    model = session.get_one(ModelVersion, model_id)
    if model.kind != ModelKind.CASCADE:
        return [model]
    parts = (session.get(ModelVersion, int(model.params[name])) for name in ("first_id", "second_id"))
    return [part for part in parts if part is not None]


def _shown(model: ModelVersion) -> list[int]:
    shots = Prompt.from_json(model.prompt).shots
    return [shot.article_id for shot in shots if shot.article_id is not None]


def _taught_from(model: ModelVersion) -> int | None:
    """Return the dataset version a model learned from; a few-shot one has seen what its prompt shows only."""
    return None if model.kind == ModelKind.FEW_SHOT else model.dataset_id


def _in_part(dataset_ids: Iterable[int | None], split: Split) -> ColumnElement[bool]:
    """Return the condition that an item's article also stands in a part of one of these dataset versions."""
    known = [dataset_id for dataset_id in dataset_ids if dataset_id is not None]
    articles = select(DatasetItem.article_id).where(
        col(DatasetItem.dataset_id).in_(known), DatasetItem.split == split
    )
    return col(DatasetItem.article_id).in_(articles)


def _count(session: Session, dataset_id: int, split: Split, condition: Any) -> int:
    query = select(func.count()).where(
        DatasetItem.dataset_id == dataset_id, DatasetItem.split == split, condition
    )
    return session.exec(query).one()
