"""The script of the dashboard: look, language, navigation, the DEMO banner and the footer of every page."""

import streamlit as st

from core import workflows
from core.queries.overview import has_demo
from ui import i18n
from ui.components import PAGES, notice, perform, show_sorry
from ui.i18n import t
from ui.state import app, reading, show_flash

#: Wide enough for the longest page name in both languages.
SIDEBAR_PX = 220


def _pages() -> list[st.Page]:
    return [
        _page(
            "overview",
            t("Overview"),
            ":material/space_dashboard:",
            t("Progress, champions, running work and what needs attention."),
        ),
        _page(
            "samples",
            t("Samples"),
            ":material/article:",
            t("Import news and market data; see which articles became samples and why others did not."),
        ),
        _page(
            "training",
            t("Training"),
            ":material/model_training:",
            t("Freeze a dataset version, export it, train on it."),
        ),
        _page(
            "models",
            t("Models"),
            ":material/leaderboard:",
            t("Who answers and how good it is; few-shot versions, and a headline to try."),
        ),
        _page(
            "ab",
            t("A/B"),
            ":material/compare_arrows:",
            t("Compare models on stored answers and on live articles; promote and roll back."),
        ),
        _page(
            "costs",
            t("Costs"),
            ":material/payments:",
            t("What was spent and is held, the budget, prices with their dates."),
        ),
        _page(
            "operations",
            t("Operations"),
            ":material/monitor_heart:",
            t("Background jobs, database and data sources."),
        ),
    ]


def _page(name: str, title: str, icon: str, what_for: str) -> st.Page:
    """Return a page under its own address; the Overview is the first that a visitor sees."""
    first = name == "overview"
    return st.Page(
        PAGES[name], title=title, icon=icon, help=what_for, default=first, url_path=None if first else name
    )


def _demo_banner() -> None:
    with reading() as session:
        if not has_demo(session):
            return
    text = t("Generated data: these figures say nothing about real accuracy.")
    word = t("DEMO")
    badge = f":orange-badge[:material/science: {word}]"
    if notice(f"{badge} {text}", "remove_demo", t("Remove demo data"), ":material/delete:"):
        perform(
            lambda: workflows.remove_demo(app()),
            working=t("Removing the demo data …"),
            done=t("The demo data is gone."),
        )


def main() -> None:
    """Draw one run of the dashboard."""
    st.set_page_config(
        page_title="Newstune", page_icon=":material/tune:", layout="wide", initial_sidebar_state=SIDEBAR_PX
    )
    i18n.settle()
    page = st.navigation(_pages())
    with st.sidebar:
        i18n.switch()
    show_flash()
    show_sorry()
    _demo_banner()
    page.run()
    st.space("medium")
    st.caption(t("Newstune measures models of news. Nothing here is investment advice."))


main()
