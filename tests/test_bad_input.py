"""Bad input: refused with file, row, column and a remedy; nothing of it is stored."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, func, select

from core.db import writing
from core.errors import InputRejected
from core.models import Article, HumanLabel, Prediction
from core.services import imports, ingest
from core.sources import rows
from core.sources.ai_news_trader import read_parent_folder
from core.sources.tabular import read_labelled
from tests import parent_folder
from tests.conftest import empty_database

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


def table(*lines, header="title,label"):
    return "\n".join((header, *lines, "")).encode()


KOREAN = "title,label\n코스피가 외국인 매수에 힘입어 올랐다,긍정\n"
BAD_TABLES = {
    "empty": (b"", "", "the file is empty"),
    "blank": (b" \n\n", "", "the file is empty"),
    "too large": (b"title,label\n" + b"a" * 21_000_000, "", "larger than 20 MB"),
    "zip": (parent_folder.zipped(), "", "a zip archive or an Excel workbook"),
    "gzip": (b"\x1f\x8b\x08\x00rest", "", "a gzip archive"),
    "png": (b"\x89PNG\r\n\x1a\nrest", "", "a PNG image"),
    "pdf": (b"%PDF-1.7 rest", "", "a PDF document"),
    "old Excel": (b"\xd0\xcf\x11\xe0rest", "", "an old Excel"),
    "HTML": (b"<!DOCTYPE html><h1>429</h1>", "", "a web page"),
    "UTF-16": (KOREAN.encode("utf-16"), "", "encoded as UTF-16"),
    "UTF-16 without a mark": (KOREAN.encode("utf-16-le"), ", row 1", "a NUL byte"),
    "NUL": (table("a,pos", "b\x00,neg"), ", row 3", "a NUL byte"),
    "control character": (table("a,pos", "b\x07,neg"), ", row 3", "U+0007"),
    "Latin-1": ("title,label\nCafé Münchner,pos\n".encode("latin-1"), ", row 2", "neither UTF-8 nor CP949"),
    "Shift-JIS": ("title,label\n株価が上昇した。,pos\n".encode("shift-jis"), ", row 2", "neither UTF-8 nor"),
    "cut character": (KOREAN.encode()[:-9], ", row 2", "in the middle of a character"),
    "mojibake": (KOREAN.encode().decode("latin-1").encode(), ", row 2", "read in the wrong encoding"),
    "mojibake of CP949": (
        KOREAN.encode("cp949").decode("latin-1").encode(),
        ", row 2",
        "read in the wrong encoding",
    ),
    "lost characters": (table("코스\ufffd 상승,pos"), ", row 2", "characters were lost"),
    "header only": (b"title,label\n", "", "a header but no row"),
    "no title": (table("a,pos", header="name,label"), ", row 1", "no column is known to hold the title"),
    "no label": (table("a,pos", header="title,tone"), ", row 1", "no column is known to hold the label"),
    "column twice": (table("a,b,pos", header="title,title,label"), ", row 1, column 'title'", "twice"),
    "nameless column": (table("a,,pos", header="title,,label"), ", row 1", "column 2 has no name"),
    "ragged": (table("a,pos", "b,neg,x"), ", row 3", "the row has 3 cells, the header has 2"),
    "unclosed quote": (table("a,pos", '"b,neg', "c,pos"), ", row 3", "an unclosed quotation mark"),
    "field of 300,000": (table("a" * 300_000 + ",pos"), ", row 2", "field larger than"),
    "long title": (table("a" * 1_001 + ",pos"), ", row 2, column 'title'", "1,001 characters"),
    "long body": (
        table("a,pos," + "b" * 20_001, header="title,label,body"),
        ", row 2, column 'body'",
        "20,001 characters",
    ),
    "empty title": (table("a,pos", " ,neg"), ", row 3, column 'title'", "the text is empty"),
    "NaN title": (table("NaN,pos"), ", row 2, column 'title'", "stands for a missing value"),
    "empty label": (table("a,"), ", row 2, column 'label'", "the label is empty"),
    "unknown label": (table("a,bullish"), ", row 2, column 'label'", "'bullish' is not a label"),
    "number as label": (table("a,1"), ", row 2, column 'label'", "the number '1' is not a label"),
    "American date": (
        table("a,pos,11/03/2025", header="title,label,published_at"),
        ", row 2, column 'published_at'",
        "is not a time",
    ),
    "impossible date": (
        table("a,pos,2025-02-30", header="title,label,published_at"),
        ", row 2, column 'published_at'",
        "is not a time",
    ),
    "year 1": (
        table("a,pos,0001-01-01", header="title,label,published_at"),
        ", row 2, column 'published_at'",
        "outside the years",
    ),
    "no web address": (
        table("a,pos,javascript:alert(1)", header="title,label,url"),
        ", row 2, column 'url'",
        "is not a web address",
    ),
    "unknown family": (
        table("a,pos,gold", header="title,label,family"),
        ", row 2, column 'family'",
        "a family",
    ),
    "NaN confidence": (
        table("a,pos,neg,nan", header="title,label,predicted,confidence"),
        ", row 2, column 'confidence'",
        "is not a number",
    ),
    "confidence of 101": (
        table("a,pos,neg,101", header="title,label,predicted,confidence"),
        ", row 2, column 'confidence'",
        "out of range",
    ),
    "unknown prediction": (
        table("a,pos,up", header="title,label,predicted"),
        ", row 2, column 'predicted'",
        "'up' is not a label",
    ),
    "confidence alone": (
        table("a,pos,50", header="title,label,confidence"),
        ", row 1",
        "no 'predicted' column",
    ),
    "many models": (
        table(*(f"a{i},pos,neg,m{i}" for i in range(30)), header="title,label,predicted,model"),
        ", column 'model'",
        "30 different model names",
    ),
    "JSON array": (b'[{"title": "a", "label": "pos"}]', ", row 1", "one JSON array"),
    "truncated JSONL": (
        b'{"title": "a", "label": "pos"}\n{"title": "b", "la',
        ", row 2",
        "broken or cut off",
    ),
    "JSON NaN": (b'{"title": "a", "label": NaN}', ", row 1", "'NaN' is not a number"),
    "JSON overflow": (b'{"title": "a", "label": "pos", "x": 1e999}', ", row 1", "is too large"),
    "huge integer": (b'{"title": "a", "label": 1' + b"0" * 6_000 + b"}", ", row 1", "not usable"),
    "deep JSON": (b'{"title": ' + b"[" * 200_000, ", row 1", "nests too deeply"),
    "JSON field twice": (b'{"title": "a", "title": "b"}', ", row 1", "'title' is given twice"),
    "JSON list line": (b'{"title": "a", "label": "pos"}\n[1]', ", row 2", "not a JSON object"),
    "number as title": (b'{"title": 5, "label": "pos"}', ", row 1, column 'title'", "is not text"),
    "lone surrogate": (
        b'{"title": "a \\ud83d b", "label": "pos"}',
        ", row 1, column 'title'",
        "lone surrogate",
    ),
    "escaped NUL": (b'{"title": "a \\u0000 b", "label": "pos"}', ", row 1, column 'title'", "U+0000"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_is_refused_with_its_place_and_a_remedy(case):
    data, where, problem = BAD_TABLES[case]
    with pytest.raises(InputRejected) as refused:
        read_labelled("bad.dat", data)
    message = str(refused.value)
    assert message.startswith(f"bad.dat{where}: ")
    assert problem in message
    assert refused.value.remedy
    assert len(message) < 600
    message.encode()  # can be printed: no half characters


def test_too_many_rows_are_refused(monkeypatch):
    monkeypatch.setattr(rows, "MAX_ROWS", 3)
    with pytest.raises(InputRejected, match="row 5: there are more than 3 rows"):
        read_labelled("a.csv", table("a,pos", "b,pos", "c,pos", "d,pos"))


def test_all_problems_of_a_table_are_listed_up_to_twenty():
    with pytest.raises(InputRejected) as refused:
        read_labelled("a.csv", table(*["a,up"] * 25))
    message = str(refused.value)
    assert message.startswith("a.csv, row 2, column 'label': 'up' is not a label (25 problems in all; row 3")
    assert len(re.findall(r"row \d+", message)) == 20
    assert "and 5 more" in message


DAY = {"news": "news/news-2025-03-03.json", "analysis": "analysis/analysis-2025-03-03.json"}
BAD_ITEMS = {
    "id twice": ("news", {"id": 2}, "row 2, column 'id': the id 2 is there twice"),
    "no id": ("news", {"id": None}, "row 1, column 'id': 'None' is not an id"),
    "id as text": ("news", {"id": "1"}, "row 1, column 'id'"),
    "no title": ("news", {"title": ""}, "row 1, column 'title': the text is empty"),
    "title a list": ("news", {"title": ["a"]}, "row 1, column 'title'"),
    "long body": ("news", {"content": "a" * 20_001}, "row 1, column 'content'"),
    "bad time": ("news", {"publishedAt": "yesterday"}, "row 1, column 'publishedAt': 'yesterday'"),
    "no scrape": ("news", {"scrapedAt": None}, "row 1, column 'scrapedAt'"),
    "surrogate": ("news", {"title": "a\ud83d"}, "row 1, column 'title': half of a character"),
    "sentiment": ("analysis", {"sentiment": "up"}, "row 1, column 'sentiment': 'up' is not a sentiment"),
    "confidence": ("analysis", {"confidence": 120}, "row 1, column 'confidence'"),
    "keywords": ("analysis", {"keywords": "수출"}, "row 1, column 'keywords'"),
    "newsId twice": ("analysis", {"newsId": 2}, "row 2, column 'newsId'"),
}


@pytest.mark.parametrize("case", BAD_ITEMS)
def test_one_bad_item_rejects_its_file_and_no_other(case):
    kind, change, problem = BAD_ITEMS[case]
    files = parent_folder.files()
    content = json.loads(files[DAY[kind]])
    (content if kind == "news" else content["newsAnalysis"])[0].update(change)
    files[DAY[kind]] = json.dumps(content).encode()
    parsed = read_parent_folder(parent_folder.zipped(files))
    rejected = {report.file: report.problem for report in parsed.files if report.status == "rejected"}
    assert len(rejected) == 3
    assert problem in rejected[DAY[kind]]
    assert not [found for found in parsed.predictions if "general|2025-03-03" in found.article_key]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    engine = empty_database(tmp_path_factory.mktemp("bad") / "test.db")
    with writing(engine) as session:
        yield session
    engine.dispose()


def count(session: Session) -> int:
    return sum(
        session.exec(select(func.count()).select_from(t)).one() for t in (Article, HumanLabel, Prediction)
    )


def import_table(session, data):
    """Import one table as the program does: read it whole, then store it. Return the rows it gave."""
    run_id = imports.begin_run(session, "labelled", "a.csv", now=NOW)
    try:
        records, report = read_labelled("a.csv", data)
    except InputRejected as problem:
        imports.fail_run(session, run_id, problem=str(problem), now=NOW)
        return 0
    counts = ingest.store_labels(session, records, run_id=run_id, reviewer="import", now=NOW)
    imports.finish_run(session, run_id, counts=counts, files=[report], now=NOW)
    return len(records)


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_leaves_no_row_behind(session, case):
    before = count(session)
    assert import_table(session, BAD_TABLES[case][0]) == 0
    assert count(session) == before


GOOD = table(
    "코스피 상승,긍정,2025-11-03 09:30,neg,0.5",
    '"환율, 하락",부정,,,',
    header="title,label,published_at,predicted,confidence",
)
POSITIONS = st.integers(0, 400)
CHANGES = st.lists(st.tuples(POSITIONS, st.binary(max_size=3), st.booleans()), min_size=1, max_size=4)
QUICK = settings(
    max_examples=80,
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def mutated(data, changes):
    for position, piece, insert in changes:
        at = position % (len(data) + 1)
        data = data[:at] + piece + data[at + (0 if insert else len(piece) or 1) :]
    return data


@QUICK
@given(changes=CHANGES)
def test_a_mutated_table_is_read_whole_or_refused(session, changes):
    before = session.exec(select(func.count()).select_from(HumanLabel)).one()
    given_rows = import_table(session, mutated(GOOD, changes))
    added = session.exec(select(func.count()).select_from(HumanLabel)).one() - before
    assert given_rows <= 3
    assert added <= given_rows


@QUICK
@given(changes=CHANGES)
def test_a_mutated_news_file_is_read_whole_or_rejected(changes):
    good = parent_folder.files()[DAY["news"]]
    content = {DAY["news"]: mutated(good, changes)}
    parsed = read_parent_folder(parent_folder.zipped(content))
    (report,) = parsed.files
    assert report.rows == len(parsed.articles)
    assert (report.status == "read") == (report.problem is None)
