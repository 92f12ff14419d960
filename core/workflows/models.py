"""From a trained model to an answer: evaluation, comparison, promotion, prediction."""

from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

from sqlmodel import Session

from core.bootstrap import App
from core.db import reading, writing
from core.domain import metrics
from core.domain.compare import sentence
from core.domain.types import Split, Target
from core.errors import Refused
from core.models import ModelVersion
from core.providers.base import Forecast, ModelRef, NewsText, Predictor
from core.services import evaluation, predict, registry
from core.services.predict import Question
from core.sources.archive import read_file
from core.sources.tabular import parse_mapping, read_labelled


def load_predictor(app: App, model: ModelVersion) -> Predictor | None:
    """Return the predictor of a model version, or None where it has stored predictions only."""
    provider = app.providers.get(model.provider)
    if provider is None:
        return None
    artefact: Path | None = app.settings.artefact_dir / model.artefact if model.artefact else None
    reference = ModelRef(
        int(model.id or 0), model.base_model, artefact, model.artefact_sha256, model.prompt, model.params
    )
    return provider.load(reference)


def _complete_predictions(app: App, session: Session, model_id: int, dataset_id: int, split: Split) -> None:
    model = evaluation.scorable_model(session, model_id=model_id, dataset_id=dataset_id)
    predict.predict_missing(
        session,
        load_predictor(app, model),
        model_id=model_id,
        dataset_id=dataset_id,
        split=split,
        now=app.now(),
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
    predictor = load_predictor(app, model)
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


def ask(app: App, question: Question, target: Target | None) -> tuple[ModelVersion, Forecast, float]:
    """Let the champion judge a news item; return who answered, the answer, and milliseconds taken."""
    with reading(app.engine) as session:
        model, _ = predict.answering_model(session, target)
    predictor = load_predictor(app, model)
    if predictor is None:
        raise Refused(f"{model.name} cannot answer new articles", "Promote a model that can")
    started = perf_counter()
    forecast = predictor.predict([NewsText(question.title, question.body)])[0]
    return model, forecast, (perf_counter() - started) * 1000


def answer(app: App, question: Question, target: Target | None) -> dict[str, Any]:
    """Answer an API request in the parent's shape and keep question and answer."""
    model, forecast, latency_ms = ask(app, question, target)
    with writing(app.engine) as session:
        predict.store_answer(
            session,
            question,
            forecast,
            model_id=int(model.id or 0),
            request_id=uuid4().hex,
            latency_ms=latency_ms,
            now=app.now(),
        )
    return as_parent(forecast)


def predict_text(app: App, title: str, body: str | None, target: Target | None = None) -> dict[str, Any]:
    """Try the champion on a text without keeping anything: a trial must not become a sample."""
    model, forecast, _ = ask(app, Question(title, body), target)
    return {"newsId": None} | as_parent(forecast) | {"model": model.name}


def as_parent(forecast: Forecast) -> dict[str, Any]:
    """Return a forecast in the parent app's shape; its confidence is a whole percentage."""
    return {
        "sentiment": str(forecast.sentiment),
        "confidence": None if forecast.confidence is None else round(forecast.confidence),
        "keywords": list(forecast.keywords),
        "reason": forecast.rationale,
    }
