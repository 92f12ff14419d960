"""Several model versions at once: each against each on the articles all of them answered, Holm-corrected."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.compare import sentence
from core.domain.types import Split, Verdict
from core.queries import models
from ui import format as fmt
from ui import score_charts
from ui.components import perform, section, show, simulated_badge, verdict_badge
from ui.i18n import t, tn
from ui.state import app
from ui.verdict import warn_of

LEAST, MOST = 2, 8
#: Chosen at first; more are a click away.
USUAL = 4


def draw(target: str, rows: Sequence[models.RegistryRow], dataset_id: int) -> None:
    """Draw the choice of model versions and, once asked for, every pair of them."""
    left, right = st.columns([7.6, 1.6], vertical_alignment="bottom")
    names = {row.model.id or 0: row.model.name for row in rows}
    with left:
        chosen = st.multiselect(
            t("Model versions"),
            list(names),
            default=list(names)[:USUAL],
            max_selections=MOST,
            key=f"many_{target}",
            placeholder=t("choose two to eight"),
            format_func=names.__getitem__,
            help=t("They are compared on the articles that all of them answered: one more may leave fewer."),
        )
    key = (dataset_id, tuple(sorted(chosen)))
    with right:
        pressed = st.button(
            t("Compare"), type="primary", key="compare_many", width="stretch", disabled=len(chosen) < LEAST
        )
    if pressed:
        perform(
            partial(_compare, key, list(chosen), dataset_id),
            working=t("Comparing each with each on the same articles …"),
            done=t("Compared."),
        )
    found = st.session_state.get("many_found")
    if found is None or found[0] != key:
        st.caption(
            t(
                "Each is compared with each, and nothing is stored. Among many pairs chance alone finds a winner "
                "sooner, so the p values are corrected for their number (Holm)."
            )
        )
        return
    if any(row.model.simulated for row in rows if row.model.id in chosen):
        st.markdown(f"{simulated_badge()} {t('These figures say nothing about real models.')}")
    _models(found[1], names)
    _pairs(found[1], names)


def _compare(key: tuple[int, tuple[int, ...]], model_ids: list[int], dataset_id: int) -> None:
    st.session_state["many_found"] = (
        key,
        workflows.compare_many(app(), model_ids, dataset_id, Split.TEST),
    )


def _models(found: Mapping[str, Any], names: Mapping[int, str]) -> None:
    section(
        tn("On the {n} article all of them answered", "On the {n} articles all of them answered", found["n"]),
        t("Dot: accuracy. Line: interval. Tick: majority rate."),
    )
    for each in found["models"]:
        warn_of(each["name"], each["contaminated"], chosen_there=each["selected_on"])
    rows = [each for each in found["models"] if not each["contaminated"]]
    rows.sort(key=lambda each: each["accuracy"], reverse=True)
    if not rows:
        return
    measured = [
        score_charts.Measured(
            names.get(each["model_id"], fmt.DASH),
            each["accuracy"],
            each.get("accuracy_interval"),
            found["n"],
            each.get("majority"),
            strong=place == 0,
        )
        for place, each in enumerate(rows)
    ]
    show(
        score_charts.measured(measured, t("majority")),
        "many",
        alt="; ".join(
            f"{row.label} {fmt.share(row.value)} {fmt.share_interval(row.interval)}" for row in measured
        ),
    )


def _pairs(found: Mapping[str, Any], names: Mapping[int, str]) -> None:
    section(
        t("Each against each"),
        t(
            "Difference: second minus first. Better or worse needs the whole interval on one side of zero and a "
            "corrected p below 0.05 (Holm, over all pairs of this table)."
        ),
    )
    _say(found["pairs"], names)
    frame = pd.DataFrame(
        [
            {
                t("First"): names.get(pair["champion_id"], fmt.DASH),
                t("Second"): names.get(pair["challenger_id"], fmt.DASH),
                t("The second is"): fmt.word("verdict", pair["verdict"]),
                t("Difference"): fmt.points(pair["difference"]),
                t("Interval"): fmt.points_interval(pair.get("interval")),
                t("p, Holm"): _p(pair.get("holm_p")),
                t("p"): _p(pair["p"] if pair.get("p_by_day") is None else pair["p_by_day"]),
                t("n"): fmt.number(pair["n"]),
            }
            for pair in found["pairs"]
        ]
    )
    st.dataframe(frame, hide_index=True, placeholder=fmt.DASH, alt=t("Each against each"))


def _say(pairs: Sequence[Mapping[str, Any]], names: Mapping[int, str]) -> None:
    """Say each decided pair in one sentence, or that there is none."""
    decided = [pair for pair in pairs if pair["verdict"] != Verdict.INCONCLUSIVE]
    if not decided:
        st.markdown(f"{verdict_badge(Verdict.INCONCLUSIVE)} {t('No pair is decided on these articles.')}")
    for pair in decided:
        said = sentence(
            dict(pair),
            t,
            champion=fmt.plain(names.get(pair["champion_id"])),
            challenger=fmt.plain(names.get(pair["challenger_id"])),
        )
        st.markdown(f"{verdict_badge(pair['verdict'])} {said}")


def _p(value: float | None) -> str:
    return fmt.DASH if value is None else fmt.p_value(value).removeprefix("p ").removeprefix("= ")
