"""The commands of cascades and of the proof pack."""

import argparse
from typing import Any

from core import workflows
from core.bootstrap import App
from core.db import reading
from core.errors import Refused
from core.queries import listings


def curve(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """Show the trade-off of two models over the threshold, on a validation part."""
    return workflows.cascade_curve(app, options.first, options.second, options.dataset)


def create(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """Make a cascade of two models, at a threshold or at the one that the curve chooses."""
    threshold = options.threshold
    if threshold is None:
        found = workflows.cascade_curve(app, options.first, options.second, options.dataset)
        threshold = found["chosen"]["threshold"]
        if not threshold:
            raise Refused(
                found["rule"].rstrip("."), "Name a threshold with --threshold to make it all the same"
            )
    model_id = workflows.create_cascade(app, options.first, options.second, threshold, options.dataset)
    with reading(app.engine) as session:
        return next(model for model in listings.models(session) if model["id"] == model_id) | {
            "threshold": threshold
        }


def proof(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """Write the proof pack of a promotion or a rollback."""
    return workflows.write_proof(app, options.id, options.out)
