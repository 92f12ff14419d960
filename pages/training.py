"""Training: freeze a dataset version, export it, train on it, follow the job."""

import streamlit as st

from core import workflows
from core.queries import training
from core.queries.progress import progress
from ui import datasets, jobs
from ui import format as fmt
from ui.components import LazyTabs, empty, go_to, header, perform, section
from ui.i18n import t
from ui.state import Session, app, reading


def launch(session: Session) -> None:
    """Draw the one-click training on a chosen dataset version."""
    section(
        t("Train"),
        t(
            "The local model: word and character features with a calibrated linear classifier. No key, no cost, seconds."
        ),
    )
    found = [version for version in training.dataset_versions(session) if training.trainable(version)]
    if not found:
        with empty(t("Training needs a dataset version.")):
            go_to("training", t("Build one"), key="build_first", training_tab_next=t("Dataset versions"))
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        version = st.selectbox(
            t("Dataset version"),
            found,
            key="train_on",
            placeholder=fmt.DASH,
            format_func=lambda v: t(
                "{target} · {hash} · {n} to train on · {at}",
                target=fmt.word("target", v.target),
                hash=fmt.short_hash(v.sha256),
                n=fmt.number(training.part_total(v.counts, "train")),
                at=fmt.moment(v.created_at),
            ),
        )
    with st.expander(t("Settings"), icon=":material/tune:"):
        settings = hyperparameters()
    with right:
        pressed = st.button(
            t("Train"), type="primary", icon=":material/model_training:", width="stretch", key="train_now"
        )
    if pressed:
        perform(
            lambda: workflows.start_training(app(), workflows.Request(version.id, "local", hyperparameters=settings)).job_id,
            working=t("Starting …"),
            done=t("Training has started."),
        )


def hyperparameters() -> dict[str, float]:
    """Draw the local model's settings and return those that were typed; the rest keep their defaults."""
    strength = t("Inverse regularisation: larger fits the training part more closely.")
    rare = t("Logistic regression stands in only where a class has fewer than four rows.")
    settings = (
        ("svm_c", t("C of the support-vector machine"), 0.01, strength),
        ("logistic_c", t("C of the stand-in for rare classes"), 0.01, f"{rare} {strength}"),
        ("max_words", t("Most word features"), 1, None),
        ("max_characters", t("Most character features"), 1, None),
    )
    given = {}
    with st.grid(4, min_column_width=150):
        for name, label, least, about in settings:
            # Streamlit asks for whole numbers where the least value and the step are whole
            given[name] = st.number_input(
                label,
                min_value=least,
                step=least,
                value=None,
                key=f"setting_{name}",
                placeholder=t("default"),
                help=about,
            )
    return {name: value for name, value in given.items() if value is not None}


def main() -> None:
    """Draw the page."""
    header(t("Training"), t("Freeze a dataset version, export it, train on it, follow the job."))
    tabs = LazyTabs("training_tab", [t("Dataset versions"), t("Jobs")])
    with reading() as session, tabs:
        if tabs.label == t("Jobs"):
            launch(session)
            if jobs.live_jobs(detailed=True):
                st.caption(t("This view follows the job by itself; you may leave the page."))
            section(t("History"))
            jobs.history()
            return
        counters = progress(session, app().policy)["targets"]
        if not any(counters[target]["verified"] for target in counters):
            with empty(t("A dataset version needs verified samples, and there is none yet.")):
                go_to("samples", t("See why there is no sample yet"), key="why_none")
            return
        datasets.builder()
        datasets.versions(session)


main()
