"""One live experiment on screen: its verdict, what it rests on, and what can be done with it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core import workflows
from core.domain.types import ExperimentPurpose, ExperimentStatus, Verdict
from core.queries.experiments import ExperimentRow
from ui import format as fmt
from ui import live_charts, live_words, money
from ui.components import facts, perform, section, show, simulated_badge, verdict_badge
from ui.experiment_figures import figures
from ui.i18n import t
from ui.state import app


def card(row: ExperimentRow) -> Mapping[str, Any]:
    """Draw one experiment in full, and return its evidence; what can be done with a watch is its caller's."""
    one = row.experiment
    shown = workflows.experiment_evidence(app(), one.id)
    st.markdown(_title(row))
    _verdict(row, shown)
    _warn(shown)
    if shown.get("n"):
        figures(row, shown)
        _charts(row, shown)
    _coverage(row, shown)
    if one.purpose == ExperimentPurpose.CHALLENGE:
        _act(row)
    return shown


def _title(row: ExperimentRow) -> str:
    one = row.experiment
    colour = {ExperimentStatus.RUNNING: "blue", ExperimentStatus.CONCLUDED: "green"}.get(one.status, "gray")
    badges = [f":{colour}-badge[{fmt.word('experiment', one.status)}]"]
    if one.purpose == ExperimentPurpose.CHALLENGE:
        badges.append(f":gray-badge[{t(live_words.MODE_NAMES[one.mode])}]")
    if one.family:
        badges.append(f":gray-badge[{fmt.word('family', one.family)}]")
    if one.simulated:
        badges.append(simulated_badge())
    pair = t(
        "**{challenger}** against **{champion}**",
        challenger=fmt.plain(row.challenger),
        champion=fmt.plain(row.champion),
    )
    return f"{' '.join(badges)} {pair}"


def _verdict(row: ExperimentRow, shown: Mapping[str, Any]) -> None:
    one, now = row.experiment, app().now()
    running = one.status == ExperimentStatus.RUNNING
    ahead = t("The champion stays.")
    if running:
        ahead = live_words.outlook(
            shown,
            one.planned,
            started_at=fmt.seoul(one.started_at),
            ends_at=fmt.seoul(one.ends_at),
            now=now,
        )
    said = live_words.verdict(shown, purpose=one.purpose, outlook=ahead)
    watch = one.purpose == ExperimentPurpose.WATCH
    badge = live_words.watch_badge(shown["verdict"]) if watch else verdict_badge(shown["verdict"])
    st.markdown(f"{badge} **{said}**", help=live_words.how_evidence(shown))
    when = [t("since {at}", at=fmt.moment(one.started_at))]
    if running:
        when.append(t("until {at} at the latest", at=fmt.moment(one.ends_at)))
    else:
        when += [t("until {at}", at=fmt.moment(one.ended_at)), live_words.ended_by(shown)]
    note = (one.conclusion or {}).get("note")
    when += [fmt.plain(note)] if note else []
    when += _spent(row)
    if shown.get("n"):
        when.append(live_words.unit_note(shown))
    st.caption(" · ".join(when))


def _warn(shown: Mapping[str, Any]) -> None:
    """Say whether the articles of a split reached both sides as planned."""
    found = shown.get("ratio")
    if not found:
        return
    kinds = ((found, t("asked")), (found["labelled"], t("labelled")))
    broken = [(each, kind) for each, kind in kinds if each["broken"]]
    for each, kind in broken:
        st.error(
            t(
                "{kind}: {challenger} articles of the challenger and {champion} of the champion, which is not how they "
                "were dealt (evidence {e}, alarm at {threshold}). Something loses articles of one side: stop the "
                "experiment, its figures are not to be believed.",
                kind=kind,
                **_dealt(each),
            ),
            icon=":material/report:",
        )
    if not broken:
        st.caption(
            t(
                ":material/check_circle: Dealt as planned: {challenger} articles of the challenger, {champion} of the "
                "champion (evidence against it {e}, alarm at {threshold}).",
                **_dealt(found),
            )
        )


def _dealt(found: Mapping[str, Any]) -> dict[str, str]:
    counts = {side: fmt.number(found[side]) for side in ("challenger", "champion")}
    return counts | {name: live_charts.ratio(found[name]) for name in ("e", "threshold")}


def _charts(row: ExperimentRow, shown: Mapping[str, Any]) -> None:
    one, series = row.experiment, shown["series"]
    left, right = (
        st.columns([3, 2], gap="medium") if shown.get("e_for") is not None else (None, st.container())
    )
    watch = one.purpose == ExperimentPurpose.WATCH
    sides = {
        "for": t("former champion better") if watch else t("challenger better"),
        "against": t("new champion better") if watch else t("champion better"),
        "n": "n",
    }
    if left is not None:
        with left:
            section(t("Evidence"), live_words.how_evidence(shown))
            decision = t("decided at {ratio}", ratio=live_charts.ratio(shown["threshold"]))
            show(
                live_charts.evidence(series, shown["threshold"], sides | {"decision": decision}),
                f"evidence_{one.id}",
                alt=f"{sides['for']} {live_charts.ratio(shown['e_for'])}; "
                f"{sides['against']} {live_charts.ratio(shown['e_against'])}; {decision}",
            )
    with right:
        section(t("Difference"), live_words.how_interval())
        show(
            live_charts.difference_over_time(series, sides | {"unit": t("pp")}),
            f"difference_{one.id}",
            alt=f"{fmt.points(shown.get('difference'))} {fmt.points_interval(shown.get('interval'))}",
        )
        if shown.get("e_for") is not None:
            _table(shown, watch=watch)


def _table(shown: Mapping[str, Any], *, watch: bool) -> None:
    """Draw the four outcomes of an article; only those on which exactly one is right carry evidence."""
    only = (
        (t("only the former champion right"), t("only the new champion right"))
        if watch
        else (t("only the challenger right"), t("only the champion right"))
    )
    rows = (
        (only[0], shown["wins"]),
        (only[1], shown["losses"]),
        (t("both right"), shown["both_right"]),
        (t("both wrong"), shown["both_wrong"]),
    )
    facts((name, fmt.number(n)) for name, n in rows)


def _coverage(row: ExperimentRow, shown: Mapping[str, Any]) -> None:
    """Draw what became of the articles, and how many answers failed."""
    seen = shown["coverage"]
    if not seen["enrolled"] and not seen["late"]:
        st.info(
            t(
                "No article has come in since the start. Articles join when AI News Trader asks about them through "
                "the API, or when they are imported; the background job asks what is still to be asked."
            ),
            icon=":material/hourglass_empty:",
        )
        return
    parts = [
        (t("counted"), seen["matured"], True),
        (t("waiting for answer or label"), seen["waiting"], False),
        (t("without a usable label"), seen["void"], False),
        (t("asked too late"), seen["late"], False),
    ]
    total = sum(n for _, n, _ in parts)
    show(
        live_charts.coverage(parts, t("Articles <b>{n}</b>", n=fmt.number(total))),
        f"coverage_{row.experiment.id}",
        alt="; ".join(f"{word} {n}" for word, n, _ in parts),
    )
    failed = t(
        "no usable answer: challenger {challenger}, champion {champion}",
        challenger=fmt.number(seen["failed_challenger"]),
        champion=fmt.number(seen["failed_champion"]),
    )
    st.caption(
        " · ".join([*(f"{word} {n:,}" for word, n, _ in parts), failed]),
        help=t(
            "Only articles of closed days count, in the order in which their labels were known. Too late: the market "
            "had answered before the question. A side without a usable answer counts as wrong."
        ),
    )


def _spent(row: ExperimentRow) -> list[str]:
    budget = row.experiment.budget_micro_usd
    if not budget:
        return []
    return [
        t(
            "{spent} of {budget} spent or held",
            spent=money.written(row.committed_micro_usd),
            budget=money.written(budget),
        )
    ]


def _act(row: ExperimentRow) -> None:
    """Draw what can be done with an experiment: stop it while it runs, archive it afterwards."""
    one = row.experiment
    if one.status != ExperimentStatus.RUNNING:
        with st.container(horizontal=True):
            better = (one.conclusion or {}).get("verdict") == Verdict.BETTER
            if st.button(
                t("To the promotion gates"),
                type="primary" if better else "secondary",
                icon=":material/checklist:",
                key=f"experiment_gates_{one.id}",
            ):
                st.session_state["ab_tab_next"] = t("Promotion gates")
                st.session_state["promote_model_next"] = one.challenger_id
                st.rerun()
            if one.archived_at is None and st.button(
                t("Archive"),
                icon=":material/archive:",
                key=f"archive_{one.id}",
                help=t("Its evidence stays."),
            ):
                perform(
                    lambda: workflows.archive_experiment(app(), one.id),
                    working=t("Archiving …"),
                    done=t("The experiment is archived."),
                )
        return
    with st.expander(t("Stop the experiment"), icon=":material/stop_circle:", key=f"stop_box_{one.id}"):
        st.caption(t("What it has shown so far is kept. Stopping promotes nothing."))
        with st.form(f"stop_{one.id}", border=False, clear_on_submit=True):
            reason = st.text_input(
                t("Reason"), max_chars=300, key=f"stop_reason_{one.id}", placeholder=t("why it ends now")
            )
            if st.form_submit_button(t("Stop"), icon=":material/stop:"):
                perform(
                    lambda: workflows.stop_experiment(app(), one.id, reason),
                    working=t("Stopping …"),
                    done=t("The experiment is stopped; its evidence is kept."),
                )
