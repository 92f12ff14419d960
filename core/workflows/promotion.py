"""The switch of the champion: promotion and rollback."""

from core.bootstrap import App
from core.db import reading, writing
from core.domain.types import Target
from core.services import registry
from core.workflows.answering import load_predictor


def promote(app: App, model_id: int, target: Target, reason: str, actor: str | None = None) -> None:
    """Make a model version the champion of a target."""
    with reading(app.engine) as session:
        model = registry.get_model(session, model_id)
    load_predictor(app, model)  # a damaged artefact is refused here, not at the first question
    with writing(app.engine) as session:
        registry.promote(
            session,
            model_id=model_id,
            target=target,
            reason=reason,
            actor=actor or app.settings.actor,
            answering_providers=frozenset(app.providers),
            now=app.now(),
        )


def rollback(app: App, target: Target, reason: str, actor: str | None = None) -> None:
    """Give a target back to the champion before the present one."""
    with writing(app.engine) as session:
        registry.rollback(
            session, target=target, reason=reason, actor=actor or app.settings.actor, now=app.now()
        )
