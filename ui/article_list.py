"""The table of articles with its filters, and one article in full beside it."""

import pandas as pd
import streamlit as st

from core import workflows
from core.domain.types import Family, Reason, Sentiment
from core.queries import articles
from ui import format as fmt
from ui.components import facts, perform
from ui.i18n import t, tn
from ui.state import Session, app

PAGE_SIZE = 15
#: Named in the ledger of labels given on this page.
REVIEWER = "dashboard"
#: A decision between the click and the run that carries it out.
_DECIDED = "_decided"


def browse(session: Session) -> None:
    """Draw filters, one page of the table, and the chosen article."""
    _carry_out()
    wanted = _filters()
    n = articles.count_articles(session, wanted)
    if n == 0:
        st.caption(t("No article passes these filters."))
        if st.button(t("Clear the filters"), on_click=_clear, key="clear_filters"):
            st.rerun()
        return
    pages = -(-n // PAGE_SIZE)
    page = min(st.session_state.get("articles_page", 1), pages)
    frame = articles.article_page(session, wanted, page=page, size=PAGE_SIZE)
    chosen = _chosen(frame)
    left, right = st.columns([3, 2], gap="medium") if chosen else (st.container(), None)
    with left:
        _table(frame)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(tn("{n} article", "{n} articles", n), width="content")
            if pages > 1:
                st.pagination(pages, key="articles_page", max_visible_pages=5)
    if chosen and right is not None:
        with right:
            _detail(session, chosen)


def _filters() -> articles.ArticleFilter:
    statuses = ["sample", *Reason]
    with st.grid(4, min_column_width=150):
        search = st.text_input(t("Title contains"), key="filter_search", placeholder=t("words"))
        family = st.selectbox(
            t("Family"),
            list(Family),
            index=None,
            key="filter_family",
            placeholder=t("All"),
            format_func=lambda code: fmt.word("family", code),
        )
        status = st.selectbox(
            t("State"),
            statuses,
            index=None,
            key="filter_status",
            placeholder=t("All"),
            format_func=lambda code: t("Verified sample") if code == "sample" else fmt.word("reason", code),
        )
        label = st.selectbox(
            t("Gold label"),
            list(Sentiment),
            index=None,
            key="filter_label",
            placeholder=t("All"),
            format_func=lambda code: fmt.word("sentiment", code),
            help=t("Human label or the market's direction."),
        )
    return articles.ArticleFilter(family, status, label, search)


def _clear() -> None:
    for name in ("filter_family", "filter_status", "filter_label"):
        st.session_state[name] = None
    st.session_state["filter_search"] = ""


def _chosen(frame: pd.DataFrame) -> int | None:
    rows = (st.session_state.get("articles") or {}).get("selection", {}).get("rows", [])
    return int(frame["id"].iloc[rows[0]]) if rows and rows[0] < len(frame) else None


def _table(frame: pd.DataFrame) -> None:
    word = fmt.word
    shown = pd.DataFrame(
        {
            t("Published"): [fmt.moment(None if pd.isna(at) else at) for at in frame["effective_at"]],
            t("Title"): frame["title"],
            t("State"): [t("Sample") if pd.isna(code) else word("reason", code) for code in frame["reason"]],
            t("Human label"): [_label(code) for code in frame["label"]],
            t("Market"): [
                _market(direction, value, state)
                for direction, value, state in zip(
                    frame["direction"], frame["return_pct"], frame["state"], strict=True
                )
            ],
            t("Prediction"): [
                _prediction(code, confidence)
                for code, confidence in zip(frame["predicted"], frame["confidence"], strict=True)
            ],
            t("Family"): [word("family", code).split(" (")[0] for code in frame["family"]],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        height="content",
        on_select="rerun",
        selection_mode="single-row",
        key="articles",
        column_config={
            t("Published"): st.column_config.TextColumn(help=t("Seoul time"), width=125),
            t("Title"): st.column_config.TextColumn(width=290),
            t("State"): st.column_config.TextColumn(width=120),
            t("Human label"): st.column_config.TextColumn(width=85),
            t("Market"): st.column_config.TextColumn(
                width=125, help=t("Direction and return of its session")
            ),
            t("Prediction"): st.column_config.TextColumn(width=95, help=t("Newest, with its confidence")),
        },
        placeholder=fmt.DASH,
        alt=t("Articles that pass the filters"),
    )


def _label(code: object) -> str:
    if not isinstance(code, str):
        return fmt.DASH
    return " / ".join(fmt.word("sentiment", part) for part in code.split("/"))


def _market(direction: object, value: float, state: object) -> str:
    if isinstance(direction, str):
        return f"{fmt.word('sentiment', direction)} {fmt.signed_pct(value)}"
    return fmt.word("outcome", state) if isinstance(state, str) else fmt.DASH


def _prediction(code: object, confidence: float) -> str:
    if not isinstance(code, str):
        return fmt.DASH
    return fmt.word("sentiment", code) + ("" if pd.isna(confidence) else f" {confidence:.0f}")


def _detail(session: Session, article_id: int) -> None:
    found = articles.article_detail(session, article_id)
    if found is None:
        st.caption(t("This article is gone."))
        return
    article = found.article
    with st.container(border=True):
        st.markdown(f"**{fmt.plain(article.title)}**")
        st.caption(
            " · ".join(
                fmt.plain(part)
                for part in (
                    article.publisher,
                    fmt.moment(article.effective_at),
                    fmt.word("origin", article.origin),
                )
                if part
            )
        )
        st.text(article.body or t("The source has no body."))
        if article.flags:
            st.markdown(" ".join(f":gray-badge[{fmt.word('flag', flag)}]" for flag in article.flags))
        facts(_facts(found))
        _predictions(found)
        if found.near_duplicates:
            st.caption(t("Nearly the same text:"))
            for _, title in found.near_duplicates:
                st.text(title)
        _decide(found)


def _facts(found: articles.ArticleDetail) -> list[tuple[str, str]]:
    outcome, article = found.outcome, found.article
    state = t("Sample") if article.reason is None else fmt.word("reason", article.reason)
    rows = [(t("State"), state)]
    if article.excluded_reason:
        rows.append((t("Why excluded"), article.excluded_reason))
    if found.labels:
        given = ", ".join(f"{fmt.word('sentiment', x.sentiment)} ({x.reviewer})" for x in found.labels)
        rows.append((t("Human labels"), given))
    if outcome is None:
        return [*rows, (t("Market"), t("not computed"))]
    rows.append((t("Session"), fmt.day(outcome.session)))
    if outcome.direction:
        notes = [
            note
            for note, holds in ((t("partial"), outcome.partial), (t("intraday"), outcome.intraday))
            if holds
        ]
        word = fmt.word("sentiment", outcome.direction)
        rows.append((t("Market"), " · ".join([f"{word} {fmt.signed_pct(outcome.return_pct)}", *notes])))
    elif outcome.void_reason:
        rows.append((t("Market"), fmt.word("void_reason", outcome.void_reason)))
    else:
        rows.append((t("Market"), t("known after {at}", at=fmt.moment(outcome.closes_at))))
    return rows


def _predictions(found: articles.ArticleDetail) -> None:
    for prediction, model in found.predictions:
        sure = fmt.DASH if prediction.confidence is None else f"{prediction.confidence:.0f}"
        st.markdown(
            f":material/psychology: **{fmt.word('sentiment', prediction.sentiment)}** {sure} · {fmt.plain(model)}"
        )
        if prediction.keywords or prediction.rationale:
            st.text(" · ".join(filter(None, [", ".join(prediction.keywords), prediction.rationale])))


def _decide(found: articles.ArticleDetail) -> None:
    """Draw the decisions on one article; each carries its id, since rows may shift before the click."""
    article = found.article
    st.markdown(t("**Your label**"))
    with st.container(horizontal=True):
        for code in fmt.SENTIMENTS:
            st.button(
                fmt.word("sentiment", code),
                key=f"label_{code}_{article.id}",
                on_click=_decided,
                args=("label", article.id, code),
            )
    if article.excluded_reason:
        st.button(
            t("Restore"),
            icon=":material/undo:",
            key=f"restore_{article.id}",
            on_click=_decided,
            args=("restore", article.id),
        )
        return
    with st.form(f"exclude_{article.id}", border=False):
        st.text_input(
            t("Why exclude it"), max_chars=200, key=f"why_{article.id}", placeholder=t("a few words")
        )
        st.form_submit_button(
            t("Exclude"), icon=":material/block:", on_click=_decided, args=("exclude", article.id)
        )


def _decided(what: str, article_id: int, code: str | None = None) -> None:
    """Note what was decided on which article: a click's callback knows the run that drew the button."""
    st.session_state[_DECIDED] = (what, article_id, code, st.session_state.get(f"why_{article_id}", ""))


def _carry_out() -> None:
    """Do what was decided by the click that began this run, if it was one."""
    what, article_id, code, why = st.session_state.pop(_DECIDED, (None, None, None, ""))
    if what == "label":
        perform(
            lambda: workflows.label_article(app(), article_id, code, REVIEWER),
            working=t("Saving …"),
            done=t("Labelled {label}.", label=fmt.word("sentiment", code)),
        )
    elif what == "restore":
        perform(lambda: workflows.restore(app(), article_id), working=t("Saving …"), done=t("Restored."))
    elif what == "exclude":
        perform(lambda: workflows.exclude(app(), article_id, why), working=t("Saving …"), done=t("Excluded."))
