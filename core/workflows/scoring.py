"""Scoring model versions and comparing them, each on its stored answers; what is missing is asked where that is free."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlmodel import Session

from core.bootstrap import App
from core.db import let_go, reading, writing
from core.domain import metrics
from core.domain.compare import sentence
from core.domain.types import ModelKind, Split, Target
from core.errors import Refused
from core.ledger import dollars
from core.models import ModelVersion
from core.providers.base import NewsText
from core.services import evaluation, predict, prediction_runs, registry
from core.sources.archive import read_file
from core.sources.tabular import parse_mapping, read_labelled
from core.workflows.answering import is_asker, is_priced, load_predictor
from core.workflows.cascades import complete_cascade
from core.workflows.prediction_quote import quote_predictions
from core.workflows.prices import article_costs


def _complete_predictions(app: App, session: Session, model_id: int, dataset_id: int, split: Split) -> None:
    """Predict what is missing where that is free and quick; nothing else is asked without being told to."""
    model = evaluation.scorable_model(session, model_id=model_id, dataset_id=dataset_id)
    if model.kind == ModelKind.CASCADE:
        complete_cascade(app, session, model, dataset_id, split)
        return
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
            session, app.policy, model_id=model_id, dataset_id=dataset_id, split=split, now=app.now()
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
        policy=app.policy,
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
            costs=costs_per_1000(app, (champion_id, challenger_id)),
            now=app.now(),
        )
        return comparison.report | {"sentence": sentence(comparison.report)}


def compare_many(
    app: App, model_ids: Sequence[int], dataset_id: int, split: Split = Split.TEST
) -> dict[str, Any]:
    """Compare every two of two to eight model versions on the articles that all of them answered.

    Nothing of it is stored. Returns ``n``, ``models`` and ``pairs``, each pair a comparison report with its
    two ids, its ``holm_p`` over all pairs and its ``sentence``.
    """
    evaluation.check_many(model_ids)
    with writing(app.engine) as session:
        for model_id in model_ids:
            _complete_predictions(app, session, model_id, dataset_id, split)
        found = evaluation.compare_many(
            session,
            app.policy,
            model_ids=model_ids,
            dataset_id=dataset_id,
            split=split,
            costs=costs_per_1000(app, model_ids),
        )
    names = {model["model_id"]: model["name"] for model in found["models"]}
    pairs = [
        pair
        | {
            "sentence": sentence(
                pair, champion=names[pair["champion_id"]], challenger=names[pair["challenger_id"]]
            )
        }
        for pair in found["pairs"]
    ]
    return found | {"pairs": pairs}


def costs_per_1000(app: App, model_ids: Sequence[int]) -> dict[int, int | None]:
    """Return by model id what a thousand answers cost at today's prices, in micro-dollars.

    0 for a model that answers on this machine. None where it is not known: no vendor counted tokens, no
    price is in force, the model has stored predictions only, or it answers on a server that is paid by the
    hour. A cascade's answers count zero tokens where the second model was not asked.
    """
    with reading(app.engine) as session:
        models = [registry.get_model(session, model_id) for model_id in dict.fromkeys(model_ids)]
        let_go(session)
    known = article_costs(app) if any(is_priced(app, model) for model in models) else []
    priced = {cost.use.model.id: cost.micro_usd for cost in known}
    return {int(model.id or 0): _per_1000(app, model, priced.get(model.id)) for model in models}


def _per_1000(app: App, model: ModelVersion, micro_usd: float | None) -> int | None:
    if model.provider not in app.providers:
        return None
    if is_priced(app, model):
        return None if micro_usd is None else round(1000 * micro_usd)
    is_cascade = model.kind == ModelKind.CASCADE
    here = not model.params.get("remote") if is_cascade else model.artefact is not None
    return 0 if here else None
