"""OpenAI's shape: models, chat completions, and its kind of error."""

import json
from collections.abc import Mapping
from typing import Any

from core.providers.loopback.answers import Said, Twist
from core.providers.loopback.exchange import Refusal, Request, Response, ok
from core.providers.loopback.judge import by_cues, content_text, count_tokens
from core.providers.loopback.openai_tuned import memory_of, tuned_models
from core.providers.loopback.world import World, new_id

#: Created dates do not matter to anybody; one that is plausible.
_SINCE = 1_744_588_800
_KINDS = {401: ("invalid_request_error", "invalid_api_key"), 429: ("requests", "rate_limit_exceeded")}
_USUAL = {
    400: "The request is not valid.",
    401: "Incorrect API key provided.",
    403: "You do not have access to this resource.",
    404: "The resource does not exist.",
    429: "Rate limit reached for requests.",
    503: "The engine is currently overloaded, please try again later.",
}


def refused(status: int, message: str = "", code: str | None = None, param: str | None = None) -> bytes:
    """Return the body of an error."""
    kind, usual = _KINDS.get(status, ("invalid_request_error" if status < 500 else "server_error", None))
    said = message or _USUAL.get(status, "The server had an error while processing your request.")
    return json.dumps(
        {"error": {"message": said, "type": kind, "param": param, "code": code or usual}}
    ).encode()


def models(world: World, _request: Request) -> Response:
    """List the models."""
    return ok({"object": "list", "data": _all_models(world)})


def model(world: World, _request: Request, name: str) -> Response:
    """Return one model."""
    found = next((one for one in _all_models(world) if one["id"] == name), None)
    if found is None:
        raise _no_model(name)
    return ok(found)


def _all_models(world: World) -> list[dict[str, Any]]:
    known = {**world.base_models, **tuned_models(world)}
    return [
        {
            "id": name,
            "object": "model",
            "created": _SINCE,
            "owned_by": "newstune-loopback",
            "shutdown_date": shutdown,
        }
        for name, shutdown in known.items()
    ]


def model_limits(world: World, _request: Request) -> Response:
    """Say what may be tuned, where the script knows; its real form is not documented."""
    if world.script.model_limits is None:
        raise Refusal(404, "Invalid URL (GET /v1/fine_tuning/model_limits)")
    return ok(world.script.model_limits)


def chat(world: World, request: Request) -> Response:
    """Answer one chat completion."""
    return ok(complete(world, request.json(), request.twist))


def complete(world: World, body: Mapping[str, Any], twist: Twist) -> dict[str, Any]:
    """Return the completion of a request's body."""
    name = _model_name(body)
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages) or not messages:
        raise Refusal(
            400, "Missing required parameter: 'messages'.", "missing_required_parameter", "messages"
        )
    questions = [content_text(one.get("content")) for one in messages if one.get("role") == "user"]
    prompt = sum(count_tokens(content_text(one.get("content"))) + 4 for one in messages) + 3
    said = say(world, name, questions[-1] if questions else "", _schema(body), twist)
    return _completion(world, name, _limited(said, body), prompt)


def say(world: World, name: str, question: str, schema: Mapping[str, Any], twist: Twist) -> Said:
    """Return what a model says to a question, with the fields that a schema asks for."""
    memory = None if name in world.base_models else memory_of(world, name)
    if memory is None and name not in world.base_models:
        raise _no_model(name)
    fields = memory.answer(question) if memory else by_cues(question)
    asked = schema.get("properties") or fields
    return twist({key: value for key, value in fields.items() if key in asked} or fields)


def _model_name(body: Mapping[str, Any]) -> str:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise Refusal(400, "you must provide a model parameter")
    return name


def _no_model(name: str) -> Refusal:
    said = f"The model `{name}` does not exist or you do not have access to it."
    return Refusal(404, said, "model_not_found")


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = body.get("response_format") or {}
    if asked.get("type") != "json_schema":
        return {}
    schema = (asked.get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict):
        said = "Missing required parameter: 'response_format.json_schema.schema'."
        raise Refusal(400, said, "missing_required_parameter", "response_format")
    if asked["json_schema"].get("strict"):
        _check_strict(schema)
    return schema


def _check_strict(schema: Any) -> None:
    """Raise Refusal for a schema that strict mode refuses: closed objects, every property required."""
    if isinstance(schema, list):
        for one in schema:
            _check_strict(one)
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties", {})
    if schema.get("type") == "object" and (
        schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties)
    ):
        said = "Invalid schema for response_format: 'additionalProperties' must be false and 'required' "
        raise Refusal(400, said + "must name every property.", param="response_format")
    for one in (*properties.values(), *schema.get("anyOf", ()), schema.get("items")):
        _check_strict(one)


def _limited(said: Said, body: Mapping[str, Any]) -> Said:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if not limit or said.content is None or count_tokens(said.content) <= limit:
        return said
    return Said(said.content[: int(limit)], "length", counted=said.counted)


def _completion(world: World, name: str, said: Said, prompt: int) -> dict[str, Any]:
    out = count_tokens(said.content or said.refusal or "")
    completion = {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(world.clock()),
        "model": world.script.answered_as.get(name, name),
        "system_fingerprint": "newstune-loopback",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": said.content, "refusal": said.refusal},
                "logprobs": None,
                "finish_reason": said.finish,
            }
        ],
    }
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": out,
        "total_tokens": prompt + out,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    return {**completion, "usage": usage} if said.counted else completion
