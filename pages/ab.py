"""A/B: whether another model is better, on stored answers and on live articles, and what a promotion asks for."""

import streamlit as st

from core.domain.types import Target
from ui import ab_cascade, ab_gates, ab_live, ab_offline
from ui import format as fmt
from ui.components import LazyTabs, header
from ui.i18n import t
from ui.state import preselected, reading


def main() -> None:
    """Draw the page."""
    header(
        t("A/B"),
        t("Whether another model is better, on stored answers and on live articles; and the switch."),
    )
    target = st.segmented_control(
        t("Target"),
        list(Target),
        default=preselected("ab_target", Target.DIRECTION),
        required=True,
        key="ab_target",
        label_visibility="collapsed",
        format_func=lambda code: fmt.word("target", code),
    )
    tabs = LazyTabs("ab_tab", [t("Comparison"), t("Live experiment"), t("Cascade"), t("Promotion gates")])
    with reading() as session, tabs:
        if tabs.label == t("Comparison"):
            ab_offline.offline(session, target)
        elif tabs.label == t("Live experiment"):
            ab_live.live(session, target)
        elif tabs.label == t("Cascade"):
            ab_cascade.cascade(session, target)
        else:
            ab_gates.gates(session, target)


main()
