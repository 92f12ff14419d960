"""From a wish to an intent: price, budget, deduplication, and the way back before anything was sent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from sqlmodel import Session, col, desc, select

from core import ledger
from core.db import let_go
from core.domain.policy import Policy
from core.domain.pricing import PriceBook, Quote, Unpriced, training_quote
from core.domain.types import ACTIVE_JOB_STATUSES, JobPurpose, JobStatus
from core.errors import NotFound, ProviderBlocked, Refused
from core.models import DatasetVersion, TrainingJob
from core.providers.base import Preflight, Trainer
from core.services.training.jobs import charge
from core.services.training.spec import training_spec


@dataclass(frozen=True)
class Request:
    """What somebody wants to train.

    Parameters
    ----------
    dataset_id : int
        Dataset version.
    provider, base_model : str
        By whom, and what is tuned ("" where the provider has one base only).
    hyperparameters : mapping
        By the vendor's names.
    seed : int
        Seed of everything random.
    purpose : JobPurpose
        A plain training, part of a sweep, or a pilot.
    rows : int or None
        Train on so many rows only.
    group_key : str or None
        What the jobs of a sweep have in common.
    again : bool
        Pay for an equal run once more; otherwise it is joined.
    retry_of : int or None
        The job that this one repeats elsewhere.
    """

    dataset_id: int
    provider: str
    base_model: str = ""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    purpose: JobPurpose = JobPurpose.TRAIN
    rows: int | None = None
    group_key: str | None = None
    again: bool = False
    retry_of: int | None = None

    @property
    def config(self) -> dict[str, Any]:
        """What is frozen with the job."""
        given = {
            "hyperparameters": dict(self.hyperparameters),
            "seed": self.seed,
            "base_model": self.base_model,
            "rows": self.rows,
            "retry_of": self.retry_of,
        }
        return {name: value for name, value in given.items() if value not in (None, "")}


@dataclass(frozen=True)
class TrainingQuote:
    """What a training would take, said before anything is sent.

    Parameters
    ----------
    rows : int
        Training rows.
    seconds : float or None
        Expected duration; None where the provider would not train.
    preflight : Preflight
        Whether anything is known that forbids it.
    cost : Quote, Unpriced or None
        Range of the cost; Unpriced where a price is missing; None where training is free or not possible.
    """

    rows: int
    seconds: float | None
    preflight: Preflight
    cost: Quote | Unpriced | None = None


@dataclass(frozen=True)
class Queued:
    """The job, and whether it is one that was there already."""

    job: TrainingJob
    joined: bool


def quote_training(
    session: Session, trainer: Trainer, request: Request, policy: Policy, book: PriceBook, *, now: datetime
) -> TrainingQuote:
    """Return what a training would cost, storing and sending nothing.

    Raises
    ------
    NotFound
        If the dataset version does not exist.
    """
    spec = training_spec(session, request.dataset_id, request.config, policy)
    let_go(session)
    preflight = trainer.preflight(spec)
    if not preflight.allowed:
        return TrainingQuote(len(spec.train), None, preflight)
    tokens = trainer.estimate_tokens(spec)
    cost = None
    if tokens is not None:
        cost = training_quote(
            book, request.provider, request.base_model, ledger.seoul_day(now), billable=tokens
        )
    return TrainingQuote(len(spec.train), round(trainer.estimate_s(spec), 1), preflight, cost)


def queue_trainings(
    session: Session,
    trainer: Trainer,
    requests: Sequence[Request],
    policy: Policy,
    book: PriceBook,
    *,
    simulated: bool,
    accept_micro_usd: int | None,
    actor: str,
    now: datetime,
) -> list[Queued]:
    """Freeze configurations and queue them with their reservations, or join equal runs: all, or none.

    An equal run (dataset, provider, base model, settings, seed, rows) is joined while it is under way; a
    paid one also after it succeeded, unless `again` is asked for.

    Parameters
    ----------
    accept_micro_usd : int or None
        The price that the user has agreed to, for all together; paid runs need one that covers the upper
        estimates.

    Raises
    ------
    NotFound
        If a dataset version does not exist.
    ProviderBlocked
        If the vendor is known to refuse.
    Refused
        If the rows or settings do not fit, no price is known or agreed to, or the budget would be passed;
        nothing is queued then.
    """
    quotes = [quote_training(session, trainer, each, policy, book, now=now) for each in requests]
    costs = _agreed(quotes, requests, accept_micro_usd)
    if len(requests) > 1:  # one by one, the last would be refused with its own price only
        total = sum(cost.high for cost in costs if cost is not None)
        ledger.check_cap(session, policy, total, simulated=simulated, now=now)
    made = []
    for request, quote, cost in zip(requests, quotes, costs, strict=True):
        known = _equal_run(session, request, policy, paid=trainer.remote)
        if known.job is not None:
            known.job.group_key = known.job.group_key or request.group_key
            made.append(Queued(known.job, joined=True))
            continue
        job = TrainingJob(
            provider=request.provider,
            dataset_id=request.dataset_id,
            status=JobStatus.RESERVED if trainer.remote else JobStatus.QUEUED,
            config=_frozen(request, quote, cost),
            key=uuid4().hex,
            dedupe_key=known.next_key,
            base_model=request.base_model,
            purpose=request.purpose,
            group_key=request.group_key,
            simulated=simulated,
            actor=actor,
            created_at=now,
        )
        session.add(job)
        session.flush()
        if cost is not None:
            bill = charge(job, quote=cost.as_json())
            ledger.reserve(session, policy, bill, likely=cost.likely, high=cost.high, now=now)
        made.append(Queued(job, joined=False))
    session.commit()
    return made


def _frozen(request: Request, quote: TrainingQuote, cost: Quote | None) -> dict[str, Any]:
    """Return what a job remembers; the quote's price decides its bill, whatever happens to the table."""
    return request.config | {"estimate_s": quote.seconds} | ({"quote": cost.as_json()} if cost else {})


def _agreed(
    quotes: Sequence[TrainingQuote], requests: Sequence[Request], accepted: int | None
) -> list[Quote | None]:
    """Return the costs that the user has agreed to (None: free), or refuse."""
    costs = [_possible(quote, request) for quote, request in zip(quotes, requests, strict=True)]
    known = [cost for cost in costs if cost is not None]
    low, high = sum(cost.low for cost in known), sum(cost.high for cost in known)
    if known and (accepted is None or accepted < high):
        rows = sum(quote.rows for quote in quotes)
        raise Refused(
            f"Training on {rows} rows may cost {ledger.dollars(low)} to {ledger.dollars(high)}, and nobody "
            "has agreed to that",
            "Confirm the price (on the command line: --yes)",
        )
    return costs


def _possible(quote: TrainingQuote, request: Request) -> Quote | None:
    """Return what a training costs, or refuse one that cannot be started."""
    if not quote.preflight.allowed:
        reason = quote.preflight.reason.rstrip(".")
        if quote.preflight.code:
            raise ProviderBlocked(request.provider, reason, "Choose another provider for the same dataset")
        raise Refused(reason, "Build a dataset version that meets this, or change the settings")
    if isinstance(quote.cost, Unpriced):
        raise Refused(quote.cost.problem, quote.cost.remedy)
    return quote.cost


@dataclass(frozen=True)
class _Known:
    """An equal run to join, or the key under which a new one is written."""

    job: TrainingJob | None
    next_key: str


def _equal_run(session: Session, request: Request, policy: Policy, *, paid: bool) -> _Known:
    """Look for an equal run; the caller's transaction holds the write lock until the new one is in."""
    dataset = session.get_one(DatasetVersion, request.dataset_id)
    facts = {name: value for name, value in request.config.items() if name != "retry_of"}
    text = json.dumps([dataset.sha256, request.provider, facts, policy.system_prompt], sort_keys=True)
    base = sha256(text.encode()).hexdigest()
    query = select(TrainingJob).where(col(TrainingJob.dedupe_key).startswith(base))
    runs = session.exec(query.order_by(desc(TrainingJob.id))).all()
    last = runs[0] if runs else None
    if last is not None and last.status in ACTIVE_JOB_STATUSES:
        return _Known(last, "")
    done = next((run for run in runs if run.status == JobStatus.SUCCEEDED), None)
    if done is not None and paid and not request.again:
        return _Known(done, "")
    return _Known(None, f"{base}#{len(runs) + 1}")


def request_cancel(session: Session, *, job_id: int, now: datetime) -> TrainingJob:
    """Cancel a waiting job at once; ask for the end of a running one (the next poll stops it).

    Raises
    ------
    NotFound
        If there is no such job.
    Refused
        If it has ended already.
    """
    job = session.get(TrainingJob, job_id)
    if job is None:
        raise NotFound("training job", job_id, "List them with the command 'jobs'")
    if job.status not in ACTIVE_JOB_STATUSES:
        raise Refused(
            f"The job has ended already ({job.status})", "Start a new one if you need another model"
        )
    job.cancel_requested = True
    if job.status in (JobStatus.QUEUED, JobStatus.RESERVED):
        job.status, job.finished_at = JobStatus.CANCELLED, now
        if job.key is not None:
            ledger.release(session, charge(job), now=now)
    session.commit()
    return job
