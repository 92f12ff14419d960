"""What the local model sees of a text: its words, its word pairs, and the characters inside its words.

Both halves weigh a term by presence times inverse document frequency and scale a row to unit length.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize

Floats = NDArray[np.float64]

#: Lengths of the character n-grams.
_SIZES = range(1, 5)
_CUT = {"analyzer": "char_wb", "ngram_range": (_SIZES[0], _SIZES[-1]), "binary": True, "lowercase": False}


def words_view(size: int, vocabulary: Sequence[str] | None = None) -> TfidfVectorizer:
    """Return the view of words and word pairs; to be fitted unless `vocabulary` gives its terms in order.

    Of more than `size` terms, the most frequent stay.
    """
    return TfidfVectorizer(
        token_pattern=r"(?u)\b\w+\b",  # noqa: S106 - a pattern of words, no secret
        ngram_range=(1, 2),
        binary=True,
        lowercase=False,
        max_features=size,
        vocabulary=vocabulary,
    )


class Characters:
    """One to four characters within words, as scikit-learn's ``char_wb`` analyser cuts them.

    Since such an n-gram never crosses a space, each distinct word is cut once and a text is the union
    of its words: the same features, several times faster than cutting every text. Terms of one text
    only are dropped; of more than `size`, those in most texts stay.
    """

    def __init__(self, terms: Sequence[str], idf: Floats) -> None:
        self.terms = list(terms)
        self.idf = idf
        self._column = {term: i for i, term in enumerate(self.terms)}
        self._cut = lru_cache(maxsize=50_000)(self._columns)  # news repeats its words

    @classmethod
    def fitted(cls, texts: Sequence[str], size: int) -> "Characters":
        """Return the view fitted on `texts`."""
        uses, words = _uses(texts)
        cutter = CountVectorizer(**_CUT)
        found = uses @ cutter.fit_transform(words)
        in_texts = np.bincount(found.indices, minlength=found.shape[1])
        kept = np.flatnonzero(in_texts > 1)
        if len(kept) > size:
            kept = np.sort(kept[np.argsort(-in_texts[kept], kind="stable")[:size]])
        idf = np.log((1 + len(texts)) / (1 + in_texts[kept])) + 1
        return cls(cutter.get_feature_names_out()[kept].tolist(), idf)

    def inside(self, words: Sequence[str]) -> csr_matrix:
        """Return which terms stand inside each word, shape (words, terms), 0 or 1."""
        columns: list[int] = []
        ends = [0]
        for word in words:
            columns.extend(self._cut(word))
            ends.append(len(columns))
        shape = (len(words), len(self.terms))
        return csr_matrix((np.ones(len(columns), np.int64), columns, ends), shape=shape)

    def _columns(self, word: str) -> list[int]:
        # The analyser's own cuts, looked up at once: through scikit-learn it takes several times as long.
        padded = f" {word} "
        cuts = {padded[i : i + n] for n in _SIZES for i in range(len(padded) - n + 1)}
        return sorted(self._column[cut] for cut in cuts if cut in self._column)

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """Return the features of `texts`, shape (n, terms)."""
        uses, words = _uses(texts)
        if not words:
            return csr_matrix((len(texts), len(self.terms)))
        found = csr_matrix(uses @ self.inside(words))
        found.data = np.ones(len(found.data))
        return csr_matrix(normalize(found @ diags(self.idf)))


Views = tuple[TfidfVectorizer, Characters]


def fit_views(texts: Sequence[str], max_words: int, max_characters: int) -> tuple[Views, csr_matrix]:
    """Return both halves fitted on prepared texts, and the features of these texts.

    Raises
    ------
    ValueError
        When no text holds a word.
    """
    words = words_view(max_words)
    of_words = words.fit_transform(texts)
    characters = Characters.fitted(texts, max_characters)
    return (words, characters), csr_matrix(hstack([of_words, characters.transform(texts)]))


def transform(views: Views, texts: Sequence[str]) -> csr_matrix:
    """Return the features of prepared texts, shape (n, words + characters)."""
    return csr_matrix(hstack([view.transform(texts) for view in views]))


def _uses(texts: Sequence[str]) -> tuple[csr_matrix, list[str]]:
    """Return which of the distinct space-separated words each text uses, (n, words), and those words."""
    index: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in texts:
        columns.extend({index.setdefault(word, len(index)): None for word in text.split()})
        ends.append(len(columns))
    shape = (len(texts), len(index))
    return csr_matrix((np.ones(len(columns)), columns, ends), shape=shape), list(index)
