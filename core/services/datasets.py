"""Build dataset versions: read the verified samples, let the domain decide, store the plan."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, desc, select

from core.db import insert_new
from core.domain.dataset import DatasetPlan, Recipe, plan_dataset
from core.domain.policy import Policy
from core.domain.splits import Candidate
from core.domain.types import (
    Balance,
    ModelKind,
    OutcomeState,
    Sentiment,
    SplitMethod,
    Strategy,
    Target,
)
from core.errors import Refused
from core.models import (
    Article,
    DatasetItem,
    DatasetVersion,
    DayScore,
    ModelVersion,
    Outcome,
    Prediction,
)


def build_dataset(
    session: Session,
    policy: Policy,
    *,
    target: Target | None = None,
    strategy: Strategy = Strategy.ALL_VERIFIED,
    balance: Balance = Balance.NONE,
    split_method: SplitMethod = SplitMethod.CHRONOLOGICAL,
    test_share: float | None = None,
    now: datetime,
) -> DatasetVersion:
    """Store a dataset version and return it; the same samples and recipe return the version there is.

    Parameters
    ----------
    session : Session
        A writing session; committed here. Its lock makes two builders of one version meet.
    target : Target or None
        None takes the target with more samples, sentiment when equal.
    test_share : float or None
        Share of the samples to test on, 0.1 to 0.5, taken from the training part; None: the policy's. A
        share that deals the samples as another did gives the same version.
    now : datetime
        Aware UTC, stored as the time of the build.

    Raises
    ------
    Refused
        If there is no sample, a needed part would be empty, or a rule forbids the recipe.
    """
    plan = preview_dataset(
        session,
        policy,
        target=target,
        strategy=strategy,
        balance=balance,
        split_method=split_method,
        test_share=test_share,
    )
    known = session.exec(select(DatasetVersion).where(DatasetVersion.sha256 == plan.sha256)).first()
    if known is not None:
        session.commit()  # nothing to store; gives the lock back
        return known
    version = DatasetVersion(
        target=plan.recipe.target,
        strategy=plan.recipe.strategy,
        balance=plan.recipe.balance,
        split_method=plan.recipe.split_method,
        sha256=plan.sha256,
        counts=plan.counts,
        config=_config(plan, policy),
        created_at=now,
    )
    session.add(version)
    session.flush()
    insert_new(session, DatasetItem, _item_rows(plan, version.id))
    session.commit()
    return version


def preview_dataset(
    session: Session,
    policy: Policy,
    *,
    target: Target | None = None,
    strategy: Strategy = Strategy.ALL_VERIFIED,
    balance: Balance = Balance.NONE,
    split_method: SplitMethod = SplitMethod.CHRONOLOGICAL,
    test_share: float | None = None,
) -> DatasetPlan:
    """Return what `build_dataset` would store, storing nothing. Refuses what it would refuse."""
    by_target = {each: load_candidates(session, policy, each) for each in Target if target in (None, each)}
    chosen = max(by_target, key=lambda each: len(by_target[each]))
    if not by_target[chosen]:
        raise Refused(
            f"There is no verified sample{f' for the target {target}' if target else ' yet'}",
            "Import a table with labels (for sentiment), or back-fill market closes (for direction)",
        )
    recipe = Recipe(chosen, strategy, balance, split_method, test_share)
    return plan_dataset(by_target[chosen], recipe, policy)


def load_candidates(session: Session, policy: Policy, target: Target) -> list[Candidate]:
    """Return the verified samples of one target: eligible articles with its gold label.

    Gold is the human label on which all reviewers agree (sentiment), or the direction of the matured
    outcome (direction). `success` and `plan_strict` look at the prediction that the article came with
    and at the recomputed accuracy of its file date.
    """
    said = _own_predictions(session)
    gated = _days_over_gate(session, policy)
    rows = _sentiment_rows(session) if target == Target.SENTIMENT else _direction_rows(session)
    candidates = []
    for article_id, key, label, at, group, family, file_date, session_date, opens, closes in rows:
        success = said[article_id] == label if article_id in said else None
        candidates.append(
            Candidate(
                article_id,
                key,
                Sentiment(label),
                at,
                f"{family}|{session_date}" if session_date else None,
                opens,
                closes,
                group,
                success,
                success is True and (file_date, family) in gated,
            )
        )
    return candidates


_ARTICLE = (
    col(Article.effective_at),
    col(Article.near_duplicate_group),
    col(Article.family),
    col(Article.file_date),
)


def _sentiment_rows(session: Session) -> Iterable[Any]:
    statement = select(  # type: ignore[call-overload]
        col(Article.id), col(Article.key), col(Article.gold_sentiment), *_ARTICLE
    ).where(col(Article.reason).is_(None), col(Article.gold_sentiment).is_not(None))
    return ((*row, None, None, None) for row in session.exec(statement))


def _direction_rows(session: Session) -> Iterable[Any]:
    return session.exec(
        select(  # type: ignore[call-overload]
            col(Article.id),
            col(Article.key),
            col(Outcome.direction),
            *_ARTICLE,
            col(Outcome.session),
            col(Outcome.opens_after),
            col(Outcome.closes_at),
        )
        .join(Outcome, col(Outcome.article_id) == col(Article.id))
        .where(
            col(Article.reason).is_(None),
            col(Outcome.state) == OutcomeState.MATURED,
            col(Outcome.session).is_not(None),
        )
    )


def _own_predictions(session: Session) -> dict[int, str]:
    """Return the sentiment that each article came with: its first few-shot prediction."""
    rows = session.exec(
        select(col(Prediction.article_id), col(Prediction.sentiment))
        .join(ModelVersion, col(ModelVersion.id) == col(Prediction.model_id))
        .where(col(ModelVersion.kind) == ModelKind.FEW_SHOT, col(Prediction.request_id) == "")
        .order_by(desc(Prediction.id))  # the first comes last and stays
    )
    return dict(rows.all())


def _days_over_gate(session: Session, policy: Policy) -> set[Any]:
    reached = col(DayScore.accuracy) >= policy.day_accuracy_gate
    return set(session.exec(select(col(DayScore.file_date), col(DayScore.family)).where(reached)).all())


def _item_rows(plan: DatasetPlan, dataset_id: int | None) -> list[dict[str, Any]]:
    return [
        {
            "dataset_id": dataset_id,
            "article_id": item.article_id,
            "split": item.split.value,
            "position": item.position,
            "label": item.label.value,
            "weight": item.weight,
            "market_day": item.market_day,
        }
        for item in plan.items
    ]


def _config(plan: DatasetPlan, policy: Policy) -> dict[str, Any]:
    shares = plan.recipe.shares(policy)
    return {
        "warnings": list(plan.warnings),
        **shares,
        "test_share": round(1 - sum(shares.values()), 9),
        "split_seed": policy.split_seed,
        "day_accuracy_gate": policy.day_accuracy_gate,
        "direction_threshold_general_pct": policy.direction_threshold_general_pct,
        "direction_threshold_crypto_pct": policy.direction_threshold_crypto_pct,
    }
