"""The items of a run: claimed, sent, answered. Each state is committed before what it allows is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from core import ledger
from core.db import insert_new
from core.domain.billing import Bill
from core.domain.types import ACTIVE_JOB_STATUSES, Failure, ItemState, JobStatus, RunMode
from core.models import Article, ModelVersion, Prediction, PredictionItem, PredictionRun
from core.providers.base import NewsText, Reply
from core.services.prediction_runs.rows import LEASE, change, charge, get_run, recount

#: How long a lost batch is looked for at the vendor: its lists may lag behind.
LOOK_FOR = timedelta(hours=1)


#: Built once: building a statement for every request would take longer than running it.
_SETTLE = (
    update(PredictionItem)
    .where(col(PredictionItem.id) == bindparam("item"))
    .values(state=bindparam("now_is"), failure=bindparam("why"), detail=bindparam("seen"))
)


@dataclass(frozen=True)
class Item:
    """One article of a run, ready to be asked about."""

    id: int
    article_id: int
    position: int
    text: NewsText


@dataclass(frozen=True)
class Landed:
    """What came back about an item, and what it cost (None: nothing)."""

    item: Item
    reply: Reply
    bill: Bill | None = None


def is_due(session: Session, *, now: datetime, run_id: int | None = None) -> bool:
    """Tell whether `claim` would find something to do now."""
    return _next_due(session, now, run_id) is not None


def claim(session: Session, *, owner: str, now: datetime, run_id: int | None = None) -> PredictionRun | None:
    """Take the lease of a run that is due, and commit; None where there is none or somebody was quicker.

    Due is what is not driven now: waiting, handed back, or left by a driver that died. Batches come first,
    since a look at one is quick; then who has waited longest. A model's runs that share articles go one after
    the other, so that no article is asked twice at the same time.
    """
    run = _next_due(session, now, run_id)
    if run is None or run.id is None:
        session.rollback()
        return None
    values: dict[str, Any] = {"lease_owner": owner, "lease_until": now + LEASE}
    if run.status == JobStatus.QUEUED:
        began = JobStatus.SUBMITTING if run.mode == RunMode.BATCH else JobStatus.RUNNING
        values |= {"status": began, "started_at": now}
        _take_stored(session, run)
    change(session, run.id, **values)
    claimed = get_run(session, run.id)
    session.commit()
    return claimed


def _next_due(session: Session, now: datetime, run_id: int | None) -> PredictionRun | None:
    active = select(PredictionRun).where(col(PredictionRun.status).in_(ACTIVE_JOB_STATUSES))
    runs = session.exec(active.order_by(col(PredictionRun.id))).all()
    due = [run for run in runs if run_id in (None, run.id) and _is_due(run, now)]
    order = {RunMode.BATCH: 0, RunMode.DIRECT: 1}
    due.sort(key=lambda run: (order[RunMode(run.mode)], run.lease_until or run.created_at))
    return next((run for run in due if run_before(session, run) is None), None)


def run_before(session: Session, run: PredictionRun) -> PredictionRun | None:
    """Return an earlier run of the same model that must end first: some article is open in both."""
    theirs, ours = aliased(PredictionItem), aliased(PredictionItem)
    waiting = (ItemState.PENDING, ItemState.SENT)
    shared = (
        select(theirs.id)
        .join(ours, col(ours.article_id) == col(theirs.article_id))
        .where(
            ours.run_id == run.id,
            col(ours.state).in_(waiting),
            theirs.run_id == PredictionRun.id,
            col(theirs.state).in_(waiting),
        )
        .correlate(PredictionRun)
    )
    earlier = select(PredictionRun).where(
        PredictionRun.model_id == run.model_id,
        col(PredictionRun.id) < run.id,
        col(PredictionRun.status).in_(ACTIVE_JOB_STATUSES),
        shared.exists(),
    )
    return session.exec(earlier.order_by(col(PredictionRun.id)).limit(1)).first()


def _is_due(run: PredictionRun, now: datetime) -> bool:
    if run.status == JobStatus.UNKNOWN and run.submitted_at and now > run.submitted_at + LOOK_FOR:
        return False  # a person has been asked, and decides
    return run.lease_until is None or run.lease_until <= now


def _take_stored(session: Session, run: PredictionRun) -> None:
    """Count what was answered since the run was made, by an import or an earlier run, as done."""
    session.execute(
        update(PredictionItem)
        .where(
            col(PredictionItem.run_id) == run.id,
            col(PredictionItem.state).in_((ItemState.PENDING, ItemState.SENT)),
            _answered(run.model_id),
        )
        .values(state=ItemState.OK)
    )
    recount(session, int(run.id or 0))


def _answered(model_id: int) -> Any:
    return exists().where(
        col(Prediction.article_id) == col(PredictionItem.article_id),
        col(Prediction.model_id) == model_id,
        col(Prediction.request_id) == "",
    )


def interrupted(session: Session, run: PredictionRun) -> list[Item]:
    """Return the items that a driver sent and left behind; those with a stored answer are done."""
    _take_stored(session, run)
    return _items(session, int(run.id or 0), ItemState.SENT, limit=-1)


def next_items(session: Session, run_id: int, *, after: int, limit: int) -> list[Item]:
    """Return the next waiting items behind a position, with their texts."""
    return _items(session, run_id, ItemState.PENDING, after=after, limit=limit)


def sent_items(session: Session, run_id: int, *, after: int, limit: int) -> list[Item]:
    """Return the next sent items behind a position, with their texts."""
    return _items(session, run_id, ItemState.SENT, after=after, limit=limit)


def _items(session: Session, run_id: int, state: ItemState, *, after: int = -1, limit: int) -> list[Item]:
    query = (
        select(  # type: ignore[call-overload]  # SQLModel types four columns at most
            PredictionItem.id,
            PredictionItem.article_id,
            PredictionItem.position,
            Article.title,
            Article.body,
        )
        .join(Article, col(Article.id) == col(PredictionItem.article_id))
        .where(
            PredictionItem.run_id == run_id,
            PredictionItem.state == state,
            col(PredictionItem.position) > after,
        )
        .order_by(col(PredictionItem.position))
        .limit(limit)
    )
    return [
        Item(item_id, article_id, position, NewsText(title, body))
        for item_id, article_id, position, title, body in session.exec(query)
    ]


def mark_all_sent(session: Session, run_id: int) -> None:
    """Note that all waiting items are about to leave as one batch; the caller commits before they do."""
    waiting = (col(PredictionItem.run_id) == run_id, col(PredictionItem.state) == ItemState.PENDING)
    session.execute(update(PredictionItem).where(*waiting).values(state=ItemState.SENT))


def record(
    session: Session,
    run: PredictionRun,
    model: ModelVersion,
    landed: Sequence[Landed],
    leaving: Sequence[Item],
    *,
    now: datetime,
) -> None:
    """Write what came back (answers, failures, bills) and what is about to leave.

    The caller commits, so it is all or nothing, and only then lets the requests leave.
    """
    answers = [_prediction(run, each, now) for each in landed if each.reply.forecast is not None]
    if answers:
        insert_new(session, Prediction, answers)
    if states := [*map(_settled, landed), *map(_leaving, leaving)]:
        session.connection().execute(_SETTLE, states)
    bills = [
        (charge(run, model, article=each.item.article_id, **each.bill.detail), each.bill.micro_usd)
        for each in landed
        if each.bill is not None
    ]
    if bills:
        ledger.spend_all(session, charge(run, model, requests=len(bills)), bills, now=now)


def _leaving(item: Item) -> dict[str, Any]:
    return {"item": item.id, "now_is": ItemState.SENT, "why": None, "seen": None}


def _settled(landed: Landed) -> dict[str, Any]:
    reply = landed.reply
    if reply.forecast is not None:
        return {"item": landed.item.id, "now_is": ItemState.OK, "why": None, "seen": None}
    why = reply.failure or Failure.PROVIDER_ERROR
    return {"item": landed.item.id, "now_is": ItemState.FAILED, "why": why, "seen": reply.detail[:300]}


def _prediction(run: PredictionRun, landed: Landed, now: datetime) -> dict[str, Any]:
    reply, usage = landed.reply, landed.reply.usage
    forecast = reply.forecast
    return {
        "article_id": landed.item.article_id,
        "model_id": run.model_id,
        "request_id": "",
        "sentiment": forecast and forecast.sentiment,
        "confidence": forecast and forecast.confidence,
        "keywords": list(forecast.keywords) if forecast else [],
        "rationale": forecast and forecast.rationale,
        "latency_ms": reply.latency_ms,
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "answered_by": reply.answered_by,
        "created_at": now,
    }
