"""More than two models: each with each on the articles that all of them answered, corrected for that."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from sqlmodel import Session

from core.db import let_go
from core.domain.metrics import Answers, accuracy_interval, macro_f1, macro_f1_interval, majority
from core.domain.paired import holm
from core.domain.policy import Policy
from core.domain.types import Split, Target
from core.domain.verdicts import correct_for_many
from core.errors import Refused
from core.models import DatasetVersion
from core.services.evaluation.reports import SEED, report_of, require_common
from core.services.evaluation.rows import Scored, market_days, pair, scored

#: 28 pairs. With more, the correction leaves little that could be decided.
MOST_MODELS = 8


def compare_many(
    session: Session,
    policy: Policy,
    *,
    model_ids: Sequence[int],
    dataset_id: int,
    split: Split,
    costs: Mapping[int, int | None],
) -> dict[str, Any]:
    """Compare every two of several models on the items of a split that all of them answered; store nothing.

    Parameters
    ----------
    model_ids : sequence of int
        Two to eight different models. The earlier one of a pair is its champion.
    costs : mapping of int to int or None
        As of `compare_models`.

    Returns
    -------
    dict
        ``n``; ``models``: what each did on these items; ``pairs``: comparison reports with
        ``champion_id``, ``challenger_id`` and ``holm_p`` over all pairs. On direction it corrects the
        permutation of market days, else McNemar's mid-p; a pair whose ``holm_p`` is not below .05 is
        neither better nor worse.

    Raises
    ------
    NotFound
        If a model or the dataset version does not exist.
    Refused
        If there are fewer than two models or more than eight, one stands there twice, a target differs, or
        no item was answered by all.
    """
    check_many(model_ids)
    found = [pair(session, model_id, dataset_id) for model_id in model_ids]
    dataset = found[0][1]
    sides = [scored(session, model, dataset_id, split) for model, _ in found]
    let_go(session)
    require_common(sides, split)
    shared = _answered_by_all(sides)
    reports = [
        report_of(first, second, dataset, policy, costs)
        | {"champion_id": int(first.model.id or 0), "challenger_id": int(second.model.id or 0)}
        for first, second in combinations(shared, 2)
    ]
    return {
        "n": len(shared[0].rows),
        "models": [_alone(side, dataset, costs) for side in shared],
        "pairs": _corrected(reports),
    }


def check_many(model_ids: Sequence[int]) -> None:
    """Raise Refused unless these are two to eight different models."""
    if len(set(model_ids)) < len(model_ids):
        raise Refused("A model cannot be compared with itself", "Name each model once")
    if not 2 <= len(model_ids) <= MOST_MODELS:
        raise Refused(
            f"{len(model_ids)} models cannot be compared at once", f"Choose 2 to {MOST_MODELS} models"
        )


def _answered_by_all(sides: Sequence[Scored]) -> list[Scored]:
    known = sides[0].rows["sentiment"].notna()
    for side in sides[1:]:
        known &= side.rows["sentiment"].notna()
    return [replace(side, rows=side.rows[known]) for side in sides]


def _corrected(reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the reports with Holm's p. A pair without a p counts as one that shows nothing."""
    ps = [report["p_by_day"] if report["p_descriptive"] else report["p"] for report in reports]
    adjusted = holm([1.0 if p is None else p for p in ps])
    return [
        correct_for_many(report, None if p is None else corrected, len(reports))
        for report, p, corrected in zip(reports, ps, adjusted, strict=True)
    ]


def _alone(side: Scored, dataset: DatasetVersion, costs: Mapping[int, int | None]) -> dict[str, Any]:
    """Return what one model did on the shared items."""
    labels = side.rows["label"].tolist()
    said = [str(answer) for answer in side.answers]
    answers = Answers(labels, said, market_days(side.rows, dataset), Target(dataset.target))
    interval, f1_interval = accuracy_interval(answers, SEED)[0], macro_f1_interval(answers, SEED)
    return {
        "model_id": int(side.model.id or 0),
        "name": side.model.name,
        "simulated": side.model.simulated,
        "n": len(labels),
        "accuracy": float(answers.right.mean()),
        "accuracy_interval": None if interval is None else list(interval),
        "macro_f1": float(macro_f1(answers.confusion())),
        "macro_f1_interval": None if f1_interval is None else list(f1_interval),
        "majority": majority(labels)[0],
        "contaminated": side.contaminated,
        "selected_on": side.selected_on,
        "cost_per_1000_micro_usd": costs.get(int(side.model.id or 0)),
    }
