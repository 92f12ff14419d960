"""Why the local model said what it said: the words of the article that spoke for the class."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from core.domain.types import Sentiment
from core.providers.base import NewsText
from core.providers.local.pipeline import MAX_CHARS, LocalModel, prepare

Floats = NDArray[np.float64]

MAX_KEYWORDS = 5

#: A word worth showing: two letters at least, since "0%" or a lone syllable tells a reader nothing.
_WORD = re.compile(r"[^\W_](?:[\w&.-]*[^\W_])?")
_LETTERS = re.compile(r"[^\W\d_].*[^\W\d_]")
_WORTH = 0.2  # of the strongest word's contribution; weaker ones are noise beside it

_NAMES = {Sentiment.POSITIVE: "긍정", Sentiment.NEUTRAL: "중립", Sentiment.NEGATIVE: "부정"}


class Explainer:
    """Finds the words behind predictions of one model.

    A word's contribution to a class is that of its own feature plus those of the character n-grams
    inside it, each as presence x idf x coefficient over the length of the article's vector: the very
    addends of the class's log-odds (n-grams that two words share count for both).
    """

    def __init__(self, model: LocalModel) -> None:
        self._words, self._characters = model.views
        self._idf = np.concatenate([self._words.idf_, self._characters.idf])
        self._split = len(self._words.idf_)
        self._weights = self._idf[:, None] * model.weights

    def keywords(
        self, texts: Sequence[NewsText], matrix: csr_matrix, predicted: NDArray[np.intp]
    ) -> list[tuple[str, ...]]:
        """Return one to five words a text, strongest first; none where no word speaks for the class.

        Parameters
        ----------
        texts : sequence of NewsText, length n
        matrix : csr_matrix, shape (n, features)
            Their features.
        predicted : array of int, shape (n,)
            Column of the predicted class.
        """
        found = [_words(text) for text in texts]
        known = {
            word: i for i, word in enumerate(dict.fromkeys(w for words in found for w in words.values()))
        }
        by_word, by_character = self._scores(list(known))
        lengths = self._lengths(matrix)
        return [
            _strongest(
                list(words),
                by_word[rows := [known[word] for word in words.values()], k] / lengths[i, 0]
                + by_character[rows, k] / lengths[i, 1],
            )
            for i, (words, k) in enumerate(zip(found, predicted.tolist(), strict=True))
        ]

    def _scores(self, words: list[str]) -> tuple[Floats, Floats]:
        """Return each word's own and its characters' contribution, shape (words, classes) each."""
        if not words:
            empty = np.zeros((0, self._weights.shape[1]))
            return empty, empty
        own = CountVectorizer.transform(self._words, words)  # presence alone, not scaled to unit length
        inside = self._characters.inside(words)
        return own @ self._weights[: self._split], inside @ self._weights[self._split :]

    def _lengths(self, matrix: csr_matrix) -> Floats:
        """Return the lengths that the two halves of each row had before they were scaled to 1, (n, 2)."""
        present = matrix.copy()
        present.data = self._idf[matrix.indices] ** 2
        halves = (present[:, : self._split], present[:, self._split :])
        squares = np.column_stack([np.asarray(half.sum(axis=1)).ravel() for half in halves])
        return np.sqrt(np.where(squares > 0, squares, 1.0))


def fallback(text: NewsText) -> tuple[str, ...]:
    """Return something of the article to show where no word spoke for the class: its longest word."""
    words = list(_words(text))
    if words:
        return (max(words, key=len),)
    return ((text.title.strip() or (text.body or "").strip() or "-")[:40],)


def rationale(sentiment: Sentiment, keywords: Sequence[str], *, spoken: bool) -> str:
    """Return one Korean sentence: the parent app and its readers are Korean.

    `spoken` tells whether the keywords spoke for the class or are only the article's topic.
    """
    named = ", ".join(f"'{word}'" for word in keywords)
    if spoken:
        return f"{named} 표현이 {_NAMES[sentiment]} 판단을 뒷받침합니다."
    return f"{_NAMES[sentiment]} 판단을 뚜렷이 뒷받침하는 단어가 없습니다 (주요어: {named})."


def _words(text: NewsText) -> dict[str, str]:
    """Return the article's whole words as they stand there, each with what the model reads of it."""
    joined = f"{text.title} {text.body}" if text.body else text.title
    words = [word for word in _WORD.findall(joined[:MAX_CHARS]) if _LETTERS.search(word)]
    return {word: prepare(NewsText(word)) for word in words}


def _strongest(words: list[str], scores: Floats) -> tuple[str, ...]:
    if not len(scores) or scores.max() <= 0:
        return ()
    chosen: dict[str, str] = {}
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < _WORTH * scores.max() or len(chosen) == MAX_KEYWORDS:
            break
        chosen.setdefault(words[i].casefold(), words[i])
    return tuple(chosen.values())
