"""The registry on screen: who stands where, where a model comes from, and a trial."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.types import ModelKind, Target
from core.errors import NewstuneError
from core.queries import models, overview
from core.workflows import ProviderState
from ui import few_shot
from ui import format as fmt
from ui.components import facts, section, simulated_badge, sorry, stage_badge
from ui.endings import SOON_DAYS, retirement
from ui.i18n import t
from ui.promotion import gates_then
from ui.state import Session, app


def table(session: Session, rows: list[models.RegistryRow], states: Sequence[ProviderState]) -> None:
    """Draw the model versions of a target and the lineage of the chosen one."""
    frame = pd.DataFrame([_line(row, states) for row in rows])
    picked = st.dataframe(
        frame,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="registry",
        placeholder=fmt.DASH,
        alt=t("Model versions"),
        column_config={
            t("Model version"): st.column_config.TextColumn(width="medium"),
            t("Measured on"): st.column_config.TextColumn(
                help=t(
                    "The dataset version whose test part gave these figures. Figures of different versions "
                    "do not compare; a score on articles that the model was trained on is left out."
                )
            ),
            t("Days left"): st.column_config.TextColumn(
                help=t(
                    "Until the vendor switches the model off, where a date is known; reported dates count too."
                )
            ),
        },
    )
    picks = [place for place in picked.selection.rows if place < len(rows)]
    chosen = rows[picks[0]] if picks else rows[0]
    with st.container(border=True):
        _lineage(session, chosen, states)


def _days_left(model: models.ModelVersion, states: Sequence[ProviderState]) -> str:
    end = retirement(model, states, app().now().date())
    return fmt.DASH if end is None else fmt.number(max(0, end.days_left))


def _line(row: models.RegistryRow, states: Sequence[ProviderState]) -> dict[str, object]:
    score = models.headline(row.evaluation.metrics if row.evaluation else None)
    return {
        t("Model version"): row.model.name,
        t("Stage"): fmt.word("stage", row.stage),
        t("Kind"): fmt.word("kind", row.model.kind) + (f" · {t('SIMULATED')}" if row.model.simulated else ""),
        t("Accuracy"): fmt.share(score["accuracy"]),
        t("Interval"): fmt.share_interval(score["accuracy_interval"]),
        t("n"): fmt.number(score["n"]),
        t("Majority"): fmt.share(score["majority"]),
        t("Macro-F1"): fmt.share(score["macro_f1"]),
        t("Measured on"): fmt.short_hash(row.measured_on),
        t("Stored predictions"): fmt.number(row.predictions),
        t("Days left"): _days_left(row.model, states),
        t("Made"): fmt.moment(row.model.created_at),
    }


def _lineage(session: Session, row: models.RegistryRow, states: Sequence[ProviderState]) -> None:
    found = models.lineage(session, row.model)
    model, job, dataset = found.model, found.job, found.dataset
    badge = f" {simulated_badge()}" if model.simulated else ""
    st.markdown(f"{stage_badge(row.stage)}{badge} **{fmt.plain(model.name)}**")
    end = retirement(model, states, app().now().date())
    if end is not None:
        colour = "orange" if end.days_left <= SOON_DAYS else "gray"
        st.markdown(f":{colour}-badge[:material/event_busy: {end.sentence}]", help=end.source or None)
    chain = [model.name]
    if job is not None:
        chain.append(t("job {id}", id=job.id))
    if dataset is not None:
        chain.append(t("dataset version {hash}", hash=fmt.short_hash(dataset.sha256)))
    st.caption(" → ".join(fmt.plain(link) for link in chain), help=t("What it was made by, and from."))
    facts([*_made_of(session, found), *_promoted(session, model)])
    few_shot.prompt(model)
    checksums = {t("Dataset version"): dataset and dataset.sha256, t("Artefact"): model.artefact_sha256}
    if any(checksums.values()):
        with st.expander(t("Checksums (SHA-256)")):
            for name, checksum in checksums.items():
                if checksum:
                    st.caption(name)
                    st.code(checksum, language=None, wrap_lines=True)


def _made_of(session: Session, found: models.Lineage) -> list[tuple[str, str]]:
    """Return what a model version was made of."""
    model, job, dataset = found.model, found.job, found.dataset
    rows = [(t("Base model"), model.base_model), (t("Provider"), model.provider)]
    if model.params.get("remote_model"):
        rows.append((t("Name at the vendor"), model.params["remote_model"]))
    rows += _parts(session, model)
    if dataset is not None:
        rows.append((t("Strategy"), fmt.word("strategy", dataset.strategy)))
    if job is not None:
        settings = (job.config.get("hyperparameters") or {}).items()
        rows.append((t("Settings"), ", ".join(f"{name} = {value}" for name, value in settings) or fmt.DASH))
    return rows


def _promoted(session: Session, model: models.ModelVersion) -> list[tuple[str, str]]:
    """Return each promotion of a model version, with its reason and whether a person went past the gates."""
    targets = [model.target] if model.target else list(Target)
    entries = [row for target in targets for row in models.ledger(session, target)]
    mine = [row for row in entries if row.entry.action == "promote" and row.entry.to_model_id == model.id]
    return [
        (
            t("Promoted {at}", at=fmt.moment(row.entry.at)),
            t(
                "{reason} ({who}; gates {gates})",
                reason=row.entry.reason,
                who=row.entry.actor,
                gates=gates_then(row),
            ),
        )
        for row in mine
    ]


def _parts(session: Session, model: models.ModelVersion) -> list[tuple[str, str]]:
    """Return who answers for a cascade, and below which confidence the second is asked; else nothing."""
    if model.kind != ModelKind.CASCADE:
        return []
    first, second = (
        session.get(models.ModelVersion, model.params[f"{part}_id"]) for part in ("first", "second")
    )
    return [
        (t("First, free"), first.name if first else fmt.DASH),
        (t("Second, where the first is unsure"), second.name if second else fmt.DASH),
        (t("Threshold"), f"{model.params['threshold']:g} %"),
    ]


def trial(session: Session, target: str) -> None:
    """Draw the trial of the champion on a typed headline; nothing is stored."""
    section(
        t("Try it"), t("Asks the champion of this target. A trial is not stored and never becomes a sample.")
    )
    card = overview.champions(session).get(target)
    provider = (
        app().providers.get(session.get_one(models.ModelVersion, card.model_id).provider) if card else None
    )
    if provider is not None and provider.priced:
        st.caption(t("The champion is asked over the network: every question is billed."))
    with st.form("trial", border=False):
        title = st.text_input(
            t("Headline"), max_chars=500, key="trial_title", placeholder=t("a headline in Korean or English")
        )
        body = st.text_area(
            t("Body (optional)"), max_chars=5000, key="trial_body", placeholder=t("first paragraphs")
        )
        asked = st.form_submit_button(t("Ask the champion"), type="primary", icon=":material/psychology:")
    if not asked or not title.strip():
        return
    try:
        answer = workflows.predict_text(app(), title, body.strip() or None, target)
    except NewstuneError as error:
        sorry(error)
        return
    with st.container(border=True):
        st.metric(fmt.plain(answer["model"]), fmt.word("sentiment", answer["sentiment"]))
        sure = answer["confidence"]
        st.caption(t("confidence {value}", value=fmt.DASH if sure is None else f"{sure} %"))
        st.text(", ".join(answer["keywords"]))
        st.text(answer["reason"])
