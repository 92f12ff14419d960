"""Labelled tables: CSV or JSONL rows with a title and a human label to records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.domain.records import ArticleRecord, FileReport, FileStatus, LabelRecord, PredictionRecord
from core.domain.text import content_hash
from core.domain.types import Family, Flag, Origin, Sentiment
from core.errors import InputRejected, Place
from core.sources import cells
from core.sources.cells import shorten
from core.sources.rows import Problems, Row, Table, read_table

REQUIRED = ("title", "label")
OPTIONAL = (
    "body",
    "published_at",
    "url",
    "source",
    "family",
    "predicted",
    "confidence",
    "model",
    "reviewer",
)
FIELDS = REQUIRED + OPTIONAL
#: Column names that are taken for a field where nobody says otherwise, in lower case.
_USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "title": ("title", "headline", "제목", "sentence", "text"),
    "label": ("label", "sentiment", "gold", "라벨", "정답", "감성"),
    "body": ("body", "content", "본문", "내용"),
    "published_at": (
        "published_at",
        "publishedat",
        "published",
        "published_kst",
        "datetime",
        "date",
        "발행일",
    ),
    "url": ("url", "link", "링크"),
    "source": ("source", "publisher", "press", "언론사", "출처"),
    "family": ("family", "분류"),
    "predicted": ("predicted", "prediction", "예측"),
    "confidence": ("confidence", "신뢰도"),
    "model": ("model", "모델"),
    "reviewer": ("reviewer", "annotator", "검수자"),
}
#: A table of more models than this has something else in that column.
MAX_MODELS = 20
_NO_TIME = (
    "{} dates without a time of day were taken as the end of that day in Asia/Seoul, so that no earlier "
    "close decides them"
)


def parse_mapping(
    written: str, *, required: Sequence[str] = REQUIRED, optional: Sequence[str] = OPTIONAL
) -> dict[str, str]:
    """Return field -> column from ``title=COL,label=COL,...`` as the command line takes it.

    Raises
    ------
    InputRejected
        If a part is no assignment, names an unknown field, or a required field is missing.
    """
    place = Place("--map")
    needed = ",".join(f"{name}=COLUMN" for name in required)
    remedy = f"Write {needed} and, where wanted, {', '.join(optional)}"
    mapping: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in written.split(","))):
        name, sign, column = (piece.strip() for piece in part.partition("="))
        if not sign or not column:
            raise InputRejected(place, f"{shorten(part)} is not FIELD=COLUMN", remedy)
        if name not in (*required, *optional):
            raise InputRejected(place, f"there is no field {shorten(name)}", remedy)
        if name in mapping:
            raise InputRejected(place, f"the field '{name}' is given twice", remedy)
        mapping[name] = column
    for name in required:
        if name not in mapping:
            raise InputRejected(place, f"the field '{name}' is missing", remedy)
    return mapping


def guess_mapping(columns: Iterable[str]) -> dict[str, str]:
    """Return field -> column for the columns whose names are usual; fields without one are left out."""
    by_name = {column.strip().lower(): column for column in reversed(list(columns))}
    guessed: dict[str, str] = {}
    for name, usual in _USUAL_NAMES.items():
        column = next((by_name[word] for word in usual if word in by_name), None)
        if column is not None:
            guessed[name] = column
    return guessed


@dataclass(frozen=True)
class Preview:
    """The head of a table: its columns, up to so many rows as text, and a guessed mapping."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    mapping: Mapping[str, str]
    encoding: str


def preview(name: str, data: bytes, *, rows: int = 5) -> Preview:
    """Return the head of a CSV or JSONL file for the choice of columns.

    Raises
    ------
    InputRejected
        If the head of the file is no table.
    """
    table = read_table(name, data, limit=rows)
    head = tuple(tuple(_shown(row.cells.get(column)) for column in table.columns) for row in table.rows)
    return Preview(table.columns, head, guess_mapping(table.columns), table.encoding)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)[:200].encode("utf-8", "replace").decode()


def read_labelled(
    name: str, data: bytes, mapping: Mapping[str, str] | None = None
) -> tuple[list[LabelRecord], FileReport]:
    """Read a labelled table, all or nothing.

    Parameters
    ----------
    name : str
        File name for messages; ``.jsonl`` and ``.ndjson`` are read as JSON lines.
    data : bytes
        UTF-8 (with or without a mark) or CP949, at most 20 MB and 200,000 rows.
    mapping : mapping of str to str, optional
        Field -> column. Without one, the usual column names are taken (`guess_mapping`).

    Returns
    -------
    records : list of LabelRecord
        One a row, in file order. Times without a zone are Asia/Seoul; a date without a time of day is
        that day's end, so that no close earlier than the news can decide it.
    report : FileReport
        With notes on everything that was assumed.

    Raises
    ------
    InputRejected
        Naming file, row and column of the first problem and listing up to 20.
    """
    table = read_table(name, data)
    chosen = dict(mapping) if mapping else guess_mapping(table.columns)
    check_mapping(table, chosen)
    problems = Problems()
    reader = Reader(table, chosen, problems)
    records = [record for row in table.rows if (record := reader.record(row)) is not None]
    problems.raise_any()
    records, scaled = _to_percent(records)
    _check_models(table, chosen, records)
    notes = [*table.notes(), *scaled, *reader.notes()]
    report = FileReport(name, "labels", table.sha256, len(records), FileStatus.READ, tuple(notes))
    return records, report


def check_mapping(table: Table, mapping: Mapping[str, str], required: Sequence[str] = REQUIRED) -> None:
    """Raise InputRejected where a field is missing, or a column that is mapped is not in the table."""
    listed = ", ".join(table.columns[:20])
    needed = ",".join(f"{name}=COLUMN" for name in required)
    remedy = f"Map it with {needed}; the columns are: {listed}"
    for name in required:
        if name not in mapping:
            raise InputRejected(Place(table.name, 1), f"no column is known to hold the {name}", remedy)
    for name, column in mapping.items():
        if name not in FIELDS:
            raise InputRejected(Place(table.name, 1), f"there is no field {shorten(name)}", remedy)
        if column not in table.columns:
            problem = f"the column for '{name}' is missing"
            raise InputRejected(Place(table.name, 1, column), problem, remedy)
    if "predicted" not in mapping and {"confidence", "model"} & set(mapping):
        problem = "a confidence or model is mapped, but no 'predicted' column"
        raise InputRejected(Place(table.name, 1), problem, "Map predicted=COLUMN too")


class Reader:
    """Reads the rows of one table and counts what it had to assume."""

    def __init__(self, table: Table, mapping: Mapping[str, str], problems: Problems) -> None:
        self.table, self.mapping, self.problems = table, mapping, problems
        self.without_zone = self.without_time = self.without_prediction = 0

    def cell(self, row: Row, name: str) -> tuple[Any, Place]:
        """Return the cell of a field (None where it is not mapped) and its place."""
        column = self.mapping.get(name)
        return (None if column is None else row.cells.get(column)), self.table.place(row, column)

    def record(self, row: Row) -> LabelRecord | None:
        """Return the record of one row, or None after noting its problems."""
        before = self.problems.total
        label = self.problems.attempt(cells.sentiment, *self.cell(row, "label"))
        article = self.problems.attempt(self.article, row)
        prediction = self.problems.attempt(self._prediction, row)
        reviewer = self.problems.attempt(self._name, row, "reviewer")
        if self.problems.total > before or label is None or article is None:
            return None
        if prediction is not None:
            prediction = replace(prediction, article_key=article.key)
        return LabelRecord(article, label, row.line, prediction, reviewer)

    def _name(self, row: Row, name: str) -> str | None:
        value, place = self.cell(row, name)
        return cells.text(value, place, limit=cells.MAX_NAME)

    def article(self, row: Row) -> ArticleRecord:
        """Return the article of one row."""
        (title, title_place), (body, body_place) = self.cell(row, "title"), self.cell(row, "body")
        title, body, flags, placeholder = cells.news(title, body, (title_place, body_place))
        written, place = self.cell(row, "published_at")
        published = cells.moment(written, place)
        effective = published[0] if published else None
        if published and cells.is_bare_date(written):
            self.without_time += 1
            effective = cells.end_of_day(published[0])
            flags = (*flags, Flag.UNRELIABLE_TIME)
        elif published and not published[1]:
            self.without_zone += 1
        text_hash = content_hash(title, body)
        return ArticleRecord(
            key=f"{Origin.LABELLED}|{text_hash}",
            family=self._family(row),
            origin=Origin.LABELLED,
            title=title,
            body=body,
            content_hash=text_hash,
            url=cells.url(*self.cell(row, "url")),
            publisher=self._name(row, "source"),
            published_at=published[0] if published else None,
            effective_at=effective,
            placeholder=placeholder,
            flags=flags,
        )

    def _family(self, row: Row) -> Family:
        value, place = self.cell(row, "family")
        word = (cells.text(value, place, limit=cells.MAX_NAME) or Family.GENERAL).lower()
        if word not in set(Family):
            raise InputRejected(place, f"{shorten(value)} is not a family", "Use general or crypto")
        return Family(word)

    def _prediction(self, row: Row) -> PredictionRecord | None:
        value, place = self.cell(row, "predicted")
        confidence = cells.number(*self.cell(row, "confidence"), low=0, high=100)
        model = self._name(row, "model")
        if cells.text(value, place, limit=cells.MAX_NAME) is None:
            self.without_prediction += 1
            return None
        sentiment: Sentiment = cells.sentiment(value, place)
        return PredictionRecord("", sentiment, confidence, model=model)

    def notes(self) -> list[str]:
        """Return the assumptions made, one sentence each."""
        unused = [column for column in self.table.columns if column not in self.mapping.values()]
        said = (
            (self.without_zone, "{} times without a zone were taken as Asia/Seoul"),
            (self.without_time, _NO_TIME),
            ("predicted" in self.mapping and self.without_prediction, "{} rows have no prediction"),
            (", ".join(unused[:20]), "Columns not used: {}"),
        )
        return [sentence.format(value) for value, sentence in said if value]


def _to_percent(records: list[LabelRecord]) -> tuple[list[LabelRecord], list[str]]:
    """Return the records with confidences in percent; when none exceeds 1, they are shares."""
    given = [
        record.prediction.confidence
        for record in records
        if record.prediction and record.prediction.confidence is not None
    ]
    if not given or max(given) > 1:
        return records, []
    return [_scaled(record) for record in records], [
        "No confidence exceeds 1: they were taken as shares of one and multiplied by 100"
    ]


def _scaled(record: LabelRecord) -> LabelRecord:
    prediction = record.prediction
    if prediction is None or prediction.confidence is None:
        return record
    return replace(record, prediction=replace(prediction, confidence=prediction.confidence * 100))


def _check_models(table: Table, mapping: Mapping[str, str], records: Iterable[LabelRecord]) -> None:
    models = {record.prediction.model for record in records if record.prediction}
    if len(models) > MAX_MODELS:
        problem = f"there are {len(models)} different model names, the limit is {MAX_MODELS}"
        raise InputRejected(Place(table.name, None, mapping.get("model")), problem, "Map another column")
