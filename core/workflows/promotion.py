"""The switch of the champion: its gates, promotion, the watch of the former champion, rollback."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from core.bootstrap import App
from core.db import reading, writing
from core.domain import gates
from core.domain.gates import Gate
from core.domain.types import GateState, Split, Target
from core.errors import Refused
from core.models import Comparison, DatasetVersion, Experiment, Promotion
from core.queries import experiments as looks
from core.services import alerts, experiments, registry
from core.services.experiments import Why
from core.workflows.answering import load_predictor
from core.workflows.experiment_job import FORMER_BETTER_RULE, begin_watches, why_no_watch
from core.workflows.experiments import ASSUMED_DISCORDANCE, discordance_of


@dataclass(frozen=True)
class GateReport:
    """What stands between a model version and the champion's place.

    Parameters
    ----------
    gates : tuple of Gate
        In the order in which they are asked; empty where there is no champion to be better than.
    champion_id : int or None
        Against whom; None where there is none.
    comparison_id, experiment_id : int or None
        The newest comparison on a test part and the newest challenge on articles of every family, this
        challenger against this champion; None where there is none.
    power_note : dict or None
        What the test part at hand can decide at all, see `domain.gates.power_note`; None without a champion or
        a dataset version.
    passed : bool
        Whether every gate is passed.
    """

    gates: tuple[Gate, ...]
    champion_id: int | None
    comparison_id: int | None
    experiment_id: int | None
    power_note: dict[str, Any] | None
    passed: bool


@dataclass(frozen=True)
class Promoted:
    """What a promotion did.

    Parameters
    ----------
    promotion_id : int
        The row of the ledger.
    watch_id : int or None
        The experiment in which the former champion watches the new one.
    no_watch : str
        Why there is none: "FIRST" (there was no champion), "PAID" (the former one's answers cost money, and
        nobody agreed to a budget), "CANNOT_ANSWER", "SIMULATED" (one of the two is); "" where there is one.
    """

    promotion_id: int
    watch_id: int | None = None
    no_watch: str = ""


def promotion_gates(app: App, model_id: int, target: Target) -> GateReport:
    """Return what the gates say of promoting a model version; nothing is written.

    Raises
    ------
    NotFound
        If there is no such model version.
    """
    with reading(app.engine) as session:
        registry.get_model(session, model_id)
        champion_id = registry.champion_id(session, target)
        if champion_id is None or champion_id == model_id:
            return GateReport((), champion_id, None, None, None, passed=True)
        compared = looks.newest_comparison(session, champion_id, model_id, target)
        challenge = looks.newest_challenge(session, champion_id, model_id, target)
        shown = experiments.evidence(session, app.policy, challenge, now=app.now()) if challenge else None
        note = _power_note(app, session, target, compared)
    checked = gates.checklist(
        comparison=compared.report if compared else None, evidence=shown, policy=app.policy, target=target
    )
    return GateReport(
        tuple(checked),
        champion_id,
        _id(compared),
        _id(challenge),
        note,
        passed=gates.passed(checked),
    )


def _id(row: Comparison | Experiment | None) -> int | None:
    return row.id if row else None


def promote(
    app: App,
    model_id: int,
    target: Target,
    reason: str,
    actor: str | None = None,
    *,
    override: bool = False,
) -> Promoted:
    """Make a model version the champion of a target; the one before it watches from then on, where it can.

    Running experiments of the target end: what they held against each other is no longer the question.

    Parameters
    ----------
    override : bool
        Whether a person promotes it though not every gate is passed; kept with the promotion.

    Raises
    ------
    NotFound, Refused
        If there is no such model version, it cannot be promoted, or a gate is not passed and `override` is
        not set.
    """
    answering = frozenset(app.providers)
    with reading(app.engine) as session:
        model = registry.get_model(session, model_id)
        registry.check_promotable(session, model, target, reason, answering)
    load_predictor(app, model)  # a damaged artefact is refused here, not at the first question
    report = promotion_gates(app, model_id, target)
    if not report.passed and not override:
        raise _closed(report, model.name)
    now, who = app.now(), actor or app.settings.actor
    with writing(app.engine) as session:
        experiments.end_all(
            session, app.policy, target, Why.CHAMPION_CHANGED, note=f"{model.name} was promoted", now=now
        )
        alerts.resolve(session, rule=FORMER_BETTER_RULE, target=target, now=now)
        entry = registry.promote(
            session,
            model_id=model_id,
            target=target,
            reason=reason,
            actor=who,
            answering_providers=answering,
            instead_of=report.champion_id,
            gates=_as_evidence(report),
            now=now,
        )
    return _watched(app, entry, who)


def _closed(report: GateReport, name: str) -> Refused:
    """Return the refusal that names the gates which are not passed."""
    states = {
        state: ", ".join(gate.code for gate in report.gates if gate.state == state)
        for state in (GateState.FAILED, GateState.WAITING)
    }
    said = "; ".join(f"{state}: {codes}" for state, codes in states.items() if codes)
    return Refused(
        f"{name} has not passed every gate of the promotion ({said})",
        "Compare it on a test part and let a live experiment run, or promote it all the same with an override "
        "(--override on the command line), which is kept with the promotion",
    )


def _as_evidence(report: GateReport) -> dict[str, Any]:
    """Return what the ledger keeps of the gates."""
    if report.champion_id is None:
        return {"gates": [], "override": False}
    return {
        "gates": [gate.as_json() for gate in report.gates],
        "override": not report.passed,
        "against": report.champion_id,
        "comparison_id": report.comparison_id,
        "experiment_id": report.experiment_id,
    }


def _watched(app: App, entry: Promotion, actor: str) -> Promoted:
    """Begin the watch of a promotion, and say so, or why there is none."""
    promotion_id = int(entry.id or 0)
    if entry.from_model_id is None:
        return Promoted(promotion_id, no_watch="FIRST")
    begin_watches(app, actor)
    with reading(app.engine) as session:
        former = registry.get_model(session, entry.from_model_id)
        found = looks.watch(session, entry.target)
    if found is not None:
        return Promoted(promotion_id, found.experiment.id)
    return Promoted(promotion_id, no_watch=why_no_watch(app, former) or "SIMULATED")


def rollback(
    app: App, target: Target, reason: str, actor: str | None = None, *, leaving: int | None = None
) -> None:
    """Give a target back to the champion before the present one; its experiments and its watch end.

    Parameters
    ----------
    leaving : int or None
        The champion that shall go, as the person saw it; None takes whichever there is.

    Raises
    ------
    Refused
        If no reason is given, there is no earlier champion, or `leaving` is not the champion any more.
    """
    now = app.now()
    with writing(app.engine) as session:
        experiments.end_all(session, app.policy, target, Why.ROLLED_BACK, note=reason, now=now)
        alerts.resolve(session, rule=FORMER_BETTER_RULE, target=target, now=now)
        registry.rollback(
            session,
            target=target,
            reason=reason,
            actor=actor or app.settings.actor,
            leaving=leaving,
            now=now,
        )


def _power_note(
    app: App, session: Session, target: Target, compared: Comparison | None
) -> dict[str, Any] | None:
    """Return what the test part at hand can decide, of the comparison's dataset version or the newest one."""
    if compared is not None:
        dataset: DatasetVersion | None = session.get_one(DatasetVersion, compared.dataset_id)
    else:
        dataset = looks.newest_dataset(session, target)
    if dataset is None:
        return None
    sizes = {part: sum(dataset.counts.get(part, {}).values()) for part in Split}
    return gates.power_note(
        sizes[Split.TEST],
        effect=app.policy.plan_gain,
        discordance=(compared and discordance_of(compared.report)) or ASSUMED_DISCORDANCE,
        policy=app.policy,
        n_all=sum(sizes.values()),
    )
