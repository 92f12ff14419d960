"""The registry on screen: who stands where, where a model comes from, the switch, and a trial."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.types import Stage
from core.errors import NewstuneError
from core.queries import models, overview
from core.workflows import ProviderState
from ui import few_shot
from ui import format as fmt
from ui.components import facts, perform, section, simulated_badge, sorry, stage_badge
from ui.endings import SOON_DAYS, retirement
from ui.i18n import t
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
    rows = [(t("Base model"), model.base_model), (t("Provider"), model.provider)]
    if model.params.get("remote_model"):
        rows.append((t("Name at the vendor"), model.params["remote_model"]))
    if dataset is not None:
        rows.append((t("Strategy"), fmt.word("strategy", dataset.strategy)))
    if job is not None:
        settings = (job.config.get("hyperparameters") or {}).items()
        rows.append((t("Settings"), ", ".join(f"{name} = {value}" for name, value in settings) or fmt.DASH))
    facts(rows)
    few_shot.prompt(model)
    checksums = {t("Dataset version"): dataset and dataset.sha256, t("Artefact"): model.artefact_sha256}
    if any(checksums.values()):
        with st.expander(t("Checksums (SHA-256)")):
            for name, checksum in checksums.items():
                if checksum:
                    st.caption(name)
                    st.code(checksum, language=None, wrap_lines=True)


def promotion(session: Session, target: str, rows: list[models.RegistryRow]) -> None:
    """Draw the promotion with its typed reason, the rollback, and the ledger."""
    left, right = st.columns(2, gap="medium")
    with left.container(border=True, height="stretch"):
        _promote(target, [row for row in rows if row.stage != Stage.CHAMPION])
    with right.container(border=True, height="stretch"):
        _rollback(session, target)
    section(
        t("History"), t("A ledger: entries are never changed. The evidence is what was known at that moment.")
    )
    ledger = models.ledger(session, target)
    if not ledger:
        st.caption(t("Nothing was promoted for this target yet."))
        return
    st.dataframe(
        pd.DataFrame([_entry(row) for row in ledger]),
        hide_index=True,
        placeholder=fmt.DASH,
        alt=t("Promotions"),
    )


def _promote(target: str, rows: list[models.RegistryRow]) -> None:
    section(t("Promote"))
    answering = [row for row in rows if row.model.provider in app().providers]
    if not answering:
        st.caption(
            t("No other model version can answer new articles. Imported predictions cannot; train a model.")
        )
        return
    with st.form("promote", border=False, clear_on_submit=True):
        row = st.selectbox(
            t("Model version"),
            answering,
            key="promote_model",
            placeholder=fmt.DASH,
            format_func=_candidate,
        )
        reason = st.text_input(
            t("Reason"), max_chars=300, key="promote_reason", placeholder=t("why it should answer")
        )
        if st.form_submit_button(t("Promote to champion"), type="primary", icon=":material/verified:"):
            perform(
                lambda: workflows.promote(app(), row.model.id, target, reason),
                working=t("Promoting …"),
                done=t("{name} answers now.", name=fmt.plain(row.model.name)),
            )


def _candidate(row: models.RegistryRow) -> str:
    """Return a choice of the promotion: the name with its accuracy, interval, n and test set."""
    if row.evaluation is None:
        return t("{name} · not evaluated yet", name=row.model.name)
    score = models.headline(row.evaluation.metrics)
    return t(
        "{name} · {accuracy} ({interval}, n = {n}, on {hash})",
        name=row.model.name,
        accuracy=fmt.share(score["accuracy"]),
        interval=fmt.share_interval(score["accuracy_interval"]),
        n=fmt.number(score["n"]),
        hash=fmt.short_hash(row.measured_on),
    )


def _rollback(session: Session, target: str) -> None:
    section(t("Roll back"))
    earlier = models.previous_champion(session, target)
    if earlier is None:
        st.caption(t("There is no earlier champion to go back to."))
        return
    st.markdown(t("Gives the target back to **{name}**.", name=fmt.plain(earlier)))
    with st.form("rollback", border=False, clear_on_submit=True):
        reason = st.text_input(
            t("Reason"), max_chars=300, key="rollback_reason", placeholder=t("what went wrong")
        )
        if st.form_submit_button(t("Roll back"), icon=":material/undo:"):
            perform(
                lambda: workflows.rollback(app(), target, reason),
                working=t("Rolling back …"),
                done=t("{name} answers again.", name=fmt.plain(earlier)),
            )


def _entry(row: models.LedgerRow) -> dict[str, object]:
    evidence = row.entry.evidence.get("evaluation") or {}
    return {
        t("When"): fmt.moment(row.entry.at),
        t("What"): fmt.word("action", row.entry.action),
        t("Before"): row.from_name or fmt.DASH,
        t("After"): row.to_name or fmt.DASH,
        t("Reason"): row.entry.reason,
        t("Who"): row.entry.actor,
        t("Accuracy then"): fmt.share(evidence.get("accuracy")),
        t("Interval"): fmt.share_interval(evidence.get("accuracy_interval")),
        t("n"): fmt.number(evidence.get("n")),
    }


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
