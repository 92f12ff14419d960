"""Scoring on screen: all models on one test part, and one report in full."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core import workflows
from core.domain.types import Split
from core.queries import models
from core.queries.training import DatasetVersion
from core.workflows import ProviderState
from ui import evaluation, prediction_runs, predictions, score_charts
from ui import format as fmt
from ui.components import empty, go_to, perform, section, show, simulated_badge
from ui.endings import by_provider
from ui.i18n import t
from ui.state import Session, app


def choose_dataset(session: Session, target: str, key: str) -> DatasetVersion | None:
    """Draw the choice of the dataset version whose test part is scored; None where there is none."""
    found = models.datasets_of(session, target)
    if not found:
        with empty(t("Scoring needs a dataset version of this target.")):
            go_to("training", t("Build one"), key=f"{key}_build", training_tab_next=t("Dataset versions"))
        return None
    last = models.scored_last(session, target)
    return st.selectbox(
        t("Dataset version"),
        found,
        index=next((i for i, version in enumerate(found) if version.id == last), 0),
        key=f"{key}_{target}",
        placeholder=fmt.DASH,
        format_func=lambda v: t(
            "{hash} · {n} to test on · {at}",
            hash=fmt.short_hash(v.sha256),
            n=fmt.number(sum((v.counts.get("test") or {}).values())),
            at=fmt.moment(v.created_at),
        ),
        help=t(
            "Models are scored on its test part. A model trained on this version has not seen it; one trained "
            "on another may have seen some of it, and then its score is marked and does not count."
        ),
    )


def evaluate(
    session: Session, target: str, rows: list[models.RegistryRow], states: Sequence[ProviderState]
) -> None:
    """Draw the scores of all models on one test part, one report in full, and what was asked of providers."""
    left, middle, right = st.columns([3, 3, 1.4], vertical_alignment="bottom")
    with left:
        dataset = choose_dataset(session, target, "score_on")
    if dataset is None:
        return
    with middle:
        row = st.selectbox(
            t("Model version"),
            rows,
            key=f"score_model_{target}",
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
    waiting = _ask_remote(session, row.model, dataset, states)
    scores = models.scores(session, dataset.id or 0)
    _all_scores(rows, scores, row.model.id)
    run = scores.get(row.model.id)
    if run is None and not waiting:
        st.caption(
            t("{name} is not scored on this test part yet: press Evaluate.", name=fmt.plain(row.model.name))
        )
    elif run is not None:
        section(fmt.plain(row.model.name))
        if row.model.simulated:
            st.markdown(f"{simulated_badge()} {t('These figures say nothing about real models.')}")
        evaluation.report(run.metrics)
    prediction_runs.ended(session, states)


def _ask_remote(
    session: Session,
    model: models.ModelVersion,
    dataset: DatasetVersion,
    states: Sequence[ProviderState],
) -> bool:
    """Draw what a remote model has not answered yet, and all runs under way; return whether to wait for it."""
    state = by_provider(states).get(model.provider)
    prediction_runs.live()
    if state is None or not predictions.is_remote(model):
        return False
    if prediction_runs.under_way(session, model):
        return True
    if predictions.offer(session, model, dataset.id or 0, Split.TEST, state):
        return True
    st.caption(t("All articles of this test part are answered by {name}.", name=fmt.plain(model.name)))
    return False


def _all_scores(rows: list[models.RegistryRow], scores: Mapping[int, Any], chosen: int | None) -> None:
    """Draw the accuracies of all models on one test part; name those whose score is no evidence."""
    scored = [each for each in rows if each.model.id in scores]
    known = [each for each in scored if models.is_evidence(scores[each.model.id].metrics)]
    if len(known) < 2:
        return
    section(t("All on this test part"), t("Dot: accuracy. Line: interval. Tick: majority rate."))
    measured = [
        score_charts.Measured(
            each.model.name,
            run.metrics["accuracy"],
            run.metrics.get("accuracy_interval"),
            run.n,
            run.metrics.get("majority"),
            strong=each.model.id == chosen,
        )
        for each in known
        for run in [scores[each.model.id]]
    ]
    show(
        score_charts.measured(measured, t("majority")),
        "all_scores",
        alt=t("Accuracy of each model version"),
    )
    leaked = [fmt.plain(each.model.name) for each in scored if each not in known]
    if leaked:
        st.caption(t("Left out, trained on some of these articles: {names}", names=", ".join(leaked)))
