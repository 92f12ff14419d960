"""The promotion tab of the A/B page: the watch over the present champion, then gates, switch and ledger."""

import streamlit as st

from core.domain.types import ExperimentStatus, Verdict
from core.queries import models
from core.queries.experiments import ExperimentRow, watch
from ui import format as fmt
from ui import live_words
from ui.components import empty, go_to, section
from ui.experiment_card import card
from ui.i18n import t
from ui.promotion import promotion
from ui.state import Session, app
from ui.undo import undo_button


def gates(session: Session, target: str) -> None:
    """Draw whether the former champion would be better, then the gates of a promotion and its ledger."""
    rows = models.registry(session, target)
    if not rows:
        with empty(t("No model version yet: train one, or import predictions with the news.")):
            go_to("training", t("Train"), primary=True, key="gates_train", training_tab_next=t("Jobs"))
        return
    found = watch(session, target)
    if found is not None and _speaks(found):
        _watch(found)
        promotion(session, target, rows)
        return
    promotion(session, target, rows)
    if found is not None:
        _watch(found)


def _speaks(row: ExperimentRow) -> bool:
    """Tell whether a watch has found the former champion better: that goes before everything else."""
    return (row.experiment.conclusion or {}).get("verdict") == Verdict.BETTER


def _watch(row: ExperimentRow) -> None:
    one = row.experiment
    section(
        t("The former champion watches"),
        t(
            "For {days} days after a promotion the former champion answers the same articles unseen. Where the evidence "
            "says that it was better, an alert is raised, and one click gives it back its place.",
            days=app().policy.watch_days,
        ),
    )
    with st.container(border=True, key=f"watch_{one.id}"):
        shown = card(row)
        undo_button(
            one.target,
            one.promotion_id,
            live_words.watch_reason(shown),
            primary=_speaks(row),
            key=f"undo_{one.id}",
        )
        if one.status != ExperimentStatus.RUNNING:
            st.caption(
                t("The watch has ended; {name} can still be brought back.", name=fmt.plain(row.challenger))
            )
