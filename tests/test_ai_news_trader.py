"""The parent's data folder: joined, flagged, reported, and never half read."""

from collections import Counter
from datetime import UTC, date, datetime
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from core.domain.records import FileStatus
from core.domain.types import Family, Flag, Instrument, MarketSource, Sentiment
from core.errors import InputRejected
from core.sources.ai_news_trader import read_parent_folder
from core.sources.parent_files import effective_time
from tests import parent_folder


@pytest.fixture
def parsed(tmp_path):
    return read_parent_folder(parent_folder.write(tmp_path))


def article(parsed, key):
    return next(found for found in parsed.articles if found.key == f"ai-news-trader|{key}")


def report(parsed, name):
    return next(found for found in parsed.files if found.file == name)


def test_everything_usable_is_read(parsed):
    assert len(parsed.articles) == 10
    assert len(parsed.predictions) == 7
    assert len(parsed.market) == 9
    assert [record.file_date for record in parsed.accuracy] == [date(2025, 3, 3)]
    assert Counter(report.status for report in parsed.files) == {"read": 12, "rejected": 2, "ignored": 4}


def test_ids_join_within_one_file_date_and_family_only(parsed):
    said = {
        found.article_key.removeprefix("ai-news-trader|"): found.sentiment for found in parsed.predictions
    }
    assert said["general|2025-03-03|1"] == Sentiment.POSITIVE
    assert said["general|2025-03-04|1"] == Sentiment.NEGATIVE
    assert said["crypto|2025-03-04|2"] == Sentiment.NEGATIVE


def test_a_failed_analysis_is_discarded_and_counted_but_its_article_stays(parsed):
    assert parsed.discarded_predictions == 1
    assert article(parsed, "general|2025-03-03|4")
    assert "1 failed analyses were discarded" in report(parsed, "analysis/analysis-2025-03-03.json").notes


def test_a_placeholder_body_is_marked_and_an_empty_one_is_not(parsed):
    assert [found.external_id for found in parsed.articles if found.placeholder] == [2]


def test_the_file_name_counts_where_the_date_inside_differs(parsed):
    flagged = {found.file_date for found in parsed.articles if Flag.DATE_MISMATCH in found.flags}
    assert flagged == {date(2025, 3, 4)}
    assert report(parsed, "market/market-2025-03-05.json").notes == (
        "The date inside is 2025-03-04; the file name's 2025-03-05 counts",
    )


def test_crypto_news_counts_from_its_scrape_and_is_flagged(parsed):
    coin = article(parsed, "crypto|2025-03-04|2")
    assert coin.effective_at == coin.scraped_at == datetime(2025, 3, 4, 4, tzinfo=UTC)
    assert Flag.UNRELIABLE_TIME in coin.flags


def test_news_published_after_its_scrape_is_moved_back_nine_hours(parsed):
    shifted = article(parsed, "general|2025-03-03|4")
    assert shifted.published_at == datetime(2025, 3, 3, 10, tzinfo=UTC)
    assert shifted.effective_at == datetime(2025, 3, 3, 1, tzinfo=UTC)
    assert shifted.flags == (Flag.TIME_SHIFTED,)


def test_a_shift_beyond_nine_hours_falls_back_to_the_scrape():
    scraped, published = datetime(2025, 3, 3, tzinfo=UTC), datetime(2025, 3, 4, tzinfo=UTC)
    assert effective_time(Family.GENERAL, published, scraped) == (
        scraped,
        (Flag.TIME_SHIFTED, Flag.UNRELIABLE_TIME),
    )


def test_image_remnants_are_cleaned_and_other_brackets_kept(parsed):
    coin, cast = article(parsed, "crypto|2025-03-04|1"), article(parsed, "general|2025-03-03|3")
    assert (coin.body, Flag.HTML_REMNANT in coin.flags) == ("ETF 자금이 들어왔다.", True)
    assert (cast.body, cast.flags) == ("<경제 방송> 중앙은행이 금리를 묶었다.", (Flag.NOT_NFC,))


def test_the_newest_scrape_of_a_url_remembers_that_its_label_changed(parsed):
    changed = [found.key for found in parsed.articles if Flag.LABEL_CHANGED in found.flags]
    assert changed == ["ai-news-trader|general|2025-03-04|1"]
    assert parsed.changed_labels == 1
    assert any(
        note.startswith("2 articles came before under the same URL, 1 with")
        for note in report(parsed, "news/news-2025-03-04.json").notes
    )


def test_partners_that_are_missing_are_reported(parsed):
    notes = {name: " ".join(report(parsed, name).notes) for name in (found.file for found in parsed.files)}
    assert "1 articles have no prediction" in notes["news/news-2025-03-04.json"]
    assert "1 predictions name an id" in notes["analysis/analysis-2025-03-04.json"]
    assert "no predictions" in notes["news/news-2025-03-05.json"]
    assert "were left out" in notes["analysis/analysis-2025-03-06.json"]


def test_market_numbers_stay_as_given_and_absent_ones_stay_missing(parsed):
    given = {(found.day, found.instrument): found.return_pct for found in parsed.market}
    assert given[date(2025, 3, 3), Instrument.ETH] == -1
    assert given[date(2025, 3, 4), Instrument.KOSPI] == 0
    assert (date(2025, 3, 5), Instrument.ETH) not in given
    assert {found.source for found in parsed.market} == {MarketSource.PARENT}


def test_a_broken_file_is_rejected_alone_and_named(parsed):
    broken = report(parsed, "market/market-2025-03-06.json")
    assert (broken.status, broken.rows) == (FileStatus.REJECTED, 0)
    assert "market-2025-03-06.json, row 1: the JSON is broken or cut off" in broken.problem
    assert "is not a date" in report(parsed, "market/market-2025-13-40.json").problem


def test_what_is_no_data_is_ignored_and_says_why(parsed):
    ignored = {found.file: found.notes[0] for found in parsed.files if found.status == FileStatus.IGNORED}
    assert set(ignored) == {
        "backup.tar",
        "error-logs/error-2025-03-03.log",
        "learning/learning-data.json",
        "news/notes.txt",
    }
    assert "without title or body" in ignored["learning/learning-data.json"]


def test_a_zip_and_a_folder_above_give_the_same(parsed, tmp_path):
    parent_folder.write(tmp_path / "up" / "app" / "data")
    assert read_parent_folder(tmp_path / "up") == parsed
    assert read_parent_folder(parent_folder.zipped(prefix="app/data/"), "data.zip") == parsed


def test_progress_is_told_file_by_file():
    told = []
    read_parent_folder(parent_folder.zipped(), on_progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 18) for done in range(1, 19)]


def test_half_a_character_before_the_cut_is_dropped():
    day = "news/news-2025-03-03.json"
    body = b'"content": "' + b"x" * 299 + b'\\ud83d..."'
    data = parent_folder.files()[day].replace(
        b'"content": "\xeb\xb3\xb8\xeb\xac\xb8', body + b', "other": "', 1
    )
    parsed = read_parent_folder(parent_folder.zipped({day: data}))
    assert article(parsed, "general|2025-03-03|2").body == "x" * 299 + "..."


def archive_of(*members):
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


NEWS = "news/news-2025-03-03.json"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (b"", "neither a folder nor a zip"),
        (b"title,label\na,positive\n", "neither a folder nor a zip"),
        (b"PK\x03\x04 and then nothing", "damaged or cut off"),
        (parent_folder.zipped()[:-400], "damaged or cut off"),
        (archive_of(("readme.txt", b"x")), "no file of a known kind"),
        (archive_of(("learning/learning-data.json", b"{}")), "no file of a known kind"),
        (archive_of((NEWS, b"[]"), ("../../etc/news.json", b"[]")), "leads out of the archive"),
        (archive_of((NEWS, b"[]"), ("/etc/news.json", b"[]")), "leads out of the archive"),
        (archive_of((NEWS, b"[]"), ("a\\..\\b.json", b"[]")), "leads out of the archive"),
        (archive_of((NEWS, b"0" * 3_000_000)), "inflates to"),
        (archive_of(("a/" + NEWS, b"[]"), ("b/" + NEWS, b"[]")), "several data folders: a, b"),
    ],
)
def test_an_archive_that_cannot_be_used_is_refused_with_a_sentence(source, problem):
    with pytest.raises(InputRejected, match=problem):
        read_parent_folder(source, "data.zip")


def test_a_wrong_folder_is_refused_naming_what_was_expected(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputRejected, match=r"news/news-YYYY-MM-DD\.json"):
        read_parent_folder(tmp_path)


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InputRejected, match="no such file or folder"):
        read_parent_folder(tmp_path / "nowhere")
