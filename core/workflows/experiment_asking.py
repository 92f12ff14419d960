"""Asking the open sides of live experiments: local models in batches, others one article at a time.

A question that costs money leaves once: it is held in the ledger first, under the name of its experiment,
article and side, and what is held is never asked again. If its program stops before the answer is written,
the side becomes a failure and the money counts at its estimate.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from core.bootstrap import App
from core.db import reading, writing
from core.domain.billing import Tariff
from core.domain.pricing import Unpriced
from core.domain.types import Failure
from core.errors import Refused
from core.models import ModelVersion
from core.providers.base import Asker, NewsText, Predictor, Reply
from core.services import experiments, paid_answers
from core.services.experiments import Answered, OpenItem, Running, Side
from core.workflows.answering import PromptTokens, answered_here, is_asker, load_predictor, tariff, usage_of

#: Items that a local model judges in one go.
CHUNK = 200


class OutOfMoney(Exception):
    """An experiment's next question cannot be paid: its own budget or the month's is used up.

    Caught by who asks for many: that experiment ends.
    """

    def __init__(self, experiment_id: int, why: str) -> None:
        self.experiment_id, self.why = experiment_id, why
        super().__init__(why)


def ask_open(app: App, one: Running, items: Sequence[OpenItem], model: ModelVersion, until: float) -> int:
    """Ask a model about open items of an experiment and keep what comes back; return how many it answered.

    Parameters
    ----------
    items : sequence of OpenItem
        Sides of this experiment on which this model stands.
    until : float
        Monotonic seconds after which no further question leaves.

    Raises
    ------
    OutOfMoney
        If the experiment's or the month's budget does not bear the next question.
    NewstuneError
        If the model cannot answer now.
    """
    predictor = load_predictor(app, model)
    if predictor is None:
        raise Refused(f"{model.name} has stored predictions only and cannot answer", "Stop its experiment")
    if not is_asker(predictor):
        return _ask_local(app, one, items, predictor, until)
    with reading(app.engine) as session:
        rates = tariff(app, session, model, predictor)
    ask = _one_by_one(app, one, model, predictor, rates)
    answered = 0
    for item in items:
        if monotonic() > until:
            break
        answered += ask(item)
    return answered


def _ask_local(app: App, one: Running, items: Sequence[OpenItem], predictor: Predictor, until: float) -> int:
    answered = 0
    for start in range(0, len(items), CHUNK):
        if monotonic() > until:
            break
        some = items[start : start + CHUNK]
        forecasts = predictor.predict([NewsText(item.title, item.body) for item in some])
        pairs = zip(some, forecasts, strict=True)
        _record(app, one, [Answered(item, Reply(forecast)) for item, forecast in pairs])
        answered += len(some)
    return answered


def _one_by_one(
    app: App, one: Running, model: ModelVersion, asker: Asker, rates: Tariff | None
) -> Callable[[OpenItem], bool]:
    """Return what asks about one item, free or paid."""

    def ask(item: OpenItem) -> bool:
        text = NewsText(item.title, item.body)
        here = answered_here(asker, text)  # a cascade whose first part is sure costs nothing
        if here is None and rates is not None:
            return ask_paid(app, one, item, model=model, asker=asker, rates=rates)
        _record(app, one, [Answered(item, here or asker.ask(text))])
        return True

    return ask


def _record(app: App, one: Running, answers: Sequence[Answered]) -> None:
    deadlines: Mapping[int, float] = {one.id: one.deadline_s}
    with writing(app.engine) as session:
        experiments.record(session, answers, deadlines_s=deadlines, now=app.now())
        session.commit()


def ask_paid(
    app: App, one: Running, item: OpenItem, *, model: ModelVersion, asker: Asker, rates: Tariff
) -> bool:
    """Ask one paid question of an experiment, once for ever, and keep answer and bill; tell whether it was asked.

    It is not where another driver has it, where it is answered, or where it left before a crash: then, once
    no answer can come any more, the side becomes the failure INTERRUPTED.

    Raises
    ------
    OutOfMoney
        If the experiment's or the month's budget does not bear it; nothing has left then.
    """
    text = NewsText(item.title, item.body)
    prompt = PromptTokens(asker)(text)
    about = paid_answers.charge(
        model,
        experiments.question_id(one.key, item.article_id, item.side),
        billed_as=rates.model,
        actor=app.settings.actor,
        simulated=app.provider(model.provider).simulated,
    )
    quote = rates.quote(1, prompt)
    held = 0 if isinstance(quote, Unpriced) else quote.high
    with writing(app.engine, durable=True) as session:
        try:
            may = experiments.may_ask(session, one.id, item.article_id, item.side, high=held)
            if may:
                paid_answers.hold(session, app.policy, about, quote, now=app.now())
        except Refused as error:
            raise OutOfMoney(one.id, str(error)) from error
    if not may:
        return close_lost(app, one, item)
    reply = asker.ask(text)
    bill = None if reply.billed is False else rates.bill(usage_of(reply) if reply.billed else None, prompt)
    with writing(app.engine, durable=True) as session:
        deadlines = {one.id: one.deadline_s}
        experiments.record(session, [Answered(item, reply)], deadlines_s=deadlines, now=app.now())
        paid_answers.settle(session, about, bill, now=app.now())
    return True


def close_lost(app: App, one: Running, item: OpenItem) -> bool:
    """Close a side whose paid question left and whose answer cannot come any more; tells that it was not asked."""
    with writing(app.engine) as session:
        left_at = experiments.asked_at(session, one.key, item.article_id, item.side)
        if left_at is not None and left_at < app.now() - paid_answers.LOST_AFTER:
            lost = Side(one.id, item.article_id, item.side, failure=str(Failure.INTERRUPTED))
            experiments.settle(session, [lost], now=app.now())
        session.commit()
    return False
