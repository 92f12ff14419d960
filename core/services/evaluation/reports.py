"""One model scored, two compared: the report is made and kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from core.db import let_go
from core.domain.compare import compare, withhold_leaked
from core.domain.metrics import evaluate
from core.domain.policy import Policy
from core.domain.types import Split, Target
from core.errors import Refused
from core.models import Comparison, DatasetVersion, EvaluationRun, ModelVersion
from core.services.evaluation.rows import Scored, market_days, numbers, pair, scored

#: Seed of the bootstraps: the same rows give the same intervals.
SEED = 20251102


def evaluate_model(
    session: Session, policy: Policy, *, model_id: int, dataset_id: int, split: Split, now: datetime
) -> EvaluationRun:
    """Score a model's stored answers on one split and keep the report.

    Raises
    ------
    NotFound
        If the model or the dataset version does not exist.
    Refused
        If their targets differ, the split is empty, or the model has no answer on any of its items.
    """
    model, dataset = pair(session, model_id, dataset_id)
    found = scored(session, model, dataset_id, split)
    let_go(session)
    known = found.rows[found.rows["sentiment"].notna()]
    report = evaluate(
        known["label"].tolist(),
        known["sentiment"].tolist(),
        target=Target(dataset.target),
        confidence=numbers(known["confidence"]),
        market_days=market_days(known, dataset),
        intraday=known["intraday"].tolist() if dataset.target == Target.DIRECTION else None,
        latency_ms=numbers(known["latency_ms"]),
        asked=len(found.rows),
        policy=policy,
        seed=SEED,
    )
    run = EvaluationRun(
        model_id=model_id,
        dataset_id=dataset_id,
        split=split,
        target=dataset.target,
        n=len(known),
        metrics=report | {"contaminated": found.contaminated, "selected_on": found.selected_on},
        created_at=now,
    )
    session.add(run)
    session.commit()
    return run


def compare_models(
    session: Session,
    policy: Policy,
    *,
    champion_id: int,
    challenger_id: int,
    dataset_id: int,
    split: Split,
    costs: Mapping[int, int | None],
    now: datetime,
) -> Comparison:
    """Compare two models' stored answers on the same items of one split and keep the report.

    Parameters
    ----------
    costs : mapping of int to int or None
        By model id what a thousand answers cost in micro-dollars; None where it is not known.

    Raises
    ------
    NotFound
        If a model or the dataset version does not exist.
    Refused
        If the models are one and the same, their targets differ from the dataset's, or no item was
        answered by both.
    """
    if champion_id == challenger_id:
        raise Refused("A model cannot be compared with itself", "Choose two different models")
    champion, dataset = pair(session, champion_id, dataset_id)
    challenger, _ = pair(session, challenger_id, dataset_id)
    first = scored(session, champion, dataset_id, split)
    second = scored(session, challenger, dataset_id, split)
    let_go(session)
    require_common([first, second], split)
    report = report_of(first, second, dataset, policy, costs)
    comparison = Comparison(
        champion_id=champion_id,
        challenger_id=challenger_id,
        dataset_id=dataset_id,
        split=split,
        report=report,
        created_at=now,
    )
    session.add(comparison)
    session.commit()
    return comparison


def require_common(sides: list[Scored], split: Split) -> None:
    """Raise Refused unless there is an item of the split that every one of the models answered."""
    answered = [side.rows["sentiment"].notna().to_numpy() for side in sides]
    if not any(map(all, zip(*answered, strict=True))):
        names = " and ".join(side.model.name for side in sides)
        raise Refused(
            f"{names} have no answered article in common on this {split} part",
            "Choose a dataset version whose articles all of the models know",
        )


def report_of(
    first: Scored, second: Scored, dataset: DatasetVersion, policy: Policy, costs: Mapping[int, int | None]
) -> dict[str, Any]:
    """Return the comparison report of two models on the items that both answered."""
    report = compare(
        first.rows["label"].tolist(),
        first.answers,
        second.answers,
        target=Target(dataset.target),
        market_days=market_days(first.rows, dataset),
        champion_facts=first.facts(costs.get(int(first.model.id or 0))),
        challenger_facts=second.facts(costs.get(int(second.model.id or 0))),
        policy=policy,
        seed=SEED,
    )
    both = first.rows["sentiment"].notna() & second.rows["sentiment"].notna()
    leaked = {"champion": first.seen_among(both), "challenger": second.seen_among(both)}
    chosen_on = {"champion": first.selected_on, "challenger": second.selected_on}
    return withhold_leaked(report, leaked) | {"selected_on": chosen_on}


def scorable_model(session: Session, *, model_id: int, dataset_id: int) -> ModelVersion:
    """Return a model that may be scored on a dataset version, or raise what `evaluate_model` would."""
    model, _ = pair(session, model_id, dataset_id)
    let_go(session)
    return model
