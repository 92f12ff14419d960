"""Pieces that several pages are made of: figures with their explanation, actions, empty states, frames."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import plotly.graph_objects as go
import streamlit as st
from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90

from core.errors import NewstuneError
from ui import format as fmt
from ui.i18n import t
from ui.state import flash

T = TypeVar("T")
PAGES = {
    name: f"../pages/{name}.py"
    for name in ("overview", "samples", "training", "models", "ab", "costs", "operations")
}
_SORRY = "_sorry"
_STAGE_COLOURS = {"champion": "green", "challenger": "blue", "candidate": "gray", "retired": "gray"}
_JOB_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "gray",
    "blocked": "orange",
    "unknown": "orange",
}
_VERDICT_LOOK = {
    "better": ("green", ":material/trending_up:"),
    "worse": ("red", ":material/trending_down:"),
    "equivalent": ("blue", ":material/drag_handle:"),
    "inconclusive": ("orange", ":material/help:"),
}


def header(title: str, subtitle: str) -> None:
    """Draw a page's title with one line that says what it is for."""
    st.title(title, anchor=False)
    st.caption(subtitle)


def section(title: str, help_text: str | None = None) -> None:
    """Draw a section's heading; `help_text` says how its figures were computed."""
    st.subheader(title, anchor=False, help=help_text)


def show(figure: go.Figure, key: str, alt: str) -> None:
    """Draw a figure in the theme's fonts, without tools; `alt` says it in words.

    The key is asked for since two equal figures on a page would otherwise be one to Streamlit. The
    theme's chart text is too pale for small labels (3.7:1 on white); its placeholder for the body's
    colour, which the browser replaces by the light or dark one, is not.
    """
    figure.layout.font.color = GRAY_90
    st.plotly_chart(figure, theme="streamlit", config={"displayModeBar": False}, alt=alt, key=key)


def perform(call: Callable[[], T], *, working: str, done: str | Callable[[T], str]) -> None:
    """Run one action of a button: spinner, then a message and a fresh page, or the error's sentence."""
    try:
        with st.spinner(working):
            result = call()
    except NewstuneError as error:
        sorry(error)
        return
    flash(done(result) if callable(done) else done)
    st.rerun()


def attempt(call: Callable[[], T]) -> T | None:
    """Run one action in a callback and return its result; its error is kept for `show_sorry`.

    A callback runs before the page is drawn, so it can neither draw a spinner nor an error of its own.
    """
    try:
        return call()
    except NewstuneError as error:
        st.session_state[_SORRY] = str(error)
        return None


def show_sorry() -> None:
    """Show the error that a callback kept, once."""
    message = st.session_state.pop(_SORRY, None)
    if message:
        st.error(fmt.plain(message), icon=":material/error:")


def confirm(
    title: str,
    body: Callable[[], None],
    yes: str,
    on_yes: Callable[[], None],
    *,
    key: str,
    icon: str = ":material/payments:",
) -> None:
    """Open a dialog that asks once, with what a person should know before; both its buttons close it.

    `on_yes` is a callback of the button: it runs before the next drawing of the page.
    """

    def ask() -> None:
        body()
        with st.container(horizontal=True):
            agreed = st.button(yes, type="primary", icon=icon, key=f"{key}_yes", on_click=on_yes)
            if st.button(t("Not now"), key=f"{key}_no") or agreed:
                st.rerun()

    st.dialog(title)(ask)()


def simulated_badge() -> str:
    """Return the inline badge of everything that a simulation produced."""
    return f":orange-badge[:material/science: {t('SIMULATED')}]"


def sorry(error: NewstuneError) -> None:
    """Show an error as the sentence it carries."""
    st.error(fmt.plain(str(error)), icon=":material/error:")


def go_to(page: str, label: str, *, primary: bool = False, key: str | None = None, **state: object) -> None:
    """Draw a button that opens another page, preselecting what `state` names there."""
    if st.button(
        label, type="primary" if primary else "secondary", key=key or f"go_{page}_{label}", width="stretch"
    ):
        for name, value in state.items():
            st.session_state[name] = value
        st.switch_page(PAGES[page])


def class_words() -> dict[str, str]:
    """Return the reader's word for each class, in the order of every chart."""
    return {str(code): fmt.word("sentiment", code) for code in fmt.SENTIMENTS}


def stage_badge(stage: str) -> str:
    """Return a stage as an inline badge."""
    return f":{_STAGE_COLOURS.get(stage, 'gray')}-badge[{fmt.word('stage', stage)}]"


def job_badge(status: str) -> str:
    """Return a job's status as an inline badge."""
    return f":{_JOB_COLOURS.get(status, 'blue')}-badge[{fmt.word('job', status)}]"


def verdict_badge(verdict: str) -> str:
    """Return a verdict as an inline badge with its icon."""
    colour, icon = _VERDICT_LOOK.get(verdict, ("gray", ":material/help:"))
    return f":{colour}-badge[{icon} {fmt.word('verdict', verdict)}]"


def accuracy_metric(metrics: dict[str, Any] | None, label: str | None = None) -> None:
    """Draw an accuracy with its interval and n, or a dash and why there is none."""
    label = label or t("Accuracy")
    if not metrics or metrics.get("accuracy") is None:
        st.metric(
            label,
            fmt.DASH,
            delta_description=t("no test score yet"),
            help=t("There is no evaluation on a test part without articles it was trained on."),
        )
        return
    st.metric(label, fmt.share(metrics["accuracy"]), help=accuracy_help(metrics))
    st.caption(
        t(
            "{interval} · n = {n} · majority {majority}",
            interval=fmt.share_interval(metrics.get("accuracy_interval")),
            n=fmt.number(metrics["n"]),
            majority=fmt.share(metrics.get("majority")),
        )
    )


def accuracy_help(metrics: dict[str, Any]) -> str:
    """Return how an accuracy and its interval were computed."""
    method = metrics.get("interval_method")
    interval = (
        t("Interval: {method}.", method=fmt.word("interval", method))
        if method
        else t("No interval: fewer than two market days.")
    )
    meaning = (
        t("Share of test articles whose predicted direction was the market's.")
        if metrics.get("target") == "direction"
        else t("Share of test articles whose predicted sentiment equals the human label.")
    )
    baseline = t("Majority: always answering the most frequent class.")
    return f"{meaning} {interval} {baseline}"


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Draw label and value pairs as a quiet table; values are shown letter for letter."""
    table = [{"": fmt.plain(label), " ": fmt.plain(value)} for label, value in rows]
    st.table(table, border="horizontal", hide_index=True, hide_header=True)


def notice(text: str, key: str, button: str, icon: str | None = None) -> bool:
    """Draw a line of text with a button at its end, both on one line where there is room."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=key):
        # a container of its own shrinks beside the button; a bare text would push it to the next line
        with st.container():
            st.markdown(text)
        return st.button(button, icon=icon, key=f"{key}_button")


def empty(text: str, icon: str = ":material/inbox:") -> Any:
    """Draw the frame of an empty state and return it, so that the button that helps goes inside."""
    box = st.container(border=True)
    box.markdown(f"{icon} {text}")
    return box


class LazyTabs:
    """Tabs of which only the open one is drawn; another page can preselect one through the session."""

    def __init__(self, key: str, labels: list[str]) -> None:
        wanted = st.session_state.pop(f"{key}_next", None)
        if wanted in labels:
            st.session_state[key] = wanted
        elif st.session_state.get(key) not in labels:  # the language has changed since
            st.session_state.pop(key, None)
        self._tabs = dict(zip(labels, st.tabs(labels, key=key, on_change="rerun"), strict=True))
        self.label = next((label for label in labels if self._tabs[label].open), labels[0])

    def __enter__(self) -> None:
        self._tabs[self.label].__enter__()

    def __exit__(self, *error: object) -> None:
        self._tabs[self.label].__exit__(*error)
