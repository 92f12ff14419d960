"""What people enter about money: the budget, corrected prices, hours of hosting and of GPUs. All append-only."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from unicodedata import category
from uuid import uuid4

from sqlmodel import Session, col, func, select

from core import ledger
from core.domain.pricing import MICRO, Price, PriceBook, hours_cost, parse_usd, unit
from core.domain.types import CostKind, CostPurpose, PriceKind
from core.errors import InputRejected, Place
from core.models import Budget, CostEntry, PriceEdit

MAX_NAME, MAX_SOURCE = 200, 500
#: A month may not be given more than this: a larger number is a slip of the hand.
MAX_BUDGET = 1_000_000 * MICRO
#: Hours of two full years: more than one row should say.
MAX_HOURS = Decimal(17_520)
HOURLY = {CostPurpose.HOSTING: PriceKind.HOSTING_HOUR, CostPurpose.GPU: PriceKind.GPU_HOUR}


def price_book(session: Session, shipped: Iterable[Price], *, until: datetime | None = None) -> PriceBook:
    """Return all prices: the newest that a person entered for each thing (`until` a moment), then the shipped."""
    newest = select(func.max(PriceEdit.id)).group_by(PriceEdit.provider, PriceEdit.model, PriceEdit.kind)
    if until is not None:
        newest = newest.where(PriceEdit.at <= until)
    edits = session.exec(select(PriceEdit).where(col(PriceEdit.id).in_(newest)).order_by(col(PriceEdit.id)))
    return PriceBook([*(_entered(edit) for edit in edits), *shipped])


def _entered(edit: PriceEdit) -> Price:
    return Price(
        provider=edit.provider,
        model=edit.model,
        kind=PriceKind(edit.kind),
        usd=Decimal(edit.usd),
        as_of=edit.at.astimezone(ledger.SEOUL).date(),
        source=edit.source,
        valid_until=edit.valid_until,
        edited=True,
    )


def set_budget(session: Session, *, micro_usd: int, warn_share: float, actor: str, now: datetime) -> Budget:
    """Set what a month may cost from now on, this month included, and commit; 0 stops all spending.

    Raises
    ------
    InputRejected
        If the amount lies outside 0 to 1,000,000 dollars, or the share outside (0, 1].
    """
    if not 0 <= micro_usd <= MAX_BUDGET:
        problem = f"{ledger.dollars(micro_usd)} is no monthly budget"
        raise InputRejected(Place("budget", column="usd"), problem, "Give 0 to 1,000,000 US dollars")
    if not isfinite(warn_share) or not 0 < warn_share <= 1:
        problem = f"{warn_share} is no share of the budget"
        raise InputRejected(Place("budget", column="warn share"), problem, "Give a share above 0, up to 1")
    row = Budget(monthly_micro_usd=micro_usd, warn_share=warn_share, actor=actor, at=now)
    session.add(row)
    session.commit()
    return row


def edit_price(
    session: Session,
    *,
    provider: str,
    model: str,
    kind: str,
    usd: str,
    valid_until: date | None,
    source: str,
    actor: str,
    now: datetime,
) -> PriceEdit:
    """Enter a price, which from now on counts before the shipped one, and commit.

    `model` "*" stands for every model of the provider without a price of its own.

    Raises
    ------
    InputRejected
        If a field is empty or over-long, the kind unknown, the price no amount from 0 to 100,000 dollars,
        or its last day past.
    """
    if kind not in set(PriceKind):
        raise _bad("kind", f"'{kind[:40]}' is no kind of price", f"Choose one of: {', '.join(PriceKind)}")
    today = now.astimezone(ledger.SEOUL).date()
    if valid_until is not None and valid_until < today:
        raise _bad("valid until", f"{valid_until} is past", "Give a day to come, or none")
    row = PriceEdit(
        provider=_text("provider", provider, MAX_NAME),
        model=_text("model", model, MAX_NAME),
        kind=kind,
        usd=str(_amount("usd", usd)),
        valid_until=valid_until,
        source=_text("source", source, MAX_SOURCE),
        actor=actor,
        at=now,
    )
    session.add(row)
    session.commit()
    return row


def record_hours(
    session: Session,
    *,
    purpose: CostPurpose,
    provider: str,
    model: str,
    hours: str,
    usd_per_hour: str,
    actor: str,
    now: datetime,
) -> CostEntry:
    """Write hours of hosting or of a GPU into the ledger as money spent, and commit.

    The hours are over: no budget can refuse them, but they use it up.

    Raises
    ------
    InputRejected
        If hours or price are no amounts, or a name is missing.
    """
    if purpose not in HOURLY:
        raise _bad("purpose", f"'{purpose}' is not billed by the hour", f"Choose one of: {', '.join(HOURLY)}")
    amount = _amount("hours", hours)
    if not 0 < amount <= MAX_HOURS:
        raise _bad(
            "hours", f"{amount} hours cannot be entered at once", f"Give more than 0, up to {MAX_HOURS:,}"
        )
    kind = HOURLY[purpose]
    named = _text("provider", provider, MAX_NAME), _text("model", model, MAX_NAME)
    price = Price(
        *named, kind, _amount("price", usd_per_hour), now.astimezone(ledger.SEOUL).date(), actor, edited=True
    )
    charge = ledger.Charge(
        reference=f"hours-{uuid4().hex}",
        purpose=purpose,
        provider=named[0],
        model=named[1],
        actor=actor,
        detail={"hours": str(amount), "price": price.as_json(), "per": unit(kind)},
    )
    ledger.spend(session, charge, micro_usd=hours_cost(amount, price), now=now)
    written = select(CostEntry).where(
        CostEntry.reference == charge.reference, CostEntry.kind == CostKind.ACTUAL
    )
    row = session.exec(written).one()
    session.commit()
    return row


def _amount(field: str, text: str) -> Decimal:
    try:
        return parse_usd(text)
    except ValueError as error:
        raise _bad(field, str(error), "Write digits with a point, such as 0.80") from error


def _text(field: str, value: str, limit: int) -> str:
    cleaned = value.strip()
    if not cleaned:
        raise _bad(field, "it is empty", "Fill it in")
    if len(cleaned) > limit:
        raise _bad(field, f"it has {len(cleaned):,} characters; {limit} are allowed", "Shorten it")
    if any(category(sign).startswith("C") for sign in cleaned):
        raise _bad(field, "it holds a character that cannot be seen", "Type it instead of pasting it")
    return cleaned


def _bad(field: str, problem: str, remedy: str) -> InputRejected:
    return InputRejected(Place("costs", column=field), problem, remedy)
