"""Google's former SDK, google-generativeai, for those who name it: out of support, answers only, over REST.

``genai.configure`` is the whole process's, and reads the environment: two configurations would mix. So
the SDK's generated clients are made here with a key and an address of their own and handed to its models.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.domain.gemini_format import contents, response_schema
from core.providers.gemini.catalogue import manner
from core.providers.gemini.client import MOST_OUTPUT_TOKENS, Generated, parse_generated
from core.providers.gemini.host import is_own_machine
from core.providers.gemini.rest import import_quietly, rest_errors


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
        self._sdk = import_quietly("google.generativeai")
        service = import_quietly("google.ai.generativelanguage")  # the SDK's generated half
        options = {"api_key": key, "api_endpoint": base_url.rstrip("/")}
        self._answers = service.GenerativeServiceClient(transport="rest", client_options=options)
        self._lists = service.ModelServiceClient(transport="rest", client_options=options)
        for one in (self._answers, self._lists):
            session = one.transport._session  # noqa: SLF001 - the SDK has ended: nothing in it moves any more
            session.max_redirects = 0  # one would carry the key to another host
            session.trust_env = not is_own_machine(base_url)  # no proxy is asked for this machine
        self._once = {"timeout": timeout_s, "retry": None}
        self._redact = redact

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
        with rest_errors(self._redact):
            said = asked.generate_content(turns, request_options=self._once)._result  # noqa: SLF001
            payload = json.loads(type(said).to_json(said, use_integers_for_enums=False))
        return parse_generated(payload)

    def models(self) -> list[str]:
        """Return the names of the models that answer for this key."""
        with rest_errors(self._redact):
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
