"""Google's former SDK, google-generativeai, for those who name it: out of support, answers only, over REST.

``genai.configure`` is the whole process's, and reads the environment: two configurations would mix. So
the SDK's generated clients are made here with a key and an address of their own and handed to its models.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from core.domain.gemini_format import contents, response_schema
from core.domain.types import Failure
from core.providers.gemini.catalogue import manner
from core.providers.gemini.client import (
    MOST_OUTPUT_TOKENS,
    Generated,
    GeminiFailed,
    parse_generated,
    refused,
)
from core.providers.gemini.host import is_own_machine

#: What importing says: that this SDK has ended, and that google.api_core will leave Python 3.11 one day.
_KNOWN_WARNINGS = (
    r"\s*All support for the `google\.generativeai` package has ended",
    r"You are using a Python version .* which Google will stop supporting",
)


def _sdk() -> Any:
    """Return the SDK's module, imported without its two known warnings; the provider's card says both."""
    with warnings.catch_warnings():
        for message in _KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message, category=FutureWarning)
        import google.generativeai as sdk  # noqa: PLC0415 - takes two seconds and warns
    return sdk


@contextmanager
def _translated(redact: Callable[[str], str]) -> Iterator[None]:
    """Turn what the SDK raises into GeminiFailed, without the original: its text may hold a key."""
    import requests  # noqa: PLC0415 - come with the SDK
    from google.api_core import exceptions as api  # noqa: PLC0415
    from google.protobuf.json_format import ParseError  # noqa: PLC0415

    web = requests.exceptions
    try:
        yield
    except api.GoogleAPICallError as error:
        raise _refused(error, redact) from None
    except (web.InvalidHeader, web.InvalidURL, web.InvalidSchema, web.MissingSchema) as error:
        raise GeminiFailed(Failure.NO_CONNECTION, f"cannot be sent ({type(error).__name__})") from None
    except web.ConnectTimeout:
        raise GeminiFailed(Failure.NO_CONNECTION, "not connected (ConnectTimeout)") from None
    except web.Timeout:
        raise GeminiFailed(Failure.TIMEOUT, "no answer in time") from None
    except (web.SSLError, web.ConnectionError, web.ChunkedEncodingError, web.TooManyRedirects) as error:
        never = _never_sent(error)
        failure = Failure.NO_CONNECTION if never else Failure.CONNECTION_LOST
        words = "not connected" if never else "cut off"
        raise GeminiFailed(failure, f"{words} ({type(error).__name__})") from None
    except (ParseError, web.RequestException, ValueError, TypeError, AttributeError, KeyError):
        raise GeminiFailed(Failure.UNREADABLE, "the response cannot be read") from None


def _refused(error: Any, redact: Callable[[str], str]) -> GeminiFailed:
    response = error.response
    try:
        body = response.json()
    except ValueError:
        body = None  # a page; it is not quoted
    return refused(error.code or response.status_code, response.headers, body, redact)


def _never_sent(error: Exception) -> bool:
    """Whether no connection came about: requests wraps that in the error of its retries, of which it makes none."""
    from urllib3.exceptions import NewConnectionError  # noqa: PLC0415 - comes with the SDK

    return isinstance(getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError)


class LegacyClient:
    """Answers through google-generativeai.

    Parameters
    ----------
    key : str
        API key.
    base_url : str
        Address with its scheme.
    timeout_s : float
        Seconds that one request may take.
    redact : callable
        Takes keys out of a vendor's sentence.
    """

    def __init__(self, key: str, base_url: str, timeout_s: float, redact: Callable[[str], str]) -> None:
        self._sdk, self._redact = _sdk(), redact
        from google.ai import generativelanguage as service  # noqa: PLC0415 - the SDK's generated half

        options = {"api_key": key, "api_endpoint": base_url.rstrip("/")}
        self._answers = service.GenerativeServiceClient(transport="rest", client_options=options)
        self._lists = service.ModelServiceClient(transport="rest", client_options=options)
        for one in (self._answers, self._lists):
            session = one.transport._session  # noqa: SLF001 - the SDK has ended: nothing in it moves any more
            session.max_redirects = 0  # one would carry the key to another host
            session.trust_env = not is_own_machine(base_url)  # no proxy is asked for this machine
        self._once = {"timeout": timeout_s, "retry": None}

    def generate(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Any],
        *,
        base: str = "",
    ) -> Generated:
        """Return one answer. This SDK has no say in how much a model reasons."""
        system, turns = contents(messages)
        asked = self._sdk.GenerativeModel(
            model,
            system_instruction=system or None,
            generation_config=build_config(schema, manner(base or model).temperature),
        )
        asked._client = self._answers  # noqa: SLF001 - its only way to a client that is not the process's
        with _translated(self._redact):
            said = asked.generate_content(turns, request_options=self._once)
            payload = json.loads(type(said._result).to_json(said._result, use_integers_for_enums=False))  # noqa: SLF001
        return parse_generated(payload)

    def models(self) -> list[str]:
        """Return the names of the models that answer for this key."""
        with _translated(self._redact):
            listed = self._sdk.list_models(client=self._lists, request_options=self._once)
            return [model.name.rpartition("/")[2] for model in listed]


def build_config(schema: Mapping[str, Any], temperature: float | None) -> dict[str, Any]:
    """Return the SDK's generation settings; its schema is older and knows no order of properties."""
    config = {
        "response_mime_type": "application/json",
        "response_schema": _without_order(response_schema(schema)),
        "max_output_tokens": MOST_OUTPUT_TOKENS,
        "temperature": temperature,
    }
    return {name: value for name, value in config.items() if value is not None}


def _without_order(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    return {name: _without_order(value) for name, value in schema.items() if name != "propertyOrdering"}
