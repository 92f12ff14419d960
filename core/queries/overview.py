"""What the Overview shows beside the counters of `funnel`: champions, arrivals, worries, the plan's list."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, or_
from sqlmodel import Session, col, desc, select

from core.domain.policy import Policy
from core.domain.types import (
    AlertState,
    JobStatus,
    ModelKind,
    Origin,
    OutcomeState,
    Reason,
    RunStatus,
    Split,
    Target,
    VoidReason,
)
from core.models import (
    Alert,
    Article,
    Champion,
    Comparison,
    DatasetVersion,
    EvaluationRun,
    ImportRun,
    JobRun,
    MarketDay,
    ModelVersion,
    Outcome,
    Prediction,
    PredictionRun,
    TrainingJob,
)
from core.queries.costs import standing
from core.queries.models import untouched

#: Arrivals are counted over four weeks, so that a week's rhythm evens out ...
ARRIVAL_WINDOW = timedelta(days=28)
#: ... and a rate from fewer samples than this is too uncertain to promise a date.
ARRIVALS_NEEDED = 10
#: Failures older than this no longer ask for attention.
RECENT = timedelta(days=7)
#: Alerts that ask about a start whose answer was lost; such a job is named by its alert while that is open.
FATE_RULES = ("LAUNCH_UNKNOWN", "BATCH_UNKNOWN")
#: A close is normally known within a day; later than that, market data is missing.
OVERDUE = timedelta(days=1)


@dataclass(frozen=True)
class ChampionCard:
    """Who answers for a target, and its newest score on a test part it was not trained on (None: no such).

    `simulated` models say nothing of real ones: a simulation made them, or they learned demo articles.
    """

    target: str
    model_id: int
    name: str
    since: datetime
    metrics: dict[str, Any] | None
    simulated: bool = False


@dataclass(frozen=True)
class Arrivals:
    """Samples of one target published in the last four weeks.

    Parameters
    ----------
    n : int
        How many.
    per_week : float or None
        Rate; None where `n` is too small to speak of one.
    """

    n: int
    per_week: float | None

    def weeks_to(self, missing: int) -> float | None:
        """Return weeks until `missing` more samples have come at this rate; None where there is none."""
        return missing / self.per_week if self.per_week and missing > 0 else None


@dataclass(frozen=True)
class Worry:
    """Something that asks for a person: a code, how many rows are behind it, and the first one's words."""

    code: str
    n: int
    detail: str = ""


@dataclass(frozen=True)
class Step:
    """One item of the plan's check-list: its phase 1-4, a code, whether the database shows it done."""

    phase: int
    code: str
    done: bool


def has_demo(session: Session) -> bool:
    """Tell whether demo articles are stored."""
    return bool(session.scalar(select(exists().where(col(Article.origin) == Origin.DEMO))))


def is_empty(session: Session) -> bool:
    """Tell whether nothing was ever brought in: no article, no market day, no import."""
    tables = (Article.id, MarketDay.id, ImportRun.id)
    return not session.scalar(select(or_(*(exists(select(column)) for column in tables))))


def champions(session: Session) -> dict[str, ChampionCard]:
    """Return the champion of each target that has one, with its newest test evaluation."""
    query = select(Champion, ModelVersion.name, ModelVersion.simulated).join(
        ModelVersion, col(ModelVersion.id) == col(Champion.model_id)
    )
    return {
        champion.target: ChampionCard(
            champion.target,
            champion.model_id,
            name,
            champion.since,
            _newest_test(session, champion.model_id, champion.target),
            simulated,
        )
        for champion, name, simulated in session.exec(query)
    }


def _newest_test(session: Session, model_id: int, target: str) -> dict[str, Any] | None:
    query = (
        select(EvaluationRun.metrics)
        .where(
            EvaluationRun.model_id == model_id,
            EvaluationRun.target == target,
            EvaluationRun.split == Split.TEST,
            untouched(),
        )
        .order_by(desc(EvaluationRun.id))
        .limit(1)
    )
    metrics = session.exec(query).first()
    return dict(metrics) if metrics is not None else None


def arrivals(session: Session, target: str, *, now: datetime) -> Arrivals:
    """Count the samples of a target whose article appeared in the last four weeks."""
    matured = and_(col(Outcome.article_id) == Article.id, col(Outcome.state) == OutcomeState.MATURED)
    gold = exists().where(matured) if target == Target.DIRECTION else col(Article.gold_sentiment).is_not(None)
    query = select(func.count()).where(
        col(Article.effective_at) > now - ARRIVAL_WINDOW,
        col(Article.effective_at) <= now,
        col(Article.reason).is_(None),
        gold,
    )
    n = session.scalar(query.select_from(Article)) or 0
    weeks = ARRIVAL_WINDOW / timedelta(weeks=1)
    return Arrivals(n, n / weeks if n >= ARRIVALS_NEEDED else None)


def worries(session: Session, policy: Policy, *, now: datetime) -> list[Worry]:
    """Return what needs a person, most urgent first. Open alerts are told apart: see `open_alerts`."""
    found = [
        Worry("UNKNOWN_JOBS", _unknown_fates(session)),
        _budget(session, policy, now),
        _counted(session, "FAILED_JOBS", _failed_jobs(now), TrainingJob.error),
        _counted(session, "FAILED_RUNS", _failed_runs(now), JobRun.message),
        Worry("REJECTED_FILES", *_rejected_files(session)),
        _counted(session, "UNKNOWN_MARKET", _void(VoidReason.MARKET_UNKNOWN, VoidReason.MARKET_SUSPECT)),
        _counted(session, "OVERDUE_OUTCOMES", _overdue(now)),
        _counted(session, "LABEL_CONFLICTS", _of_article(col(Article.reason) == Reason.LABEL_CONFLICT)),
        _counted(session, "NOT_EVALUATED", _not_evaluated(), ModelVersion.name),
    ]
    return [worry for worry in found if worry.n]


def open_alerts(session: Session, limit: int = 20) -> list[Alert]:
    """Return the alerts that nobody has taken note of, newest first."""
    query = select(Alert).where(Alert.state == AlertState.OPEN)
    return list(session.exec(query.order_by(desc(Alert.at), desc(Alert.id)).limit(limit)))


def champion_models(session: Session) -> list[ModelVersion]:
    """Return the model versions that answer for a target now."""
    query = select(ModelVersion).join(Champion, col(Champion.model_id) == col(ModelVersion.id)).distinct()
    return list(session.exec(query))


def _unknown_fates(session: Session) -> int:
    """Count the jobs and runs that wait for a person's decision and whose alert is not open any more."""
    of_job = select(func.count()).select_from(TrainingJob).where(TrainingJob.status == JobStatus.UNKNOWN)
    of_run = select(func.count()).select_from(PredictionRun).where(PredictionRun.status == JobStatus.UNKNOWN)
    told = (
        select(func.count())
        .select_from(Alert)
        .where(Alert.state == AlertState.OPEN, col(Alert.rule).in_(FATE_RULES))
    )
    waiting, named = session.exec(of_job).one() + session.exec(of_run).one(), session.exec(told).one()
    return max(0, waiting - named)


def _budget(session: Session, policy: Policy, now: datetime) -> Worry:
    """Return whether the month's budget of real money is used up, or has reached its warning line."""
    state = standing(session, policy, simulated=False, now=now)
    committed = state.spent + state.reserved
    share = f"{100 * committed / state.cap:.0f} %" if state.cap else ""
    if state.stopped:
        return Worry("BUDGET_STOPPED", 1, share)
    return Worry("BUDGET_WARNS", int(state.warns), share)


def _counted(session: Session, code: str, query: Select[Any], detail: Any = None) -> Worry:
    shown = func.min(detail) if detail is not None else literal("")
    n, text = session.execute(query.with_only_columns(func.count(), shown)).one()
    return Worry(code, n, text or "")


def _failed_jobs(now: datetime) -> Select[Any]:
    return select(TrainingJob.id).where(
        TrainingJob.status == JobStatus.FAILED, col(TrainingJob.created_at) > now - RECENT
    )


def _failed_runs(now: datetime) -> Select[Any]:
    newest = select(func.max(JobRun.id)).group_by(col(JobRun.job))
    return select(JobRun.id).where(
        col(JobRun.id).in_(newest), JobRun.status == RunStatus.FAILED, col(JobRun.started_at) > now - RECENT
    )


def _rejected_files(session: Session) -> tuple[int, str]:
    newest = session.exec(select(ImportRun.files).order_by(desc(ImportRun.id)).limit(1)).first() or []
    rejected = [file["file"] for file in newest if file.get("status") == "rejected"]
    return len(rejected), rejected[0] if rejected else ""


def _void(*reasons: VoidReason) -> Select[Any]:
    return select(Outcome.article_id).where(
        Outcome.state == OutcomeState.VOID, col(Outcome.void_reason).in_(reasons)
    )


def _overdue(now: datetime) -> Select[Any]:
    return select(Outcome.article_id).where(
        Outcome.state == OutcomeState.PENDING, col(Outcome.closes_at) < now - OVERDUE
    )


def _of_article(condition: ColumnElement[bool]) -> Select[Any]:
    return select(Article.id).where(condition)


def _not_evaluated() -> Select[Any]:
    return select(ModelVersion.id).where(
        ModelVersion.kind == ModelKind.FINE_TUNED,
        ~exists().where(col(EvaluationRun.model_id) == ModelVersion.id),
    )


def plan_steps(session: Session, *, most_verified: int, goal: int) -> list[Step]:
    """Return the plan's phases 1-4 as far as the database can tell what is done.

    Parameters
    ----------
    most_verified : int
        Verified samples of the target that has more of them.
    goal : int
        The plan's minimum.
    """
    tuned = select(ModelVersion.id).where(ModelVersion.kind == ModelKind.FINE_TUNED)
    few_shot = select(ModelVersion.id).where(ModelVersion.kind == ModelKind.FEW_SHOT)
    conditions = {
        (1, "COLLECT"): literal(most_verified >= goal),
        (1, "QUALITY"): exists(select(Article.id)),
        (1, "DATASET"): exists(select(DatasetVersion.id)),
        (2, "TRAIN"): exists().where(col(TrainingJob.status) == JobStatus.SUCCEEDED),
        (2, "EVALUATE"): exists().where(col(EvaluationRun.model_id).in_(tuned)),
        (3, "COMPARE"): exists().where(
            or_(col(Comparison.champion_id).in_(few_shot), col(Comparison.challenger_id).in_(few_shot))
        ),
        (3, "PROMOTE"): exists(select(Champion.target)),
        (3, "SERVE"): exists().where(col(Prediction.request_id) != ""),
        (4, "RETRAIN"): _two_datasets_trained(),
    }
    row = session.execute(select(*conditions.values())).one()
    return [Step(phase, code, bool(done)) for (phase, code), done in zip(conditions, row, strict=True)]


def _two_datasets_trained() -> ColumnElement[bool]:
    trained = select(func.count(func.distinct(TrainingJob.dataset_id)))
    return trained.where(col(TrainingJob.status) == JobStatus.SUCCEEDED).scalar_subquery() >= 2
