"""Market back-fill: CSV of closes or of percent changes to records. An empty cell is missing, never 0."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from core.domain.records import FileReport, FileStatus, MarketRecord
from core.domain.types import Instrument, MarketSource
from core.errors import InputRejected, Place
from core.sources import cells
from core.sources.cells import shorten
from core.sources.rows import Problems, Row, Table, read_table

#: No index or large coin has moved further in a day; a larger number is a close in the wrong column.
MAX_CHANGE_PCT = 100.0
SMALLEST_CLOSE, LARGEST_CLOSE = 1e-6, 1e12
_FORMS = "Use the columns date,instrument,close or date and any of btc,eth,kospi,kosdaq in percent"

#: A record, or None for an empty cell, with its place.
_Read = tuple[Place, MarketRecord | None]


def read_market(name: str, data: bytes) -> tuple[list[MarketRecord], FileReport]:
    """Read closes or percent changes, all or nothing.

    ``date,instrument,close`` gives `MarketSource.BACKFILL_CLOSE` records, ``date`` with any of ``btc``,
    ``eth``, ``kospi``, ``kosdaq`` gives `MarketSource.BACKFILL_PERCENT`. A file of ``date`` and
    ``close`` alone is taken for the one instrument that its name holds, and the report says so. Dates
    are written 2025-11-01, 2025.11.01 or 20251101.

    Raises
    ------
    InputRejected
        Naming file, row and column of the first problem and listing up to 20.
    """
    table = read_table(name, data)
    columns = _known_columns(table)
    problems = Problems()
    named, notes = _named_instrument(table, columns)
    reader = _closes(table, columns, named, problems) if "close" in columns else None
    read = list(reader if reader is not None else _changes(table, columns, problems))
    records = _without_repeats(read, problems)
    problems.raise_any()
    if not records:
        raise InputRejected(Place(name), "no row holds a value", "Fill in closes or percent changes")
    if empty := sum(1 for _, record in read if record is None):
        notes.append(f"{empty} empty cells were taken as missing")
    if unused := [column for column in table.columns if column not in columns.values()]:
        notes.append(f"Columns not used: {', '.join(unused[:20])}")
    notes = [*table.notes(), *notes]
    return records, FileReport(name, "market", table.sha256, len(records), FileStatus.READ, tuple(notes))


def _known_columns(table: Table) -> dict[str, str]:
    """Return what each known column is called in this file, for the one form that the file has."""
    by_word: dict[str, str] = {}
    for column in table.columns:
        if by_word.setdefault(column.strip().lower(), column) != column:
            raise InputRejected(Place(table.name, 1, column), "the column is there twice", _FORMS)
    if "date" not in by_word:
        raise InputRejected(Place(table.name, 1, "date"), "the column is missing", _FORMS)
    closes = [word for word in ("instrument", "close") if word in by_word]
    changes = [word for word in Instrument if word in by_word]
    if closes and changes:
        problem = f"there are closes ({', '.join(closes)}) and percent changes ({', '.join(changes)})"
        raise InputRejected(Place(table.name, 1), problem, _FORMS)
    if closes and "close" not in by_word:
        raise InputRejected(Place(table.name, 1, "close"), "the column is missing", _FORMS)
    if not closes and not changes:
        raise InputRejected(Place(table.name, 1), "no column holds closes or percent changes", _FORMS)
    return {word: by_word[word] for word in ("date", *closes, *changes)}


def _named_instrument(table: Table, columns: Mapping[str, str]) -> tuple[Instrument | None, list[str]]:
    """Return the instrument in the file's name where no column says it, and the note that says so."""
    if "close" not in columns or "instrument" in columns:
        return None, []
    words = set(re.split(r"[^a-z]+", table.name.lower()))
    named = [instrument for instrument in Instrument if instrument in words]
    if len(named) != 1:
        raise InputRejected(Place(table.name, 1, "instrument"), "the column is missing", _FORMS)
    return named[0], [f"No column 'instrument': taken as {named[0]}, from the file's name"]


def _day(table: Table, row: Row, columns: Mapping[str, str], problems: Problems) -> date | None:
    column = columns["date"]
    return problems.attempt(cells.day, row.cells.get(column), table.place(row, column))


def _closes(
    table: Table, columns: Mapping[str, str], named: Instrument | None, problems: Problems
) -> Iterator[_Read]:
    for row in table.rows:
        day = _day(table, row, columns, problems)
        instrument = named or _instrument(table, row, columns["instrument"], problems)
        place = table.place(row, columns["close"])
        value = row.cells.get(columns["close"])
        close = problems.attempt(cells.number, value, place, low=SMALLEST_CLOSE, high=LARGEST_CLOSE)
        if day and instrument and close is not None:
            yield place, MarketRecord(day, instrument, MarketSource.BACKFILL_CLOSE, close=close)
        else:
            yield place, None


def _instrument(table: Table, row: Row, column: str, problems: Problems) -> Instrument | None:
    value: Any = row.cells.get(column)
    word = str(value).strip().lower()
    if word in set(Instrument):
        return Instrument(word)
    remedy = f"Use one of {', '.join(Instrument)}"
    problems.note(InputRejected(table.place(row, column), f"{shorten(value)} is not an instrument", remedy))
    return None


def _changes(table: Table, columns: Mapping[str, str], problems: Problems) -> Iterator[_Read]:
    for row in table.rows:
        day = _day(table, row, columns, problems)
        for instrument in (word for word in Instrument if word in columns):
            place = table.place(row, columns[instrument])
            value = row.cells.get(columns[instrument])
            change = problems.attempt(cells.number, value, place, low=-MAX_CHANGE_PCT, high=MAX_CHANGE_PCT)
            if day and change is not None:
                yield place, MarketRecord(day, instrument, MarketSource.BACKFILL_PERCENT, return_pct=change)
            else:
                yield place, None


def _without_repeats(read: list[_Read], problems: Problems) -> list[MarketRecord]:
    """Return the records, each day and instrument once; two different values for one are a problem."""
    kept: dict[tuple[date, Instrument], MarketRecord] = {}
    for place, record in read:
        if record is None:
            continue
        first = kept.setdefault((record.day, record.instrument), record)
        if first != record:
            problem = f"{record.instrument} on {record.day} has another value further up"
            problems.note(InputRejected(place, problem, "Keep one row for each date and instrument"))
    return list(kept.values())
