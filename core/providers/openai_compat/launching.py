"""Sending a request that costs money at most once, whatever is killed and whichever answer is lost.

What is known is saved before each step, so that any process can go on:

- ``sends`` counts the paid requests that may have left, and is saved before the request leaves;
- ``lost`` says that one left and its answer did not arrive;
- ``unsure`` says that one may have left, and stays for good;
- ``passed_over`` names what had ended badly when a request was allowed once more: it is not what comes of it;
- ``job`` is what came of it.

A driver that was killed around its request leaves ``sends`` of 1. Its lease, extended right before the
request leaves, is longer than the request may take in all (`core.providers.deadline`), so a look at the vendor's list settles whether the request arrived. Where its list proves nothing, or a
request was lost while its driver lived, nothing is sent again: a person may clear ``sends`` and ``lost``.
What is found cancelled or failed then does not count as under way.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.domain.types import Failure, JobStatus
from core.errors import FateUnknown, ProviderFailed
from core.providers.base import Launch
from core.providers.openai_compat.bodies import identifier, is_identifier
from core.providers.openai_compat.client import Connection
from core.providers.openai_compat.faults import Fault, as_error

Handle = dict[str, Any]
_LATEST = 4_102_444_800
_ENDED_BADLY = (JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True)
class PaidRequest:
    """A request that creates something which costs money.

    Parameters
    ----------
    doing : str
        What it does, for messages.
    send : callable
        Makes it, once, and returns the body of the response. Raises Fault.
    find : callable
        Returns the bodies of what it created at the vendor, oldest first. Raises Fault.
    status : callable
        Says where one of those bodies stands.
    """

    doing: str
    send: Callable[[], dict[str, Any]]
    find: Callable[[], list[dict[str, Any]]]
    status: Callable[[Mapping[str, Any]], JobStatus]


def send_once(connection: Connection, launch: Launch, handle: Handle, request: PaidRequest) -> Handle:
    """Return the handle with its ``job``, sending the request where it is certain that none is under way.

    Raises
    ------
    FateUnknown
        If one may have been carried out and is not found.
    ProviderFailed
        If it was refused or never left; `handle` is saved as if it had not been sent.
    """
    if handle.get("job"):
        return handle
    sent = int(handle.get("sends", 0))
    found = _look(connection, request, uncertain=may_have_left(handle))
    alive, ended = _ours(handle, request, found)
    if alive or (ended and sent):
        return _adopt(launch, handle, [*alive, *ended])
    if sent > 1 or handle.get("lost") or (sent and not connection.flavour.lookup):
        handle["unsure"] = True
        launch.save(handle)
        raise _unknown(connection, request, "an earlier request was sent and is not found")
    if ended:  # nothing of ours has left since a person allowed one more: these are what came of earlier ones
        handle["passed_over"] = [*handle.get("passed_over", ()), *map(identifier, ended)]
    handle["sends"] = sent + 1
    launch.save(handle)
    try:
        created = request.send()
        identifier(created)
    except Fault as fault:
        return _after_a_fault(connection, launch, handle, request, fault)
    return _adopt(launch, handle, [created])


def may_have_left(handle: Mapping[str, Any]) -> bool:
    """Whether a paid request of this intent may have reached the vendor, a person's word notwithstanding."""
    return bool(handle.get("sends") or handle.get("unsure"))


def _after_a_fault(
    connection: Connection, launch: Launch, handle: Handle, request: PaidRequest, fault: Fault
) -> Handle:
    """Settle a request without a usable answer: refused, found all the same, or of unknown fate."""
    if not fault.perhaps_done:
        handle["sends"] -= 1
        launch.save(handle)
        error = as_error(fault, connection.flavour, request.doing, paid=True)
        if fault.failure == Failure.RATE_LIMITED and not fault.out_of_credit:
            # nothing was carried out; but a paid request that was sent is sent again by a person only
            error = ProviderFailed(error.provider, error.problem, "Start it again in a few minutes")
        raise error from None
    handle |= {"lost": True, "unsure": True}
    launch.save(handle)
    alive, ended = _ours(handle, request, _look(connection, request, uncertain=True))
    if not alive and not ended:
        raise as_error(fault, connection.flavour, request.doing, paid=True) from None
    return _adopt(launch, handle, [*alive, *ended])


def _ours(
    handle: Mapping[str, Any], request: PaidRequest, found: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what may be the present request's: what goes on or succeeded, and what ended badly."""
    passed = handle.get("passed_over", ())
    left = [body for body in found if identifier(body) not in passed]
    alive = [body for body in left if request.status(body) not in _ENDED_BADLY]
    return alive, [body for body in left if body not in alive]


def _look(connection: Connection, request: PaidRequest, *, uncertain: bool) -> list[dict[str, Any]]:
    """Return what the vendor has of this intent; `uncertain` where a request may have left before."""
    try:
        return request.find()
    except Fault as fault:
        no_such_list = fault.failure in (Failure.NOT_AVAILABLE, Failure.REQUEST_REFUSED)
        if no_such_list and not uncertain and not connection.flavour.lookup:
            return []
        if uncertain:
            raise _unknown(connection, request, f"it could not be looked for: {fault.detail}") from None
        raise as_error(fault, connection.flavour, f"looking for an earlier start ({request.doing})") from None


def _unknown(connection: Connection, request: PaidRequest, why: str) -> FateUnknown:
    return FateUnknown(
        connection.flavour.title,
        f"{request.doing} may have been carried out ({why})",
        "Look at the vendor's own console; allow one more only if there is none",
    )


def _adopt(launch: Launch, handle: Handle, found: list[dict[str, Any]]) -> Handle:
    """Save what was created; of several the oldest is ours, later ones are for the caller's sweep."""
    handle |= shown(found[0])
    handle.pop("lost", None)
    launch.save(handle)
    return handle


def listed(body: Mapping[str, Any], status: JobStatus) -> Handle:
    """Return the handle of something that was looked for, with where it stands in our own words."""
    return shown(body) | {"status": status.value}


def shown(body: Mapping[str, Any]) -> Handle:
    """Return the handle of something at the vendor."""
    return {"job": identifier(body), "created_at": body.get("created_at")}


def belongs_to(body: Mapping[str, Any], key: str) -> bool:
    """Whether something was created for an intent, by its metadata."""
    metadata = body.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("intent_id") == key


def oldest_first(bodies: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a vendor listed by age, without what has no id.

    Vendors list newest first and tell the time in whole seconds, so that within one the list's order counts.
    """
    named = [body for body in bodies if is_identifier(body.get("id"))]
    named.reverse()
    return sorted(named, key=lambda body: unix_time(body.get("created_at")))


def unix_time(value: object) -> float:
    """Return a time in seconds since 1970 as vendors send it; 0 for what is none (_LATEST is in 2100)."""
    return float(value) if isinstance(value, int | float) and 0 <= value < _LATEST else 0.0
