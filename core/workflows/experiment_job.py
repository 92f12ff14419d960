"""The scheduled job of live experiments: arrivals enrolled, open sides asked, evidence weighed, watches begun.

What is due is asked of the database each time, and each step commits by itself, so a crash between any two is
mended by the next run.
"""

import logging
from collections import defaultdict
from datetime import timedelta
from time import monotonic
from typing import Any

from sqlmodel import Session

from core.bootstrap import App
from core.db import reading, writing
from core.domain.assignment import assigned
from core.domain.types import Arm, ExperimentMode, ExperimentPurpose, Target, Verdict
from core.errors import NewstuneError
from core.models import Experiment, ModelVersion
from core.services import alerts, experiments
from core.services.experiments import Enrolment, OpenItem, Running, SideName, Unseen, Why
from core.workflows.answering import is_priced, load_predictor
from core.workflows.experiment_asking import OutOfMoney, ask_open

log = logging.getLogger(__name__)
#: Items younger than this are left to whoever enrolled them.
FRESH = timedelta(seconds=30)
#: What a model could not be asked for so long counts as not answered.
PATIENCE = timedelta(hours=24)
#: Seconds of asking in one run, and articles and sides taken up at a time.
SLICE_S, ARRIVALS, OPEN_SIDES = 20.0, 1_000, 1_000
#: Rules of the alerts that this job opens.
CONCLUDED_RULE, FORMER_BETTER_RULE = "experiment_concluded", "former_champion_better"


def follow_experiments(app: App) -> str:
    """Bring all live experiments up to date; say what was done, or nothing. The scheduler's job."""
    said = [f"watch begun: experiment {one}" for one in begin_watches(app)]
    with reading(app.engine) as session:
        running = experiments.running(session)
    if not running:
        return ", ".join(said)
    broken: dict[int, Exception] = {}
    counts = {"enrolled": sum(_enrol_arrivals(app, one) for one in running), "answered": 0, "given up": 0}
    try:
        counts["answered"] = _ask_all(app, running, broken)
    finally:  # whatever breaks down in an unforeseen way must not keep an experiment from its end
        counts["given up"] = _give_up(app, list(broken))
        concluded = [_conclude_if_decided(app, one) for one in running]
    said += [f"{name}: {n}" for name, n in counts.items() if n]
    said += filter(None, concluded)
    if broken and not said:
        raise next(iter(broken.values()))  # the history shows it once, however often it repeats
    return ", ".join(said)


def begin_watches(app: App, actor: str | None = None) -> list[int]:
    """Let former champions watch the promotions that replaced them, where that is missing; return the new ids.

    A former champion whose answers cost money, or that cannot answer any more, does not watch.
    """
    with reading(app.engine) as session:
        due = [
            (int(entry.id or 0), session.get_one(ModelVersion, entry.from_model_id))
            for entry in experiments.watch_due(session, app.policy, now=app.now())
        ]
    begun = []
    for promotion_id, former in due:
        if why_no_watch(app, former):
            continue
        try:
            with writing(app.engine) as session:
                row = experiments.begin_watch(
                    session, app.policy, promotion_id, actor=actor or app.settings.actor, now=app.now()
                )
        except NewstuneError:
            continue  # simulated against real: nothing could be learned of it
        begun += [int(row.id or 0)] if row else []
    return begun


def why_no_watch(app: App, former: ModelVersion) -> str:
    """Return the code of why a former champion cannot watch: "PAID", "CANNOT_ANSWER", or "" where it can."""
    if is_priced(app, former):
        return "PAID"
    try:
        return "" if load_predictor(app, former) is not None else "CANNOT_ANSWER"
    except NewstuneError:
        return "CANNOT_ANSWER"


def _enrol_arrivals(app: App, one: Running) -> int:
    """Enrol what came in by import, or by the API where nobody enrolled it; return how many articles."""
    with reading(app.engine) as session:
        # nobody agreed to pay for these, so that only articles count about which they have said something
        unpaid = [
            side
            for side in experiments.SIDES
            if not one.budget_micro_usd and is_priced(app, session.get_one(ModelVersion, one.model_of(side)))
        ]
        arrived = experiments.unseen(session, one, now=app.now(), limit=ARRIVALS, answered=unpaid)
    if not arrived:
        return 0
    with writing(app.engine) as session:
        enrolled = experiments.enrol(session, [_entry(one, each) for each in arrived], now=app.now())
        session.commit()
    return enrolled


def _entry(one: Running, article: Unseen) -> Enrolment:
    """Return how an article enters: who is asked, and what they have said already."""
    arm = Arm.BOTH
    if one.mode == ExperimentMode.SPLIT and one.allocation is not None:
        arm = assigned(one.key, article.url or article.content_hash, one.allocation)
    stored: dict[SideName, str | None] = {
        "champion": article.champion_sentiment,
        "challenger": article.challenger_sentiment,
    }
    asked = {side: arm in (Arm.BOTH, Arm(side)) for side in experiments.SIDES}
    return Enrolment(
        one.id,
        article.article_id,
        "",
        arm,
        champion_sentiment=stored["champion"] if asked["champion"] else None,
        challenger_sentiment=stored["challenger"] if asked["challenger"] else None,
    )


def _ask_all(app: App, running: list[Running], broken: dict[int, Exception]) -> int:
    """Ask what is open, model by model; one that is slow or cannot answer now does not hold up the others.

    What keeps a model from answering is put into `broken`, by its id.
    """
    end, answered = monotonic() + SLICE_S, 0
    by_id = {one.id: one for one in running}
    waiting = _open_by_model(app, running)
    for done, (model, items) in enumerate(waiting):
        left = (end - monotonic()) / (len(waiting) - done)
        until = monotonic() + max(left, SLICE_S / len(waiting))
        by_experiment: dict[int, list[OpenItem]] = defaultdict(list)
        for item in items:
            by_experiment[item.experiment_id].append(item)
        for experiment_id, mine in by_experiment.items():
            one = by_id.get(experiment_id)
            if one is None or (is_priced(app, model) and not one.budget_micro_usd):
                continue
            try:
                answered += ask_open(app, one, mine, model, until)
            except OutOfMoney as error:
                _end(app, experiment_id, Why.BUDGET, str(error))
            except Exception as error:  # whatever it is, it is this model's alone
                log.warning(
                    "%s cannot answer for experiment %d",
                    model.name,
                    experiment_id,
                    exc_info=not isinstance(error, NewstuneError),
                )
                broken[int(model.id or 0)] = error
    return answered


def _open_by_model(app: App, running: list[Running]) -> list[tuple[ModelVersion, list[OpenItem]]]:
    models = dict.fromkeys(one.model_of(side) for one in running for side in experiments.SIDES)
    before = app.now() - FRESH
    with reading(app.engine) as session:
        if not experiments.has_open(session, before=before):
            return []
        found = [
            (
                session.get_one(ModelVersion, model_id),
                experiments.open_items(session, before=before, limit=OPEN_SIDES, model_id=model_id),
            )
            for model_id in models
        ]
    return [(model, items) for model, items in found if items]


def _give_up(app: App, broken: list[int]) -> int:
    """Count models as wrong where they could not answer for a day; not where it was us who did not ask."""
    overdue = app.now() - PATIENCE
    with reading(app.engine) as session:
        if not broken or not experiments.has_open(session, before=overdue):
            return 0
    with writing(app.engine) as session:
        closed = experiments.give_up(session, broken, asked_before=overdue, now=app.now())
        session.commit()
    return closed


def _conclude_if_decided(app: App, one: Running) -> str:
    with reading(app.engine) as session:
        experiment = experiments.get_experiment(session, one.id)
        shown = experiments.evidence(session, app.policy, experiment, now=app.now())
        why = experiments.is_decided(experiment, shown, now=app.now())
    return _end(app, one.id, why) if why else ""


def _end(app: App, experiment_id: int, why: Why, note: str = "") -> str:
    """End an experiment and tell people, in one transaction; return a few words, "" where it had ended."""
    with writing(app.engine) as session:
        experiment = experiments.get_experiment(session, experiment_id)
        if experiment.ended_at is not None:
            session.rollback()
            return ""
        shown = experiments.end(session, app.policy, experiment, why, note=note, now=app.now())
        if (told := _alert(session, experiment, shown, why)) is not None:
            alerts.open_alert(session, **told, now=app.now())
        session.commit()
    return f"concluded: experiment {experiment_id} ({shown.get('verdict')})"


def _alert(
    session: Session, experiment: Experiment, shown: dict[str, Any], why: Why
) -> dict[str, Any] | None:
    """Return what people are told of an end; nothing where a watch went by without a finding."""
    names: dict[str, Any] = {
        side: session.get_one(ModelVersion, getattr(experiment, f"{side}_id")).name
        for side in experiments.SIDES
    }
    verdict, n = shown.get("verdict"), shown.get("n", 0)
    detail = {
        "experiment_id": experiment.id,
        "target": experiment.target,
        "promotion_id": experiment.promotion_id,
        **names,
        **{key: shown.get(key) for key in ("verdict", "n", "difference", "interval", "e_for", "e_against")},
        "ended_by": str(why),
    }
    if experiment.purpose == ExperimentPurpose.WATCH:
        if verdict != Verdict.BETTER:
            return None
        message = (
            f"The former champion {names['challenger']} has done better than {names['champion']} on {n} new "
            f"articles ({Target(experiment.target)}). Look at the evidence and decide about a rollback."
        )
        rule = FORMER_BETTER_RULE
    else:
        message = (
            f"Experiment {experiment.id} has ended: {names['challenger']} against {names['champion']} is "
            f"{verdict} on {n} new articles ({Target(experiment.target)}). Nothing was promoted."
        )
        rule = CONCLUDED_RULE
    return {"key": f"{rule}|{experiment.key}", "rule": rule, "message": message, "detail": detail}
