"""Taking note of alerts."""

from datetime import datetime

from sqlmodel import Session

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
