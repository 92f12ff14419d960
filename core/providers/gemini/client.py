"""The one interface behind which both Gemini SDKs stand, with their answers and errors as our own values.

::

    GeminiFailed        carries a Failure, by which the caller decides:
      NO_CONNECTION       never sent                    ┐
      RATE_LIMITED        429, perhaps with a wait      ├ nothing was carried out
      OVERLOADED          503, 529                      ┘ (of a request that is free to repeat)
      KEY_REFUSED, NOT_AVAILABLE, REQUEST_REFUSED         refused for good
      TIMEOUT, CONNECTION_LOST, PROVIDER_ERROR            lost: may have been carried out and billed
      UNREADABLE                                          answered, but not in a form that can be read
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from core.domain.types import Failure
from core.providers.base import Usage
from core.providers.retrying import TurnedAway, retry_after_s

#: An answer takes about 150 tokens; hidden reasoning, where it cannot be switched off, counts too.
MOST_OUTPUT_TOKENS = 2_048
#: What the SDKs raise over a response of another shape than they expect.
MISSHAPEN = (ValueError, TypeError, AttributeError, KeyError, RecursionError)
_LONGEST_DETAIL = 300
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]+")

TURNED_AWAY = (Failure.NO_CONNECTION, Failure.RATE_LIMITED, Failure.OVERLOADED)
REFUSED = (Failure.KEY_REFUSED, Failure.NOT_AVAILABLE, Failure.REQUEST_REFUSED)
#: After these the vendor may have done what was asked. A 503 may stand before or behind the work.
PERHAPS_DONE = (
    Failure.TIMEOUT,
    Failure.CONNECTION_LOST,
    Failure.PROVIDER_ERROR,
    Failure.OVERLOADED,
    Failure.UNREADABLE,
)

_BY_STATUS = {
    401: Failure.KEY_REFUSED,
    403: Failure.NOT_AVAILABLE,
    404: Failure.NOT_AVAILABLE,
    408: Failure.PROVIDER_ERROR,
    429: Failure.RATE_LIMITED,
    503: Failure.OVERLOADED,
    529: Failure.OVERLOADED,
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


class Finish(StrEnum):
    """How an answer ended."""

    DONE = "done"
    CUT_OFF = "cut_off"
    DECLINED = "declined"
    UNSAID = "unsaid"


_FINISHES = {"STOP": Finish.DONE, "MAX_TOKENS": Finish.CUT_OFF, "CONTINUATION": Finish.CUT_OFF}
_DECLINED = (
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
    "MODEL_ARMOR",
)
_FINISHES |= dict.fromkeys(_DECLINED, Finish.DECLINED)


@dataclass(frozen=True)
class Generated:
    """What a model wrote.

    Parameters
    ----------
    text : str or None
        The first candidate without its thoughts; None where there is none.
    finish : Finish
        How it ended.
    reason : str
        The vendor's own word for that, such as "SAFETY"; "" where it gives none.
    usage : Usage or None
        Tokens as counted by the vendor, hidden reasoning as part of the completion; None where it counts none.
    model_version : str or None
        The model that answered: a retired one may have been replaced silently.
    """

    text: str | None
    finish: Finish
    reason: str = ""
    usage: Usage | None = None
    model_version: str | None = None


class GeminiFailed(Exception):
    """A request to Google that brought no answer.

    Parameters
    ----------
    failure : Failure
        What became of it, as the module's tree says.
    detail : str
        A few words without keys.
    retry_after_s : float or None
        Seconds that the vendor asks to wait.
    status : int or None
        HTTP status, where there was a response.
    """

    def __init__(
        self, failure: Failure, detail: str, retry_after_s: float | None = None, status: int | None = None
    ) -> None:
        self.failure, self.detail = failure, detail
        self.retry_after_s, self.status = retry_after_s, status
        super().__init__(f"{failure}: {detail}")

    @property
    def perhaps_done(self) -> bool:
        """Whether the vendor may have carried the request out all the same."""
        return self.failure in PERHAPS_DONE

    @property
    def billed(self) -> bool | None:
        """Whether an answer is charged for: no, or None where that cannot be told."""
        return False if self.failure in TURNED_AWAY + REFUSED else None


class GeminiClient(Protocol):
    """Google's models, whichever SDK speaks to them. Used by several threads at once."""

    def generate(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Any],
        *,
        base: str = "",
    ) -> Generated:
        """Return one answer, sent once; raises GeminiFailed.

        Parameters
        ----------
        messages : sequence of mapping
            Chat messages with role and content.
        schema : mapping
            JSON schema that the answer must follow.
        base : str
            What a tuned model was made of, whose settings hold for it.
        """
        ...

    def models(self) -> list[str]:
        """Return the names of the models that this key may use, for free; raises GeminiFailed."""
        ...


def turned_away(error: BaseException) -> TurnedAway | None:
    """Tell whether an attempt to get an answer was not carried out, so that sending again is free."""
    if isinstance(error, GeminiFailed) and error.failure in TURNED_AWAY:
        return TurnedAway(error.retry_after_s)
    return None


def refused(status: int, headers: Mapping[str, str], body: Any, redact: Callable[[str], str]) -> GeminiFailed:
    """Return what a response with an error status means.

    Parameters
    ----------
    headers : mapping
        Not distinguishing case.
    body : Any
        The parsed JSON, in Google's shape ``{"error": {"message", "status", "details"}}``; None where the
        response held something else, which is never quoted.
    """
    error = _mapping(_mapping(body).get("error", body))
    details = [_mapping(one) for one in _sequence(error.get("details"))]
    wait_s = retry_after_s(headers)
    for delay in (_DURATION.fullmatch(str(one.get("retryDelay"))) for one in details):
        wait_s = float(delay[1]) if delay and wait_s is None else wait_s
    words = f"HTTP {status} {error.get('status') or ''} {error.get('message') or ''}"
    return GeminiFailed(_meaning(status, error, details), clean(words, redact), wait_s, status)


def clean(text: str, redact: Callable[[str], str]) -> str:
    """Return a vendor's text for a message: no keys, no control characters, one line, cut short."""
    plain = _UNSEEN.sub(" ", text[:5_000]).encode("utf-8", "replace").decode()
    return redact(" ".join(plain.split()))[:_LONGEST_DETAIL]


def _meaning(status: int, error: Mapping[str, Any], details: Sequence[Mapping[str, Any]]) -> Failure:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return Failure.PROVIDER_ERROR
    if any(one.get("reason") == "API_KEY_INVALID" for one in details):
        return Failure.KEY_REFUSED  # a wrong key is a 400 at the Developer API
    if error.get("status") == "FAILED_PRECONDITION":
        return Failure.NOT_AVAILABLE  # this region, this account or this model may not
    return Failure.REQUEST_REFUSED


def parse_generated(payload: Any) -> Generated:
    """Return the answer in a response of ``generateContent``; raises GeminiFailed where it is none."""
    if not isinstance(payload, Mapping):
        raise GeminiFailed(Failure.UNREADABLE, "the response is not a JSON object")
    usage = _usage(_mapping(payload.get("usageMetadata")))
    version = payload.get("modelVersion")
    version = version if isinstance(version, str) and version else None
    blocked = _mapping(payload.get("promptFeedback")).get("blockReason")
    if blocked:
        return Generated(None, Finish.DECLINED, f"prompt blocked: {blocked}", usage, version)
    candidates = _sequence(payload.get("candidates"))
    first = _mapping(candidates[0]) if candidates else {}
    reason = str(first.get("finishReason") or "")
    return Generated(_text(first), _FINISHES.get(reason, Finish.UNSAID), reason, usage, version)


def _text(candidate: Mapping[str, Any]) -> str | None:
    parts = [_mapping(part) for part in _sequence(_mapping(candidate.get("content")).get("parts"))]
    said = [part["text"] for part in parts if isinstance(part.get("text"), str) and not part.get("thought")]
    return "".join(said) if said else None


def _usage(said: Mapping[str, Any]) -> Usage | None:
    """Return the counts. The total tells of reasoning that the former SDK has no field for."""
    prompt, total = _count(said, "promptTokenCount"), _count(said, "totalTokenCount")
    parts = [_count(said, "candidatesTokenCount"), _count(said, "thoughtsTokenCount")]
    counted = [part for part in parts if part is not None]
    written = [sum(counted)] if counted else []
    if prompt is not None and total is not None:
        written.append(total - prompt)
    if prompt is None and not written:
        return None
    return Usage(prompt, max(written) if written else None, _count(said, "cachedContentTokenCount"))


def _count(said: Mapping[str, Any], name: str) -> int | None:
    value = said.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []
