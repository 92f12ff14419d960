"""What a prediction run would ask and cost, said before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from core.bootstrap import App
from core.db import let_go, reading
from core.domain.billing import Tariff
from core.domain.pricing import Quote, Unpriced
from core.domain.tokens import TokenEstimate
from core.domain.types import RunMode, Split
from core.errors import ProviderFailed, Refused
from core.models import ModelVersion
from core.providers.base import Asker
from core.services import prediction_runs
from core.services.prediction_runs import Missing, Wish
from core.workflows.answering import PromptTokens, is_asker, load_predictor, tariff


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
    """

    missing: int
    stored: int
    low: int | None = 0
    likely: int | None = 0
    high: int | None = 0
    problem: str = ""
    remedy: str = ""
    cost: Quote | None = None


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
        let_go(session)
        try:
            asker = _asker(app, model, wish.mode)
        except (ProviderFailed, Refused) as error:
            return found, _impossible(found, error.problem, error.remedy)
        rates = None if asker is None else tariff(app, session, model, asker, wish.mode)
        if asker is None or rates is None:
            return found, PredictionQuote(len(found.article_ids), found.stored)
        return found, _priced(session, asker, rates, found)


def _asker(app: App, model: ModelVersion, mode: RunMode) -> Asker | None:
    """Return who would be asked over the network; None for a model that answers here."""
    predictor = load_predictor(app, model)
    if predictor is None:
        raise Refused(
            f"{model.name} has stored predictions only and cannot answer", "Choose a model that can answer"
        )
    if mode == RunMode.BATCH and app.provider(model.provider).batcher is None:
        raise Refused(f"{model.provider} has no batch service here", "Ask one article at a time instead")
    return predictor if is_asker(predictor) else None


def _impossible(found: Missing, problem: str, remedy: str) -> PredictionQuote:
    return PredictionQuote(len(found.article_ids), found.stored, None, None, None, problem, remedy)


def _priced(session: Session, asker: Asker, rates: Tariff, found: Missing) -> PredictionQuote:
    n, count = len(found.article_ids), PromptTokens(asker)
    prompts = TokenEstimate.total(
        count(text) for _, text in prediction_runs.texts(session, found.article_ids)
    )
    cost = rates.quote(n, prompts)
    if isinstance(cost, Unpriced):
        return _impossible(found, cost.problem, cost.remedy)
    return PredictionQuote(n, found.stored, cost.low, cost.likely, cost.high, cost=cost)
