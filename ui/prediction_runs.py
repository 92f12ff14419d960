"""Prediction runs on screen: live while they go on, then what was answered, why the rest was not, once more."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from core.domain.types import JobStatus, RunMode
from core.errors import NewstuneError
from core.queries import costs
from core.queries.models import ModelVersion
from core.queries.prediction_runs import RunCard, active_runs, ended_runs, failed_articles
from core.workflows import ProviderState, predictions
from core.workflows.predictions import PredictionQuote
from ui import format as fmt
from ui import job_parts, money
from ui.components import attempt, confirm, job_badge, section, simulated_badge, sorry
from ui.failures import failure
from ui.i18n import t, tn
from ui.jobs import LOOK_EVERY_S
from ui.predictions import MODES, terms
from ui.state import Session, app, flash, reading

#: Seconds that a page drives a run itself where no scheduler does.
SLICE_S = 1.0


def live() -> bool:
    """Draw the runs that have not ended, refreshed while there are any; return whether there are."""
    with reading() as session:
        running = bool(active_runs(session))
    if running:
        st.fragment(_live, run_every=LOOK_EVERY_S)()
    return running


def under_way(session: Session, model: ModelVersion) -> bool:
    """Tell whether a model is being asked now."""
    return any(card.run.model_id == model.id for card in active_runs(session))


def _live() -> None:
    if app().scheduler_state()["role"] == "off":
        attempt(lambda: predictions.drive_predictions(app(), for_s=SLICE_S))
    with reading() as session:
        cards = active_runs(session)
    if not cards:
        st.rerun()
    for card in cards:
        with st.container(border=True):
            _running(card)


def _running(card: RunCard) -> None:
    run = card.run
    st.markdown(_title(card))
    if run.status == JobStatus.UNKNOWN:
        _unknown(card)
    else:
        done = run.answered + run.failed
        st.progress(done / run.total if run.total else 1.0, text=_counts(card))
    notes = [job_parts.cost(card.money), fmt.plain(run.message)]
    st.caption(" · ".join(note for note in notes if note) or t("Waiting for its turn."))
    if run.status != JobStatus.UNKNOWN:
        st.button(
            t("Stopping …") if run.cancel_requested else t("Cancel"),
            icon=":material/cancel:",
            key=f"cancel_run_{run.id}",
            disabled=run.cancel_requested,
            on_click=_act,
            args=("cancel", run.id),
            help=t("What was answered until then is kept, and billed."),
        )


def _title(card: RunCard) -> str:
    run = card.run
    badge = f" {simulated_badge()}" if run.simulated else ""
    mode = t(MODES[RunMode(run.mode)])
    return f"{job_badge(run.status)}{badge} **{t('Run {id}', id=run.id)} · {fmt.plain(card.model_name)}** · {mode}"


def _counts(card: RunCard) -> str:
    run = card.run
    line = t("{answered} of {total} answered", answered=fmt.number(run.answered), total=fmt.number(run.total))
    if not run.failed:
        return line
    reasons = ", ".join(f"{failure(code)} {n:,}" for code, n in card.failures.items())
    return t("{line}, {n} without an answer: {reasons}", line=line, n=fmt.number(run.failed), reasons=reasons)


def _unknown(card: RunCard) -> None:
    st.warning(
        t(
            "The batch was sent and the answer was lost: the vendor may be working on it and bill it, or may "
            "never have heard of it. Look at the vendor's console for {name} and decide:",
            name=f"`{card.run.key[:20]}…`",
        ),
        icon=":material/contact_support:",
    )
    with st.container(horizontal=True):
        for answer, label in (
            ("send_again", t("It is not there: send it again")),
            ("give_up", t("Give it up")),
        ):
            st.button(label, key=f"run_{answer}_{card.run.id}", on_click=_act, args=(answer, card.run.id))


def _act(what: str, run_id: int) -> None:
    if what == "cancel":
        done = attempt(lambda: [predictions.cancel_predictions(app(), run_id)])
    else:
        done = attempt(lambda: [predictions.resolve_run(app(), run_id, what)])
    if done is not None:
        flash(t("Run {id}: done as you decided.", id=run_id))


def ended(session: Session, states: Sequence[ProviderState]) -> None:
    """Draw the runs that have ended, with what was answered, why the rest was not, and asking about it again."""
    cards = ended_runs(session)
    if not cards:
        return
    section(
        t("Prediction runs"), t("Articles asked = answered + without an answer. The newest runs come first.")
    )
    by_name = {state.card.name: state for state in states}
    for card in cards:
        with st.container(border=bool(card.run.failed or card.run.error), key=f"run_{card.run.id}"):
            st.markdown(_title(card))
            notes = [_counts(card), job_parts.cost(card.money), fmt.moment(card.run.finished_at)]
            st.caption(" · ".join(note for note in notes if note))
            if card.run.error:
                st.caption(f":material/error: {fmt.plain(card.run.error)}")
            if card.run.failed:
                _retry(session, card, by_name)


def _retry(session: Session, card: RunCard, states: dict[str, ProviderState]) -> None:
    run = card.run
    label = tn("Ask again about {n} article …", "Ask again about {n} articles …", run.failed)
    if not st.button(label, icon=":material/replay:", key=f"retry_run_{run.id}"):
        return
    model = session.get_one(ModelVersion, run.model_id)
    state = states.get(model.provider)
    if state is None:
        st.error(t("The provider of this model is not set up any more."))
        return
    try:
        quote = predictions.quote_predictions(
            app(), run.model_id, article_ids=failed_articles(session, run.id or 0), mode=RunMode(run.mode)
        )
    except NewstuneError as error:
        sorry(error)
        return
    _ask_again(session, model, state, run.id or 0, quote)


def _ask_again(
    session: Session, model: ModelVersion, state: ProviderState, run_id: int, quote: PredictionQuote
) -> None:
    if quote.problem or not quote.missing:
        said = (
            f"{quote.problem}. {quote.remedy}." if quote.problem else t("All of them have an answer by now.")
        )
        st.info(fmt.plain(said))
        return
    standing = costs.standing(session, app().policy, simulated=state.simulated, now=app().now())
    confirm(
        t("Ask again?"),
        lambda: terms(model, state, quote, money.left(standing, simulated=state.simulated)),
        t("Ask, up to {usd}", usd=money.written(quote.high)) if quote.high else t("Ask again"),
        partial(_again, run_id, quote.high),
        key=f"again_run_{run_id}",
    )


def _again(run_id: int, accept: int | None) -> None:
    if attempt(lambda: predictions.retry_failed(app(), run_id, accept_micro_usd=accept)) is not None:
        flash(t("The run is queued."))
