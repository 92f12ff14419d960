"""The ledger's rows of many requests at once, as `ledger.spend` writes them one by one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert
from sqlmodel import Session

from core import ledger
from core.domain.types import CostKind
from core.models import CostEntry


def spend_all(
    session: Session, about: ledger.Charge, bills: Sequence[tuple[ledger.Charge, int]], *, now: datetime
) -> None:
    """Write one actual row a request, and give back together what they used up of the reservation.

    Parameters
    ----------
    about : Charge
        What they have in common; the row that gives back bears it.
    bills : sequence of (Charge, int)
        What each request was for, and its cost in micro-dollars.
    """
    rows = [_row(charge, CostKind.ACTUAL, micro_usd, now) for charge, micro_usd in bills]
    used = min(sum(micro_usd for _, micro_usd in bills), ledger.reserved(session, about.reference))
    if used:
        rows.append(_row(about, CostKind.RELEASE, used, now))
    if rows:
        session.connection().execute(insert(CostEntry), rows)


def _row(charge: ledger.Charge, kind: CostKind, micro_usd: int, now: datetime) -> dict[str, object]:
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
