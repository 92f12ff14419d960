"""One click that takes a promotion back: with the watch, and with the alert that it raised."""

import streamlit as st

from core import workflows
from core.queries.experiments import watch
from ui.components import attempt
from ui.i18n import t
from ui.state import app, flash, reading


def undo_button(target: str, promotion_id: int | None, reason: str, *, primary: bool, key: str) -> None:
    """Draw the button that gives a target back to the former champion, with the finding as its reason."""
    st.button(
        t("Roll back now"),
        type="primary" if primary else "secondary",
        icon=":material/undo:",
        key=key,
        on_click=_undo,
        args=(target, promotion_id, reason),
        help=t(
            "The former champion answers at once. The entry in the ledger says why; promoting again is possible."
        ),
    )


def _undo(target: str, promotion_id: int | None, reason: str) -> None:
    """Roll back the promotion that the button speaks of; a callback.

    Another promotion may have come since the page was drawn, or another person may have clicked: a second
    rollback would go back one champion further.
    """
    with reading() as session:
        found = watch(session, target)
    if found is None or found.experiment.promotion_id != promotion_id:
        flash(t("The champion has changed meanwhile; nothing was rolled back."))
        return
    leaving = found.experiment.champion_id
    if attempt(lambda: [workflows.rollback(app(), target, reason, leaving=leaving)]) is not None:
        flash(t("The former champion answers again."))
