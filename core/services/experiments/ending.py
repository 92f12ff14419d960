"""The end of an experiment: by its evidence, its time, its money, a person, or a change of the champion.

Whatever ends it, its evidence of that moment is kept. None of it promotes anything.
"""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from core.domain.policy import Policy
from core.domain.types import ExperimentPurpose, ExperimentStatus, Failure, Target, Verdict
from core.errors import Refused
from core.models import Experiment, ExperimentItem
from core.services.experiments.evidence import evidence
from core.services.experiments.items import SIDES, get_experiment, side_is_open


class Why(StrEnum):
    """What ended an experiment; kept as ``ended_by`` of its conclusion."""

    EVIDENCE = "evidence"
    TIME = "time"
    BUDGET = "budget"
    PERSON = "person"
    CHAMPION_CHANGED = "champion_changed"
    ROLLED_BACK = "rolled_back"


_CONCLUDED = (Why.EVIDENCE, Why.TIME, Why.BUDGET)


def end(
    session: Session, policy: Policy, experiment: Experiment, why: Why, *, note: str = "", now: datetime
) -> dict[str, Any]:
    """End a running experiment with the evidence of this moment, and return that; the caller commits.

    One that has ended stays as it is.

    Parameters
    ----------
    why : Why
        What ends it: evidence, time and money conclude it, everything else stops it.
    note : str
        More about that, for people.
    """
    if experiment.status == ExperimentStatus.RUNNING:
        shown = evidence(session, policy, experiment, now=now)
        experiment.conclusion = shown | {"ended": True, "ended_by": str(why), "note": note.strip()}
        experiment.status = ExperimentStatus.CONCLUDED if why in _CONCLUDED else ExperimentStatus.STOPPED
        experiment.ended_at = now
        session.add(experiment)
        session.flush()
    return experiment.conclusion or {}


def stop(session: Session, policy: Policy, experiment_id: int, *, reason: str, now: datetime) -> Experiment:
    """End an experiment by a person's wish, and commit.

    Raises
    ------
    NotFound
        If there is no such experiment.
    Refused
        If no reason is given, or it has ended.
    """
    experiment = get_experiment(session, experiment_id)
    if not reason.strip():
        raise Refused("An experiment is not stopped without a reason", "Write in a few words why it ends now")
    if experiment.status != ExperimentStatus.RUNNING:
        raise Refused(
            f"Experiment {experiment_id} has ended already ({experiment.status})", "Nothing needs to be done"
        )
    end(session, policy, experiment, Why.PERSON, note=reason, now=now)
    session.commit()
    return experiment


def archive(session: Session, experiment_id: int, *, now: datetime) -> Experiment:
    """Put an ended experiment out of the way, and commit; its rows and evidence stay. Twice is as once.

    Raises
    ------
    NotFound, Refused
        If there is no such experiment, or it is under way.
    """
    experiment = get_experiment(session, experiment_id)
    if experiment.status == ExperimentStatus.RUNNING:
        raise Refused(f"Experiment {experiment_id} is under way", "Stop it first, or wait for its end")
    experiment.archived_at = experiment.archived_at or now
    session.add(experiment)
    session.commit()
    return experiment


def end_all(
    session: Session, policy: Policy, target: Target, why: Why, *, note: str = "", now: datetime
) -> list[int]:
    """End all running experiments of a target, watches too, and return their ids; the caller commits."""
    query = select(Experiment).where(
        Experiment.target == target, Experiment.status == ExperimentStatus.RUNNING
    )
    running = session.exec(query.order_by(col(Experiment.id))).all()
    for experiment in running:
        end(session, policy, experiment, why, note=note, now=now)
    return [int(experiment.id or 0) for experiment in running]


def is_decided(experiment: Experiment, shown: dict[str, Any], *, now: datetime) -> Why | None:
    """Return what ends a running experiment now by itself, or None.

    A challenge ends with a verdict either way. A watch ends early only where the former champion is better:
    that the new one is ahead today does not say that it stays so.
    """
    verdicts: tuple[Verdict, ...] = (Verdict.BETTER,)
    if experiment.purpose == ExperimentPurpose.CHALLENGE:
        verdicts = (Verdict.BETTER, Verdict.WORSE)
    if shown.get("verdict") in verdicts:
        return Why.EVIDENCE
    return Why.TIME if experiment.ends_at <= now else None


def give_up(session: Session, model_ids: Collection[int], *, asked_before: datetime, now: datetime) -> int:
    """Close sides on which these models stand, open since `asked_before`, as failed; return how many, no commit.

    A model that cannot be asked for a whole day is wrong for the day: one that is not there does not answer.
    """
    closed = 0
    for side in SIDES:
        stands = col(getattr(Experiment, f"{side}_id")).in_(model_ids)
        under_way = select(Experiment.id).where(Experiment.status == ExperimentStatus.RUNNING, stands)
        values: dict[Any, Any] = {f"{side}_failure": Failure.NOT_AVAILABLE}
        overdue = update(ExperimentItem).where(
            col(ExperimentItem.experiment_id).in_(under_way),
            col(ExperimentItem.answered_at).is_(None),
            col(ExperimentItem.asked_at) < asked_before,
            side_is_open(side),
        )
        closed += session.connection().execute(overdue.values(values)).rowcount
    if closed:
        left = (col(ExperimentItem.answered_at).is_(None), *(~side_is_open(side) for side in SIDES))
        session.connection().execute(update(ExperimentItem).where(*left).values(answered_at=now))
    return closed
