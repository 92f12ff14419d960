"""The first screen of an empty database: three ways in."""

import streamlit as st

from core import workflows
from ui.components import go_to, perform
from ui.i18n import t
from ui.state import app


def welcome() -> None:
    """Offer the demo, the parent app's folder and a table of one's own."""
    st.markdown(
        t(
            "Newstune turns collected news into verified samples, trains on them, and tells with statistics "
            "whether the new model is better. Nothing is stored yet. Choose a way in:"
        )
    )
    demo, folder, table = st.columns(3, gap="medium")
    with demo.container(border=True, height="stretch"):
        st.subheader(t("Look around"), anchor=False)
        st.markdown(
            t(
                "About 700 generated articles with market returns and few-shot predictions. Marked DEMO on "
                "every page and removed with one click."
            )
        )
        st.space("stretch")
        if st.button(
            t("Load demo"), type="primary", icon=":material/science:", width="stretch", key="load_demo"
        ):
            perform(
                lambda: workflows.load_demo(app()),
                working=t("Generating articles, outcomes and predictions …"),
                done=t("The demo is loaded."),
            )
    with folder.container(border=True, height="stretch"):
        st.subheader(t("AI News Trader"), anchor=False)
        st.markdown(
            t(
                "The parent app's data folder, or a zip of it: news, analyses, market files and accuracy "
                "logs. Each file is reported; broken ones are left out."
            )
        )
        st.space("stretch")
        go_to("samples", t("Import the folder"), key="way_folder", samples_tab_next=t("Import"))
    with table.container(border=True, height="stretch"):
        st.subheader(t("A table of your own"), anchor=False)
        st.markdown(
            t(
                "CSV or JSONL with a title and a label column; body, date, address and predictions where you have them."
            )
        )
        st.space("stretch")
        go_to("samples", t("Upload a table"), key="way_table", samples_tab_next=t("Import"))
