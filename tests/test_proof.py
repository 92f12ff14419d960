"""The proof pack: one archive from which a decision can be checked, the same at every download."""

import io
import json
import subprocess
import zipfile
from datetime import timedelta
from hashlib import sha256

import pytest
from pydantic import SecretStr

from core import workflows
from core.cli.grammar import parser
from core.db import writing
from core.domain.types import Target
from core.errors import NotFound, Refused
from core.models import Comparison, CostEntry, EvaluationRun, Experiment, ModelVersion, Promotion, TrainingJob
from core.redaction import HIDDEN, Redactor
from core.services import costs
from core.workflows import predictions
from tests.conftest import NOW
from tests.predicting import MODEL, VENDOR, Clock, PaidVendor, ScriptedAsker, always_good

FILES = [
    "README.txt",
    "comparison.json",
    "dataset.json",
    "evaluations.json",
    "experiment.json",
    "gates.json",
    "job.json",
    "model.json",
    "prices.json",
    "promotion.json",
    "prompt.json",
    "SHA256SUMS",
]


@pytest.fixture
def trained(seeded):
    """The seeded application with models 2 and 3, each of a training of its own."""
    seeded.now = Clock()
    with writing(seeded.engine) as session:
        for i in (1, 2):
            session.add(job(i))
            session.flush()
            session.add(local_model(f"scripted-{i}", job_id=i, simulated=True))
        session.commit()
    return seeded


@pytest.fixture
def promoted(trained):
    """The same with model 2 as the champion, and an hour later model 3 in its place (promotion 2)."""
    with writing(trained.engine) as session:
        about = {"dataset_id": 1, "split": "test", "created_at": NOW}
        scores = {"n": 15, "accuracy": 0.8}
        session.add(EvaluationRun(model_id=2, target="sentiment", n=15, metrics=scores, **about))
        verdict = {"verdict": "inconclusive", "n": 15}
        session.add(Comparison(champion_id=2, challenger_id=3, report=verdict, **about))
        session.add(entry("promote", 2, None, at=NOW, reason="the first one", gates=[], override=False))
        kept = {"gates": [{"code": "rows", "state": "failed"}], "override": True, "comparison_id": 1}
        session.add(entry("promote", 3, 2, actor="lee", reason="looks  better\nto me", **kept))
        session.commit()
    trained.now.forward(hours=2)
    return trained


def job(i):
    return TrainingJob(
        provider="scripted",
        dataset_id=1,
        status="succeeded",
        config={"seed": i},
        key=f"training-{i}",
        actor="kim",
        created_at=NOW,
    )


def local_model(name, **values):
    given = {"kind": "fine_tuned", "provider": "scripted", "base_model": "scripted", "target": "sentiment"}
    return ModelVersion(**{"name": name, **given, "dataset_id": 1, "created_at": NOW, **values})


def entry(action, came, went, *, at=NOW + timedelta(hours=1), actor="kim", reason="because", **evidence):
    return Promotion(
        target="sentiment",
        action=action,
        to_model_id=came,
        from_model_id=went,
        reason=reason,
        actor=actor,
        evidence=evidence,
        at=at,
    )


def opened(app, promotion_id):
    """Return the files of a pack as texts, by name, in their order."""
    with zipfile.ZipFile(io.BytesIO(workflows.proof_pack(app, promotion_id))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def paper(app, promotion_id, name):
    return json.loads(opened(app, promotion_id)[f"{name}.json"])


def test_a_pack_holds_every_paper(promoted):
    assert list(opened(promoted, 2)) == FILES


def test_its_checksums_are_those_of_its_files_and_the_usual_tool_agrees(promoted, tmp_path):
    with zipfile.ZipFile(io.BytesIO(workflows.proof_pack(promoted, 2))) as archive:
        archive.extractall(tmp_path)
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert lines == [f"{sha256((tmp_path / n).read_bytes()).hexdigest()}  {n}" for n in FILES[:-1]]
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_the_same_entry_gives_the_same_bytes_whatever_happens_later(promoted):
    before = workflows.proof_pack(promoted, 1)
    promoted.now.forward(days=3)
    with writing(promoted.engine) as session:
        late = {"dataset_id": 1, "split": "test", "created_at": promoted.now()}
        session.add(EvaluationRun(model_id=2, target="sentiment", n=1, metrics={}, **late))
        session.commit()
    assert workflows.proof_pack(promoted, 1) == before


def test_who_when_from_to_and_why_stand_in_the_first_lines(promoted):
    entry = paper(promoted, 2, "promotion")
    assert (entry["action"], entry["actor"], entry["at"]) == ("promote", "lee", "2026-01-05T04:00:00Z")
    assert (entry["from"], entry["to"]) == ("scripted-1", "scripted-2")
    readme = opened(promoted, 2)["README.txt"]
    for line in (
        "Newstune: proof pack of promote 2 for the target 'sentiment'",
        "Who     lee",
        "From    scripted-1",
        "Reason  looks better to me",
        "SIMULATED: these figures say nothing about real models.",
    ):
        assert line in readme.splitlines()


def test_it_names_the_job_the_dataset_the_evaluations_and_the_verdict(promoted):
    jobs = paper(promoted, 2, "job")["jobs"]
    assert {each["key"]: each["config"] for each in jobs} == {
        "training-1": {"seed": 1},
        "training-2": {"seed": 2},
    }
    assert [each["sha256"] for each in paper(promoted, 2, "dataset")["datasets"]] == ["0" * 64]
    [score] = paper(promoted, 2, "evaluations")["evaluations"]
    assert (score["model_id"], score["split"], score["metrics"]["accuracy"]) == (2, "test", 0.8)
    [comparison] = paper(promoted, 2, "comparison")["comparisons"]
    assert (comparison["champion_id"], comparison["challenger_id"]) == (2, 3)
    assert comparison["report"]["verdict"] == "inconclusive"


def test_it_says_which_gates_were_passed_and_that_a_person_went_past_them(promoted):
    gates = paper(promoted, 2, "gates")
    assert (gates["measured"], gates["override"]) == (True, True)
    assert gates["gates"] == [{"code": "rows", "state": "failed"}]
    assert paper(promoted, 1, "gates") == {"measured": True, "gates": [], "override": False}


def test_what_a_real_promotion_past_its_gates_keeps_is_in_its_pack(trained):
    workflows.promote(trained, 2, Target.SENTIMENT, "the first one")
    workflows.promote(trained, 3, Target.SENTIMENT, "it is newer", override=True)
    gates = paper(trained, 2, "gates")
    assert gates["override"] is True
    assert {"same_items", "rows", "live"} <= {gate["code"] for gate in gates["gates"]}
    assert "passed" not in {gate["state"] for gate in gates["gates"]}


def test_a_few_shot_version_without_a_job_has_its_prompt_and_its_prices(seeded):
    seeded.providers[VENDOR] = PaidVendor(ScriptedAsker(always_good))
    model_id = predictions.create_few_shot(seeded, VENDOR, MODEL)
    workflows.promote(seeded, model_id, Target.SENTIMENT, "it answers")
    assert paper(seeded, 1, "job") == {"jobs": []}
    [prompt] = paper(seeded, 1, "prompt")["prompts"]
    assert len(prompt["prompt"]["shots"]) == 3
    [price] = paper(seeded, 1, "prices")["prices"]
    assert (price["answers"], price["billed_as"], price["on"]) == ("paid", MODEL, "2026-01-05")
    assert {each["kind"]: each["usd"] for each in price["prices"]}["output"] == "1.60"


def test_a_price_that_is_entered_later_does_not_change_the_pack(trained):
    trained.providers[VENDOR] = PaidVendor(ScriptedAsker(always_good))
    model_id = predictions.create_few_shot(trained, VENDOR, MODEL)
    workflows.promote(trained, model_id, Target.SENTIMENT, "it answers")
    before = workflows.proof_pack(trained, 1)
    trained.now.forward(days=1)
    with writing(trained.engine) as session:
        costs.edit_price(
            session,
            provider=VENDOR,
            model=MODEL,
            kind="output",
            usd="9",
            valid_until=None,
            source="a later offer",
            actor="kim",
            now=trained.now(),
        )
    assert workflows.proof_pack(trained, 1) == before


def test_an_imported_model_on_either_side_is_no_hindrance(promoted):
    with writing(promoted.engine) as session:
        session.add(entry("promote", 1, 3))
        session.commit()
    assert paper(promoted, 3, "prices")["prices"][0]["answers"] == "stored predictions only"
    assert paper(promoted, 3, "model")["models"][0]["name"] == "few-shot"


def test_an_entry_whose_models_were_deleted_still_has_a_pack(promoted):
    with writing(promoted.engine) as session:
        session.add(entry("promote", None, None))
        session.commit()
    assert paper(promoted, 3, "model") == {"models": []}
    assert "To      a model version that was deleted" in opened(promoted, 3)["README.txt"]


def test_a_rollback_has_a_pack_with_the_watch_that_led_to_it(promoted):
    workflows.rollback(promoted, Target.SENTIMENT, "worse in the watch")
    with writing(promoted.engine) as session:
        session.merge(watch(promotion_id=2))
        session.commit()
    assert paper(promoted, 3, "promotion")["action"] == "rollback"
    [shown] = paper(promoted, 3, "experiment")["experiments"]
    assert (shown["promotion_id"], shown["conclusion"]) == (2, {"verdict": "better"})
    assert paper(promoted, 3, "gates") == {"measured": False, "gates": [], "override": None}


def watch(**given):
    values = {
        "id": 1,
        "key": "watch",
        "target": "sentiment",
        "purpose": "watch",
        "status": "concluded",
        "champion_id": 3,
        "challenger_id": 2,
        "deadline_s": 10,
        "actor": "kim",
        "started_at": NOW,
        "ends_at": NOW + timedelta(days=56),
        "ended_at": NOW + timedelta(days=9),
        "conclusion": {"verdict": "better"},
    }
    return Experiment(**values | given)


def test_the_live_experiment_behind_a_promotion_is_in_its_pack_and_a_watch_under_way_is_not(promoted):
    with writing(promoted.engine) as session:
        session.merge(watch(id=7, key="challenge", purpose="challenge", promotion_id=None))
        session.add(entry("promote", 2, 3, experiment_id=7))
        session.flush()
        session.merge(watch(id=8, key="watch", promotion_id=3, ended_at=None, status="running"))
        session.commit()
    before = workflows.proof_pack(promoted, 3)
    assert [each["key"] for each in paper(promoted, 3, "experiment")["experiments"]] == ["challenge"]
    with writing(promoted.engine) as session:
        session.get(Experiment, 7).archived_at = NOW
        session.commit()
    assert workflows.proof_pack(promoted, 3) == before


def test_both_parts_of_a_cascade_are_in_the_pack(trained):
    with writing(trained.engine) as session:
        session.add(local_model("local-1"))
        session.commit()
    made = workflows.create_cascade(trained, 4, 2, 60, 1)
    workflows.promote(trained, made, Target.SENTIMENT, "cheaper")
    named = [model["name"] for model in paper(trained, 1, "model")["models"]]
    assert named[1:] == ["local-1", "scripted-1"]
    assert paper(trained, 1, "model")["models"][0]["params"]["threshold"] == 60
    assert [job["id"] for job in paper(trained, 1, "job")["jobs"]] == [1]
    assert [version["id"] for version in paper(trained, 1, "dataset")["datasets"]] == [1]


def test_no_key_is_in_a_pack_and_every_paper_stays_readable(promoted):
    key = SecretStr("sk-canary-0123456789abcdef").get_secret_value()
    promoted.redact = Redactor([key])
    with writing(promoted.engine) as session:
        session.get(ModelVersion, 3).params = {"note": f"Bearer {key}"}
        session.get(TrainingJob, 2).handle = {"job": "ftjob-1", "upload": f"https://x.example/?key={key}"}
        session.commit()
    papers = opened(promoted, 2)
    assert not [name for name, text in papers.items() if key in text]
    assert HIDDEN in papers["model.json"]
    assert all(json.loads(text) for name, text in papers.items() if name.endswith(".json"))
    jobs = {job["id"]: job for job in json.loads(papers["job.json"])["jobs"]}
    assert (jobs[2]["job_at_vendor"], "handle" in jobs[2]) == ("ftjob-1", False)


def test_what_a_training_cost_is_with_its_job(promoted):
    with writing(promoted.engine) as session:
        session.add(
            CostEntry(
                at=NOW,
                kind="actual",
                purpose="training",
                reference="training-2",
                provider="openai",
                model="gpt",
                micro_usd=1_500_000,
                actor="kim",
            )
        )
        session.commit()
    booked = {job["id"]: job["ledger"] for job in paper(promoted, 2, "job")["jobs"]}
    assert [row["micro_usd"] for row in booked[2]] == [1_500_000]


def test_an_unknown_promotion_is_not_found(promoted):
    with pytest.raises(NotFound, match="no promotion '99'"):
        workflows.proof_pack(promoted, 99)


def test_it_is_written_to_a_file_and_a_folder_is_refused(promoted, tmp_path):
    said = workflows.write_proof(promoted, 2, tmp_path / "proof.zip")
    content = (tmp_path / "proof.zip").read_bytes()
    assert (said["sha256"], content) == (sha256(content).hexdigest(), workflows.proof_pack(promoted, 2))
    with pytest.raises(Refused, match="is a folder"):
        workflows.write_proof(promoted, 2, tmp_path)


def test_the_command_line_writes_it(promoted, tmp_path):
    options = parser().parse_args(["proof", "2", "--out", str(tmp_path / "proof.zip")])
    assert options.run(promoted, options)["promotion"] == 2
    assert (tmp_path / "proof.zip").read_bytes() == workflows.proof_pack(promoted, 2)
