"""What a trainer is handed: the train and validation rows of a dataset version, as they are taught."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session

from core.domain.policy import Policy
from core.domain.types import Sentiment, Split
from core.errors import NotFound
from core.models import DatasetVersion
from core.providers.base import NewsText, TrainingRow, TrainingSpec
from core.queries.taught import samples


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
    parts: dict[str, list[TrainingRow]] = {Split.TRAIN: [], Split.VALIDATION: []}
    for sample in samples(session, dataset, policy, (Split.TRAIN, Split.VALIDATION)):
        text, item = NewsText(sample.article.title, sample.article.body), sample.item
        row = TrainingRow(text, Sentiment(item.label), item.weight, sample.answer)
        parts[item.split].append(row)
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
