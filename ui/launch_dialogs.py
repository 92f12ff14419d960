"""The questions before money is spent: a paid training, a second payment, a pilot."""

from dataclasses import replace
from functools import partial

import streamlit as st

from core import workflows
from core.domain.intervals import wilson
from core.domain.pricing import Quote, Unpriced
from core.errors import NewstuneError
from core.queries import training
from core.workflows import PILOT_ROWS, Request
from ui import format as fmt
from ui import hyper, launch_notes, money, words
from ui.components import attempt, confirm, simulated_badge, sorry
from ui.endings import endings, tell
from ui.i18n import t, tn
from ui.launch_offer import Offer
from ui.provider_cards import destination
from ui.state import Session, app, flash

#: Accuracy at which the width of an interval is told: that of a good model of sentiment.
TYPICAL_ACCURACY = 0.8


def paid(found: Offer) -> None:
    """Ask once before a paid training: price, what leaves this machine, notes, dates."""
    cost = found.cost
    if cost is None:
        return
    request = found.wish.request
    confirm(
        t("Run again and pay again?") if request.again else t("Start a paid training?"),
        lambda: _terms(found, cost),
        t("Start, up to {usd}", usd=money.written(cost.high)),
        partial(start, request, cost.high),
        key="paid",
    )


def _terms(found: Offer, cost: Quote) -> None:
    state, request = found.wish.state, found.wish.request
    if state.simulated:
        st.markdown(
            f"{simulated_badge()} {t('Play money: nothing is billed, and the model says nothing about real ones.')}"
        )
    if request.again:
        st.markdown(t("An equal run has succeeded already. This one is billed in full once more."))
    passes = hyper.epochs(state, request.hyperparameters)
    price = t("Price: {span}", span=money.span(cost.low, cost.likely, cost.high))
    st.markdown(f"**{price}** · {money.made_of(cost, found.quote.rows, passes)}")
    held = t("{high} is held against the budget until the bill is known.", high=money.written(cost.high))
    st.markdown(f"{held} {money.left(found.standing, simulated=state.simulated)}.")
    _sent(found)
    for end in endings(state, request.base_model, app().now().date()):
        tell(end)
    for note in state.card.notes:
        st.markdown(f"- {fmt.plain(words.of_core(note))}")
    st.caption(
        t(
            "The paid request is sent once. If its answer is lost, the program looks for the job and asks you; it never sends it again by itself."
        )
    )


def _sent(found: Offer) -> None:
    """Say which articles leave, and where they go; a pilot takes a quarter as many to validate on."""
    place, train = destination(found.wish.state), fmt.number(found.quote.rows)
    if found.wish.request.rows is None:
        validation = training.part_total(found.wish.version.counts, "validation")
        going = t(
            "{train} training and {validation} validation articles go to **{place}**. The test part stays here.",
            train=train,
            validation=fmt.number(validation),
            place=place,
        )
    else:
        going = t(
            "{train} training articles, and at most a quarter as many of the validation part, go to **{place}**. "
            "The test part stays here.",
            train=train,
            place=place,
        )
    st.markdown(f":material/share_location: {going}")


def start(request: Request, accept_micro_usd: int | None) -> None:
    """Start what was agreed to; a callback."""
    started = attempt(lambda: workflows.start_training(app(), request, accept_micro_usd=accept_micro_usd))
    if started is not None:
        flash(launch_notes.said(launch_notes.kept(started, request)))


def pilot_button(session: Session, found: Offer) -> None:
    """Draw the button of the plan's small run, and ask for a second payment where one is wanted."""
    again = launch_notes.again()
    if again is not None:
        _ask(session, found, again)
    fits = found.quote.rows > PILOT_ROWS and not found.problem
    pressed = st.button(
        tn("Pilot on {n} row …", "Pilot on {n} rows …", PILOT_ROWS),
        icon=":material/flight_takeoff:",
        key="pilot",
        disabled=not fits,
        help=t(
            "A small run of the same dataset version, before the whole is paid for. It needs more than {n} training rows.",
            n=PILOT_ROWS,
        ),
    )
    if pressed:
        _pilot(found)


def _ask(session: Session, found: Offer, request: Request) -> None:
    """Ask about a request other than the one on the desk, at its own price of now."""
    states = {state.card.name: state for state in workflows.provider_states(app())}
    version = next((v for v in training.dataset_versions(session) if v.id == request.dataset_id), None)
    if version is None or request.provider not in states:
        return
    try:
        fresh = workflows.quote_training(app(), request)
    except NewstuneError as error:
        sorry(error)
        return
    wish = replace(found.wish, state=states[request.provider], version=version, request=request)
    paid(replace(found, wish=wish, quote=fresh))


def _pilot(found: Offer) -> None:
    request = workflows.pilot(found.wish.request)
    try:
        quote = workflows.quote_training(app(), request)
    except NewstuneError as error:
        sorry(error)
        return
    if isinstance(quote.cost, Unpriced) or not quote.preflight.allowed:
        problem = (
            quote.cost.sentence if isinstance(quote.cost, Unpriced) else words.of_core(quote.preflight.reason)
        )
        st.error(fmt.plain(problem), icon=":material/block:")
        return
    small = replace(found, wish=replace(found.wish, request=request), quote=quote)
    high = None if small.cost is None else small.cost.high
    label = t("Start the pilot") if high is None else t("Start, up to {usd}", usd=money.written(high))
    confirm(
        t("Pilot on {n} rows", n=quote.rows),
        lambda: _what_a_pilot_proves(small),
        label,
        partial(start, request, high),
        key="pilot",
        icon=":material/flight_takeoff:",
    )


def _what_a_pilot_proves(small: Offer) -> None:
    st.markdown(
        t(
            "**It proves** that the whole way works: files, format, job, model, answers. At a paid provider also the true number of tokens billed for a row."
        )
    )
    st.markdown(
        t("**It does not prove** that one model is better than another. {width}", width=_width(small))
    )
    if small.cost is not None:
        _terms(small, small.cost)


def _width(small: Offer) -> str:
    """Say how uncertain an accuracy on this version's test part is."""
    version = small.wish.version
    n = training.part_total(version.counts, "test")
    half = half_width(n)
    if half is None:
        return t("This dataset version has no test part at all.")
    sentence = t(
        "On its {n} test articles, an accuracy of {rate} is known to ±{half} percentage points only (Wilson, 95 %).",
        n=fmt.number(n),
        rate=fmt.share(TYPICAL_ACCURACY, 0),
        half=fmt.number(100 * half, 1),
    )
    if version.target == "direction":
        sentence += " " + t("Articles of one day share one market move, so it is less certain still.")
    return sentence


def half_width(n: int) -> float | None:
    """Return half the width of Wilson's 95 % interval of a typical accuracy on `n` articles; None for none."""
    interval = wilson(round(TYPICAL_ACCURACY * n), n)
    return None if interval is None else (interval[1] - interval[0]) / 2
