"""Models: who answers, where it comes from, and how good it is."""

import streamlit as st

from core import workflows
from core.domain.types import Target
from core.queries import models
from ui import few_shot, registry, scoring
from ui import format as fmt
from ui.components import LazyTabs, empty, go_to, header
from ui.i18n import t
from ui.state import app, preselected, reading


def _ways_on(target: str) -> None:
    """Draw the buttons to what is decided on the A/B page."""
    compare, promote = st.columns(2)
    with compare:
        go_to("ab", t("Compare two"), key="to_compare", ab_target_next=target, ab_tab_next=t("Comparison"))
    with promote:
        go_to(
            "ab",
            t("Promote or roll back"),
            key="to_gates",
            ab_target_next=target,
            ab_tab_next=t("Promotion gates"),
        )


def main() -> None:
    """Draw the page."""
    header(t("Models"), t("Who answers, where it comes from, and how good it is."))
    target = st.segmented_control(
        t("Target"),
        list(Target),
        default=preselected("models_target", Target.DIRECTION),
        required=True,
        key="models_target",
        label_visibility="collapsed",
        format_func=lambda code: fmt.word("target", code),
    )
    tabs = LazyTabs(
        "models_tab",
        [t("Registry"), t("Evaluation"), t("Few-shot"), t("Try it")],
    )
    with reading() as session, tabs:
        rows = models.registry(session, target)
        states = workflows.provider_states(app())
        if tabs.label == t("Few-shot"):
            few_shot.create(session, target, states)
            few_shot.versions(rows)
        elif not rows:
            with empty(t("No model version yet: train one, or import predictions with the news.")):
                go_to("training", t("Train"), key="train_first", training_tab_next=t("Jobs"))
        elif tabs.label == t("Registry"):
            registry.table(session, rows, states)
            _ways_on(target)
        elif tabs.label == t("Evaluation"):
            scoring.evaluate(session, target, rows, states)
        else:
            registry.trial(session, target)


main()
