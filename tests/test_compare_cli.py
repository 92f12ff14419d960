"""The command `compare`: two models, or many at once."""

import json

import pytest

from core.cli import main
from tests.comparing import add_model, right


@pytest.fixture
def compare(seeded, monkeypatch, capsys):
    """Return a function that runs the command on three models and returns (exit code, object)."""
    add_model(seeded, "best", right)
    add_model(seeded, "wrong", lambda i: right(i + 1))
    monkeypatch.setenv("NEWSTUNE_DATA_DIR", str(seeded.settings.data_dir))
    monkeypatch.delenv("NEWSTUNE_DATABASE_URL", raising=False)

    def command(*arguments):
        code = main(["compare", *map(str, arguments), "--dataset", "1", "--json"])
        return code, json.loads(capsys.readouterr().out)

    return command


def test_two_models_are_named_as_champion_and_challenger(compare):
    code, report = compare("--champion", 1, "--challenger", 2)
    assert (code, report["verdict"], report["n"]) == (0, "better", 15)


def test_a_model_named_again_and_again_is_compared_with_each_of_the_others(compare):
    code, found = compare("--model", 1, "--model", 2, "--model", 3)
    assert (code, len(found["pairs"]), found["n"]) == (0, 3, 15)


@pytest.mark.parametrize(
    "arguments", [(), ("--champion", 1), ("--model", 1, "--champion", 2), ("--model", 1)]
)
def test_models_that_make_no_pair_are_refused_with_what_to_write(compare, arguments):
    code, result = compare(*arguments)
    assert (code, "error" in result) == (1, True)
