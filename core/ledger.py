"""The ledger's rows, written inside the caller's transaction: estimate, reservation, actual, release.

Spent is the sum of actuals, reserved the sum of reservations less releases; both only ever grow by new
rows. A reservation and the row that it is made for go into one transaction that takes the write lock
before it reads (`db.writing`), so that no two processes can both see the last dollar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert
from sqlmodel import Session, col, desc, select

from core.domain.budget import Standing
from core.domain.policy import Policy
from core.domain.types import CostKind, CostPurpose
from core.errors import Refused
from core.models import Budget, CostEntry

SEOUL = ZoneInfo("Asia/Seoul")


@dataclass(frozen=True)
class Charge:
    """What money is for, as every row of it says.

    Parameters
    ----------
    reference : str
        Key of the job, run or request.
    purpose : CostPurpose
        What is bought.
    provider, model : str
        From whom, and which model.
    actor : str
        Who asked for it.
    simulated : bool
        Play money, kept apart from real money in every sum.
    detail : mapping
        Tokens, prices with their dates, how an estimate was made.
    """

    reference: str
    purpose: CostPurpose
    provider: str
    model: str
    actor: str
    simulated: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)


def month_start(now: datetime) -> datetime:
    """Return the first moment of the month in Seoul, in UTC: budgets follow the team's calendar."""
    local = now.astimezone(SEOUL)
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def seoul_day(now: datetime) -> date:
    """Return the day in Seoul: prices and months change at midnight there."""
    return now.astimezone(SEOUL).date()


def standing(session: Session, policy: Policy, *, simulated: bool, now: datetime) -> Standing:
    """Return cap, spend of this month and open reservations, in micro-dollars."""
    mine = col(CostEntry.simulated) == simulated
    spent = select(func.coalesce(func.sum(CostEntry.micro_usd), 0)).where(
        mine, CostEntry.kind == CostKind.ACTUAL, col(CostEntry.at) >= month_start(now)
    )
    held = {
        kind: session.exec(
            select(func.coalesce(func.sum(CostEntry.micro_usd), 0)).where(mine, CostEntry.kind == kind)
        ).one()
        for kind in (CostKind.RESERVATION, CostKind.RELEASE)
    }
    newest = session.exec(select(Budget).order_by(desc(Budget.id)).limit(1)).first()
    return Standing(
        cap=newest.monthly_micro_usd if newest else round(policy.monthly_budget_usd * 1_000_000),
        spent=session.exec(spent).one(),
        reserved=held[CostKind.RESERVATION] - held[CostKind.RELEASE],
        warn_share=newest.warn_share if newest else policy.budget_warn_share,
        is_default=newest is None,
    )


def reserve(
    session: Session, policy: Policy, charge: Charge, *, likely: int, high: int, now: datetime
) -> None:
    """Write an estimate and hold its upper end against the month's budget.

    Raises
    ------
    Refused
        If it would pass the cap; nothing is written then.
    """
    check_cap(session, policy, high, simulated=charge.simulated, now=now)
    rows = [(CostKind.ESTIMATE, likely), (CostKind.RESERVATION, high)]
    _write(session, [_row(charge, kind, amount, now) for kind, amount in rows])


def check_cap(session: Session, policy: Policy, micro_usd: int, *, simulated: bool, now: datetime) -> None:
    """Raise Refused if an amount, of one purchase or several together, would pass the month's cap."""
    state = standing(session, policy, simulated=simulated, now=now)
    if not state.may_spend(micro_usd):
        raise Refused(
            f"This may cost {dollars(micro_usd)} and {dollars(max(0, state.left))} of the month's budget of "
            f"{dollars(state.cap)} are left",
            "Raise the budget on the Costs page (or: python -m core budget --set USD), wait for the next "
            "month, or choose a cheaper model",
        )


def spend(session: Session, charge: Charge, *, micro_usd: int, now: datetime) -> None:
    """Write what was really billed, and give back as much of the reservation as it used up."""
    spend_all(session, charge, [(charge, micro_usd)], now=now)


def spend_all(session: Session, about: Charge, bills: Sequence[tuple[Charge, int]], *, now: datetime) -> None:
    """Write one actual row a bill, and give back together what they used up of the reservation.

    Parameters
    ----------
    about : Charge
        What they have in common, the reference above all; the row that gives back bears it.
    bills : sequence of (Charge, int)
        What each is for, and its cost in micro-dollars.
    """
    rows = [_row(charge, CostKind.ACTUAL, micro_usd, now) for charge, micro_usd in bills]
    used = min(sum(micro_usd for _, micro_usd in bills), reserved(session, about.reference))
    if used:
        rows.append(_row(about, CostKind.RELEASE, used, now))
    _write(session, rows)


def release(session: Session, charge: Charge, *, now: datetime) -> int:
    """Give back what is left of a reservation; return how much. Doing it twice gives back nothing."""
    left = reserved(session, charge.reference)
    if left:
        _write(session, [_row(charge, CostKind.RELEASE, left, now)])
    return left


def reserved(session: Session, reference: str) -> int:
    """Return what is still held for a reference, in micro-dollars."""
    sums = dict(
        session.exec(
            select(CostEntry.kind, func.sum(CostEntry.micro_usd))
            .where(CostEntry.reference == reference)
            .group_by(col(CostEntry.kind))
        ).all()
    )
    return int(sums.get(CostKind.RESERVATION, 0)) - int(sums.get(CostKind.RELEASE, 0))


def dollars(micro_usd: int) -> str:
    """Return an amount for a sentence: cents, or more digits where there are no cents."""
    usd = micro_usd / 1_000_000
    return f"${usd:,.2f}" if usd >= 0.01 or not usd else f"${usd:.6f}".rstrip("0")


def _write(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.connection().execute(insert(CostEntry), [dict(row) for row in rows])


def _row(charge: Charge, kind: CostKind, micro_usd: int, now: datetime) -> dict[str, Any]:
    return {
        "at": now,
        "kind": kind,
        "purpose": charge.purpose,
        "reference": charge.reference,
        "provider": charge.provider,
        "model": charge.model,
        "micro_usd": micro_usd,
        "simulated": charge.simulated,
        "detail": dict(charge.detail),
        "actor": charge.actor,
    }
