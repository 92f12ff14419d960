"""CSV or JSONL bytes to columns and rows, all or nothing, and the collecting of problems."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from io import StringIO
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from core.errors import InputRejected, Place
from core.sources.cells import shorten
from core.sources.cells import text as text_cell
from core.sources.decoding import decode, parse_json

#: All rows of a table go in within one transaction, which keeps other writers waiting: this many take
#: some seconds.
MAX_ROWS = 20_000
MAX_COLUMNS = 200
MAX_COLUMN_NAME = 100
#: How many problems of one table are listed before the rest is only counted.
LISTED_PROBLEMS = 20
_JSONL_ENDINGS = (".jsonl", ".ndjson")
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One row: its 1-based line in the file and its cells by column."""

    line: int
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A whole table as text cells (CSV) or JSON values (JSONL), in file order."""

    name: str
    sha256: str
    encoding: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def place(self, row: Row, column: str | None) -> Place:
        """Return where a cell lies."""
        return Place(self.name, row.line, column)

    def notes(self) -> list[str]:
        """Return what is worth saying about the file itself."""
        return [] if self.encoding == "utf-8" else [f"The file was read as {self.encoding.upper()}"]


@dataclass
class Problems:
    """Gathers the problems of one table, so that they can be mended in one go."""

    found: list[InputRejected] = field(default_factory=list)
    total: int = 0

    def attempt(self, read: Callable[P, T], *args: P.args, **options: P.kwargs) -> T | None:
        """Return what ``read(*args, **options)`` gives, or None after noting its problem."""
        try:
            return read(*args, **options)
        except InputRejected as problem:
            self.note(problem)
            return None

    def note(self, problem: InputRejected) -> None:
        """Count a problem and keep it while there is room in the message."""
        self.total += 1
        if len(self.found) < LISTED_PROBLEMS:
            self.found.append(problem)

    def raise_any(self) -> None:
        """Raise one `InputRejected` for all problems, at the place of the first."""
        if self.total <= 1:
            for problem in self.found:
                raise problem
            return
        first = self.found[0]
        others = "; ".join(_brief(problem) for problem in self.found[1:])
        more = self.total - len(self.found)
        rest = f"; and {more} more" if more else ""
        problem_text = f"{first.problem} ({self.total} problems in all; {others}{rest})"
        raise InputRejected(first.place, problem_text, first.remedy)


def _brief(problem: InputRejected) -> str:
    column = f", column '{problem.place.column}'" if problem.place.column else ""
    return f"row {problem.place.row}{column}: {problem.problem}"


def read_table(name: str, data: bytes, *, limit: int | None = None) -> Table:
    """Return the table that a CSV or JSONL file holds.

    JSONL is told by its ending or by a first line that begins with a brace; all else is CSV, separated
    by commas (or semicolons or tabs, where the header has no comma).

    Parameters
    ----------
    limit : int, optional
        Read no more than this many rows (for a preview); the rest is not checked.

    Raises
    ------
    InputRejected
        If the file is no such table; see also `core.sources.decoding.decode`.
    """
    decoded = decode(name, data)
    text = decoded.text
    if "\r" in text and "\n" not in text:  # line ends of old Macintosh programs
        text = text.replace("\r", "\n")
    if name.lower().endswith(_JSONL_ENDINGS) or text.lstrip().startswith(("{", "[")):
        rows = tuple(islice(_json_rows(name, text), limit))
        columns = tuple(dict.fromkeys(column for row in rows for column in row.cells))
        _check_columns(name, columns)
    else:
        columns, lines = _csv_rows(name, text)
        rows = tuple(islice(lines, limit))
    if not rows:
        raise InputRejected(Place(name), "there is a header but no row", "Add rows or choose another file")
    if len(rows) > MAX_ROWS:
        problem = f"there are more than {MAX_ROWS:,} rows"
        raise InputRejected(Place(name, rows[MAX_ROWS].line), problem, "Split the file")
    return Table(name, sha256(data).hexdigest(), decoded.encoding, columns, rows)


def _csv_rows(name: str, text: str) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return the columns and the rows still to be read; the first problem of form ends the reading."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    numbered = _numbered(name, reader)
    _, header = next(numbered, (1, []))
    columns = tuple(column.strip() for column in header)
    _check_columns(name, columns)
    return columns, _records(name, columns, numbered)


def _delimiter(text: str) -> str:
    header = text.lstrip().partition("\n")[0]
    return next((sign for sign in ",\t;" if sign in header), ",")


def _numbered(name: str, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the non-empty records with the line on which each begins."""
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"the CSV is broken here, perhaps by an unclosed quotation mark ({error})"
            remedy = "Close or double the quotation marks of this row"
            raise InputRejected(Place(name, line), problem, remedy) from error
        if any(cell.strip() for cell in record):
            yield line, record


def _records(name: str, columns: tuple[str, ...], numbered: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    for line, record in islice(numbered, MAX_ROWS + 1):
        if len(record) != len(columns):
            problem = f"the row has {len(record)} cells, the header has {len(columns)}"
            remedy = "Put texts that contain commas in quotation marks"
            raise InputRejected(Place(name, line), problem, remedy)
        yield Row(line, dict(zip(columns, record, strict=True)))


def _check_columns(name: str, columns: tuple[str, ...]) -> None:
    remedy = "Give every column a short name of its own in the first row"
    if len(columns) > MAX_COLUMNS:
        raise InputRejected(Place(name, 1), f"there are {len(columns)} columns", remedy)
    for position, column in enumerate(columns, 1):
        if not column:
            raise InputRejected(Place(name, 1), f"column {position} has no name", remedy)
        text_cell(column, Place(name, 1, f"number {position}"), limit=MAX_COLUMN_NAME)
        if columns.count(column) > 1:
            raise InputRejected(Place(name, 1, column), "the column is there twice", remedy)


def _json_rows(name: str, text: str) -> Iterator[Row]:
    if text.lstrip().startswith("["):
        problem = "the file is one JSON array"
        raise InputRejected(Place(name, 1), problem, "Write one JSON object a line (JSONL)")
    count = 0
    for line, written in enumerate(text.split("\n"), 1):
        if not written.strip():
            continue
        cells = parse_json(Place(name, line), written)
        if not isinstance(cells, dict):
            problem = f"the line holds {shorten(written)}, not a JSON object"
            raise InputRejected(Place(name, line), problem, "Write one JSON object a line")
        yield Row(line, cells)
        count += 1
        if count > MAX_ROWS:
            return
