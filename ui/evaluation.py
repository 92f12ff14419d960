"""An evaluation report on screen: every figure with its n, its interval and the majority beside it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.domain.types import Target
from ui import format as fmt
from ui import score_charts
from ui.ab_confidence import calibration_help, in_words
from ui.components import accuracy_help, class_words, section, show
from ui.i18n import t, tn


def report(metrics: Mapping[str, Any]) -> None:
    """Draw the report of one evaluation."""
    if not metrics["n"]:
        st.caption(t("– Nothing to score: no article of this part was answered."))
        return
    if metrics.get("contaminated"):
        st.warning(
            t(
                "This model was trained on {n} of these articles: its accuracy here is not evidence.",
                n=metrics["contaminated"],
            )
        )
    _headline(metrics)
    left, right = st.columns(2, gap="medium")
    with left:
        section(t("Confusion matrix"), t("Rows are gold labels, columns predictions; shares of each row."))
        show(
            score_charts.confusion(metrics["confusion"], class_words(), t("gold"), t("predicted")),
            "confusion",
            alt=t("Confusion matrix"),
        )
    with right:
        section(
            t("Calibration"),
            calibration_help(),
        )
        if any(row.get("n") for row in metrics.get("ece_bins") or []):
            show(
                score_charts.calibration(
                    metrics["ece_bins"],
                    t("stated confidence"),
                    t("share right"),
                    whiskers=metrics.get("target") == Target.SENTIMENT,
                ),
                "calibration",
                alt=t("Calibration"),
            )
            st.caption(in_words(metrics))
        else:
            st.caption(t("– This model states no confidence, so calibration cannot be measured."))
    section(
        t("By class"), t("Precision: share right of those predicted. Recall: share found of those there are.")
    )
    _per_class(metrics)


def _headline(metrics: Mapping[str, Any]) -> None:
    rows = score_charts.accuracy(metrics, t("Accuracy"), t("Macro-F1"))
    without = metrics.get("without_intraday")
    if without and without.get("n"):
        word = t("Accuracy without intraday news")
        rows.insert(
            1, score_charts.Measured(word, without["accuracy"], without.get("interval"), without["n"])
        )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        show(
            score_charts.measured(rows, t("majority")),
            "headline",
            alt="; ".join(f"{row.label} {fmt.share(row.value)}" for row in rows),
        )
    with right:
        st.metric(
            t("Accuracy against the majority"),
            fmt.share(metrics["accuracy"]),
            delta=fmt.points(_lead(metrics)),
            delta_color="normal" if _lead(metrics) else "off",
            delta_arrow="auto" if _lead(metrics) else "off",
            help=accuracy_help(dict(metrics)),
        )
        st.caption(" · ".join(_notes(metrics)))


def _lead(metrics: Mapping[str, Any]) -> float | None:
    majority = metrics.get("majority")
    return None if majority is None else metrics["accuracy"] - majority


def _notes(metrics: Mapping[str, Any]) -> list[str]:
    interval = metrics.get("accuracy_interval")
    notes = [
        t(
            "majority {rate} ({label})",
            rate=fmt.share(metrics.get("majority")),
            label=fmt.word("sentiment", metrics.get("majority_label")),
        ),
        t("interval {interval}", interval=fmt.share_interval(interval))
        if interval
        else t("no interval: fewer than two market days"),
        f"n = {metrics['n']:,}",
    ]
    if metrics.get("market_days"):
        notes.append(tn("{n} market day", "{n} market days", metrics["market_days"]))
    if metrics.get("asked", metrics["n"]) != metrics.get("answered", metrics["n"]):
        notes.append(
            t("answered {answered} of {asked}", answered=metrics["answered"], asked=metrics["asked"])
        )
    latency = metrics.get("latency_ms")
    notes.append(
        t(
            "latency {p50} ms median, {p95} ms at 95 %",
            p50=fmt.number(latency["p50"], 1),
            p95=fmt.number(latency["p95"], 1),
        )
        if latency
        else t("latency not recorded")
    )
    return notes


def _per_class(metrics: Mapping[str, Any]) -> None:
    rows = [
        {
            t("Class"): fmt.word("sentiment", code),
            t("Precision"): fmt.share(values.get("precision")),
            t("Recall"): fmt.share(values.get("recall")),
            t("F1"): fmt.share(values.get("f1")),
            t("Gold labels"): fmt.number(values.get("support")),
        }
        for code in fmt.SENTIMENTS
        if (values := metrics["per_class"].get(code))
    ]
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True)
