"""Articles for the Samples page: a filtered page of them, one in full, and how imports went."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Select, String, cast, exists, func, or_
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, desc, select

from core.domain.types import Reason
from core.models import Article, HumanLabel, ImportRun, ModelVersion, Outcome, Prediction

#: Days of the outcome calendar a chart can show.
MAX_SESSIONS = 250


@dataclass(frozen=True)
class ArticleFilter:
    """Which articles to list; None and "" mean all.

    Parameters
    ----------
    status : str or None
        ``"sample"`` for those without a reason, else a reason code.
    label : str or None
        Class of the human label or of the market's direction.
    search : str
        Words that the title contains.
    """

    family: str | None = None
    status: str | None = None
    label: str | None = None
    search: str = ""


@dataclass(frozen=True)
class ArticleDetail:
    """One article with everything known of it."""

    article: Article
    outcome: Outcome | None
    labels: list[HumanLabel]
    #: prediction and name of the model version, newest first
    predictions: list[tuple[Prediction, str]]
    #: (id, title) of the other articles of its near-duplicate group
    near_duplicates: list[tuple[int, str]]


def count_articles(session: Session, wanted: ArticleFilter) -> int:
    """Return how many articles pass a filter."""
    return session.scalar(_filtered(select(func.count(col(Article.id))), wanted)) or 0


def article_page(session: Session, wanted: ArticleFilter, *, page: int, size: int) -> pd.DataFrame:
    """Return one page of articles, newest first and undated last.

    Returns
    -------
    DataFrame
        ``id, title, family, effective_at (aware UTC), reason, flags, direction, return_pct (percent),
        state, label, predicted, confidence (0-100)``; missing is None or NaN.
    """
    columns = (
        *(col(Article.id), col(Article.title), col(Article.family), col(Article.effective_at)),
        *(col(Article.reason), col(Article.flags)),
        *(col(Outcome.direction), col(Outcome.return_pct), col(Outcome.state)),
    )
    joined = select_columns(*columns).outerjoin(Outcome, col(Outcome.article_id) == col(Article.id))
    query = _filtered(joined, wanted)
    query = query.order_by(desc(Article.effective_at), desc(Article.id)).limit(size).offset((page - 1) * size)
    result = session.execute(query)
    frame = pd.DataFrame(result.all(), columns=list(result.keys()))
    ids = frame["id"].tolist()
    answers = _newest_predictions(session, ids)
    return frame.assign(
        label=frame["id"].map(_labels(session, ids)),
        predicted=frame["id"].map({key: sentiment for key, (sentiment, _) in answers.items()}),
        confidence=frame["id"].map({key: confidence for key, (_, confidence) in answers.items()}),
    )


def _filtered(query: Select[*tuple[Any, ...]], wanted: ArticleFilter) -> Select[*tuple[Any, ...]]:
    if wanted.family:
        query = query.where(col(Article.family) == wanted.family)
    if wanted.status == "sample":
        query = query.where(col(Article.reason).is_(None))
    elif wanted.status:
        query = query.where(col(Article.reason) == wanted.status)
    if wanted.label:
        by_market = exists().where(
            col(Outcome.article_id) == Article.id, col(Outcome.direction) == wanted.label
        )
        by_person = exists().where(
            col(HumanLabel.article_id) == Article.id, col(HumanLabel.sentiment) == wanted.label
        )
        query = query.where(or_(by_market.correlate(Article), by_person.correlate(Article)))
    for part in wanted.search.split():
        query = query.where(col(Article.title).icontains(part, autoescape=True))
    return query


def _labels(session: Session, ids: list[int]) -> dict[int, str]:
    """Return the human label of each article that has one; conflicting ones joined by a slash."""
    query = select(HumanLabel.article_id, HumanLabel.sentiment).where(col(HumanLabel.article_id).in_(ids))
    found: dict[int, set[str]] = {}
    for article_id, sentiment in session.exec(query):
        found.setdefault(article_id, set()).add(sentiment)
    return {article_id: "/".join(sorted(sentiments)) for article_id, sentiments in found.items()}


def _newest_predictions(session: Session, ids: list[int]) -> dict[int, tuple[str, float | None]]:
    query = select(Prediction.article_id, Prediction.sentiment, Prediction.confidence)
    query = query.where(col(Prediction.article_id).in_(ids)).order_by(col(Prediction.id))
    return {article_id: (sentiment, confidence) for article_id, sentiment, confidence in session.exec(query)}


def article_detail(session: Session, article_id: int) -> ArticleDetail | None:
    """Return one article in full, or None when it is gone."""
    article = session.get(Article, article_id)
    if article is None:
        return None
    labels = select(HumanLabel).where(HumanLabel.article_id == article_id).order_by(desc(HumanLabel.id))
    predictions = (
        select(Prediction, ModelVersion.name)
        .join(ModelVersion, col(ModelVersion.id) == col(Prediction.model_id))
        .where(Prediction.article_id == article_id)
        .order_by(desc(Prediction.id))
        .limit(20)
    )
    group = article.near_duplicate_group
    twins = select(Article.id, Article.title).where(
        Article.near_duplicate_group == group, Article.id != article_id
    )
    return ArticleDetail(
        article,
        session.get(Outcome, article_id),
        list(session.exec(labels)),
        list(session.exec(predictions).all()),
        [(key or 0, title) for key, title in session.exec(twins.limit(20))] if group is not None else [],
    )


def sessions(session: Session) -> pd.DataFrame:
    """Return articles by deciding session and state of the outcome: ``session, state, n``.

    Articles that are no samples for another reason than a missing label are left out; the newest 250
    sessions are kept.
    """
    relevant = or_(col(Article.reason).is_(None), col(Article.reason) == Reason.NO_LABEL)
    query = (
        select_columns(col(Outcome.session), col(Outcome.state), func.count())
        .join(Article, col(Article.id) == col(Outcome.article_id))
        .where(relevant, col(Outcome.session).is_not(None))
        .group_by(col(Outcome.session), col(Outcome.state))
        .order_by(desc(Outcome.session))
        .limit(3 * MAX_SESSIONS)
    )
    frame = pd.DataFrame(session.execute(query).all(), columns=["session", "state", "n"])
    kept = frame["session"].drop_duplicates().head(MAX_SESSIONS)
    return frame[frame["session"].isin(kept)].sort_values("session", ignore_index=True)


def flag_counts(session: Session) -> dict[str, int]:
    """Return how many articles carry each quality flag, most frequent first."""
    query = select(Article.flags).where(cast(Article.flags, String) != "[]")
    return dict(Counter(flag for flags in session.exec(query) for flag in flags).most_common())


def void_reasons(session: Session) -> dict[str, int]:
    """Return how many outcomes cannot be known, by reason."""
    query = select(Outcome.void_reason, func.count()).where(col(Outcome.void_reason).is_not(None))
    rows = session.exec(query.group_by(col(Outcome.void_reason)))
    return {reason: n for reason, n in rows if reason is not None}


def imports(session: Session, limit: int = 20) -> list[ImportRun]:
    """Return the newest imports with the report of each file."""
    return list(session.exec(select(ImportRun).order_by(desc(ImportRun.id)).limit(limit)))
