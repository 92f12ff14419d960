"""What went wrong with a request: one internal exception, made of the SDK's many, and what it means outside.

The one question that matters is whether the vendor may have carried the request out. It was not where the
connection never came about or a refusal came back; it may have been where the answer was lost.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from core.domain.types import Failure
from core.errors import FateUnknown, ProviderBlocked, ProviderFailed, ProviderUnreachable
from core.providers.retrying import TurnedAway, retry_after_s

if TYPE_CHECKING:
    from core.providers.openai_compat.flavours import Flavour

#: After these the vendor may have done what was asked.
PERHAPS_DONE = frozenset(
    {
        Failure.TIMEOUT,
        Failure.CONNECTION_LOST,
        Failure.PROVIDER_ERROR,
        Failure.OVERLOADED,
        Failure.UNREADABLE,
    }
)
_TURNED_AWAY = frozenset({Failure.NO_CONNECTION, Failure.RATE_LIMITED, Failure.OVERLOADED})
#: 429 for an empty account: waiting does not fill it.
_OUT_OF_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_BY_CODE = {
    "content_filter": Failure.DECLINED,
    "context_length_exceeded": Failure.TOO_LONG,
    "string_above_max_length": Failure.TOO_LONG,
}
_BY_STATUS = {
    401: Failure.KEY_REFUSED,
    403: Failure.NOT_AVAILABLE,
    404: Failure.NOT_AVAILABLE,
    408: Failure.TIMEOUT,
    410: Failure.NOT_AVAILABLE,
    429: Failure.RATE_LIMITED,
    503: Failure.OVERLOADED,
    529: Failure.OVERLOADED,
}
_LONGEST_DETAIL = 300
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]+")


class Fault(Exception):
    """A request that brought no usable response. Never leaves this package.

    Parameters
    ----------
    failure : Failure
        What kind of thing happened.
    detail : str
        What was seen, without keys, at most 300 characters.
    status : int or None
        HTTP status, where there was a response.
    code, param : str
        The vendor's own word for it, and the field of the request that it means.
    wait_s : float or None
        Seconds that the vendor asks to wait.

    Whoever measures it may set `latency_ms`, the milliseconds until it was known.
    """

    def __init__(
        self,
        failure: Failure,
        detail: str,
        *,
        status: int | None = None,
        code: str = "",
        param: str = "",
        wait_s: float | None = None,
    ) -> None:
        super().__init__(failure, detail)
        self.failure, self.detail, self.status = failure, detail, status
        self.code, self.param, self.wait_s = code, param, wait_s
        self.latency_ms: float | None = None

    @property
    def perhaps_done(self) -> bool:
        """Whether the vendor may have carried the request out all the same."""
        return self.failure in PERHAPS_DONE

    @property
    def out_of_credit(self) -> bool:
        """Whether the account has no money left."""
        return self.code in _OUT_OF_CREDIT


def turned_away(error: BaseException) -> TurnedAway | None:
    """Tell `retrying.patiently` which requests for an answer may be sent again for nothing."""
    if isinstance(error, Fault) and error.failure in _TURNED_AWAY and not error.out_of_credit:
        return TurnedAway(error.wait_s)
    return None


def clean(text: str, redact: Callable[[str], str]) -> str:
    """Return a vendor's text for a message: no keys, no control characters, one line, cut short."""
    plain = _UNSEEN.sub(" ", text[:5_000]).encode("utf-8", "replace").decode()
    return redact(" ".join(plain.split()))[:_LONGEST_DETAIL]


def fault_of(error: Exception, redact: Callable[[str], str]) -> Fault:
    """Return what an exception of the SDK means."""
    import openai  # noqa: PLC0415 - a second of imports, paid when a vendor is first called

    if isinstance(error, openai.APIStatusError):
        return fault_of_status(error.status_code, error.body, dict(error.response.headers), redact)
    if isinstance(error, openai.APIConnectionError):
        return _of_connection(error)
    return Fault(Failure.UNREADABLE, clean(f"{type(error).__name__}: {error}", redact))


def fault_of_status(
    status: int, body: object, headers: Mapping[str, str], redact: Callable[[str], str]
) -> Fault:
    """Return what an HTTP error means.

    Parameters
    ----------
    body : object
        The vendor's error object, or the text of a body that is no JSON.
    headers : mapping
        Names in lower case.
    """
    said = body if isinstance(body, dict) else {}
    code = clean(str(said.get("code") or said.get("type") or ""), redact)[:60]
    message = said.get("message")
    page = "an HTML page" if isinstance(body, str) and "<html" in body[:500].lower() else ""
    text = message if isinstance(message, str) else page or (body if isinstance(body, str) else "")
    failure = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if failure is None:
        failure = Failure.PROVIDER_ERROR if status >= 500 else Failure.REQUEST_REFUSED
    if 300 <= status < 400:  # never followed: the key would go along
        text = "the address answers with a redirection, which is not followed"
    return Fault(
        failure,
        clean(f"{status} {text}".strip(), redact),
        status=status,
        code=code,
        param=str(said.get("param") or "")[:60],
        wait_s=retry_after_s(headers),
    )


def _of_connection(error: Exception) -> Fault:
    """Tell a connection that never came about from an answer that was lost, by httpx's own exception."""
    import httpx2  # noqa: PLC0415 - comes with the SDK

    cause = error.__cause__
    never = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.UnsupportedProtocol,
        httpx2.LocalProtocolError,
        httpx2.ProxyError,
    )
    if isinstance(cause, never):
        return Fault(Failure.NO_CONNECTION, f"no connection ({type(cause).__name__})")
    if isinstance(cause, httpx2.TimeoutException):
        return Fault(Failure.TIMEOUT, "no answer within the time limit")
    if isinstance(cause, httpx2.DecodingError):
        return Fault(Failure.UNREADABLE, "the response could not be decompressed")
    return Fault(Failure.CONNECTION_LOST, f"the connection broke off ({type(cause).__name__})")


def as_error(fault: Fault, flavour: "Flavour", doing: str, *, paid: bool = False) -> ProviderFailed:
    """Return the error that callers of a provider see.

    Parameters
    ----------
    doing : str
        What was being done, such as "creating the training job".
    paid : bool
        Whether it costs money if it was carried out.
    """
    where, saw = flavour.title, f"{doing}: {fault.detail}"
    if paid and fault.perhaps_done:
        return FateUnknown(
            where,
            f"the answer to {doing} is lost ({fault.detail}); it may have been carried out",
            "Wait: it is looked for by itself, and nothing is sent again",
        )
    if fault.failure == Failure.KEY_REFUSED:
        problem = f"the key is missing or was refused ({fault.detail})"
        return ProviderFailed(where, problem, f"Check {flavour.key_setting}")
    if fault.failure == Failure.NOT_AVAILABLE or fault.out_of_credit:
        return ProviderBlocked(where, *_why_blocked(fault, saw))
    if fault.failure == Failure.NO_CONNECTION:
        return ProviderUnreachable(where, saw, "Check the address and the network, then try again")
    if fault.perhaps_done or fault.failure == Failure.RATE_LIMITED:
        return ProviderUnreachable(where, saw, "Try again in a few minutes")
    return ProviderFailed(where, saw, "Correct what the vendor names, then start again")


def _why_blocked(fault: Fault, saw: str) -> tuple[str, str]:
    """Return the problem and the remedy of a refusal that trying again does not change."""
    if fault.out_of_credit:
        return saw, "Add credit to the account, or choose another provider"
    if fault.code == "training_not_available":
        problem = f"it takes no training jobs of this account any more ({fault.detail})"
        return problem, "Train the same dataset with another provider"
    return f"{saw} (retired, or closed to this account)", "Choose another model or provider"


def unreachable(fault: Fault, flavour: "Flavour", doing: str) -> ProviderUnreachable:
    """Return the error of a look at work that goes on whatever happens to the look."""
    error = as_error(fault, flavour, doing)
    return ProviderUnreachable(error.provider, error.problem, error.remedy)
