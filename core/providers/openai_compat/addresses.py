"""Addresses of vendors: whether one can be called at all, and whose machine it leads to. Pure."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit


def is_address(url: str) -> bool:
    """Whether the SDK can call it: some others it answers with errors of half a dozen libraries."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        port = parts.port or 443
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and port > 0 and url.isprintable()


def host_is(host: str, test: Callable[[Any], bool]) -> bool:
    """Whether a host is this machine by its name, or its number passes `test`."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return test(ip_address(host))
    except ValueError:
        return False
