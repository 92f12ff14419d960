"""The command line: the whole loop as a person would type it, and its exit codes."""

import json
import subprocess
import sys

import pytest

from core.cli import main
from core.settings import ROOT
from tests import parent_folder

WORDS = {
    "positive": ("surge", "record", "growth", "beat"),
    "neutral": ("meeting", "schedule", "notice", "report"),
    "negative": ("plunge", "loss", "default", "strike"),
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command with --json and returns (exit code, object, standard error)."""
    monkeypatch.setenv("NEWSTUNE_DATA_DIR", str(tmp_path / "data folder"))
    monkeypatch.delenv("NEWSTUNE_DATABASE_URL", raising=False)

    def command(*arguments):
        code = main([*map(str, arguments), "--json"])
        captured = capsys.readouterr()
        return code, json.loads(captured.out), captured.err

    return command


@pytest.fixture
def done(run):
    """The same, for commands that must succeed; returns the object."""

    def command(*arguments):
        code, result, err = run(*arguments)
        assert code == 0, err
        return result

    return command


@pytest.fixture
def table(tmp_path):
    """A labelled table of 240 rows with dates and predictions that are always positive."""
    lines = ["headline,gold,at,guess,sure"]
    for i in range(240):
        label = list(WORDS)[i % 3]
        word = WORDS[label][i // 3 % 4]
        at = f"2025-0{1 + i // 60}-{1 + i % 28:02d} 09:00"
        lines.append(f"Company {i * 37} sees {word} in unit {i},{label},{at},positive,70")
    path = tmp_path / "labelled rows.csv"
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    return path


MAPPING = "title=headline,label=gold,published_at=at,predicted=guess,confidence=sure"


def test_the_whole_loop_from_a_table_to_an_answer(done, table, tmp_path):
    imported = done("import", table, "--kind", "labelled", "--map", MAPPING)
    assert (imported["articles_new"], imported["labels_new"], imported["predictions_new"]) == (240, 240, 240)
    few_shot = imported["model_ids"][0]
    funnel = done("funnel")
    assert funnel["verified_by_target"] == {"sentiment": 240, "direction": 0}

    dataset = done("dataset", "build")
    assert (dataset["target"], sum(dataset["counts"]["train"].values()) > 150) == ("sentiment", True)
    manifest = done("dataset", "export", dataset["id"], "--out", tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").is_file()
    assert manifest["dataset_sha256"] == dataset["sha256"]

    model = done("train", "--provider", "local", "--dataset", dataset["id"])["model_id"]
    report = done("evaluate", "--model", model, "--dataset", dataset["id"], "--split", "test")
    low, high = report["accuracy_interval"]
    assert low <= report["accuracy"] <= high
    assert report["accuracy"] > 0.9  # four words a class: a working pipeline cannot miss them
    scored = done("evaluate", "--model", model, "--file", table, "--map", "title=headline,label=gold")
    assert scored["n"] == 240

    verdict = done("compare", "--champion", few_shot, "--challenger", model, "--dataset", dataset["id"])
    assert (verdict["verdict"], verdict["sentence"] != "") == ("better", True)
    done("promote", model, "--target", "sentiment", "--reason", "better on the test part")
    answer = done("predict", "--title", "Company 5 sees plunge in unit 9")
    assert (answer["sentiment"], 1 <= len(answer["keywords"]) <= 5) == ("negative", True)


def test_importing_the_parents_folder_twice_adds_nothing_and_changes_no_byte_of_the_funnel(done, tmp_path):
    folder = parent_folder.write(tmp_path / "parent")
    first = done("import", folder)
    before = json.dumps(done("funnel"))
    again = done("import", folder)
    assert first["articles_new"] > 0
    assert {key: n for key, n in again.items() if key.endswith("_new") and n} == {}
    assert json.dumps(done("funnel")) == before


def test_a_refusal_is_one_sentence_and_exit_code_1(run, tmp_path):
    code, result, err = run("import", tmp_path / "nowhere")
    assert (code, "nowhere" in result["error"], "Traceback" in err) == (1, True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--model", 9, "--dataset", 9),
        ("train", "--dataset", 9),
        ("dataset", "export", 9, "--out", "x"),
        ("dataset", "build"),
        ("compare", "--champion", 1, "--challenger", 2, "--dataset", 1),
        ("promote", 9, "--target", "sentiment", "--reason", "x"),
        ("rollback", "--target", "sentiment", "--reason", "x"),
        ("predict", "--title", "x"),
        ("predict", "--title", " "),
    ],
)
def test_what_an_empty_database_cannot_do_is_refused(run, arguments):
    code, result, _ = run(*arguments)
    assert (code, result["error"].endswith(".")) == (1, True)


@pytest.mark.parametrize("arguments", [("fly",), ("train",), ("promote", "x"), ("dataset",)])
def test_wrong_usage_is_exit_code_2(arguments):
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    assert exit_.value.code == 2


def test_a_command_run_by_itself_prints_one_object_and_keeps_logs_off_standard_output(tmp_path):
    environment = {"NEWSTUNE_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-m", "core", "--json", "models"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, {"models": []})


def test_people_get_lines_instead_of_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NEWSTUNE_DATA_DIR", str(tmp_path))
    assert main(["funnel"]) == 0
    assert "verified: 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEWSTUNE_POLICY", "{"),
        ("NEWSTUNE_POLICY", '{"train_share": 1.2}'),
        ("NEWSTUNE_SCHEDULER", "maybe"),
        ("NEWSTUNE_DATABASE_URL", "sqlite:////proc/nowhere/x.db"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_sentence(run, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    code, result, err = run("models")
    assert (code, result["error"].endswith("."), "Traceback" in err) == (1, True, False)


def test_a_file_that_is_no_database_is_a_sentence(run, tmp_path):
    folder = tmp_path / "data folder"
    folder.mkdir()
    (folder / "newstune.db").write_bytes(b"not a database, whatever its name says" * 100)
    code, result, _ = run("models")
    assert (code, "cannot be opened" in result["error"]) == (1, True)


def test_a_corrected_table_replaces_its_labels_and_another_table_that_differs_is_a_conflict(done, tmp_path):
    def table(name, label):
        path = tmp_path / name
        path.write_text(f"title,label\nThe central bank kept its rate,{label}\n", encoding="utf-8")
        return path

    done("import", table("a.csv", "neutral"))
    corrected = done("import", table("a.csv", "negative"))
    assert (corrected["labels_replaced"], done("funnel")["by_label"]["sentiment"]["negative"]) == (1, 1)
    done("import", table("b.csv", "positive"))
    assert done("funnel")["reasons"]["LABEL_CONFLICT"] == 1


@pytest.mark.parametrize(
    "arguments", [("fly", "--json"), ("evaluate", "--model", str(10**20), "--dataset", "1", "--json")]
)
def test_wrong_usage_is_one_object_too_where_json_was_asked_for(arguments, capsys):
    with pytest.raises(SystemExit):
        main(list(arguments))
    assert json.loads(capsys.readouterr().out)["error"]


def test_a_missing_value_written_as_a_word_is_no_text(done, tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("title,label,body\nThe bank kept its rate,neutral,NaN\n", encoding="utf-8")
    done("import", path)
    dataset = done("funnel")
    assert (dataset["without_placeholder"], dataset["verified"]) == (1, 1)


def test_an_import_that_broke_off_before_judging_counts_nothing_as_verified(done, monkeypatch, tmp_path):
    folder = parent_folder.write(tmp_path / "parent")
    monkeypatch.setattr("core.workflows.data.refresh", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["import", str(folder)]) == 1
    monkeypatch.undo()
    monkeypatch.setenv("NEWSTUNE_DATA_DIR", str(tmp_path / "data folder"))
    assert done("funnel")["verified"] == 0
