"""Words in the reader's language. The language belongs to a browser session, never to the process."""

import gettext
from functools import lru_cache
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

#: language code -> the language's own name, as the switch shows it
LANGUAGES = {"ko": "한국어", "en": "English"}
LOCALES = Path(__file__).resolve().parent.parent / "locales"
_SWITCH = "_language_switch"


@lru_cache(maxsize=len(LANGUAGES))
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("app", LOCALES, languages=[language], fallback=language == "en")


def language() -> str:
    """Return the session's language: chosen, else ``?lang``, else the browser's, else English."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return "en"
    browser = (st.context.locale or "")[:2]
    wishes = (st.session_state.get("lang"), st.query_params.get("lang"), browser)
    return next((wish for wish in wishes if wish in LANGUAGES), "en")


def t(message: str, **values: object) -> str:
    """Return a message in the session's language with its ``{placeholders}`` filled in."""
    translated = _catalogue(language()).gettext(message)
    return translated.format(**values) if values else translated


def tn(singular: str, plural: str, n: int, **values: object) -> str:
    """Return the form of a message that fits `n`; ``{n}`` is filled in with thousands separators."""
    return _catalogue(language()).ngettext(singular, plural, n).format(n=f"{n:,}", **values)


def mark(message: str) -> str:
    """Mark a message of a constant table for extraction; ``t`` translates it where it is shown."""
    return message


def settle() -> None:
    """Keep the language in the session and in the address, which navigation would otherwise drop."""
    chosen = language()
    st.session_state["lang"] = chosen
    if st.query_params.get("lang") != chosen:
        st.query_params["lang"] = chosen


def switch() -> None:
    """Draw the language switch."""
    st.segmented_control(
        t("Language"),
        list(LANGUAGES),
        default=language(),
        key=_SWITCH,
        format_func=LANGUAGES.__getitem__,
        on_change=_switched,
        required=True,
        label_visibility="collapsed",
    )


def _switched() -> None:
    st.session_state["lang"] = st.session_state[_SWITCH]
    st.query_params["lang"] = st.session_state[_SWITCH]
