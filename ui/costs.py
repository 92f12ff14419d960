"""The month's money on screen: standing, forecast and spend, and the card of the Overview."""

import streamlit as st

from core.domain.budget import REFERENCE_LINES, MonthForecast, Standing
from core.domain.types import CostPurpose
from core.queries import costs as queries
from core.queries.costs import By, LedgerFilter
from ui import charts, cost_charts, cost_words, money
from ui import format as fmt
from ui.components import go_to, section, show, simulated_badge
from ui.i18n import t, tn
from ui.state import Session, app

MICRO = money.MICRO


def month_card(session: Session) -> None:
    """Draw the month's spend against the budget, with the way to the Costs page."""
    now = app().now()
    state = queries.standing(session, app().policy, simulated=False, now=now)
    section(t("This month's costs"), money.budget_help(state))
    st.metric(
        t("Billed"),
        money.dollars(state.spent),
        delta=t("of {cap}", cap=money.dollars(state.cap)),
        delta_color="off",
        delta_arrow="off",
        help=t("What providers billed since the first of the month (Seoul), and hours that people entered."),
    )
    _bar(state, None, "card")
    warn(state)
    played = queries.standing(session, app().policy, simulated=True, now=now)
    if played.spent or played.reserved:
        st.caption(f"{simulated_badge()} {t('{usd} of play money besides', usd=money.written(played.spent))}")
    go_to("costs", t("Look at the costs"), key="card_costs")


def months(session: Session) -> None:
    """Draw this month's real money, and play money apart from it where there is any."""
    section(t("This month"), t("From the first of the month, by the calendar of Seoul."))
    _month(session, simulated=False)
    if queries.count_ledger(session, LedgerFilter(simulated=True)):
        section(t("Play money"), t("What the simulator produced: no vendor bills it. It has the same cap."))
        st.markdown(simulated_badge())
        _month(session, simulated=True)


def _month(session: Session, *, simulated: bool) -> None:
    now = app().now()
    state = queries.standing(session, app().policy, simulated=simulated, now=now)
    ahead = queries.month_forecast(session, app().policy, simulated=simulated, now=now)
    _figures(state)
    _bar(state, ahead, "played" if simulated else "month", _note(simulated=simulated))
    warn(state)
    st.caption(_in_words(ahead), help=_how(ahead))
    _spent(session, simulated=simulated)


def _note(*, simulated: bool) -> str:
    """Return what every chart of play money says."""
    return t("SIMULATED") if simulated else ""


def _figures(state: Standing) -> None:
    billed, held, left = st.columns(3, gap="small")
    billed.metric(
        t("Billed"),
        money.dollars(state.spent),
        help=t("What providers billed since the first of the month (Seoul), and hours that people entered."),
    )
    held.metric(
        t("Held"),
        money.dollars(state.reserved),
        help=t(
            "Held for work under way at the upper end of its estimate; what is not used is given back at its end."
        ),
    )
    left.metric(t("Left"), money.dollars(max(0, state.left)), help=money.budget_help(state))


def _bar(state: Standing, ahead: MonthForecast | None, key: str, note: str = "") -> None:
    figure = cost_charts.budget_bar(
        cost_charts.Month(
            state.cap / MICRO,
            state.spent / MICRO,
            state.reserved / MICRO,
            state.warn_share * state.cap / MICRO,
            (ahead.low / MICRO, ahead.likely / MICRO, ahead.high / MICRO) if ahead else None,
        ),
        {
            "billed": t("billed"),
            "held": t("held"),
            "warning": t("warning"),
            "cap": t("cap {usd}", usd=money.dollars(state.cap)),
            "note": note,
            "forecast": t("forecast"),
        },
    )
    said = t(
        "{spent} billed and {held} held of {cap}",
        spent=money.dollars(state.spent),
        held=money.dollars(state.reserved),
        cap=money.dollars(state.cap),
    )
    show(figure, f"{key}_budget", alt=f"{said} {note}".strip())


def warn(state: Standing) -> None:
    """Say that the budget is used up, or soon will be."""
    if state.stopped:
        st.error(
            t(
                "The budget is used up: nothing that costs money starts any more, scheduled runs included. "
                "Raise it, or wait for the next month."
            ),
            icon=":material/block:",
        )
    elif state.warns:
        st.warning(
            t(
                "{share} of the budget are billed or held; the warning line is {line}.",
                share=fmt.share((state.spent + state.reserved) / state.cap),
                line=fmt.share(state.warn_share, 0),
            ),
            icon=":material/warning:",
        )


def _in_words(ahead: MonthForecast | None) -> str:
    if ahead is None:
        return t("No forecast yet: it needs three full days since the first answers, hosting or GPU hours.")
    return t("Forecast for the month: {range}.", range=money.span(ahead.low, ahead.likely, ahead.high))


def _how(ahead: MonthForecast | None) -> str:
    if ahead is None:
        return t("A rate taken from fewer days would be a guess.")
    return t(
        "Billed and held money, and {a_day} a day (the mean of the last {n} full days) for the {left} days "
        "left. The range holds four of five such months. Trainings to come are not in it: each is decided "
        "by itself.",
        a_day=money.written(ahead.a_day),
        n=ahead.days_seen,
        left=fmt.number(ahead.days_left, 1),
    )


def _spent(session: Session, *, simulated: bool) -> None:
    now = app().now()
    by_provider = queries.spend_this_month(session, [By.PROVIDER, By.PURPOSE], simulated=simulated, now=now)
    if not by_provider:
        st.caption(t("Nothing was billed this month."))
        return
    words = {str(code): cost_words.purpose(code) for code in CostPurpose}
    parts: dict[str, dict[str, float]] = {}
    for each in by_provider:
        provider, purpose = each.key
        parts.setdefault(provider, {})[purpose] = each.micro_usd / MICRO
    rows = sorted(parts.items(), key=lambda row: -sum(row[1].values()))
    prefix, note = "played" if simulated else "month", _note(simulated=simulated)
    said = "; ".join(f"{name} ${sum(each.values()):,.2f}" for name, each in rows)
    show(cost_charts.spend_parts(rows, words, note), f"{prefix}_parts", alt=f"{said} {note}".strip())
    days = queries.days_of_month(now)
    by_day = {
        each.key: each.micro_usd / MICRO
        for each in queries.spend_this_month(session, [By.DAY, By.PURPOSE], simulated=simulated, now=now)
    }
    used = [code for code in CostPurpose if any(purpose == code for _, purpose in by_day)]
    figure = charts.daily(
        days,
        {words[code]: [by_day.get((str(day), str(code)), 0.0) for day in days] for code in used},
        {words[code]: cost_charts.PURPOSE_COLOURS[code] for code in used},
        " ".join(filter(None, [t("US dollars"), note])),
    )
    busy = len({day for day, _ in by_day})
    show(figure, f"{prefix}_days", alt=tn("{n} day with costs", "{n} days with costs", busy))


def plan_lines(session: Session) -> None:
    """Draw the plan's own figures beside what was measured this month."""
    now = app().now()
    state = queries.standing(session, app().policy, simulated=False, now=now)
    spent = {
        each.key[0]: each.micro_usd
        for each in queries.spend_this_month(session, [By.PURPOSE], simulated=False, now=now)
    }
    answers = spent.get(CostPurpose.INFERENCE, 0) + spent.get(CostPurpose.BATCH, 0)
    measured = {
        "budget": money.dollars(state.cap),
        "training": money.dollars(queries.mean_training(session, simulated=False)),
        "inference": money.dollars(answers or None),
        "serving": money.dollars(spent.get(CostPurpose.HOSTING)),
    }
    section(t("The plan's figures"), t("What the plan expected, as reference lines; source: the plan."))
    st.table(
        [
            {
                t("Of what"): cost_words.plan_line(line.code),
                t("Plan"): fmt.plain(f"${line.low_usd:g}{fmt.DASH}{line.high_usd:g}"),
                t("Here"): fmt.plain(measured.get(line.code, fmt.DASH)),
            }
            for line in REFERENCE_LINES
        ],
        border="horizontal",
        hide_index=True,
    )
