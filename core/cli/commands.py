"""What each command does: options in, a plain result out."""

import argparse
import signal
import sys
from threading import Event
from typing import Any

from core import workflows
from core.bootstrap import App
from core.db import reading
from core.domain.pricing import Quote, Unpriced
from core.errors import Refused
from core.ledger import dollars
from core.queries import listings, predictions
from core.queries.funnel import funnel as count_funnel


def import_(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return workflows.import_path(app, options.path, kind=options.kind, mapping=options.map, tell=_tell)


def market(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return workflows.import_path(app, options.path, kind="market", tell=_tell)


def funnel(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    with reading(app.engine) as session:
        return count_funnel(session, app.policy)


def datasets(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    with reading(app.engine) as session:
        return {"datasets": listings.datasets(session)}


def dataset_build(app: App, options: argparse.Namespace) -> dict[str, Any]:
    dataset_id = workflows.build_dataset(
        app,
        options.target,
        options.strategy,
        options.balance,
        options.split,
        test_share=options.test_share,
    )
    with reading(app.engine) as session:
        return listings.dataset(session, dataset_id)


def dataset_export(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return workflows.export_files(app, options.id, options.format, options.out)


def train(app: App, options: argparse.Namespace) -> dict[str, Any]:
    request = workflows.Request(
        options.dataset,
        options.provider,
        base_model=options.model or "",
        hyperparameters=dict(options.set or []),
        again=options.again,
    )
    request = workflows.pilot(request) if options.pilot else request
    cost = workflows.quote_training(app, request).cost
    accepted = _agreed(options, cost, f"Training at {request.provider}")
    started = workflows.start_training(app, request, accept_micro_usd=accepted)
    if started.joined:
        _tell(f"An equal run is there already: this is job {started.job_id}. Use --again to pay for another.")
    if options.no_wait:
        workflows.poll_training(app)
        return {"job_id": started.job_id, "joined": started.joined} | _job(app, started.job_id)
    model_id = workflows.wait_for_training(app, started.job_id, _tell)
    simulated = app.provider(request.provider).simulated
    return {"job_id": started.job_id, "joined": started.joined, "model_id": model_id, "simulated": simulated}


def _job(app: App, job_id: int) -> dict[str, Any]:
    with reading(app.engine) as session:
        return next(({"job": job} for job in listings.jobs(session) if job["id"] == job_id), {})


def _agreed(options: argparse.Namespace, cost: Quote | Unpriced | None, what: str) -> int | None:
    """Say the price and ask whether it may be spent; return the amount agreed to, None for free work.

    Raises
    ------
    Refused
        If no price is known, or nobody agrees.
    """
    if cost is None:
        return None
    if isinstance(cost, Unpriced):
        raise Refused(cost.problem, cost.remedy)
    price = f"{dollars(cost.low)} to {dollars(cost.high)}, about {dollars(cost.likely)}"
    as_of = ", ".join(f"${p.usd} per {p.per} as of {p.as_of}" for p in cost.prices)
    _tell(f"{what} costs {price} ({as_of}).")
    if not options.yes:
        if not sys.stdin.isatty():
            raise Refused(f"{what} costs {price}, and nobody has agreed to that", "Add --yes to agree")
        _tell("Spend that? [y/N]")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Refused("Nothing was sent and nothing is spent", "Run it again to decide otherwise")
    return cost.high


def cancel(app: App, options: argparse.Namespace) -> dict[str, Any]:
    workflows.cancel_training(app, options.id)
    return _job(app, options.id)


def resolve(app: App, options: argparse.Namespace) -> dict[str, Any]:
    workflows.resolve_unknown(app, options.id, options.answer)
    return _job(app, options.id)


def providers(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return workflows.providers_report(app, ask=not options.offline)


def costs(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    return workflows.costs_report(app)


def budget(app: App, options: argparse.Namespace) -> dict[str, Any]:
    if options.set is not None or options.warn is not None:
        cap = workflows.budget_report(app)["real"]["cap_usd"] if options.set is None else options.set
        workflows.set_budget(app, cap, options.warn)
    return workflows.budget_report(app)


def few_shot(app: App, options: argparse.Namespace) -> dict[str, Any]:
    model_id = workflows.create_few_shot(app, options.provider, options.model, options.dataset)
    with reading(app.engine) as session:
        return next(model for model in listings.models(session) if model["id"] == model_id)


def jobs(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    workflows.poll_training(app)
    with reading(app.engine) as session:
        return {"jobs": listings.jobs(session)}


def models(app: App, _options: argparse.Namespace) -> dict[str, Any]:
    with reading(app.engine) as session:
        return {"models": listings.models(session)}


def evaluate(app: App, options: argparse.Namespace) -> dict[str, Any]:
    if options.file is not None:
        return workflows.evaluate_file(app, options.model, options.file, options.map)
    return workflows.evaluate(app, options.model, options.dataset, options.split)


def compare(app: App, options: argparse.Namespace) -> dict[str, Any]:
    pair = (options.champion, options.challenger)
    if options.model and pair == (None, None):
        return workflows.compare_many(app, options.model, options.dataset, options.split)
    if options.model or None in pair:
        raise Refused(
            "It is not clear which models to compare",
            "Give --champion and --challenger, or --model two to eight times",
        )
    return workflows.compare(app, *pair, options.dataset, options.split)


def promote(app: App, options: argparse.Namespace) -> dict[str, Any]:
    workflows.promote(app, options.id, options.target, options.reason, override=options.override)
    return _champions(app)


def rollback(app: App, options: argparse.Namespace) -> dict[str, Any]:
    workflows.rollback(app, options.target, options.reason)
    return _champions(app)


def _champions(app: App) -> dict[str, Any]:
    return {"champions": workflows.health(app)["champions"]}


def predict(app: App, options: argparse.Namespace) -> dict[str, Any]:
    if options.title is not None:
        if options.model is not None:
            raise Refused("A headline is judged by the champion", "Leave --model out, or give a file")
        return workflows.predict_text(app, options.title, options.body, options.target)
    if options.model is None:
        raise Refused("Nobody was chosen to answer", "Name a model with --model; 'models' lists them")
    if options.file is not None:
        if options.out is None:
            raise Refused("The answers need a file", "Name one with --out")
        return workflows.predict_file(
            app,
            options.file,
            options.map,
            options.model,
            options.out,
            mode=options.mode,
            confirm=lambda quote: _agreed(options, quote.cost, _asking(quote)) is not None,
            tell=_tell,
        )
    scope = {"dataset_id": options.dataset, "split": options.split, "mode": options.mode}
    quote = workflows.quote_predictions(app, options.model, **scope)
    if quote.problem:
        raise Refused(quote.problem, quote.remedy)
    accepted = _agreed(options, quote.cost, _asking(quote))
    run_id = workflows.start_predictions(app, options.model, **scope, accept_micro_usd=accepted)
    if not options.no_wait:
        workflows.wait_for_predictions(app, run_id, _tell)
    with reading(app.engine) as session:
        return predictions.as_row(predictions.run_card(session, run_id))


def _asking(quote: workflows.PredictionQuote) -> str:
    return f"Asking about {quote.missing} articles"


def demo(app: App, options: argparse.Namespace) -> dict[str, Any]:
    return {"removed": workflows.remove_demo(app)} if options.remove else {"loaded": workflows.load_demo(app)}


def worker(app: App, _options: argparse.Namespace) -> dict[str, Any]:
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
