"""Why an article is not a sample: one reason each, asked in the order of `core.domain.types.Reason`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.domain.types import Reason

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    """What the waterfall needs to know of one article.

    Parameters
    ----------
    scraped_at : datetime or None
        Aware UTC; decides which observation of a url is the newest.
    import_id : int or None
        The import it came with; decides between equal scrape times.
    has_outcome : bool
        Its outcome has matured.
    labels : int
        Number of different classes that people gave it: 0 none, 1 agreed, more disagree.
    excluded : bool
        Taken out by hand.
    """

    article_id: int
    url: str | None
    placeholder: bool
    scraped_at: datetime | None
    import_id: int | None
    has_outcome: bool
    labels: int
    excluded: bool


def superseded(articles: Iterable[ArticleFacts]) -> set[int]:
    """Return the ids of the articles of which a newer scrape of the same url exists.

    Placeholders take no part. Equal scrape times: the later import stays, then the later article.
    """
    newest: dict[str, ArticleFacts] = {}
    older: set[int] = set()
    for article in articles:
        if article.placeholder or not article.url:
            continue
        rival = newest.setdefault(article.url, article)
        if rival is article:
            continue
        loser, winner = sorted((rival, article), key=_recency)
        newest[article.url] = winner
        older.add(loser.article_id)
    return older


def _recency(article: ArticleFacts) -> tuple[datetime, int, int]:
    return article.scraped_at or _NEVER, article.import_id or 0, article.article_id


def unique_articles(articles: Sequence[ArticleFacts]) -> tuple[int, ...]:
    """Return the ids, ascending, that survive the first two steps: real body, newest of its url."""
    older = superseded(articles)
    return tuple(sorted(a.article_id for a in articles if not a.placeholder and a.article_id not in older))


def reason(article: ArticleFacts, *, superseded: bool, near_duplicate: bool) -> Reason | None:
    """Return the first reason that excludes an article; None means that it is a sample."""
    checks = {
        Reason.PLACEHOLDER_BODY: article.placeholder,
        Reason.DUPLICATE_URL: superseded,
        Reason.NEAR_DUPLICATE: near_duplicate,
        Reason.NO_LABEL: not article.has_outcome and article.labels == 0,
        Reason.LABEL_CONFLICT: article.labels > 1,
        Reason.EXCLUDED_BY_HAND: article.excluded,
    }
    return next((code for code in Reason if checks[code]), None)
