"""Models: who answers, how good it is, whether another is better, and the switch."""

import streamlit as st
from sqlmodel import Session

from core import workflows
from core.domain.types import Target
from core.models import DatasetVersion
from core.queries import models
from ui import charts, comparison, evaluation, registry
from ui import format as fmt
from ui.components import empty, go_to, header, lazy_tabs, perform, section, show
from ui.i18n import t
from ui.state import app, reading


def choose_dataset(session: Session, target: str, key: str) -> DatasetVersion | None:
    """Draw the choice of the dataset version whose test part is scored; None where there is none."""
    found = models.datasets_of(session, target)
    if not found:
        with empty(t("Scoring needs a dataset version of this target.")):
            go_to("training", t("Build one"), key=f"{key}_build", training_tab_next=t("Dataset versions"))
        return None
    return st.selectbox(
        t("Dataset version"),
        found,
        key=key,
        placeholder=fmt.DASH,
        format_func=lambda v: t(
            "{hash} · {n} to test on · {at}",
            hash=fmt.short_hash(v.sha256),
            n=fmt.number(sum((v.counts.get("test") or {}).values())),
            at=fmt.moment(v.created_at),
        ),
        help=t("Models are scored on its test part, which no training has seen."),
    )


def evaluate(session: Session, target: str, rows: list[models.RegistryRow]) -> None:
    """Draw the scores of all models on one test part, and one report in full."""
    left, middle, right = st.columns([3, 3, 1], vertical_alignment="bottom")
    with left:
        dataset = choose_dataset(session, target, "score_on")
    if dataset is None:
        return
    with middle:
        row = st.selectbox(
            t("Model version"),
            rows,
            key="score_model",
            placeholder=fmt.DASH,
            format_func=lambda r: f"{r.model.name} · {fmt.word('stage', r.stage)}",
        )
    with right:
        pressed = st.button(t("Evaluate"), type="primary", key="evaluate", width="stretch")
    if pressed:
        perform(
            lambda: workflows.evaluate(app(), row.model.id, dataset.id, "test"),
            working=t("Scoring the test part …"),
            done=t("Evaluated."),
        )
    scores = models.scores(session, dataset.id or 0)
    known = [each for each in rows if each.model.id in scores]
    if len(known) > 1:
        section(t("All on this test part"), t("Dot: accuracy. Line: interval. Tick: majority rate."))
        measured = [
            charts.Measured(
                each.model.name,
                run.metrics["accuracy"],
                run.metrics.get("accuracy_interval"),
                run.n,
                run.metrics.get("majority"),
                strong=each.model.id == row.model.id,
            )
            for each in known
            for run in [scores[each.model.id]]
        ]
        show(charts.measured(measured, t("majority")), alt=t("Accuracy of each model version"))
    run = scores.get(row.model.id)
    if run is None:
        st.caption(
            t("{name} is not scored on this test part yet: press Evaluate.", name=fmt.plain(row.model.name))
        )
        return
    section(row.model.name)
    evaluation.report(run.metrics)


def compare(session: Session, target: str, rows: list[models.RegistryRow]) -> None:
    """Draw the choice of two model versions and their comparison."""
    if len(rows) < 2:
        with empty(t("A comparison needs two model versions: train one, or import predictions.")):
            go_to("training", t("Train"), key="train_second", training_tab_next=t("Jobs"))
        return
    first, second, third, fourth = st.columns([3, 3, 3, 1], vertical_alignment="bottom")
    with first:
        dataset = choose_dataset(session, target, "compare_on")
    if dataset is None:
        return
    names = {
        "format_func": lambda r: f"{r.model.name} · {fmt.word('stage', r.stage)}",
        "placeholder": fmt.DASH,
    }
    with second:
        champion = st.selectbox(t("Champion"), rows, key="compare_champion", **names)
    others = [row for row in rows if row.model.id != champion.model.id]
    with third:
        challenger = st.selectbox(t("Challenger"), others, key="compare_challenger", **names)
    with fourth:
        pressed = st.button(t("Compare"), type="primary", key="compare_now", width="stretch")
    if pressed:
        perform(
            lambda: workflows.compare(app(), champion.model.id, challenger.model.id, dataset.id, "test"),
            working=t("Scoring both on the same articles …"),
            done=t("Compared."),
        )
    found = models.newest_comparison(session, champion.model.id, challenger.model.id, dataset.id)
    if found is None:
        st.caption(t("These two are not compared on this test part yet: press Compare."))
        return
    comparison.report(found.report, champion.model.name, challenger.model.name)


def main() -> None:
    """Draw the page."""
    header(t("Models"), t("Who answers, how good it is, whether another is better, and the switch."))
    target = st.segmented_control(
        t("Target"),
        list(Target),
        default=None if "models_target" in st.session_state else Target.DIRECTION,
        required=True,
        key="models_target",
        label_visibility="collapsed",
        format_func=lambda code: fmt.word("target", code),
    )
    tabs = lazy_tabs(
        "models_tab", [t("Registry"), t("Evaluation"), t("Comparison"), t("Promotion"), t("Try it")]
    )
    with reading() as session, tabs:
        rows = models.registry(session, target)
        if not rows:
            with empty(t("No model version yet: train one, or import predictions with the news.")):
                go_to("training", t("Train"), key="train_first", training_tab_next=t("Jobs"))
        elif tabs.label == t("Registry"):
            registry.table(session, rows)
        elif tabs.label == t("Evaluation"):
            evaluate(session, target, rows)
        elif tabs.label == t("Comparison"):
            compare(session, target, rows)
        elif tabs.label == t("Promotion"):
            registry.promotion(session, target, rows)
        else:
            registry.trial(target)


main()
