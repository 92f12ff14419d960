"""What a model version has seen of a part before it is scored there: in training, in a prompt, in a choice."""

from collections.abc import Iterable

from sqlalchemy import func, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.domain.prompting import Prompt
from core.domain.types import ModelKind, Split
from core.models import Article, DatasetItem, ModelVersion


def contaminated(session: Session, model_id: int, dataset_id: int, split: Split) -> int:
    """Return how many items of a part a model version was trained on, or shown in its prompt; see `articles`."""
    return len(articles(session, model_id, dataset_id, split))


def articles(session: Session, model_id: int, dataset_id: int, split: Split) -> frozenset[int]:
    """Return the articles of a part that a model version was trained on, or shown in its prompt.

    Another telling of such a story counts as the story: one dataset version keeps them in one part, but a
    model may be scored on another. Of a cascade: what either of its two models was trained on or shown.
    """
    made_of = _made_of(session, model_id)
    shown = {article_id for model in made_of for article_id in _shown(model)}
    taught = [dataset_id for dataset_id in map(_taught_from, made_of) if dataset_id is not None]
    if not shown and not taught:
        return frozenset()
    seen = or_(col(Article.id).in_(shown), col(Article.id).in_(_of_part(taught, Split.TRAIN)))
    stories = select(Article.near_duplicate_group).where(seen, col(Article.near_duplicate_group).is_not(None))
    query = (
        select(DatasetItem.article_id)
        .join(Article, col(Article.id) == DatasetItem.article_id)
        .where(DatasetItem.dataset_id == dataset_id, DatasetItem.split == split)
        .where(or_(seen, col(Article.near_duplicate_group).in_(stories)))
    )
    return frozenset(session.exec(query))


def selected_on(session: Session, model_id: int, dataset_id: int, split: Split) -> bool:
    """Tell whether some items of a part helped to choose the model version: by its validation, its threshold.

    A model that was picked because it did well there looks better there than it is. Vendors report the loss
    on the validation part of the dataset version a model is trained from, and a cascade's threshold is chosen
    on that of another.
    """
    made_of = _made_of(session, model_id)
    model = session.get_one(ModelVersion, model_id)
    chosen_on = model.params.get("dataset_id") if model.kind == ModelKind.CASCADE else None
    known = [each for each in (*map(_taught_from, made_of), chosen_on) if each is not None]
    if not known:
        return False
    query = select(func.count()).where(
        DatasetItem.dataset_id == dataset_id,
        DatasetItem.split == split,
        col(DatasetItem.article_id).in_(_of_part(known, Split.VALIDATION)),
    )
    return session.exec(query).one() > 0


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


def _of_part(dataset_ids: Iterable[int], split: Split) -> SelectOfScalar[int]:
    """Return the query of the articles in a part of one of these dataset versions."""
    return select(DatasetItem.article_id).where(
        col(DatasetItem.dataset_id).in_(dataset_ids), DatasetItem.split == split
    )
