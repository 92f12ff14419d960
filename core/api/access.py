"""Who may ask: a bearer token, or, where none is set, clients on this machine."""

import hmac
from ipaddress import ip_address
from typing import NamedTuple

from starlette.requests import Request

from core.bootstrap import get_app

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}


class Denial(NamedTuple):
    """Why a request is not answered: an HTTP status and a sentence."""

    status: int
    message: str


def denied(request: Request) -> Denial | None:
    """Return the refusal for a request that may not ask, or None.

    Routes are not protected by the dashboard's login, so each asks here first.
    """
    token = get_app().settings.api_token
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
        if known and scheme.lower() == "bearer":
            return None
        return Denial(401, "Send the header 'Authorization: Bearer <token>' with this server's API token.")
    # A page of another site can reach a loopback port by a name of its own: the Host header tells.
    host = (
        request.headers.get("host", "").rsplit(":", 1)[0] if request.url.port else request.headers.get("host")
    )
    if _is_loopback(request) and (host or "").lower() in LOCAL_HOSTS:
        return None
    return Denial(403, "Without NEWSTUNE_API_TOKEN this server answers clients on its own machine only.")


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
