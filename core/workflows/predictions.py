"""Prediction runs: quoted, started, driven to their end, gone on with after a crash, and decided upon."""

from collections.abc import Callable, Sequence
from threading import get_ident
from time import monotonic, sleep
from typing import Literal
from uuid import uuid4

from core.bootstrap import App
from core.db import reading, writing
from core.domain.types import ACTIVE_JOB_STATUSES, Failure, JobStatus, ModelKind, RunMode, Split
from core.errors import LeaseLost, ProviderBlocked, ProviderFailed, Refused
from core.models import ModelVersion, PredictionRun
from core.providers.base import Asker, Predictor
from core.services import few_shot, paid_answers, prediction_runs
from core.services.prediction_runs import Ending, Lease, Wish
from core.workflows.answering import is_asker, load_predictor, tariff
from core.workflows.cascades import compose_stored
from core.workflows.prediction_batch import LOOK_EVERY, BatchDrive
from core.workflows.prediction_direct import AskerDrive
from core.workflows.prediction_driver import Driver, drive_local
from core.workflows.prediction_quote import PredictionQuote, price, quote_predictions

__all__ = [
    "PredictionQuote",
    "cancel_predictions",
    "create_few_shot",
    "drive_predictions",
    "follow_predictions",
    "quote_predictions",
    "resolve_run",
    "retry_failed",
    "start_predictions",
    "wait_for_predictions",
]

Tell = Callable[[str], None]
#: Seconds that the scheduler drives runs in one go: then others get their turn, and a stop is not kept waiting.
SLICE_S = 40.0
#: Seconds between two looks at a run that somebody else drives.
POLL_INTERVAL_S = 0.5


def _silent(_line: str) -> None:
    return


def create_few_shot(
    app: App, provider: str, base_model: str, dataset_id: int | None = None, actor: str | None = None
) -> int:
    """Store a few-shot model version and return its id; the same request again returns the one there is."""
    simulated = app.provider(provider).simulated
    with writing(app.engine) as session:
        model = few_shot.create_few_shot(
            session,
            app.policy,
            provider=provider,
            base_model=base_model,
            dataset_id=dataset_id,
            simulated=simulated,
            actor=actor or app.settings.actor,
            now=app.now(),
        )
        return int(model.id or 0)


def start_predictions(
    app: App,
    model_id: int,
    *,
    dataset_id: int | None = None,
    split: Split | None = None,
    article_ids: Sequence[int] | None = None,
    mode: RunMode = RunMode.DIRECT,
    accept_micro_usd: int | None = None,
    actor: str | None = None,
) -> int:
    """Queue a prediction run with its reservation, or join the one under way; return its id.

    It is driven by whoever comes next: the scheduler within seconds, or `wait_for_predictions`.

    Raises
    ------
    NotFound
        If there is no such model version, dataset version or article.
    Refused
        If the model cannot answer, everything is answered, the price is not known or not agreed to, or the
        budget would be passed; nothing is queued then.
    """
    listed = None if article_ids is None else tuple(article_ids)
    wish = Wish(model_id, dataset_id, split, listed, mode=mode)
    compose_stored(app, wish)
    return begin(app, wish, price(app, wish), accept_micro_usd=accept_micro_usd, actor=actor)


def begin(
    app: App,
    wish: Wish,
    priced: tuple[prediction_runs.Missing, PredictionQuote],
    *,
    accept_micro_usd: int | None,
    actor: str | None,
) -> int:
    """Queue what was priced; see `start_predictions`."""
    missing, quote = priced
    if quote.problem:
        raise Refused(quote.problem, quote.remedy)
    with reading(app.engine) as session:
        model = session.get_one(ModelVersion, wish.model_id)
    simulated = app.provider(model.provider).simulated  # may ask over the network: not under the lock
    with writing(app.engine, durable=True) as session:
        begun = prediction_runs.begin_run(
            session,
            app.policy,
            wish,
            missing.article_ids,
            quote=quote.cost,
            simulated=simulated,
            accepted=accept_micro_usd,
            actor=actor or app.settings.actor,
            now=app.now(),
        )
        return int(begun.run.id or 0)


def retry_failed(app: App, run_id: int, accept_micro_usd: int | None = None, actor: str | None = None) -> int:
    """Ask again, in a new run at today's price, about the articles of an ended run that have no answer."""
    with reading(app.engine) as session:
        run, article_ids = prediction_runs.failed_articles(session, run_id)
    return start_predictions(
        app,
        run.model_id,
        article_ids=article_ids,
        mode=RunMode(run.mode),
        accept_micro_usd=accept_micro_usd,
        actor=actor,
    )


def cancel_predictions(app: App, run_id: int) -> None:
    """End a waiting run at once, or have a running one stop before its next request."""
    with writing(app.engine, durable=True) as session:
        prediction_runs.request_cancel(session, run_id, now=app.now())


def drive_predictions(
    app: App, run_id: int | None = None, tell: Tell = _silent, *, for_s: float = float("inf")
) -> int | None:
    """Take up one run that is due and drive it; return its id, or None where none is due.

    Parameters
    ----------
    run_id : int or None
        This run only; None takes whichever is next.
    tell : callable
        Is told of the progress, a line at a time.
    for_s : float
        Seconds after which nothing more is begun and the run is handed back.
    """
    with reading(app.engine) as session:
        if not prediction_runs.is_due(session, now=app.now(), run_id=run_id):
            return None
    owner = f"{app.runner}:{get_ident()}:{uuid4().hex[:8]}"
    with writing(app.engine, durable=True) as session:
        run = prediction_runs.claim(session, owner=owner, now=app.now(), run_id=run_id)
        model = session.get_one(ModelVersion, run.model_id) if run else None
    if run is None or model is None or run.id is None:
        return None
    driver = Driver(app, run, model, Lease(run.id, owner), tell, monotonic() + for_s)
    try:
        _drive(driver)
    except LeaseLost as error:
        tell(str(error))
    return run.id


def _drive(driver: Driver) -> None:
    app, run, model = driver.app, driver.run, driver.model
    _take_composed(driver)
    try:
        predictor = _answering(app, model)
        with reading(app.engine) as session:
            rates = tariff(app, session, model, predictor, run.mode)
    except (ProviderFailed, Refused) as error:
        return _without_provider(driver, error)
    if not is_asker(predictor):
        return drive_local(driver, predictor)
    batcher = app.provider(model.provider).batcher
    if run.mode == RunMode.DIRECT:
        return AskerDrive(driver, predictor, rates).drive()
    if batcher is None:
        gone = Refused(f"{model.provider} has no batch service any more", "Ask one article at a time instead")
        return _without_provider(driver, gone)
    return BatchDrive(driver, batcher, predictor, rates).drive()


def _take_composed(driver: Driver) -> None:
    """Store what the parts of a cascade have answered since its run was queued: nothing is asked twice."""
    if driver.model.kind != ModelKind.CASCADE:
        return
    with reading(driver.app.engine) as session:
        left = prediction_runs.open_articles(session, driver.run)
    compose_stored(driver.app, Wish(driver.run.model_id, article_ids=tuple(left)))


def _answering(app: App, model: ModelVersion) -> Predictor | Asker:
    predictor = load_predictor(app, model)
    if predictor is None:
        raise Refused(f"{model.provider} is not set up any more", "Choose another model")
    return predictor


def _without_provider(driver: Driver, error: ProviderFailed | Refused) -> None:
    """End a run that nobody answers; one whose batch is at the vendor waits for better days."""
    if driver.run.status == JobStatus.UNKNOWN or prediction_runs.has_left(driver.run.handle):
        return driver.hand_back(LOOK_EVERY, message=str(error))
    status = JobStatus.BLOCKED if isinstance(error, ProviderBlocked | Refused) else JobStatus.FAILED
    # a driver that died may have sent some articles; a batch's are noted as sent before anything leaves
    lost = Failure.INTERRUPTED if driver.run.mode == RunMode.DIRECT else None
    return driver.end(Ending(status, str(error), Failure.NOT_AVAILABLE, f"not asked: {error}", lost))


def follow_predictions(app: App) -> str:
    """Drive the runs that are due, some time each; say which ended. The scheduler's job."""
    until, said = monotonic() + SLICE_S, []
    while (left := until - monotonic()) > 0:
        run_id = drive_predictions(app, for_s=left)
        if run_id is None:
            break
        run = _run(app, run_id)
        if run.status not in ACTIVE_JOB_STATUSES:
            counts = f"{run.answered} answered, {run.failed} failed"
            said.append(f"prediction run {run_id} {run.status}: {counts}")
    with reading(app.engine) as session:
        any_lost = bool(paid_answers.lost(session, now=app.now()))
    if any_lost:
        with writing(app.engine, durable=True) as session:
            closed = paid_answers.close_lost(session, now=app.now())
            said.append(f"single answers whose program stopped: {closed}")
    return "; ".join(said)


def wait_for_predictions(app: App, run_id: int, tell: Tell = _silent) -> PredictionRun:
    """Drive a run, or wait while somebody else does, until it ends or a person is needed; return it.

    A run that a batch holds back is returned as it is, and said: that can take a day.
    """
    while True:
        driven = drive_predictions(app, run_id, tell)
        run = _run(app, run_id)
        if run.status not in ACTIVE_JOB_STATUSES or run.status == JobStatus.UNKNOWN:
            return run
        if driven is None and (why := _held_back(app, run)):
            tell(why)
            return run
        if driven is None and drive_predictions(app, tell=tell) is None:
            sleep(POLL_INTERVAL_S)


def _held_back(app: App, run: PredictionRun) -> str:
    """Return why a run cannot begin for hours: a batch has some of its articles; "" where none has."""
    with reading(app.engine) as session:
        before = prediction_runs.run_before(session, run)
        if before is None or before.mode == RunMode.DIRECT:
            return ""
        problem, remedy = prediction_runs.standing_of(before)
        return f"{problem}: run {run.id} waits for it. {remedy}."


def _run(app: App, run_id: int) -> PredictionRun:
    with reading(app.engine) as session:
        return prediction_runs.get_run(session, run_id)


def resolve_run(
    app: App, run_id: int, decision: Literal["send_again", "give_up"], actor: str | None = None
) -> None:
    """Do what a person decided about a batch whose fate is unknown, having looked at the vendor's console.

    ``send_again`` sends it once more; ``give_up`` ends the run, counts its estimate as spent, since it may be
    billed, and gives the rest of the reservation back.

    Raises
    ------
    NotFound, Refused
        If there is no such run, or its fate is known.
    """
    with writing(app.engine, durable=True) as session:
        prediction_runs.resolve_unknown(
            session, run_id, decision, actor=actor or app.settings.actor, now=app.now()
        )
