"""The articles on which a comparison turns: who was wrong where, with both answers and what came of it."""

import pandas as pd
import streamlit as st

from core.domain.types import Split
from core.queries.disagreements import Disagreement, disagreements
from ui import format as fmt
from ui.components import facts
from ui.i18n import mark, t, tn
from ui.state import Session

PAGE_SIZE = 10
_KINDS = {
    "all": mark("Any wrong"),
    "champion_only": mark("Only the champion right"),
    "challenger_only": mark("Only the challenger right"),
    "both_wrong": mark("Both wrong"),
}


def browse(session: Session, pair: tuple[int, int], dataset_id: int, names: tuple[str, str]) -> None:
    """Draw one page of the articles, and the chosen one beside it.

    Parameters
    ----------
    pair : tuple of int
        Champion and challenger, by id.
    names : tuple of str
        Their names.
    """
    # another pair, dataset or kind begins on its first page, with nothing chosen
    base = f"disagree_{pair[0]}_{pair[1]}_{dataset_id}"
    kind = st.segmented_control(
        t("Which articles"),
        list(_KINDS),
        default="challenger_only",
        required=True,
        key=f"{base}_kind",
        format_func=lambda code: t(_KINDS[code]),
    )
    key = f"{base}_{kind}"
    page = st.session_state.get(f"{key}_page", 1)
    rows, total = disagreements(
        session,
        champion_id=pair[0],
        challenger_id=pair[1],
        dataset_id=dataset_id,
        split=Split.TEST,
        kind=kind,
        limit=PAGE_SIZE,
        offset=(page - 1) * PAGE_SIZE,
    )
    if not rows:
        st.caption(t("No such article: choose another kind."))
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        picked = _table(rows, f"{key}_{page}_rows")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(tn("{n} article", "{n} articles", total), width="content")
            if total > PAGE_SIZE:
                st.pagination(-(-total // PAGE_SIZE), key=f"{key}_page", max_visible_pages=5)
    with right, st.container(border=True):
        _one(rows[picked], names)


def _table(rows: list[Disagreement], key: str) -> int:
    """Draw the rows; return the place of the chosen one, the first by default."""
    frame = pd.DataFrame(
        {
            t("Title"): [row.title for row in rows],
            t("Gold label"): [fmt.word("sentiment", row.label) for row in rows],
            t("Champion"): [_answer(row.champion, row.champion_confidence) for row in rows],
            t("Challenger"): [_answer(row.challenger, row.challenger_confidence) for row in rows],
        }
    )
    picked = st.dataframe(
        frame,
        hide_index=True,
        height="content",
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [0]}},
        key=key,
        column_config={
            t("Title"): st.column_config.TextColumn(width=215),
            t("Gold label"): st.column_config.TextColumn(width=80),
            t("Champion"): st.column_config.TextColumn(width=100, help=t("Answer and stated confidence")),
            t("Challenger"): st.column_config.TextColumn(width=100, help=t("Answer and stated confidence")),
        },
        placeholder=fmt.DASH,
        alt=t("Articles that a model got wrong"),
    )
    places = [place for place in picked.selection.rows if place < len(rows)]
    return places[0] if places else 0


def _answer(sentiment: str | None, confidence: float | None) -> str:
    word = fmt.word("sentiment", sentiment)
    return word if confidence is None else f"{word} {confidence:.0f}"


def _one(row: Disagreement, names: tuple[str, str]) -> None:
    st.markdown(f"**{fmt.plain(row.title)}**")
    st.text(row.body or t("The source has no body."))
    if row.url:
        st.text(row.url)
    shown = [(t("Gold label"), fmt.word("sentiment", row.label))]
    if row.day:
        shown.append((t("Market day"), str(row.day)))
    if row.return_pct is not None:
        shown.append((t("Market"), fmt.signed_pct(row.return_pct)))
    facts(shown)
    _said(t("Champion"), names[0], row.label, (row.champion, row.champion_confidence, row.champion_reason))
    _said(
        t("Challenger"),
        names[1],
        row.label,
        (row.challenger, row.challenger_confidence, row.challenger_reason),
    )


def _said(role: str, name: str, label: str, answer: tuple[str | None, float | None, str | None]) -> None:
    sentiment, confidence, reason = answer
    mark_ = ":green[:material/check:]" if sentiment == label else ":red[:material/close:]"
    st.markdown(f"{mark_} {role}: **{_answer(sentiment, confidence)}** · {fmt.plain(name)}")
    if reason:
        st.text(reason)
