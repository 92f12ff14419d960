"""The run's row: who drives it, how it changes, and what its end means for its items and the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core import ledger
from core.domain.policy import Policy
from core.domain.types import (
    ACTIVE_JOB_STATUSES,
    AlertState,
    CostKind,
    CostPurpose,
    Failure,
    ItemState,
    JobStatus,
    RunMode,
)
from core.errors import LeaseLost, NotFound
from core.models import Alert, CostEntry, ModelVersion, PredictionItem, PredictionRun

#: Longer than any single request with its waits (two minutes): who has not reported by then is dead.
LEASE = timedelta(minutes=3)
#: The alert that asks a person about a batch whose fate is unknown.
UNKNOWN_RULE = "BATCH_UNKNOWN"
#: Said of an article that was sent and whose answer nobody has.
LOST = "it was sent and its answer is lost; it may have been billed, and counts so at its estimate"


#: Built once, like the other statements that every request needs: building takes longer than running.
_EXTEND = (
    update(PredictionRun)
    .where(
        col(PredictionRun.id) == bindparam("run"),
        col(PredictionRun.lease_owner) == bindparam("owner"),
        col(PredictionRun.status).in_(ACTIVE_JOB_STATUSES),
    )
    .values(
        lease_until=bindparam("until"),
        answered=PredictionRun.answered + bindparam("ok"),
        failed=PredictionRun.failed + bindparam("bad"),
    )
    .returning(col(PredictionRun.cancel_requested))
)


@dataclass(frozen=True)
class Lease:
    """The right of one driver to work on one run."""

    run_id: int
    owner: str

    def extend(self, session: Session, now: datetime, *, ok: int = 0, bad: int = 0, **values: Any) -> bool:
        """Prove that the right still holds, and lengthen it; tell whether a cancel is asked for.

        `ok` and `bad` are added to the run's counts, and `values` of it are written.

        Every transaction of a driver begins with this, so nothing is written after somebody took over.

        Raises
        ------
        LeaseLost
            If another driver has the run now, or it has ended.
        """
        held = {"run": self.run_id, "owner": self.owner, "until": now + LEASE, "ok": ok, "bad": bad}
        asked = session.connection().execute(_EXTEND, held).scalar_one_or_none()
        if asked is None:
            raise LeaseLost(f"Prediction run {self.run_id}")
        if values:
            change(session, self.run_id, **values)
        return bool(asked)

    def hand_back(
        self, session: Session, now: datetime, *, again_at: datetime | None = None, **values: Any
    ) -> None:
        """Give the run back, to be taken up by anybody (from `again_at` on), and commit.

        The moment stays in the row, so that runs of several models take turns.
        """
        self.extend(session, now, **values)
        change(session, self.run_id, lease_owner=None, lease_until=again_at or now)
        session.commit()


def get_run(session: Session, run_id: int) -> PredictionRun:
    """Return a run as it is stored now, or raise NotFound."""
    run = session.get(PredictionRun, run_id, populate_existing=True)
    if run is None:
        raise NotFound("prediction run", run_id, "Look at the prediction runs on the Models page")
    return run


def change(session: Session, run_id: int, **values: Any) -> None:
    """Write columns of a run; the caller commits."""
    session.connection().execute(
        update(PredictionRun).where(col(PredictionRun.id) == run_id).values(**values)
    )


def charge(run: PredictionRun, model: ModelVersion, **detail: Any) -> ledger.Charge:
    """Return what the ledger says of a run."""
    return ledger.Charge(
        reference=run.key,
        purpose=CostPurpose.BATCH if run.mode == RunMode.BATCH else CostPurpose.INFERENCE,
        provider=model.provider,
        model=billed_name(model),
        actor=run.actor,
        simulated=run.simulated,
        detail={"run": run.id} | detail,
    )


def billed_name(model: ModelVersion) -> str:
    """Return the name by which the vendor bills a model version: its own name where it is tuned."""
    return str(model.params.get("remote_model") or model.base_model)


def may_still_spend(session: Session, policy: Policy, run: PredictionRun, *, now: datetime) -> int:
    """Return what the month's budget leaves to a run, its own reservation included, in micro-dollars."""
    state = ledger.standing(session, policy, simulated=run.simulated, now=now)
    return state.left + ledger.reserved(session, run.key)


@dataclass(frozen=True)
class Account:
    """What was agreed to for a run, and what it has spent of that, in micro-dollars."""

    accepted: int
    spent: int


def account(session: Session, run: PredictionRun) -> Account:
    """Return how a run stands against the price that was agreed to; without an agreement that is 0."""
    held = session.exec(_held(run)).first()
    agreed = (held.detail.get("accepted") or held.micro_usd) if held else 0
    billed = select(func.coalesce(func.sum(CostEntry.micro_usd), 0)).where(
        CostEntry.reference == run.key, CostEntry.kind == CostKind.ACTUAL
    )
    return Account(int(agreed), session.exec(billed).one())


def _held(run: PredictionRun) -> SelectOfScalar[CostEntry]:
    """Return the query of a run's reservation, which says what was agreed to and for how many requests."""
    return select(CostEntry).where(CostEntry.reference == run.key, CostEntry.kind == CostKind.RESERVATION)


def has_left(handle: Mapping[str, Any] | None) -> bool:
    """Tell whether a batch may have reached its vendor, by the handle that its drivers saved."""
    return any((handle or {}).get(name) for name in ("job", "sends", "unsure", "lost"))


@dataclass(frozen=True)
class Ending:
    """How a run ends.

    Parameters
    ----------
    status : JobStatus
        SUCCEEDED (every article was asked), CANCELLED, BLOCKED (the budget or the provider forbids going on)
        or FAILED.
    error : str or None
        A sentence for people; None where all went well.
    failure : Failure
        Code of the articles that were not asked any more ...
    detail : str
        ... and why, in a few words.
    lost : Failure or None
        Code of what was sent and whose fate is unknown: it counts as billed at its estimate. None where
        nothing is out.
    """

    status: JobStatus
    error: str | None = None
    failure: Failure = Failure.INTERRUPTED
    detail: str = "not asked"
    lost: Failure | None = None


def end_run(
    session: Session, run_id: int, ending: Ending, *, now: datetime, lease: Lease | None = None
) -> PredictionRun:
    """End a run and commit: what has no answer failed, and the rest of the reservation is given back.

    Rows in = ok + failed from here on. A run that has ended stays as it is. A driver proves its `lease`.
    """
    if lease is not None:
        lease.extend(session, now)
    run = get_run(session, run_id)
    if run.status not in ACTIVE_JOB_STATUSES:
        session.commit()
        return run
    model = session.get_one(ModelVersion, run.model_id)
    if ending.lost is not None:
        _count_lost(session, run, model, ending.lost, now=now)
    _fail(session, run_id, (ItemState.PENDING, ItemState.SENT), ending.failure, ending.detail)
    recount(session, run_id)
    status, error = _verdict(session, run_id, ending)
    values = {"status": status, "error": error, "message": "", "finished_at": now}
    change(session, run_id, **values, lease_owner=None, lease_until=None)
    ledger.release(session, charge(run, model), now=now)
    close_alert(session, run, now=now)
    ended = get_run(session, run_id)
    session.commit()
    return ended


def _count_lost(
    session: Session, run: PredictionRun, model: ModelVersion, failure: Failure, *, now: datetime
) -> None:
    """Close what was sent and never came back, and count it as billed: its share of the run's estimate."""
    n = _fail(session, int(run.id or 0), (ItemState.SENT,), failure, LOST)
    # of a cascade, the estimate is about those articles only that its second part was to be asked about
    held = session.exec(_held(run)).first()
    quoted = (held.detail.get("n") if held else None) or run.total
    if share := -(-run.estimate_micro_usd * n // max(quoted, 1)):
        about = charge(run, model, requests=n, estimated=True, lost=True)
        ledger.spend(session, about, micro_usd=share, now=now)


def _fail(session: Session, run_id: int, states: tuple[ItemState, ...], failure: Failure, detail: str) -> int:
    """Close the items that are in some states; return how many."""
    closed = session.connection().execute(
        update(PredictionItem)
        .where(col(PredictionItem.run_id) == run_id, col(PredictionItem.state).in_(states))
        .values(state=ItemState.FAILED, failure=failure, detail=detail[:300])
    )
    return closed.rowcount


def _verdict(session: Session, run_id: int, ending: Ending) -> tuple[JobStatus, str | None]:
    """Return how a run ended: one in which nothing at all was answered did not succeed."""
    run = get_run(session, run_id)
    if ending.status != JobStatus.SUCCEEDED or run.answered or not run.total:
        return ending.status, ending.error
    most = (
        select(PredictionItem.failure)
        .where(PredictionItem.run_id == run_id)
        .group_by(col(PredictionItem.failure))
        .order_by(func.count().desc())
        .limit(1)
    )
    code = session.exec(most).first()
    return JobStatus.FAILED, f"None of the {run.total} articles was answered; most often: {code}."


def recount(session: Session, run_id: int) -> None:
    """Set the counts of a run to what its items say."""
    counted = (
        select(PredictionItem.state, func.count())
        .where(PredictionItem.run_id == run_id)
        .group_by(col(PredictionItem.state))
    )
    states = dict(session.exec(counted).all())
    change(
        session,
        run_id,
        answered=states.get(ItemState.OK, 0),
        failed=states.get(ItemState.FAILED, 0),
    )


def open_alert(
    session: Session, run: PredictionRun, message: str, *, now: datetime, key: str | None = None
) -> None:
    """Tell people about a run; one row for a `key`, which by default is the run's unknown fate.

    The caller commits. An alert that somebody has taken note of is not opened again.
    """
    key = key or f"{UNKNOWN_RULE}|{run.key}"
    row = session.exec(select(Alert).where(Alert.key == key)).first()
    row = row or Alert(key=key, rule=key.split("|")[0], message=message, at=now)
    row.message, row.detail, row.closed_at = message, {"run": run.id}, None
    if row.state == AlertState.RESOLVED:
        row.state, row.at = AlertState.OPEN, now
    session.add(row)


def close_alert(session: Session, run: PredictionRun, *, now: datetime) -> None:
    """Close the alert that asked about a run, if there is one. The caller commits."""
    mine = (col(Alert.key) == f"{UNKNOWN_RULE}|{run.key}", col(Alert.state) != AlertState.RESOLVED)
    session.execute(update(Alert).where(*mine).values(state=AlertState.RESOLVED, closed_at=now))
