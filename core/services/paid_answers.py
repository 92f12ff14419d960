"""Money of single answers: held before a question leaves, settled when it is back or lost."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import case, func
from sqlmodel import Session, col, select

from core import ledger
from core.domain.billing import Bill
from core.domain.policy import Policy
from core.domain.pricing import Quote, Unpriced
from core.domain.types import CostKind, CostPurpose
from core.errors import Refused
from core.ledger import Charge
from core.models import CostEntry, ModelVersion

PREFIX = "answer-"
#: Longer than any answer takes with all its waits: a question still held by then went down with its program.
LOST_AFTER = timedelta(minutes=10)
#: The first text behind all those that begin with PREFIX: a range that the ledger's index serves.
_BEHIND = "answer."


def charge(model: ModelVersion, request_id: str, *, billed_as: str, actor: str, simulated: bool) -> Charge:
    """Return what the ledger says of one question."""
    return Charge(PREFIX + request_id, CostPurpose.INFERENCE, model.provider, billed_as, actor, simulated)


def hold(session: Session, policy: Policy, about: Charge, quote: Quote | Unpriced, *, now: datetime) -> None:
    """Hold what a question may cost, and commit.

    Raises
    ------
    Refused
        If no price is known, or the month's budget does not bear it.
    """
    if isinstance(quote, Unpriced):
        raise Refused(quote.problem, quote.remedy)
    ledger.reserve(session, policy, about, likely=quote.likely, high=quote.high, now=now)
    session.commit()


def settle(session: Session, about: Charge, bill: Bill | None, *, now: datetime) -> None:
    """Write what a question cost (None: nothing) and give the rest back, and commit.

    An answer so slow that `close_lost` has counted it already is not counted again.
    """
    if not _is_billed(session, about.reference):
        if bill is not None:
            ledger.spend(session, replace(about, detail=bill.detail), micro_usd=bill.micro_usd, now=now)
        ledger.release(session, about, now=now)
    session.commit()


def _is_billed(session: Session, reference: str) -> bool:
    billed = select(CostEntry.id).where(CostEntry.reference == reference, CostEntry.kind == CostKind.ACTUAL)
    return session.exec(billed.limit(1)).first() is not None


def lost(session: Session, *, now: datetime) -> list[str]:
    """Return the references of questions whose program ended before they were settled, however long ago."""
    signed = case(
        (col(CostEntry.kind) == CostKind.RESERVATION, CostEntry.micro_usd),
        (col(CostEntry.kind) == CostKind.RELEASE, -CostEntry.micro_usd),
        else_=0,
    )
    still_held = (
        select(CostEntry.reference)
        .where(col(CostEntry.reference) >= PREFIX, col(CostEntry.reference) < _BEHIND)
        .group_by(col(CostEntry.reference))
        .having(func.sum(signed) > 0)
    )
    begun = select(CostEntry.reference).where(
        CostEntry.kind == CostKind.RESERVATION, CostEntry.at < now - LOST_AFTER
    )
    return list(session.exec(begun.where(col(CostEntry.reference).in_(still_held))))


def close_lost(session: Session, *, now: datetime) -> int:
    """Count lost questions as billed at their estimate, give the rest back, commit; return how many."""
    references = lost(session, now=now)
    for reference in references:
        held = select(CostEntry).where(CostEntry.reference == reference, CostEntry.kind == CostKind.ESTIMATE)
        estimate = session.exec(held).one()
        about = Charge(
            reference,
            CostPurpose.INFERENCE,
            estimate.provider,
            estimate.model,
            estimate.actor,
            estimate.simulated,
            {"estimated": True, "lost": True},
        )
        ledger.spend(session, about, micro_usd=estimate.micro_usd, now=now)
        ledger.release(session, about, now=now)
    session.commit()
    return len(references)
