"""Commands about live experiments and the gates of a promotion."""

import argparse
import sys
from typing import Any

from core import workflows
from core.bootstrap import App
from core.db import reading
from core.errors import Refused
from core.ledger import dollars
from core.queries import experiments as looks
from core.queries.experiments import ExperimentRow


def start(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """Begin a challenge, having said what it takes."""
    wish = workflows.Wish(
        options.target,
        options.challenger,
        mode=options.mode,
        family=options.family,
        allocation=options.allocation,
        effect=options.effect,
        days=options.days,
        reason=options.reason,
    )
    plan = workflows.plan_experiment(app, wish)
    _tell(_planned(plan))
    accepted = _agreed(options, plan)
    experiment_id = workflows.start_experiment(app, wish, accept_micro_usd=accepted)
    return {"experiment_id": experiment_id, "planned": plan.planned, "warnings": list(plan.warnings)}


def _planned(plan: workflows.Plan) -> str:
    found = plan.planned
    days = "not foreseeable" if found["days_power"] is None else f"about {found['days_power']:.0f} days"
    return (
        f"{plan.challenger} against {plan.champion}: a difference of {100 * found['effect']:.0f} points takes "
        f"about {found['articles']} articles ({days} at {found['labels_a_day']:.1f} labels a day)."
    )


def _agreed(options: argparse.Namespace, plan: workflows.Plan) -> int | None:
    """Return the budget that was agreed to; None where nothing has to be paid or nobody wants to."""
    if options.budget is not None:
        return int(options.budget * 1_000_000)
    if not plan.prices:
        return None
    price = dollars(plan.budget_micro_usd)
    _tell(f"Its questions may cost up to {price} in all.")
    if options.yes:
        return plan.budget_micro_usd
    if not plan.must_agree:
        _tell("Without --budget only those articles count that the champion answers anyway.")
        return None
    raise Refused(
        f"This experiment may cost up to {price}, and nobody has agreed to that",
        "Add --yes to agree to it, or --budget USD for less",
    )


def list_(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """List experiments, newest first."""
    with reading(app.engine) as session:
        rows = looks.experiments(session, options.target, archived=options.all)
        return {"experiments": [_row(row) for row in rows]}


def show(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """Show an experiment with what it has shown so far."""
    with reading(app.engine) as session:
        row = _row(looks.experiment(session, options.id))
    shown = workflows.experiment_evidence(app, options.id)
    return row | {"evidence": {name: value for name, value in shown.items() if name != "series"}}


def stop(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """End an experiment and show it."""
    workflows.stop_experiment(app, options.id, options.reason)
    return show(app, options)


def archive(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """Put an ended experiment out of the way."""
    workflows.archive_experiment(app, options.id)
    with reading(app.engine) as session:
        return _row(looks.experiment(session, options.id))


def gates(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """Show what the gates of a promotion say."""
    report = workflows.promotion_gates(app, options.id, options.target)
    return {
        "passed": report.passed,
        "champion_id": report.champion_id,
        "comparison_id": report.comparison_id,
        "experiment_id": report.experiment_id,
        "power_note": report.power_note,
        "gates": [gate.as_json() for gate in report.gates],
    }


def _row(row: ExperimentRow) -> dict[str, Any]:
    one = row.experiment
    return {
        "id": one.id,
        "target": one.target,
        "family": one.family,
        "mode": one.mode,
        "purpose": one.purpose,
        "status": one.status,
        "champion": row.champion,
        "challenger": row.challenger,
        "simulated": one.simulated,
        "enrolled": row.enrolled,
        "answered": row.answered,
        "budget_usd": one.budget_micro_usd / 1_000_000,
        "committed_usd": row.committed_micro_usd / 1_000_000,
        "verdict": (one.conclusion or {}).get("verdict"),
        "started_at": one.started_at.isoformat(),
        "ends_at": one.ends_at.isoformat(),
        "ended_at": one.ended_at.isoformat() if one.ended_at else None,
        "archived": one.archived_at is not None,
    }


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201
