"""Asking a chat model about one article: the request, its answer, and everything that can come instead."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from core.domain.answers import Problem, parse_answer
from core.domain.prompting import ANSWER_SCHEMA, Prompt
from core.domain.training_format import Answer
from core.domain.types import Failure
from core.errors import ProviderFailed
from core.providers.base import Forecast, ModelRef, NewsText, Reply, Usage
from core.providers.openai_compat.bodies import objects
from core.providers.openai_compat.client import Connection
from core.providers.openai_compat.faults import Fault, as_error, turned_away
from core.providers.openai_compat.flavours import Flavour
from core.providers.retrying import Patience, patiently

#: Tokens of the longest answer: five keywords and a sentence of Korean take about 150.
MAX_ANSWER_TOKENS = 400
#: What a model may not know (newer ones take no temperature): refused because of it, which costs nothing, it is
#: asked without. The limit of the answer's length is not among them: it limits the bill.
_DISPENSABLE = frozenset({"temperature", "response_format"})
_NOT_BILLED = frozenset(
    {
        Failure.NO_CONNECTION,
        Failure.RATE_LIMITED,
        Failure.OVERLOADED,
        Failure.KEY_REFUSED,
        Failure.NOT_AVAILABLE,
        Failure.REQUEST_REFUSED,
        Failure.TOO_LONG,
    }
)

_FORMATS: dict[str, dict[str, Any]] = {
    "json_schema": {
        "type": "json_schema",
        "json_schema": {"name": "sentiment", "strict": True, "schema": ANSWER_SCHEMA},
    },
    "json_object": {"type": "json_object"},
}


def build_request(flavour: Flavour, model: str, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the body with which a model is asked, for one request and for a line of a batch alike."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [dict(message) for message in messages],
        "temperature": 0,
        flavour.length_setting: MAX_ANSWER_TOKENS,
    }
    if flavour.answer_format:
        body["response_format"] = _FORMATS[flavour.answer_format]
    return body


def asked_model(model: ModelRef) -> str:
    """Return the vendor's name of what answers for a model version."""
    return model.remote_model or model.base_model


def parse_completion(body: Mapping[str, Any]) -> Reply:
    """Return what a chat completion says: the forecast, or why there is none.

    A completion was carried out, so it is billed; only where it counts no tokens that is not certain.
    """
    usage, model = _usage(body.get("usage")), body.get("model")
    said = _answer(body)
    known: dict[str, Any] = {
        "usage": usage,
        "answered_by": model if isinstance(model, str) else None,
        "billed": True if usage or isinstance(said, Answer) else None,
    }
    if isinstance(said, Problem):
        return Reply(None, said.failure, said.detail, **known)
    forecast = Forecast(said.sentiment, float(said.confidence), said.keywords, said.reason or "")
    return Reply(forecast, **known)


def _answer(body: Mapping[str, Any]) -> Answer | Problem:
    choice = next(iter(objects(body.get("choices"))), {})
    message = choice.get("message")
    if not isinstance(message, dict):
        return Problem(Failure.UNREADABLE, "the response holds no answer")
    finish, content = choice.get("finish_reason"), message.get("content")
    if message.get("refusal"):
        return Problem(Failure.DECLINED, "the model declined to answer")
    if finish == "content_filter":
        return Problem(Failure.DECLINED, "the vendor's content filter stopped the answer")
    if finish == "length":
        return Problem(Failure.CUT_OFF, f"the answer is longer than {MAX_ANSWER_TOKENS} tokens")
    if content is not None and not isinstance(content, str):
        return Problem(Failure.UNREADABLE, "the answer is no text")
    return parse_answer(content)


def _usage(said: object) -> Usage | None:
    if not isinstance(said, dict):
        return None
    details = said.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    counts = [_count(each) for each in (said.get("prompt_tokens"), said.get("completion_tokens"), cached)]
    return Usage(*counts) if counts[0] is not None or counts[1] is not None else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def reply_to(fault: Fault) -> Reply:
    """Return the reply for a request that brought no completion."""
    billed = False if fault.failure in _NOT_BILLED else None
    return Reply(None, fault.failure, fault.detail, latency_ms=fault.latency_ms, billed=billed)


class ChatAsker:
    """Answers for one model version over a connection.

    Parameters
    ----------
    connection : Connection
        The vendor.
    model : ModelRef
        What answers, and its prompt.
    patience : Patience
        How long to go on where a request was turned away.
    """

    #: Limit of an answer's length that is sent with every request.
    max_answer_tokens: int = MAX_ANSWER_TOKENS

    def __init__(self, connection: Connection, model: ModelRef, patience: Patience) -> None:
        self._connection, self._patience = connection, patience
        self._model = asked_model(model)
        self._prompt = Prompt.from_json(model.prompt)
        self._left_out: frozenset[str] = frozenset()

    def messages(self, text: NewsText) -> list[dict[str, str]]:
        """Return the messages that would be sent for a text."""
        return self._prompt.messages(text.title, text.body)

    def ask(self, text: NewsText) -> Reply:
        """Ask about one article. Safe to call from several threads; never raises for what a vendor does."""
        try:
            return self._ask(text)
        except Fault as fault:
            return reply_to(fault)

    def predict(self, texts: Sequence[NewsText]) -> list[Forecast]:
        """Return one forecast a text, in order.

        Raises
        ------
        ProviderFailed
            At the first text without an answer.
        """
        forecasts = []
        for text in texts:
            reply = self.ask(text)
            if reply.forecast is None:
                raise self._error(reply)
            forecasts.append(reply.forecast)
        return forecasts

    def _error(self, reply: Reply) -> ProviderFailed:
        failure, flavour = reply.failure or Failure.UNREADABLE, self._connection.flavour
        if failure in _NOT_BILLED:
            return as_error(Fault(failure, reply.detail), flavour, "asking for an answer")
        return ProviderFailed(flavour.title, f"no usable answer ({reply.detail})", "Ask once more")

    def _ask(self, text: NewsText) -> Reply:
        body = build_request(self._connection.flavour, self._model, self.messages(text))
        while True:
            sent = {name: value for name, value in body.items() if name not in self._left_out}
            try:
                return patiently(partial(self._once, sent), turned_away, self._patience)
            except Fault as fault:
                unknown = fault.param.partition(".")[0]
                if fault.status not in (400, 422) or unknown not in _DISPENSABLE & sent.keys():
                    raise
                self._left_out |= {unknown}

    def _once(self, body: Mapping[str, Any]) -> Reply:
        started = perf_counter()
        try:
            completion = self._connection.read(
                lambda client: client.chat.completions.with_raw_response.create(**body)
            )
        except Fault as fault:
            fault.latency_ms = _since(started)
            raise
        return replace(parse_completion(completion), latency_ms=_since(started))


def _since(started: float) -> float:
    """Return the milliseconds since a moment of `perf_counter`."""
    return round(1000 * (perf_counter() - started), 1)
