"""The three figures of a live experiment: both accuracies and their difference, each with its interval and n."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.domain import live
from core.domain.intervals import wilson
from core.domain.types import ExperimentPurpose, Target
from core.queries.experiments import ExperimentRow
from ui import format as fmt
from ui import live_words
from ui.i18n import t


def figures(row: ExperimentRow, shown: Mapping[str, Any]) -> None:
    """Draw the accuracies of both sides and the difference between them."""
    watch = row.experiment.purpose == ExperimentPurpose.WATCH
    names = (t("New champion"), t("Former champion")) if watch else (t("Champion"), t("Challenger"))
    first, second, third = st.columns(3, gap="small")
    for column, name, side in zip((first, second), names, ("champion", "challenger"), strict=True):
        with column:
            value, n = shown[f"{side}_accuracy"], _n_of(shown, side)
            st.metric(name, fmt.share(value), help=_how_accuracy(row))
            st.caption(_accuracy_note(shown, value, n))
    with third:
        st.metric(t("Difference"), fmt.points(shown.get("difference")), help=live_words.how_interval())
        interval = shown.get("interval")
        st.caption(
            t("{interval} · n = {n}", interval=fmt.points_interval(interval), n=fmt.number(shown["n"]))
            if interval
            else f"{live_words.no_interval()} · n = {shown['n']:,}"
        )


def _n_of(shown: Mapping[str, Any], side: str) -> int:
    """Return on how many articles an accuracy rests: in a split each side has its own."""
    return int(shown["ratio"]["labelled"][side] if shown.get("ratio") else shown["n"])


def _accuracy_note(shown: Mapping[str, Any], value: float | None, n: int) -> str:
    if value is None:
        return fmt.DASH
    if shown["unit_reason"] in (live.MARKET_DAYS, live.DEPENDENT):
        return t("n = {n} on {days}", n=fmt.number(n), days=live_words.days(shown))
    return t(
        "{interval} · n = {n}", interval=fmt.share_interval(wilson(round(value * n), n)), n=fmt.number(n)
    )


def _how_accuracy(row: ExperimentRow) -> str:
    right = (
        t("Share of the counted articles whose predicted direction was the market's.")
        if row.experiment.target == Target.DIRECTION
        else t("Share of the counted articles whose predicted sentiment equals the human label.")
    )
    seconds = fmt.number(row.experiment.deadline_s)
    failed = t(
        "No usable answer, or none within {seconds} s, counts as wrong. The interval is Wilson's, 95 %, for one "
        "look; where the day counts as one there is none, and the difference's interval tells.",
        seconds=seconds,
    )
    return f"{right} {failed}"
