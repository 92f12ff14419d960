"""The samples of a dataset version as they are taught: the gold label with the answer around it."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from sqlmodel import Session, col, desc, select

from core.domain.policy import Policy
from core.domain.training_format import Answer, outcome_sentence, teach
from core.domain.types import ModelKind, Sentiment, Split, Target
from core.models import Article, DatasetItem, DatasetVersion, ModelVersion, Outcome, Prediction


@dataclass(frozen=True)
class Sample:
    """One sample with everything that teaching may need of it.

    Parameters
    ----------
    item, article, outcome
        Its row in the dataset version, its text, and what the market did, where known.
    said : Prediction or None
        What the few-shot model with which the article was imported said of it.
    target : str
        What the dataset version is about.
    policy : Policy
        The confidence of answers that have none of their own.
    """

    item: DatasetItem
    article: Article
    outcome: Outcome | None
    said: Prediction | None
    target: str
    policy: Policy

    @cached_property
    def answer(self) -> Answer:
        """The answer to teach: always the gold class."""
        said, outcome, reason = self.said, self.outcome, None
        if self.target == Target.DIRECTION and outcome is not None and outcome.return_pct is not None:
            reason = outcome_sentence(self.article.family, outcome.return_pct, partial=outcome.partial)
        return teach(
            Sentiment(self.item.label),
            self.article.title,
            self.policy,
            said=(said.sentiment, said.confidence, said.keywords, said.rationale) if said else None,
            outcome_reason=reason,
        )


def samples(
    session: Session, dataset: DatasetVersion, policy: Policy, splits: Collection[Split] = tuple(Split)
) -> list[Sample]:
    """Return the samples of some parts of a dataset version in their frozen order.

    The same version always gives the same: only imported predictions lend an answer, not what models of
    ours say later.
    """
    of_parts = (col(DatasetItem.dataset_id) == dataset.id) & col(DatasetItem.split).in_(splits)
    found = session.exec(
        select(DatasetItem, Article, Outcome)
        .join(Article, col(Article.id) == col(DatasetItem.article_id))
        .outerjoin(Outcome, col(Outcome.article_id) == col(Article.id))
        .where(of_parts)
        .order_by(col(DatasetItem.split), col(DatasetItem.position))
    ).all()
    imported = (
        select(Prediction)
        .join(DatasetItem, col(DatasetItem.article_id) == col(Prediction.article_id))
        .join(ModelVersion, col(ModelVersion.id) == col(Prediction.model_id))
        .where(
            of_parts,
            ModelVersion.kind == ModelKind.FEW_SHOT,
            ModelVersion.provider == "imported",
            Prediction.request_id == "",
        )
        .order_by(desc(Prediction.id))  # the one it came with comes last and stays
    )
    said = {prediction.article_id: prediction for prediction in session.exec(imported)}
    return [
        Sample(item, article, outcome, said.get(item.article_id), dataset.target, policy)
        for item, article, outcome in found
    ]
