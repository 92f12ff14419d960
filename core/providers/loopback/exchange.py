"""A request and a response as values, and the refusal that a route raises."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.providers.loopback.answers import PLAIN, Twist

JSON = "application/json"
_GOOGLE = re.compile(r"/v1beta|/v1/(?:projects|publishers)/|/v1/models/[^/]+:(?:generate|count)[A-Za-z]+$")


@dataclass(frozen=True)
class Request:
    """What a client sent.

    Parameters
    ----------
    method, path : str
        Such as "POST" and "/v1/chat/completions", the other spellings of an address already translated.
    query, headers : mapping of str to str
        The names of headers are in lower case.
    body : bytes
        As sent.
    key : str
        The caller's key or token; "" where none was sent.
    twist : Twist
        What is made of the model's answer.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    key: str = ""
    twist: Twist = PLAIN

    @property
    def route(self) -> str:
        """Method and path, as patterns of a script see them."""
        return f"{self.method} {self.path}"

    def json(self) -> dict[str, Any]:
        """Return the body as an object. Raises Refusal where it is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Refusal(400, "We could not parse the JSON body of your request.")
        return value


@dataclass(frozen=True)
class Response:
    """What is sent back.

    `sent_bytes` less than the body's length leaves it unfinished on the wire; `byte_s` are the seconds between
    two bytes of the body, which otherwise goes out in one piece.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    sent_bytes: int | None = None
    byte_s: float = 0.0


class Refusal(Exception):
    """The vendor says no. Each shape renders it as its own kind of error.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        The vendor's sentence.
    code : str or None
        The vendor's machine-readable word.
    param : str or None
        Field of the request that is meant.
    headers : mapping
        Further headers, such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = dict(headers or {})


def ok(value: object) -> Response:
    """Return a value as JSON. Escaped to ASCII, so that lone surrogates pass as their escapes."""
    return Response(body=json.dumps(value).encode())


def is_google(request: Request) -> bool:
    """Whether a request is in Google's shape; both vendors have a ``/v1/models``."""
    told = "x-goog-api-key" in request.headers or "key" in request.query
    return told or _GOOGLE.match(request.path) is not None


Handler = Callable[..., Response]
