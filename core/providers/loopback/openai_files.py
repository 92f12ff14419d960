"""OpenAI's shape: files, and lists with pages."""

import re
from collections.abc import Sequence
from typing import Any

from core.providers.loopback.exchange import Refusal, Request, Response, ok
from core.providers.loopback.state import Thing
from core.providers.loopback.world import World, new_id

PURPOSES = ("fine-tune", "batch", "assistants", "vision", "user_data", "evals")
_NAME = re.compile(rb'name="([^"]*)"')
_FILENAME = re.compile(rb'filename="([^"]*)"')


def form(request: Request) -> dict[str, tuple[str, bytes]]:
    """Return the parts of a multipart body by name: (file name, content)."""
    boundary = request.headers.get("content-type", "").partition("boundary=")[2].strip('"').encode()
    if not boundary:
        raise Refusal(400, "The request is not multipart/form-data.")
    parts = {}
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        if name := _NAME.search(head):
            file = _FILENAME.search(head)
            filename = file.group(1).decode("utf-8", "replace") if file else ""
            parts[name.group(1).decode()] = (filename, content.removesuffix(b"\r\n"))
    return parts


def upload(world: World, request: Request) -> Response:
    """Store a file."""
    parts = form(request)
    purpose = parts.get("purpose", ("", b""))[1].decode("utf-8", "replace")
    if purpose not in PURPOSES:
        raise Refusal(400, f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'", param="purpose")
    if "file" not in parts:
        raise Refusal(400, "'file' is a required property", param="file")
    filename, content = parts["file"]
    return ok(shown(keep(world, filename, purpose, content)))


def keep(world: World, filename: str, purpose: str, content: bytes, *, key: str = "") -> Thing:
    """Store a file and return it; one that is there under `key` already stays."""
    facts = {"filename": filename, "purpose": purpose, "bytes": len(content)}
    return world.state.add("file", key or new_id("file-"), world.clock(), facts, content)


def shown(file: Thing) -> dict[str, Any]:
    """Return a file as the vendor shows it."""
    head = {"object": "file", "id": file.id, "created_at": int(file.created), "expires_at": None}
    return {**head, **file.data, "status": "processed", "status_details": None}


def found(world: World, key: str) -> Thing:
    """Return a file. Raises Refusal where there is none."""
    file = world.state.get("file", key)
    if file is None:
        raise Refusal(404, f"No such File object: {key}", param="id")
    return file


def files(world: World, request: Request) -> Response:
    """List the files, newest first."""
    purpose = request.query.get("purpose")
    mine = [one for one in world.state.all("file") if purpose in (None, one.data["purpose"])]
    ordered = mine[::-1] if request.query.get("order") == "asc" else mine
    return page(request, [shown(one) for one in ordered], 10_000)


def file(world: World, _request: Request, key: str) -> Response:
    """Return one file."""
    return ok(shown(found(world, key)))


def content(world: World, _request: Request, key: str) -> Response:
    """Return a file's bytes."""
    found(world, key)
    return Response(body=world.state.content("file", key) or b"", content_type="application/octet-stream")


def remove(world: World, _request: Request, key: str) -> Response:
    """Delete a file."""
    found(world, key)
    return ok({"id": key, "object": "file", "deleted": world.state.remove("file", key)})


def page(request: Request, values: Sequence[dict[str, Any]], usual: int = 20) -> Response:
    """Return the part of a list that `after` and `limit` ask for."""
    ids = [one["id"] for one in values]
    after = request.query.get("after")
    start = ids.index(after) + 1 if after in ids else 0
    limit = request.query.get("limit", "")
    end = start + (int(limit) if limit.isdecimal() else usual)
    some = list(values[start:end])
    return ok(
        {
            "object": "list",
            "data": some,
            "first_id": some[0]["id"] if some else None,
            "last_id": some[-1]["id"] if some else None,
            "has_more": end < len(values),
        }
    )
