"""From a trained model to an answer: evaluation, comparison, promotion, prediction."""

from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple
from uuid import uuid4

from sqlmodel import Session

from core.bootstrap import App
from core.db import reading, writing
from core.domain import metrics
from core.domain.billing import Tariff
from core.domain.compare import sentence
from core.domain.types import Split, Target
from core.errors import ProviderFailed, Refused
from core.ledger import dollars
from core.models import ModelVersion
from core.providers.base import Asker, Forecast, NewsText, Reply
from core.services import evaluation, paid_answers, predict, prediction_runs, registry
from core.services.predict import Question
from core.sources.archive import read_file
from core.sources.tabular import parse_mapping, read_labelled
from core.workflows.answering import PromptTokens, is_asker, is_priced, load_predictor, tariff, usage_of
from core.workflows.prediction_quote import quote_predictions


def _complete_predictions(app: App, session: Session, model_id: int, dataset_id: int, split: Split) -> None:
    """Predict what is missing where that is free and quick; nothing else is asked without being told to."""
    model = evaluation.scorable_model(session, model_id=model_id, dataset_id=dataset_id)
    predictor = None if is_priced(app, model) else load_predictor(app, model)
    if is_priced(app, model) or is_asker(predictor):
        _require_answers(app, model, dataset_id, split)
        return
    predict.predict_missing(
        session,
        predictor,
        model_id=model_id,
        dataset_id=dataset_id,
        split=split,
        now=app.now(),
    )


def _require_answers(app: App, model: ModelVersion, dataset_id: int, split: Split) -> None:
    """Refuse, naming the run that would help and its price, where a model has no answer on a part at all."""
    with reading(app.engine) as session:
        wish = prediction_runs.Wish(int(model.id or 0), dataset_id, split)
        found = prediction_runs.missing(session, wish)
    if found.stored or not found.article_ids:
        return
    quote = quote_predictions(app, int(model.id or 0), dataset_id=dataset_id, split=split)
    price = f" (it may cost {dollars(quote.low or 0)} to {dollars(quote.high)})" if quote.high else ""
    raise Refused(
        f"{model.name} has not answered any of the {quote.missing:,} articles of this {split} part",
        quote.remedy
        or f"Start a prediction run of this part first{price}; scoring never spends money by itself",
    )


def evaluate(app: App, model_id: int, dataset_id: int, split: Split = Split.TEST) -> dict[str, Any]:
    """Score a model version on one part of a dataset version and return the report."""
    with writing(app.engine) as session:
        _complete_predictions(app, session, model_id, dataset_id, split)
        run = evaluation.evaluate_model(
            session, model_id=model_id, dataset_id=dataset_id, split=split, now=app.now()
        )
        return run.metrics


def evaluate_file(app: App, model_id: int, path: Path, mapping: str | None = None) -> dict[str, Any]:
    """Score a model version on a labelled table as it is: no row removed, nothing stored.

    The interval is Wilson's for human labels. For a model of market direction the file does not say
    which rows share a market day, so no interval is given.
    """
    with reading(app.engine) as session:
        model = registry.get_model(session, model_id)
    predictor = None if is_priced(app, model) else load_predictor(app, model)
    if is_priced(app, model) or is_asker(predictor):
        raise Refused(
            f"{model.name} answers over a network, and scoring never asks there by itself",
            "Import the file as labels, build a dataset version, and start a prediction run of it",
        )
    if predictor is None:
        raise Refused(
            f"{model.name} has stored predictions only and cannot answer a file",
            "Score it on a dataset version whose articles it predicted",
        )
    records, _ = read_labelled(path.name, read_file(path), parse_mapping(mapping) if mapping else None)
    texts = [NewsText(record.article.title, record.article.body) for record in records]
    answers = predict.timed(predictor, texts)
    return metrics.evaluate(
        [record.sentiment for record in records],
        [forecast.sentiment for forecast, _ in answers],
        target=Target(model.target or Target.SENTIMENT),
        confidence=[forecast.confidence for forecast, _ in answers],
        latency_ms=[latency_ms for _, latency_ms in answers],
        asked=len(texts),
        seed=evaluation.SEED,
    )


def compare(
    app: App, champion_id: int, challenger_id: int, dataset_id: int, split: Split = Split.TEST
) -> dict[str, Any]:
    """Compare two model versions on the same part of a dataset version; return report and sentence."""
    with writing(app.engine) as session:
        for model_id in (champion_id, challenger_id):
            _complete_predictions(app, session, model_id, dataset_id, split)
        comparison = evaluation.compare_models(
            session,
            app.policy,
            champion_id=champion_id,
            challenger_id=challenger_id,
            dataset_id=dataset_id,
            split=split,
            now=app.now(),
        )
        return comparison.report | {"sentence": sentence(comparison.report)}


def promote(app: App, model_id: int, target: Target, reason: str, actor: str | None = None) -> None:
    """Make a model version the champion of a target."""
    with reading(app.engine) as session:
        model = registry.get_model(session, model_id)
    load_predictor(app, model)  # a damaged artefact is refused here, not at the first question
    with writing(app.engine) as session:
        registry.promote(
            session,
            model_id=model_id,
            target=target,
            reason=reason,
            actor=actor or app.settings.actor,
            answering_providers=frozenset(app.providers),
            now=app.now(),
        )


def rollback(app: App, target: Target, reason: str, actor: str | None = None) -> None:
    """Give a target back to the champion before the present one."""
    with writing(app.engine) as session:
        registry.rollback(
            session, target=target, reason=reason, actor=actor or app.settings.actor, now=app.now()
        )


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
