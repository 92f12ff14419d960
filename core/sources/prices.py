"""The shipped price list, and what an independent price library says of the same models."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from core.domain.price import Price, parse_usd, unit
from core.domain.types import PriceKind
from core.errors import InputRejected, Place

_FIX = "Write it as the rows around it are written, and read the head of the file"
_FIELDS = (
    "provider",
    "model",
    "kind",
    "usd",
    "per",
    "as_of",
    "source",
    "valid_from",
    "valid_until",
    "certain",
)
#: our providers by the library's names
_LIBRARY_NAMES = {"openai": "openai", "gemini": "google", "vertex": "google"}
#: the library's fields, and whether it is a price within a batch
_LIBRARY_FIELDS = {
    PriceKind.INPUT: ("input_mtok", False),
    PriceKind.CACHED_INPUT: ("cache_read_mtok", False),
    PriceKind.OUTPUT: ("output_mtok", False),
    PriceKind.BATCH_INPUT: ("input_mtok", True),
    PriceKind.BATCH_OUTPUT: ("output_mtok", True),
}
_BATCH = {"processing": "batch"}


def read_prices(path: Path) -> tuple[Price, ...]:
    """Return the prices of a price list in its order.

    Raises
    ------
    InputRejected
        If the file is no price list; the message names the row (as an editor counts) and the field.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        tree = loader.get_single_node()
        content = loader.construct_document(tree) if tree else None
    except (OSError, UnicodeDecodeError) as error:
        raise InputRejected(path.name, f"it cannot be read: {error}", "Restore the file") from error
    except (yaml.YAMLError, ValueError) as error:  # an impossible date is a ValueError
        mark = getattr(error, "problem_mark", None)
        place = Place(path.name, row=mark.line + 1 if mark else None)
        raise InputRejected(place, f"it is no YAML: {_first_line(error)}", _FIX) from error
    rows = content.get("prices") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise InputRejected(path.name, "it has no list 'prices'", _FIX)
    prices: list[Price] = []
    for row, line in zip(rows, _lines(tree), strict=True):
        price = _price(row, Place(path.name, row=line))
        _no_overlap(price, prices, Place(path.name, row=line))
        prices.append(price)
    return tuple(prices)


def _lines(tree: Any) -> list[int]:
    """Return the 1-based line of each row of the list 'prices'."""
    rows = next(value for key, value in tree.value if key.value == "prices")
    return [node.start_mark.line + 1 for node in rows.value]


def _price(row: Any, place: Place) -> Price:
    _check_fields(row, place)
    starts, ends = _day(row, "valid_from", place), _day(row, "valid_until", place)
    if starts and ends and ends < starts:
        raise _bad(place, "valid_until", f"{ends} is before valid_from {starts}")
    as_of = _day(row, "as_of", place)
    if as_of is None:
        raise _bad(place, "as_of", "a day such as 2026-11-22 is needed")
    return Price(
        provider=row["provider"],
        model=row["model"],
        kind=PriceKind(row["kind"]),
        usd=_usd(row.get("usd"), place),
        as_of=as_of,
        source=row["source"],
        valid_from=starts,
        valid_until=ends,
        certain=row.get("certain", True),
    )


def _check_fields(row: Any, place: Place) -> None:
    """Refuse unknown fields, and texts that are none of those that are known."""
    if not isinstance(row, dict):
        raise InputRejected(place, "it is no mapping of fields to values", _FIX)
    unknown = [str(name) for name in row if name not in _FIELDS]
    if unknown:
        raise _bad(place, unknown[0], "there is no such field")
    for name in ("provider", "model", "kind", "per", "source"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise _bad(place, name, "a text is needed")
    if row["kind"] not in set(PriceKind):
        raise _bad(place, "kind", f"'{row['kind']}' is none of {', '.join(PriceKind)}")
    per = unit(PriceKind(row["kind"]))
    if row["per"] != per:
        raise _bad(place, "per", f"a price of {row['kind']} is per {per}, not per '{row['per']}'")
    if not isinstance(row.get("certain", True), bool):
        raise _bad(place, "certain", "true or false is needed")


def _usd(value: Any, place: Place) -> Decimal:
    if not isinstance(value, str):
        raise _bad(place, "usd", 'an amount in quotes is needed, such as "0.80"')
    try:
        return parse_usd(value)
    except ValueError as error:
        raise _bad(place, "usd", str(error)) from error


def _day(row: Mapping[str, Any], name: str, place: Place) -> date | None:
    value = row.get(name)
    if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
        raise _bad(place, name, f"'{str(value)[:30]}' is no day such as 2026-11-22")
    return value


def _no_overlap(price: Price, earlier: Iterable[Price], place: Place) -> None:
    for other in earlier:
        same = (other.provider, other.model, other.kind) == (price.provider, price.model, price.kind)
        apart = _before(price, other) or _before(other, price)
        if same and not apart:
            raise _bad(
                place, "model", f"a row above already gives {price.kind} of {price.model} for these days"
            )


def _before(one: Price, other: Price) -> bool:
    return bool(one.valid_until and other.valid_from and one.valid_until < other.valid_from)


def _bad(place: Place, column: str, problem: str) -> InputRejected:
    return InputRejected(Place(place.file, place.row, column), problem, _FIX)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


@dataclass(frozen=True)
class CrossCheck:
    """One of our prices beside the library's for the same model, kind and day.

    Parameters
    ----------
    price : Price
        Ours.
    theirs : Decimal
        The library's, in the same unit.
    """

    price: Price
    theirs: Decimal

    @property
    def differs(self) -> bool:
        """Whether the two are not the same amount."""
        return self.price.usd != self.theirs


def cross_check(prices: Iterable[Price], on: date) -> tuple[CrossCheck, ...]:
    """Compare prices with the library genai-prices, from the data within it: nothing is fetched.

    Each price is compared on the day `on`, or on its first day where it starts later; prices that have
    ended, and models and kinds that the library does not know (training, hosting, Azure, most tuned
    models), are left out. The library knows prices of tiers; the lowest tier is compared, which is that of
    prompts of a news article.
    """
    checks = []
    for price in prices:
        day = max(on, price.valid_from) if price.valid_from else on
        theirs = _theirs(price, day) if price.holds(day) else None
        if theirs is not None:
            checks.append(CrossCheck(price, theirs))
    return tuple(checks)


def _theirs(price: Price, day: date) -> Decimal | None:
    from genai_prices import data  # noqa: PLC0415 - a megabyte of prices that only the price table reads

    field, in_batch = _LIBRARY_FIELDS.get(price.kind, ("", False))
    provider = _LIBRARY_NAMES.get(price.provider)
    models = next((each.models for each in data.providers if each.id == provider), [])
    model = next((each for each in models if each.id == price.model), None)
    if model is None or not field:
        return None
    at = datetime.combine(day, time(12), UTC)
    variants = [each for each in model.price_variants or () if each.when == _BATCH]
    if in_batch and not any(each.constraint is None or each.constraint.active(at) for each in variants):
        return None
    known = getattr(model.get_prices(at, _BATCH if in_batch else None), field)
    base = getattr(known, "base", known)
    return base if isinstance(base, Decimal) else None
