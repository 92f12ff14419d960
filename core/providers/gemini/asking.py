"""A model at Google that answers for one model version."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

from core.domain.answers import Problem, parse_answer
from core.domain.prompting import ANSWER_SCHEMA, Prompt
from core.domain.types import Failure
from core.errors import ProviderBlocked, ProviderFailed
from core.providers.base import Forecast, NewsText, Reply
from core.providers.gemini.client import (
    MOST_OUTPUT_TOKENS,
    Finish,
    GeminiClient,
    GeminiFailed,
    Generated,
    turned_away,
)
from core.providers.retrying import Patience, patiently

#: What a decoder leaves of bytes that were not in the encoding they claimed.
_GARBLED = "\ufffd"


class GeminiAsker:
    """Asks about one article at a time; used by several threads at once.

    Parameters
    ----------
    provider : str
        Name for errors.
    connect : callable
        Returns the client, or raises ProviderBlocked where something is missing; called when first asked.
    model, base : str
        Who is asked, and what it was made of.
    prompt : Prompt
        What is sent with each article.
    patience : Patience
        How long a busy vendor is waited for.
    """

    #: Limit that is sent with every request, through either SDK; hidden reasoning counts.
    max_answer_tokens: int = MOST_OUTPUT_TOKENS

    def __init__(
        self,
        provider: str,
        connect: Callable[[], GeminiClient],
        prompt: Prompt,
        *,
        model: str,
        base: str,
        patience: Patience,
    ) -> None:
        self._provider, self._connect, self._prompt = provider, connect, prompt
        self._model, self._base, self._patience = model, base, patience

    def messages(self, text: NewsText) -> list[dict[str, str]]:
        """Return the messages that would be sent for a text."""
        return self._prompt.messages(text.title, text.body)

    def ask(self, text: NewsText) -> Reply:
        """Ask about one article; what goes wrong is the reply's failure."""
        messages, began = self.messages(text), 0.0
        try:
            client = self._connect()
        except ProviderBlocked as blocked:
            return Reply(None, Failure.KEY_REFUSED, blocked.problem, billed=False)

        def attempt() -> Generated:
            nonlocal began
            began = perf_counter()
            return client.generate(self._model, messages, ANSWER_SCHEMA, base=self._base)

        try:
            said = patiently(attempt, turned_away, self._patience)
        except GeminiFailed as failed:
            return Reply(None, failed.failure, failed.detail, latency_ms=_since(began), billed=failed.billed)
        return replace(read(said), latency_ms=_since(began))

    def predict(self, texts: Sequence[NewsText]) -> list[Forecast]:
        """Return one forecast a text, in order; raises ProviderFailed at the first that has none."""
        return [self._forecast(text) for text in texts]

    def _forecast(self, text: NewsText) -> Forecast:
        reply = self.ask(text)
        if reply.forecast is None:
            remedy = "Ask again later, or choose another model"
            raise ProviderFailed(self._provider, f"{reply.failure} ({reply.detail})", remedy)
        return reply.forecast


def read(said: Generated) -> Reply:
    """Return the reply that a model's answer amounts to.

    An answer was carried out, so it is billed; only where it counts no tokens that is not certain.
    """
    answer = _judge(said)
    known = Reply(None, usage=said.usage, answered_by=said.model_version, billed=True)
    if isinstance(answer, Forecast):
        return replace(known, forecast=answer)
    billed = True if said.usage else None
    return replace(known, failure=answer.failure, detail=answer.detail, billed=billed)


def _judge(said: Generated) -> Forecast | Problem:
    if said.finish is Finish.DECLINED:
        return Problem(Failure.DECLINED, f"the vendor declined ({said.reason})")
    if said.finish is Finish.CUT_OFF:
        return Problem(Failure.CUT_OFF, f"the answer ends in the middle ({said.reason})")
    if said.text is None:
        return Problem(Failure.EMPTY, f"there is no answer ({said.reason or 'no reason given'})")
    if _GARBLED in said.text:
        return Problem(Failure.UNREADABLE, "the answer is in another encoding than it says")
    answer = parse_answer(said.text)
    if isinstance(answer, Problem):
        return answer
    return Forecast(answer.sentiment, float(answer.confidence), answer.keywords, answer.reason or "")


def _since(began: float) -> float:
    """Return the milliseconds since a moment of `perf_counter`."""
    return round(1_000 * (perf_counter() - began), 1)
