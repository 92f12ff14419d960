"""The trade-off of a cascade on screen: accuracy, cost and latency over the threshold, and the choice of one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import workflows
from core.errors import NewstuneError
from core.queries.models import DatasetVersion, ModelVersion
from ui import format as fmt
from ui import money
from ui.cascade_charts import Curve, Mark, over_threshold
from ui.components import perform, section, show, simulated_badge, sorry
from ui.i18n import t
from ui.state import app

MS_A_SECOND = 1_000


def trade_off(first: ModelVersion, second: ModelVersion, dataset: DatasetVersion) -> None:
    """Draw what two models would do together on a validation part, and the button that makes the cascade."""
    try:
        curve = workflows.cascade_curve(app(), first.id, second.id, dataset.id)
    except NewstuneError as error:
        sorry(error)
        return
    if curve.get("simulated"):
        st.markdown(f"{simulated_badge()} {t('These figures say nothing about real models.')}")
    _warn(curve)
    best = curve["chosen"]
    if best["threshold"]:
        saved = 1 - best["share_second"]
        said = t(
            "Ask {second} below a confidence of {threshold}: it is spared {saved} of the articles, at an accuracy of "
            "{accuracy} ({interval}, n = {n}) on the validation part.",
            second=fmt.plain(second.name),
            threshold=fmt.number(best["threshold"]),
            saved=fmt.share(saved, 0),
            accuracy=fmt.share(best["accuracy"]),
            interval=fmt.share_interval(best["interval"]),
            n=fmt.number(best["n"]),
        )
    else:
        said = t(
            "{first} alone is as good as any mixture on the validation part ({accuracy}, {interval}, n = {n}): a "
            "cascade would only cost more.",
            first=fmt.plain(first.name),
            accuracy=fmt.share(best["accuracy"]),
            interval=fmt.share_interval(best["interval"]),
            n=fmt.number(best["n"]),
        )
    st.markdown(f"**{said}**", help=_rule(curve))
    _curves(curve)
    _create(curve, first, second, dataset)


def _warn(curve: Mapping[str, Any]) -> None:
    leaked = curve.get("contaminated") or {}
    for part in ("first", "second"):
        if leaked.get(part):
            st.warning(
                t(
                    "{model} was trained on {n} of these articles, or its prompt shows them: the curve flatters it.",
                    model=fmt.plain(curve[f"{part}_name"]),
                    n=fmt.number(leaked[part]),
                )
            )
    if curve["asked"] > curve["n"]:
        st.caption(
            t(
                "Both answered {n} of {asked} articles.",
                n=fmt.number(curve["n"]),
                asked=fmt.number(curve["asked"]),
            )
        )


def _rule(curve: Mapping[str, Any]) -> str:
    return t(
        "The suggestion asks the second model least often while the accuracy stays within 1 point of the best of the "
        "curve ({best} on {n} articles). Read off the answers that both gave to the same articles; nothing is asked.",
        best=fmt.share(curve["best_accuracy"]),
        n=fmt.number(curve["n"]),
    )


def _curves(curve: Mapping[str, Any]) -> None:
    """Draw accuracy, cost and latency over the threshold, one below the other on a phone."""
    threshold = t("threshold: confidence in %")
    chosen = curve["chosen"]["threshold"]
    mark = Mark(chosen, t("suggested: {n}", n=fmt.number(chosen))) if chosen else None
    alone = [(t("first alone"), curve["first_only"]), (t("second alone"), curve["second_only"])]
    left, middle, right = st.columns([2, 1.3, 1.3], gap="medium")
    with left:
        section(t("Accuracy"), t("With its 95 % interval, on the articles of the validation part."))
        levels = [
            Mark(100 * point["accuracy"], f"{name} {fmt.share(point['accuracy'])}") for name, point in alone
        ]
        show(
            over_threshold(
                _accuracy_curve(curve), axis="%", unit=" %", threshold=threshold, chosen=mark, levels=levels
            ),
            "cascade_accuracy",
            alt="; ".join(level.text for level in levels),
        )
    with middle:
        _cost_curve(curve, threshold, mark)
    with right:
        _latency_curve(curve, threshold, mark)


def _accuracy_curve(curve: Mapping[str, Any]) -> Curve:
    points = curve["points"]
    bounded = all(point["interval"] for point in points)
    low, high = ([100 * point["interval"][end] for point in points] if bounded else None for end in (0, 1))
    return Curve(_thresholds(points), [100 * point["accuracy"] for point in points], low, high)


def _thresholds(points: Sequence[Mapping[str, Any]]) -> list[float]:
    return [point["threshold"] for point in points]


def _cost_curve(curve: Mapping[str, Any], threshold: str, mark: Mark | None) -> None:
    """Draw the cost, or how often the second is asked where that costs nothing or has no known price."""
    points = curve["points"]
    costs = [point["cost_per_1000_micro_usd"] for point in points]
    if all(cost is not None for cost in costs) and any(costs):
        section(t("Cost"), t("US dollars per 1,000 articles; what is not known takes the mean of what is."))
        drawn, axis, unit = [cost / money.MICRO for cost in costs], t("$ per 1,000"), " $"
    else:
        section(
            t("Asked"),
            t("Share of the articles about which the second model is asked; no price is known or due."),
        )
        drawn, axis, unit = [100 * point["share_second"] for point in points], "%", " %"
    show(
        over_threshold(
            Curve(_thresholds(points), drawn), axis=axis, unit=unit, threshold=threshold, chosen=mark
        ),
        "cascade_cost",
        alt=f"{axis}: {drawn[0]:.3g} – {drawn[-1]:.3g}",
    )


def _latency_curve(curve: Mapping[str, Any], threshold: str, mark: Mark | None) -> None:
    section(
        t("Latency"), t("95 % of the answers come within this time; both models' times where both are asked.")
    )
    timed = [point for point in curve["points"] if point["latency_p95"] is not None]
    if not timed:
        st.caption(t("Nobody timed these answers."))
        return
    largest = max(point["latency_p95"] for point in timed)
    scale, unit = (MS_A_SECOND, "s") if largest >= MS_A_SECOND else (1, "ms")
    values = [point["latency_p95"] / scale for point in timed]
    show(
        over_threshold(
            Curve(_thresholds(timed), values), axis=unit, unit=f" {unit}", threshold=threshold, chosen=mark
        ),
        "cascade_latency",
        alt=f"{values[0]:.3g} – {values[-1]:.3g} {unit}",
    )


def _create(
    curve: Mapping[str, Any],
    first: ModelVersion,
    second: ModelVersion,
    dataset: DatasetVersion,
) -> None:
    """Draw the threshold's choice beside both models alone, and the button that makes the cascade."""
    points = {int(point["threshold"]): point for point in curve["points"] if point["threshold"]}
    if not points:
        return
    suggested = int(curve["chosen"]["threshold"] or min(points))
    threshold = st.select_slider(
        t("Threshold"),
        sorted(points),
        value=suggested,
        key=f"cascade_threshold_{first.id}_{second.id}_{dataset.id}",
        help=t("Below this confidence of the first model, in percent, the second is asked."),
    )
    chosen = points[threshold]
    lines = [
        (t("first alone"), curve["first_only"]),
        (t("cascade at {n}", n=threshold), chosen),
        (t("second alone"), curve["second_only"]),
    ]
    st.dataframe(
        pd.DataFrame([_line(name, point) for name, point in lines]),
        hide_index=True,
        placeholder=fmt.DASH,
        alt=t("The cascade beside its two models"),
    )
    if st.button(
        t("Make the cascade at {n}", n=threshold),
        type="primary" if curve["chosen"]["threshold"] else "secondary",
        icon=":material/alt_route:",
        key="cascade_make",
        help=t(
            "A model version like any other: it can be scored, compared and promoted. Making it asks nobody."
        ),
    ):
        perform(
            lambda: workflows.create_cascade(app(), first.id, second.id, threshold, dataset.id),
            working=t("Making the cascade …"),
            done=t("The cascade is made: score it on the test part."),
        )


def _line(name: str, point: Mapping[str, Any]) -> dict[str, object]:
    return {
        "": name,
        t("Accuracy"): fmt.share(point["accuracy"]),
        t("Interval"): fmt.share_interval(point["interval"]),
        t("n"): fmt.number(point["n"]),
        t("Second asked"): fmt.share(point["share_second"], 0),
        t("Per 1,000 articles"): money.dollars(point["cost_per_1000_micro_usd"]),
        t("Median, ms"): fmt.number(point["latency_p50"], 1),
        t("95 %, ms"): fmt.number(point["latency_p95"], 1),
    }
