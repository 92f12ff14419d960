"""The verdict of a comparison: one sentence to repeat, the plan's targets beside it, and what to do next."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.domain.compare import sentence
from core.domain.types import Verdict
from ui import format as fmt
from ui.components import verdict_badge
from ui.i18n import mark, t, tn

_STATES = {
    "reached": (":green[:material/check_circle:]", mark("reached")),
    "missed": (":red[:material/cancel:]", mark("missed")),
    "open": (":orange[:material/help:]", mark("open")),
}
_TARGETS = {
    "gain": mark("Gain of at least {target}"),
    "accuracy": mark("Accuracy of at least {target}"),
    "latency": mark("Latency down by at least {target}"),
}

#: Articles beyond which "so many would settle it" is no plan any more.
FAR = 20_000


def card(result: Mapping[str, Any], champion: str, challenger: str, *, ahead: Mapping[str, object]) -> None:
    """Draw the verdict with its evidence, the plan's targets beside it, and the ways on.

    `ahead` is what the other tabs shall begin with, as names and values of the session; empty where they
    have nothing to say of this pair.
    """
    with st.container(border=True):
        left, right = st.columns([3, 2], gap="medium") if result.get("plan") else (st.container(), None)
        with left:
            said = sentence(dict(result), t, champion=fmt.plain(champion), challenger=fmt.plain(challenger))
            st.markdown(f"{verdict_badge(result['verdict'])} **{said}**")
            if result["n"]:
                st.caption(" · ".join(_evidence(result)), help=_how(result))
                if ahead:
                    _ways_on(result["verdict"], ahead)
        if right is not None:
            with right:
                plan_targets(result)
    warnings(result, champion, challenger)


def _ways_on(verdict: str, ahead: Mapping[str, object]) -> None:
    """Draw the buttons that lead on from a verdict, on the other tabs of this page."""
    with st.container(horizontal=True):
        st.button(
            t("Promotion gates"),
            type="primary" if verdict == Verdict.BETTER else "secondary",
            icon=":material/checklist:",
            key="verdict_gates",
            on_click=_open_tab,
            args=(t("Promotion gates"), ahead),
            help=t("What a promotion asks for, each point with its figure."),
        )
        st.button(
            t("Try it on live articles"),
            icon=":material/experiment:",
            key="verdict_live",
            on_click=_open_tab,
            args=(t("Live experiment"), ahead),
            help=t(
                "Both predict new articles, the champion goes on answering; the evidence grows by the day."
            ),
        )


def _open_tab(label: str, ahead: Mapping[str, object]) -> None:
    st.session_state["ab_tab_next"] = label
    st.session_state.update(ahead)


def _evidence(result: Mapping[str, Any]) -> list[str]:
    interval = result.get("interval")
    found = [
        t("difference {points}", points=fmt.points(result["difference"])),
        t(
            "interval {interval} ({method})",
            interval=fmt.points_interval(interval),
            method=fmt.word("interval", result.get("interval_method")),
        )
        if interval
        else t("no interval: fewer than two market days"),
        f"n = {result['n']:,}",
        _p(result),
    ]
    if result.get("market_days"):
        found.append(tn("{n} market day", "{n} market days", result["market_days"]))
    coverage = result.get("coverage") or {}
    if coverage.get("asked") != coverage.get("both_answered"):
        found.append(t("both answered {n} of {asked}", n=coverage["both_answered"], asked=coverage["asked"]))
    return found


def _p(result: Mapping[str, Any]) -> str:
    by_day = result.get("p_by_day")
    if by_day is not None:
        return t("{p} (whole days swapped)", p=fmt.p_value(by_day))
    return fmt.p_value(result["p"]) + (t(" (descriptive only)") if result.get("p_descriptive") else "")


def _how(result: Mapping[str, Any]) -> str:
    """Return how difference, interval and p were computed."""
    how = [
        t(
            "Challenger minus champion on the articles both answered; better or worse needs the whole interval on one side of zero."
        )
    ]
    if result.get("p_by_day") is not None:
        how.append(
            t(
                "p: how often swapping the two models' answers on whole market days gives a difference as large."
            )
        )
    elif result.get("p_descriptive"):
        how.append(
            t(
                "p: McNemar, mid-p, as if articles were independent; news of one day are not, so it only describes."
            )
        )
    else:
        how.append(t("p: McNemar's test, mid-p, on the articles on which exactly one is right."))
    return " ".join(how)


def plan_targets(result: Mapping[str, Any]) -> None:
    """Draw the plan's targets with what was measured, whether that reaches them, and what would tell."""
    st.markdown(
        t("**The plan's targets**"),
        help=t(
            "Reached or missed only where the whole interval lies on one side of the target; open where it holds the target."
        ),
    )
    for item in result["plan"]:
        icon, state = _STATES[item["state"]]
        name = t(_TARGETS[item["code"]], target=_amount(item["code"], item["target"]))
        # one paragraph of two lines: the figures belong to their target
        st.markdown(f"{icon} {name}: **{t(state)}**  \n:gray[:small[{_measured(item, result)}]]")


def _amount(code: str, value: float) -> str:
    if code == "gain":
        return fmt.points(value)
    return fmt.share(abs(value), 0)


def _measured(item: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    value, interval, code, n = item.get("measured"), item.get("interval"), item["code"], result["n"]
    if value is None:
        return t("not measured: both models need stored response times")
    if code == "gain":
        said = [fmt.points(value), fmt.points_interval(interval)]
    elif code == "accuracy":
        said = [fmt.share(value), fmt.share_interval(interval)]
    else:
        said = [fmt.signed_share(value), fmt.signed_shares(interval)]
        n = min(
            side["n"] for side in (result["latency"]["champion"], result["latency"]["challenger"]) if side
        )
    parts = [t("measured {value} ({interval})", value=said[0], interval=said[1]), f"n = {n:,}"]
    if item["state"] == "open" and (item.get("needed") or FAR) >= FAR:
        parts.append(t("too near the target to be settled by labelling"))
    elif item.get("needed"):
        parts.append(
            tn(
                "if that stayed, {n} article in all would settle it",
                "if that stayed, {n} articles in all would settle it",
                item["needed"],
            )
        )
    return " · ".join(parts)


def warnings(result: Mapping[str, Any], champion: str, challenger: str) -> None:
    """Say what weakens the evidence: articles a model has seen, a part it was chosen on, a test too small."""
    names = {"champion": champion, "challenger": challenger}
    leaked, chosen = result.get("contaminated") or {}, result.get("selected_on") or {}
    for role, name in names.items():
        warn_of(name, leaked.get(role) or 0, chosen_there=bool(chosen.get(role)))
    gain = next((item for item in result.get("plan") or [] if item["code"] == "gain"), None)
    # where the plan's gain is settled, the test part was large enough for it
    if result.get("test_too_small") and gain is not None and gain["state"] == "open":
        st.info(_too_small(result, gain["target"]), icon=":material/straighten:")


def warn_of(name: str, leaked: int, *, chosen_there: bool) -> None:
    """Say that a model has seen articles on which it is judged, or was chosen by them."""
    if leaked:
        st.warning(
            t(
                "{model} was trained on {n} of these articles, or its prompt shows them: its accuracy here is not evidence.",
                model=fmt.plain(name),
                n=leaked,
            )
        )
    elif chosen_there:  # of the two the lesser; one line a model is enough
        st.warning(
            t(
                "{model} was chosen on this part: its accuracy here flatters it. Compare on the test part.",
                model=fmt.plain(name),
            )
        )


def _too_small(result: Mapping[str, Any], gain: float) -> str:
    values = {
        "n": fmt.number(result["n"]),
        "needed": fmt.number(result.get("sensible_n")),
        "effect": fmt.points(gain),
    }
    if result.get("market_days") is not None:
        return t(
            "This test part is small: both answered {n} of its articles, and to see {effect} in four cases of five "
            "takes {needed} or more, since news of one day share a move.",
            **values,
        )
    return t(
        "This test part is small: both answered {n} of its articles, and to see {effect} in four cases of five "
        "takes about {needed}.",
        **values,
    )
