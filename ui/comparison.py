"""A comparison of two model versions on screen: the verdict, every difference, and what lies behind it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from ui import ab_charts, money, score_charts, verdict
from ui import format as fmt
from ui.components import class_words, section, show
from ui.i18n import t
from ui.state import app


def report(result: Mapping[str, Any], champion: str, challenger: str, *, ahead: Mapping[str, object]) -> None:
    """Draw the verdict card, the forest of differences, the accuracies, and speed and cost.

    `ahead` is what the other tabs shall begin with, as names and values of the session.
    """
    verdict.card(result, champion, challenger, ahead=ahead)
    if not result["n"]:
        return
    if "macro_f1_difference" not in result:
        st.caption(
            t(
                "This comparison is stored from an earlier version of the program: press Compare for all figures."
            )
        )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        differences(result)
    with right:
        _accuracies(result, champion, challenger)
        section(t("Article by article"), t("Only the articles on which exactly one is right carry evidence."))
        _table(result["table"])
    _speed_and_cost(result)


def differences(result: Mapping[str, Any]) -> None:
    """Draw the forest: accuracy, macro-F1 and the recall of each class, each with its interval and n."""
    section(
        t("Differences"),
        t(
            "Challenger minus champion in percentage points. The verdict rests on the first row alone; its grey "
            "band is what counts as equivalent. Recall of a class: share found of its gold labels; its n counts them."
        ),
    )
    rows = forest_rows(result)
    show(
        ab_charts.forest(rows, t("champion better  ←  points  →  challenger better"), t("pp")),
        "differences",
        alt="; ".join(
            f"{row.label} {fmt.points(row.value)} {fmt.points_interval(row.interval)} n = {row.n:,}"
            for row in rows
        ),
    )
    macro = result.get("macro_f1_difference")
    if macro and macro.get("p") is not None:
        st.caption(
            t(
                "Macro-F1: interval by {method}, {p}",
                method=fmt.word("interval", macro.get("interval_method")),
                p=fmt.p_value(macro["p"]),
            ),
            help=t("p: share of 2,000 random swaps of the two models' answers with a difference as large."),
        )


def forest_rows(result: Mapping[str, Any]) -> list[ab_charts.Difference]:
    """Return the rows of the forest that a report has."""
    rows = [
        ab_charts.Difference(
            t("Accuracy"),
            result["difference"],
            result.get("interval"),
            result["n"],
            app().policy.equivalence_margin,
            strong=True,
        )
    ]
    macro = result.get("macro_f1_difference")
    if macro and macro.get("difference") is not None:
        rows.append(
            ab_charts.Difference(t("Macro-F1"), macro["difference"], macro.get("interval"), result["n"])
        )
    for code in fmt.SENTIMENTS:
        found = (result.get("per_class") or {}).get(code)
        if found and found.get("difference") is not None:
            label = t("Recall of {label}", label=fmt.word("sentiment", code))
            rows.append(
                ab_charts.Difference(label, found["difference"], found.get("interval"), found["support"])
            )
    return rows


def _accuracies(result: Mapping[str, Any], champion: str, challenger: str) -> None:
    section(t("Accuracies"), t("On the same articles; the tick is the majority rate."))
    rows = [
        score_charts.Measured(
            name,
            result[key],
            result.get(f"{key}_interval"),
            result["n"],
            result.get("majority"),
            strong=key == "accuracy_challenger",
        )
        for name, key in ((champion, "accuracy_champion"), (challenger, "accuracy_challenger"))
    ]
    show(
        score_charts.measured(rows, t("majority")),
        "accuracies",
        alt="; ".join(
            f"{row.label} {fmt.share(row.value)} {fmt.share_interval(row.interval)}" for row in rows
        ),
    )
    st.caption(
        t(
            "Champion above, challenger below · majority {rate}",
            rate=fmt.share(result.get("majority")),
        )
    )


def _table(table: Mapping[str, int]) -> None:
    frame = pd.DataFrame(
        {
            " ": [t("Champion right"), t("Champion wrong")],
            t("Challenger right"): [table["both_right"], table["challenger_only"]],
            t("Challenger wrong"): [table["champion_only"], table["both_wrong"]],
        }
    )
    st.table(frame, border="horizontal", hide_index=True)


def _speed_and_cost(result: Mapping[str, Any]) -> None:
    latency, cost = result.get("latency"), result.get("cost_per_1000_micro_usd")
    if latency is None and cost is None:
        return
    section(
        t("Response time and cost"),
        t(
            "Response times as measured, each model on the articles it was timed on; the change is that of the "
            "medians, its interval a bootstrap. Cost from counted tokens at today's prices; a dash is not known."
        ),
    )
    roles = ("champion", "challenger")
    times = {role: (latency or {}).get(role) or {} for role in roles}
    words = {"champion": t("Champion"), "challenger": t("Challenger")}
    columns = {
        " ": [
            t("Median response time"),
            t("95 % are faster than"),
            t("Articles timed"),
            t("Cost of 1,000 articles"),
        ],
        **{
            words[role]: [
                _milliseconds(times[role].get("p50")),
                _milliseconds(times[role].get("p95")),
                fmt.number(times[role].get("n")),
                _cost((cost or {}).get(role)),
            ]
            for role in roles
        },
        t("Change"): [_change(latency), fmt.DASH, fmt.DASH, _cost_change(cost or {})],
    }
    st.table(pd.DataFrame(columns), border="horizontal", hide_index=True)


def _milliseconds(value: float | None) -> str:
    return fmt.DASH if value is None else t("{n} ms", n=fmt.number(value, 1 if value < 100 else 0))


def _cost(micro_usd: int | None) -> str:
    if micro_usd == 0:
        return t("free")
    return fmt.plain(money.dollars(micro_usd))


def _change(latency: Mapping[str, Any] | None) -> str:
    change = (latency or {}).get("change")
    if change is None:
        return fmt.DASH
    shown = fmt.signed_share(change)
    interval = (latency or {}).get("interval")
    return fmt.plain(shown if interval is None else f"{shown} ({fmt.signed_shares(interval)})")


def _cost_change(cost: Mapping[str, int | None]) -> str:
    old, new = cost.get("champion"), cost.get("challenger")
    return fmt.DASH if not old or new is None else fmt.plain(fmt.signed_share(new / old - 1))


def confusions(result: Mapping[str, Any]) -> None:
    """Draw the confusion matrices of both, side by side."""
    found = result.get("confusion")
    if not found:
        st.caption(t("– Not in this stored comparison: press Compare."))
        return
    st.caption(t("Rows are gold labels, columns predictions; counts, and shares of each row."))
    for column, role, word in _sides():
        with column:
            section(word)
            show(
                score_charts.confusion(found[role], class_words(), t("gold"), t("predicted")),
                f"confusion_{role}",
                alt=t("Confusion matrix of the {role}", role=word),
            )


def _sides() -> list[tuple[Any, str, str]]:
    left, right = st.columns(2, gap="medium")
    return [(left, "champion", t("Champion")), (right, "challenger", t("Challenger"))]
