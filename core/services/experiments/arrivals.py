"""Articles that come in by import or by the API while an experiment runs, and that it has not seen."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, or_
from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from core.domain.types import OutcomeState, Reason, Target
from core.models import Article, Experiment, ExperimentItem, Outcome, Prediction
from core.services.experiments.items import SIDES, Running, SideName


@dataclass(frozen=True)
class Unseen:
    """An article that a running experiment has not seen, with what its models have answered already."""

    article_id: int
    url: str | None
    content_hash: str
    title: str
    body: str | None
    champion_sentiment: str | None
    challenger_sentiment: str | None


def unseen(
    session: Session, one: Running, *, now: datetime, limit: int, answered: Collection[SideName] = ()
) -> list[Unseen]:
    """Return articles that came in since an experiment began and that are not part of it, oldest first.

    Left out are articles that are no samples whatever label comes (a duplicate, no text), and, where the market
    is the judge, those whose market has closed: to ask about them would be to ask too late.

    Parameters
    ----------
    answered : collection of {"champion", "challenger"}
        Only articles about which these sides have said something already. In the split mode too that does not
        depend on the arm: articles of one arm alone would break the ratio of both.
    """
    experiment = session.get_one(Experiment, one.id)
    said = {side: aliased(Prediction) for side in SIDES}
    query = (
        sa_select(
            col(Article.id),
            col(Article.url),
            col(Article.content_hash),
            col(Article.title),
            col(Article.body),
            *(col(said[side].sentiment) for side in SIDES),
        )
        .where(
            col(Article.effective_at) >= experiment.started_at,
            col(Article.created_at) >= experiment.started_at,  # `enrol` takes no other
            or_(col(Article.reason).is_(None), col(Article.reason) == Reason.NO_LABEL),
            ~exists().where(
                col(ExperimentItem.experiment_id) == one.id,
                col(ExperimentItem.article_id) == col(Article.id),
            ),
        )
        .order_by(col(Article.id))
        .limit(limit)
    )
    for side in SIDES:
        mine = said[side]
        query = query.outerjoin(
            mine,
            and_(
                col(mine.article_id) == col(Article.id),
                col(mine.model_id) == one.model_of(side),
                col(mine.request_id) == "",
            ),
        )
        if side in answered:
            query = query.where(col(mine.sentiment).is_not(None))
    if one.family is not None:
        query = query.where(col(Article.family) == one.family)
    if one.target == Target.DIRECTION:
        closed = exists().where(
            col(Outcome.article_id) == col(Article.id),
            or_(col(Outcome.closes_at) <= now, col(Outcome.state) == OutcomeState.VOID),
        )
        query = query.where(~closed)
    return [Unseen(*row) for row in session.execute(query)]
