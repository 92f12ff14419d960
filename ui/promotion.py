"""The switch on screen: promotion past its gates, rollback, and the ledger with its proof packs."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.types import GateState, Stage
from core.queries import models, overview
from core.queries.experiments import newest_dataset
from core.queries.models import Comparison, DatasetVersion, LedgerRow, RegistryRow
from core.queries.training import part_total
from core.workflows.promotion import GateReport, Promoted
from ui import format as fmt
from ui import gate_list
from ui.components import attempt, empty, go_to, perform, section
from ui.i18n import mark, t, tn
from ui.state import Session, app, flash, preselected

_NO_WATCH = {
    "PAID": mark("The former one does not watch: its answers cost money."),
    "CANNOT_ANSWER": mark("The former one does not watch: it cannot answer now."),
    "SIMULATED": mark("The former one does not watch: one of the two is simulated."),
}


def promotion(session: Session, target: str, rows: Sequence[RegistryRow]) -> None:
    """Draw the gates and the promotion with its typed reason, the rollback, and the ledger."""
    left, right = st.columns([3, 2], gap="medium")
    with left.container(border=True):
        _promote(session, target, [row for row in rows if row.stage != Stage.CHAMPION])
    with right.container(border=True):
        _rollback(session, target)
    section(
        t("History"), t("A ledger: entries are never changed. The evidence is what was known at that moment.")
    )
    _ledger(session, target)


def _promote(session: Session, target: str, rows: Sequence[RegistryRow]) -> None:
    section(t("Promote"))
    answering = [row for row in rows if row.model.provider in app().providers]
    if not answering:
        with empty(
            t("No other model version can answer new articles. Imported predictions cannot; train a model.")
        ):
            go_to("training", t("Train"), key="promote_train", training_tab_next=t("Jobs"))
        return
    ids = [row.model.id for row in answering]
    wanted = preselected("promote_model", ids[0])
    row = st.selectbox(
        t("Model version"),
        answering,
        index=ids.index(wanted) if wanted in ids else 0,
        key="promote_model",
        placeholder=fmt.DASH,
        format_func=_candidate,
    )
    report = workflows.promotion_gates(app(), row.model.id, target)
    _gates(session, target, row, report)
    with st.form("promote", border=False, clear_on_submit=True):
        reason = st.text_input(
            t("Reason"), max_chars=300, key="promote_reason", placeholder=t("why it should answer")
        )
        agreed = report.passed or st.checkbox(_override(report), key="promote_override")
        if st.form_submit_button(t("Promote to champion"), type="primary", icon=":material/verified:"):
            if not agreed and reason.strip():
                st.error(
                    t(
                        "Not every gate is passed: tick the box to promote all the same. It is kept with the reason."
                    ),
                    icon=":material/block:",
                )
                return
            perform(
                lambda: workflows.promote(app(), row.model.id, target, reason, override=agreed),
                working=t("Promoting …"),
                done=lambda done: _promoted(row.model.name, done),
            )


def _gates(session: Session, target: str, row: RegistryRow, report: GateReport) -> None:
    if not report.gates:
        st.caption(
            t("There is no champion of this target yet, so there is nothing to be better than: no gates.")
        )
        return
    gate_list.checklist(report.gates)
    gate_list.ways_on(report.gates, target, row.model.id or 0)
    version = _measured_on(session, target, report)
    gate_list.power(report.power_note, target, _shares(version), _samples(version))


def _measured_on(session: Session, target: str, report: GateReport) -> DatasetVersion | None:
    """Return the dataset version whose test part the note about its size speaks of."""
    if report.comparison_id is None:
        return newest_dataset(session, target)
    compared = session.get(Comparison, report.comparison_id)
    return session.get(DatasetVersion, compared.dataset_id) if compared else None


def _shares(version: DatasetVersion | None) -> str:
    config = version.config if version else {}
    found = [config.get(f"{part}_share") for part in ("train", "validation")]
    return "" if None in found else gate_list.shares(*found)


def _samples(version: DatasetVersion | None) -> int | None:
    if version is None:
        return None
    return sum(part_total(version.counts, part) for part in ("train", "validation", "test"))


def _override(report: GateReport) -> str:
    missing = sum(gate.state != GateState.PASSED for gate in report.gates)
    return tn(
        "Promote although {n} gate is not passed",
        "Promote although {n} gates are not passed",
        missing,
    )


def _promoted(name: str, done: Promoted) -> str:
    said = t("{name} answers now.", name=fmt.plain(name))
    if done.watch_id is not None:
        return f"{said} " + t("The former one watches it for {days} days.", days=app().policy.watch_days)
    return f"{said} {t(_NO_WATCH[done.no_watch])}" if done.no_watch in _NO_WATCH else said


def _candidate(row: RegistryRow) -> str:
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
    leaving = overview.champions(session)[target].model_id
    with st.form("rollback", border=False, clear_on_submit=True):
        st.text_input(t("Reason"), max_chars=300, key="rollback_reason", placeholder=t("what went wrong"))
        # a callback keeps the champion that this page showed: another person may have been first
        st.form_submit_button(
            t("Roll back"),
            icon=":material/undo:",
            on_click=_roll_back,
            args=(target, leaving, earlier),
        )


def _roll_back(target: str, leaving: int, earlier: str) -> None:
    reason = st.session_state["rollback_reason"]
    if attempt(lambda: [workflows.rollback(app(), target, reason, leaving=leaving)]) is not None:
        flash(t("{name} answers again.", name=fmt.plain(earlier)))


def _ledger(session: Session, target: str) -> None:
    ledger = models.ledger(session, target)
    if not ledger:
        st.caption(t("Nothing was promoted for this target yet."))
        return
    picked = st.dataframe(
        pd.DataFrame([_entry(row) for row in ledger]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="ledger",
        placeholder=fmt.DASH,
        alt=t("Promotions"),
    )
    places = [place for place in picked.selection.rows if place < len(ledger)]
    chosen = ledger[places[0] if places else 0]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            t("Proof pack"),
            data=lambda: workflows.proof_pack(app(), chosen.entry.id),
            file_name=f"newstune-{target}-{fmt.seoul(chosen.entry.at):%Y%m%d-%H%M}-proof.zip",
            mime="application/zip",
            on_click="ignore",
            icon=":material/download:",
            key="proof",
            help=t(
                "A zip with model, job, dataset hash, split, prompt, prices, evaluations, comparison, gates and "
                "experiment as they stood, and their checksums."
            ),
        )
        with st.container():
            st.caption(
                t(
                    "of {what} {name}, {at}. Choose another row for its own.",
                    what=fmt.word("action", chosen.entry.action),
                    name=fmt.plain(chosen.to_name or fmt.DASH),
                    at=fmt.moment(chosen.entry.at),
                )
            )


def _entry(row: LedgerRow) -> dict[str, object]:
    evidence = row.entry.evidence.get("evaluation") or {}
    return {
        t("When"): fmt.moment(row.entry.at),
        t("What"): fmt.word("action", row.entry.action),
        t("Before"): row.from_name or fmt.DASH,
        t("After"): row.to_name or fmt.DASH,
        t("Reason"): row.entry.reason,
        t("Gates"): gates_then(row),
        t("Who"): row.entry.actor,
        t("Accuracy then"): fmt.share(evidence.get("accuracy")),
        t("Interval"): fmt.share_interval(evidence.get("accuracy_interval")),
        t("n"): fmt.number(evidence.get("n")),
    }


def gates_then(row: LedgerRow) -> str:
    """Return how many gates were passed at that moment, and whether a person went past the others."""
    found = row.entry.evidence.get("gates") or []
    if not found:
        return fmt.DASH
    done = sum(gate["state"] == GateState.PASSED for gate in found)
    said = t("{done} of {n}", done=done, n=len(found))
    return f"{said} · {t('overridden')}" if row.entry.evidence.get("override") else said
