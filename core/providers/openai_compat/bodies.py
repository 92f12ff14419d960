"""Bodies of responses as plain JSON. Pure.

They are not left to the SDK's models: those build half objects of broken answers, and a page of HTML becomes
a string where an object is expected.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.types import Failure
from core.providers.openai_compat.faults import Fault

_ID = re.compile(r"[A-Za-z0-9][\w.:\-]{0,255}")


def json_value(content: bytes) -> Any:
    """Return the JSON value that a body holds. Raises Fault where it holds none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # also a wrong encoding
        raise Fault(Failure.UNREADABLE, f"the response is {_looks_like(content)}") from None


def json_object(content: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds. Raises Fault where it holds none."""
    body = json_value(content)
    if not isinstance(body, dict):
        raise Fault(Failure.UNREADABLE, "the response is JSON, but no object")
    return body


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list; nothing of what is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, Sequence) else []


def is_identifier(name: object) -> bool:
    """Whether something is an id that can stand in an address."""
    return isinstance(name, str) and _ID.fullmatch(name) is not None


def identifier(body: Mapping[str, Any]) -> str:
    """Return an object's id. Raises Fault where it has none."""
    name = body.get("id")
    if is_identifier(name):
        return str(name)
    raise Fault(Failure.UNREADABLE, "the response has no id")


def _looks_like(content: bytes) -> str:
    if not content.strip():
        return "empty"
    return (
        "an HTML page" if content.lstrip()[:100].lower().startswith((b"<!doctype", b"<html")) else "not JSON"
    )
