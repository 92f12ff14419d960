"""Opening alerts, closing them, and taking note of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from core.domain.types import AlertState
from core.errors import NotFound, Refused
from core.models import Alert


def acknowledge(session: Session, alert_id: int, *, actor: str, now: datetime) -> Alert:
    """Note that a person has seen an alert, and commit. It opens again if its cause is seen again.

    Raises
    ------
    NotFound
        If there is no such alert.
    Refused
        If it is not open any more.
    """
    alert = session.get(Alert, alert_id)
    if alert is None:
        raise NotFound("alert", alert_id, "Open the Overview again")
    if alert.state != AlertState.OPEN:
        raise Refused(f"This alert is not open any more ({alert.state})", "Nothing needs to be done")
    alert.state, alert.closed_at = AlertState.ACKNOWLEDGED, now
    alert.detail = alert.detail | {"acknowledged_by": actor}
    session.add(alert)
    session.commit()
    return alert


def open_alert(
    session: Session, *, key: str, rule: str, message: str, detail: Mapping[str, Any], now: datetime
) -> Alert:
    """Tell people of something, one row for a `key`; the caller commits, with what the alert tells of.

    One that is open or acknowledged stays so, with the new message; one that was resolved opens again.
    """
    row = session.exec(select(Alert).where(Alert.key == key)).first()
    row = row or Alert(key=key, rule=rule, message=message, at=now)
    row.message, row.detail = message, dict(detail)
    if row.state == AlertState.RESOLVED:
        row.state, row.at, row.closed_at = AlertState.OPEN, now, None
    session.add(row)
    return row


def resolve(session: Session, *, rule: str, target: str, now: datetime) -> int:
    """Close the alerts of a rule that tell of a target, and return how many; the caller commits."""
    mine = (
        col(Alert.rule) == rule,
        col(Alert.detail)["target"].as_string() == target,
        col(Alert.state) != AlertState.RESOLVED,
    )
    closed = session.connection().execute(
        update(Alert).where(*mine).values(state=AlertState.RESOLVED, closed_at=now)
    )
    return closed.rowcount
