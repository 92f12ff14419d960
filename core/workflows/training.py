"""From verified samples to a trained model: dataset versions, exports, training jobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import get_ident
from time import sleep
from typing import Any, Literal
from uuid import uuid4

from sqlmodel import select

from core.bootstrap import App
from core.db import let_go, reading, writing
from core.domain.dataset import DatasetPlan
from core.domain.types import ACTIVE_JOB_STATUSES, Balance, JobStatus, SplitMethod, Strategy, Target
from core.errors import ProviderFailed, Refused
from core.models import ModelVersion, TrainingJob
from core.providers.base import Provider
from core.services import costs, datasets, exports, training
from core.services.training import Request, TrainingQuote
from core.workflows.providers import known_block, refuse_unready

#: Seconds between two looks at a training job that a caller waits for.
POLL_INTERVAL_S = 0.3


def build_dataset(
    app: App,
    target: Target | None = None,
    strategy: Strategy = Strategy.ALL_VERIFIED,
    balance: Balance = Balance.NONE,
    split_method: SplitMethod = SplitMethod.CHRONOLOGICAL,
    *,
    test_share: float | None = None,
) -> int:
    """Freeze the verified samples of a target as a dataset version and return its id.

    A `test_share` of 0.1 to 0.5 tests on more than the policy does, at the cost of the training part.
    """
    with writing(app.engine) as session:
        version = datasets.build_dataset(
            session,
            app.policy,
            target=target,
            strategy=strategy,
            balance=balance,
            split_method=split_method,
            test_share=test_share,
            now=app.now(),
        )
        return int(version.id or 0)


def preview_dataset(
    app: App,
    target: Target | None = None,
    strategy: Strategy = Strategy.ALL_VERIFIED,
    balance: Balance = Balance.NONE,
    split_method: SplitMethod = SplitMethod.CHRONOLOGICAL,
    *,
    test_share: float | None = None,
) -> DatasetPlan:
    """Return what `build_dataset` would freeze, storing nothing."""
    with reading(app.engine) as session:
        return datasets.preview_dataset(
            session,
            app.policy,
            target=target,
            strategy=strategy,
            balance=balance,
            split_method=split_method,
            test_share=test_share,
        )


def export_files(app: App, dataset_id: int, fmt: str, out: Path) -> dict[str, Any]:
    """Write a dataset version as training files into a folder and return the manifest."""
    with reading(app.engine) as session:
        return exports.export_dataset(session, app.policy, dataset_id, fmt=fmt, out=out, now=app.now())


def export_zip(app: App, dataset_id: int, fmt: str) -> bytes:
    """Return a dataset version's export as one zip for the browser."""
    with reading(app.engine) as session:
        return exports.export_zip(session, app.policy, dataset_id, fmt=fmt, now=app.now())


@dataclass(frozen=True)
class Started:
    """A training job, and whether it is one that was under way or paid for already."""

    job_id: int
    joined: bool


def quote_training(app: App, request: Request) -> TrainingQuote:
    """Return what a training would take and cost, storing and sending nothing."""
    trainer, wanted = app.trainer(request.provider), _settled(app, request)
    with reading(app.engine) as session:
        book = costs.price_book(session, app.prices)
        quote = training.quote_training(session, trainer, wanted, app.policy, book, now=app.now())
    known = known_block(app, wanted.provider, wanted.base_model)
    return replace(quote, preflight=known) if known and quote.preflight.allowed else quote


def start_training(
    app: App, request: Request, *, accept_micro_usd: int | None = None, actor: str | None = None
) -> Started:
    """Queue a training job, or join an equal one; see `start_trainings`."""
    return start_trainings(app, [request], accept_micro_usd=accept_micro_usd, actor=actor)[0]


def start_trainings(
    app: App, requests: Sequence[Request], *, accept_micro_usd: int | None, actor: str | None = None
) -> list[Started]:
    """Queue training jobs of one provider, all or none; free ones are launched at once, slots permitting.

    Remote ones are launched by whoever polls next (the scheduler within seconds, or `wait_for_training`),
    so that a page does not wait for an upload.

    Raises
    ------
    ProviderBlocked, Refused, NotFound
        As `services.training.queue_trainings`; also if the provider itself, asked for free, refuses.
    """
    wanted = [_settled(app, request) for request in requests]
    provider = app.provider(wanted[0].provider)
    trainer = app.trainer(provider.name)
    if trainer.remote:
        _refuse_unheard(provider)
        refuse_unready(app, provider, {request.base_model for request in wanted})
    with writing(app.engine, durable=True) as session:
        book = costs.price_book(session, app.prices)
        let_go(session)
        queued = training.queue_trainings(
            session,
            trainer,
            wanted,
            app.policy,
            book,
            simulated=provider.simulated,
            accept_micro_usd=accept_micro_usd,
            actor=actor or app.settings.actor,
            now=app.now(),
        )
        if not trainer.remote:
            training.launch_next(session, _desk(app))
        return [Started(int(each.job.id or 0), each.joined) for each in queued]


def _refuse_unheard(provider: Provider) -> None:
    """Refuse an address on this machine that does not answer: real and play money could not be told apart."""
    kind = getattr(provider, "reachable_kind", None)
    if kind is not None and kind() is None:
        raise Refused(
            f"The server of '{provider.name}' on this machine does not answer, so nobody knows whether its money "
            "is real",
            "Start that server, or change its address",
        )


def _settled(app: App, request: Request) -> Request:
    """Fill in the seed, and the provider's first trainable model where none is named."""
    card = app.provider(request.provider).card()
    offered = (model.name for model in card.base_models if model.trainable)
    base_model = request.base_model or next(offered, "")
    return replace(request, base_model=base_model, seed=request.seed or app.policy.split_seed)


def _desk(app: App) -> training.Desk:
    runner = f"{app.runner}:{get_ident()}:{uuid4().hex[:8]}"
    settings = app.settings
    return training.Desk(app.trainers, settings.job_dir, settings.artefact_dir, app.now, runner, app.policy)


def poll_training(app: App) -> list[int]:
    """Bring the jobs in flight up to date, launch those with a free slot; return the ids of those that ended."""
    desk = _desk(app)
    with writing(app.engine, durable=True) as session:
        ended = training.poll_jobs(session, desk)
        training.look_for_duplicates(session, desk)
        while (launched := training.launch_next(session, desk)) is not None:
            if launched.status not in ACTIVE_JOB_STATUSES:
                ended.append(launched)
        return [int(job.id or 0) for job in ended]


def cancel_training(app: App, job_id: int) -> None:
    """Cancel a job: a waiting one at once, a running one by stopping its work."""
    with writing(app.engine, durable=True) as session:
        training.request_cancel(session, job_id=job_id, now=app.now())
    poll_training(app)


def resolve_unknown(
    app: App, job_id: int, answer: Literal["send_again", "give_up"], actor: str | None = None
) -> None:
    """Do what a person decided about a launch whose fate is unknown."""
    with writing(app.engine, durable=True) as session:
        training.resolve_unknown(
            session, _desk(app), job_id=job_id, answer=answer, actor=actor or app.settings.actor
        )


def wait_for_training(app: App, job_id: int, tell: Callable[[str], None] = lambda _: None) -> int:
    """Wait for a job to end and return the id of its model version.

    Raises
    ------
    ProviderFailed
        If the job failed or was cancelled.
    """
    said = ""
    while True:
        poll_training(app)
        with reading(app.engine) as session:
            job = session.get_one(TrainingJob, job_id)
            model = session.exec(select(ModelVersion.id).where(ModelVersion.job_id == job_id)).first()
        if job.status not in ACTIVE_JOB_STATUSES or job.status == JobStatus.UNKNOWN:
            break
        if (line := f"{job.status} {job.progress:.0%} {job.error or job.message}".strip()) != said:
            tell(said := line)
        sleep(POLL_INTERVAL_S)
    if model is None:
        raise ProviderFailed(job.provider, job.error or f"the job was {job.status}", "See the command 'jobs'")
    return model
