"""The JSON routes beside the dashboard: health, and the parent app's prediction contract.

Every answer is the parent's envelope: ``{"success": true, "data": ...}`` or ``{"success": false,
"error": "..."}``. Routes are not protected by the dashboard's login, so they check a bearer token
themselves; without one in the settings they answer clients on this machine only.
"""

import hmac
import json
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from core import workflows
from core.bootstrap import get_app
from core.domain.types import Family, Target
from core.errors import InputRejected, NewstuneError, Place, Refused
from core.services.predict import MAX_ID_CHARS, Question, TooLong, check_text

#: A title and a body at their limits, with room for escapes; more is refused unread.
MAX_REQUEST_BYTES = 256 * 1024
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}


def _data(data: Any) -> JSONResponse:
    return JSONResponse({"success": True, "data": data})


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"success": False, "error": message}, status_code=status)


def _denied(request: Request) -> JSONResponse | None:
    """Return the refusal for a request that may not ask, or None."""
    token = get_app().settings.api_token
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
        if known and scheme.lower() == "bearer":
            return None
        return _error(401, "Send the header 'Authorization: Bearer <token>' with this server's API token.")
    # A page of another site can reach a loopback port by a name of its own: the Host header tells.
    host = (
        request.headers.get("host", "").rsplit(":", 1)[0] if request.url.port else request.headers.get("host")
    )
    if _is_loopback(request) and (host or "").lower() in LOCAL_HOSTS:
        return None
    return _error(403, "Without NEWSTUNE_API_TOKEN this server answers clients on its own machine only.")


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def health(_request: Request) -> JSONResponse:
    """Say whether the database answers, and who leads the scheduler."""
    app = get_app()
    facts = await run_in_threadpool(workflows.health, app)
    return _data(facts)


async def predict(request: Request) -> JSONResponse:
    """Answer one article with the champion: ``{id|newsId, title, content, source}`` in, its analysis out."""
    if (denied := _denied(request)) is not None:
        return denied
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        return _error(415, "Send the article as JSON with the header 'Content-Type: application/json'.")
    try:
        payload = await _payload(request)
        question, target = _question(payload), _target(payload)
        answer = await run_in_threadpool(workflows.answer, get_app(), question, target)
    except InputRejected as error:
        return _error(413 if isinstance(error, TooLong) else 400, str(error))
    except Refused as error:
        return _error(503, str(error))
    except NewstuneError as error:
        return _error(500, str(error))
    return _data({"newsId": payload.get("newsId", payload.get("id"))} | answer)


async def _payload(request: Request) -> dict[str, Any]:
    size, chunks = 0, []
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_REQUEST_BYTES:
            raise TooLong("request", f"it has more than {MAX_REQUEST_BYTES:,} bytes", "Shorten the article")
        chunks.append(chunk)
    try:
        payload = json.loads(b"".join(chunks))
    except (ValueError, RecursionError):
        raise InputRejected(
            "request", "it is not valid JSON", 'Send {"title": ..., "content": ...}'
        ) from None
    if not isinstance(payload, dict):
        raise InputRejected("request", "it is not a JSON object", 'Send {"title": ..., "content": ...}')
    return payload


def _question(payload: dict[str, Any]) -> Question:
    title, body = _text(payload, "title"), _text(payload, "content")
    source = payload.get("source")
    if source is not None and not isinstance(source, str):
        raise InputRejected(
            Place("request", column="source"), "it is not text", "Send a string or leave it out"
        )
    news_id = payload.get("newsId", payload.get("id"))
    if news_id is not None and (isinstance(news_id, bool) or not isinstance(news_id, int | str)):
        raise InputRejected(
            Place("request", column="id"), "it is not a number or text", "Send the article's id"
        )
    check_text("id", str(news_id), MAX_ID_CHARS)
    family = Family(_word(payload, "family", list(Family)) or Family.GENERAL)
    return Question(title, body or None, source, family)


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        problem = "it is missing" if value is None else "it is not text"
        raise InputRejected(Place("request", column=name), problem, "Send it as a string")
    return value


def _target(payload: dict[str, Any]) -> Target | None:
    word = _word(payload, "target", list(Target))
    return Target(word) if word else None


def _word(payload: dict[str, Any], name: str, words: Sequence[str]) -> str | None:
    value = payload.get(name)
    if value is None or value in words:
        return value
    known = ", ".join(f"'{word}'" for word in words)
    raise InputRejected(Place("request", column=name), f"{str(value)[:40]!r} is unknown", f"Use {known}")


async def nothing_here(request: Request) -> JSONResponse:
    """Refuse what is no route of ours in the envelope: the dashboard would answer it with its page."""
    methods = {"/api/health": "GET", "/api/predict": "POST"}
    if allowed := methods.get(request.url.path):
        return _error(405, f"This address takes {allowed} only.")
    return _error(404, "There is no such address. There are GET /api/health and POST /api/predict.")


routes = [
    Route("/api/health", health, methods=["GET"]),
    Route("/api/predict", predict, methods=["POST"]),
    Route("/api/{rest:path}", nothing_here, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
]
