"""Asking a remote model about a part's articles: what is missing, its price, the question before it is paid."""

from functools import partial

import streamlit as st

from core.domain.types import ModelKind, RunMode
from core.errors import NewstuneError
from core.queries import costs
from core.queries.models import ModelVersion
from core.workflows import ProviderState, predictions
from core.workflows.predictions import PredictionQuote
from ui import format as fmt
from ui import money, words
from ui.components import attempt, confirm, go_to, simulated_badge, sorry
from ui.i18n import mark, t, tn
from ui.provider_cards import destination
from ui.state import Session, app, flash

MODES = {RunMode.DIRECT: mark("one by one, now"), RunMode.BATCH: mark("as a batch, within a day")}


def is_remote(model: ModelVersion) -> bool:
    """Tell whether a model version is asked over a network: it answers, and nothing of it is stored here.

    Of a cascade that is said of its second part, which the version's provider is.
    """
    if model.kind == ModelKind.CASCADE and not model.params.get("remote"):
        return False
    return model.provider in app().providers and model.artefact is None


def offer(session: Session, model: ModelVersion, dataset_id: int, split: str, state: ProviderState) -> int:
    """Draw what is missing of a remote model's answers on a part, its price and the button; return how many.

    The quotes of both modes are worked out, so that the choice shows both prices.
    """
    try:
        quotes = {mode: _quote(model, dataset_id, split, mode) for mode in _modes(model, state)}
    except NewstuneError as error:
        sorry(error)
        return 0
    first = quotes[RunMode.DIRECT]
    if not first.missing:
        return 0
    key = f"{model.id}_{dataset_id}_{split}"
    with st.container(border=True, key=f"missing_{key}"):
        badge = f"{simulated_badge()} " if state.simulated else ""
        missing = tn(
            "**{n} article of the {part} part is not answered yet** by {name}.",
            "**{n} articles of the {part} part are not answered yet** by {name}.",
            first.missing,
            part=fmt.word("split", split),
            name=fmt.plain(model.name),
        )
        stored = tn("{n} is.", "{n} are.", first.stored) if first.stored else ""
        st.markdown(f"{badge}{missing} {stored}")
        mode = _choose_mode(quotes, key)
        start = partial(_begin, model.id, dataset_id, split, mode)
        _start_button(session, model, state, quotes[mode], start=start, key=key)
    return first.missing


def _modes(model: ModelVersion, state: ProviderState) -> list[RunMode]:
    batches = state.batches and model.kind != ModelKind.CASCADE
    return [RunMode.DIRECT, *([RunMode.BATCH] if batches else [])]


def _quote(model: ModelVersion, dataset_id: int, split: str, mode: RunMode) -> PredictionQuote:
    return predictions.quote_predictions(app(), model.id, dataset_id=dataset_id, split=split, mode=mode)


def _choose_mode(quotes: dict[RunMode, PredictionQuote], key: str) -> RunMode:
    if len(quotes) == 1:
        return RunMode.DIRECT
    return st.radio(
        t("How to ask"),
        list(quotes),
        format_func=lambda mode: f"{t(MODES[mode])}: {_price(quotes[mode])}",
        key=f"mode_{key}",
        horizontal=True,
        help=t("The vendor's batch service usually costs half and answers within 24 hours."),
    )


def _price(quote: PredictionQuote) -> str:
    if quote.likely is None:
        return t("no price known")
    return money.span(quote.low, quote.likely, quote.high) if quote.high else t("free")


def _start_button(
    session: Session,
    model: ModelVersion,
    state: ProviderState,
    quote: PredictionQuote,
    *,
    start: partial[None],
    key: str,
) -> None:
    """Draw the button that asks, or what stands in its way."""
    standing = costs.standing(session, app().policy, simulated=state.simulated, now=app().now())
    problem = f"{quote.problem}. {quote.remedy}." if quote.problem else ""
    if not problem and quote.high is not None and not standing.may_spend(quote.high):
        problem = t(
            "This may cost {high}: more than is left of the month's budget.", high=money.dollars(quote.high)
        )
    if problem:
        st.error(fmt.plain(problem), icon=":material/block:")
        go_to("costs", t("Open the Costs page"), key=f"costs_{key}")
        return
    label = tn("Ask about {n} article", "Ask about {n} articles", quote.missing)
    if quote.likely:
        usd = money.written(quote.likely)
        label = tn(
            "Ask about {n} article for about {usd}",
            "Ask about {n} articles for about {usd}",
            quote.missing,
            usd=usd,
        )
    if not st.button(label, type="primary", icon=":material/forum:", key=f"ask_{key}"):
        return
    if not quote.high:
        start(quote.high)
        st.rerun()
    confirm(
        t("Ask a paid model?"),
        lambda: terms(model, state, quote, money.left(standing, simulated=state.simulated)),
        t("Ask, up to {usd}", usd=money.written(quote.high)),
        partial(start, quote.high),
        key=f"predict_{key}",
    )


def terms(model: ModelVersion, state: ProviderState, quote: PredictionQuote, left: str) -> None:
    """Draw what a person should know before a model is asked."""
    if state.simulated:
        st.markdown(f"{simulated_badge()} {t('Play money, and answers that say nothing about real models.')}")
    price = t("Price: {span}", span=_price(quote))
    st.markdown(f"**{price}** · {left}")
    if quote.cost is not None:
        tokens = t(
            "{asked} tokens asked, {said} answered, both estimated",
            asked=fmt.number(quote.cost.tokens_in.likely),
            said=fmt.number(quote.cost.tokens_out.likely),
        )
        prices = [money.price(price.as_json()) for price in quote.cost.prices]
        st.caption(" · ".join([tokens, *prices]))
    going = tn(
        "{n} article goes to **{place}** for {name}.",
        "{n} articles go to **{place}** for {name}.",
        quote.missing - quote.staying,
        place=destination(state),
        name=fmt.plain(model.name),
    )
    st.markdown(f":material/share_location: {going}")
    for note in state.card.notes:
        st.markdown(f"- {fmt.plain(words.of_core(note))}")


def _begin(model_id: int, dataset_id: int, split: str, mode: RunMode, accept: int | None) -> None:
    done = attempt(
        lambda: predictions.start_predictions(
            app(), model_id, dataset_id=dataset_id, split=split, mode=mode, accept_micro_usd=accept
        )
    )
    if done is not None:
        flash(t("The run is queued."))
