"""Near-duplicate articles: the same story again, found exactly and without comparing all pairs.

Two articles are near-duplicates when the sets of character 4-grams of their normalised title and body
have a Jaccard similarity of at least a threshold and they lie within some days of each other (an undated
one is compared with all). Short titles are duplicates only when the whole text is equal.

The search is a prefix-filtered set similarity join: order the grams of every text from rare to common;
two sets that are similar enough must share a gram among the first few of each, so only those are indexed.
It is exact. References: C. Xiao et al., "Efficient similarity joins for near duplicate detection", 2008;
J. Wang et al., "Can we beat the prefix filtering?", 2012 (asking for several shared grams, not one).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core.domain.text import char_ngrams, normalise

#: Guards the ceilings below against 0.1 + 0.2; a prefix one gram too long costs nothing but time.
_SLACK = 1e-9
#: Grams that the prefixes of a similar pair must share. More means longer prefixes and fewer candidates.
_SHARED = 4
#: Rows of the sparse product computed at a time; bounds the memory.
_BLOCK = 256
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Story:
    """One article as the search sees it.

    Parameters
    ----------
    at : datetime or None
        When it was published, aware; None = undated.
    """

    article_id: int
    title: str
    body: str | None
    at: datetime | None


@lru_cache(maxsize=1)
def near_duplicate_groups(
    stories: tuple[Story, ...], *, jaccard: float, days: int, short_title_chars: int
) -> list[tuple[int, ...]]:
    """Return the groups of two or more near-duplicates, each with the article to keep first.

    The last answer is kept: texts never change, so between two imports the question is the same.

    Groups are connected components. The earliest published is kept; undated ones come after the dated
    ones, in order of their id.

    Parameters
    ----------
    jaccard : float
        Similarity (0-1] from which two texts are near-duplicates.
    days : int
        Dated articles further apart than this are never compared.
    short_title_chars : int
        Normalised titles shorter than this need equal texts.
    """
    by_text: dict[str, list[Story]] = defaultdict(list)
    long_titled: dict[str, list[Story]] = defaultdict(list)
    for story in stories:
        text = normalise(f"{story.title} {story.body or ''}")
        by_text[text].append(story)
        if len(normalise(story.title)) >= short_title_chars:
            long_titled[text].append(story)
    return _components(stories, _links(by_text, long_titled, jaccard, timedelta(days=days)))


def _links(
    by_text: dict[str, list[Story]],
    long_titled: dict[str, list[Story]],
    jaccard: float,
    window: timedelta,
) -> Iterator[tuple[int, int]]:
    """Yield enough pairs of near-duplicates to connect every group."""
    for same in by_text.values():
        if len(same) > 1:
            yield from _close_in_time(same, same, window)
    texts = list(long_titled)
    for first, second in similar_pairs((char_ngrams(text) for text in texts), jaccard):
        yield from _close_in_time(long_titled[texts[first]], long_titled[texts[second]], window)


def _close_in_time(
    first: Sequence[Story], second: Sequence[Story], window: timedelta
) -> Iterator[tuple[int, int]]:
    """Yield pairs that connect two lists of stories whose texts are equal or similar enough.

    An undated story is close to all of them. Otherwise the nearest neighbours in time suffice: two
    equal texts on the same side of a story, both within the window, are within it of each other.
    """
    hub = next((story for story in (*second, *first) if story.at is None), None)
    if hub is not None:
        yield from ((hub.article_id, s.article_id) for s in (*first, *second) if s is not hub)
        return
    dated = sorted((story.at, story.article_id) for story in second if story.at is not None)
    for story in first:
        if story.at is None:
            continue
        here = bisect_left(dated, (story.at, story.article_id))
        # Where a list is linked with itself, the story stands at `here` and its successor after it.
        for at, other in dated[max(here - 1, 0) : here + 2]:
            if other != story.article_id and abs(at - story.at) <= window:
                yield story.article_id, other


def similar_pairs(sets: Iterable[frozenset[str]], jaccard: float) -> Iterator[tuple[int, int]]:
    """Yield the positions of every pair of sets with Jaccard similarity >= `jaccard`, each once."""
    ranked = _rare_first(sets)
    for first, second in _candidates(ranked, jaccard):
        shared = len(np.intersect1d(ranked[first], ranked[second], assume_unique=True))
        if shared / (len(ranked[first]) + len(ranked[second]) - shared) >= jaccard:
            yield first, second


def _candidates(ranked: list[NDArray[np.int64]], jaccard: float) -> Iterator[tuple[int, int]]:
    """Yield a superset of the similar pairs.

    A similar pair shares at least ``ceil(jaccard * size)`` grams of its larger set. So of the first
    ``size - ceil(jaccard * size) + k`` grams of each, in one order for all, it shares at least k (or
    all it must share, where that is less). The counts come from a product of sparse matrices.
    """
    sizes = np.array([len(grams) for grams in ranked])
    due = np.ceil(jaccard * sizes - _SLACK).astype(int)
    prefixes = [grams[: size - need + _SHARED] for grams, size, need in zip(ranked, sizes, due, strict=True)]
    rows = np.repeat(np.arange(len(ranked)), [len(prefix) for prefix in prefixes])
    if not len(rows):
        return
    columns = np.concatenate(prefixes)
    matrix = csr_array((np.ones(len(rows), np.int32), (rows, columns)))
    transposed = matrix.T.tocsr()
    for start in range(0, len(ranked), _BLOCK):
        shared = (matrix[start : start + _BLOCK] @ transposed).tocoo()
        first, second = shared.row + start, shared.col
        large = np.maximum(sizes[first], sizes[second])
        needed = np.minimum(_SHARED, np.maximum(due[first], due[second]))
        hit = (first < second) & (shared.data >= needed)
        hit &= np.minimum(sizes[first], sizes[second]) >= jaccard * large - _SLACK
        yield from zip(first[hit].tolist(), second[hit].tolist(), strict=True)


def _rare_first(sets: Iterable[frozenset[str]]) -> list[NDArray[np.int64]]:
    """Return each set as ascending ranks of its grams; a low rank is a gram that few sets have."""
    number: dict[str, int] = {}
    coded = [
        np.fromiter((number.setdefault(gram, len(number)) for gram in grams), np.int64, len(grams))
        for grams in sets
    ]
    if not number:
        return coded
    rank = np.empty(len(number), np.int64)
    rank[np.argsort(np.bincount(np.concatenate(coded)), kind="stable")] = np.arange(len(number))
    return [np.sort(rank[codes]) for codes in coded]


def _components(stories: Sequence[Story], links: Iterator[tuple[int, int]]) -> list[tuple[int, ...]]:
    parent = {story.article_id: story.article_id for story in stories}

    def root(article_id: int) -> int:
        while parent[article_id] != article_id:
            parent[article_id] = parent[parent[article_id]]
            article_id = parent[article_id]
        return article_id

    for first, second in links:
        parent[root(first)] = root(second)
    groups: dict[int, list[Story]] = defaultdict(list)
    for story in sorted(stories, key=_keep_order):
        groups[root(story.article_id)].append(story)
    return [tuple(story.article_id for story in group) for group in groups.values() if len(group) > 1]


def _keep_order(story: Story) -> tuple[bool, datetime, int]:
    return story.at is None, story.at or _NEVER, story.article_id
