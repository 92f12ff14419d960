import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from core.domain.types import Sentiment
from core.errors import Refused
from core.providers.base import NewsText, TrainingRow
from core.providers.local.features import Characters
from core.providers.local.pipeline import Hyperparameters, fit, prepare, problem

WORDS = {
    Sentiment.POSITIVE: ("급등", "호실적", "상승", "surge"),
    Sentiment.NEUTRAL: ("공시", "개최", "발표", "meeting"),
    Sentiment.NEGATIVE: ("급락", "적자", "하락", "plunge"),
}


def headlines(n, classes=tuple(Sentiment), seed=0):
    """Return `n` invented headlines, in turn of each class, with one word that gives the class away."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        label = classes[i % len(classes)]
        company, word = f"회사{rng.integers(40)}", WORDS[label][rng.integers(4)]
        rows.append(TrainingRow(NewsText(f"{company} 주가 {word} {rng.integers(1, 30)}%"), label))
    return rows


def fitted(rows, **settings):
    return fit(rows, Hyperparameters(**settings), seed=7)


def answers(model, rows):
    shares = model.probabilities(model.matrix([row.text for row in rows]))
    return [model.classes[k] for k in shares.argmax(axis=1)], shares


def test_numbers_are_read_as_one_sign_and_text_is_normalised():
    assert prepare(NewsText("Ａ사  매출 1,234.5억 (5%↑)", "본문")) == "a사 매출 0억 (0%↑) 본문"


def test_characters_are_those_of_scikit_learn():
    texts = [prepare(row.text) for row in headlines(30)] + ["", "a", "급등 a 급등", "한\u3000글"]
    view = Characters.fitted(texts, 10_000)
    plain = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, binary=True, lowercase=False)
    expected = plain.fit_transform(texts)
    assert view.terms == plain.get_feature_names_out().tolist()
    np.testing.assert_allclose(view.transform(texts).toarray(), expected.toarray(), atol=1e-12)


def test_the_classes_are_learned():
    model = fitted(headlines(90))
    found, shares = answers(model, headlines(30, seed=1))
    assert found == [str(row.label) for row in headlines(30, seed=1)]
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_two_classes_are_learned():
    classes = (Sentiment.POSITIVE, Sentiment.NEGATIVE)
    found, shares = answers(fitted(headlines(40, classes)), headlines(10, classes, seed=1))
    assert found == ["positive", "negative"] * 5
    assert shares.shape == (10, 2)


def test_the_same_rows_and_seed_give_the_same_model():
    first, second = fitted(headlines(60)), fitted(headlines(60))
    np.testing.assert_array_equal(first.weights, second.weights)


def test_a_class_of_three_rows_is_learned_without_calibration():
    rows = [*headlines(40, (Sentiment.POSITIVE, Sentiment.NEGATIVE)), *headlines(3, (Sentiment.NEUTRAL,))]
    told = []
    model = fit(rows, Hyperparameters(), seed=7, say=lambda share, message, _: told.append((share, message)))
    assert told[-1][1] == "a class has fewer than 4 rows: logistic regression alone"
    assert answers(model, headlines(3, (Sentiment.NEUTRAL,)))[0] == ["neutral"] * 3


def test_progress_rises_and_names_the_features():
    told = []
    fit(headlines(60), Hyperparameters(), seed=7, say=lambda share, message, _: told.append((share, message)))
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[0][1].startswith("features built: ")


def test_weights_move_the_answer():
    text = NewsText("회사 공시 발표")
    contradictory = [
        TrainingRow(text, Sentiment.POSITIVE, 1.0),
        TrainingRow(text, Sentiment.NEGATIVE, 9.0),
    ] * 8
    model = fitted(contradictory)
    shares = model.probabilities(model.matrix([text]))[0]
    assert model.classes == ("negative", "positive")
    assert shares[0] > 0.8


def test_features_are_capped():
    assert len(fitted(headlines(90), max_words=20, max_characters=30).weights) == 50


def test_shuffled_labels_are_answered_with_the_majority():
    rng = np.random.default_rng(3)
    dealt = rng.choice([Sentiment.NEUTRAL] * 6 + [Sentiment.POSITIVE] * 3 + [Sentiment.NEGATIVE], 600)
    rows = [TrainingRow(row.text, Sentiment(label)) for row, label in zip(headlines(600), dealt, strict=True)]
    found, _ = answers(fitted(rows[:400]), rows[400:])
    assert found.count("neutral") / len(found) > 0.95


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], "no rows at all"),
        (["neutral"] * 30, "only 'neutral'"),
        (["neutral"] * 30 + ["positive"], "too few rows of 'positive' (1)"),
    ],
)
def test_rows_that_cannot_be_trained_on_are_refused_with_the_reason(labels, words):
    assert words in (problem(labels) or "")
    rows = [TrainingRow(NewsText("제목"), Sentiment(label)) for label in labels]
    with pytest.raises(Refused, match="training part"):
        fitted(rows)


def test_texts_without_a_word_are_refused():
    rows = [TrainingRow(NewsText("?!"), label) for label in (Sentiment.POSITIVE, Sentiment.NEGATIVE)] * 4
    with pytest.raises(Refused, match="no word to learn from"):
        fitted(rows)


@pytest.mark.parametrize("given", [{"depth": 3}, {"svm_c": 0}, {"svm_c": "big"}, {"max_words": True}])
def test_settings_that_make_no_sense_are_refused(given):
    with pytest.raises(Refused):
        Hyperparameters.of(given)


def test_settings_are_filled_in_with_defaults():
    assert Hyperparameters.of({"svm_c": 1}).max_words == Hyperparameters().max_words
