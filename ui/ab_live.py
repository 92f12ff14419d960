"""Live experiments on screen: what runs and what it shows, a new one, and the history."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.domain.types import ExperimentMode, ExperimentPurpose, ExperimentStatus
from core.queries.experiments import ExperimentRow, experiments
from core.queries.overview import champions
from ui import ab_plan, live_charts, live_words
from ui import format as fmt
from ui.components import empty, section
from ui.experiment_card import card
from ui.i18n import t
from ui.state import Session


def live(session: Session, target: str) -> None:
    """Draw the experiments that run for a target, the plan of a new one, and those that have ended."""
    if target not in champions(session):
        with empty(t("A live experiment holds a challenger against the champion, and this target has none.")):
            if st.button(t("Choose a champion"), type="primary", key="live_crown"):
                st.session_state["ab_tab_next"] = t("Promotion gates")
                st.rerun()
        return
    found = [
        row for row in experiments(session, target) if row.experiment.purpose == ExperimentPurpose.CHALLENGE
    ]
    running = [row for row in found if row.experiment.status == ExperimentStatus.RUNNING]
    drawn = running or [row for row in found[:1] if row.experiment.archived_at is None]
    for row in drawn:
        with st.container(border=True, key=f"experiment_{row.experiment.id}"):
            card(row)
    ab_plan.planner(session, target, [row.experiment.family for row in running])
    _history(found, drawn)


def _history(found: Sequence[ExperimentRow], drawn: Sequence[ExperimentRow]) -> None:
    ended = [row for row in found if row.experiment.status != ExperimentStatus.RUNNING]
    if not ended:
        return
    section(
        t("History"), t("Experiments that have ended, newest first, with the evidence of their last day.")
    )
    archived = sum(row.experiment.archived_at is not None for row in ended)
    if archived and not st.toggle(t("Show archived ({n})", n=archived), key="live_archived"):
        ended = [row for row in ended if row.experiment.archived_at is None]
    if not ended:
        return
    picked = st.dataframe(
        pd.DataFrame([_line(row) for row in ended]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="experiment_history",
        placeholder=fmt.DASH,
        alt=t("Experiments that have ended"),
        column_config={
            t("Verdict"): st.column_config.TextColumn(width=100),
            t("Interval"): st.column_config.TextColumn(width=130),
        },
    )
    chosen = [ended[place] for place in picked.selection.rows if place < len(ended)]
    for row in (row for row in chosen if row not in drawn):
        with st.container(border=True, key="experiment_picked"):
            card(row)


def _line(row: ExperimentRow) -> dict[str, object]:
    one, shown = row.experiment, row.experiment.conclusion or {}
    evidence = max((e for e in (shown.get("e_for"), shown.get("e_against")) if e is not None), default=None)
    return {
        t("Ended"): fmt.moment(one.ended_at),
        t("Challenger"): row.challenger,
        t("Champion"): row.champion,
        t("Verdict"): fmt.word("verdict", shown.get("verdict")),
        t("Evidence"): fmt.DASH if evidence is None else live_charts.ratio(evidence),
        t("Difference"): fmt.points(shown.get("difference")),
        t("Interval"): fmt.points_interval(shown.get("interval")),
        t("n"): fmt.number(shown.get("n")),
        t("Mode"): t(live_words.MODE_NAMES[ExperimentMode(one.mode)]),
        t("How it ended"): live_words.ended_by(shown),
    }
