"""What a chat model wrote, read strictly."""

import json

import pytest

from core.domain.answers import Problem, parse_answer
from core.domain.training_format import Answer
from core.domain.types import Failure, Sentiment

GOOD = {"sentiment": "negative", "confidence": 72, "keywords": ["금리", "인상"], "reason": "부담이 커집니다."}


def said(**changes):
    return json.dumps({**GOOD, **changes}, ensure_ascii=False)


def without(name):
    return json.dumps({key: value for key, value in GOOD.items() if key != name})


def test_a_good_answer_is_taken_as_it_is():
    assert parse_answer(said()) == Answer(Sentiment.NEGATIVE, 72, ("금리", "인상"), "부담이 커집니다.")


@pytest.mark.parametrize(
    "wrapped",
    [
        f"```json\n{said()}\n```",
        f"```\n{said()}\n```",
        f"  \n{said()}\n\n",
        f"```JSON\r\n{said()}\r\n```",
        f"```json\n{said()}```",
    ],
)
def test_a_fence_and_white_space_around_it_are_taken_off(wrapped):
    assert parse_answer(wrapped) == parse_answer(said())


@pytest.mark.parametrize("text", [None, "", " \n\t"])
def test_nothing_is_an_empty_answer(text):
    assert parse_answer(text).failure == Failure.EMPTY


@pytest.mark.parametrize(
    "text",
    [
        "긍정적입니다.",
        said()[:-9],
        f"Here you are: {said()}",
        f"{said()} I hope this helps.",
        f"{said()}\n{said()}",
        f"```json\n{said()}\n```\nAnything else?",
        "[]",
        '"positive"',
        "null",
        "17",
        "[" * 100_000,
        "9" * 6_000,
        "{'sentiment': 'positive'}",
        "\ufeff" + said(),
    ],
)
def test_what_is_no_json_object_alone_is_not_read(text):
    assert parse_answer(text).failure == Failure.NOT_JSON


@pytest.mark.parametrize(
    "word", ["bullish", "POSITIVE", "긍정", "", " positive", None, 1, True, ["positive"], {}]
)
def test_a_sentiment_outside_the_three_words_is_none(word):
    assert parse_answer(said(sentiment=word)).failure == Failure.WRONG_SENTIMENT


@pytest.mark.parametrize(
    "value", [140, -1, 100.5, "high", "80", True, None, [80], float("nan"), float("inf"), 10**400]
)
def test_a_confidence_that_is_no_percentage_is_none(value):
    assert parse_answer(said(confidence=value)).failure == Failure.WRONG_CONFIDENCE


@pytest.mark.parametrize(("value", "whole"), [(0, 0), (100, 100), (87.6, 88), (1e1, 10)])
def test_a_confidence_is_rounded_to_a_whole_number(value, whole):
    assert parse_answer(said(confidence=value)).confidence == whole


@pytest.mark.parametrize("value", ["금리", ["금리", 7], ["금리", None], {"a": 1}, 5])
def test_keywords_that_are_no_list_of_texts_are_refused(value):
    assert parse_answer(said(keywords=value)).failure == Failure.WRONG_KEYWORDS


def test_the_first_five_different_keywords_count():
    words = ["a", "b", "a", " ", "c", "d", "e", "f"]
    assert parse_answer(said(keywords=words)).keywords == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize("text", [without("keywords"), said(keywords=[]), said(keywords=None)])
def test_missing_keywords_are_not_made_up(text):
    assert parse_answer(text).keywords == ()


@pytest.mark.parametrize("text", [without("reason"), said(reason=None), said(reason="  ")])
def test_a_reason_may_be_missing(text):
    assert parse_answer(text).reason is None


@pytest.mark.parametrize("value", [["because"], 3, {"text": "because"}, False])
def test_a_reason_that_is_no_text_is_refused(value):
    assert parse_answer(said(reason=value)).failure == Failure.WRONG_REASON


def test_other_keys_are_passed_over():
    assert parse_answer(said(buy=True, tools=[{"name": "promote"}])) == parse_answer(said())


def test_what_cannot_be_stored_is_mended():
    answer = parse_answer(json.dumps({**GOOD, "reason": "a\x00b \ud83d c", "keywords": ["\ud83d", "x\x1b"]}))
    answer.reason.encode()
    assert (answer.reason, answer.keywords) == ("a b ? c", ("?", "x"))


def test_endless_texts_are_cut():
    answer = parse_answer(said(reason="very " * 200_000, keywords=["k" * 5_000]))
    assert (len(answer.reason), len(answer.keywords[0])) == (1_000, 100)


def test_what_was_seen_is_said_in_a_few_words():
    problem = parse_answer(said(sentiment="x" * 500))
    assert isinstance(problem, Problem)
    assert problem.detail.startswith('the sentiment is "xxx')
    assert len(problem.detail) < 80
