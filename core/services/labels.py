"""What people say of articles: gold for the target sentiment."""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col

from core.domain.types import Reason, Sentiment
from core.errors import NotFound, Refused
from core.models import Article, HumanLabel


def label_article(
    session: Session, article_id: int, *, sentiment: Sentiment, reviewer: str, now: datetime
) -> HumanLabel:
    """Store a reviewer's label of an article, in place of the same reviewer's earlier one.

    On an article on which reviewers disagree, the label settles the matter; the others are kept.

    Raises
    ------
    NotFound
        If the article does not exist.
    Refused
        If the reviewer has no name.
    """
    if not reviewer.strip():
        raise Refused("A label needs a reviewer", "Give your name")
    article = session.get(Article, article_id)
    if article is None:
        raise NotFound("article", article_id, "It may have been removed with the demo data")
    same_reviewer = col(HumanLabel.reviewer) == reviewer.strip()
    session.exec(delete(HumanLabel).where(col(HumanLabel.article_id) == article_id, same_reviewer))
    label = HumanLabel(
        article_id=article_id,
        sentiment=sentiment,
        reviewer=reviewer.strip(),
        settles=article.reason == Reason.LABEL_CONFLICT,
        created_at=now,
    )
    session.add(label)
    session.commit()
    return label
