"""The launch desk: choose, see the price, start. Free trainings start with one click, paid ones ask once."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core import workflows
from core.domain.pricing import Quote
from core.errors import NewstuneError
from core.queries import training
from core.queries.training import DatasetVersion
from core.workflows import ProviderState, Request
from ui import format as fmt
from ui import hyper, launch_dialogs, launch_notes, money, sweep
from ui.components import empty, go_to, perform, section, simulated_badge, sorry
from ui.endings import by_provider, endings, no_new_jobs, tell
from ui.i18n import t
from ui.launch_offer import Offer, Wish, offer
from ui.provider_cards import base_models, choose_base, destination, ordered, refuses, title
from ui.state import Session, app


def desk(session: Session, states: Sequence[ProviderState]) -> None:
    """Draw the choice of what is trained by whom, its price, and the button that starts it."""
    section(
        t("Train"),
        t(
            "The local model is free and takes seconds. A paid provider is asked only after you have seen the "
            "price and agreed to it; the upper end of the price is held against the month's budget."
        ),
    )
    versions = [each for each in training.dataset_versions(session) if training.trainable(each)]
    if not versions:
        with empty(t("Training needs a dataset version.")):
            go_to("training", t("Build one"), key="build_first", training_tab_next=t("Dataset versions"))
        return
    trainers = [each for each in ordered(states) if each.trains]
    if not trainers:
        st.caption(t("No provider is set up that trains."))
        return
    launch_notes.joined(session)
    launch_notes.retry()
    wish, slot = _choices(versions, trainers)
    try:
        found = offer(session, wish)
    except NewstuneError as error:
        sorry(error)
        return
    with slot:
        _button(found)
    _quoted(found)
    _help(found, states)
    launch_dialogs.pilot_button(session, found)
    sweep.launcher(found)


def _choices(versions: Sequence[DatasetVersion], trainers: Sequence[ProviderState]) -> tuple[Wish, Any]:
    """Draw the choices; return them with the place of the button, whose label needs the price."""
    named, by_id = by_provider(trainers), {version.id: version for version in versions}
    kept = st.session_state.get("train_provider")
    asked = _has_bases(named[kept] if kept in named else trainers[0])
    columns = st.columns([3, 2, 2, 2] if asked else [4, 3, 2], vertical_alignment="bottom")
    with columns[0]:
        dataset_id = _select(t("Dataset version"), list(by_id), "train_on", lambda key: _version(by_id[key]))
    with columns[1]:
        name = _select(t("Provider"), list(named), "train_provider", lambda key: _provider(named[key]))
    state = named[name]
    with columns[2 if asked else 1]:
        base = _base(state)
    with st.expander(t("Settings"), icon=":material/tune:", key=f"settings_of_{name}"):
        settings = hyper.single(state)
        if not state.card.hyperparameters:
            st.caption(t("This provider has no settings."))
    request = Request(
        dataset_id, name, base, hyperparameters=settings, retry_of=launch_notes.retried(dataset_id)
    )
    return Wish(state, by_id[dataset_id], request), columns[-1]


def _select(label: str, options: list[Any], key: str, shown: Any) -> Any:
    if st.session_state.get(key) not in options:  # what was chosen is gone
        st.session_state.pop(key, None)
    return st.selectbox(label, options, key=key, placeholder=fmt.DASH, format_func=shown)


def _version(version: DatasetVersion) -> str:
    return t(
        "{target} · {hash} · {n} to train on · {at}",
        target=fmt.word("target", version.target),
        hash=fmt.short_hash(version.sha256),
        n=fmt.number(training.part_total(version.counts, "train")),
        at=fmt.moment(version.created_at),
    )


def _provider(state: ProviderState) -> str:
    notes = [
        (not state.card.configured, t("no key")),
        (state.card.configured and refuses(state), t("blocked")),
        (state.simulated, t("SIMULATED")),
        (not state.priced, t("free")),
    ]
    return " · ".join([title(state), *(note for holds, note in notes if holds)])


def _has_bases(state: ProviderState) -> bool:
    """Tell whether a base model is to be chosen: not where there is only one, which has no name."""
    return any(base_models(state)) or state.priced


def _base(state: ProviderState) -> str:
    """Return the base model, asked for where there is a choice."""
    if not _has_bases(state):
        return ""
    return choose_base(base_models(state), f"train_base_{state.card.name}")


def _button(found: Offer) -> None:
    """Draw the button that starts: at once where it is free, after a question where it is paid."""
    label = t("Train")
    if found.cost is not None:
        label = t("Train for about {usd}", usd=money.written(found.cost.likely))
    pressed = st.button(
        label,
        type="primary",
        icon=":material/model_training:",
        width="stretch",
        key="train_now",
        disabled=bool(found.problem),
    )
    if not pressed:
        return
    if found.cost is not None:
        launch_dialogs.paid(found)
        return
    request = found.wish.request
    perform(
        lambda: launch_notes.kept(workflows.start_training(app(), request), request),
        working=t("Starting …"),
        done=launch_notes.said,
    )


def _quoted(found: Offer) -> None:
    """Say what it would take: price and how it was made, budget, destination, dates."""
    quote, state = found.quote, found.wish.state
    if found.cost is not None:
        cost = found.cost
        passes = hyper.epochs(state, found.wish.request.hyperparameters)
        badge = f"{simulated_badge()} " if state.simulated else ""
        price = t("Price: {span}", span=money.span(cost.low, cost.likely, cost.high))
        st.markdown(f"{badge}**{price}** · {money.made_of(cost, quote.rows, passes)}", help=_how(cost))
        st.caption(
            f":material/account_balance_wallet: {money.left(found.standing, simulated=state.simulated)}",
            help=money.budget_help(found.standing),
        )
    elif quote.seconds is not None and quote.cost is None:
        takes = t(
            "{n} rows · free · about {time}",
            n=fmt.number(quote.rows),
            time=launch_notes.lasting(quote.seconds),
        )
        st.caption(takes, help=t("Rows of the training part; the time is estimated from their length."))
    if state.priced:
        where = t("News goes to: {place}", place=destination(state))
        st.caption(f":material/share_location: {where}")
        for end in endings(state, found.wish.request.base_model, app().now().date()):
            tell(end)


def _how(cost: Quote) -> str:
    source = "; ".join(dict.fromkeys(price.source for price in cost.prices))
    return t(
        "Tokens × price. The range is that of the token estimate; what is billed are the tokens the vendor "
        "counts. Price: {source}",
        source=fmt.plain(source),
    )


def _help(found: Offer, states: Sequence[ProviderState]) -> None:
    """Say what stands in the way, with the button that helps."""
    passed = no_new_jobs(found.wish.state, found.wish.request.base_model, app().now().date())
    if passed is not None and not found.problem:
        st.warning(
            t("{fact}. The provider will probably refuse.", fact=passed.sentence),
            icon=":material/event_busy:",
        )
    if not found.problem:
        return
    st.error(fmt.plain(found.problem), icon=":material/block:")
    with st.container(horizontal=True):
        if found.elsewhere:
            launch_notes.other_provider(found.wish.request.provider, states)
        if found.costs:
            go_to("costs", t("Open the Costs page"), key="launch_costs")
