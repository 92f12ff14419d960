"""The comparison tab: two or several model versions on one test part, from their stored answers."""

from collections.abc import Sequence

import streamlit as st

from core import workflows
from core.domain.types import Split, Stage
from core.queries import models
from ui import ab_confidence, compare_many, comparison, disagreements
from ui import format as fmt
from ui.components import empty, go_to, perform, simulated_badge
from ui.i18n import mark, t
from ui.scoring import choose_dataset
from ui.state import Session, app

_HOW_MANY = {"two": mark("Two models"), "several": mark("Several models")}
_VIEWS = {
    "disagreements": mark("Disagreements"),
    "errors": mark("Errors by class"),
    "confidence": mark("Confidence"),
}


def offline(session: Session, target: str) -> None:
    """Draw the choice of what is compared, and the comparison."""
    rows = models.registry(session, target)
    if len(rows) < 2:
        with empty(t("A comparison needs two model versions: train one, or import predictions.")):
            go_to("training", t("Train"), key="train_second", training_tab_next=t("Jobs"))
        return
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        dataset = choose_dataset(session, target, "compare_on")
    if dataset is None:
        return
    with right:
        many = st.segmented_control(
            t("How many"),
            list(_HOW_MANY),
            default="two",
            required=True,
            key="ab_how_many",
            label_visibility="collapsed",
            format_func=lambda code: t(_HOW_MANY[code]),
        )
    if many == "several":
        compare_many.draw(target, rows, dataset.id or 0)
    else:
        _two(session, target, rows, dataset.id or 0)


def _place(ids: list[int | None], wanted: int | None) -> int:
    return ids.index(wanted) if wanted in ids else 0


def _choose(
    session: Session, target: str, rows: Sequence[models.RegistryRow], dataset_id: int
) -> tuple[models.RegistryRow, models.RegistryRow]:
    """Draw the choice of champion and challenger and the button that compares them."""
    first, second, third = st.columns([3.8, 3.8, 1.6], vertical_alignment="bottom")
    ids = [row.model.id for row in rows]
    pair = models.compared_last(session, dataset_id) or (ids[0], ids[1])
    names = {
        "format_func": lambda r: f"{r.model.name} · {fmt.word('stage', r.stage)}",
        "placeholder": fmt.DASH,
    }
    with first:
        champion = st.selectbox(
            t("Champion"),
            rows,
            index=_place(ids, pair[0]),
            key=f"compare_champion_{target}",
            help=t("What the other one is measured against; it need not be the present champion."),
            **names,
        )
    wanted = st.session_state.pop(f"compare_challenger_{target}_next", pair[1])
    others = [row for row in rows if row.model.id != champion.model.id]
    with second:
        challenger = st.selectbox(
            t("Challenger"),
            others,
            index=_place([row.model.id for row in others], wanted),
            key=f"compare_challenger_{target}",
            **names,
        )
    with third:
        pressed = st.button(t("Compare"), type="primary", key="compare_now", width="stretch")
    if pressed:
        perform(
            lambda: workflows.compare(app(), champion.model.id, challenger.model.id, dataset_id, Split.TEST),
            working=t("Scoring both on the same articles …"),
            done=t("Compared."),
        )
    return champion, challenger


def _two(session: Session, target: str, rows: Sequence[models.RegistryRow], dataset_id: int) -> None:
    champion, challenger = _choose(session, target, rows, dataset_id)
    pair = (champion.model.id or 0, challenger.model.id or 0)
    found = models.newest_comparison(session, *pair, dataset_id)
    if found is None:
        st.caption(t("These two are not compared on this test part yet: press Compare."))
        return
    names = (champion.model.name, challenger.model.name)
    if champion.model.simulated or challenger.model.simulated:
        st.markdown(f"{simulated_badge()} {t('These figures say nothing about real models.')}")
    ahead = {"promote_model_next": pair[1], f"live_challenger_{target}_next": pair[1]}
    if challenger.stage == Stage.CHAMPION:  # there is nothing to promote, and none to try against itself
        ahead = {}
    comparison.report(found.report, *names, ahead=ahead)
    if not found.report["n"]:
        return
    view = st.segmented_control(
        t("What lies behind it"),
        list(_VIEWS),
        default="disagreements",
        required=True,
        key="ab_view",
        format_func=lambda code: t(_VIEWS[code]),
    )
    if view == "errors":
        comparison.confusions(found.report)
    elif view == "confidence":
        ab_confidence.draw(found.report, target)
    else:
        disagreements.browse(session, pair, dataset_id, names)
