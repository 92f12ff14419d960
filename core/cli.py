"""The command line: the same use cases as the pages, for people and for scripts.

With ``--json`` one object goes to standard output; everything else goes to standard error. Exit codes:
0 done, 1 refused or failed, 2 wrong usage.
"""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

from core import workflows
from core.bootstrap import App, build_app
from core.db import reading
from core.domain.types import Balance, Split, SplitMethod, Strategy, Target
from core.errors import NewstuneError
from core.queries import listings
from core.queries.funnel import funnel

Command = Callable[[App, argparse.Namespace], dict[str, Any]]


class _Parser(argparse.ArgumentParser):
    """Says a usage error as one JSON object too, where --json was asked for."""

    asked_for_json = False

    def error(self, message: str) -> NoReturn:
        if _Parser.asked_for_json:
            print(json.dumps({"error": f"{self.prog}: {message}"}, ensure_ascii=False))  # noqa: T201
        super().error(message)


def _id(text: str) -> int:
    """Return an id as the database numbers rows."""
    value = int(text)
    if not 0 < value < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is no id")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _Parser.asked_for_json = "--json" in given
    options = _parser().parse_args(given)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    app = None
    try:
        app = build_app()
        result = options.run(app, options)
    except NewstuneError as error:
        return _fail(options, str(error))
    except KeyboardInterrupt:
        return _fail(options, "Interrupted. What was committed before stays.")
    finally:
        if app is not None:
            app.close()
    print(json.dumps(result, ensure_ascii=False) if options.json else _readable(result))  # noqa: T201
    return 0


def _fail(options: argparse.Namespace, sentence: str) -> int:
    if options.json:
        print(json.dumps({"error": sentence}, ensure_ascii=False))  # noqa: T201
    print(sentence, file=sys.stderr)  # noqa: T201
    return 1


def _readable(result: dict[str, Any], indent: str = "") -> str:
    """Return a result for people: one fact a line, nested facts indented, tables row by row."""
    lines = []
    for name, value in result.items():
        label = f"{indent}{name if name.isupper() else name.replace('_', ' ')}:"
        if isinstance(value, dict):
            lines += [label, _readable(value, indent + "  ")] if value else [f"{label} none"]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(label)
            lines += [f"{indent}  " + ", ".join(f"{k} {_plain(v)}" for k, v in row.items()) for row in value]
        else:
            lines.append(f"{label} {_plain(value)}")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(_plain, value)) or "none" if isinstance(value, list | tuple) else str(value)


# --- the commands ------------------------------------------------------------------------------------


def _import(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return workflows.import_path(app, options.path, kind=options.kind, mapping=options.map, tell=_tell)


def _market(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return workflows.import_path(app, options.path, kind="market", tell=_tell)


def _funnel(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    with reading(app.engine) as session:
        return funnel(session, app.policy)


def _datasets(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    with reading(app.engine) as session:
        return {"datasets": listings.datasets(session)}


def _dataset_build(app: App, options: argparse.Namespace) -> dict[str, Any]:
    dataset_id = workflows.build_dataset(
        app, options.target, options.strategy, options.balance, options.split
    )
    with reading(app.engine) as session:
        return listings.dataset(session, dataset_id)


def _dataset_export(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return workflows.export_files(app, options.id, options.format, options.out)


def _train(app: App, options: argparse.Namespace) -> dict[str, Any]:
    job_id = workflows.start_training(app, options.dataset, options.provider)
    return {"job_id": job_id, "model_id": workflows.wait_for_training(app, job_id, _tell)}


def _jobs(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    workflows.poll_training(app)
    with reading(app.engine) as session:
        return {"jobs": listings.jobs(session)}


def _models(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    with reading(app.engine) as session:
        return {"models": listings.models(session)}


def _evaluate(app: App, options: argparse.Namespace) -> dict[str, Any]:
    if options.file is not None:
        return workflows.evaluate_file(app, options.model, options.file, options.map)
    return workflows.evaluate(app, options.model, options.dataset, options.split)


def _compare(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return workflows.compare(app, options.champion, options.challenger, options.dataset, options.split)


def _promote(app: App, options: argparse.Namespace) -> dict[str, Any]:
    workflows.promote(app, options.id, options.target, options.reason)
    return _champions(app)


def _rollback(app: App, options: argparse.Namespace) -> dict[str, Any]:
    workflows.rollback(app, options.target, options.reason)
    return _champions(app)


def _champions(app: App) -> dict[str, Any]:
    return {"champions": workflows.health(app)["champions"]}


def _predict(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return workflows.predict_text(app, options.title, options.body, options.target)


def _demo(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return {"removed": workflows.remove_demo(app)} if options.remove else {"loaded": workflows.load_demo(app)}


def _worker(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    from core.scheduler import Scheduler  # noqa: PLC0415 - only this command needs it

    stop = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    scheduler = Scheduler(app)
    scheduler.start()
    _tell("The worker runs the scheduled jobs, or stands by while another process does. Stop it with Ctrl-C.")
    stop.wait()
    scheduler.stop()
    return {"stopped": True}


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


# --- the grammar -------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    shared = _Parser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON object")
    parser = _Parser(prog="python -m core", description=__doc__, parents=[shared])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command, text: str, group: Any = commands) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = group.add_parser(
            name, help=text, description=text, parents=[_json_again()]
        )
        added.set_defaults(run=run)
        return added

    _add_data_commands(command)
    _add_dataset_commands(command, commands)
    _add_model_commands(command)
    added = command("demo", _demo, "load the demo data into an empty database, or remove it")
    added.add_argument("--remove", action="store_true", help="remove everything that came from the demo")
    command("worker", _worker, "run the scheduled jobs without the dashboard")
    return parser


def _json_again() -> argparse.ArgumentParser:
    """Accept --json behind the command too, without resetting one given before it."""
    again = _Parser(add_help=False)
    again.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return again


def _add_data_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    added = command("import", _import, "import AI News Trader's data folder (or zip), or a labelled table")
    added.add_argument("path", type=Path)
    added.add_argument("--kind", choices=["auto", "ai-news-trader", "labelled"], default="auto")
    added.add_argument("--map", metavar="FIELD=COLUMN,...", help="e.g. title=headline,label=sentiment")
    added = command("market", _market, "back-fill market closes or percent changes from a CSV")
    added.add_argument("path", type=Path)
    command("funnel", _funnel, "count articles on their way to verified samples")


def _add_dataset_commands(command: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    command("datasets", _datasets, "list dataset versions")
    group = commands.add_parser("dataset", help="build or export a dataset version")
    verbs = group.add_subparsers(required=True, metavar="VERB")
    added = command("build", _dataset_build, "freeze the verified samples as a dataset version", verbs)
    added.add_argument("--target", type=Target, choices=list(Target))
    added.add_argument("--strategy", type=Strategy, choices=list(Strategy), default=Strategy.ALL_VERIFIED)
    added.add_argument("--balance", type=Balance, choices=list(Balance), default=Balance.NONE)
    added.add_argument(
        "--split", type=SplitMethod, choices=list(SplitMethod), default=SplitMethod.CHRONOLOGICAL
    )
    added = command("export", _dataset_export, "write a dataset version as training files", verbs)
    added.add_argument("id", type=_id)
    added.add_argument("--format", choices=["openai", "csv"], default="openai")
    added.add_argument("--out", type=Path, required=True)


def _add_model_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    added = command("train", _train, "train a model and wait for it")
    added.add_argument("--provider", default="local")
    added.add_argument("--dataset", type=_id, required=True)
    command("jobs", _jobs, "list training jobs")
    command("models", _models, "list model versions")
    added = command("evaluate", _evaluate, "score a model on a dataset version's part, or on a file")
    added.add_argument("--model", type=_id, required=True)
    scored = added.add_mutually_exclusive_group(required=True)
    scored.add_argument("--dataset", type=_id)
    scored.add_argument("--file", type=Path)
    added.add_argument("--split", type=Split, choices=list(Split), default=Split.TEST)
    added.add_argument("--map", metavar="FIELD=COLUMN,...")
    added = command("compare", _compare, "compare two models on the same part of a dataset version")
    for name in ("--champion", "--challenger", "--dataset"):
        added.add_argument(name, type=_id, required=True)
    added.add_argument("--split", type=Split, choices=list(Split), default=Split.TEST)
    added = command("promote", _promote, "make a model the champion of a target")
    added.add_argument("id", type=_id)
    added.add_argument("--target", type=Target, choices=list(Target), required=True)
    added.add_argument("--reason", required=True)
    added = command("rollback", _rollback, "give a target back to the champion before")
    added.add_argument("--target", type=Target, choices=list(Target), required=True)
    added.add_argument("--reason", required=True)
    added = command("predict", _predict, "let the champion judge a headline")
    added.add_argument("--title", required=True)
    added.add_argument("--body")
    added.add_argument("--target", type=Target, choices=list(Target))
