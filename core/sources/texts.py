"""Tables whose rows are to be judged: CSV or JSONL with a title, no label, to articles."""

from collections.abc import Mapping
from dataclasses import replace

from core.domain.records import ArticleRecord
from core.domain.types import Origin
from core.sources.rows import Problems, read_table
from core.sources.tabular import Reader, check_mapping, guess_mapping, parse_mapping

REQUIRED = ("title",)
OPTIONAL = ("body", "published_at", "url", "source", "family")


def parse_text_mapping(written: str) -> dict[str, str]:
    """Return field -> column from ``title=COL,body=COL,...`` as the command line takes it.

    Raises
    ------
    InputRejected
        If a part is no assignment, names an unknown field, or the title is missing.
    """
    return parse_mapping(written, required=REQUIRED, optional=OPTIONAL)


def read_texts(
    name: str, data: bytes, mapping: Mapping[str, str] | None = None
) -> list[tuple[int, ArticleRecord]]:
    """Read a table whose rows are to be judged, all or nothing; other columns are passed over.

    Parameters
    ----------
    name, data, mapping
        As for `tabular.read_labelled`, with the fields of this module. A row without a time is undated.

    Returns
    -------
    list of (int, ArticleRecord)
        The line of each row and its article, in file order.

    Raises
    ------
    InputRejected
        Naming file, row and column of the first problem and listing up to 20.
    """
    table = read_table(name, data)
    guessed = guess_mapping(table.columns)
    chosen = dict(mapping or {field: guessed[field] for field in (*REQUIRED, *OPTIONAL) if field in guessed})
    check_mapping(table, chosen, required=REQUIRED)
    problems = Problems()
    reader = Reader(table, chosen, problems)
    articles = [(row.line, problems.attempt(reader.article, row)) for row in table.rows]
    problems.raise_any()
    return [(line, _to_be_asked(article)) for line, article in articles if article is not None]


def _to_be_asked(article: ArticleRecord) -> ArticleRecord:
    return replace(article, key=f"{Origin.API}|{article.content_hash}", origin=Origin.API)
