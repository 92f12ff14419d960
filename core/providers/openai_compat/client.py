"""The one place that talks: the SDK's client of a vendor, made at first use."""

import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from core.domain.types import Failure
from core.providers.deadline import REQUEST_S, SILENCE_S, OutOfTime, within
from core.providers.openai_compat.addresses import host_is, is_address
from core.providers.openai_compat.bodies import json_object, json_value, objects
from core.providers.openai_compat.faults import Fault, fault_of
from core.providers.openai_compat.flavours import Flavour

if TYPE_CHECKING:
    from openai import OpenAI

#: A request with this client: takes the SDK's client, returns its raw response.
Call = Callable[["OpenAI"], Any]
#: Connecting takes no longer than this, in seconds.
_CONNECT_S = 5.0
#: Pages of a list that are read at most, and entries of a page.
MAX_PAGES, PAGE = 1_000, 100
#: Servers of one's own that need no key are still sent something by the SDK.
_NO_KEY = "none"


class Connection:
    """A vendor as this process reaches it. Safe to use from several threads.

    Parameters
    ----------
    flavour : Flavour
        The vendor.
    key : SecretStr or None
        Its key.
    base_url : str or callable
        Address, or what starts the server and returns it.
    api_version : str
        Azure's, for addresses that need one; "" elsewhere.
    timeout_s : float
        Seconds that a request may wait for a sign of life.
    longest_s : float or None
        Seconds that a request may take in all; None for as long as something arrives.
    redact : callable
        Takes keys out of a text.
    """

    def __init__(
        self,
        flavour: Flavour,
        key: SecretStr | None,
        base_url: str | Callable[[], str],
        *,
        api_version: str = "",
        timeout_s: float = 60.0,
        longest_s: float | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.flavour, self.redact = flavour, redact
        self.timeout_s, self.longest_s = timeout_s, longest_s
        self._key, self._base_url, self._api_version = key, base_url, api_version
        self._lock = Lock()
        self._client: OpenAI | None = None

    def __repr__(self) -> str:
        return f"Connection({self.flavour.name!r}, {self.host!r})"

    def for_launches(self) -> "Connection":
        """Return a connection to the same vendor whose requests end within the lease of a launch."""
        return Connection(
            self.flavour,
            self._key,
            self._base_url,
            api_version=self._api_version,
            timeout_s=min(self.timeout_s, SILENCE_S),
            longest_s=REQUEST_S,
            redact=self.redact,
        )

    @property
    def has_key(self) -> bool:
        """Whether a key is given."""
        return self._key is not None and bool(self._key.get_secret_value().strip())

    @property
    def has_address(self) -> bool:
        """Whether an address is given."""
        return bool(self._base_url)

    @property
    def host(self) -> str:
        """Name of the host that is talked to; "" where none is set or a server of ours is started for it."""
        try:
            return "" if callable(self._base_url) else urlsplit(self._base_url).hostname or ""
        except ValueError:  # no address at all: the first request says so
            return ""

    @property
    def own_machine(self) -> bool:
        """Whether the host is this machine."""
        return callable(self._base_url) or host_is(self.host, lambda ip: ip.is_loopback)

    @property
    def private(self) -> bool:
        """Whether the host is this machine or in a private network."""
        return (
            self.own_machine
            or host_is(self.host, lambda ip: ip.is_private)
            or not set(self.host) & {".", ":"}
        )

    def url(self) -> str:
        """Return the address, starting the server behind it where it is one of ours."""
        return (self._base_url() if callable(self._base_url) else self._base_url).rstrip("/")

    def beside(self, path: str) -> str:
        """Return the address of something that stands beside the version folder."""
        parts = urlsplit(self.url())
        return f"{parts.scheme}://{parts.netloc}/{path}"

    def client(self) -> "OpenAI":
        """Return the SDK's client, the same one each time.

        Raises
        ------
        Fault
            If key or address are missing or cannot be used.
        """
        with self._lock:
            if self._client is None:
                self._client = self._build()
                weakref.finalize(self, self._client.close)
            return self._client

    def _build(self) -> "OpenAI":
        import openai  # noqa: PLC0415 - a second of imports, paid when a vendor is first called

        key, url = self._checked_key(), self._checked_url()
        # Redirections are not followed: they would take the key along. For this machine no proxy is asked, and
        # no certificates are loaded where none is used: that takes longer than a request.
        http = openai.DefaultHttpxClient(
            follow_redirects=False,
            trust_env=not self.own_machine,
            verify=not (self.own_machine and url.startswith("http:")),
            timeout=self._timeout(),
        )
        shared: dict[str, Any] = {"max_retries": 0, "timeout": self._timeout(), "http_client": http}
        client: OpenAI
        if self._api_version:
            client = openai.AzureOpenAI(
                azure_endpoint=url, api_key=key, api_version=self._api_version, **shared
            )
        else:
            client = openai.OpenAI(base_url=url, api_key=key, **shared)
        if self.flavour.name != "openai":  # the SDK takes these from the environment, for OpenAI alone
            client.organization = client.project = None
        return client

    def _checked_key(self) -> str:
        name = self.flavour.key_setting
        key = self._key.get_secret_value().strip() if self._key is not None else ""
        if not key and self.flavour.key_needed:
            raise Fault(Failure.KEY_REFUSED, f"{name} is not set")
        if not (key.isascii() and key.isprintable()):  # it could not be put into a header
            raise Fault(Failure.KEY_REFUSED, f"{name} holds characters that no key has")
        return key or _NO_KEY

    def _checked_url(self) -> str:
        url = self.url()
        if not url:
            raise Fault(Failure.NOT_AVAILABLE, f"no address is given: set {self.flavour.address_setting}")
        if not is_address(url):
            raise Fault(Failure.NOT_AVAILABLE, "its address is none: it begins with https:// or http://")
        if url.startswith("http:") and self.has_key and not self.private:
            raise Fault(Failure.NOT_AVAILABLE, "its address begins with http://: the key would be readable")
        return url

    def _timeout(self) -> Any:
        import httpx2  # noqa: PLC0415 - comes with the SDK

        return httpx2.Timeout(self.timeout_s, connect=min(_CONNECT_S, self.timeout_s))

    def send(self, call: Call, longest_s: float | None = None) -> Any:
        """Make one request, once, and return the raw response.

        Parameters
        ----------
        longest_s : float or None
            Seconds that it may take in all; None for the connection's own limit.

        Raises
        ------
        Fault
            If there is none, or it is an error.
        """
        return self._sent(self.client(), call, longest_s or self.longest_s)

    def _sent(self, client: "OpenAI", call: Call, longest_s: float | None) -> Any:
        import openai  # noqa: PLC0415 - see `_build`

        try:
            return call(client) if longest_s is None else within(longest_s, partial(call, client))
        except OutOfTime:
            raise Fault(Failure.TIMEOUT, f"no whole answer within {longest_s:.0f} seconds") from None
        except openai.OpenAIError as error:
            raise fault_of(error, self.redact) from None

    def read(self, call: Call, longest_s: float | None = None) -> dict[str, Any]:
        """Make one request and return the JSON object of its response; see `send`.

        Raises
        ------
        Fault
            If there is none.
        """
        return json_object(self.send(call, longest_s).content)

    def read_alone(self, call: Call) -> dict[str, Any]:
        """Make one request that costs money, over connections of its own, and return its JSON object.

        When its time is up it is treated as lost and its connections are closed, so that it cannot leave
        later: neither of them can call back what the vendor has received by then. Requests of other
        threads go on.

        Raises
        ------
        Fault
            If there is none.
        """
        client = self._build()
        try:
            return json_object(self._sent(client, call, self.longest_s).content)
        finally:
            client.close()

    def post(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send an object to an address that the SDK has no method for. Raises Fault."""
        return self.read(lambda client: client.post(url, cast_to=_response_type(), body=dict(body)))

    def get(self, url: str) -> Any:
        """Read a JSON value from an address that the SDK has no method for. Raises Fault."""
        return json_value(self.send(lambda client: client.get(url, cast_to=_response_type())).content)

    def pages(self, fetch: Callable[..., Any]) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a list, each with the objects in it.

        Parameters
        ----------
        fetch : callable
            ``fetch(client, limit=..., after=...)`` returns the raw response of one page.

        Raises
        ------
        Fault
            If a page cannot be read, or the list does not end: what it lacks might be on it all the same.
        """
        page: dict[str, Any] = {"limit": PAGE}
        for _ in range(MAX_PAGES):
            body = self.read(partial(fetch, **page))
            entries = objects(body.get("data"))
            yield entries
            last = entries[-1].get("id") if entries else None
            if body.get("has_more") is not True or not last:
                return
            if last == page.get("after"):
                break
            page = {"limit": PAGE, "after": last}
        raise Fault(Failure.UNREADABLE, "the list does not end")

    def everything(self, fetch: Callable[..., Any]) -> list[dict[str, Any]]:
        """Return all entries of a list, in the vendor's order."""
        return [entry for entries in self.pages(fetch) for entry in entries]

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()


def _response_type() -> Any:
    import httpx2  # noqa: PLC0415 - comes with the SDK

    return httpx2.Response
