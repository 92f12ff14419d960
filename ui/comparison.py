"""A comparison of two model versions on screen: the verdict in one sentence, then its evidence."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.domain.compare import sentence
from ui import format as fmt
from ui import score_charts
from ui.components import section, show, verdict_badge
from ui.i18n import t, tn
from ui.state import app


def report(result: Mapping[str, Any], champion: str, challenger: str) -> None:
    """Draw the verdict card, the difference with its interval, and the paired table."""
    with st.container(border=True):
        st.markdown(f"{verdict_badge(result['verdict'])} **{sentence(result, t)}**")
        if result["n"]:
            st.caption(" · ".join(_evidence(result)))
    _warn_of_leaks(result.get("contaminated") or {}, champion, challenger)
    if not result["n"]:
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        section(t("Accuracies"), t("On the same articles; the tick is the majority rate."))
        rows = [
            score_charts.Measured(
                name, result[key], result.get(f"{key}_interval"), result["n"], result.get("majority")
            )
            for name, key in ((champion, "accuracy_champion"), (challenger, "accuracy_challenger"))
        ]
        show(
            score_charts.measured(rows, t("majority")),
            "accuracies",
            alt="; ".join(f"{row.label} {fmt.share(row.value)}" for row in rows),
        )
        section(
            t("Difference"),
            t(
                "Challenger minus champion in percentage points. The grey band is what counts as equivalent; "
                "better or worse needs the whole interval on one side of zero."
            ),
        )
        show(
            score_charts.difference(
                result["difference"], result.get("interval"), app().policy.equivalence_margin, "", t("pp")
            ),
            key="difference",
            alt=f"{fmt.points(result['difference'])} {fmt.points_interval(result.get('interval'))}",
        )
    with right:
        section(t("Article by article"), t("Only the articles on which exactly one is right carry evidence."))
        _table(result["table"], champion, challenger)


def _warn_of_leaks(leaked: Mapping[str, int], champion: str, challenger: str) -> None:
    names = {"champion": champion, "challenger": challenger}
    for role in [role for role in names if leaked.get(role)]:
        st.warning(
            t(
                "{model} was trained on {n} of these articles: its accuracy here is not evidence.",
                model=fmt.plain(names[role]),
                n=leaked[role],
            )
        )


def _evidence(result: Mapping[str, Any]) -> list[str]:
    interval = result.get("interval")
    found = [
        t("difference {points}", points=fmt.points(result["difference"])),
        t(
            "interval {interval} ({method})",
            interval=fmt.points_interval(interval),
            method=fmt.word("interval", result.get("interval_method")),
        )
        if interval
        else t("no interval: fewer than two market days"),
        f"n = {result['n']:,}",
        f"p = {result['p']:.3f}" + (t(" (descriptive only)") if result.get("p_descriptive") else ""),
        t("majority {rate}", rate=fmt.share(result.get("majority"))),
    ]
    if result.get("market_days"):
        found.append(tn("{n} market day", "{n} market days", result["market_days"]))
    coverage = result.get("coverage") or {}
    if coverage.get("asked") != coverage.get("both_answered"):
        found.append(t("both answered {n} of {asked}", n=coverage["both_answered"], asked=coverage["asked"]))
    return found


def _table(table: Mapping[str, int], champion: str, challenger: str) -> None:
    frame = pd.DataFrame(
        {
            " ": [t("Champion right"), t("Champion wrong")],
            t("Challenger right"): [table["both_right"], table["challenger_only"]],
            t("Challenger wrong"): [table["champion_only"], table["both_wrong"]],
        }
    )
    st.table(frame, border="horizontal", hide_index=True)
    st.caption(
        t(
            "Champion: {champion} · challenger: {challenger}",
            champion=fmt.plain(champion),
            challenger=fmt.plain(challenger),
        )
    )
