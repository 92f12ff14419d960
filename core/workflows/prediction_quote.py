"""What a prediction run would ask and cost, said before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session

from core.bootstrap import App
from core.db import let_go, reading
from core.domain.billing import Tariff
from core.domain.pricing import Quote, Unpriced
from core.domain.tokens import TokenEstimate
from core.domain.types import ModelKind, RunMode, Split
from core.errors import ProviderFailed, Refused
from core.models import ModelVersion
from core.providers.base import Asker
from core.services import cascades, prediction_runs
from core.services.prediction_runs import Missing, Wish
from core.workflows.answering import PromptTokens, is_asker, leaving, load_predictor, tariff

#: Texts that a cascade's first part judges at a time, to tell which would leave.
WINDOW = 100


@dataclass(frozen=True)
class PredictionQuote:
    """What a prediction run would take.

    Parameters
    ----------
    missing, stored : int
        Articles that would be asked about, and those that have an answer.
    low, likely, high : int or None
        Micro-dollars; 0 where answers are free, None where no price is known. `high` is reserved.
    problem, remedy : str
        Why it cannot be started, and what to do; "" where nothing is known to forbid it.
    cost : Quote or None
        How the range came about; None where answers are free or not priced.
    staying : int
        How many of `missing` a cascade's first part answers here, for free; they are in no price.
    """

    missing: int
    stored: int
    low: int | None = 0
    likely: int | None = 0
    high: int | None = 0
    problem: str = ""
    remedy: str = ""
    cost: Quote | None = None
    staying: int = 0


def quote_predictions(
    app: App,
    model_id: int,
    *,
    dataset_id: int | None = None,
    split: Split | None = None,
    article_ids: Sequence[int] | None = None,
    mode: RunMode = RunMode.DIRECT,
) -> PredictionQuote:
    """Return what predicting a dataset version's part, or some articles, would ask and cost."""
    listed = None if article_ids is None else tuple(article_ids)
    return price(app, Wish(model_id, dataset_id, split, listed, mode=mode))[1]


def price(app: App, wish: Wish) -> tuple[Missing, PredictionQuote]:
    """Return the articles of a wish without an answer, and what asking about them would cost.

    Raises
    ------
    NotFound, Refused
        If there is no such model version, dataset version or article, or they do not fit.
    """
    with reading(app.engine) as session:
        found = prediction_runs.missing(session, wish)
        model = session.get_one(ModelVersion, wish.model_id)
        if model.kind == ModelKind.CASCADE:
            found = _not_composable(session, model, found)
        let_go(session)
        try:
            asker = _asker(app, model, wish.mode)
        except (ProviderFailed, Refused) as error:
            return found, _impossible(found, error.problem, error.remedy)
        rates = None if asker is None else tariff(app, session, model, asker, wish.mode)
        if asker is None or rates is None:
            return found, PredictionQuote(len(found.article_ids), found.stored)
        return found, _priced(session, asker, rates, found)


def _not_composable(session: Session, cascade: ModelVersion, found: Missing) -> Missing:
    """Count what the stored answers of a cascade's parts answer as stored: it is composed, never asked."""
    given = cascades.composable(session, cascade, found.article_ids)
    left = tuple(article_id for article_id in found.article_ids if article_id not in given)
    return Missing(left, found.stored + len(given))


def _asker(app: App, model: ModelVersion, mode: RunMode) -> Asker | None:
    """Return who would be asked over the network; None for a model that answers here."""
    predictor = load_predictor(app, model)
    if predictor is None:
        raise Refused(
            f"{model.name} has stored predictions only and cannot answer", "Choose a model that can answer"
        )
    if mode == RunMode.BATCH and model.kind == ModelKind.CASCADE:
        raise Refused(
            "A cascade is asked one article at a time",
            "Start a batch of its second part instead: the cascade's answers are then composed of it",
        )
    if mode == RunMode.BATCH and app.provider(model.provider).batcher is None:
        raise Refused(f"{model.provider} has no batch service here", "Ask one article at a time instead")
    return predictor if is_asker(predictor) else None


def _impossible(found: Missing, problem: str, remedy: str) -> PredictionQuote:
    return PredictionQuote(len(found.article_ids), found.stored, None, None, None, problem, remedy)


def _priced(session: Session, asker: Asker, rates: Tariff, found: Missing) -> PredictionQuote:
    total, prompts, n = len(found.article_ids), TokenEstimate.exactly(0), 0
    count = PromptTokens(asker)
    for start in range(0, total, WINDOW):
        some = prediction_runs.texts(session, found.article_ids[start : start + WINDOW])
        texts = [text for _, text in some]
        sent = [text for text, leaves in zip(texts, leaving(asker, texts), strict=True) if leaves]
        n, prompts = n + len(sent), prompts + TokenEstimate.total(map(count, sent))
    cost = rates.quote(n, prompts)
    if isinstance(cost, Unpriced):
        return _impossible(found, cost.problem, cost.remedy)
    free = PredictionQuote(total, found.stored, staying=total - n)
    return replace(free, low=cost.low, likely=cost.likely, high=cost.high, cost=cost) if n else free
