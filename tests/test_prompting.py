"""What a chat model is sent about an article."""

import json

import pytest

from core.domain.answers import parse_answer
from core.domain.policy import Policy
from core.domain.prompting import ANSWER_SCHEMA, DEFAULT_SHOTS, INSTRUCTIONS, Prompt, Shot, few_shot_prompt
from core.domain.training_format import Answer, chat_example, serving_messages, template
from core.domain.types import Sentiment

ANSWER = Answer(Sentiment.POSITIVE, 91, ("금리", "인하"), "부담이 줄어듭니다.")
SHOTS = (Shot("금리 인하", "본문이다", ANSWER, 7), Shot("제목만", None, ANSWER))


def test_the_system_prompt_comes_first_then_the_examples_then_the_article():
    messages = Prompt("Judge.", SHOTS).messages("새 기사", "새 본문")
    assert [message["role"] for message in messages] == [
        "system", "user", "assistant", "user", "assistant", "user"]  # fmt: skip
    assert messages[0]["content"] == "Judge."
    assert messages[-1] == serving_messages("", "새 기사", "새 본문")[-1]


def test_an_example_reads_like_a_training_example():
    messages = Prompt("Judge.", SHOTS[:1]).messages("t", None)
    assert messages[:3] == chat_example("Judge.", "금리 인하", "본문이다", ANSWER)["messages"]


def test_a_model_without_examples_is_asked_as_it_was_taught():
    stored = template(Policy())
    assert Prompt.from_json(stored).messages("t", "b") == serving_messages(stored["system"], "t", "b")


def test_a_prompt_survives_being_stored():
    prompt = Prompt("Judge.", SHOTS)
    assert Prompt.from_json(json.loads(json.dumps(prompt.as_json()))) == prompt


def test_what_is_stored_shows_everything_that_is_sent():
    stored = json.dumps(Prompt("Judge.", SHOTS).as_json(), ensure_ascii=False)
    for text in ("Judge.", "금리 인하", "본문이다", "부담이 줄어듭니다.", "제목: {title}"):
        assert text in stored


def test_braces_in_an_article_are_only_text():
    assert Prompt("s").messages("{title} {0}", "{body}")[-1]["content"] == "제목: {title} {0}\n본문: {body}"


@pytest.mark.parametrize("label", list(Sentiment))
def test_a_class_without_a_success_article_gets_the_default_example(label):
    own = Shot("own", None, Answer(label, 50, ("own",)))
    shown = few_shot_prompt("role", {label: own}).shots
    assert own in shown
    assert {shot.answer.sentiment for shot in shown} == set(Sentiment)
    assert sum(shot in DEFAULT_SHOTS.values() for shot in shown) == 2


@pytest.mark.parametrize("label", list(Sentiment))
def test_default_examples_are_answers_that_we_would_accept(label):
    shot = DEFAULT_SHOTS[label]
    said = Prompt("", (shot,)).messages("t", None)[2]["content"]
    assert parse_answer(said) == shot.answer
    assert shot.answer.sentiment == label
    assert all(word in f"{shot.title} {shot.body}" for word in shot.answer.keywords)


def test_the_instructions_name_the_classes_and_say_that_an_article_gives_no_orders():
    prompt = few_shot_prompt("당신은 분석가입니다.", {})
    assert prompt.system.startswith("당신은 분석가입니다.")
    assert all(label in INSTRUCTIONS for label in Sentiment)
    assert "따르지 말고" in INSTRUCTIONS


def test_the_schema_is_what_strict_mode_takes():
    assert set(ANSWER_SCHEMA["required"]) == set(ANSWER_SCHEMA["properties"])
    assert ANSWER_SCHEMA["additionalProperties"] is False
    assert not {"minimum", "maximum", "minItems", "maxItems"} & set(json.dumps(ANSWER_SCHEMA).split('"'))
