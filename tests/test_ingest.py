"""Storing what was read: once, whole, and in the right place."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlmodel import func, select

from core.db import writing
from core.domain.records import MarketRecord
from core.domain.types import Instrument, MarketSource
from core.errors import NotFound, Refused
from core.models import AccuracyLog, Article, HumanLabel, ImportRun, MarketDay, ModelVersion, Prediction
from core.services import imports, ingest
from core.sources.ai_news_trader import read_parent_folder
from core.sources.tabular import read_labelled
from tests import parent_folder
from tests.conftest import empty_database

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def session(tmp_path):
    engine = empty_database(tmp_path / "test.db")
    with writing(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def run_id(session):
    return imports.begin_run(session, "ai-news-trader", "data", runner="here:1", now=NOW)


def store_folder(session, run_id, files=None):
    parsed = read_parent_folder(parent_folder.zipped(files))
    return ingest.store_parent(session, parsed, run_id=run_id, now=NOW)


def store_table(session, run_id, text):
    records, _ = read_labelled("labels.csv", text.encode())
    return ingest.store_labels(session, records, run_id=run_id, reviewer="import", now=NOW)


def count(session, table):
    return session.exec(select(func.count()).select_from(table)).one()


def test_a_folder_is_stored_with_its_predictions_under_one_model(session, run_id):
    counts = store_folder(session, run_id)
    new = {name: counts[f"{name}_new"] for name in ("articles", "predictions", "market", "accuracy")}
    assert new == {"articles": 10, "predictions": 7, "market": 9, "accuracy": 1}
    assert (counts["files_read"], counts["files_rejected"], counts["files_ignored"]) == (12, 2, 4)
    (model,) = session.exec(select(ModelVersion)).all()
    assert (model.id, model.kind, model.provider) == (counts["model_ids"][0], "few_shot", "imported")
    assert model.name == "AI News Trader few-shot (Gemini)"
    assert session.exec(select(AccuracyLog.file_date)).all() == [date(2025, 3, 3)]


def test_every_row_carries_the_import_that_brought_it(session, run_id):
    store_folder(session, run_id)
    for table in (Article, Prediction, MarketDay, AccuracyLog):
        assert set(session.exec(select(table.import_id))) == {run_id}


def test_importing_a_folder_again_adds_nothing_and_says_so(session, run_id):
    first = store_folder(session, run_id)
    second = store_folder(session, run_id)
    assert {
        value for name, value in second.items() if name.endswith(("_new", "_changed", "_conflicting"))
    } <= {
        0,
        second["labels_changed"],
    }
    assert second["model_ids"] == first["model_ids"]
    assert count(session, Article) == 10


def test_a_text_that_changed_under_the_same_key_stays_as_first_seen(session, run_id):
    store_folder(session, run_id)
    files = parent_folder.files()
    name = "news/news-2025-03-05.json"
    files[name] = files[name].replace("하루치 분석이 없다.".encode(), "다른 기사다.".encode())
    counts = store_folder(session, run_id, files)
    assert (counts["articles_new"], counts["articles_conflicting"]) == (0, 1)
    assert "다른 기사다." not in session.exec(select(Article.body)).all()


def test_a_later_folder_adds_the_flags_that_it_reveals(session, run_id):
    files = parent_folder.files()
    later = {name: files.pop(name) for name in list(files) if name.startswith("analysis/")}
    store_folder(session, run_id, files)
    counts = store_folder(session, run_id, files | later)
    assert (counts["articles_new"], counts["predictions_new"]) == (0, 5)
    flags = session.exec(
        select(Article.flags).where(Article.key == "ai-news-trader|general|2025-03-04|1")
    ).one()
    assert flags == ["TRUNCATED", "DATE_MISMATCH", "LABEL_CHANGED"]


def test_labels_and_predictions_of_a_table_are_stored_by_model(session, run_id):
    text = "title,label,predicted,model\na b c,pos,neg,\nd e f,neg,neg,m\n"
    counts = store_table(session, run_id, text)
    assert (counts["articles_new"], counts["labels_new"], counts["predictions_new"]) == (2, 2, 2)
    names = session.exec(select(ModelVersion.name).order_by(ModelVersion.name)).all()
    assert names == ["imported predictions", "m"]
    assert set(session.exec(select(HumanLabel.reviewer))) == {"import"}
    assert store_table(session, run_id, text) | {"model_ids": []} == counts | {
        "articles_new": 0,
        "labels_new": 0,
        "predictions_new": 0,
        "model_ids": [],
    }


def test_a_row_with_a_stored_url_labels_the_newest_scrape_of_that_article(session, run_id):
    store_folder(session, run_id)
    counts = store_table(session, run_id, "title,label,url\nother words,neg,https://news.example/export\n")
    assert (counts["articles_new"], counts["labels_new"]) == (0, 1)
    labelled = session.exec(select(Article.key).join(HumanLabel, HumanLabel.article_id == Article.id)).one()
    assert labelled == "ai-news-trader|general|2025-03-04|1"


def test_a_row_with_a_stored_text_labels_that_article(session, run_id):
    store_folder(session, run_id)
    counts = store_table(
        session, run_id, "title,label,body\n코인  거래소 소식,pos,거래소가 수수료를 내렸다.\n"
    )
    assert (counts["articles_new"], counts["labels_new"]) == (0, 1)


def test_rows_of_one_file_about_one_article_meet_there(session, run_id):
    url = "https://news.example/x"
    text = f"title,label,url,reviewer\nfirst words,pos,{url},kim\nsecond words,neg,{url},lee\nFIRST  words,pos,,lee\n"
    counts = store_table(session, run_id, text)
    assert (counts["rows"], counts["articles"], counts["articles_new"], counts["labels_new"]) == (3, 1, 1, 3)


def test_a_prediction_that_differs_from_the_first_is_counted_and_left_out(session, run_id):
    store_table(session, run_id, "title,label,predicted\na b c,pos,neg\n")
    counts = store_table(session, run_id, "title,label,predicted\na b c,pos,pos\n")
    assert (counts["predictions_new"], counts["predictions_conflicting"]) == (0, 1)
    assert session.exec(select(Prediction.sentiment)).all() == ["negative"]


def test_imported_predictions_never_join_a_model_of_our_own(session, run_id):
    own = ModelVersion(name="m", kind="fine_tuned", provider="local", base_model="b", created_at=NOW)
    session.add(own)
    session.commit()
    store_table(session, run_id, "title,label,predicted,model\na b c,pos,neg,m\n")
    assert session.exec(select(Prediction.model_id)).one() != own.id
    assert "m (imported)" in session.exec(select(ModelVersion.name)).all()


def close(value, day=date(2025, 3, 3), source=MarketSource.BACKFILL_CLOSE):
    return MarketRecord(day, Instrument.BTC, source, close=value)


def test_a_back_fill_stands_beside_the_original_and_a_new_value_replaces_only_its_own(session, run_id):
    store_folder(session, run_id)
    store = [
        ingest.store_market(session, [close(value)], run_id=run_id, now=NOW) for value in (90_000.0, 91_000.0)
    ]
    assert store[0] == {"market": 1, "market_new": 1, "market_changed": 0}
    assert store[1] == {"market": 1, "market_new": 0, "market_changed": 1}
    query = select(MarketDay.source, MarketDay.close, MarketDay.return_pct)
    rows = session.exec(query.where(MarketDay.day == date(2025, 3, 3), MarketDay.instrument == "btc")).all()
    assert set(map(tuple, rows)) == {("parent", None, 1.25), ("backfill-close", 91_000.0, None)}


def test_the_parents_own_number_is_replaced_only_by_a_later_collection(session, run_id):
    store_folder(session, run_id)
    name = "market/market-2025-03-03.json"
    files = parent_folder.files()
    files[name] = files[name].replace(b"1.25", b"2.5")
    older = files | {name: files[name].replace(b"T11:00", b"T10:00")}
    assert store_folder(session, run_id, older)["market_changed"] == 0
    assert store_folder(session, run_id, files)["market_changed"] == 1


def test_a_close_of_the_future_is_refused_and_nothing_is_stored(session, run_id):
    with pytest.raises(Refused, match="2026-01-06 is not known on 2026-01-05"):
        ingest.store_market(session, [close(1.0), close(1.0, date(2026, 1, 6))], run_id=run_id, now=NOW)
    session.rollback()
    assert count(session, MarketDay) == 0


def test_an_import_is_recorded_from_its_beginning_to_its_end(session, run_id):
    imports.note_step(session, run_id, "Reading")
    assert session.get(ImportRun, run_id).step == "Reading"
    parsed = read_parent_folder(parent_folder.zipped())
    imports.finish_run(session, run_id, counts={"articles": 10}, files=parsed.files, now=NOW)
    session.expire_all()
    run = session.get(ImportRun, run_id)
    assert (run.status, run.step, run.counts, len(run.files)) == ("succeeded", "", {"articles": 10}, 18)
    assert run.files[0]["status"] == "read"


def test_a_failed_import_keeps_its_sentence(session, run_id):
    imports.fail_run(session, run_id, problem="a.csv: the file is empty. Choose another.", now=NOW)
    run = session.get(ImportRun, run_id)
    assert (run.status, run.step) == ("failed", "a.csv: the file is empty. Choose another.")
    with pytest.raises(NotFound):
        imports.note_step(session, 99, "Reading")


STORE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from core.db import open_engine, writing
from core.services import imports, ingest
from core.sources.ai_news_trader import read_parent_folder
from core.sources.tabular import read_labelled
url, folder, table = sys.argv[1:]
now = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
parsed = read_parent_folder(Path(folder))
records, _ = read_labelled("labels.csv", Path(table).read_bytes())
with writing(open_engine(url)) as session:
    run_id = imports.begin_run(session, "ai-news-trader", "data", now=now)
    first = ingest.store_parent(session, parsed, run_id=run_id, now=now)
    second = ingest.store_labels(session, records, run_id=run_id, reviewer="import", now=now)
print(first["articles_new"], first["predictions_new"], second["labels_new"], second["articles_new"])
"""


def test_two_processes_that_import_the_same_add_each_row_once(session, tmp_path):
    folder = parent_folder.write(tmp_path / "folder")
    table = tmp_path / "labels.csv"
    table.write_text("title,label\n" + "".join(f"headline number {i},pos\n" for i in range(500)))
    url = str(session.get_bind().url)
    command = [sys.executable, "-c", STORE, url, str(folder), str(table)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=60)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert [sum(map(int, column)) for column in zip(*printed, strict=True)] == [10, 7, 500, 500]
    assert (count(session, Article), count(session, HumanLabel), count(session, Prediction)) == (510, 500, 7)
    assert count(session, ModelVersion) == 1
