"""What both of Google's services share: how a model answers, lists with pages, and their kind of error."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.providers.loopback.answers import Said, Twist
from core.providers.loopback.exchange import Request, Response, ok
from core.providers.loopback.judge import Memory, by_cues, count_tokens, parts_text
from core.providers.loopback.world import World, new_id

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
#: Numbers of the enumerations, for a client that asks for them.
_NUMBERS = {"STOP": 1, "MAX_TOKENS": 2, "SAFETY": 3}
_BLOCKED_NUMBER = 1


def refused(status: int, message: str = "") -> bytes:
    """Return the body of an error."""
    name = _STATUS.get(status, "INTERNAL")
    said = message or f"The request was refused ({name})."
    return json.dumps({"error": {"code": status, "message": said, "status": name}}).encode()


def pages(request: Request, field: str, values: Sequence[Mapping[str, Any]], usual: int = 100) -> Response:
    """Return the part of a list that `pageToken` and `pageSize` ask for."""
    token, size = request.query.get("pageToken", ""), request.query.get("pageSize", "")
    start = int(token) if token.isdecimal() else 0
    end = start + (int(size) if size.isdecimal() and int(size) else usual)
    more = {"nextPageToken": str(end)} if end < len(values) else {}
    return ok({field: list(values[start:end]), **more})


def contents_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the turns of a conversation."""
    given = body.get("contents")
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """Return a plausible number of tokens of a request."""
    system = body.get("systemInstruction") or body.get("system_instruction") or {}
    return sum(count_tokens(parts_text(one)) for one in [system, *contents_of(body)])


def generated(world: World, request: Request, model: str, memory: Memory | None) -> Response:
    """Return a model's answer to the last question."""
    body = request.json()
    questions = [parts_text(one) for one in contents_of(body) if one.get("role", "user") == "user"]
    question = questions[-1] if questions else ""
    fields = memory.answer(question) if memory else by_cues(question)
    config = body.get("generationConfig") or {}
    schema = config.get("responseSchema") or config.get("responseJsonSchema") or {}
    asked = schema.get("properties") or fields
    said = _said(
        request.twist, {key: value for key, value in fields.items() if key in asked} or fields, config
    )
    numbers = "enum-encoding=int" in request.query.get("$alt", "")
    return ok(_response(world, model, said, prompt_tokens(body), numbers=numbers))


def _said(twist: Twist, fields: dict[str, Any], config: Mapping[str, Any]) -> Said:
    said, limit = twist(fields), config.get("maxOutputTokens")
    if not limit or said.content is None or count_tokens(said.content) <= limit:
        return said
    return Said(said.content[: int(limit)], "length", counted=said.counted)


def _response(world: World, model: str, said: Said, prompt: int, *, numbers: bool) -> dict[str, Any]:
    out = count_tokens(said.content or "")
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": out, "totalTokenCount": prompt + out}
    version = world.script.answered_as.get(model, model)
    answer: dict[str, Any] = {"modelVersion": version, "responseId": new_id("")}
    if said.refusal:
        reason = {"blockReason": _BLOCKED_NUMBER if numbers else "SAFETY"}
        return {**answer, "promptFeedback": reason, "usageMetadata": usage}
    finish = _FINISH[said.finish]
    candidate: dict[str, Any] = {"index": 0, "finishReason": _NUMBERS[finish] if numbers else finish}
    if said.content is not None:
        candidate["content"] = {"role": "model", "parts": [{"text": said.content}]}
    answer["candidates"] = [candidate]
    return {**answer, "usageMetadata": usage} if said.counted else answer
