"""The three things to do from the Overview: export, train, compare."""

import streamlit as st

from core import workflows
from core.queries.training import dataset_versions, part_total
from ui import format as fmt
from ui.components import go_to, perform
from ui.i18n import t
from ui.state import Session, app


def actions(session: Session) -> None:
    """Export, train and compare with what is newest; without a dataset version they lead to one."""
    newest = next(iter(dataset_versions(session, limit=1)), None)
    left, middle, right = st.columns(3)
    with left:
        if newest is None:
            go_to("training", t("Export"), primary=True, key="export")
        else:
            st.download_button(
                t("Export"),
                data=lambda: workflows.export_zip(app(), newest.id, "openai"),
                file_name=f"newstune-{newest.target}-{fmt.short_hash(newest.sha256)}-openai.zip",
                mime="application/zip",
                on_click="ignore",
                type="primary",
                icon=":material/download:",
                width="stretch",
                key="export",
                help=t("The newest dataset version as OpenAI chat JSONL, three parts with a manifest."),
            )
    with middle:
        label, style = (
            t("Train"),
            {"type": "primary", "icon": ":material/model_training:", "width": "stretch"},
        )
        if newest is None:
            go_to("training", label, primary=True, key="train")
        elif st.button(
            label, key="train", help=t("Trains the local model on the newest dataset version."), **style
        ):
            perform(
                lambda: workflows.start_training(app(), workflows.Request(newest.id, "local")).job_id,
                working=t("Starting …"),
                done=t("Training has started."),
            )
    with right:
        chosen = {} if newest is None else {"ab_target_next": newest.target}
        go_to("ab", t("Compare A/B"), primary=True, key="compare", ab_tab_next=t("Comparison"), **chosen)
    if newest is not None:
        n = sum(part_total(newest.counts, part) for part in ("train", "validation", "test"))
        st.caption(
            t(
                "Export and Train use the newest dataset version: {target}, {n} samples, {hash}, built {ago}.",
                target=fmt.word("target", newest.target),
                n=fmt.number(n),
                hash=fmt.short_hash(newest.sha256),
                ago=fmt.ago(newest.created_at, app().now()),
            )
        )
