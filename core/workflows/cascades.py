"""Cascades: the trade-off measured on a validation part, the version made of it, and its composed answers."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from core.bootstrap import App
from core.db import let_go, reading, writing
from core.domain.cascade import curve
from core.domain.pricing import request_cost
from core.domain.types import ModelKind, Split, Target
from core.errors import Refused
from core.ledger import dollars
from core.models import ModelVersion, Prediction
from core.queries import cascades as queries
from core.services import cascades, costs, evaluation, predict, prediction_runs
from core.services.prediction_runs import Wish, billed_name
from core.workflows.answering import is_asker, is_priced, load_parts, load_predictor
from core.workflows.prediction_quote import quote_predictions
from core.workflows.prices import today


def cascade_curve(app: App, first_id: int, second_id: int, dataset_id: int) -> dict[str, Any]:
    """Return accuracy, cost and latency of a cascade over its threshold, measured on a validation part.

    What is missing is answered where that is free; nothing is paid. Costs are of the tokens that the vendor
    counted, at today's prices.

    Returns
    -------
    dict
        As `domain.cascade.curve`, with ``first_id``, ``first_name``, ``second_id``, ``second_name``,
        ``dataset_id``, ``split``, ``target``, ``asked`` (articles of the part; `n` of them were answered by
        both), ``simulated`` and ``contaminated`` {first, second}: articles of the part that a model has seen
        in its training or its prompt, on which its confidence says little.

    Raises
    ------
    NotFound
        If a model version or the dataset version does not exist.
    Refused
        If the two cannot form a cascade, the part is empty, or a paid model has answered none of it.
    """
    split = Split.VALIDATION
    with writing(app.engine) as session:
        first, second, dataset = cascades.chosen_parts(
            session, first_id=first_id, second_id=second_id, dataset_id=dataset_id
        )
        let_go(session)
        _refuse_paid(app, first)
        for part in (first, second):
            _answer_what_is_free(app, session, part, dataset_id, split)
        said = queries.answered(
            session, first_id=first_id, second_id=second_id, dataset_id=dataset_id, split=split
        )
        spent = _costs(app, session, second, [row[3] for row in said.rows])
        seen = {
            name: evaluation.contaminated(session, model_id, dataset_id, split)
            for name, model_id in (("first", first_id), ("second", second_id))
        }
    if not said.asked:
        raise Refused("The validation part is empty", "Build a dataset version with more days or rows")
    if not said.rows:
        raise Refused(
            f"{first.name} and {second.name} have no answered article in common on the validation part",
            _how_to_ask(app, second, dataset_id, split),
        )
    target = Target(dataset.target)
    return {
        "first_id": first_id,
        "first_name": first.name,
        "second_id": second_id,
        "second_name": second.name,
        "dataset_id": dataset_id,
        "split": str(split),
        "target": str(target),
        "asked": said.asked,
        "simulated": first.simulated or second.simulated,
        "contaminated": seen,
        **curve(said.pairs(target, spent), target=target, seed=evaluation.SEED),
    }


def _refuse_paid(app: App, first: ModelVersion) -> None:
    free = first.provider in app.providers and not is_priced(app, first)
    # what has no file here may answer on a server, which is paid by the hour
    if not free or (first.artefact is None and is_asker(load_predictor(app, first))):
        raise Refused(
            f"{first.name} does not answer on this machine for free",
            "Choose a local model as the first part of a cascade",
        )


def _answer_what_is_free(
    app: App, session: Session, model: ModelVersion, dataset_id: int, split: Split
) -> None:
    """Let a local model answer what it has not answered of a part; a model is loaded only if something is."""
    wish = Wish(int(model.id or 0), dataset_id, split)
    missing = prediction_runs.missing(session, wish)
    let_go(session)
    if not missing.article_ids or is_priced(app, model):
        return
    predictor = load_predictor(app, model)
    if predictor is not None and not is_asker(predictor):
        predict.predict_missing(
            session, predictor, model_id=wish.model_id, dataset_id=dataset_id, split=split, now=app.now()
        )


def _costs(
    app: App, session: Session, second: ModelVersion, said: Sequence[Prediction]
) -> list[float | None]:
    """Return what each answer of the second model costs today, in micro-dollars; None where it is not known."""
    if second.provider not in app.providers:
        return [None] * len(said)
    if not is_priced(app, second):
        # what has no file here answers on a server, which is paid by the hour
        return [None if second.artefact is None else 0.0] * len(said)
    book, day, name = costs.price_book(session, app.prices), today(app), billed_name(second)
    return [
        request_cost(book, second.provider, name, each.prompt_tokens, each.completion_tokens, None, day)
        for each in said
    ]


def _how_to_ask(app: App, model: ModelVersion, dataset_id: int, split: Split) -> str:
    """Return the remedy for answers that are missing, with what they would cost."""
    quote = quote_predictions(app, int(model.id or 0), dataset_id=dataset_id, split=split)
    price = f" (it may cost {dollars(quote.low or 0)} to {dollars(quote.high)})" if quote.high else ""
    run = f"Start a prediction run of {model.name} on this {split} part first{price}"
    return quote.remedy or f"{run}; nothing here spends money by itself"


def create_cascade(
    app: App, first_id: int, second_id: int, threshold: float, dataset_id: int, *, actor: str | None = None
) -> int:
    """Store a cascade and return its id; the same request again returns the one there is.

    Parameters
    ----------
    first_id, second_id : int
        The local model that answers first, and the model that is asked where it is unsure.
    threshold : float
        Confidence in percent, above 0 up to 100, below which the second is asked.
    dataset_id : int
        Dataset version on whose validation part the threshold was chosen.

    Raises
    ------
    NotFound
        If a model version or the dataset version does not exist.
    Refused, ProviderFailed
        If the two cannot form a cascade, or one of them cannot answer now.
    """
    with reading(app.engine) as session:
        first, second, _ = cascades.chosen_parts(
            session, first_id=first_id, second_id=second_id, dataset_id=dataset_id
        )
        let_go(session)
    _, asked = load_parts(app, first, second)
    with writing(app.engine) as session:
        model = cascades.create_cascade(
            session,
            first_id=first_id,
            second_id=second_id,
            threshold=threshold,
            dataset_id=dataset_id,
            remote=is_asker(asked),
            actor=actor or app.settings.actor,
            now=app.now(),
        )
        return int(model.id or 0)


def complete_cascade(app: App, session: Session, model: ModelVersion, dataset_id: int, split: Split) -> None:
    """Compose a cascade's answers on a part from those of its parts, which answer first where that is free.

    Raises
    ------
    Refused
        If the second part was never asked about some of the articles of which the first is unsure: a score
        of the others would be one of the easy articles.
    """
    article_ids = cascades.part_articles(session, dataset_id, split)
    cascades.compose(session, model, article_ids, now=app.now())
    if cascades.never_asked(session, model, article_ids):
        made = cascades.parts(session, model)
        let_go(session)
        for part in (made.first, made.second):
            _answer_what_is_free(app, session, part, dataset_id, split)
        cascades.compose(session, model, article_ids, now=app.now())
    left = len(cascades.never_asked(session, model, article_ids))
    let_go(session)
    if left:
        raise Refused(
            f"{model.name} has no answer yet about {left:,} of the {len(article_ids):,} articles of this {split} "
            "part, those of which its first model is unsure",
            _how_to_ask(app, model, dataset_id, split),
        )


def compose_stored(app: App, wish: Wish) -> None:
    """Store the answers to a wish that a cascade's parts have given already; nothing of any other model."""
    with reading(app.engine) as session:
        model = session.get(ModelVersion, wish.model_id)
        if model is None or model.kind != ModelKind.CASCADE:
            return
        missing = prediction_runs.missing(session, wish).article_ids
        given = cascades.composable(session, model, missing)
        let_go(session)
    if given:
        with writing(app.engine) as session:
            cascades.compose(session, model, sorted(given), now=app.now())
