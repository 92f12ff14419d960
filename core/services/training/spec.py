"""What a trainer is handed: the train and validation rows of a dataset version, as they are taught."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, desc, select

from core.domain.policy import Policy
from core.domain.training_format import outcome_sentence, teach
from core.domain.types import ModelKind, Sentiment, Split, Target
from core.errors import NotFound
from core.models import Article, DatasetItem, DatasetVersion, ModelVersion, Outcome, Prediction
from core.providers.base import NewsText, TrainingRow, TrainingSpec


def training_spec(
    session: Session, dataset_id: int, config: Mapping[str, Any], policy: Policy | None = None
) -> TrainingSpec:
    """Return the train and validation rows of a dataset version; the test part stays where it is.

    Parameters
    ----------
    config : mapping
        A job's frozen configuration: ``hyperparameters``, ``seed``, and where given ``base_model`` and
        ``rows`` (a pilot trains on that many rows, classes in proportion, in their order).

    Raises
    ------
    NotFound
        If the dataset version does not exist.
    """
    policy = policy or Policy()
    dataset = session.get(DatasetVersion, dataset_id)
    if dataset is None:
        raise NotFound("dataset version", dataset_id, "List them with the command 'datasets'")
    parts = {split: _rows(session, dataset, split, policy) for split in (Split.TRAIN, Split.VALIDATION)}
    limit = config.get("rows")
    if limit is not None:
        parts = {
            Split.TRAIN: _in_proportion(parts[Split.TRAIN], int(limit)),
            Split.VALIDATION: _in_proportion(parts[Split.VALIDATION], max(1, int(limit) // 4)),
        }
    return TrainingSpec(
        train=tuple(parts[Split.TRAIN]),
        validation=tuple(parts[Split.VALIDATION]),
        hyperparameters=config["hyperparameters"],
        seed=config["seed"],
        base_model=config.get("base_model", ""),
        system=policy.system_prompt,
    )


def _rows(session: Session, dataset: DatasetVersion, split: Split, policy: Policy) -> list[TrainingRow]:
    query = (
        select(DatasetItem, Article, Outcome)
        .join(Article, col(Article.id) == DatasetItem.article_id)
        .outerjoin(Outcome, col(Outcome.article_id) == col(Article.id))
        .where(DatasetItem.dataset_id == dataset.id, DatasetItem.split == split)
        .order_by(col(DatasetItem.position))
    )
    said = _said(session, dataset, split)
    rows = []
    for item, article, outcome in session.exec(query):
        reason = None
        if dataset.target == Target.DIRECTION and outcome is not None and outcome.return_pct is not None:
            reason = outcome_sentence(article.family, outcome.return_pct, partial=outcome.partial)
        label = Sentiment(item.label)
        answer = teach(label, article.title, policy, said=said.get(item.article_id), outcome_reason=reason)
        rows.append(TrainingRow(NewsText(article.title, article.body), label, item.weight, answer))
    return rows


def _said(
    session: Session, dataset: DatasetVersion, split: Split
) -> dict[int, tuple[str, float | None, list[str], str | None]]:
    """Return what the few-shot model with which each article came in said of it."""
    query = (
        select(Prediction)
        .join(DatasetItem, col(DatasetItem.article_id) == col(Prediction.article_id))
        .join(ModelVersion, col(ModelVersion.id) == col(Prediction.model_id))
        .where(
            DatasetItem.dataset_id == dataset.id,
            DatasetItem.split == split,
            ModelVersion.kind == ModelKind.FEW_SHOT,
            Prediction.request_id == "",
        )
        .order_by(desc(Prediction.id))  # the one it came with comes last and stays
    )
    return {p.article_id: (p.sentiment, p.confidence, p.keywords, p.rationale) for p in session.exec(query)}


def _in_proportion(rows: Sequence[TrainingRow], n: int) -> list[TrainingRow]:
    """Return about `n` rows with the classes in proportion, each class's newest, in their order."""
    if n >= len(rows):
        return list(rows)
    kept: set[int] = set()
    for label in Sentiment:
        places = [place for place, row in enumerate(rows) if row.label == label]
        share = -(-len(places) * n // len(rows))  # rounded up: no class is lost
        kept.update(places[-share:] if share else ())
    return [row for place, row in enumerate(rows) if place in kept][-n:]
