"""Asking one model: a local one about many texts at once, a remote one about one, its money held before."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

from sqlmodel import Session

from core.bootstrap import App
from core.db import reading, writing
from core.domain.billing import Tariff
from core.domain.pricing import Unpriced
from core.errors import ProviderFailed
from core.models import ModelVersion
from core.providers.base import Asker, Forecast, NewsText, Predictor, Reply
from core.services import paid_answers
from core.workflows.answering import PromptTokens, answered_here, tariff, usage_of

#: Called with the most that a question can cost, in the transaction that then holds it; raises Refused.
Guard = Callable[[Session, int], None]


class Answered(NamedTuple):
    """Who answered a single question, and what came back."""

    model: ModelVersion
    reply: Reply
    request_id: str

    @property
    def forecast(self) -> Forecast:
        """The answer. Raises ProviderFailed where there is none."""
        if self.reply.forecast is None:
            detail = f"no answer came ({self.reply.failure}): {self.reply.detail}"
            raise ProviderFailed(self.model.provider, detail, "Try again, or let another model answer")
        return self.reply.forecast


def predict_here(predictor: Predictor, texts: Sequence[NewsText]) -> list[Reply]:
    """Let a model on this machine judge texts, in order.

    One text alone carries its milliseconds; the time of a batch says nothing of a single answer.
    """
    started = perf_counter()
    forecasts = predictor.predict(texts)
    latency_ms = (perf_counter() - started) * 1000 if len(texts) == 1 else None
    return [Reply(forecast, latency_ms=latency_ms) for forecast in forecasts]


def ask_remote(
    app: App,
    model: ModelVersion,
    asker: Asker,
    text: NewsText,
    *,
    request_id: str,
    guard: Guard | None = None,
) -> Reply:
    """Ask a model over a network about one text; a paid one only as far as the month's budget goes.

    Parameters
    ----------
    request_id : str
        Names the question in the ledger; never used twice.
    guard : callable or None
        May refuse what the question can cost.

    Raises
    ------
    Refused
        If no price is known, or a budget is used up; nothing is sent then.
    """
    if (here := answered_here(asker, text)) is not None:
        return here
    with reading(app.engine) as session:
        rates = tariff(app, session, model, asker)
    if rates is None:
        return asker.ask(text)
    return _ask_paid(app, model, asker, text, rates=rates, request_id=request_id, guard=guard)


def _ask_paid(
    app: App,
    model: ModelVersion,
    asker: Asker,
    text: NewsText,
    *,
    rates: Tariff,
    request_id: str,
    guard: Guard | None,
) -> Reply:
    prompt = PromptTokens(asker)(text)
    about = paid_answers.charge(
        model,
        request_id,
        billed_as=rates.model,
        actor=app.settings.actor,
        simulated=app.provider(model.provider).simulated,
    )
    quote = rates.quote(1, prompt)
    with writing(app.engine, durable=True) as session:
        if guard is not None and not isinstance(quote, Unpriced):
            guard(session, quote.high)
        paid_answers.hold(session, app.policy, about, quote, now=app.now())
    reply = asker.ask(text)
    bill = None if reply.billed is False else rates.bill(usage_of(reply) if reply.billed else None, prompt)
    with writing(app.engine, durable=True) as session:
        paid_answers.settle(session, about, bill, now=app.now())
    return reply
