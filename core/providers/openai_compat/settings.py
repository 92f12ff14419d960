"""A training's settings: checked against the vendor's list, and put where the request wants them."""

from collections.abc import Mapping
from typing import Any

from core.providers.base import HyperParameter
from core.providers.openai_compat.flavours import Flavour

#: Left to the vendor.
_LEFT_OPEN = (None, "", "auto")
_WORDS = {"true": True, "false": False}
#: OpenAI's known rule for "auto": three passes, more for under about 100 rows, one for very many. Ten is
#: what it gives for the fewest rows that are taken.
AUTO_EPOCHS = (1, 3, 10)


def chosen(flavour: Flavour, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are sent: the card's defaults and what was given; nothing that is left open."""
    defaults = {one.name: one.default for one in flavour.hyperparameters}
    return {name: value for name, value in {**defaults, **given}.items() if value not in _LEFT_OPEN}


def split(flavour: Flavour, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (hyper-parameters of the method, further fields of the request's body)."""
    sent = {
        name: _WORDS.get(value, value) if isinstance(value, str) else value
        for name, value in chosen(flavour, given).items()
    }
    beside = {name: value for name, value in sent.items() if name in flavour.body_settings}
    return {name: value for name, value in sent.items() if name not in beside}, beside


def problem(flavour: Flavour, given: Mapping[str, Any]) -> str:
    """Return a sentence on the first setting that is not possible; "" where all are."""
    known = {one.name: one for one in flavour.hyperparameters}
    for name, value in given.items():
        if name not in known:
            return f"{flavour.title} has no setting '{name}'; there are {', '.join(known)}."
        if value not in _LEFT_OPEN and not _fits(known[name], value):
            return f"{name} cannot be {value!r}: {_wanted(known[name])}."
    return ""


def epochs(flavour: Flavour, given: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return (fewest, likely, most) passes over the data; one number three times where it is set."""
    value = chosen(flavour, given).get("n_epochs")
    return (value, value, value) if isinstance(value, int) else AUTO_EPOCHS


def _fits(setting: HyperParameter, value: Any) -> bool:
    if setting.kind == "choice":
        return value in setting.choices
    kinds = int if setting.kind == "int" else int | float
    if not isinstance(value, kinds) or isinstance(value, bool):
        return False
    return (setting.low is None or value >= setting.low) and (setting.high is None or value <= setting.high)


def _wanted(setting: HyperParameter) -> str:
    if setting.kind == "choice":
        return f"choose one of {', '.join(setting.choices)}"
    number = "a whole number" if setting.kind == "int" else "a number"
    return f"enter {number} from {setting.low:g} to {setting.high:g}, or leave it open"
