"""The routes of OpenAI's chat in front of the champion, so that a client needs another base URL and no more.

The last user message is the news item; the answer is the JSON that our chat models are taught. Sampling
parameters and system messages change nothing: the champion's own prompt decides.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from core import workflows
from core.api.access import denied
from core.api.payload import optional_text, read_object, word
from core.bootstrap import get_app
from core.domain.chat import last_user_text, read_news
from core.domain.question import Question, TooLong
from core.domain.tokens import estimate_messages, estimate_tokens
from core.domain.training_format import answer_line, serving_messages
from core.domain.types import Family
from core.errors import InputRejected, NewstuneError, NotFound, Place, Refused
from core.workflows.asking import Answered

_SHAPE = 'Send {"model": "newstune", "messages": [{"role": "user", "content": "제목: ..."}]}'
#: The official client repeats what failed for a moment. Here that could ask, and pay, a second time.
_NO_RETRY = {"x-should-retry": "false"}
_TYPES = {401: "authentication_error", 403: "permission_error", 500: "server_error", 503: "server_error"}

Handler = Callable[[Request], Awaitable[Response]]


def _error(status: int, message: str, *, code: str | None = None, param: str | None = None) -> JSONResponse:
    kind = _TYPES.get(status, "invalid_request_error")
    error = {"message": message, "type": kind, "param": param, "code": code}
    return JSONResponse({"error": error}, status_code=status, headers=_NO_RETRY)


def _guarded(handler: Handler) -> Handler:
    """Return a route that checks who asks and puts errors in OpenAI's shape."""

    async def guarded(request: Request) -> Response:
        if (denial := denied(request)) is not None:
            return _error(
                denial.status, denial.message, code="invalid_api_key" if denial.status == 401 else None
            )
        try:
            return await handler(request)
        except InputRejected as error:
            return _error(413 if isinstance(error, TooLong) else 400, str(error), param=error.place.column)
        except NotFound as error:
            return _error(404, str(error), code="model_not_found", param="model")
        except NewstuneError as error:
            return _error(503 if isinstance(error, Refused) else 500, str(error))

    return guarded


@_guarded
async def models(request: Request) -> Response:
    """List the names under which a champion answers."""
    found = await run_in_threadpool(workflows.served_models, get_app())
    only = request.path_params.get("model")
    shown = [
        {"id": each.name, "object": "model", "created": int(each.since.timestamp()), "owned_by": "newstune"}
        for each in found
        if only in (None, each.name)
    ]
    if only is None:
        return JSONResponse({"object": "list", "data": shown})
    if not shown:
        raise NotFound("model", str(only)[:60], _known())
    return JSONResponse(shown[0])


@_guarded
async def chat_completions(request: Request) -> Response:
    """Let the champion judge the news item in the last user message."""
    payload = await read_object(request, shape=_SHAPE)
    name = payload.get("model")
    if not isinstance(name, str):
        raise InputRejected(Place("request", column="model"), "it is not text", _SHAPE)
    if name not in workflows.SERVED:
        raise NotFound("model", name[:60], _known())
    if payload.get("n") not in (None, 1):
        raise InputRejected(Place("request", column="n"), "one answer is given at a time", "Leave it out")
    question = _question(payload)
    answered = await asyncio.wrap_future(
        workflows.desk_of(get_app()).submit(question, workflows.SERVED[name])
    )
    completion = _Completion(name, question, answered, int(get_app().now().timestamp()))
    if payload.get("stream") is True:
        options = payload.get("stream_options")
        with_usage = isinstance(options, dict) and options.get("include_usage") is True
        chunks = completion.chunks(with_usage=with_usage)
        return StreamingResponse(chunks, media_type="text/event-stream", headers=completion.headers)
    return JSONResponse(completion.whole(), headers=completion.headers)


async def nothing_here(request: Request) -> Response:
    """Refuse what is no route of ours in OpenAI's shape: the dashboard would answer it with its page."""
    known = "GET /v1/models and POST /v1/chat/completions"
    if request.url.path in ("/v1/models", "/v1/chat/completions"):
        return _error(405, f"This method is not allowed here. There are {known}.")
    return _error(404, f"There is no such address. There are {known}.")


def _known() -> str:
    return f"Use one of: {', '.join(workflows.SERVED)}"


def _question(payload: dict[str, Any]) -> Question:
    text = last_user_text(payload.get("messages"))
    if text is None:
        raise InputRejected(Place("request", column="messages"), "it holds no user message with text", _SHAPE)
    about = payload.get("metadata") or {}
    if not isinstance(about, dict):
        raise InputRejected(Place("request", column="metadata"), "it is not an object", "Leave it out")
    title, body = read_news(text)
    named = word(about, "family", list(Family))
    return Question(
        title,
        body,
        optional_text(about, "source"),
        Family(named) if named else Family.GENERAL,
        optional_text(about, "url") or None,
    )


class _Completion:
    """An answer in OpenAI's shape, whole or in pieces."""

    def __init__(self, name: str, question: Question, answered: Answered, created: int) -> None:
        forecast = answered.forecast
        self._content = answer_line(
            forecast.sentiment, forecast.confidence, forecast.keywords, forecast.rationale
        )
        self._head = {
            "id": f"chatcmpl-{answered.request_id}",
            "created": created,
            "model": name,
            "system_fingerprint": f"newstune-model-{answered.model.id}",
        }
        self._usage, estimated = _usage(question, answered, self._content)
        self.headers = {"X-Newstune-Usage": "estimated" if estimated else "vendor"}

    def whole(self) -> dict[str, Any]:
        """Return the answer in one piece."""
        message = {"role": "assistant", "content": self._content, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return self._head | {"object": "chat.completion", "choices": [choice], "usage": self._usage}

    async def chunks(self, *, with_usage: bool) -> AsyncIterator[str]:
        """Yield the answer as server-sent events; it is known at once, so that there are few."""
        deltas: list[tuple[dict[str, str], str | None]] = [
            ({"role": "assistant", "content": ""}, None),
            ({"content": self._content}, None),
            ({}, "stop"),
        ]
        unknown: dict[str, Any] = {"usage": None} if with_usage else {}
        for delta, finish in deltas:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            yield _event(self._head | {"object": "chat.completion.chunk", "choices": [choice]} | unknown)
        if with_usage:
            yield _event(
                self._head | {"object": "chat.completion.chunk", "choices": [], "usage": self._usage}
            )
        yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _usage(question: Question, answered: Answered, content: str) -> tuple[dict[str, int], bool]:
    """Return the tokens as the vendor counted them, else as we estimate them, and whether that is so."""
    counted = answered.reply.usage
    if counted and counted.prompt_tokens is not None and counted.completion_tokens is not None:
        prompt, completion, estimated = counted.prompt_tokens, counted.completion_tokens, False
    else:
        asked = serving_messages(get_app().policy.system_prompt, question.title, question.body)
        prompt, completion = estimate_messages(asked).likely, estimate_tokens(content).likely
        estimated = True
    total = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return total, estimated
