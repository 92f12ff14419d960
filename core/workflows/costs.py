"""Money as the Costs page and the command line see it: standing, spend, prices, and what people enter."""

import csv
import json
from dataclasses import asdict
from decimal import Decimal
from io import StringIO
from typing import Any

from sqlmodel import Session

from core import ledger
from core.bootstrap import App
from core.db import reading, writing
from core.domain.budget import REFERENCE_LINES, Standing
from core.domain.pricing import MICRO
from core.domain.training_format import guard_formula
from core.domain.types import CostPurpose
from core.errors import InputRejected, Place
from core.models import CostEntry
from core.queries import costs as money
from core.queries.costs import ALL, By, LedgerFilter, Spend
from core.services import costs
from core.workflows.prices import article_costs

#: Byte order mark: without it spreadsheets read UTF-8 as something else.
BOM = "\ufeff"
LEDGER_COLUMNS = (
    "id",
    "at_utc",
    "kind",
    "purpose",
    "provider",
    "model",
    "usd",
    "simulated",
    "reference",
    "actor",
    "detail",
)


def budget_report(app: App) -> dict[str, Any]:
    """Return the month's budget for real and for play money, with its forecast and history."""
    with reading(app.engine) as session:
        history = [
            {
                "cap_usd": _usd(row.monthly_micro_usd),
                "warn_share": row.warn_share,
                "actor": row.actor,
                "at": row.at.isoformat(),
            }
            for row in money.budget_history(session)
        ]
        return _month(app, session) | {"history": history}


def costs_report(app: App) -> dict[str, Any]:
    """Return this month's standing and spend, what an article costs, and the plan's own figures."""
    with reading(app.engine) as session:
        spent = {
            name: {
                str(by): _sums(money.spend_this_month(session, [by], simulated=simulated, now=app.now()))
                for by in (By.PROVIDER, By.MODEL, By.PURPOSE, By.DAY)
            }
            | {str(By.MONTH): _sums(money.spend(session, [By.MONTH], simulated=simulated))}
            for name, simulated in (("real", False), ("simulated", True))
        }
        report = _month(app, session) | {"spend_usd": spent}
    return report | {
        "article_cost": [
            {
                "model_id": each.use.model.id,
                "name": each.use.model.name,
                "provider": each.use.model.provider,
                "simulated": each.use.model.simulated,
                "n": each.use.n,
                "usd_per_1000": None if each.micro_usd is None else round(each.micro_usd / 1_000, 6),
            }
            for each in article_costs(app)
        ],
        "plan": [asdict(line) for line in REFERENCE_LINES],
    }


def _month(app: App, session: Session) -> dict[str, Any]:
    now = app.now()
    report: dict[str, Any] = {"month": f"{now.astimezone(ledger.SEOUL):%Y-%m}"}
    for name, simulated in (("real", False), ("simulated", True)):
        state = money.standing(session, app.policy, simulated=simulated, now=now)
        ahead = money.month_forecast(session, app.policy, simulated=simulated, now=now)
        report[name] = _standing(state) | {
            "forecast": ahead
            and {
                "low_usd": _usd(ahead.low),
                "likely_usd": _usd(ahead.likely),
                "high_usd": _usd(ahead.high),
                "days_seen": ahead.days_seen,
                "days_left": round(ahead.days_left, 2),
            }
        }
    return report


def _standing(state: Standing) -> dict[str, Any]:
    return {
        "cap_usd": _usd(state.cap),
        "spent_usd": _usd(state.spent),
        "reserved_usd": _usd(state.reserved),
        "left_usd": _usd(state.left),
        "warn_share": state.warn_share,
        "warns": state.warns,
        "stopped": state.stopped,
        "nobody_set_it": state.is_default,
    }


def _sums(spent: list[Spend]) -> dict[str, float]:
    return {each.key[0]: _usd(each.micro_usd) for each in spent}


def set_budget(
    app: App, usd: Decimal | float | str, warn_share: float | None = None, actor: str | None = None
) -> None:
    """Set what a month may cost, in US dollars; without a warning share the present one stays."""
    amount = Decimal(str(usd))
    if not amount.is_finite():
        raise InputRejected(
            Place("budget", column="usd"), f"{usd} is no amount", "Give US dollars, such as 50"
        )
    with writing(app.engine, durable=True) as session:
        if warn_share is None:
            now = app.now()
            warn_share = ledger.standing(session, app.policy, simulated=False, now=now).warn_share
        costs.set_budget(
            session,
            micro_usd=round(amount * MICRO),
            warn_share=warn_share,
            actor=actor or app.settings.actor,
            now=app.now(),
        )


def record_hours(
    app: App,
    *,
    purpose: CostPurpose,
    provider: str,
    model: str,
    hours: str,
    usd_per_hour: str,
    actor: str | None = None,
) -> int:
    """Write hours of hosting or of a GPU into the ledger; return what they cost in micro-dollars."""
    with writing(app.engine, durable=True) as session:
        row = costs.record_hours(
            session,
            purpose=purpose,
            provider=provider,
            model=model,
            hours=hours,
            usd_per_hour=usd_per_hour,
            actor=actor or app.settings.actor,
            now=app.now(),
        )
        return row.micro_usd


def export_ledger(app: App, wanted: LedgerFilter = ALL) -> bytes:
    """Return the ledger as CSV for a spreadsheet: UTF-8 with a byte order mark, no live formulas."""
    with reading(app.engine) as session:
        rows = [_exported(row) for row in money.ledger_rows(session, wanted)]
    table = StringIO()
    writer = csv.writer(table, lineterminator="\r\n")
    writer.writerow(LEDGER_COLUMNS)
    writer.writerows([guard_formula(cell) for cell in row] for row in rows)
    return (BOM + table.getvalue()).encode("utf-8")


def _exported(row: CostEntry) -> list[str]:
    return [
        str(row.id),
        row.at.isoformat(),
        row.kind,
        row.purpose,
        row.provider,
        row.model,
        f"{Decimal(row.micro_usd) / MICRO:f}",
        "SIMULATED" if row.simulated else "",
        row.reference,
        row.actor,
        json.dumps(row.detail, ensure_ascii=False),
    ]


def _usd(micro_usd: int) -> float:
    return micro_usd / MICRO
