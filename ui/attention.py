"""What needs attention on the Overview: alerts to take note of, worries, champions that end soon."""

import streamlit as st

from core import workflows
from core.queries import overview
from core.workflows.alerts import acknowledge_alert
from ui import format as fmt
from ui import live_words, worries
from ui.components import attempt, notice, section
from ui.endings import SOON_DAYS, Ending, retirement
from ui.i18n import t
from ui.state import Session, app, flash
from ui.undo import undo_button


def attention(session: Session) -> None:
    """List what needs a person, each with the button that leads there."""
    section(t("Needs attention"))
    alerts = overview.open_alerts(session)
    ending = _ending(session)
    found = overview.worries(session, app().policy, now=app().now())
    for alert in alerts:
        _alert(alert)
    for model, end in ending:
        text = t("The champion {name} ends: {fact}", name=fmt.plain(model.name), fact=end.sentence)
        if notice(text, f"ends_{model.id}", t("Open"), ":material/event_busy:"):
            _open("training", {"training_tab_next": t("Jobs")})
    for worry in found:
        text, page, state = worries.worry(worry)
        if notice(text, f"worry_{worry.code}", t("Open")):
            _open(page, state)
    if not (alerts or ending or found):
        st.caption(t(":material/check_circle: Nothing needs attention."))


def _open(page: str, state: dict) -> None:
    st.session_state.update(state)
    st.switch_page(f"../pages/{page}.py")


def _alert(found: overview.Alert) -> None:
    text, page, state = worries.alert(found)
    with st.container(border=True, key=f"alert_{found.id}"):
        st.markdown(f":material/notification_important: {text}")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(fmt.ago(found.at, app().now()))
            if st.button(t("Open"), key=f"alert_open_{found.id}"):
                _open(page, dict(state))
            if found.rule == "former_champion_better":
                undo_button(
                    found.detail["target"],
                    found.detail["promotion_id"],
                    live_words.watch_reason(found.detail),
                    primary=True,
                    key=f"alert_undo_{found.id}",
                )
            st.button(
                t("Acknowledge"),
                icon=":material/done:",
                key=f"alert_ack_{found.id}",
                on_click=_acknowledge,
                args=(found.id,),
                help=t("Takes it off this list. It comes back if its cause is seen again."),
            )


def _acknowledge(alert_id: int) -> None:
    if attempt(lambda: [acknowledge_alert(app(), alert_id)]) is not None:
        flash(t("The alert is acknowledged."))


def _ending(session: Session) -> list[tuple[overview.ModelVersion, Ending]]:
    """Return the champions that their vendor switches off soon."""
    champions = overview.champion_models(session)
    if not champions:
        return []
    states, today = workflows.provider_states(app()), app().now().date()
    ends = [(model, retirement(model, states, today)) for model in champions]
    return [(model, end) for model, end in ends if end is not None and end.days_left <= SOON_DAYS]
