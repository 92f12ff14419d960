"""What each kind of fault does to a request: whether it is carried out, and what the caller gets to see."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.providers.loopback.exchange import Response

if TYPE_CHECKING:
    from core.providers.loopback.script import Fault

_PAGE = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>"
#: Longer than any client waits.
LOST_S = 120.0
#: Seconds between two bytes of an answer that drips.
_DRIP_S = 0.1

Spoil = Callable[[Response, "Fault"], Response]


@dataclass(frozen=True)
class Effect:
    """One outcome.

    Parameters
    ----------
    works : bool
        Whether the request is carried out.
    answers : bool
        Whether anything is sent back; else the connection is reset.
    refuses : bool
        Whether the vendor's usual error takes the place of what should have been sent.
    spoil : callable
        Makes what is sent of that.
    delay_s : float
        Seconds to wait where the fault names none.
    """

    works: bool = True
    answers: bool = True
    refuses: bool = False
    spoil: Spoil = lambda response, _fault: response
    delay_s: float = 0.0


def _status(response: Response, fault: "Fault") -> Response:
    """Return the fault's own response; where it has no body, `response` is the vendor's usual error."""
    headers = {**response.headers, **fault.headers}
    if fault.body is None:
        return replace(response, headers=headers)
    text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    return Response(fault.status, text.encode("utf-8", "surrogatepass"), headers=headers)


def _truncated(response: Response, _fault: "Fault") -> Response:
    return replace(response, body=response.body[: len(response.body) // 2])


def _cut_off(response: Response, _fault: "Fault") -> Response:
    return replace(response, sent_bytes=len(response.body) // 2)


def _drip(response: Response, _fault: "Fault") -> Response:
    return replace(response, byte_s=_DRIP_S)


def _html(_response: Response, fault: "Fault") -> Response:
    return Response(fault.status, _PAGE, "text/html; charset=utf-8", fault.headers)


def _mislabelled(response: Response, _fault: "Fault") -> Response:
    return replace(response, content_type="text/plain")


def _wrong_encoding(response: Response, _fault: "Fault") -> Response:
    """Return the body in an encoding that it does not claim: Korean in CP949, not UTF-8."""
    text = json.dumps(json.loads(response.body), ensure_ascii=False).replace("SIMULATED", "SIMULATED 모의")
    return replace(response, body=text.encode("cp949", "replace"))


def _wide(response: Response, _fault: "Fault") -> Response:
    return replace(response, body=response.body.decode().encode("utf-16"))


#: Outcomes by name. "status" with 200 and a body of one's own is any response at all.
EFFECTS: dict[str, Effect] = {
    "status": Effect(works=False, refuses=True, spoil=_status),
    "status_after": Effect(refuses=True, spoil=_status),
    "500_before": Effect(works=False, refuses=True, spoil=_status),
    "500_after": Effect(refuses=True, spoil=_status),
    "reset_before": Effect(works=False, answers=False),
    "lost_reset": Effect(answers=False),
    "lost_timeout": Effect(delay_s=LOST_S),
    "delay": Effect(),
    "drip": Effect(spoil=_drip),
    "truncated": Effect(spoil=_truncated),
    "cut_off": Effect(spoil=_cut_off),
    "html": Effect(works=False, spoil=_html),
    "mislabelled": Effect(spoil=_mislabelled),
    "wrong_encoding": Effect(spoil=_wrong_encoding),
    "utf16": Effect(spoil=_wide),
    "answer": Effect(),
}
