"""Who answers for a model version, and at what price."""

from pathlib import Path

from sqlmodel import Session
from typing_extensions import TypeIs

from core.bootstrap import App
from core.domain.billing import Tariff, Usage
from core.domain.tokens import TokenEstimate, estimate_messages, estimate_tokens
from core.domain.types import RunMode
from core.models import ModelVersion
from core.providers.base import Asker, ModelRef, NewsText, Predictor, Reply
from core.services import costs
from core.services.prediction_runs import billed_name
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
        If its provider cannot answer now: a missing key, a damaged artefact.
    """
    provider = app.providers.get(model.provider)
    return None if provider is None else provider.load(model_ref(app, model))


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
