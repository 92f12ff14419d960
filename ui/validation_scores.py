"""Scores of a sweep's paid models on the validation part: asked about at a price, then evaluated."""

from functools import partial

import streamlit as st

from core import workflows
from core.domain.types import JobStatus, Split
from core.errors import NewstuneError
from core.queries import costs
from core.queries.models import ModelVersion
from core.queries.training import Sweep, SweepRun
from core.workflows import ProviderState, predictions
from ui import format as fmt
from ui import money, prediction_runs
from ui.components import attempt, confirm, go_to, simulated_badge, sorry
from ui.endings import by_provider
from ui.i18n import t, tn
from ui.predictions import is_remote
from ui.provider_cards import destination
from ui.state import Session, app, flash


def offer(session: Session, sweep: Sweep) -> None:
    """Draw what scoring a sweep's unscored models takes, and the button; nothing where all are scored."""
    waiting = [
        run
        for run in sweep.runs
        if run.model_id is not None and run.score is None and run.job.status == JobStatus.SUCCEEDED
    ]
    models = [session.get_one(ModelVersion, run.model_id) for run in waiting]
    state = by_provider(workflows.provider_states(app())).get(sweep.runs[0].job.provider)
    if not waiting or state is None:
        return
    if not all(is_remote(model) for model in models):
        st.caption(t("The models are being scored on the validation part."))
        return
    if any(prediction_runs.under_way(session, model) for model in models):
        st.caption(t("The models are being asked about the validation part."))
        return
    try:
        quotes = [_quote(run) for run in waiting]
    except NewstuneError as error:
        sorry(error)
        return
    problem = next((f"{quote.problem}. {quote.remedy}." for quote in quotes if quote.problem), "")
    if problem:
        st.error(fmt.plain(problem), icon=":material/block:")
        go_to("costs", t("Open the Costs page"), key=f"sweep_costs_{sweep.group_key}")
        return
    unanswered = [run for run, quote in zip(waiting, quotes, strict=True) if quote.missing]
    if not unanswered:
        _evaluate_button(waiting, sweep)
        return
    _ask_button(session, sweep, state, unanswered, quotes)


def _quote(run: SweepRun) -> predictions.PredictionQuote:
    return predictions.quote_predictions(
        app(), run.model_id, dataset_id=run.job.dataset_id, split=Split.VALIDATION
    )


def _ask_button(
    session: Session, sweep: Sweep, state: ProviderState, runs: list[SweepRun], quotes: list
) -> None:
    low, likely, high = (
        sum(getattr(quote, end) or 0 for quote in quotes) for end in ("low", "likely", "high")
    )
    standing = costs.standing(session, app().policy, simulated=state.simulated, now=app().now())
    price = money.span(low, likely, high) if high else t("free")
    pressed = st.button(
        t("Score on the validation part: {price}", price=_about(likely)),
        icon=":material/leaderboard:",
        key=f"score_{sweep.group_key}",
        disabled=not standing.may_spend(high),
        help=t("Asks each model about the validation part; when all have answered, they are scored here."),
    )
    if not standing.may_spend(high):
        st.caption(t("That is more than is left of the month's budget."))
    if not pressed:
        return
    start = partial(_begin, runs, {run.model_id: q.high for run, q in zip(runs, quotes, strict=False)})
    n = sum(quote.missing for quote in quotes)

    def terms() -> None:
        if state.simulated:
            st.markdown(
                f"{simulated_badge()} {t('Play money, and answers that say nothing about real models.')}"
            )
        st.markdown(
            f"**{t('Price: {span}', span=price)}** · {money.left(standing, simulated=state.simulated)}"
        )
        where = destination(state)
        st.markdown(tn("{n} request goes to **{place}**.", "{n} requests go to **{place}**.", n, place=where))

    confirm(
        t("Ask the sweep's models?"),
        terms,
        t("Ask, up to {usd}", usd=money.written(high)),
        start,
        key="score",
    )


def _about(likely: int) -> str:
    return t("about {usd}", usd=money.written(likely)) if likely else t("free")


def _begin(runs: list[SweepRun], accepted: dict[int, int | None]) -> None:
    for run in runs:
        started = attempt(
            partial(
                predictions.start_predictions,
                app(),
                run.model_id,
                dataset_id=run.job.dataset_id,
                split=Split.VALIDATION,
                accept_micro_usd=accepted.get(run.model_id),
            )
        )
        if started is None:
            return
    flash(tn("{n} run is queued.", "{n} runs are queued.", len(runs)))


def _evaluate_button(runs: list[SweepRun], sweep: Sweep) -> None:
    st.button(
        t("All have answered: score them"),
        type="primary",
        icon=":material/leaderboard:",
        key=f"evaluate_{sweep.group_key}",
        on_click=_evaluate,
        args=(runs,),
    )


def _evaluate(runs: list[SweepRun]) -> None:
    for run in runs:
        evaluate = partial(workflows.evaluate, app(), run.model_id, run.job.dataset_id, Split.VALIDATION)
        if attempt(evaluate) is None:
            return
    flash(t("Scored on the validation part."))
