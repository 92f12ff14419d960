"""Who answers for a model version, and at what price."""

from collections.abc import Sequence
from pathlib import Path

from sqlmodel import Session
from typing_extensions import TypeIs

from core.bootstrap import App
from core.db import let_go, reading
from core.domain.billing import Tariff, Usage
from core.domain.tokens import TokenEstimate, estimate_messages, estimate_tokens
from core.domain.types import ModelKind, RunMode
from core.errors import Refused
from core.models import ModelVersion
from core.providers.base import Asker, ModelRef, NewsText, Predictor, Reply
from core.services import cascades, costs
from core.services.prediction_runs import billed_name
from core.workflows.composed import LocalCascade, RemoteCascade
from core.workflows.prices import today


def model_ref(app: App, model: ModelVersion) -> ModelRef:
    """Return what a provider needs to answer for a model version."""
    artefact: Path | None = app.settings.artefact_dir / model.artefact if model.artefact else None
    return ModelRef(
        int(model.id or 0),
        model.base_model,
        artefact,
        model.artefact_sha256,
        model.prompt,
        model.params,
        model.params.get("remote_model"),
    )


def load_predictor(app: App, model: ModelVersion) -> Predictor | Asker | None:
    """Return what answers for a model version, or None where it has stored predictions only.

    Raises
    ------
    NewstuneError
        If its provider cannot answer now: a missing key, a damaged artefact. Of a cascade: if one of its
        parts cannot.
    """
    if model.kind == ModelKind.CASCADE:
        return _load_cascade(app, model)
    provider = app.providers.get(model.provider)
    return None if provider is None else provider.load(model_ref(app, model))


def _load_cascade(app: App, model: ModelVersion) -> Predictor | Asker:
    with reading(app.engine) as session:
        made = cascades.parts(session, model)
        let_go(session)
    first, second = load_parts(app, made.first, made.second)
    if is_asker(second):
        return RemoteCascade(first, second, made.threshold, made.first.name, made.second_name)
    return LocalCascade(first, second, made.threshold)


def load_parts(app: App, first: ModelVersion, second: ModelVersion) -> tuple[Predictor, Predictor | Asker]:
    """Return what answers for the two parts of a cascade.

    Raises
    ------
    NewstuneError
        If one cannot answer now, or the first does not answer on this machine for free.
    """
    one, two = _load_part(app, first), _load_part(app, second)
    if is_asker(one) or is_priced(app, first):
        raise Refused(
            f"{first.name} does not answer on this machine for free",
            "Choose a local model as the first part of a cascade",
        )
    return one, two


def _load_part(app: App, part: ModelVersion) -> Predictor | Asker:
    predictor = None if part.kind == ModelKind.CASCADE else load_predictor(app, part)
    if predictor is None:
        why = "is a cascade itself" if part.kind == ModelKind.CASCADE else "has stored predictions only"
        raise Refused(
            f"{part.name} {why} and cannot be a part of a cascade", "Choose two models that answer themselves"
        )
    return predictor


def answered_here(predictor: Predictor | Asker, text: NewsText) -> Reply | None:
    """Return what a remote model answers about a text without anything leaving or being paid, if it does.

    That is what the first part of a cascade is sure of. Ask before money is held: an empty budget stops none
    of it.
    """
    return predictor.answered_here(text) if isinstance(predictor, RemoteCascade) else None


def is_asker(predictor: Predictor | Asker | None) -> TypeIs[Asker]:
    """Tell whether a model answers over a network, one article at a time."""
    return hasattr(predictor, "ask")


def is_priced(app: App, model: ModelVersion) -> bool:
    """Tell whether answers of a model version cost money."""
    provider = app.providers.get(model.provider)
    return provider is not None and provider.priced


def tariff(
    app: App,
    session: Session,
    model: ModelVersion,
    predictor: Predictor | Asker,
    mode: str = RunMode.DIRECT,
) -> Tariff | None:
    """Return at what prices a model answers today; None where answers are free."""
    if not is_priced(app, model) or not is_asker(predictor):
        return None
    return Tariff(
        costs.price_book(session, app.prices),
        model.provider,
        billed_name(model),
        today(app),
        predictor.max_answer_tokens,
        batch=mode == RunMode.BATCH,
    )


class PromptTokens:
    """Counts what is sent for a text: the messages that are always the same are counted once.

    Parameters
    ----------
    asker : Asker
        Who knows what it sends.
    """

    def __init__(self, asker: Asker) -> None:
        around = estimate_messages(asker.messages(NewsText(".", ".")))
        self._around = around

    def __call__(self, text: NewsText) -> TokenEstimate:
        """Return the probable tokens of the prompt about a text."""
        return self._around + estimate_tokens(f"{text.title}\n{text.body or ''}")


def usage_of(reply: Reply) -> Usage:
    """Return what a reply says of its tokens."""
    counted = reply.usage
    if counted is None:
        return Usage(answered_by=reply.answered_by)
    return Usage(counted.prompt_tokens, counted.completion_tokens, counted.cached_tokens, reply.answered_by)


def leaving(asker: Asker, texts: Sequence[NewsText]) -> list[bool]:
    """Tell for each text whether asking about it would send it away: not where `answered_here` has an answer."""
    return asker.unsure(texts) if isinstance(asker, RemoteCascade) else [True] * len(texts)
