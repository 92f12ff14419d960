"""The model itself: words and character n-grams, a linear support-vector machine, calibrated.

It starts from a soft vote of logistic regression and a calibrated machine and departs from it where
that gained on all three of the developers' files (five folds, and an expanding window over time):
numbers read as one sign, presence instead of frequency, and one machine whose out-of-fold margins are
turned into probabilities by a small multinomial regression, which also corrects for what noise a
machine fits: with shuffled labels it answers the majority class, where the vote does not. Tried without
gain: cues of rising and falling numbers, character n-grams across words, a share of logistic
regression in the vote.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.svm import LinearSVC

from core.domain.text import normalise
from core.errors import Refused
from core.providers.base import NewsText, TrainingRow
from core.providers.local.features import Floats, Views, fit_views, transform

Say = Callable[[float, str, Mapping[str, Any]], None]

#: Longest text a model reads; a body beyond it adds time and hardly any signal.
MAX_CHARS = 1500
#: Folds of the calibration, as far as the rarest class has rows for them; with fewer rows than the
#: minimum there is nothing to calibrate on.
FOLDS, MIN_FOLDS = 6, 4
MIN_ROWS_A_CLASS = 2

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Hyperparameters:
    """Settings of one training; all have defaults.

    Parameters
    ----------
    svm_c : float
        Inverse regularisation of the support-vector machine, above 0.
    logistic_c : float
        The same of the logistic regression that stands in where a class has fewer than four rows.
    max_words, max_characters : int
        Most frequent word and character n-grams kept. They bound the artefact: the defaults cost no
        accuracy and keep it far below 30 MB.
    """

    svm_c: float = 0.3
    logistic_c: float = 10.0
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
            if name.startswith("max_") and value < 1:
                raise Refused(f"The setting '{name}' is {value!r}", "Give a whole number of at least 1")
        merged = asdict(cls()) | dict(given)
        counts = {name: int(merged[name]) for name in ("max_words", "max_characters")}
        return cls(**(merged | counts))


@dataclass(frozen=True)
class LocalModel:
    """A fitted model: features and, since machine and calibration are both linear, one matrix.

    Parameters
    ----------
    classes : tuple of str, length k
        Order of every array's columns.
    views : tuple
        The fitted halves of the features: words, and characters within words.
    weights : array, shape (features, k)
        What one unit of a feature adds to the log-odds of a class.
    bias : array, shape (k,)
        Log-odds of a text without any known feature.
    """

    classes: tuple[str, ...]
    views: Views
    weights: Floats
    bias: Floats

    def matrix(self, texts: Sequence[NewsText]) -> csr_matrix:
        """Return the features of `texts`, shape (n, features), each half of a row of unit length."""
        return transform(self.views, [prepare(text) for text in texts])

    def probabilities(self, matrix: csr_matrix) -> Floats:
        """Return calibrated probabilities, shape (n, k), rows summing to 1."""
        return np.asarray(softmax(matrix @ self.weights + self.bias, axis=1), dtype=float)


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
    views, matrix = _features([prepare(row.text) for row in rows], settings)
    say(0.4, f"features built: {matrix.shape[1]:,}", {"features": matrix.shape[1]})
    folds = min(FOLDS, *Counter(labels.tolist()).values())
    if folds < MIN_FOLDS:
        member = LogisticRegression(C=settings.logistic_c, max_iter=1000)
        member.fit(matrix, labels, sample_weight=weights)
        say(0.9, f"a class has fewer than {MIN_FOLDS} rows: logistic regression alone", {})
        return LocalModel(tuple(member.classes_), views, *_logits(member))
    machine = LinearSVC(C=settings.svm_c, tol=1e-3, max_iter=5000, random_state=seed)
    margins = cross_val_predict(
        machine,
        matrix,
        labels,
        cv=StratifiedKFold(folds),
        method="decision_function",
        params={"sample_weight": weights},
    ).reshape(len(rows), -1)
    say(0.7, f"margins of {folds} folds", {"folds": folds})
    calibration = LogisticRegression(C=10.0, max_iter=1000).fit(margins, labels, sample_weight=weights)
    machine.fit(matrix, labels, sample_weight=weights)
    say(0.9, "support-vector machine fitted and calibrated", {"classes": list(machine.classes_)})
    slopes, bias = _logits(calibration)
    return LocalModel(
        tuple(machine.classes_), views, machine.coef_.T @ slopes, machine.intercept_ @ slopes + bias
    )


def _features(texts: list[str], settings: Hyperparameters) -> tuple[Views, csr_matrix]:
    try:
        return fit_views(texts, settings.max_words, settings.max_characters)
    except ValueError as error:  # scikit-learn's only complaint here: there is no term
        raise Refused(
            "The training texts hold no word to learn from", "Check the title column of the data"
        ) from error


def _logits(member: LogisticRegression) -> tuple[Floats, Floats]:
    """Return coefficients (features, k) and intercepts (k,), also for two classes, where it holds one row."""
    weights, bias = member.coef_.T, member.intercept_
    if len(bias) > 1:
        return weights, bias
    halves = np.array([-0.5, 0.5])
    return weights * halves, bias * halves
