"""The model itself: words and character n-grams, two linear members, calibrated and averaged.

What was measured while choosing it (accuracy on the developers' rows: PhraseBank Korean and English in
five folds, native headlines with an expanding window) is in ``docs/decisions.md``: numbers written as
one sign, presence instead of frequency, and one support-vector machine calibrated by cross-validation
instead of four each gained a little on all three; cues of rising and falling numbers gained nothing.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from core.domain.text import normalise
from core.errors import Refused
from core.providers.base import NewsText, TrainingRow

Floats = NDArray[np.float64]
Say = Callable[[float, str, Mapping[str, Any]], None]

#: Longest text a model reads; a body beyond it adds time and hardly any signal.
MAX_CHARS = 1500
#: Calibration by four folds needs a row of each class in each fold.
FOLDS = 4
MIN_ROWS_A_CLASS = 2

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Hyperparameters:
    """Settings of one training; all have defaults.

    Parameters
    ----------
    logistic_c, svm_c : float
        Inverse regularisation of the two members, above 0.
    max_words, max_characters : int
        Most frequent word and character n-grams kept. They bound the artefact: the defaults cost no
        accuracy and keep it far below 30 MB.
    """

    logistic_c: float = 10.0
    svm_c: float = 1.0
    max_words: int = 40_000
    max_characters: int = 60_000

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Hyperparameters":
        """Return `given` with defaults filled in.

        Raises
        ------
        Refused
            For a name that is not a setting or a value that is not a number above 0.
        """
        names = [field.name for field in fields(cls)]
        for name, value in given.items():
            if name not in names:
                raise Refused(f"The local model has no setting '{name}'", f"Use {', '.join(names)}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e7:
                raise Refused(f"The setting '{name}' is {value!r}", "Give a number above 0")
        merged = asdict(cls()) | dict(given)
        counts = {name: int(merged[name]) for name in ("max_words", "max_characters")}
        return cls(**(merged | counts))


@dataclass(frozen=True)
class LocalModel:
    """A fitted model: words and characters, a logistic regression a class, the calibrated SVM or None.

    `classes` gives the order of every array's columns.
    """

    classes: tuple[str, ...]
    views: tuple[TfidfVectorizer, TfidfVectorizer]
    logistic: tuple[LogisticRegression, ...]
    svm: CalibratedClassifierCV | None

    def matrix(self, texts: Sequence[NewsText]) -> csr_matrix:
        """Return the features of `texts`, shape (n, number of features), each half of unit length."""
        prepared = [prepare(text) for text in texts]
        return csr_matrix(hstack([view.transform(prepared) for view in self.views]))

    def probabilities(self, matrix: csr_matrix) -> Floats:
        """Return calibrated probabilities, shape (n, number of classes), rows summing to 1."""
        scores = expit(np.column_stack([member.decision_function(matrix) for member in self.logistic]))
        shares = scores / scores.sum(axis=1, keepdims=True)
        if self.svm is not None:
            shares = (shares + self.svm.predict_proba(matrix)) / 2
        return np.asarray(shares, dtype=float)

    def coefficients(self) -> Floats:
        """Return what one unit of each feature adds to each class's log-odds, (features, classes)."""
        logistic = np.vstack([member.coef_[0] for member in self.logistic])
        if self.svm is None:
            return np.asarray(logistic.T, dtype=float)
        (calibrated,) = self.svm.calibrated_classifiers_
        slopes = np.array([-sigmoid.a_ for sigmoid in calibrated.calibrators])
        margins = calibrated.estimator.coef_
        if len(margins) == 1:  # two classes: one hyperplane, seen from both sides
            margins, slopes = np.vstack([-margins[0], margins[0]]), np.repeat(slopes, 2)
        return np.asarray(((logistic + slopes[:, None] * margins) / 2).T, dtype=float)


def prepare(text: NewsText) -> str:
    """Return title and body as the model reads them: normalised, numbers as ``0``, cut to length.

    The amount in a headline is noise to a model of a few thousand rows; that there is one is not.
    """
    joined = f"{text.title} {text.body}" if text.body else text.title
    return _NUMBER.sub("0", normalise(joined[:MAX_CHARS]))


def problem(labels: Sequence[str]) -> str | None:
    """Return why these labels cannot be trained on, as a sentence, or None when they can."""
    counts = Counter(str(label) for label in labels)
    if len(counts) < 2:
        found = f"only '{next(iter(counts))}'" if counts else "no rows at all"
        return f"The training part has {found}; a model needs at least two classes to tell apart."
    rare = {name: n for name, n in sorted(counts.items()) if n < MIN_ROWS_A_CLASS}
    if rare:
        named = ", ".join(f"'{name}' ({n})" for name, n in rare.items())
        return (
            f"The training part has too few rows of {named};"
            f" each class needs at least {MIN_ROWS_A_CLASS}, or none at all."
        )
    return None


def build_views(
    settings: Hyperparameters, vocabularies: tuple[list[str] | None, list[str] | None] = (None, None)
) -> tuple[TfidfVectorizer, TfidfVectorizer]:
    """Return the two halves of the features: words 1-2 and characters within words 1-4, presence x idf.

    They are to be fitted, unless `vocabularies` gives their terms in the order of their columns.
    """
    common = {"binary": True, "lowercase": False}
    words = TfidfVectorizer(
        token_pattern=r"(?u)\b\w+\b",  # noqa: S106 - a pattern of words, no secret
        ngram_range=(1, 2),
        max_features=settings.max_words,
        vocabulary=vocabularies[0],
        **common,
    )
    characters = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(1, 4),
        min_df=2,
        max_features=settings.max_characters,
        vocabulary=vocabularies[1],
        **common,
    )
    return words, characters


def fit(
    rows: Sequence[TrainingRow],
    settings: Hyperparameters,
    *,
    seed: int,
    say: Say = lambda *_: None,
) -> LocalModel:
    """Fit a model on `rows`; the same rows in the same order with the same seed give the same model.

    Parameters
    ----------
    rows : sequence of TrainingRow
        Texts, gold labels and weights.
    settings : Hyperparameters
        Settings, defaults filled in.
    seed : int
        Seed of the solvers.
    say : callable
        Told of progress: share done (0-1), message, facts.

    Raises
    ------
    Refused
        When there are fewer than two classes, a class of one row, or no usable word in the texts.
    """
    labels = np.array([str(row.label) for row in rows], dtype=object)
    if reason := problem(labels.tolist()):
        raise Refused(reason.removesuffix("."), "Label more articles, or choose another dataset version")
    weights = np.array([row.weight for row in rows], dtype=float)
    views = build_views(settings)
    matrix = _fitted(views, [prepare(row.text) for row in rows])
    say(0.4, f"features built: {matrix.shape[1]:,}", {"features": matrix.shape[1]})
    classes = tuple(sorted(set(labels.tolist())))
    logistic = tuple(_logistic(matrix, labels == name, weights, settings, seed) for name in classes)
    say(0.6, "logistic regression fitted", {"classes": list(classes)})
    if min(Counter(labels.tolist()).values()) < FOLDS:
        say(0.9, f"a class has fewer than {FOLDS} rows: logistic regression alone", {})
        return LocalModel(classes, views, logistic, None)
    svm = _svm(matrix, labels, weights, settings, seed)
    say(0.9, "support-vector machine fitted and calibrated", {"folds": FOLDS})
    return LocalModel(classes, views, logistic, svm)


def _fitted(views: tuple[TfidfVectorizer, TfidfVectorizer], texts: list[str]) -> csr_matrix:
    try:
        return csr_matrix(hstack([view.fit_transform(texts) for view in views]))
    except ValueError as error:  # scikit-learn's only complaint here: no term is left
        raise Refused(
            "The training texts have no words in common to learn from", "Check the title column of the data"
        ) from error


def _logistic(
    matrix: csr_matrix, is_class: NDArray[np.bool_], weights: Floats, settings: Hyperparameters, seed: int
) -> LogisticRegression:
    # One class against the rest by liblinear: as accurate here as the multinomial fit, four times as fast.
    member = LogisticRegression(C=settings.logistic_c, solver="liblinear", max_iter=300, random_state=seed)
    return member.fit(matrix, is_class, sample_weight=weights)


def _svm(
    matrix: csr_matrix, labels: NDArray[Any], weights: Floats, settings: Hyperparameters, seed: int
) -> CalibratedClassifierCV:
    # ensemble=False: calibrated on out-of-fold margins, then one machine fitted on all rows.
    machine = LinearSVC(C=settings.svm_c, max_iter=5000, random_state=seed)
    calibrated = CalibratedClassifierCV(machine, cv=FOLDS, method="sigmoid", ensemble=False)
    return calibrated.fit(matrix, labels, sample_weight=weights)
