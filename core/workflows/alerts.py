"""What a person does about an alert."""

from core.bootstrap import App
from core.db import writing
from core.services import alerts


def acknowledge_alert(app: App, alert_id: int, actor: str | None = None) -> None:
    """Note that somebody has seen an alert."""
    with writing(app.engine) as session:
        alerts.acknowledge(session, alert_id, actor=actor or app.settings.actor, now=app.now())
