"""The funnel on screen: counters, the way from articles to samples, quality, outcomes by session."""

import streamlit as st

from core.queries import articles
from core.queries.funnel import funnel
from core.queries.progress import progress
from ui import charts, words
from ui import format as fmt
from ui.components import class_words, empty, facts, section, show
from ui.i18n import t
from ui.state import Session, app


def _counters(found: dict, by_target: dict) -> None:
    """Draw the two counters, verified and plan-strict, with what they count."""
    with st.grid(4, min_column_width=150):
        st.metric(
            t("Articles"),
            fmt.number(found["articles_joined"]),
            delta_description=t("with a prediction or a label"),
            border=True,
            height="stretch",
            help=t("Observations with a prediction or a label, duplicates included."),
        )
        for target in ("sentiment", "direction"):
            st.metric(
                fmt.word("target", target),
                fmt.number(by_target[target]["verified"]),
                delta_description=words.verified(target, by_target[target]["days"]),
                border=True,
                height="stretch",
                help=t("Articles that passed all checks and have a gold label of this target."),
            )
        st.metric(
            t("Plan-strict"),
            fmt.number(found["plan_strict"]),
            delta_description=t("by the plan's own rule"),
            border=True,
            height="stretch",
            help=t(
                "Direction samples whose own prediction was right and whose day reached the plan's accuracy "
                "gate of {gate}. Shown because the plan asks for it; a model trained only on these learns "
                "its predecessor's habits.",
                gate=fmt.number(app().policy.day_accuracy_gate),
            ),
        )


def _why_none(found: dict) -> None:
    """Explain a folder without a single sample, with the two ways out."""
    days = found.get("market_days") or {}
    box = empty(
        t(
            "**No article is verified yet.** A sample needs a gold label, and there is none: no human label, and "
            "{unknown} of {total} market files hold no believable number, so what the market did is unknown. "
            "Unknown is not zero, so these articles wait.",
            unknown=fmt.number(days.get("unknown")),
            total=fmt.number(days.get("total")),
        ),
        ":material/help:",
    )
    left, right = box.columns(2)
    if left.button(
        t("Back-fill market closes"),
        type="primary",
        icon=":material/candlestick_chart:",
        width="stretch",
        key="go_backfill",
    ):
        st.session_state["samples_tab_next"] = t("Import")
        st.rerun()
    if right.button(t("Label articles by hand"), icon=":material/label:", width="stretch", key="go_label"):
        st.session_state["filter_status"] = "NO_LABEL"
        st.session_state["samples_tab_next"] = t("Articles")
        st.rerun()


def _way(found: dict) -> None:
    """Draw the waterfall from articles to samples."""
    section(
        t("From articles to samples"),
        t("Each article is counted at the first reason that excludes it, in this order."),
    )
    steps = [
        (fmt.word("reason", row["reason"]), row["lost"], row["left"])
        for row in found["waterfall"]
        if row["reason"]
    ]
    show(
        charts.waterfall(steps, t("Articles"), t("Samples")),
        "waterfall",
        alt="; ".join(f"{label}: −{lost}" for label, lost, _ in steps),
    )


def _quality(session: Session, by_target: dict) -> None:
    """Draw class balance and the quality flags that do not exclude."""
    section(t("Balance of classes"), t("Gold labels of the verified samples, by target."))
    rows = [
        (fmt.word("target", target), counts["by_label"])
        for target, counts in by_target.items()
        if sum(counts["by_label"].values())
    ]
    if rows:
        show(charts.class_shares(rows, class_words()), "balance", alt=words.balance(rows))
    else:
        st.caption(t("No sample has a label yet."))
    flags = articles.flag_counts(session)
    section(t("Quality flags"), t("Worth knowing; these do not exclude an article."))
    if flags:
        facts((fmt.word("flag", flag), fmt.number(n)) for flag, n in flags.items())
    else:
        st.caption(t("No article carries a flag."))


def _calendar(session: Session) -> None:
    """Draw the outcomes by deciding session: known, waiting, unknowable."""
    frame = articles.sessions(session)
    if frame.empty:
        return
    section(
        t("Outcomes by market session"),
        t("The session whose close decides an article's outcome; void where the market data is unknown."),
    )
    colours = {"matured": charts.ACCENT, "pending": "#C29A2B", "void": charts.LOST}
    table = frame.pivot_table(index="session", columns="state", values="n", fill_value=0)
    states = [state for state in colours if state in table]
    show(
        charts.daily(
            table.index,
            {fmt.word("outcome", state): table[state].astype(int).tolist() for state in states},
            {fmt.word("outcome", state): colours[state] for state in states},
            t("articles"),
        ),
        "sessions",
        alt=t("Outcomes by market session"),
    )
    reasons = articles.void_reasons(session)
    if reasons:
        st.caption(" · ".join(f"{fmt.word('void_reason', code)}: {n:,}" for code, n in reasons.items()))


def draw(session: Session) -> None:
    """Draw everything about which articles became samples."""
    found, by_target = funnel(session, app().policy), progress(session, app().policy)["targets"]
    _counters(found, by_target)
    if found["articles_joined"] and not found["verified"]:
        _why_none(found)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _way(found)
    with right:
        _quality(session, by_target)
    _calendar(session)
