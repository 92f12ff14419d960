"""The commands about live experiments and gates: options in, a plain result out."""

import json

import pytest
from sqlmodel import select

from core.cli.grammar import parser
from core.db import reading, writing
from core.errors import Refused
from core.models import ModelVersion, Promotion
from tests.experimenting import NEW, OLD, champion, duel, experiment
from tests.predicting import MODEL, VENDOR, Clock, PaidVendor


@pytest.fixture
def run(seeded):
    """Return a function that runs a command on an application with an old and a new model."""
    duel(seeded)
    seeded.now = Clock()

    def command(*arguments):
        options = parser().parse_args([*map(str, arguments)])
        return json.loads(json.dumps(options.run(seeded, options)))

    command.app = seeded
    return command


def paid(app):
    app.providers[VENDOR] = PaidVendor()
    with writing(app.engine) as session:
        row = session.get(ModelVersion, NEW)
        row.provider, row.base_model = VENDOR, MODEL
        session.commit()


def test_an_experiment_is_started_listed_shown_stopped_and_put_away(run):
    begun = run("experiment", "start", NEW, "--target", "sentiment", "--days", 7)
    assert (begun["experiment_id"], begun["planned"]["days"]) == (1, 7)
    [row] = run("experiment", "list")["experiments"]
    assert (row["champion"], row["challenger"], row["status"]) == ("old", "new", "running")
    shown = run("experiment", "show", 1)
    assert (shown["evidence"]["n"], shown["evidence"]["coverage"]["enrolled"]) == (0, 0)
    assert run("experiment", "stop", 1, "--reason", "enough")["status"] == "stopped"
    assert run("experiment", "archive", 1)["archived"] is True
    assert run("experiment", "list")["experiments"] == []
    assert len(run("experiment", "list", "--all")["experiments"]) == 1


@pytest.mark.parametrize(
    ("agreed", "budget"), [([], None), (["--budget", "0.5"], 500_000), (["--yes"], "the plan")]
)
def test_a_paid_challenger_needs_somebody_who_agrees(run, agreed, budget):
    paid(run.app)
    start = ["experiment", "start", NEW, "--target", "sentiment", *agreed]
    if budget is None:
        with pytest.raises(Refused, match="nobody has agreed"):
            run(*start)
        return
    run(*start)
    row = experiment(run.app)
    wanted = sum(price["high_micro_usd"] for price in row.planned["prices"])
    assert row.budget_micro_usd == (wanted if budget == "the plan" else budget)


def test_the_gates_are_shown_and_an_override_goes_past_them(run):
    report = run("gates", NEW, "--target", "sentiment")
    assert (report["passed"], {gate["state"] for gate in report["gates"]}) == (False, {"waiting"})
    with pytest.raises(Refused, match="--override"):
        run("promote", NEW, "--target", "sentiment", "--reason", "because")
    assert champion(run.app) == OLD
    run("promote", NEW, "--target", "sentiment", "--reason", "because", "--override")
    assert champion(run.app) == NEW
    with reading(run.app.engine) as session:
        assert session.exec(select(Promotion)).one().evidence["override"] is True
