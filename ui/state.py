"""The session's side of the program: the running App, a reading session, and messages that outlive a rerun."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from sqlmodel import Session

from core.bootstrap import App, get_app
from core.db import reading as read_snapshot

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


def choose(key: str, value: object) -> None:
    """Preselect a widget's value; to be used in a callback or before the widget is drawn."""
    st.session_state[key] = value
