"""Who is behind an address: this machine, and if so, whether it is a simulated vendor."""

from ipaddress import ip_address
from threading import Lock
from urllib.parse import urlsplit

#: Header in which the loopback vendor says that all it produces is SIMULATED.
_HEADER = "x-newstune-simulated"
_PATIENCE_S = 2.0


def host_of(url: str) -> str:
    """Return the name of the host that an address leads to."""
    return urlsplit(url).hostname or ""


def is_own_machine(url: str) -> bool:
    """Whether an address leads to this machine."""
    host = host_of(url)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Origin:
    """Tells a simulated vendor from a real one: an address on this machine is asked once.

    One that cannot be reached is taken for real, and asked again the next time.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._lock = Lock()
        self._told: bool | None = None if is_own_machine(base_url) else False

    @property
    def simulated(self) -> bool:
        """Whether everything that comes from there is SIMULATED."""
        return bool(self.kind())

    def kind(self) -> bool | None:
        """Return whether it is a simulated vendor's; None for an address on this machine that does not answer."""
        with self._lock:
            if self._told is None:
                self._told = self._ask()
            return self._told

    def _ask(self) -> bool | None:
        import httpx2  # noqa: PLC0415 - comes with the SDKs, and only addresses on this machine need it

        url = f"{self._base_url.rstrip('/')}/v1beta/models"
        try:
            return _HEADER in httpx2.get(url, timeout=_PATIENCE_S, trust_env=False).headers
        except httpx2.HTTPError:
            return None
