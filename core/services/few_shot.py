"""Few-shot model versions: a base model with a prompt that shows it three solved articles."""

import json
from datetime import datetime
from hashlib import sha256

from sqlalchemy import func
from sqlmodel import Session, col, select

from core.domain.policy import Policy
from core.domain.prompting import Prompt, Shot, few_shot_prompt
from core.domain.training_format import teach
from core.domain.types import ModelKind, Origin, Sentiment, Split
from core.errors import NotFound, Refused
from core.models import Article, DatasetItem, DatasetVersion, ModelVersion, Prediction

#: Characters of title and body together: an example is sent, and paid, with every request.
MAX_SHOT_CHARS = 1_500


def create_few_shot(
    session: Session,
    policy: Policy,
    *,
    provider: str,
    base_model: str,
    dataset_id: int | None,
    simulated: bool,
    actor: str,
    now: datetime,
) -> ModelVersion:
    """Store a few-shot model version and return it; the same request again returns the one there is.

    Parameters
    ----------
    provider, base_model : str
        Who answers, and the vendor's name of the model.
    dataset_id : int or None
        Dataset version whose training part lends its success articles; None takes the default examples.
    simulated : bool
        Whether the provider is a simulation. A prompt that shows a demo article is simulated too.

    Raises
    ------
    NotFound
        If there is no such dataset version.
    Refused
        If no base model is named.
    """
    if not base_model.strip():
        raise Refused("No base model is named", "Choose one of the provider's models")
    dataset = _dataset(session, dataset_id)
    prompt = few_shot_prompt(policy.system_prompt, _shots(session, policy, dataset_id) if dataset_id else {})
    fresh = ModelVersion(
        name=_name(provider, base_model, dataset_id, prompt),
        kind=ModelKind.FEW_SHOT,
        provider=provider,
        base_model=base_model,
        target=dataset.target if dataset else None,
        dataset_id=dataset_id,
        prompt=prompt.as_json(),
        params={"created_by": actor},
        simulated=simulated or _shows_demo(session, prompt),
        created_at=now,
    )
    same = select(ModelVersion).where(
        ModelVersion.name == fresh.name,
        ModelVersion.kind == ModelKind.FEW_SHOT,
        ModelVersion.provider == provider,
    )
    known = session.exec(same).first()
    if known is None:
        session.add(fresh)
    session.commit()
    return known or fresh


def _dataset(session: Session, dataset_id: int | None) -> DatasetVersion | None:
    if dataset_id is None:
        return None
    dataset = session.get(DatasetVersion, dataset_id)
    if dataset is None:
        raise NotFound("dataset version", dataset_id, "List them with the command 'datasets'")
    return dataset


def _name(provider: str, base_model: str, dataset_id: int | None, prompt: Prompt) -> str:
    """Return a name that only the same request gives."""
    request = json.dumps([provider, base_model, dataset_id, prompt.as_json()], ensure_ascii=False)
    return f"{provider}-few-shot-{base_model}-{sha256(request.encode()).hexdigest()[:8]}"


def _shots(session: Session, policy: Policy, dataset_id: int) -> dict[Sentiment, Shot]:
    """Return the best success article of each class of a training part, where there is one.

    A success article came with a prediction that agreed with its gold label. The most confident is taken,
    of equals the shorter, then the one that was stored first.
    """
    length = func.length(Article.title) + func.length(func.coalesce(Article.body, ""))
    # the prediction that an article came with is its first by a few-shot model: later ones may be of a
    # model that was shown this very article
    first = (
        select(func.min(Prediction.id))
        .join(ModelVersion, col(ModelVersion.id) == col(Prediction.model_id))
        .where(
            Prediction.article_id == DatasetItem.article_id,
            Prediction.request_id == "",
            ModelVersion.kind == ModelKind.FEW_SHOT,
        )
        .correlate(DatasetItem)
        .scalar_subquery()
    )
    query = (
        select(Article, Prediction)
        .join(DatasetItem, col(DatasetItem.article_id) == col(Article.id))
        .join(Prediction, col(Prediction.id) == first)
        .where(
            DatasetItem.dataset_id == dataset_id,
            DatasetItem.split == Split.TRAIN,
            Prediction.sentiment == DatasetItem.label,
            ~col(Article.placeholder),
            length <= MAX_SHOT_CHARS,
        )
        .order_by(func.coalesce(Prediction.confidence, -1).desc(), length, col(Article.id))
    )
    return {
        label: _shot(policy, label, *found)
        for label in Sentiment
        if (found := session.exec(query.where(DatasetItem.label == label).limit(1)).first())
    }


def _shot(policy: Policy, label: Sentiment, article: Article, said: Prediction) -> Shot:
    lent = (said.sentiment, said.confidence, said.keywords, said.rationale)
    answer = teach(label, article.title, policy, said=lent)
    return Shot(article.title, article.body, answer, article.id)


def _shows_demo(session: Session, prompt: Prompt) -> bool:
    shown = [shot.article_id for shot in prompt.shots if shot.article_id is not None]
    demo = select(Article.id).where(col(Article.id).in_(shown), Article.origin == Origin.DEMO)
    return session.exec(demo.limit(1)).first() is not None
