"""Who answers for a target: promotion and rollback, with a ledger that is never changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, desc, select

from core.domain.registry import champions_so_far
from core.domain.types import Split, Target
from core.errors import NotFound, Refused
from core.models import Champion, Comparison, DatasetVersion, EvaluationRun, ModelVersion, Promotion


def promote(
    session: Session,
    *,
    model_id: int,
    target: Target,
    reason: str,
    actor: str,
    answering_providers: frozenset[str],
    instead_of: int | None,
    gates: Mapping[str, Any],
    now: datetime,
) -> Promotion:
    """Make a model version the champion of a target, and commit.

    Parameters
    ----------
    answering_providers : frozenset of str
        Providers that can answer a new article; a model of any other cannot be promoted.
    instead_of : int or None
        The champion that the gates were measured against, None where there was none.
    gates : mapping
        What the gates said and whether a person went past them; kept with the promotion.

    Raises
    ------
    NotFound
        If the model version does not exist.
    Refused
        If no reason is given, the model was trained for the other target, it cannot answer new
        articles, it is the champion already, or another champion has come since the gates were measured.
    """
    model = get_model(session, model_id)
    check_promotable(session, model, target, reason, answering_providers)
    former = champion_id(session, target)
    if instead_of != former:
        raise Refused(
            f"The champion for '{target}' has changed meanwhile",
            "Look at the gates against the new champion, then decide again",
        )
    entry = Promotion(
        target=target,
        action="promote",
        from_model_id=former,
        to_model_id=model_id,
        reason=reason.strip(),
        actor=actor,
        evidence=_evidence(session, model_id, target, former) | dict(gates),
        at=now,
    )
    _crown(session, target, model_id, now)
    session.add(entry)
    session.commit()
    return entry


def champion_id(session: Session, target: Target) -> int | None:
    """Return the model version that answers for a target; None where there is none."""
    champion = session.get(Champion, target)
    return champion.model_id if champion else None


def get_model(session: Session, model_id: int) -> ModelVersion:
    """Return a model version by id, or raise NotFound with a hint."""
    model = session.get(ModelVersion, model_id)
    if model is None:
        raise NotFound("model version", model_id, "List them with the command 'models'")
    return model


def check_promotable(
    session: Session, model: ModelVersion, target: Target, reason: str, answering: frozenset[str]
) -> None:
    """Raise Refused where a model cannot become the champion of a target, whatever its evidence."""
    if not reason.strip():
        raise Refused("A promotion needs a reason", "Write in a few words why this model should answer")
    if model.target is not None and model.target != target:
        raise Refused(
            f"{model.name} was trained for the target '{model.target}', not '{target}'",
            f"Promote it for '{model.target}', or train a model for '{target}'",
        )
    if model.provider not in answering:
        raise Refused(
            f"{model.name} has stored predictions only and cannot answer a new article",
            "Promote a model of a provider that can answer, such as a local one",
        )
    if champion_id(session, target) == model.id:
        raise Refused(f"{model.name} is the champion for '{target}' already", "Choose another model")


def rollback(
    session: Session,
    *,
    target: Target,
    reason: str,
    actor: str,
    leaving: int | None = None,
    now: datetime,
) -> Promotion:
    """Give a target back to the champion before the present one.

    Parameters
    ----------
    leaving : int or None
        The champion that shall go, as the person saw it; None takes whichever there is.

    Raises
    ------
    Refused
        If no reason is given, there is no earlier champion, or `leaving` is not the champion any more: two
        people who press at once must not go back two champions.
    """
    if not reason.strip():
        raise Refused("A rollback needs a reason", "Write in a few words what went wrong")
    ledger = select(Promotion).where(Promotion.target == target).order_by(col(Promotion.id))
    past = champions_so_far([(entry.action, entry.to_model_id) for entry in session.exec(ledger)])
    if len(past) < 2:
        raise Refused(
            f"There is no earlier champion for '{target}' to go back to", "Promote another model instead"
        )
    if leaving is not None and leaving != past[-1]:
        raise Refused(
            f"The champion for '{target}' has changed in the meantime", "Look at the page again, then decide"
        )
    entry = Promotion(
        target=target,
        action="rollback",
        from_model_id=past[-1],
        to_model_id=past[-2],
        reason=reason.strip(),
        actor=actor,
        evidence=_evidence(session, past[-2], target, past[-1]),
        at=now,
    )
    _crown(session, target, past[-2], now)
    session.add(entry)
    session.commit()
    return entry


def _crown(session: Session, target: Target, model_id: int, now: datetime) -> None:
    champion = session.get(Champion, target) or Champion(target=target, model_id=model_id, since=now)
    champion.model_id, champion.since = model_id, now
    session.add(champion)


def _evidence(session: Session, model_id: int, target: Target, former: int | None) -> dict[str, Any]:
    """Return the headline figures that were on the table at this moment; empty when there were none.

    Only test parts that no model was trained on are evidence, and of comparisons only those with the champion
    that goes: how it did against another, or against an earlier one, did not decide this.
    """
    evidence: dict[str, Any] = {}
    tests = session.exec(
        select(EvaluationRun)
        .where(
            EvaluationRun.model_id == model_id,
            EvaluationRun.target == target,
            EvaluationRun.split == Split.TEST,
        )
        .order_by(desc(EvaluationRun.id))
    )
    evaluation = next((run for run in tests if not run.metrics.get("contaminated")), None)
    if evaluation is not None:
        kept = ("n", "accuracy", "accuracy_interval", "macro_f1", "majority")
        evidence["evaluation"] = {"id": evaluation.id} | {key: evaluation.metrics.get(key) for key in kept}
    compared = (
        select(Comparison)
        .join(DatasetVersion, col(DatasetVersion.id) == Comparison.dataset_id)
        .where(
            Comparison.challenger_id == model_id,
            Comparison.split == Split.TEST,
            DatasetVersion.target == target,
        )
    )
    if former is not None:
        compared = compared.where(Comparison.champion_id == former)
    comparison = session.exec(compared.order_by(desc(Comparison.id)).limit(1)).first()
    if comparison is not None:
        kept = ("n", "difference", "interval", "p", "verdict")
        evidence["comparison"] = {"id": comparison.id} | {key: comparison.report.get(key) for key in kept}
    return evidence


def champion_names(session: Session) -> dict[str, str]:
    """Return the name of each target's champion; targets without one are left out."""
    query = (
        select(Champion.target, ModelVersion.name)
        .join(ModelVersion, col(ModelVersion.id) == Champion.model_id)
        .order_by(Champion.target)
    )
    return dict(session.exec(query).all())
