"""Cascades on screen: a free model first, a dearer one where it is unsure; the trade-off, the choice, the score."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core import workflows
from core.domain.types import ModelKind, Split
from core.queries import cascades, models
from core.queries.models import DatasetVersion, RegistryRow
from ui import format as fmt
from ui import predictions
from ui.cascade_curve import trade_off
from ui.components import empty, go_to, perform, section, simulated_badge
from ui.endings import by_provider
from ui.i18n import t, tn
from ui.state import Session, app


def cascade(session: Session, target: str) -> None:
    """Draw the choice of two models, what they would do together, the new cascade, and those there are."""
    section(
        t("Cascade"),
        t(
            "The first model answers on this machine, for free. Where its confidence is below the threshold, the "
            "second is asked. The threshold is chosen on the validation part and reported on the test part."
        ),
    )
    rows = models.registry(session, target)
    pair = _choose_pair(session, target, rows)
    if pair is not None:
        first, second, dataset = pair
        if _answered(session, first, second, dataset):
            trade_off(first, second, dataset)
    _made(session, rows)


def _choose_pair(
    session: Session, target: str, rows: Sequence[RegistryRow]
) -> tuple[models.ModelVersion, models.ModelVersion, DatasetVersion] | None:
    """Draw the choice of both models and of the dataset version; None with the way on where one is missing."""
    single = [row.model for row in rows if row.model.kind != ModelKind.CASCADE]
    answering = [model for model in single if model.provider in app().providers]
    free = [model for model in answering if not predictions.is_remote(model) and model.artefact]
    found = models.datasets_of(session, target)
    if not free:
        with empty(t("A cascade begins with a local model of this target, and there is none yet.")):
            go_to("training", t("Train one"), key="cascade_train", training_tab_next=t("Jobs"))
        return None
    if len(answering) < 2:
        with empty(t("A cascade needs a second model: a few-shot version, or one tuned at a provider.")):
            go_to(
                "models", t("Make a few-shot version"), key="cascade_few_shot", models_tab_next=t("Few-shot")
            )
        return None
    if not found:
        with empty(t("The trade-off is measured on a dataset version of this target, and there is none.")):
            go_to("training", t("Build one"), key="cascade_build", training_tab_next=t("Dataset versions"))
        return None
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    with left:
        first = _choose(t("First, free"), free, f"cascade_first_{target}")
    with middle:
        others = [model for model in answering if model.id != first.id]
        # a remote one saves most by being asked less
        others.sort(key=lambda model: not predictions.is_remote(model))
        second = _choose(t("Second, where the first is unsure"), others, f"cascade_second_{target}")
    with right:
        dataset = st.selectbox(
            t("Measured on"),
            found,
            key=f"cascade_on_{target}",
            placeholder=fmt.DASH,
            format_func=lambda v: t(
                "{hash} · {n} to validate on",
                hash=fmt.short_hash(v.sha256),
                n=fmt.number(sum((v.counts.get("validation") or {}).values())),
            ),
            help=t(
                "The validation part of this dataset version; its test part stays untouched until the end."
            ),
        )
    return first, second, dataset


def _choose(label: str, found: Sequence[models.ModelVersion], key: str) -> models.ModelVersion:
    return st.selectbox(label, found, key=key, placeholder=fmt.DASH, format_func=_marked)


def _marked(model: models.ModelVersion) -> str:
    return f"{model.name} · {t('SIMULATED')}" if model.simulated else model.name


def _answered(
    session: Session, first: models.ModelVersion, second: models.ModelVersion, dataset: DatasetVersion
) -> bool:
    """Draw what is missing of both models' answers to the validation part; return whether some are there."""
    scored = models.scores(session, dataset.id or 0, Split.VALIDATION)
    here = [each for each in (first, second) if not predictions.is_remote(each) and each.id not in scored]
    if here:
        names = t(" and ").join(fmt.plain(each.name) for each in here)
        with empty(t("{names}: no answers to this validation part yet.", names=names), ":material/forum:"):
            if st.button(t("Answer the validation part, free"), type="primary", key="cascade_answer"):
                perform(
                    lambda: [
                        workflows.evaluate(app(), each.id, dataset.id, Split.VALIDATION) for each in here
                    ],
                    working=t("Answering the validation part …"),
                    done=t("Answered: the trade-off can be measured."),
                )
        return False
    if predictions.is_remote(second):
        state = by_provider(workflows.provider_states(app())).get(second.provider)
        if state is not None:
            predictions.offer(session, second, dataset.id or 0, Split.VALIDATION, state)
    both = cascades.answered(
        session, first_id=first.id, second_id=second.id, dataset_id=dataset.id, split=Split.VALIDATION
    )
    if not both.rows:
        st.caption(t("No article of the validation part is answered by both yet."))
    return bool(both.rows)


def _made(session: Session, rows: Sequence[RegistryRow]) -> None:
    """List the cascades of a target with their test scores, and score one."""
    found = [row for row in rows if row.model.kind == ModelKind.CASCADE]
    if not found:
        return
    section(t("Cascades"), t("Scored on the test part of the dataset version that each was chosen on."))
    for row in found:
        with st.container(border=True, key=f"cascade_{row.model.id}"):
            _one(session, row)


def _one(session: Session, row: RegistryRow) -> None:
    model, given = row.model, row.model.params
    badge = f" {simulated_badge()}" if model.simulated else ""
    st.markdown(f"**{fmt.plain(model.name)}**{badge}")
    names = {part: session.get(models.ModelVersion, given[f"{part}_id"]) for part in ("first", "second")}
    st.caption(
        t(
            "{first} answers; below {threshold} % confidence {second} is asked",
            first=fmt.plain(names["first"].name if names["first"] else fmt.DASH),
            second=fmt.plain(names["second"].name if names["second"] else fmt.DASH),
            threshold=fmt.number(given["threshold"]),
        )
    )
    run = models.scores(session, given["dataset_id"]).get(model.id or 0)
    if run is not None and run.metrics.get("accuracy") is not None:
        st.markdown(_test_score(run.metrics))
        return
    state = by_provider(workflows.provider_states(app())).get(model.provider)
    if predictions.is_remote(model) and state is not None:
        predictions.offer(session, model, given["dataset_id"], Split.TEST, state)
    if st.button(t("Score on the test part"), icon=":material/straighten:", key=f"cascade_score_{model.id}"):
        perform(
            lambda: workflows.evaluate(app(), model.id, given["dataset_id"], Split.TEST),
            working=t("Scoring the test part …"),
            done=t("Evaluated."),
        )


def _test_score(metrics: Mapping[str, Any]) -> str:
    return t(
        "Test part: accuracy **{accuracy}** ({interval}, n = {n}, majority {majority})",
        accuracy=fmt.share(metrics["accuracy"]),
        interval=fmt.share_interval(metrics.get("accuracy_interval")),
        n=fmt.number(metrics["n"]),
        majority=fmt.share(metrics.get("majority")),
    ) + (
        " · " + tn("{n} market day", "{n} market days", metrics["market_days"])
        if metrics.get("market_days")
        else ""
    )
