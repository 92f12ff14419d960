"""What Google's older libraries (over google.api_core and requests) raise, and how they are imported."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

from core.domain.types import Failure
from core.providers.gemini.client import MISSHAPEN, GeminiFailed, refused

#: What importing says: that google-generativeai has ended, and that google.api_core will leave Python 3.11
#: one day. The provider's card says the first; the second is for whoever upgrades.
_KNOWN_WARNINGS = (
    r"\s*All support for the `google\.generativeai` package has ended",
    r"You are using a Python version .* which Google will stop supporting",
)
_IMPORTING = Lock()


@cache
def import_quietly(name: str) -> Any:
    """Return a module, imported without the two known warnings. Raises ImportError where it is missing.

    Once a module, and one after the other: warning filters are the whole process's.
    """
    with _IMPORTING, warnings.catch_warnings():
        for message in _KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message, category=FutureWarning)
        return import_module(name)


@contextmanager
def rest_errors(redact: Callable[[str], str]) -> Iterator[None]:
    """Turn what these libraries raise into GeminiFailed, without the original: its text may hold a key."""
    web = import_quietly("requests").exceptions
    api = import_quietly("google.api_core.exceptions")
    auth = import_quietly("google.auth.exceptions")
    unread = import_quietly("google.protobuf.json_format").ParseError
    try:
        yield
    except api.GoogleAPICallError as error:
        raise _refused(error, redact) from None
    except auth.TransportError:
        raise GeminiFailed(Failure.NO_CONNECTION, "Google's sign-in could not be reached") from None
    except auth.GoogleAuthError as error:
        raise GeminiFailed(Failure.KEY_REFUSED, f"no valid credentials ({type(error).__name__})") from None
    except web.ConnectTimeout:
        raise GeminiFailed(Failure.NO_CONNECTION, "no connection (ConnectTimeout)") from None
    except web.Timeout:
        raise GeminiFailed(Failure.TIMEOUT, "no answer within the time limit") from None
    except (web.InvalidHeader, web.InvalidURL, web.InvalidSchema, web.MissingSchema) as error:
        raise GeminiFailed(Failure.NO_CONNECTION, f"it cannot be sent ({type(error).__name__})") from None
    except (web.ConnectionError, web.ChunkedEncodingError, web.TooManyRedirects) as error:
        raise _broken_off(error) from None
    except (unread, web.RequestException, *MISSHAPEN):
        raise GeminiFailed(Failure.UNREADABLE, "the response cannot be read") from None


def _refused(error: Any, redact: Callable[[str], str]) -> GeminiFailed:
    response = error.response
    try:
        body = response.json()
    except ValueError:
        body = None  # a page; it is not quoted
    return refused(error.code or response.status_code, response.headers, body, redact)


def _broken_off(error: Exception) -> GeminiFailed:
    """Tell a connection that never came about from one that broke.

    requests wraps the first in the error of its retries, of which it makes none.
    """
    never = import_quietly("urllib3.exceptions").NewConnectionError
    if isinstance(getattr(error.args[0] if error.args else None, "reason", None), never):
        return GeminiFailed(Failure.NO_CONNECTION, f"no connection ({type(error).__name__})")
    return GeminiFailed(Failure.CONNECTION_LOST, f"the connection broke off ({type(error).__name__})")
