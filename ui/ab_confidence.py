"""How honest the confidence of two compared models is, and what leaving doubtful articles out would be worth."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.domain.intervals import wilson
from core.domain.types import Target
from ui import ab_charts, score_charts
from ui import format as fmt
from ui.components import section, show
from ui.i18n import mark, t

#: Points of a curve that rest on fewer articles are left out: they jump from 0 to 100 %.
LEAST = 10
ALPHA = 0.05
_REASONS = {
    "no_confidence": mark("it states no confidence"),
    "too_few_rows": mark(
        "fewer than 200 articles: a threshold chosen on so few would often break its promise"
    ),
    "too_few_market_days": mark("fewer than 20 market days"),
    "accuracy_not_reached": mark("none keeps the wanted accuracy"),
}


def draw(result: Mapping[str, Any], target: str) -> None:
    """Draw calibration of both models side by side and their abstention curves in one figure."""
    if not result.get("calibration"):
        st.caption(t("– Not in this stored comparison: press Compare."))
        return
    _calibrations(result["calibration"], target)
    _abstention(result.get("abstention") or {}, target)


def _calibrations(found: Mapping[str, Any], target: str) -> None:
    section(t("Calibration"), calibration_help())
    left, right = st.columns(2, gap="medium")
    for column, role, word in ((left, "champion", t("Champion")), (right, "challenger", t("Challenger"))):
        with column:
            st.markdown(f"**{word}**")
            _calibration(found.get(role) or {}, role, word, target)


def calibration_help() -> str:
    """Return how a calibration is drawn and judged."""
    return t(
        "Predictions grouped by stated confidence into ten bins: on the dotted line, a confidence of 70 % "
        "is right 70 % of the time; the lines are Wilson intervals, the numbers below count the answers. ECE is the "
        "mean distance from the dotted line, weighted by bin size; a perfectly calibrated model shows some too, "
        "since bins are small. Spiegelhalter's test asks whether the confidences fit what happened: a small p says "
        "they do not."
    )


def _calibration(found: Mapping[str, Any], role: str, word: str, target: str) -> None:
    bins = found.get("ece_bins") or []
    if not any(row.get("n") for row in bins):
        st.caption(t("– This model states no confidence, so calibration cannot be measured."))
        return
    show(
        score_charts.calibration(
            bins,
            t("stated confidence"),
            t("share right"),
            whiskers=target != Target.DIRECTION,  # news of one market day are no independent evidence
        ),
        f"calibration_{role}",
        alt=t("Calibration of the {role}", role=word),
    )
    st.caption(in_words(found))


def in_words(found: Mapping[str, Any]) -> str:
    """Return the figures of a calibration: ECE beside what chance alone shows, Brier score, the test."""
    n = sum(row["n"] for row in found.get("ece_bins") or [])
    parts = [f"n = {n:,}", f"ECE {fmt.number(found.get('ece'), 3)}"]
    null, test = found.get("ece_null"), found.get("spiegelhalter")
    if null:
        parts.append(
            t(
                "perfect calibration would show {mean} (95 % below {high})",
                mean=fmt.number(null["mean"], 3),
                high=fmt.number(null["p95"], 3),
            )
        )
    parts.append(f"Brier {fmt.number(found.get('brier'), 3)}")
    if test:
        z = f"{test['z']:+.2f}".replace("-", "−")
        parts.append(f"Spiegelhalter z = {z}, {fmt.p_value(test['p'])}: {_judged(test)}")
    return " · ".join(parts)


def _judged(test: Mapping[str, Any]) -> str:
    if test["p"] >= ALPHA:
        return t("no sign of wrong confidences")
    return t("surer than it should be") if test["z"] < 0 else t("less sure than it could be")


def _abstention(found: Mapping[str, Any], target: str) -> None:
    section(
        t("Answering only when sure"),
        t(
            "Each point leaves out the articles below a confidence: to the left, fewer articles and surer answers. "
            "The marked threshold is the lowest whose accuracy is above the dotted line with 90 % certainty "
            "(Clopper-Pearson, tested in a fixed order from the surest answers on; on market direction the days as "
            "clusters too)."
        ),
    )
    curves = [
        curve
        for role, word, look in (
            ("champion", t("Champion"), (ab_charts.CHAMPION, "dash", "square")),
            ("challenger", t("Challenger"), (ab_charts.CHALLENGER, "solid", "circle")),
        )
        if (curve := _curve(found.get(role) or {}, word, look, target)) is not None
    ]
    said = [_in_words(found.get(role) or {}, word) for role, word in _roles()]
    if curves:
        _curves(curves, found, " ".join(said))
    for line in said:
        st.markdown(f"- {line}")


def _curves(curves: Sequence[ab_charts.Curve], found: Mapping[str, Any], alt: str) -> None:
    wanted = next((each["target_accuracy"] for each in found.values() if each.get("target_accuracy")), None)
    words = {
        "coverage": t("share of articles answered"),
        "accuracy": t("accuracy of those"),
        "threshold": t("confidence"),
        "target": t("wanted: {share}", share=fmt.share(wanted, 0)),
    }
    show(ab_charts.abstention(curves, wanted, words), "abstention", alt=alt)


def _roles() -> tuple[tuple[str, str], ...]:
    return (("champion", t("Champion")), ("challenger", t("Challenger")))


def _curve(
    found: Mapping[str, Any], word: str, look: tuple[str, str, str], target: str
) -> ab_charts.Curve | None:
    kept = [point for point in found.get("curve") or [] if point["n"] >= LEAST]
    if len(kept) < 2:
        return None
    points = [(point["coverage"], point["accuracy"], point["threshold"], point["n"]) for point in kept]
    # news of one market day share a move: no interval that takes articles as independent is drawn there
    band = [] if target == Target.DIRECTION else [_band(accuracy, n) for _, accuracy, _, n in points]
    colour, dash, symbol = look
    return ab_charts.Curve(word, points, band, found.get("chosen"), colour, dash, symbol)


def _band(accuracy: float, n: int) -> tuple[float, float]:
    interval = wilson(round(accuracy * n), n)
    return interval if interval is not None else (0.0, 1.0)


def _in_words(found: Mapping[str, Any], word: str) -> str:
    chosen = found.get("chosen")
    if chosen is None:
        why = _REASONS.get(str(found.get("reason")))
        return t("{role}: no threshold ({reason}).", role=word, reason=t(why) if why else t("not measured"))
    return t(
        "{role}: from confidence {threshold} on it answers {coverage} of the articles and is right in {accuracy} "
        "(n = {n}; at least {lower}).",
        role=word,
        threshold=fmt.number(chosen["threshold"]),
        coverage=fmt.share(chosen["coverage"], 0),
        accuracy=fmt.share(chosen["accuracy"]),
        n=fmt.number(chosen["n"]),
        lower=fmt.share(chosen["lower"]),
    )
