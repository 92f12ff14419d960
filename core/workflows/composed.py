"""Two models as one: the first answers where it is sure, the second is asked about the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from core.domain.cascade import escalates, latency
from core.providers.base import Asker, Forecast, NewsText, Predictor, Reply, Usage

#: What an answer took of the second part's tokens where that one was not asked.
_NO_TOKENS = Usage(0, 0, 0)


@dataclass(frozen=True)
class LocalCascade:
    """A cascade whose parts both answer here; a `Predictor`.

    Parameters
    ----------
    first, second : Predictor
        Who answers, and who is asked where the first is unsure.
    threshold : float
        Confidence in percent below which the first is unsure.
    """

    first: Predictor
    second: Predictor
    threshold: float

    def predict(self, texts: Sequence[NewsText]) -> list[Forecast]:
        """Return one forecast a text, in order; the second part sees only what the first is unsure of."""
        said = self.first.predict(texts)
        unsure = [i for i, each in enumerate(said) if escalates(each.confidence, self.threshold)]
        again = self.second.predict([texts[i] for i in unsure]) if unsure else []
        for i, forecast in zip(unsure, again, strict=True):
            said[i] = forecast
        return said


@dataclass(frozen=True)
class RemoteCascade:
    """A cascade whose second part is asked over a network; an `Asker`.

    `messages` and `max_answer_tokens` are the second part's: the most that an answer can take.

    Parameters
    ----------
    first : Predictor
        Answers here, for free.
    second : Asker
        Is asked where the first is unsure.
    threshold : float
        Confidence in percent below which the first is unsure.
    first_name, second_name : str
        Kept as the ones who answered; a name that the vendor says goes before the second.
    """

    first: Predictor
    second: Asker
    threshold: float
    first_name: str
    second_name: str

    @property
    def max_answer_tokens(self) -> int:
        """Tokens that an answer has at most."""
        return self.second.max_answer_tokens

    def messages(self, text: NewsText) -> list[dict[str, str]]:
        """Return the messages that would be sent for a text that the first part is unsure of."""
        return self.second.messages(text)

    def answered_here(self, text: NewsText) -> Reply | None:
        """Return the first part's answer, which costs nothing, where it is sure; None where it is not."""
        reply = self._first(text)
        return None if self._is_unsure(reply) else reply

    def unsure(self, texts: Sequence[NewsText]) -> list[bool]:
        """Tell for each text whether the second part would be asked."""
        return [escalates(each.confidence, self.threshold) for each in self.first.predict(texts)]

    def ask(self, text: NewsText) -> Reply:
        """Answer one article. Where the second part was not asked, nothing is billed."""
        here = self._first(text)
        if not self._is_unsure(here):
            return here
        there = self.second.ask(text)
        return replace(
            there,
            latency_ms=latency(here.latency_ms, there.latency_ms, escalated=True),
            answered_by=there.answered_by or self.second_name,
        )

    def _first(self, text: NewsText) -> Reply:
        started = perf_counter()
        [forecast] = self.first.predict([text])
        took_ms = (perf_counter() - started) * 1000
        return Reply(
            forecast, usage=_NO_TOKENS, answered_by=self.first_name, latency_ms=took_ms, billed=False
        )

    def _is_unsure(self, reply: Reply) -> bool:
        return reply.forecast is None or escalates(reply.forecast.confidence, self.threshold)
