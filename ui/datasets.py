"""Dataset versions on screen: the builder with its preview, the list, one version with its exports."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.dataset import TEST_SHARES, warning_sentence
from core.domain.gates import power_note
from core.domain.types import Balance, Split, SplitMethod, Strategy, Target
from core.errors import NewstuneError
from core.queries import training
from core.queries.training import DatasetVersion
from core.workflows.experiments import ASSUMED_DISCORDANCE
from ui import charts, gate_list
from ui import format as fmt
from ui.components import class_words, perform, section, show, sorry
from ui.i18n import t
from ui.state import Session, app, preselected


def builder() -> None:
    """Draw the choices and, at once, what the dataset version would hold."""
    section(
        t("Build a dataset version"),
        t("Frozen: its ids, labels, split and order never change, and its hash proves it."),
    )
    left, right = st.columns([2, 3], gap="medium")
    with left:
        recipe = _choices()
    with right:
        try:
            plan = workflows.preview_dataset(app(), **recipe)
        except NewstuneError as error:
            sorry(error)
            return
        _parts(plan.counts, "preview")
        _power(plan.counts, recipe)
        # the note above says more than the plan's warning of a small test part
        _warnings([warning for warning in plan.warnings if warning["code"] != "SMALL_TEST"])
        if st.button(t("Build"), type="primary", icon=":material/inventory_2:", key="build", width="stretch"):
            perform(
                lambda: workflows.build_dataset(app(), **recipe),
                working=t("Freezing the samples …"),
                done=t("The dataset version is built."),
            )


def _power(counts: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
    """Say what the test part can decide, and offer a larger one where it is too small."""
    sizes = {part: training.part_total(counts, part) for part in Split}
    policy = app().policy
    note = power_note(
        sizes[Split.TEST],
        effect=policy.plan_gain,
        discordance=ASSUMED_DISCORDANCE,
        policy=policy,
        n_all=sum(sizes.values()),
    )
    if note["decidable"]:
        st.caption(
            t(
                ":material/check_circle: {n} test articles decide a difference of {points} points in {power} of cases.",
                n=fmt.number(note["n_test"]),
                points=fmt.number(100 * note["effect"]),
                power=fmt.share(note["power"], 0),
            ),
            help=_how_power(recipe["target"]),
        )
        return
    usual = policy.train_share, policy.validation_share
    train = usual[0] if recipe["test_share"] is None else 1 - usual[1] - recipe["test_share"]
    said = gate_list.power_sentence(note, gate_list.shares(train, usual[1]), sum(sizes.values()))
    st.warning(said, icon=":material/straighten:")
    st.caption(_how_power(recipe["target"]))
    if note["test_share_needed"] is not None:
        percent = gate_list.as_step(note["test_share_needed"])
        st.button(
            t("Test on {share} %", share=percent),
            icon=":material/tune:",
            key="larger_share",
            on_click=st.session_state.update,
            args=({"build_test_share": percent},),
        )


def _how_power(target: str) -> str:
    """Return what the power of a test part was worked out from."""
    how = t(
        "McNemar's test at 5 %, where exactly one of the two models is right on {share} of the articles.",
        share=fmt.share(ASSUMED_DISCORDANCE, 0),
    )
    if target == Target.DIRECTION:
        how += " " + t("Articles of one day share one market move, so it is less certain still.")
    return how


def _choices() -> dict[str, Any]:
    target = st.segmented_control(
        t("Target"),
        list(Target),
        default=preselected("build_target", Target.DIRECTION),
        required=True,
        key="build_target",
        format_func=lambda code: fmt.word("target", code),
        help=t("Sentiment learns human labels, market direction learns outcomes. Never mixed."),
    )
    strategy = st.selectbox(
        t("Strategy"),
        list(Strategy),
        key="build_strategy",
        placeholder=fmt.DASH,
        format_func=lambda code: fmt.word("strategy", code),
        help=t(
            "All verified samples is recommended. Success cases first decides who survives undersampling; "
            "success cases only is the plan's strict rule. Validation and test are never filtered."
        ),
    )
    balance = st.selectbox(
        t("Balance"),
        list(Balance),
        key="build_balance",
        placeholder=fmt.DASH,
        format_func=lambda code: fmt.word("balance", code),
        help=t("How the training part treats unequal classes. Validation and test keep theirs."),
    )
    split = st.selectbox(
        t("Split"),
        list(SplitMethod),
        key="build_split",
        placeholder=fmt.DASH,
        format_func=lambda code: fmt.word("split_method", code),
        help=t(
            "Chronological trains on earlier days and tests on later ones, days kept whole, with an embargo "
            "between the parts. Stratified is for labelled sets without dates."
        ),
    )
    return {
        "target": target,
        "strategy": strategy,
        "balance": balance,
        "split_method": split,
        "test_share": _choose_test_share(),
    }


def _choose_test_share() -> float | None:
    """Draw the choice of the test share; None where it is the policy's."""
    share = st.slider(
        t("Test share"),
        *(round(100 * edge) for edge in TEST_SHARES),
        value=preselected("build_test_share", _usual_test_share()),
        step=5,
        format="%d %%",
        key="build_test_share",
        help=t(
            "Share of the samples to test on, taken from the training part. 10 % is the plan's; a comparison that "
            "shall decide ten points needs 200 test articles or more."
        ),
    )
    return None if share == _usual_test_share() else share / 100


def _usual_test_share() -> int:
    """Return the policy's test share in percent."""
    policy = app().policy
    return round(100 * (1 - policy.train_share - policy.validation_share))


def _parts(counts: Mapping[str, Any], key: str) -> None:
    rows = [(fmt.word("split", part), counts.get(part) or {}) for part in Split]
    show(charts.class_shares(rows, class_words()), f"{key}_parts", alt="; ".join(label for label, _ in rows))
    left_out = [
        (t("embargoed"), counts.get("embargoed"), t("Their outcome overlaps the next part.")),
        (t("near-duplicates"), counts.get("near_duplicates"), t("Twins of a sample in another part.")),
        (t("left out"), counts.get("left_out"), t("Dropped from training by strategy or balance.")),
    ]
    st.caption(
        " · ".join(f"{name} {n:,}" for name, n, _ in left_out if n is not None),
        help=" ".join(f"{name}: {why}" for name, _, why in left_out),
    )


def _warnings(warnings: Sequence[Mapping[str, Any]]) -> None:
    for warning in warnings:
        st.warning(_in_words(warning), icon=":material/warning:")


def _in_words(warning: Mapping[str, Any]) -> str:
    """Return a warning as a sentence of the reader's language, the codes in it too."""
    vocabularies = {"split": "split", "label": "sentiment"}
    words = {name: fmt.word(vocabularies[name], warning[name]) for name in vocabularies if name in warning}
    return warning_sentence({**warning, **words}, t)


def versions(session: Session) -> None:
    """Draw the list of versions and the chosen one in full."""
    found = training.dataset_versions(session)
    section(t("Versions"), t("Newest first. The hash depends on labels, split and order, not on row ids."))
    if not found:
        st.caption(t("No version yet: build one above."))
        return
    frame = pd.DataFrame(
        {
            t("Hash"): [fmt.short_hash(version.sha256) for version in found],
            t("Target"): [fmt.word("target", version.target) for version in found],
            t("Strategy"): [fmt.word("strategy", version.strategy) for version in found],
            t("Balance"): [fmt.word("balance", version.balance) for version in found],
            t("Split"): [fmt.word("split_method", version.split_method) for version in found],
        }
        | {fmt.word("split", part): [training.part_total(v.counts, part) for v in found] for part in Split}
        | {t("Built"): [fmt.moment(version.created_at) for version in found]}
    )
    picked = st.dataframe(
        frame,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="versions",
        alt=t("Dataset versions"),
    )
    chosen = found[picked.selection.rows[0]] if picked.selection.rows else found[0]
    with st.container(border=True):
        one(session, chosen)


def one(session: Session, version: DatasetVersion) -> None:
    """Draw one version: its parts by class and by day, warnings, exports, and the button that trains."""
    st.markdown(f"**{fmt.word('target', version.target)} · {fmt.short_hash(version.sha256)}**")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _days(session, version)
    with right:
        _parts(version.counts, "version")
    st.code(version.sha256, language=None, wrap_lines=True)
    with st.container(horizontal=True):
        for fmt_name, label in (("openai", t("OpenAI JSONL")), ("csv", t("CSV"))):
            st.download_button(
                label,
                data=lambda name=fmt_name: workflows.export_zip(app(), version.id, name),
                file_name=f"newstune-{version.target}-{fmt.short_hash(version.sha256)}-{fmt_name}.zip",
                mime="application/zip",
                on_click="ignore",
                icon=":material/download:",
                key=f"export_{fmt_name}",
                help=t("A zip of three parts and a manifest with counts and checksums."),
            )
    warnings = version.config.get("warnings") or []
    if warnings:
        with st.expander(t("Warnings ({n})", n=len(warnings)), icon=":material/warning:"):
            for warning in warnings:
                st.markdown(f"- {_in_words(warning)}")


def _days(session: Session, version: DatasetVersion) -> None:
    frame = training.dataset_days(session, version.id or 0)
    if frame.empty:
        st.caption(t("These samples have no dates."))
        return
    table = frame.pivot_table(index="day", columns="split", values="n", fill_value=0)
    names = {part: fmt.word("split", part) for part in Split if part in table}
    figure = charts.daily(
        pd.to_datetime(table.index),
        {name: table[part].astype(int).tolist() for part, name in names.items()},
        {name: charts.SPLIT_COLOURS[part] for part, name in names.items()},
        t("samples"),
    )
    spans = " · ".join(
        f"{name} {table.index[table[part] > 0].min()}{fmt.DASH}{table.index[table[part] > 0].max()}"
        for part, name in names.items()
    )
    show(figure, "version_days", alt=spans)
    st.caption(spans)
