"""One question, one answer: the champion judges a news item, for the API, a page or the command line."""

from time import perf_counter
from typing import Any, NamedTuple
from uuid import uuid4

from core.bootstrap import App
from core.db import reading, writing
from core.domain.billing import Tariff
from core.domain.types import Target
from core.errors import ProviderFailed, Refused
from core.models import ModelVersion
from core.providers.base import Asker, Forecast, NewsText, Reply
from core.services import paid_answers, predict
from core.services.predict import Question
from core.workflows.answering import PromptTokens, is_asker, load_predictor, tariff, usage_of


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


def ask(app: App, question: Question, target: Target | None) -> Answered:
    """Let the champion judge a news item; a paid one only as far as the month's budget goes.

    Raises
    ------
    Refused
        If no champion can answer, no price is known, or the budget is used up; nothing is sent then.
    """
    with reading(app.engine) as session:
        model, _ = predict.answering_model(session, target)
    predictor = load_predictor(app, model)
    text, request_id = NewsText(question.title, question.body), uuid4().hex
    if predictor is None:
        raise Refused(f"{model.name} cannot answer new articles", "Promote a model that can")
    if not is_asker(predictor):
        started = perf_counter()
        forecast = predictor.predict([text])[0]
        return Answered(model, Reply(forecast, latency_ms=(perf_counter() - started) * 1000), request_id)
    with reading(app.engine) as session:
        rates = tariff(app, session, model, predictor)
    if rates is None:
        return Answered(model, predictor.ask(text), request_id)
    return Answered(
        model, _ask_paid(app, model, predictor, text, rates=rates, request_id=request_id), request_id
    )


def _ask_paid(
    app: App, model: ModelVersion, asker: Asker, text: NewsText, *, rates: Tariff, request_id: str
) -> Reply:
    prompt = PromptTokens(asker)(text)
    about = paid_answers.charge(
        model,
        request_id,
        billed_as=rates.model,
        actor=app.settings.actor,
        simulated=app.provider(model.provider).simulated,
    )
    with writing(app.engine, durable=True) as session:
        paid_answers.hold(session, app.policy, about, rates.quote(1, prompt), now=app.now())
    reply = asker.ask(text)
    bill = None if reply.billed is False else rates.bill(usage_of(reply) if reply.billed else None, prompt)
    with writing(app.engine, durable=True) as session:
        paid_answers.settle(session, about, bill, now=app.now())
    return reply


def answer(app: App, question: Question, target: Target | None) -> dict[str, Any]:
    """Answer an API request in the parent's shape and keep question and answer."""
    answered = ask(app, question, target)
    forecast = answered.forecast
    with writing(app.engine) as session:
        predict.store_answer(
            session,
            question,
            answered.reply,
            model_id=int(answered.model.id or 0),
            request_id=answered.request_id,
            now=app.now(),
        )
    return as_parent(forecast)


def predict_text(app: App, title: str, body: str | None, target: Target | None = None) -> dict[str, Any]:
    """Try the champion on a text without keeping anything: a trial must not become a sample."""
    answered = ask(app, Question(title, body), target)
    return {"newsId": None} | as_parent(answered.forecast) | {"model": answered.model.name}


def as_parent(forecast: Forecast) -> dict[str, Any]:
    """Return a forecast in the parent app's shape; its confidence is a whole percentage."""
    return {
        "sentiment": str(forecast.sentiment),
        "confidence": None if forecast.confidence is None else round(forecast.confidence),
        "keywords": list(forecast.keywords),
        "reason": forecast.rationale,
    }
