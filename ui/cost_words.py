"""Words for what money is spent on, what the ledger says of it, and what a price is for."""

from ui.i18n import mark, t

_PURPOSES = {
    "training": mark("Training"),
    "inference": mark("Answers"),
    "batch": mark("Batch answers"),
    "hosting": mark("Hosting"),
    "gpu": mark("GPU"),
}
_ENTRIES = {
    "estimate": mark("Estimate"),
    "reservation": mark("Held"),
    "actual": mark("Billed"),
    "release": mark("Given back"),
}
_PRICES = {
    "training": mark("Training tokens"),
    "input": mark("Input tokens"),
    "cached_input": mark("Input tokens from a cache"),
    "output": mark("Output tokens"),
    "batch_input": mark("Input tokens in a batch"),
    "batch_output": mark("Output tokens in a batch"),
    "hosting_hour": mark("An hour of hosting"),
    "gpu_hour": mark("An hour of a GPU"),
}
_UNITS = {"million tokens": mark("million tokens"), "hour": mark("hour")}
_PLAN = {
    "budget": mark("Budget of a month"),
    "training": mark("One training"),
    "inference": mark("Answers of a month, 100 articles a day"),
    "gpu": mark("An hour of a GPU"),
    "serving": mark("Serving an own model for a month"),
}
_NEVER = {
    "not_cheaper": mark("Never: an article costs as much with the tuned model as with few-shot, or more."),
    "hosting": mark("Never: what is saved on articles does not cover the hosting."),
    "retired_before": mark("Never: the tuned model is switched off before it has paid for its training."),
}


def purpose(code: str) -> str:
    """Return what money was spent on."""
    return t(_PURPOSES[code]) if code in _PURPOSES else code


def entry(code: str) -> str:
    """Return what a row of the ledger says."""
    return t(_ENTRIES[code]) if code in _ENTRIES else code


def price_kind(code: str) -> str:
    """Return what a price is for."""
    return t(_PRICES[code]) if code in _PRICES else code


def unit(code: str) -> str:
    """Return what a price buys."""
    return t(_UNITS[code]) if code in _UNITS else code


def plan_line(code: str) -> str:
    """Return what a figure of the plan is of."""
    return t(_PLAN[code])


def never(code: str) -> str:
    """Return why tuning never pays for itself."""
    return t(_NEVER[code])
