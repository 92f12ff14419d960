"""Money as the Costs page and the command line see it: standing, spend, prices, and what people enter."""

import csv
import json
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

from sqlmodel import Session

from core import ledger
from core.bootstrap import App
from core.db import reading, writing
from core.domain.budget import REFERENCE_LINES, Standing
from core.domain.pricing import MICRO, Price, PriceBook
from core.domain.training_format import guard_formula
from core.domain.types import CostPurpose, PriceKind
from core.errors import InputRejected, Place
from core.models import CostEntry
from core.queries import costs as money
from core.queries.costs import ALL, By, LedgerFilter, ModelUse
from core.services import costs
from core.sources.prices import cross_check

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


@dataclass(frozen=True)
class PriceRow:
    """A price of the table.

    Parameters
    ----------
    price : Price
        The price itself.
    counts : bool
        Whether it is the one used today: neither over, nor to come, nor corrected by a person.
    theirs : Decimal or None
        The same price in the library genai-prices; None where the library does not know it.
    """

    price: Price
    counts: bool
    theirs: Decimal | None

    @property
    def differs(self) -> bool:
        """Whether the library says another amount."""
        return self.theirs is not None and self.theirs != self.price.usd


@dataclass(frozen=True)
class ArticleCost:
    """What an article costs with a model version at today's prices.

    Parameters
    ----------
    use : ModelUse
        The version, and the tokens of a mean answer.
    micro_usd : float or None
        Micro-dollars an article, fractions included; None where a price is missing.
    """

    use: ModelUse
    micro_usd: float | None


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
        since = ledger.month_start(app.now())
        spent = {
            name: {
                str(by): _sums(session, by, simulated=simulated, since=since)
                for by in (By.PROVIDER, By.MODEL, By.PURPOSE, By.DAY)
            }
            | {str(By.MONTH): _sums(session, By.MONTH, simulated=simulated, since=None)}
            for name, simulated in (("real", False), ("simulated", True))
        }
        report = _month(app, session) | {"spend_usd": spent}
        per_article = _article_costs(session, _book(app, session), _today(app))
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
            for each in per_article
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


def _sums(session: Session, by: By, *, simulated: bool, since: datetime | None) -> dict[str, float]:
    return {
        each.key[0]: _usd(each.micro_usd)
        for each in money.spend(session, [by], simulated=simulated, since=since)
    }


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


def edit_price(
    app: App,
    *,
    provider: str,
    model: str,
    kind: str,
    usd: str,
    source: str,
    valid_until: date | None = None,
    actor: str | None = None,
) -> None:
    """Enter a price, which counts before the shipped one from now on."""
    with writing(app.engine) as session:
        costs.edit_price(
            session,
            provider=provider,
            model=model,
            kind=kind,
            usd=usd,
            valid_until=valid_until,
            source=source,
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


def hourly_price(app: App, purpose: CostPurpose, provider: str, model: str) -> Price | None:
    """Return what an hour costs today by the price table, for a form to begin with."""
    with reading(app.engine) as session:
        book = _book(app, session)
    return book.find(provider, model, costs.HOURLY[purpose], _today(app))


def price_table(app: App) -> list[PriceRow]:
    """Return every known price, entered ones first, each beside the library's."""
    with reading(app.engine) as session:
        book = _book(app, session)
    today = _today(app)
    theirs = {check.price: check.theirs for check in cross_check(book, today)}
    return [
        PriceRow(price, book.find(price.provider, price.model, price.kind, today) is price, theirs.get(price))
        for price in book
    ]


def article_costs(app: App) -> list[ArticleCost]:
    """Return what an article costs with each model version whose vendor counted tokens."""
    with reading(app.engine) as session:
        return _article_costs(session, _book(app, session), _today(app))


def _article_costs(session: Session, book: PriceBook, today: date) -> list[ArticleCost]:
    return [ArticleCost(use, _per_article(use, book, today)) for use in money.model_use(session)]


def _per_article(use: ModelUse, book: PriceBook, on: date) -> float | None:
    into, out = (
        book.find(use.model.provider, use.priced_as, kind, on) for kind in (PriceKind.INPUT, PriceKind.OUTPUT)
    )
    if into is None or out is None:
        return None
    return use.prompt_tokens * float(into.usd) + use.completion_tokens * float(out.usd)


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


def _book(app: App, session: Session) -> PriceBook:
    return costs.price_book(session, app.prices)


def _today(app: App) -> date:
    return app.now().astimezone(ledger.SEOUL).date()


def _usd(micro_usd: int) -> float:
    return micro_usd / MICRO
