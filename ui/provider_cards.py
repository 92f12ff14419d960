"""Provider cards: what each can do, what it said when asked, its dates, prices, and where the news goes."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import streamlit as st

from core import workflows
from core.domain.pricing import Price, PriceBook
from core.domain.types import PriceKind
from core.workflows import ProviderState
from core.workflows.prices import price_book
from core.workflows.providers import LAST_WORD
from ui import format as fmt
from ui import money, words
from ui.components import perform, section, simulated_badge
from ui.endings import ending, endings, tell
from ui.i18n import mark, t, tn
from ui.state import Session, app

_STATUS = {
    "ready": ("green", mark("Ready")),
    "blocked": ("red", mark("Blocked")),
    "unknown": ("orange", mark("Unknown")),
}
_ASKS = {
    "train": (":material/model_training:", mark("Trains"), mark("Does not train")),
    "answer": (":material/forum:", mark("Answers"), ""),
}


def ordered(states: Sequence[ProviderState]) -> list[ProviderState]:
    """Return providers as a person without keys meets them: the free, the played, those with keys, the rest."""
    return sorted(states, key=lambda state: (not state.card.configured, state.priced, not state.simulated))


def destination(state: ProviderState) -> str:
    """Return where news goes that a provider is sent, for a sentence."""
    place = state.card.destination
    return fmt.plain(words.of_core(place)) or t("the address that you set")


def title(state: ProviderState) -> str:
    """Return a provider's name for people, without the mark that stands beside it as a badge."""
    return state.card.title.removesuffix(" (SIMULATED)")


def runs_here(state: ProviderState) -> bool:
    """Tell whether a provider trains for free on this machine, so that nobody needs to be asked."""
    return state.trains and not (state.priced or state.simulated)


def refuses(state: ProviderState) -> bool:
    """Tell whether a provider's last word, while it is believed, was that it does not train."""
    said = state.checks.get("train")
    return said is not None and said.status == "blocked" and app().now() - said.at <= LAST_WORD


def base_models(state: ProviderState) -> list[str]:
    """Return the models of a provider that can be tuned, its default first."""
    return [model.name for model in state.card.base_models if model.trainable]


def choose_base(models: Sequence[str], key: str) -> str:
    """Draw the choice of a vendor's model, which may also be typed; "" for none."""
    chosen = st.selectbox(
        t("Base model"),
        models,
        key=key,
        placeholder=t("the vendor's name"),
        accept_new_options=True,
        help=t("Choose one, or type a name that the vendor offers to you."),
    )
    return (chosen or "").strip()


def chosen_base(state: ProviderState) -> str:
    """Return the known base model chosen for a provider in the launch form, else its default."""
    models = base_models(state) or [model.name for model in state.card.base_models]
    kept = st.session_state.get(f"train_base_{state.card.name}")
    return kept if kept in models else next(iter(models), "")


def draw(session: Session, states: Sequence[ProviderState]) -> None:
    """Draw the cards of the providers that are set up; the others fold into one line."""
    section(
        t("Providers"),
        t("Asking a provider is free: nothing is uploaded. What it said last is kept with its time."),
    )
    book = price_book(app(), session)
    ready = [state for state in ordered(states) if state.card.configured]
    missing = [state for state in ordered(states) if not state.card.configured]
    _grid(ready, book)
    if missing:
        names = ", ".join(fmt.plain(title(state)) for state in missing)
        label = tn(
            "{n} more provider needs a key: {names}",
            "{n} more providers need keys: {names}",
            len(missing),
            names=names,
        )
        with st.expander(label, icon=":material/key_off:", key="providers_without_keys"):
            _grid(missing, book)


def _grid(states: Sequence[ProviderState], book: PriceBook) -> None:
    with st.grid(3, min_column_width=300):
        for state in states:
            with st.container(border=True, height="stretch"):
                card(state, book)


def card(state: ProviderState, book: PriceBook) -> None:
    """Draw one provider."""
    today = app().now().date()
    badge = f" {simulated_badge()}" if state.simulated else ""
    st.markdown(f"**{fmt.plain(title(state))}**{badge}")
    _keys(state)
    if state.card.configured:
        st.markdown("&ensp;".join(_can(state, what) for what in _ASKS))
        _said(state)
    for found in endings(state, chosen_base(state), today):
        tell(found)
    _training_price(state, book, today)
    st.caption(f":material/share_location: {t('News goes to: {place}', place=destination(state))}")
    if state.card.configured:
        _check(state)
    _more(state, book, today)


def _keys(state: ProviderState) -> None:
    if not state.card.keys:
        return
    missing = [name for name, given in state.card.keys.items() if not given]
    given = [name for name, given in state.card.keys.items() if given]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        st.markdown(f":gray-badge[:material/key_off: {t('No key')}]")
        st.caption(
            t(
                "Set {names} in the environment or in `.streamlit/secrets.toml` and start the program again.",
                names=names,
            )
        )
    if given:
        names = ", ".join(f"`{name}`" for name in given)
        st.caption(f":material/key: {t('given: {names}', names=names)}", help=t("The value is never shown."))


def status_badge(state: ProviderState, what: str) -> str:
    """Return what a provider said last when it was asked whether it would train or answer, as a badge."""
    said = state.checks.get(what)
    if said is None:
        return f":green-badge[{t('Ready')}]" if runs_here(state) else f":gray-badge[{t('Not asked yet')}]"
    colour, word = _STATUS.get(said.status, ("gray", mark("Unknown")))
    return f":{colour}-badge[{t(word)}]"


def _can(state: ProviderState, what: str) -> str:
    icon, does, does_not = _ASKS[what]
    if what == "train" and not state.trains:
        return f":gray[{icon} {t(does_not)}]"
    return f"{icon} {t(does)} {status_badge(state, what)}"


def _said(state: ProviderState) -> None:
    """Draw the sentences of a provider's last answers, and when it was asked."""
    said = {what: state.checks[what] for what in _ASKS if what in state.checks}
    for what, check in said.items():
        if check.reason and (state.trains or what != "train"):
            st.caption(f"{_ASKS[what][0]} {fmt.plain(words.of_core(check.reason))}")
    if said:
        ago = fmt.ago(max(check.at for check in said.values()), app().now())
        st.caption(f":material/schedule: {t('asked {ago}', ago=ago)}")


def _training_price(state: ProviderState, book: PriceBook, today: date) -> None:
    if not state.trains:
        return
    if not state.priced:
        st.caption(f":material/payments: {t('Training is free.')}")
        return
    base = chosen_base(state)
    found = book.find(state.card.name, base, PriceKind.TRAINING, today)
    if found is None:
        said = t("No price is known for training {model}.", model=fmt.plain(base))
        st.markdown(f":small[:orange[:material/payments: {said}]]")
        return
    line = t("Training {model}: {price}", model=fmt.plain(base), price=money.price(found.as_json()))
    st.caption(f":material/payments: {line}", help=t("Source: {source}", source=fmt.plain(found.source)))


def _check(state: ProviderState) -> None:
    name = state.card.name
    if st.button(t("Check now"), icon=":material/network_check:", key=f"check_{name}"):
        perform(
            lambda: workflows.check_provider(app(), name),
            working=t("Asking {name} …", name=fmt.plain(title(state))),
            done=t("{name} was asked.", name=fmt.plain(title(state))),
        )


def _more(state: ProviderState, book: PriceBook, today: date) -> None:
    models = [model for model in state.card.base_models if model.name]
    fee = book.find(state.card.name, chosen_base(state), PriceKind.HOSTING_HOUR, today)
    if not (state.card.notes or models or fee):
        return
    with st.expander(t("Notes, fees and models"), key=f"notes_{state.card.name}"):
        for note in state.card.notes:
            st.markdown(f"- {fmt.plain(words.of_core(note))}")
        if fee is not None:
            st.markdown(f"- {_hosting(fee)}")
        for model in models:
            _model(model, today)


def _hosting(fee: Price) -> str:
    line = t(
        "A tuned model that is set up costs {usd} an hour, asked or not, as of {day}",
        usd=fmt.plain(f"${fee.usd:f}"),
        day=fee.as_of.isoformat(),
    )
    return line if fee.certain else t("{fact} (reported)", fact=line)


def _model(model: Any, today: date) -> None:
    can = [word for word, does in ((t("trains"), model.trainable), (t("answers"), model.answers)) if does]
    if not model.certain:
        can.append(t("not confirmed by the vendor's list"))
    dates = [ending(known, today) for known in model.dates]
    line = " · ".join([fmt.plain(model.name), ", ".join(can), *(found.sentence for found in dates)])
    sources = " ".join(dict.fromkeys(found.source for found in dates if found.source))
    st.caption(line, help=sources or None)
