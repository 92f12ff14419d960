"""The session's side of the program: the running App, a reading session, and messages that outlive a rerun."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import streamlit as st

from core.bootstrap import App, get_app
from core.db import Session
from core.db import reading as read_snapshot

T = TypeVar("T")
_FLASH = "_flash"


def app() -> App:
    """Return the process-wide App."""
    return get_app()


@contextmanager
def reading() -> Iterator[Session]:
    """Yield a session on one snapshot of the database; a page opens one for a whole run."""
    with read_snapshot(app().engine) as session:
        yield session


def flash(message: str) -> None:
    """Keep a message for the next run, after the rerun that shows its effect."""
    st.session_state[_FLASH] = message


def show_flash() -> None:
    """Show the message kept by the run before, once."""
    message = st.session_state.pop(_FLASH, None)
    if message:
        st.toast(message, icon=":material/check_circle:")


def preselected(key: str, usual: T) -> T:
    """Return what another page asked a widget to begin with, else the usual value.

    A widget gets it as its `default`: writing to its key races with a quick click in the browser, after
    which nothing looks chosen.
    """
    begin = f"_{key}_default"
    if f"{key}_next" in st.session_state:
        st.session_state[begin] = st.session_state.pop(f"{key}_next")
    return st.session_state.get(begin, usual)
