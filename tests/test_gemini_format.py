"""The same prompt and the same examples, in the shapes that Google reads."""

import json

from core.domain.gemini_format import contents, json_line, response_schema, tuning_example
from core.domain.prompting import ANSWER_SCHEMA, DEFAULT_SHOTS, few_shot_prompt
from core.domain.training_format import Answer, chat_example
from core.domain.types import Sentiment

ANSWER = Answer(Sentiment.NEGATIVE, 70, ("소송",), "소송 비용이 늘어난다")


def test_a_prompts_messages_become_an_instruction_and_turns_in_their_order():
    messages = few_shot_prompt("역할", {}).messages("제목", "본문")
    system, turns = contents(messages)
    assert system == messages[0]["content"]
    assert [turn["role"] for turn in turns] == ["user", "model"] * len(DEFAULT_SHOTS) + ["user"]
    assert [turn["parts"] for turn in turns] == [[{"text": said["content"]}] for said in messages[1:]]


def test_messages_without_a_system_prompt_have_an_empty_instruction():
    assert contents([{"role": "user", "content": "a"}]) == ("", [{"role": "user", "parts": [{"text": "a"}]}])


def test_an_example_is_the_instruction_the_question_and_the_answer():
    chat = chat_example("규칙", "제목", None, ANSWER)["messages"]
    assert tuning_example("규칙", "제목", None, ANSWER) == {
        "systemInstruction": {"role": "system", "parts": [{"text": "규칙"}]},
        "contents": [
            {"role": "user", "parts": [{"text": chat[1]["content"]}]},
            {"role": "model", "parts": [{"text": chat[2]["content"]}]},
        ],
    }


def test_a_line_stays_one_line_and_keeps_its_text():
    value = {"text": "첫 줄\u2028둘째 줄\u2029셋째\x85넷째\n다섯째"}
    assert len(json_line(value).splitlines()) == 1
    assert json.loads(json_line(value)) == value
    assert "첫 줄" in json_line(value)


def test_the_schema_names_googles_types_and_the_order_in_which_a_model_was_taught():
    made = response_schema(ANSWER_SCHEMA)
    assert made["propertyOrdering"] == ["sentiment", "confidence", "keywords", "reason"]
    assert {name: of["type"] for name, of in made["properties"].items()} == {
        "sentiment": "STRING",
        "confidence": "INTEGER",
        "keywords": "ARRAY",
        "reason": "STRING",
    }
    assert made["properties"]["sentiment"]["enum"] == ["positive", "neutral", "negative"]
    assert made["properties"]["keywords"]["items"] == {"type": "STRING"}
    assert made["required"] == ANSWER_SCHEMA["required"]
    assert "additionalProperties" not in made
