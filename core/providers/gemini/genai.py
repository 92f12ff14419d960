"""Google's present SDK, google-genai: answers with a key, and everything on Vertex."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from core.domain.gemini_format import contents, response_schema
from core.domain.types import Failure
from core.providers.deadline import OutOfTime
from core.providers.gemini.catalogue import Manner, manner
from core.providers.gemini.client import (
    MISSHAPEN,
    MOST_OUTPUT_TOKENS,
    GeminiFailed,
    Generated,
    parse_generated,
    refused,
)
from core.providers.gemini.host import is_own_machine

if TYPE_CHECKING:
    from google.genai import Client

#: The SDK's own defaults, said aloud so that no variable of the environment changes them.
DEVELOPER_VERSION, VERTEX_VERSION = "v1", "v1beta1"


def open_developer(key: str, base_url: str, timeout_s: float) -> "Client":
    """Return the SDK's client for a key; the environment's keys and modes have no say."""
    from google import genai  # noqa: PLC0415 - takes a second

    return genai.Client(
        vertexai=False, api_key=key, http_options=_options(base_url, DEVELOPER_VERSION, timeout_s)
    )


def open_vertex(project: str, location: str, base_url: str, timeout_s: float, credentials: Any) -> "Client":
    """Return the SDK's client for a project on Vertex."""
    from google import genai  # noqa: PLC0415 - takes a second

    return genai.Client(
        vertexai=True,
        project=project,
        location=location,
        credentials=credentials,
        http_options=_options(base_url, VERTEX_VERSION, timeout_s),
    )


def expect_experiment() -> None:
    """Do without the SDK's warning that its tuning may change; the version is pinned.

    For good, not around the call: filters are the whole process's, and other threads change them meanwhile.
    """
    from google.genai.errors import ExperimentalWarning  # noqa: PLC0415

    warnings.filterwarnings(
        "ignore", "The SDK's tuning implementation is experimental", category=ExperimentalWarning
    )


def _options(base_url: str, version: str, timeout_s: float) -> Any:
    """Return options without retries.

    Redirects would carry the key to another host, so none is followed; no proxy is asked for this machine.
    """
    from google.genai import types  # noqa: PLC0415

    stay = {"follow_redirects": False, "trust_env": not is_own_machine(base_url)}
    return types.HttpOptions(
        base_url=base_url,
        api_version=version,
        timeout=round(timeout_s * 1_000),
        client_args=stay,
        async_client_args=dict(stay),
    )


@contextmanager
def translated(redact: Callable[[str], str]) -> Iterator[None]:
    """Turn what the SDK raises into GeminiFailed, without the original: its text may hold a key."""
    import httpx2  # noqa: PLC0415 - comes with the SDK
    from google.auth import exceptions as auth  # noqa: PLC0415
    from google.genai import errors  # noqa: PLC0415

    try:
        yield
    except errors.APIError as error:
        headers = error.response.headers if isinstance(error.response, httpx2.Response) else {}
        body = error.details if _is_json(headers) else None
        raise refused(error.code, headers, body, redact) from None
    except auth.TransportError:
        raise GeminiFailed(Failure.NO_CONNECTION, "Google's sign-in could not be reached") from None
    except auth.GoogleAuthError as error:
        raise GeminiFailed(Failure.KEY_REFUSED, f"no valid credentials ({type(error).__name__})") from None
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
        raise GeminiFailed(Failure.NO_CONNECTION, f"not connected ({type(error).__name__})") from None
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
        raise GeminiFailed(Failure.NO_CONNECTION, f"cannot be sent ({type(error).__name__})") from None
    except (httpx2.TimeoutException, OutOfTime):
        raise GeminiFailed(Failure.TIMEOUT, "no answer in time") from None
    except httpx2.TransportError as error:
        raise GeminiFailed(Failure.CONNECTION_LOST, f"cut off ({type(error).__name__})") from None
    except (httpx2.DecodingError, *MISSHAPEN):
        raise GeminiFailed(Failure.UNREADABLE, "the response cannot be read") from None


def _is_json(headers: Mapping[str, str]) -> bool:
    return "json" in headers.get("content-type", "")


class GenaiClient:
    """Answers through google-genai.

    Parameters
    ----------
    sdk : google.genai.Client
        Kept for as long as this lives: the SDK closes a client that nobody holds.
    redact : callable
        Takes keys out of a vendor's sentence.
    """

    def __init__(self, sdk: "Client", redact: Callable[[str], str]) -> None:
        self._sdk, self._redact = sdk, redact
        self._plain: set[str] = set()

    def generate(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Any],
        *,
        base: str = "",
    ) -> Generated:
        """Return one answer. A model that knows no thinking setting is asked once more without one.

        Such a refusal costs nothing, and is remembered.
        """
        known = manner(base or model)
        if known.thinking and model not in self._plain:
            try:
                return self._send(model, messages, schema, known)
            except GeminiFailed as failed:
                if failed.failure != Failure.REQUEST_REFUSED or "thinking" not in failed.detail.lower():
                    raise
                self._plain.add(model)
        return self._send(model, messages, schema, Manner({}, known.temperature))

    def models(self) -> list[str]:
        """Return the names of the models that answer for this key."""
        with translated(self._redact):
            listed = self._sdk.models.list(config={"page_size": 1_000})
            return [model.name.rpartition("/")[2] for model in listed if model.name]

    def _send(
        self, model: str, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any], how: Manner
    ) -> Generated:
        system, turns = contents(messages)
        asked: Any = turns  # the SDK takes plain dictionaries, whatever its annotations say
        config: Any = build_config(system, schema, how)
        with translated(self._redact):
            raw = self._sdk.models.generate_content(
                model=model, contents=asked, config=config
            ).sdk_http_response
            payload = json.loads(raw.body) if raw and raw.body else None
        return parse_generated(payload)


def build_config(system: str, schema: Mapping[str, Any], how: Manner) -> dict[str, Any]:
    """Return the SDK's configuration of one request: one POST, one candidate, its body unread.

    The SDK would parse the answer's own JSON and break over numbers or brackets without end, and it would
    send again by itself where an answer is to be continued or a function called.
    """
    config: dict[str, Any] = {
        "system_instruction": system or None,
        "response_mime_type": "application/json",
        "response_schema": response_schema(schema),
        "max_output_tokens": MOST_OUTPUT_TOKENS,
        "temperature": how.temperature,
        "thinking_config": how.thinking or None,
        "automatic_function_calling": {"disable": True},
        "automatic_continuation": False,
        "should_return_http_response": True,
    }
    return {name: value for name, value in config.items() if value is not None}
