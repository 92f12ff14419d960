"""The grammar of the command line: every command with its options."""

import argparse
import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

from core.bootstrap import App
from core.cli import cascade, commands, experiments
from core.domain.types import Balance, ExperimentMode, Family, RunMode, Split, SplitMethod, Strategy, Target

ABOUT = "The same use cases as the pages, for people and for scripts."
Command = Callable[[App, argparse.Namespace], dict[str, Any]]


class Parser(argparse.ArgumentParser):
    """Says a usage error as one JSON object too, where --json was asked for."""

    asked_for_json = False

    def error(self, message: str) -> NoReturn:
        """Say it and end with code 2."""
        if Parser.asked_for_json:
            print(json.dumps({"error": f"{self.prog}: {message}"}, ensure_ascii=False))  # noqa: T201
        super().error(message)


def _id(text: str) -> int:
    """Return an id as the database numbers rows."""
    value = int(text)
    if not 0 < value < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is no id")
    return value


def parser() -> argparse.ArgumentParser:
    """Return the whole grammar."""
    shared = Parser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON object")
    made = Parser(prog="python -m core", description=ABOUT, parents=[shared])
    groups = made.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command, text: str, group: Any = groups) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = group.add_parser(
            name, help=text, description=text, parents=[_json_again()]
        )
        added.set_defaults(run=run)
        return added

    _add_data_commands(command)
    _add_dataset_commands(command, groups)
    _add_model_commands(command)
    _add_experiment_commands(command, groups)
    _add_money_commands(command)
    _add_cascade_commands(command, groups)
    added = command("demo", commands.demo, "load the demo data into an empty database, or remove it")
    added.add_argument("--remove", action="store_true", help="remove everything that came from the demo")
    command("worker", commands.worker, "run the scheduled jobs without the dashboard")
    return made


def _json_again() -> argparse.ArgumentParser:
    """Accept --json behind the command too, without resetting one given before it."""
    again = Parser(add_help=False)
    again.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return again


def _add_data_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    added = command(
        "import", commands.import_, "import AI News Trader's data folder (or zip), or a labelled table"
    )
    added.add_argument("path", type=Path)
    added.add_argument("--kind", choices=["auto", "ai-news-trader", "labelled"], default="auto")
    added.add_argument("--map", metavar="FIELD=COLUMN,...", help="e.g. title=headline,label=sentiment")
    added = command("market", commands.market, "back-fill market closes or percent changes from a CSV")
    added.add_argument("path", type=Path)
    command("funnel", commands.funnel, "count articles on their way to verified samples")


def _add_dataset_commands(command: Callable[..., argparse.ArgumentParser], verbs_of: Any) -> None:
    command("datasets", commands.datasets, "list dataset versions")
    group = verbs_of.add_parser("dataset", help="build or export a dataset version")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    added = command(
        "build", commands.dataset_build, "freeze the verified samples as a dataset version", verbs
    )
    added.add_argument("--target", type=Target, choices=list(Target))
    added.add_argument("--strategy", type=Strategy, choices=list(Strategy), default=Strategy.ALL_VERIFIED)
    added.add_argument("--balance", type=Balance, choices=list(Balance), default=Balance.NONE)
    added.add_argument(
        "--split", type=SplitMethod, choices=list(SplitMethod), default=SplitMethod.CHRONOLOGICAL
    )
    added.add_argument(
        "--test-share", type=float, metavar="SHARE", help="share of the test part, 0.1 to 0.5 (default 0.1)"
    )
    added = command("export", commands.dataset_export, "write a dataset version as training files", verbs)
    added.add_argument("id", type=_id)
    added.add_argument("--format", choices=["openai", "gemini", "csv"], default="openai")
    added.add_argument("--out", type=Path, required=True)


def _add_model_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    added = command(
        "train", commands.train, "train a model and wait for it; a paid one says its price and asks"
    )
    added.add_argument("--provider", default="local")
    added.add_argument("--dataset", type=_id, required=True)
    added.add_argument("--model", help="base model, by the vendor's name; default: the provider's first")
    added.add_argument(
        "--set", type=_setting, action="append", metavar="NAME=VALUE", help="a hyper-parameter"
    )
    added.add_argument("--pilot", action="store_true", help="the plan's small run on 100 rows")
    added.add_argument("--again", action="store_true", help="pay for an equal run once more")
    added.add_argument("--no-wait", action="store_true", help="return once the job is launched")
    _add_yes(added)
    command("jobs", commands.jobs, "list training jobs")
    added = command("cancel", commands.cancel, "cancel a training job")
    added.add_argument("id", type=_id)
    added = command("resolve", commands.resolve, "decide about a launch whose fate is unknown")
    added.add_argument("id", type=_id)
    added.add_argument("answer", choices=["send_again", "give_up"])
    added = command("few-shot", commands.few_shot, "make a few-shot version with examples of a training part")
    added.add_argument("--provider", required=True)
    added.add_argument("--model", required=True, help="base model, by the vendor's name")
    added.add_argument("--dataset", type=_id, help="its training part lends the examples")
    command("models", commands.models, "list model versions")
    added = command("evaluate", commands.evaluate, "score a model on a dataset version's part, or on a file")
    added.add_argument("--model", type=_id, required=True)
    scored = added.add_mutually_exclusive_group(required=True)
    scored.add_argument("--dataset", type=_id)
    scored.add_argument("--file", type=Path)
    added.add_argument("--split", type=Split, choices=list(Split), default=Split.TEST)
    added.add_argument("--map", metavar="FIELD=COLUMN,...")
    added = command("compare", commands.compare, "compare models on the same part of a dataset version")
    added.add_argument("--champion", type=_id)
    added.add_argument("--challenger", type=_id)
    added.add_argument(
        "--model", type=_id, action="append", help="instead, repeated two to eight times: each with each"
    )
    added.add_argument("--dataset", type=_id, required=True)
    added.add_argument("--split", type=Split, choices=list(Split), default=Split.TEST)
    added = command("promote", commands.promote, "make a model the champion of a target")
    added.add_argument("id", type=_id)
    added.add_argument("--target", type=Target, choices=list(Target), required=True)
    added.add_argument("--reason", required=True)
    added.add_argument("--override", action="store_true", help="past gates that are not passed; it is kept")
    added = command("rollback", commands.rollback, "give a target back to the champion before")
    added.add_argument("--target", type=Target, choices=list(Target), required=True)
    added.add_argument("--reason", required=True)
    _add_predict(command)


def _add_experiment_commands(command: Callable[..., argparse.ArgumentParser], verbs_of: Any) -> None:
    group = verbs_of.add_parser("experiment", help="hold a model against the champion on live articles")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    added = command("start", experiments.start, "let a model challenge the champion of a target", verbs)
    added.add_argument("challenger", type=_id)
    added.add_argument("--target", type=Target, choices=list(Target), required=True)
    added.add_argument(
        "--mode", type=ExperimentMode, choices=list(ExperimentMode), default=ExperimentMode.SHADOW
    )
    added.add_argument("--family", type=Family, choices=list(Family), help="default: articles of all")
    added.add_argument("--allocation", type=float, default=0.5, help="challenger's share of a split, 0-1")
    added.add_argument("--effect", type=float, default=0.1, help="difference to be seen, 0.1 = 10 points")
    added.add_argument("--days", type=int, help="how long at most")
    added.add_argument("--reason", default="")
    added.add_argument("--budget", type=_usd, metavar="USD", help="what its questions may cost in all")
    _add_yes(added)
    added = command("list", experiments.list_, "list live experiments, newest first", verbs)
    added.add_argument("--target", type=Target, choices=list(Target))
    added.add_argument("--all", action="store_true", help="archived ones too")
    for name, run, text in (
        ("show", experiments.show, "show an experiment with its evidence"),
        ("stop", experiments.stop, "end an experiment; what it has shown is kept"),
        ("archive", experiments.archive, "put an ended experiment out of the way"),
    ):
        added = command(name, run, text, verbs)
        added.add_argument("id", type=_id)
        if name == "stop":
            added.add_argument("--reason", required=True)
    added = command("gates", experiments.gates, "show what stands between a model and the champion's place")
    added.add_argument("id", type=_id)
    added.add_argument("--target", type=Target, choices=list(Target), required=True)


def _add_predict(command: Callable[..., argparse.ArgumentParser]) -> None:
    text = "judge a headline with the champion, or a file or dataset part with any model"
    added = command("predict", commands.predict, text)
    asked = added.add_mutually_exclusive_group(required=True)
    asked.add_argument("--title", help="one headline, judged by the champion")
    asked.add_argument("--file", type=Path, help="a table of articles; answers go to --out")
    asked.add_argument("--dataset", type=_id, help="the part --split of a dataset version")
    added.add_argument("--body")
    added.add_argument("--target", type=Target, choices=list(Target))
    added.add_argument("--model", type=_id)
    added.add_argument("--map", metavar="FIELD=COLUMN,...", help="e.g. title=headline,body=text")
    added.add_argument("--out", type=Path, help="CSV to write")
    added.add_argument("--split", type=Split, choices=list(Split), default=Split.TEST)
    added.add_argument("--mode", type=RunMode, choices=list(RunMode), default=RunMode.DIRECT)
    added.add_argument("--no-wait", action="store_true", help="leave the run to the scheduler")
    _add_yes(added)


def _add_money_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    added = command("providers", commands.providers, "show every provider and ask it whether it is ready")
    added.add_argument("--offline", action="store_true", help="ask nobody")
    command("costs", commands.costs, "show what was spent and what is reserved")
    added = command("budget", commands.budget, "show or set the month's budget")
    added.add_argument("--set", type=_usd, metavar="USD", help="monthly cap in US dollars")
    added.add_argument("--warn", type=float, metavar="SHARE", help="share from which to warn, 0-1")


def _add_cascade_commands(command: Callable[..., argparse.ArgumentParser], verbs_of: Any) -> None:
    group = verbs_of.add_parser(
        "cascade", help="let a local model answer first, a dearer one where it is unsure"
    )
    verbs = group.add_subparsers(required=True, metavar="VERB")
    seen = command("curve", cascade.curve, "show accuracy, cost and latency over the threshold", verbs)
    made = command("create", cascade.create, "make a cascade of two models", verbs)
    made.add_argument(
        "--threshold", type=float, metavar="PERCENT", help="default: the one that the curve chooses"
    )
    for added in (seen, made):
        added.add_argument("--first", type=_id, required=True, help="the local model that answers first")
        added.add_argument("--second", type=_id, required=True, help="the model asked where it is unsure")
        added.add_argument("--dataset", type=_id, required=True, help="its validation part is measured on")
    added = command("proof", cascade.proof, "write the proof pack of a promotion or a rollback")
    added.add_argument("id", type=_id)
    added.add_argument("--out", type=Path, required=True, help="zip file to write")


def _add_yes(added: argparse.ArgumentParser) -> None:
    added.add_argument("--yes", action="store_true", help="agree to the price without being asked")


def _usd(text: str) -> Decimal:
    """Return an amount of US dollars."""
    try:
        value = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text} is no amount of US dollars") from None
    if not value.is_finite() or not 0 <= value < 10**9:
        raise argparse.ArgumentTypeError(f"{text} is no amount of US dollars")
    return value


def _setting(text: str) -> tuple[str, Any]:
    """Return a hyper-parameter: a number where it reads as one, else the text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value
