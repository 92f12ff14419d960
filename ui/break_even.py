"""What an article costs with each model, and when a tuned one has paid for itself."""

from collections.abc import Sequence
from datetime import date

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.budget import DAYS_A_MONTH, Alternatives, BreakEven, break_even
from core.domain.types import ModelKind
from core.workflows.prices import ArticleCost
from ui import cost_words, money
from ui import format as fmt
from ui.components import section, simulated_badge
from ui.i18n import t
from ui.state import app

#: The plan's own load.
ARTICLES_A_DAY = 100


def card() -> None:
    """Draw the measured costs of an article, and the payback of tuning with figures that may be changed."""
    measured = workflows.article_costs(app())
    _measured(measured)
    section(
        t("When does tuning pay?"),
        t(
            "The training and the hosting of a tuned model against what it saves on each article, on cost "
            "alone. Whether it answers better is for the comparison of models to say."
        ),
    )
    priced = [each for each in measured if each.micro_usd is not None]
    left, right = st.columns([3, 2], gap="large")
    with left:
        given = _inputs(priced)
    with right, st.container(border=True):
        if given is None:
            st.caption(t("Fill in what an article costs either way, and the training."))
        else:
            _verdict(break_even(given), given)


def _measured(measured: Sequence[ArticleCost]) -> None:
    section(
        t("What an article costs"),
        t("Mean tokens of the answers, as the vendor counted them, at today's prices without discounts."),
    )
    if not measured:
        st.caption(t("No model version has answers with counted tokens yet."))
        return
    frame = pd.DataFrame(
        {
            t("Model version"): [each.use.model.name for each in measured],
            t("Kind"): [fmt.word("kind", each.use.model.kind) for each in measured],
            t("Money"): [t("SIMULATED") if each.use.model.simulated else t("Real") for each in measured],
            t("n"): [fmt.number(each.use.n) for each in measured],
            t("Tokens in"): [fmt.number(each.use.prompt_tokens) for each in measured],
            t("Tokens out"): [fmt.number(each.use.completion_tokens) for each in measured],
            t("1,000 articles"): [_thousand(each.micro_usd) for each in measured],
            t("Training"): [money.dollars(each.use.training_micro_usd) for each in measured],
        }
    )
    st.dataframe(frame, hide_index=True, placeholder=fmt.DASH, alt=t("What an article costs"))
    unpriced = [each.use for each in measured if each.micro_usd is None]
    if unpriced:
        names = ", ".join(f"{use.priced_as} ({use.model.provider})" for use in unpriced)
        st.caption(t("No price is known of {names}: enter it under Prices.", names=fmt.plain(names)))


def _thousand(micro_usd: float | None) -> str:
    return money.dollars(None if micro_usd is None else round(1_000 * micro_usd))


def _inputs(priced: Sequence[ArticleCost]) -> Alternatives | None:
    """Draw the figures, those measured filled in; return them once there are enough."""
    few_shot = _pick(priced, ModelKind.FEW_SHOT, t("Few-shot model"))
    tuned = _pick(priced, ModelKind.FINE_TUNED, t("Tuned model"))
    if any(each is not None and each.use.model.simulated for each in (few_shot, tuned)):
        st.markdown(simulated_badge())
    with st.grid(2, min_column_width=190):
        before = _amount(t("Few-shot: US dollars per 1,000 articles"), "few", _dollars_a_thousand(few_shot))
        after = _amount(t("Tuned: US dollars per 1,000 articles"), "tuned", _dollars_a_thousand(tuned))
        paid = tuned.use.training_micro_usd if tuned else None
        training = _amount(
            t("Training in US dollars"), "training", None if paid is None else paid / money.MICRO
        )
        hosting = _amount(t("Hosting in US dollars a month"), "hosting", 0.0)
        articles = st.number_input(
            t("Articles a day"), min_value=1, max_value=1_000_000, value=ARTICLES_A_DAY, key="even_articles"
        )
        months = _life(tuned, fmt.seoul(app().now()).date())
        life = st.number_input(
            t("Months until it is switched off"),
            min_value=0.0,
            value=months,
            step=0.5,
            key=f"even_life_{months}",
            placeholder=t("no end known"),
        )
    if before is None or after is None or training is None:
        return None
    return Alternatives(
        training=round(training * money.MICRO),
        few_shot=before * 1_000,  # dollars per thousand articles are thousands of micro-dollars an article
        tuned=after * 1_000,
        hosting_a_month=round((hosting or 0.0) * money.MICRO),
        articles_a_day=articles,
        life_months=life,
    )


def _pick(priced: Sequence[ArticleCost], kind: ModelKind, label: str) -> ArticleCost | None:
    choices = {each.use.model.id: each for each in priced if each.use.model.kind == kind}
    if not choices:
        return None
    chosen = st.selectbox(
        label,
        list(choices),
        key=f"even_{kind}",
        placeholder=fmt.DASH,
        format_func=lambda model_id: choices[model_id].use.model.name,
    )
    return choices[chosen]


def _amount(label: str, name: str, value: float | None) -> float | None:
    # another value has another key: a widget takes its value when it is new, and keeps what was typed
    return st.number_input(
        label,
        min_value=0.0,
        value=value,
        step=0.1,
        format="%.4f",
        key=f"even_{name}_{value}",
        placeholder="0.00",
    )


def _dollars_a_thousand(cost: ArticleCost | None) -> float | None:
    return None if cost is None or cost.micro_usd is None else cost.micro_usd / 1_000


def _life(tuned: ArticleCost | None, today: date) -> float | None:
    """Return the months until the vendor switches a model off, where it said when."""
    try:
        retires = date.fromisoformat(str(tuned.use.model.params["retires"])) if tuned else None
    except (KeyError, ValueError):
        return None
    return None if retires is None else round(max(0, (retires - today).days) / DAYS_A_MONTH, 1)


def _verdict(result: BreakEven, given: Alternatives) -> None:
    if result.months is None:
        st.markdown(f"**{cost_words.never(result.reason or '')}**")
    else:
        st.markdown(
            t(
                "**Pays for its training after {months} months, or {articles} articles.**",
                months=fmt.number(result.months, 1),
                articles=fmt.number(result.articles),
            )
        )
    saved, net = st.columns(2)
    saved.metric(
        t("Saved a month"),
        money.dollars(result.saved_a_month),
        help=t("What the articles of a month of 30 days cost less, after the hosting."),
    )
    net.metric(
        t("Won in {n} months", n=fmt.number(result.horizon_months, 1)),
        money.dollars(result.net),
        help=t("What is saved less the training, over a year or the model's life, whichever is shorter."),
    )
    gain = result.rate_of_return(given.training)
    if gain is not None:
        st.caption(t("Return: {gain} on each dollar of training.", gain=fmt.plain(f"${gain:,.2f}")))
