"""Settings of a training as a form: the vendor's names, its defaults where nothing is entered."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.workflows import ProviderState
from ui import format as fmt
from ui import words
from ui.i18n import t

#: vendors' names for passes over the training rows, by which the price grows
_EPOCHS = ("n_epochs", "epoch_count")


def single(state: ProviderState) -> dict[str, Any]:
    """Draw one field a setting and return what was entered; the rest keeps the vendor's default."""
    given = {}
    with st.grid(4, min_column_width=170):
        for setting in state.card.hyperparameters:
            given[setting.name] = _field(setting, f"setting_{state.card.name}_{setting.name}")
    return {name: value for name, value in given.items() if value is not None}


def _field(setting: Any, key: str) -> Any:
    about = words.of_core(setting.about) or None
    if setting.kind == "choice":
        return st.selectbox(
            setting.name, setting.choices, index=None, key=key, placeholder=default(setting), help=about
        )
    kind = int if setting.kind == "int" else float
    low, high = (None if edge is None else kind(edge) for edge in (setting.low, setting.high))
    return st.number_input(
        setting.name,
        min_value=low,
        max_value=high,
        value=None,
        step=1 if kind is int else float(setting.low or 0.1),
        format="%d" if kind is int else "%.7g",
        key=key,
        placeholder=default(setting),
        help=about,
    )


def default(setting: Any) -> str:
    """Return what a setting is where nothing is entered."""
    return (
        t("auto")
        if setting.default is None
        else f"{setting.default:,}"
        if setting.kind == "int"
        else str(setting.default)
    )


def several(state: ProviderState) -> tuple[dict[str, list[Any]], list[str]]:
    """Draw one field a setting for several values; return the values entered, and what is wrong."""
    values: dict[str, list[Any]] = {}
    problems = []
    with st.grid(4, min_column_width=170):
        for setting in state.card.hyperparameters:
            key = f"sweep_{state.card.name}_{setting.name}"
            about = words.of_core(setting.about) or None
            if setting.kind == "choice":
                given: Any = st.multiselect(
                    setting.name, setting.choices, key=key, placeholder=default(setting), help=about
                )
                values[setting.name] = list(given)
                continue
            text = st.text_input(setting.name, key=key, placeholder=_example(setting), help=about)
            try:
                values[setting.name] = parse(text, setting)
            except ValueError as problem:
                problems.append(str(problem))
    return {name: found for name, found in values.items() if found}, problems


def _example(setting: Any) -> str:
    return t("e.g. {values}", values="2, 3, 5" if setting.kind == "int" else "0.1, 0.3, 1")


def parse(text: str, setting: Any) -> list[Any]:
    """Return the numbers of a comma-separated text; equal ones once.

    Raises
    ------
    ValueError
        If one is no number of the setting's kind or lies outside its bounds; the message is for a person.
    """
    parts = [part.strip() for part in text.split(",")]
    return list(dict.fromkeys(_number(part, setting) for part in parts if part))


def _number(part: str, setting: Any) -> float:
    try:
        value = int(part) if setting.kind == "int" else float(part)
    except ValueError:
        kind = t("a whole number") if setting.kind == "int" else t("a number")
        raise ValueError(
            t("{name}: '{value}' is not {kind}.", name=setting.name, value=fmt.plain(part[:20]), kind=kind)
        ) from None
    low, high = setting.low, setting.high
    # a comparison with "not a number" is never true
    if not ((low is None or value >= low) and (high is None or value <= high)):
        raise ValueError(
            t(
                "{name}: {value} lies outside {low} to {high}.",
                name=setting.name,
                value=value,
                low=low,
                high=high,
            )
        )
    return value


def epochs(state: ProviderState, given: Mapping[str, Any]) -> int | None:
    """Return the passes that a training will make: as entered, else the default; None where the vendor decides."""
    for setting in state.card.hyperparameters:
        if setting.name in _EPOCHS:
            value = given.get(setting.name, setting.default)
            return value if isinstance(value, int) else None
    return None


def listed(given: Mapping[str, Any]) -> str:
    """Return settings in a line; a dash for none."""
    return ", ".join(f"{name} = {value}" for name, value in given.items()) or fmt.DASH


def differing(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of settings that are not the same in all runs."""
    names = dict.fromkeys(name for run in runs for name in run)
    return [name for name in names if len({str(run.get(name)) for run in runs}) > 1]
