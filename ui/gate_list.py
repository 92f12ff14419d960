"""The gates of a promotion on screen: each a sentence with what was measured and what is wanted."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.domain.gates import Gate
from core.domain.types import GateState
from ui import format as fmt
from ui.components import go_to
from ui.i18n import mark, t, tn
from ui.live_charts import ratio

_LOOK = {
    GateState.PASSED: (":green[:material/check_circle:]", mark("passed")),
    GateState.FAILED: (":red[:material/cancel:]", mark("not passed")),
    GateState.WAITING: (":orange[:material/hourglass_empty:]", mark("waiting")),
}
_GROUPS = {
    "G0": (
        mark("Is the comparison fair?"),
        mark("Same articles for both, enough of them, seen by neither before."),
    ),
    "G1": (
        mark("Is it not worse on stored articles?"),
        mark("The lower ends of the 95 % intervals of the offline comparison, challenger minus champion."),
    ),
    "G2": (
        mark("Is it better on live articles?"),
        mark("The evidence of the newest live experiment of these two on articles of every family."),
    ),
}
OFFLINE = ("G0", "G1")


def checklist(gates: Sequence[Gate]) -> None:
    """Draw the gates by group, each with its state and its sentence."""
    done = sum(gate.state == GateState.PASSED for gate in gates)
    st.markdown(
        f"**{t('{done} of {n} gates passed', done=done, n=len(gates))}**",
        help=t("Gates advise; a person decides. None of them promotes anything by itself."),
    )
    for group, (title, how) in _GROUPS.items():
        st.caption(f"**{t(title)}**", help=t(how))
        # one paragraph with line breaks: seven paragraphs would not fit beside the form
        st.markdown("  \n".join(_line(gate) for gate in gates if gate.group == group))


def _line(gate: Gate) -> str:
    icon, state = _LOOK[gate.state]
    said = f"{icon} {sentence(gate)}"
    return f"{said} *({t(state)})*" if gate.state == GateState.FAILED else said


def sentence(gate: Gate) -> str:
    """Return what a gate measured and what it wants, in one sentence."""
    return _SENTENCES[gate.code](gate)


def _same_items(gate: Gate) -> str:
    if gate.measured is None:
        return t("The two are not compared on a test part yet.")
    return t(
        "Both answered {measured} of {asked} test articles; at least {wanted} wanted.",
        measured=fmt.number(gate.measured),
        asked=fmt.number(gate.detail["asked"]),
        wanted=fmt.number(gate.wanted),
    )


def _rows(gate: Gate) -> str:
    wanted = fmt.number(gate.wanted)
    if gate.measured is None:
        return t("At least {wanted} test articles wanted.", wanted=wanted)
    return tn(
        "{n} test article; at least {wanted} wanted.",
        "{n} test articles; at least {wanted} wanted.",
        int(gate.measured),
        wanted=wanted,
    )


def _rows_per_class(gate: Gate) -> str:
    wanted = fmt.number(gate.wanted)
    if gate.measured is None:
        return t("At least {wanted} test articles of each class wanted.", wanted=wanted)
    supports = gate.detail["supports"]
    rarest = min(supports, key=supports.get)
    return tn(
        "{n} test article of the rarest class ({name}); at least {wanted} wanted.",
        "{n} test articles of the rarest class ({name}); at least {wanted} wanted.",
        int(gate.measured),
        name=fmt.word("sentiment", rarest),
        wanted=wanted,
    )


def _untouched(gate: Gate) -> str:
    if gate.measured is None:
        return t("Neither may have been trained, prompted or chosen on the test articles.")
    if not gate.measured:
        return t("Neither was trained, prompted or chosen on these articles.")
    leaked = max(gate.detail["contaminated"].values(), default=0)
    if leaked:
        return tn(
            "A model was trained on {n} of these articles, or its prompt shows it; none is allowed.",
            "A model was trained on {n} of these articles, or its prompt shows them; none is allowed.",
            leaked,
        )
    return t("A model was chosen on this part, so that it flatters it; compare on the test part.")


def _difference(gate: Gate, name: str) -> str:
    wanted = fmt.points(gate.wanted)
    if gate.measured is None:
        return t(
            "{name}: the lower end of the difference shall lie above {wanted}.", name=name, wanted=wanted
        )
    return t(
        "{name}: {difference}, at worst {low} and at best {high}; at worst above {wanted} wanted.",
        name=name,
        difference=fmt.points(gate.detail["difference"]),
        low=fmt.points(gate.measured),
        high=fmt.points(gate.detail["high"]),
        wanted=wanted,
    )


def _live(gate: Gate) -> str:
    found = gate.detail
    if not found:
        return t(
            "No live experiment of these two on all articles yet; evidence {wanted} wanted.",
            wanted=ratio(gate.wanted),
        )
    n = fmt.number(found["n"])
    if found["ratio_broken"]:
        return t("The articles of the live experiment did not reach both sides as planned: no evidence.")
    if found["split"]:
        low = fmt.points_interval(found["interval"]) if found.get("interval") else t("no interval yet")
        return t("Live difference {interval} (n = {n}); all of it above 0 wanted.", interval=low, n=n)
    return t(
        "Live evidence {measured} that it is better (n = {n}); {wanted} wanted.",
        measured=ratio(1.0 if gate.measured is None else gate.measured),
        n=n,
        wanted=ratio(gate.wanted),
    )


_SENTENCES = {
    "same_items": _same_items,
    "rows": _rows,
    "rows_per_class": _rows_per_class,
    "untouched": _untouched,
    "not_worse": lambda gate: _difference(gate, t("Accuracy")),
    "macro_f1": lambda gate: _difference(gate, t("Macro-F1")),
    "live": _live,
}


def ways_on(gates: Sequence[Gate], target: str, model_id: int) -> None:
    """Draw the buttons that lead to the evidence which is missing."""
    open_ = {gate.code for gate in gates if gate.state == GateState.WAITING}
    with st.container(horizontal=True):
        if "same_items" in open_:
            go_to(
                "ab",
                t("Compare them"),
                key="gate_compare",
                ab_target_next=target,
                ab_tab_next=t("Comparison"),
            )
        if "live" in open_:
            go_to(
                "ab",
                t("To the live experiment"),
                key="gate_live",
                ab_target_next=target,
                ab_tab_next=t("Live experiment"),
                **{f"live_challenger_{target}_next": model_id},
            )


def power(note: Mapping[str, Any] | None, target: str, shares: str, n_all: int | None) -> None:
    """Say that a test part is too small for the difference one hopes for, and offer a larger one.

    Parameters
    ----------
    note : mapping, optional
        `domain.gates.power_note` of the test part at hand.
    target : str
        Of the dataset version to be built.
    shares : str
        How the samples are split, such as "80/10/10"; "" where that is not known.
    n_all : int, optional
        Samples of the dataset version.
    """
    if note is None or note["decidable"]:
        return
    st.warning(power_sentence(note, shares, n_all), icon=":material/straighten:")
    needed = note.get("test_share_needed")
    if needed is not None:
        percent = as_step(needed)
        go_to(
            "training",
            t("Build a dataset version with {share} % to test on", share=percent),
            key="larger_test",
            training_tab_next=t("Dataset versions"),
            build_target_next=target,
            build_test_share_next=percent,
        )


def shares(train: float, validation: float) -> str:
    """Return how samples are split, such as "80/10/10"."""
    percents = [round(100 * train), round(100 * validation)]
    return "/".join(map(str, [*percents, 100 - sum(percents)]))


def as_step(share: float) -> int:
    """Return a share in percent, rounded up to the builder's steps of five."""
    return min(50, 5 * -(-round(100 * share) // 5))


def power_sentence(note: Mapping[str, Any], shares: str, n_all: int | None) -> str:
    """Return what a test part cannot decide, and what would be enough."""
    values = {
        "points": fmt.number(100 * note["effect"]),
        "power": fmt.share(note["power"], 0),
        "needed": fmt.number(note["needed"]),
    }
    test = tn("{n} test article", "{n} test articles", note["n_test"])
    if shares and n_all:
        said = t(
            "{shares} at {n} samples cannot decide {points} points: {test} would show such a difference in {power} of "
            "cases; with {needed} it would be 80 %.",
            shares=shares,
            n=fmt.number(n_all),
            test=test,
            **values,
        )
    else:
        said = t(
            "{test} cannot decide {points} points: they would show such a difference in {power} of cases; with {needed} "
            "it would be 80 %.",
            test=test,
            **values,
        )
    if note.get("test_share_needed") is None:
        return f"{said} {t('Even half of the samples would be too few: more labelled articles are needed.')}"
    rows, share = fmt.number(note["rows"]), fmt.share(note["test_share_needed"], 0)
    return f"{said} {t('A test part of {share} would have the {rows} that the gates want.', share=share, rows=rows)}"
