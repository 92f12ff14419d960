"""Whether the articles that come in are still of the kind the model knows: language, length, source, doubles.

All of them are told as mixes of a few categories and tested alike (`core.domain.mix`). They warn only.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.domain.mix import Mix, Shift, mix_design_effect, mix_shift

#: A PSI below this is too small a change to look at, however certain it is among many articles.
MATERIAL = 0.05
#: Share of Hangul among the letters from which a text is Korean. A syllable says as much as two or three
#: Latin letters, and headlines are full of tickers and product names.
KOREAN_SHARE = 0.3

KOREAN, OTHER, NO_LETTERS = "korean", "other", "no_letters"
NO_SOURCE = "(no source)"

_LENGTH_PARTS = 4
_READ = 300  # characters that tell a language as well as all
_LETTER = re.compile(r"[^\W\d_]")
#: Syllables, the letters they are made of, and the compatibility letters of keyboards.
_HANGUL = re.compile(r"[가-힣\u1100-\u11ff\u3131-\u318e]")


@dataclass(frozen=True)
class Received:
    """An article as it came in.

    Parameters
    ----------
    day : str
        ISO date of its arrival.
    title : str
        As stored.
    body : str, optional
        None where the source gave none.
    source : str, optional
        Name of the feed or newspaper.
    duplicate : bool
        Whether the same story had come in before.
    """

    day: str
    title: str
    body: str | None
    source: str | None
    duplicate: bool

    @property
    def length(self) -> int:
        """Characters of title and body."""
        return len(self.title) + len(self.body or "")


@dataclass(frozen=True)
class Finding:
    """How one property of the articles differs from before.

    Parameters
    ----------
    about : str
        "language", "length", "source", "duplicates" or "body".
    shift : Shift
        The mixes of its categories then and now, with PSI and p value.
    changed : bool
        Whether the change is both certain and at least `MATERIAL`.
    """

    about: str
    shift: Shift
    changed: bool


def hangul_share(text: str) -> float | None:
    """Return the share of Hangul among the letters of `text`, 0-1; None where it has none."""
    letters = len(_LETTER.findall(text))
    return len(_HANGUL.findall(text)) / letters if letters else None


def language(article: Received) -> str:
    """Return `KOREAN`, `OTHER` or `NO_LETTERS` by the share of Hangul in title and body.

    The first 300 characters are read.
    """
    share = hangul_share(f"{article.title} {article.body or ''}"[:_READ])
    if share is None:
        return NO_LETTERS
    return KOREAN if share >= KOREAN_SHARE else OTHER


def summary(articles: Sequence[Received]) -> dict[str, Any]:
    """Return what the articles are like, as plain JSON values.

    Returns
    -------
    dict
        ``n``; ``korean``, ``duplicates`` and ``without_body``: shares 0-1, None without articles;
        ``length`` {p10, p50, p90} in characters, or None; ``sources`` {name: articles}, most frequent first.
    """
    n = len(articles)

    def share(holds: Callable[[Received], bool]) -> float | None:
        return sum(map(holds, articles)) / n if n else None

    sources = Counter(article.source or NO_SOURCE for article in articles)
    return {
        "n": n,
        "korean": share(lambda article: language(article) == KOREAN),
        "duplicates": share(lambda article: article.duplicate),
        "without_body": share(lambda article: not article.body),
        "length": _quantiles([article.length for article in articles]),
        "sources": dict(sorted(sources.items(), key=lambda item: (-item[1], item[0]))),
    }


def _quantiles(lengths: ArrayLike) -> dict[str, float] | None:
    known = np.asarray(lengths, dtype=float)
    if not known.size:
        return None
    return dict(zip(("p10", "p50", "p90"), map(float, np.quantile(known, (0.1, 0.5, 0.9))), strict=True))


def findings(reference: Sequence[Received], now: Sequence[Received], *, level: float) -> tuple[Finding, ...]:
    """Return how the articles of `now` differ from those of the reference, property by property.

    Parameters
    ----------
    reference : sequence of Received
        Articles of some earlier weeks; the variation between their days is taken as what is usual.
    now : sequence of Received
        Articles of one week, compared once and not day by day.
    level : float
        p value below which a change counts as certain.

    Notes
    -----
    The length is compared by the quarters of the reference's lengths, so that a change of the middle and
    one of the spread are both seen.
    """
    parts = np.arange(1, _LENGTH_PARTS) / _LENGTH_PARTS
    edges = np.quantile([each.length for each in reference] or [0], parts).tolist()
    properties: dict[str, Callable[[Received], str]] = {
        "language": language,
        "length": lambda article: f"quarter {bisect_left(edges, article.length) + 1}",
        "source": lambda article: article.source or NO_SOURCE,
        "duplicates": lambda article: "duplicate" if article.duplicate else "new",
        "body": lambda article: "with" if article.body else "without",
    }
    return tuple(_finding(about, reference, now, of, level) for about, of in properties.items())


def _finding(
    about: str,
    reference: Sequence[Received],
    now: Sequence[Received],
    category: Callable[[Received], str],
    level: float,
) -> Finding:
    by_day: dict[str, Counter[str]] = {}
    for article in reference:
        by_day.setdefault(article.day, Counter())[category(article)] += 1
    effect = mix_design_effect([Mix(day, counts) for day, counts in by_day.items()])
    before = sum(by_day.values(), Counter[str]())
    shift = mix_shift(before, Counter(map(category, now)), level=level, effect=effect)
    return Finding(about, shift, changed=shift.shifted and (shift.psi or 0.0) >= MATERIAL)
