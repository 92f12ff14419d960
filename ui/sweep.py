"""Sweeps: several settings at once under one price, and which did best on the validation part."""

from datetime import timedelta
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.sweep import MAX_RUNS, grid
from core.errors import NewstuneError
from core.queries.training import Sweep, SweepRun, sweeps
from core.workflows import Request, SweepQuote
from ui import format as fmt
from ui import hyper, money, validation_scores, words
from ui.components import attempt, confirm, section, simulated_badge, sorry
from ui.i18n import t, tn
from ui.job_parts import last_losses
from ui.launch_notes import lasting
from ui.launch_offer import Offer
from ui.provider_cards import destination
from ui.state import Session, app, flash

_KEPT = "_sweep_quote"
KEPT_FOR = timedelta(minutes=1)


def launcher(found: Offer) -> None:
    """Draw the form of a sweep: several values a setting, the price of all runs, and the button."""
    if not found.wish.state.card.hyperparameters:
        return
    with st.expander(t("Sweep: try several settings"), icon=":material/grid_view:", key="sweep"):
        st.caption(
            t(
                "Several values separated by commas, in as many fields as you like: every combination is one run, "
                "{most} at most. The best is the one with the highest macro-F1 on the validation part; the test "
                "part is not touched.",
                most=MAX_RUNS,
            )
        )
        settings, problems = hyper.several(found.wish.state)
        for problem in problems:
            st.error(problem)
        runs = len(grid(settings))
        if problems or runs < 2:
            st.button(
                t("Start a sweep"), key="start_sweep", disabled=True, help=t("Enter at least two values.")
            )
            return
        _priced(found, settings)


def _priced(found: Offer, settings: dict[str, list[Any]]) -> None:
    request = found.wish.request
    try:
        quote = _quote(request, settings)
    except NewstuneError as error:
        sorry(error)
        return
    problem = found.problem or quote.problem
    if not problem and quote.high is not None and not found.standing.may_spend(quote.high):
        problem = t(
            "All runs together may cost {high}: more than is left of the budget.",
            high=money.dollars(quote.high),
        )
    if problem:
        st.error(fmt.plain(problem), icon=":material/block:")
    start = partial(_start, request, settings, quote.high)
    if st.button(_label(quote), type="primary", key="start_sweep", disabled=bool(problem)):
        if quote.high is None:
            start()
            st.rerun()
        confirm(
            tn("Start {n} run?", "Start {n} runs?", quote.runs),
            lambda: _terms(found, settings, quote),
            t("Start, up to {usd}", usd=money.written(quote.high)),
            start,
            key="sweep",
        )
    st.caption(
        t(
            "About {time} of training in all, one after the other where they share this machine.",
            time=lasting(quote.seconds),
        )
    )


def _quote(request: Request, settings: dict[str, list[Any]]) -> SweepQuote:
    """Return the price of all runs, kept for a minute: two dozen quotes take seconds, at every click anywhere.

    A start works it out anew and is refused where it has risen.
    """
    key, now = repr((request, settings)), app().now()
    kept_key, until, kept = st.session_state.get(_KEPT, (None, now, None))
    if kept_key != key or until <= now:
        with st.spinner(t("Working out the price …")):
            kept = workflows.quote_sweep(app(), request, settings)
        st.session_state[_KEPT] = (key, now + KEPT_FOR, kept)
    return kept


def _label(quote: SweepQuote) -> str:
    if quote.likely is None:
        return tn("Start {n} run, free", "Start {n} runs, free", quote.runs)
    usd = money.written(quote.likely)
    return tn("Start {n} run for about {usd}", "Start {n} runs for about {usd}", quote.runs, usd=usd)


def _terms(found: Offer, settings: dict[str, list[Any]], quote: SweepQuote) -> None:
    if quote.low is None or quote.likely is None or quote.high is None:
        return
    state = found.wish.state
    if state.simulated:
        st.markdown(f"{simulated_badge()} {t('Play money: nothing is billed.')}")
    price = t("Price: {span}", span=money.span(quote.low, quote.likely, quote.high))
    st.markdown(f"**{price}** · {money.left(found.standing, simulated=state.simulated)}")
    st.markdown(
        fmt.plain(hyper.listed({name: " / ".join(map(str, values)) for name, values in settings.items()}))
    )
    st.markdown(f":material/share_location: {t('News goes to: {place}', place=destination(state))}")
    for note in state.card.notes:
        st.markdown(f"- {fmt.plain(words.of_core(note))}")


def _start(request: Request, settings: dict[str, list[Any]], accept: int | None) -> None:
    started = attempt(lambda: workflows.start_sweep(app(), request, settings, accept_micro_usd=accept))
    if started is None:
        return
    joined = sum(each.joined for each in started)
    message = tn("{n} run is queued.", "{n} runs are queued.", len(started) - joined)
    flash(
        message
        if not joined
        else f"{message} {tn('{n} equal run was joined.', '{n} equal runs were joined.', joined)}"
    )


def results(session: Session) -> None:
    """Draw each sweep's runs, the best first; nothing where there was no sweep."""
    found = sweeps(session)
    if not found:
        return
    section(
        t("Sweeps"),
        t(
            "Ordered by macro-F1 on the validation part (mean of the F1 of the three classes; 95 % interval by "
            "bootstrap). Overlapping intervals mean that the order may be chance. A best of many looks better "
            "than it is: only the test part tells how good it really is."
        ),
    )
    for place, sweep in enumerate(found):
        label = t(
            "{n} runs · {provider} · {target} {hash}",
            n=len(sweep.runs),
            provider=fmt.plain(sweep.runs[0].job.provider),
            target=fmt.word("target", sweep.target),
            hash=fmt.short_hash(sweep.dataset_sha256),
        )
        # drawn only when open: what a sweep's paid models would cost takes a while to work out
        opened = st.expander(label, expanded=place == 0, key=f"sweep_{sweep.group_key}", on_change="rerun")
        if opened.open:
            with opened:
                _one(session, sweep)


def _one(session: Session, sweep: Sweep) -> None:
    best = next((run for run in sweep.runs if run.macro_f1 is not None), None)
    if any(run.simulated for run in sweep.runs):
        st.markdown(f"{simulated_badge()} {t('These figures say nothing about real models.')}")
    names = hyper.differing([_settings(run) for run in sweep.runs])
    st.dataframe(
        pd.DataFrame([_row(run, names, best=_is_best(run, best)) for run in sweep.runs]),
        hide_index=True,
        placeholder=fmt.DASH,
        alt=t("Runs of a sweep"),
        key=f"sweep_table_{sweep.group_key}",
        column_config={t("Interval"): st.column_config.TextColumn(width=120)},
    )
    if best is None:
        st.caption(t("No run is scored on the validation part yet."))
    validation_scores.offer(session, sweep)


def _is_best(run: SweepRun, best: SweepRun | None) -> bool:
    """Tell whether no run did better; several may share that."""
    return best is not None and run.macro_f1 == best.macro_f1


def _settings(run: SweepRun) -> dict[str, Any]:
    return run.job.config.get("hyperparameters") or {}


def _row(run: SweepRun, names: list[str], *, best: bool) -> dict[str, object]:
    metrics = run.score.metrics if run.score else {}
    given = _settings(run)
    train, validation = last_losses(run.losses)
    return (
        {"": "★" if best else ""}
        | {name: str(given.get(name, t("default"))) for name in names}
        | {
            t("Macro-F1"): fmt.share(run.macro_f1),
            t("Interval"): fmt.share_interval(metrics.get("macro_f1_interval")),
            t("n"): fmt.number(run.score.n if run.score else None),
            t("Accuracy"): fmt.share(metrics.get("accuracy")),
            t("Loss"): fmt.number(train, 3),
            t("Validation loss"): fmt.number(validation, 3),
            t("State"): fmt.word("job", run.job.status),
            t("Billed"): money.dollars(run.money.actual),
            t("Job"): run.job.id,
        }
    )
