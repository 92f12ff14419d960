"""Labelled tables that are good: what is read, what is assumed, and that it is said."""

import json
from datetime import UTC, datetime

import pytest

from core.domain.types import Family, Flag, Sentiment
from core.errors import InputRejected
from core.sources.tabular import guess_mapping, parse_mapping, preview, read_labelled

HEADER = "title,label,body,published_at,url,source,family,predicted,confidence,model,reviewer\n"
FULL = (
    HEADER + "코스피 상승,긍정,외국인이 샀다.,2025-11-03T09:30:00+09:00,https://news.example/1,"
    "시험일보,general,neutral,71.5,few-shot,kim\n"
)


def read(text, mapping=None, name="labels.csv"):
    return read_labelled(name, text.encode(), mapping)


def test_a_full_row_gives_article_label_and_prediction():
    (record,), report = read(FULL)
    article, prediction = record.article, record.prediction
    assert (article.title, article.body, article.publisher) == ("코스피 상승", "외국인이 샀다.", "시험일보")
    assert article.effective_at == datetime(2025, 11, 3, 0, 30, tzinfo=UTC)
    assert article.key == f"labelled|{article.content_hash}"
    assert (record.sentiment, record.reviewer, record.row) == (Sentiment.POSITIVE, "kim", 2)
    assert (prediction.sentiment, prediction.confidence, prediction.model) == ("neutral", 71.5, "few-shot")
    assert (prediction.article_key, report.rows, report.notes) == (article.key, 1, ())


def test_absent_fields_are_missing_and_nothing_else():
    (record,), _ = read("title,label\n환율 하락,neg\n")
    article = record.article
    assert (article.body, article.url, article.effective_at, article.placeholder) == (None, None, None, False)
    assert (article.family, article.flags, record.prediction) == (Family.GENERAL, (), None)


def test_a_mapping_chooses_the_columns_and_the_rest_is_named():
    mapping = parse_mapping("title=ko, label=tone")
    (record,), report = read("id,ko,en,tone\n1,금리 인하,Rate cut,Positive\n", mapping)
    assert (record.article.title, report.notes) == ("금리 인하", ("Columns not used: id, en",))


def test_a_time_without_a_zone_is_seoul_and_said_so():
    (record,), report = read("title,label,published_at\n제목,pos,2025-11-03 09:30\n")
    assert record.article.effective_at == datetime(2025, 11, 3, 0, 30, tzinfo=UTC)
    assert report.notes == ("1 times without a zone were taken as Asia/Seoul",)


def test_a_bare_date_is_the_end_of_that_day_so_that_no_earlier_close_decides():
    (record,), report = read("title,label,date\n제목,pos,2025.11.3\n")
    assert record.article.effective_at == datetime(2025, 11, 3, 14, 59, 59, tzinfo=UTC)
    assert record.article.flags == (Flag.UNRELIABLE_TIME,)
    assert "end of that day" in report.notes[0]


def test_confidences_that_never_exceed_one_are_shares():
    rows = "title,label,predicted,confidence\na b c,pos,neg,0.9\nd e f,neg,neg,1\ng h i,neg,neg,\n"
    records, report = read(rows)
    assert [record.prediction.confidence for record in records] == [90, 100, None]
    assert "multiplied by 100" in report.notes[0]


def test_one_confidence_above_one_makes_all_of_them_percent():
    records, _ = read("title,label,predicted,confidence\na b c,pos,neg,0.9\nd e f,neg,neg,55\n")
    assert [record.prediction.confidence for record in records] == [0.9, 55]


def test_rows_without_a_prediction_have_none_and_are_counted():
    records, report = read("title,label,predicted\na b,pos,\nc d,neg,neg\n")
    assert [record.prediction is None for record in records] == [True, False]
    assert report.notes == ("1 rows have no prediction",)


@pytest.mark.parametrize("word", ["positive", "POSITIVE", " Pos ", "긍정"])
def test_labels_are_read_in_english_and_korean_and_any_case(word):
    assert read(f"title,label\n제목,{word}\n")[0][0].sentiment == Sentiment.POSITIVE


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bom.csv", b"\xef\xbb\xbf" + "title,label\n코스피 상승,긍정\n".encode()),
        ("cp949.csv", "title,label\n코스피 상승,긍정\n".encode("cp949")),
        ("extended.csv", "title,label\n똠방각하 펲시 상승,긍정\n".encode("cp949")),
        ("crlf.csv", "title,label\r\n코스피 상승,긍정\r\n".encode()),
        ("mac.csv", "title,label\r코스피 상승,긍정\r".encode()),
        ("semicolon.csv", "title;label\n코스피 상승;긍정\n".encode()),
        ("tab.tsv", "title\tlabel\n코스피 상승\t긍정\n".encode()),
        ("quoted.csv", 'title,label\n"코스피, ""상승""\n둘째 줄",긍정\n'.encode()),
        ("blank.csv", "\ntitle,label\n\n코스피 상승,긍정\n,\n".encode()),
        ("korean.csv", "제목,라벨\n코스피 상승,긍정\n".encode()),
        ("lines.jsonl", '{"title": "코스피 상승", "label": "긍정"}\n\n'.encode()),
        ("escaped.jsonl", json.dumps({"title": "코스피 상승 📈", "label": "긍정"}).encode()),
        ("braces.txt", '{"title": "코스피 상승", "label": "긍정", "body": null}'.encode()),
        ("signs.csv", "title,label\n코스피 ····“상승”…… ‘±3’ 中企 “……””,긍정\n".encode()),
        ("latin.csv", "title,label\nCafé Zürich naïve façade – Sección,pos\n".encode()),
        ("emoji.csv", "title,label\n코스피 👍🏽 상승,긍정\n".encode()),
    ],
)
def test_good_tables_are_accepted(name, data):
    (record,), report = read_labelled(name, data)
    assert record.sentiment == Sentiment.POSITIVE
    assert report.status == "read"


def test_cp949_is_said_in_the_notes():
    _, report = read_labelled("a.csv", "title,label\n코스피 상승,긍정\n".encode("cp949"))
    assert report.notes == ("The file was read as CP949",)


def test_rows_are_counted_as_an_editor_shows_them():
    records, _ = read('title,label\n"두 줄\n제목",pos\n\n다음,neg\n')
    assert [record.row for record in records] == [2, 5]


def test_a_preview_shows_the_head_and_guesses_the_columns():
    seen = preview("a.csv", ("제목,감성,기타\n" + "가,긍정,x\n" * 50).encode(), rows=3)
    assert seen.columns == ("제목", "감성", "기타")
    assert seen.rows == (("가", "긍정", "x"),) * 3
    assert seen.mapping == {"title": "제목", "label": "감성"}


def test_the_first_column_of_a_usual_name_is_guessed():
    assert guess_mapping(["Headline", "title", "SENTIMENT", "other"]) == {
        "title": "title",
        "label": "SENTIMENT",
    }


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("", "the field 'title' is missing"),
        ("title=a", "the field 'label' is missing"),
        ("title=a,label", "'label' is not FIELD=COLUMN"),
        ("title=a,label=b,colour=c", "there is no field 'colour'"),
        ("title=a,title=b,label=c", "given twice"),
    ],
)
def test_a_mapping_that_says_nothing_is_refused(written, problem):
    with pytest.raises(InputRejected, match=problem):
        parse_mapping(written)
