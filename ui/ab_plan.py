"""The plan of a live experiment on screen: what it would take, show and cost, before it begins."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from core import workflows
from core.domain.types import ExperimentMode, Family, Stage
from core.errors import NewstuneError
from core.queries import models
from core.queries.models import RegistryRow
from core.workflows.experiments import Plan, Wish
from ui import format as fmt
from ui import live_words, money
from ui.ab_start import start
from ui.components import empty, go_to, section, simulated_badge, sorry
from ui.i18n import mark, t, tn
from ui.state import Session, app, preselected

#: Differences in points that can be planned for.
EFFECTS = (3, 5, 10, 15, 20)
SHORTEST_DAYS, LONGEST_DAYS = 7, 90
_KEPT = "_experiment_plan"
#: Choice of articles of every family.
_ALL = "all"
KEPT_FOR = timedelta(minutes=1)
_WARNINGS = {
    "NO_LABELS": mark(
        "No label arrived in the last 28 days: without labels nothing is ever decided. Import market closes, or "
        "review articles."
    ),
    "TOO_SLOW": mark("At this rate the difference will probably not show within the days planned."),
    "DISCORDANCE_ASSUMED": mark(
        "How often exactly one of the two is right is assumed (25 %): compare them offline, then the plan is measured."
    ),
    "DAY_IS_UNIT": mark(
        "Articles of a day share one market move and count as one: it takes longer than the number of articles says."
    ),
    "SPLIT_IS_SLOW": mark(
        "A split needs several times the articles of a shadow. Choose it only where the answer itself changes what "
        "happens next."
    ),
}
#: warning -> page, button and tab that help
_WAYS = {
    "NO_LABELS": ("samples", mark("Import labels or closes"), mark("Import")),
    "DISCORDANCE_ASSUMED": ("ab", mark("Compare them offline"), mark("Comparison")),
}
_SIDES = {"champion": mark("the champion"), "challenger": mark("the challenger")}


def planner(session: Session, target: str, taken: Sequence[str | None]) -> None:
    """Draw the plan of a new experiment.

    Parameters
    ----------
    taken : sequence of str or None
        Families of the challenges that run; None: of every family. Only one runs on an article at a time.
    """
    free = [_ALL, *Family] if not taken else [family for family in Family if not {family, None} & set(taken)]
    if not free:
        st.caption(
            t("One challenge at a time: a new one can begin when this one has ended or was stopped."),
            help=t("Two challenges of one champion on the same articles would spoil each other's count."),
        )
        return
    rows = [
        row
        for row in models.registry(session, target)
        if row.stage != Stage.CHAMPION and row.model.provider in app().providers
    ]
    if not taken:
        section(
            t("A new experiment"),
            t(
                "Both models answer new articles while the champion goes on answering AI News Trader. The evidence "
                "may be looked at every day. Nothing is promoted by itself."
            ),
        )
        _draw(session, target, rows, free)
        return
    box = st.expander(t("Plan another experiment"), icon=":material/add:", key="plan_box", on_change="rerun")
    if box.open:
        with box:
            _draw(session, target, rows, free)


def _draw(session: Session, target: str, rows: Sequence[RegistryRow], free: Sequence[str]) -> None:
    if not rows:
        with empty(
            t("No other model version can answer new articles: train one, or make a few-shot version.")
        ):
            go_to("training", t("Train"), primary=True, key="live_train", training_tab_next=t("Jobs"))
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        wish = _choices(target, rows, free)
    with right, st.container(border=True):
        try:
            plan = _plan(wish)
        except NewstuneError as error:
            sorry(error)
            return
        _said(plan)
        start(session, plan, rows)


def _choices(target: str, rows: Sequence[RegistryRow], free: Sequence[str]) -> Wish:
    ids = [row.model.id for row in rows]
    wanted = preselected(f"live_challenger_{target}", ids[0])
    row = st.selectbox(
        t("Challenger"),
        rows,
        index=ids.index(wanted) if wanted in ids else 0,
        key=f"live_challenger_{target}",
        placeholder=fmt.DASH,
        format_func=lambda r: f"{r.model.name} · {fmt.word('stage', r.stage)}",
    )
    mode = st.radio(
        t("How"),
        list(ExperimentMode),
        key="live_mode",
        format_func=lambda code: t(live_words.MODES[code]),
        help=t(
            "Shadow sees a difference of 10 points with about 200 articles, a split needs about 550. In a split an "
            "article's address decides who answers it, always the same way."
        ),
    )
    family = st.selectbox(
        t("Articles"),
        free,
        key="live_family",
        placeholder=fmt.DASH,
        format_func=lambda code: t("All articles") if code == _ALL else fmt.word("family", code),
    )
    allocation = 50
    if mode == ExperimentMode.SPLIT:
        allocation = st.slider(
            t("Answered by the challenger"), 5, 95, value=50, step=5, format="%d %%", key="live_allocation"
        )
    effect, days = _reach()
    return Wish(
        target=target,
        challenger_id=row.model.id,
        mode=mode,
        family=None if family == _ALL else family,
        allocation=allocation / 100,
        effect=effect / 100,
        days=days,
    )


def _reach() -> tuple[int, int]:
    """Draw the choice of the difference to be seen, in points, and of the days at most."""
    effect = st.select_slider(
        t("Difference to be seen"),
        EFFECTS,
        value=round(100 * app().policy.plan_gain),
        format_func=lambda points: t("{value} pp", value=points),
        key="live_effect",
        help=t(
            "The smaller the difference one wants to see, the more articles it takes. The plan hopes for 10."
        ),
    )
    days = st.slider(
        t("Days at most"),
        SHORTEST_DAYS,
        LONGEST_DAYS,
        value=app().policy.experiment_days,
        key="live_days",
        help=t("It ends earlier when the evidence decides."),
    )
    return effect, days


def _plan(wish: Wish) -> Plan:
    """Return the plan of a wish, kept for a minute: it is simulated, and every click anywhere draws it again.

    A start works it out anew.
    """
    now = app().now()
    kept_key, until, kept = st.session_state.get(_KEPT, (None, now, None))
    if kept_key != repr(wish) or until <= now:
        with st.spinner(t("Working out the plan …")):
            kept = workflows.plan_experiment(app(), wish)
        st.session_state[_KEPT] = (repr(wish), now + KEPT_FOR, kept)
    return kept


def _said(plan: Plan) -> None:
    """Draw the plan in one sentence, with what it was worked out from."""
    planned = plan.planned
    badge = f"{simulated_badge()} " if plan.simulated else ""
    st.markdown(f"{badge}**{_sentence(planned)}**", help=_how(planned))
    st.caption(
        t(
            "{challenger} against {champion} · {labels} labels a day, {articles} articles a day (mean of 28 days) · "
            "exactly one right on {discordance} of the articles",
            challenger=fmt.plain(plan.challenger),
            champion=fmt.plain(plan.champion),
            labels=fmt.number(planned["labels_a_day"], 1),
            articles=fmt.number(planned["articles_a_day"], 1),
            discordance=fmt.share(planned["discordance"], 0),
        )
    )
    for price in plan.prices:
        st.markdown(
            ":material/payments: "
            + t(
                "Asking {side}: {price} per 1,000 articles, up to {high} for {n} articles.",
                side=t(_SIDES[price.side]),
                price=money.written(price.per_1000_micro_usd),
                high=money.written(price.high_micro_usd),
                n=fmt.number(price.questions),
            )
        )
    if not plan.prices:
        st.markdown(f":material/money_off: {t('All answers are free: both models run on this machine.')}")
    for code in plan.warnings:
        st.markdown(f":orange[:material/warning:] {t(_WARNINGS[code])}")
        if code in _WAYS:
            page, label, tab = _WAYS[code]
            go_to(page, t(label), key=f"plan_{code}", **{f"{page}_tab_next": t(tab)})


def _sentence(planned: Mapping[str, Any]) -> str:
    points = fmt.number(100 * planned["effect"])
    if not planned["labels_a_day"]:
        return t("A difference of {points} points cannot be planned: no label arrives.", points=points)
    if planned["articles"] is None:
        return t(
            "To see {points} points takes more than half a year at the present rate.",
            points=points,
        )
    return t(
        "To see {points} points takes about {needed}: {days} at the present rate.",
        points=points,
        needed=tn("{n} article", "{n} articles", planned["articles"]),
        days=tn("{n} day", "{n} days", planned["days_power"]),
    )


def _how(planned: Mapping[str, Any]) -> str:
    """Return how the plan was worked out, for its tooltip."""
    said = t(
        "By then {power} of the experiments with such a difference have decided, looked at every day.",
        power=fmt.share(planned["power"], 0),
    )
    if planned["days_median"] is not None:
        half = tn("{n} day", "{n} days", planned["days_median"])
        said += " " + t("Half of them have after {days}.", days=half)
    fixed = fmt.number(planned["articles_fixed"])
    return f"{said} {t('A test with a single look at its end would need {n} articles.', n=fixed)}"
