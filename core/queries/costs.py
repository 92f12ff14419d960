"""Where the money went: sums of the ledger by the Seoul calendar, its rows, and what an article costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import SQLColumnExpression, case, func
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, desc, select

from core import ledger
from core.db import korean_day
from core.domain.budget import MonthForecast, Standing, forecast
from core.domain.policy import Policy
from core.domain.types import CostKind, CostPurpose
from core.models import Budget, CostEntry, ModelVersion, Prediction, TrainingJob

#: Full days that a forecast looks back.
RECENT_DAYS = 14
#: What goes on by itself from day to day; a training is decided each time.
RECURRING = tuple(purpose for purpose in CostPurpose if purpose != CostPurpose.TRAINING)


class By(StrEnum):
    """What spend can be summed by; days and months are Seoul's, as YYYY-MM-DD and YYYY-MM."""

    PROVIDER = "provider"
    MODEL = "model"
    PURPOSE = "purpose"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True)
class LedgerFilter:
    """Which rows of the ledger to list; None means all.

    Parameters
    ----------
    simulated : bool or None
        Play money only, or real money only.
    provider, purpose, kind : str or None
        As in the rows.
    month : str or None
        Seoul month, YYYY-MM.
    """

    simulated: bool | None = None
    provider: str | None = None
    purpose: str | None = None
    kind: str | None = None
    month: str | None = None


ALL = LedgerFilter()


@dataclass(frozen=True)
class Spend:
    """A sum of what was billed.

    Parameters
    ----------
    key : tuple of str
        One value for each thing summed by, in the order asked.
    micro_usd : int
        Micro-dollars.
    """

    key: tuple[str, ...]
    micro_usd: int


@dataclass(frozen=True)
class Purchase:
    """What the ledger says of one thing bought of one model, in micro-dollars.

    `estimated`, `reserved`, `billed` and `released` are the sums of its rows of each kind.
    """

    provider: str
    model: str
    purpose: str
    simulated: bool
    estimated: int
    reserved: int
    billed: int
    released: int


@dataclass(frozen=True)
class ModelUse:
    """What a model version's answers took, as the vendor counted.

    Parameters
    ----------
    model : ModelVersion
        The version.
    priced_as : str
        Name under which the vendor bills it.
    n : int
        Answers with counted tokens.
    prompt_tokens, completion_tokens : float
        Mean of an answer.
    training_micro_usd : int or None
        What its training cost; None where it was not trained for money.
    """

    model: ModelVersion
    priced_as: str
    n: int
    prompt_tokens: float
    completion_tokens: float
    training_micro_usd: int | None


def standing(session: Session, policy: Policy, *, simulated: bool, now: datetime) -> Standing:
    """Return this month's budget as it stands, for real money or for play money (which has the same cap)."""
    return ledger.standing(session, policy, simulated=simulated, now=now)


def month_forecast(
    session: Session, policy: Policy, *, simulated: bool, now: datetime
) -> MonthForecast | None:
    """Return what this month will probably cost; None while too few days were seen."""
    ends = ledger.month_start(ledger.month_start(now) + timedelta(days=32))
    return forecast(
        standing(session, policy, simulated=simulated, now=now),
        daily_recurring(session, simulated=simulated, now=now),
        (ends - now) / timedelta(days=1),
    )


def daily_recurring(session: Session, *, simulated: bool, now: datetime) -> list[int]:
    """Return the micro-dollars of what recurs for each of the last full days, oldest first, at most 14.

    Days count from the first one with such spend; today is not over and does not count.
    """
    mine = (
        col(CostEntry.simulated) == simulated,
        col(CostEntry.kind) == CostKind.ACTUAL,
        col(CostEntry.purpose).in_(RECURRING),
    )
    first = session.exec(select(func.min(CostEntry.at)).where(*mine)).one()
    if first is None:
        return []
    today = now.astimezone(ledger.SEOUL).date()
    begun = (today - first.astimezone(ledger.SEOUL).date()).days
    days = [str(today - timedelta(days=back)) for back in range(min(begun, RECENT_DAYS), 0, -1)]
    on = korean_day(col(CostEntry.at))
    query = select_columns(on, func.sum(col(CostEntry.micro_usd))).where(*mine, on.in_(days)).group_by(on)
    spent = {day: int(micro_usd) for day, micro_usd in session.execute(query)}
    return [spent.get(day, 0) for day in days]


def days_of_month(now: datetime) -> list[date]:
    """Return the days of this month in Seoul, up to today."""
    today = now.astimezone(ledger.SEOUL).date()
    return [today.replace(day=day) for day in range(1, today.day + 1)]


def spend_this_month(session: Session, by: Sequence[By], *, simulated: bool, now: datetime) -> list[Spend]:
    """Return what was billed this month in Seoul, summed by one or more things and ordered by them."""
    return spend(session, by, simulated=simulated, since=ledger.month_start(now))


def spend(
    session: Session, by: Sequence[By], *, simulated: bool, since: datetime | None = None
) -> list[Spend]:
    """Return what was billed, summed by one or more things and ordered by them."""
    columns = [_dimension(each) for each in by]
    query = (
        select_columns(*columns, func.sum(col(CostEntry.micro_usd)))
        .where(col(CostEntry.kind) == CostKind.ACTUAL, col(CostEntry.simulated) == simulated)
        .group_by(*columns)
        .order_by(*columns)
    )
    if since is not None:
        query = query.where(col(CostEntry.at) >= since)
    return [Spend(tuple(row[:-1]), int(row[-1])) for row in session.execute(query)]


def _dimension(by: By) -> SQLColumnExpression[Any]:
    day = korean_day(col(CostEntry.at))
    if by == By.DAY:
        return day
    return func.substr(day, 1, 7) if by == By.MONTH else col(getattr(CostEntry, by))


def purchases(session: Session, wanted: LedgerFilter) -> list[Purchase]:
    """Return the way from estimate to bill by provider, model and purpose, the dearest bill first."""
    names = [col(getattr(CostEntry, name)) for name in ("provider", "model", "purpose", "simulated")]
    kinds = (CostKind.ESTIMATE, CostKind.RESERVATION, CostKind.ACTUAL, CostKind.RELEASE)
    sums = [func.sum(case((col(CostEntry.kind) == kind, CostEntry.micro_usd), else_=0)) for kind in kinds]
    query = _filtered(select_columns(*names, *sums), wanted).group_by(*names)
    return [Purchase(*row) for row in session.execute(query.order_by(desc(sums[2]), *names))]


def ledger_page(session: Session, wanted: LedgerFilter, *, page: int, size: int) -> list[CostEntry]:
    """Return one page of the ledger, newest first; the first page is 1."""
    query = _filtered(select(CostEntry), wanted).order_by(desc(CostEntry.id))
    return list(session.exec(query.limit(size).offset((page - 1) * size)))


def ledger_rows(session: Session, wanted: LedgerFilter) -> list[CostEntry]:
    """Return all rows that pass a filter, oldest first."""
    return list(session.exec(_filtered(select(CostEntry), wanted).order_by(col(CostEntry.id))))


def count_ledger(session: Session, wanted: LedgerFilter) -> int:
    """Return how many rows pass a filter."""
    return session.scalar(_filtered(select_columns(func.count(col(CostEntry.id))), wanted)) or 0


def _filtered(query: Any, wanted: LedgerFilter) -> Any:
    for name in ("simulated", "provider", "purpose", "kind"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(col(getattr(CostEntry, name)) == value)
    if wanted.month is not None:
        query = query.where(_dimension(By.MONTH) == wanted.month)
    return query


def ledger_values(session: Session, by: By) -> list[str]:
    """Return the values of a column that the ledger holds, for a filter's choices."""
    column = _dimension(by)
    return list(session.scalars(select_columns(column).distinct().order_by(column)))


def budget_history(session: Session, limit: int = 20) -> list[Budget]:
    """Return the budgets that people set, newest first."""
    return list(session.exec(select(Budget).order_by(desc(Budget.id)).limit(limit)))


def model_use(session: Session) -> list[ModelUse]:
    """Return what an answer of each model version took, for those whose vendor counts tokens."""
    counted = (
        select_columns(
            col(Prediction.model_id),
            func.count(),
            func.avg(Prediction.prompt_tokens),
            func.avg(Prediction.completion_tokens),
        )
        .where(col(Prediction.prompt_tokens).is_not(None), col(Prediction.completion_tokens).is_not(None))
        .group_by(col(Prediction.model_id))
    )
    use = {row[0]: row[1:] for row in session.execute(counted)}
    models = session.exec(select(ModelVersion).where(col(ModelVersion.id).in_(use)))
    trained = _training_spend(session)
    return [
        ModelUse(
            model,
            str(model.params.get("remote_model") or model.base_model),
            int(use[model.id][0]),
            float(use[model.id][1]),
            float(use[model.id][2]),
            trained.get(model.job_id),
        )
        for model in models
    ]


def _training_spend(session: Session) -> dict[int | None, int]:
    query = (
        select_columns(col(TrainingJob.id), func.sum(col(CostEntry.micro_usd)))
        .join(CostEntry, col(CostEntry.reference) == col(TrainingJob.key))
        .where(col(CostEntry.kind) == CostKind.ACTUAL)
        .group_by(col(TrainingJob.id))
    )
    return {job_id: int(micro_usd) for job_id, micro_usd in session.execute(query)}


def mean_training(session: Session, *, simulated: bool) -> int | None:
    """Return what a training cost on average, in micro-dollars; None where none was billed."""
    total, n = session.execute(
        select_columns(
            func.sum(col(CostEntry.micro_usd)), func.count(func.distinct(col(CostEntry.reference)))
        ).where(
            col(CostEntry.kind) == CostKind.ACTUAL,
            col(CostEntry.purpose) == CostPurpose.TRAINING,
            col(CostEntry.simulated) == simulated,
        )
    ).one()
    return round(total / n) if n else None
