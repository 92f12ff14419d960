"""Reading what was sent: a bounded JSON object, and the fields of a news item, checked on the way in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from core.domain.question import MAX_ID_CHARS, Question, TooLong, check_text
from core.domain.types import Family, Target
from core.errors import InputRejected, Place

#: A title and a body at their limits, with room for escapes; more is refused unread.
MAX_REQUEST_BYTES = 256 * 1024
_SHAPE = 'Send {"title": ..., "content": ...}'


class NotJson(InputRejected):
    """The request does not say that it is JSON: a form of another site could not say so."""


async def read_object(
    request: Request, *, limit: int = MAX_REQUEST_BYTES, shape: str = _SHAPE
) -> dict[str, Any]:
    """Return the JSON object of a request's body.

    Raises
    ------
    NotJson
        If its content type is another.
    TooLong
        If it has more than `limit` bytes; the rest is not read.
    InputRejected
        If it is not a JSON object.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise NotJson(
            "request", "it is not said to be JSON", "Send the header 'Content-Type: application/json'"
        )
    size, chunks = 0, []
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLong("request", f"it has more than {limit:,} bytes", "Send less at a time")
        chunks.append(chunk)
    try:
        payload = json.loads(b"".join(chunks))
    except (ValueError, RecursionError):
        raise InputRejected("request", "it is not valid JSON", shape) from None
    if not isinstance(payload, dict):
        raise InputRejected("request", "it is not a JSON object", shape)
    return payload


def question_of(payload: Mapping[str, Any], *, family: Family = Family.GENERAL) -> Question:
    """Return the news item of ``{id|newsId, title, content, source, url, family}``.

    `family` is that of an item which does not say its own.
    """
    title, body = _text(payload, "title"), _text(payload, "content")
    check_id(payload)
    named = word(payload, "family", list(Family))
    return Question(
        title,
        body or None,
        optional_text(payload, "source"),
        Family(named) if named else family,
        optional_text(payload, "url") or None,
    )


def id_of(payload: Mapping[str, Any]) -> Any:
    """Return the caller's id of a news item, or None."""
    return payload.get("newsId", payload.get("id"))


def check_id(payload: Mapping[str, Any]) -> None:
    """Raise InputRejected where a news item's id could not be sent back."""
    news_id = id_of(payload)
    if news_id is not None and (isinstance(news_id, bool) or not isinstance(news_id, int | str)):
        raise InputRejected(
            Place("request", column="id"), "it is not a number or text", "Send the article's id"
        )
    check_text("id", str(news_id), MAX_ID_CHARS)


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        problem = "it is missing" if value is None else "it is not text"
        raise InputRejected(Place("request", column=name), problem, "Send it as a string")
    return value


def optional_text(payload: Mapping[str, Any], name: str) -> str | None:
    """Return a text that may be missing. Raises InputRejected for anything else."""
    value = payload.get(name)
    if value is not None and not isinstance(value, str):
        raise InputRejected(Place("request", column=name), "it is not text", "Send a string or leave it out")
    return value


def target_of(payload: Mapping[str, Any]) -> Target | None:
    """Return for which target a question is; None leaves it to the server."""
    named = word(payload, "target", list(Target))
    return Target(named) if named else None


def word(payload: Mapping[str, Any], name: str, words: Sequence[str]) -> str | None:
    """Return a field that holds one of some words, or is missing. Raises InputRejected for another."""
    value = payload.get(name)
    if value is None or value in words:
        return value
    known = ", ".join(f"'{each}'" for each in words)
    raise InputRejected(Place("request", column=name), f"{str(value)[:40]!r} is unknown", f"Use {known}")
