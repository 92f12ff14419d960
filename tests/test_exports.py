"""Dataset versions as files: the plan's shape, checksums, and nothing half-written."""

import csv
import io
import json
import os
import zipfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from core.db import writing
from core.domain.policy import Policy
from core.domain.training_format import unguard_formula
from core.domain.types import Balance, SplitMethod, Target
from core.errors import NotFound, Refused
from core.models import Article, HumanLabel, ModelVersion, Outcome, Prediction
from core.services import exports
from core.services.datasets import build_dataset
from core.services.exports import export_dataset, export_zip
from tests.conftest import agree

NOW = datetime(2026, 1, 5, tzinfo=UTC)
POLICY = Policy()
CLASSES = ("positive", "neutral", "negative")
OPENAI = {"fmt": "openai", "now": NOW}
GEMINI = {"fmt": "gemini", "now": NOW}
CSV = {"fmt": "csv", "now": NOW}


@pytest.fixture
def session(app):
    """60 labelled articles, six a day; the few-shot model is right about the even ones."""
    with writing(app.engine) as session:
        model = ModelVersion(
            name="few-shot", kind="few_shot", provider="imported", base_model="b", created_at=NOW
        )
        session.add(model)
        for i in range(60):
            at = datetime(2025, 11, 3, 1, tzinfo=UTC) + timedelta(days=i // 6, minutes=i % 6)
            article = Article(
                key=f"k{i:03}",
                family="general",
                origin="labelled",
                title=f"=금리 동결 {i}",
                body=None if i % 5 == 0 else f"본문 {i}\u2028둘째 줄",
                content_hash=str(i),
                effective_at=at,
                created_at=NOW,
            )
            session.add(article)
            session.flush()
            label = CLASSES[i % 3]
            session.add(HumanLabel(article_id=article.id, sentiment=label, reviewer="kim", created_at=NOW))
            session.add(
                Prediction(
                    article_id=article.id,
                    model_id=model.id,
                    sentiment=label if i % 2 == 0 else CLASSES[(i + 1) % 3],
                    confidence=91,
                    keywords=["기준금리"],
                    rationale="금리가 그대로다",
                    created_at=NOW,
                )
            )
            session.add(
                Outcome(
                    article_id=article.id,
                    state="matured",
                    session=at.date(),
                    opens_after=at - timedelta(days=1, minutes=i % 6),
                    closes_at=at - timedelta(minutes=i % 6),
                    return_pct=-1.82,
                    direction="negative",
                    decided_at=NOW,
                )
            )
        agree(session)
        yield session


def built(session, **recipe):
    return build_dataset(session, POLICY, now=NOW, **({"target": Target.SENTIMENT} | recipe)).id


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def table(path):
    text = path.read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_each_part_is_a_file_and_the_manifest_vouches_for_them(session, tmp_path):
    manifest = export_dataset(session, POLICY, built(session), out=tmp_path / "out", **OPENAI)
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(files) == ["manifest.json", "test.jsonl", "train.jsonl", "validation.jsonl"]
    assert json.loads(files.pop("manifest.json")) == manifest
    assert {name: sha256(content).hexdigest() for name, content in files.items()} == {
        name: entry["sha256"] for name, entry in manifest["files"].items()
    }
    assert manifest["files"]["train.jsonl"]["classes"] == {"positive": 16, "neutral": 16, "negative": 16}
    assert manifest["files"]["test.jsonl"]["rows"] == 6
    assert manifest["template"]["system"] == POLICY.system_prompt


def test_a_line_has_the_shape_of_the_plan_with_korean_as_it_is(session, tmp_path):
    export_dataset(session, POLICY, built(session), out=tmp_path, **OPENAI)
    example = lines(tmp_path / "train.jsonl")[2]
    assert [message["role"] for message in example["messages"]] == ["system", "user", "assistant"]
    assert example["messages"][1]["content"] == "제목: =금리 동결 2\n본문: 본문 2\u2028둘째 줄"
    assert example["messages"][2]["content"] == (
        '{"sentiment":"negative","confidence":91,"keywords":["기준금리"],"reason":"금리가 그대로다"}'
    )
    assert "금리" in (tmp_path / "train.jsonl").read_text("utf-8")


def test_every_reader_sees_one_example_a_line(session, tmp_path):
    export_dataset(session, POLICY, built(session), out=tmp_path, **OPENAI)
    assert len((tmp_path / "train.jsonl").read_text("utf-8").splitlines()) == 48


def test_a_gemini_line_says_in_googles_shape_what_an_openai_line_says(session, tmp_path):
    dataset_id = built(session)
    export_dataset(session, POLICY, dataset_id, out=tmp_path / "openai", **OPENAI)
    manifest = export_dataset(session, POLICY, dataset_id, out=tmp_path / "gemini", **GEMINI)
    assert manifest["format"] == "gemini"
    for part in ("train", "validation", "test"):
        theirs = lines(tmp_path / "gemini" / f"{part}.jsonl")
        assert [
            [
                line["systemInstruction"]["parts"][0]["text"],
                *(t["parts"][0]["text"] for t in line["contents"]),
            ]
            for line in theirs
        ] == [
            [message["content"] for message in line["messages"]]
            for line in lines(tmp_path / "openai" / f"{part}.jsonl")
        ]
        assert {tuple(turn["role"] for turn in line["contents"]) for line in theirs} == {("user", "model")}


def test_every_reader_sees_one_gemini_example_a_line(session, tmp_path):
    export_dataset(session, POLICY, built(session), out=tmp_path, **GEMINI)
    assert len((tmp_path / "train.jsonl").read_text("utf-8").splitlines()) == 48


def test_an_article_without_a_body_has_no_line_for_it(session, tmp_path):
    export_dataset(session, POLICY, built(session), out=tmp_path, **OPENAI)
    assert lines(tmp_path / "train.jsonl")[0]["messages"][1]["content"] == "제목: =금리 동결 0"


def test_a_prediction_that_disagreed_lends_nothing_to_the_answer(session, tmp_path):
    export_dataset(session, POLICY, built(session), out=tmp_path, **OPENAI)
    answer = json.loads(lines(tmp_path / "train.jsonl")[1]["messages"][2]["content"])
    assert answer == {"sentiment": "neutral", "confidence": 85, "keywords": ["금리", "동결"]}


def test_a_market_label_without_a_reason_of_its_own_is_explained_by_the_outcome(session, tmp_path):
    dataset_id = built(session, target=Target.DIRECTION)
    export_dataset(session, POLICY, dataset_id, out=tmp_path, **OPENAI)
    answers = [json.loads(line["messages"][2]["content"]) for line in lines(tmp_path / "train.jsonl")]
    assert {answer["sentiment"] for answer in answers} == {"negative"}
    assert answers[0]["reason"] == "KOSPI·KOSDAQ 평균 -1.82 %"


def test_a_csv_opens_in_a_spreadsheet_and_runs_nothing(session, tmp_path):
    export_dataset(session, POLICY, built(session), out=tmp_path, **CSV)
    assert (tmp_path / "train.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    row = table(tmp_path / "train.csv")[1]
    assert row["title"] == "'=금리 동결 1"
    assert unguard_formula(row["title"]) == "=금리 동결 1"
    assert row["published_at"] == "2025-11-03T01:01:00+00:00"
    assert (row["key"], row["label"], row["split"], row["weight"]) == ("k001", "neutral", "train", "1")


def test_a_market_table_names_the_day_whose_move_the_rows_share(session, tmp_path):
    export_dataset(session, POLICY, built(session, target=Target.DIRECTION), out=tmp_path, **CSV)
    assert table(tmp_path / "test.csv")[0]["market_day"] == "general|2025-11-12"


def test_both_formats_share_a_folder_and_strange_files_stay(session, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for fmt in ("openai", "csv"):
        export_dataset(session, POLICY, built(session), fmt=fmt, out=tmp_path, now=NOW)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"notes.txt", "train.csv", "train.jsonl", "manifest.json"} <= names


def test_exporting_again_gives_the_same_bytes(session, tmp_path):
    dataset_id = built(session)
    export_dataset(session, POLICY, dataset_id, out=tmp_path / "a", **OPENAI)
    export_dataset(session, POLICY, dataset_id, out=tmp_path / "b", **OPENAI)
    assert all(
        (tmp_path / "b" / path.name).read_bytes() == path.read_bytes() for path in (tmp_path / "a").iterdir()
    )


def test_a_disk_that_refuses_leaves_the_former_export_as_it_was(session, tmp_path, monkeypatch):
    out = tmp_path / "out"
    export_dataset(session, POLICY, built(session), out=out, **OPENAI)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full_disk(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    dataset_id = built(session, split_method=SplitMethod.STRATIFIED)
    with pytest.raises(Refused, match="No space left"):
        export_dataset(session, POLICY, dataset_id, out=out, **OPENAI)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_the_zip_holds_the_same_files(session, tmp_path):
    dataset_id = built(session)
    export_dataset(session, POLICY, dataset_id, out=tmp_path / "out", **CSV)
    with zipfile.ZipFile(io.BytesIO(export_zip(session, POLICY, dataset_id, **CSV))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()
        }


def codes(manifest):
    return {warning["code"]: warning for warning in manifest["warnings"]}


def test_a_small_export_warns_and_is_written_all_the_same(session, tmp_path):
    manifest = export_dataset(session, POLICY, built(session), out=tmp_path, **OPENAI)
    assert codes(manifest)["BELOW_GOAL"] == {
        "code": "BELOW_GOAL",
        "n": 60,
        "goal": 500,
        "sentence": "60 samples are below the 500 that the plan asks for.",
    }


def test_fewer_training_rows_than_the_vendor_takes_are_pointed_out(session, tmp_path):
    few = Policy(train_share=0.1, validation_share=0.1)
    dataset_id = build_dataset(session, few, target=Target.SENTIMENT, now=NOW).id
    manifest = export_dataset(session, few, dataset_id, out=tmp_path, **OPENAI)
    assert codes(manifest)["BELOW_VENDOR_MINIMUM"]["n"] == 6


def test_class_weights_that_chat_messages_cannot_carry_are_pointed_out(session, tmp_path):
    session.add(HumanLabel(article_id=1, sentiment="neutral", reviewer="lee", created_at=NOW))
    agree(session)
    dataset_id = built(session, balance=Balance.CLASS_WEIGHTS)
    assert "WEIGHTS_NOT_IN_FILE" in codes(export_dataset(session, POLICY, dataset_id, out=tmp_path, **OPENAI))
    assert "WEIGHTS_NOT_IN_FILE" in codes(export_dataset(session, POLICY, dataset_id, out=tmp_path, **GEMINI))
    manifest = export_dataset(session, POLICY, dataset_id, out=tmp_path, **CSV)
    assert "WEIGHTS_NOT_IN_FILE" not in codes(manifest)


def test_a_gemini_export_warns_of_googles_bounds_and_not_of_openais(session, tmp_path):
    manifest = export_dataset(session, POLICY, built(session), out=tmp_path / "a", **GEMINI)
    assert codes(manifest)["BELOW_VENDOR_ADVICE"] == {
        "code": "BELOW_VENDOR_ADVICE",
        "n": 48,
        "advised": 100,
        "sentence": "48 training samples are below the 100 that Google advises for tuning on Vertex.",
    }
    few = Policy(train_share=0.1, validation_share=0.1)
    dataset_id = build_dataset(session, few, target=Target.SENTIMENT, now=NOW).id
    manifest = export_dataset(session, few, dataset_id, out=tmp_path / "b", **GEMINI)
    assert "BELOW_VENDOR_MINIMUM" not in codes(manifest)


def test_more_validation_samples_than_vertex_takes_are_pointed_out(session, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "VALIDATION_LIMIT", 5)
    manifest = export_dataset(session, POLICY, built(session), out=tmp_path / "a", **GEMINI)
    assert codes(manifest)["ABOVE_VALIDATION_LIMIT"]["n"] == 6
    manifest = export_dataset(session, POLICY, built(session), out=tmp_path / "b", **OPENAI)
    assert "ABOVE_VALIDATION_LIMIT" not in codes(manifest)


def test_an_unknown_version_or_format_is_refused_with_a_way_on(session, tmp_path):
    with pytest.raises(NotFound, match="'99'"):
        export_dataset(session, POLICY, 99, out=tmp_path, **OPENAI)
    with pytest.raises(Refused, match="openai, gemini, csv"):
        export_dataset(session, POLICY, built(session), fmt="parquet", out=tmp_path, now=NOW)
