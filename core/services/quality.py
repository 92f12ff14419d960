"""Decide, for every article, whether it is a sample and if not why; take single ones out by hand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from core.db import let_go
from core.domain.duplicates import Story, near_duplicate_groups
from core.domain.policy import Policy
from core.domain.types import OutcomeState, Reason
from core.domain.waterfall import ArticleFacts, reason, superseded, unique_articles
from core.errors import NotFound, Refused
from core.models import Article, HumanLabel, Outcome


@dataclass(frozen=True)
class _Derived:
    """What this service keeps on an article."""

    reason: str | None
    near_duplicate_group: int | None
    gold_sentiment: str | None


def refresh_reasons(session: Session, policy: Policy, *, now: datetime) -> dict[str, int]:  # noqa: ARG001 - as every service
    """Recompute every article's reason, near-duplicate group and gold sentiment; write changes, commit.

    Comparing texts is slow and happens with no transaction open; if the set of unique articles has
    changed meanwhile, it is done again. Everything else is read and written in one transaction.

    Returns
    -------
    dict of str to int
        ``eligible``: articles without a reason; ``reasons_changed``: rows written;
        ``near_duplicate_groups``.
    """
    compared: tuple[int, ...] = ()
    groups: list[tuple[int, ...]] = []
    while True:
        facts, stored, gold = _facts(session)
        unique = unique_articles(facts)
        if unique == compared:
            break
        stories = _stories(session, unique)
        let_go(session)
        groups, compared = _near_duplicates(stories, policy), unique
    wanted = _derive(facts, groups, gold)
    changes = [{"id": key} | vars(derived) for key, derived in wanted.items() if stored[key] != derived]
    if changes:
        session.execute(update(Article), changes)
    session.commit()
    return {
        "eligible": sum(derived.reason is None for derived in wanted.values()),
        "reasons_changed": len(changes),
        "near_duplicate_groups": len(groups),
    }


def _facts(session: Session) -> tuple[list[ArticleFacts], dict[int, _Derived], dict[int, str]]:
    """Return what decides the reasons, what is stored by article id, and the agreed human labels."""
    matured = set(session.scalars(select(Outcome.article_id).where(Outcome.state == OutcomeState.MATURED)))
    votes = _votes(session)
    labels = {article_id: classes for article_id, (classes, _) in votes.items()}
    gold = {article_id: label for article_id, (classes, label) in votes.items() if classes == 1}
    columns: list[Any] = [
        Article.id,
        Article.url,
        Article.placeholder,
        Article.scraped_at,
        Article.import_id,
        Article.excluded_reason,
        Article.reason,
        Article.near_duplicate_group,
        Article.gold_sentiment,
    ]
    rows = session.execute(select(*columns).order_by(col(Article.id))).all()
    facts = [
        ArticleFacts(
            article_id=row[0],
            url=row[1],
            placeholder=row[2],
            scraped_at=row[3],
            import_id=row[4],
            has_outcome=row[0] in matured,
            labels=labels.get(row[0], 0),
            excluded=row[5] is not None,
        )
        for row in rows
    ]
    return facts, {row[0]: _Derived(*row[6:9]) for row in rows}, gold


def _votes(session: Session) -> dict[int, tuple[int, str]]:
    """Return for each labelled article how many classes people gave it, and one of them.

    Where a label settles a disagreement, only settling labels count.
    """
    query = select(
        col(HumanLabel.article_id),
        func.count(func.distinct(HumanLabel.sentiment)),
        func.min(HumanLabel.sentiment),
    ).group_by(col(HumanLabel.article_id))
    votes = {row[0]: (row[1], row[2]) for row in session.execute(query)}
    settled = session.execute(query.where(col(HumanLabel.settles)))
    return votes | {row[0]: (row[1], row[2]) for row in settled}


def _stories(session: Session, unique: tuple[int, ...]) -> list[Story]:
    wanted = set(unique)
    rows = session.execute(
        select(col(Article.id), col(Article.title), col(Article.body), col(Article.effective_at))
    )
    return [Story(i, title, body, at) for i, title, body, at in rows if i in wanted and i is not None]


def _near_duplicates(stories: list[Story], policy: Policy) -> list[tuple[int, ...]]:
    return near_duplicate_groups(
        tuple(stories),
        jaccard=policy.near_duplicate_jaccard,
        days=policy.near_duplicate_days,
        short_title_chars=policy.short_title_chars,
    )


def _derive(
    facts: list[ArticleFacts], groups: list[tuple[int, ...]], gold: dict[int, str]
) -> dict[int, _Derived]:
    older = superseded(facts)
    group_of = {article_id: min(group) for group in groups for article_id in group}
    kept = {group[0] for group in groups}
    derived = {}
    for article in facts:
        key = article.article_id
        group = group_of.get(key)
        code = reason(article, superseded=key in older, near_duplicate=group is not None and key not in kept)
        derived[key] = _Derived(code, group, gold.get(key))
    return derived


def exclude(session: Session, article_id: int, *, why: str, now: datetime) -> Article:  # noqa: ARG001 - as every service
    """Take one article out of the samples, with the reason a person gives; commit.

    An article that is no sample for an earlier reason keeps that reason.

    Raises
    ------
    Refused
        If `why` is blank.
    NotFound
        If there is no such article.
    """
    if not why.strip():
        raise Refused("An article cannot be excluded without a reason", "Say why it is taken out")
    article = _article(session, article_id)
    article.excluded_reason = why.strip()
    if article.reason is None:
        article.reason = Reason.EXCLUDED_BY_HAND
    session.commit()
    return article


def restore(session: Session, article_id: int, *, now: datetime) -> Article:  # noqa: ARG001 - as every service
    """Take back an exclusion by hand; commit. An article that was not excluded stays as it is.

    Raises
    ------
    NotFound
        If there is no such article.
    """
    article = _article(session, article_id)
    article.excluded_reason = None
    # It is the last question of the waterfall, so nothing else can stand behind it.
    if article.reason == Reason.EXCLUDED_BY_HAND:
        article.reason = None
    session.commit()
    return article


def _article(session: Session, article_id: int) -> Article:
    article = session.get(Article, article_id, populate_existing=True)
    if article is None:
        raise NotFound("article", article_id, "Look its number up on the Samples page")
    return article
