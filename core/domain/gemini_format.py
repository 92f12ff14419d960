"""Google's shapes of what `training_format` and `prompting` say: contents, tuning examples, schemas."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.training_format import Answer, chat_example

#: Training examples from which tuning on Vertex begins to pay, by the vendor's advice; fewer are taken.
ADVISED_ROWS = 100
#: Validation examples above which Vertex refuses a file.
VALIDATION_LIMIT = 5_000
#: Training examples and bytes above which Vertex refuses a file.
TRAINING_LIMIT = 1_000_000
FILE_LIMIT_BYTES = 1_000_000_000

_ROLES = {"user": "user", "assistant": "model"}
_KEPT = ("enum", "required", "description")


def contents(messages: Sequence[Mapping[str, str]]) -> tuple[str, list[dict[str, Any]]]:
    """Return the system instruction ("" where there is none) and the turns of chat messages."""
    system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
    turns = [
        {"role": _ROLES[message["role"]], "parts": [{"text": message["content"]}]}
        for message in messages
        if message["role"] != "system"
    ]
    return system, turns


def tuning_example(system: str, title: str, body: str | None, answer: Answer) -> dict[str, Any]:
    """Return one example of a tuning file: the same texts that OpenAI's chat format carries."""
    said, turns = contents(chat_example(system, title, body, answer)["messages"])
    return {"systemInstruction": {"role": "system", "parts": [{"text": said}]}, "contents": turns}


def json_line(value: Mapping[str, Any]) -> str:
    """Return JSON that every reader takes for one line: some break lines at more than a line feed."""
    text = json.dumps(value, ensure_ascii=False)
    for breaker in "\x85\u2028\u2029":
        text = text.replace(breaker, f"\\u{ord(breaker):04x}")
    return text


def response_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema as the subset of OpenAPI that Gemini takes, with the order of its properties.

    Without an order a model may write the reason before the class, other than it was taught.
    `additionalProperties` is not known there and left out.
    """
    made: dict[str, Any] = {"type": schema["type"].upper()}
    made |= {name: schema[name] for name in _KEPT if name in schema}
    if "items" in schema:
        made["items"] = response_schema(schema["items"])
    if "properties" in schema:
        made["properties"] = {name: response_schema(of) for name, of in schema["properties"].items()}
        made["propertyOrdering"] = list(schema["properties"])
    return made
