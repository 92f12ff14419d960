"""Files at the vendor: uploaded once under the intent's name, read back, taken away again."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, Literal

from core.domain.types import Failure
from core.providers.deadline import UPLOAD_S
from core.providers.openai_compat.bodies import identifier
from core.providers.openai_compat.client import Connection
from core.providers.openai_compat.faults import Fault, clean

Purpose = Literal["fine-tune", "batch"]
#: Seconds for which a file may be checked by the vendor before the launch is put off, and between two looks.
#: Shorter than a lease (180 s), which each look extends.
PROCESSING_S = 120.0
_FIRST_LOOK_S, _LONGEST_PAUSE_S = 0.1, 5.0
#: A look that took this many seconds extends the lease as well, whatever it brought.
_SLOW_LOOK_S = 10.0
#: Seconds in all for the results of a batch, up to 200 MB; no lease runs meanwhile.
_DOWNLOAD_S = 1_800.0
_READY = frozenset({"processed", "uploaded"})
_REFUSED = frozenset({"error", "deleted"})


def intent_file(key: str, part: str) -> str:
    """Return the name by which a later driver finds what an earlier one uploaded."""
    return f"intent-{key}-{part}.jsonl"


def upload_once(connection: Connection, name: str, content: bytes, purpose: Purpose) -> str:
    """Return the id of the file of that name and content, uploading it where it is not there yet.

    Raises
    ------
    Fault
        If the vendor cannot be asked or refuses the file.
    """
    found = _find(connection, name, len(content), purpose)
    if found is not None:
        return found
    return identifier(
        connection.read(
            lambda client: client.files.with_raw_response.create(
                file=(name, content, "application/jsonl"), purpose=purpose
            ),
            UPLOAD_S,
        )
    )


def _find(connection: Connection, name: str, size: int, purpose: Purpose) -> str | None:
    """Return the file's id; one of another size was cut off on its way and does not count."""
    for file in _named(connection, name, purpose):
        if file.get("bytes") == size and file.get("status") not in _REFUSED:
            return identifier(file)
    return None


def named(connection: Connection, name: str, purpose: Purpose) -> set[str]:
    """Return the ids of all files of a name. Raises Fault."""
    return {identifier(file) for file in _named(connection, name, purpose)}


def _named(connection: Connection, name: str, purpose: Purpose) -> Iterator[dict[str, Any]]:
    """Yield the files of a name, newest first as vendors list them."""
    pages = connection.pages(
        lambda client, **page: client.files.with_raw_response.list(purpose=purpose, **page)
    )
    for files in pages:
        yield from (file for file in files if file.get("filename") == name)


def await_processed(connection: Connection, file_id: str, still_here: Callable[[], None]) -> None:
    """Wait until the vendor has checked a file. `still_here` is called before each further look.

    It is called after a slow look too: between two calls lie at most one request and one pause.

    Raises
    ------
    Fault
        If the file is refused, cannot be asked about, or is not checked within `PROCESSING_S`.
    """
    pause, until = _FIRST_LOOK_S, monotonic() + PROCESSING_S
    while True:
        asked = monotonic()
        file = connection.read(lambda client: client.files.with_raw_response.retrieve(file_id))
        if monotonic() - asked > _SLOW_LOOK_S:
            still_here()
        status = file.get("status")
        if status in _READY or status is None:
            return
        if status in _REFUSED:
            detail = clean(str(file.get("status_details") or "no reason given"), connection.redact)
            raise Fault(Failure.REQUEST_REFUSED, f"the file was refused: {detail}")
        if monotonic() + pause > until:
            raise Fault(Failure.OVERLOADED, f"the file is still '{status}' after {PROCESSING_S:.0f} seconds")
        sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
        still_here()


def content_of(connection: Connection, file_id: str) -> bytes:
    """Return a file's bytes. Raises Fault."""
    response: Any = connection.send(
        lambda client: client.files.with_raw_response.content(file_id), _DOWNLOAD_S
    )
    content: bytes = response.content
    return content


def delete_quietly(connection: Connection, file_id: str) -> None:
    """Delete a file; one that cannot be deleted stays, which changes nothing."""
    with suppress(Fault):
        connection.send(lambda client: client.files.with_raw_response.delete(file_id))
