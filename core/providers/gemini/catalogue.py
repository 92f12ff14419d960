"""What is known of Google's models: dates, how each is best asked, and what a person should know first.

Facts of November 2026; `certain` is False for what only third parties report.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from core.providers.base import BaseModel, HyperParameter, KnownDate

_PRICES = "price lists of genai-prices and litellm"
_VERTEX = "docs.cloud.google.com, Agent Platform, model versions"
_REROUTED = "aideprecations.dev, reading Google's page on 2026-11-10"


@dataclass(frozen=True)
class Manner:
    """How a model is asked.

    Parameters
    ----------
    thinking : mapping
        The least hidden reasoning that the model allows, in the SDK's words; {} sends nothing, for models
        of which that is not known: a value that a model does not know is refused.
    temperature : float or None
        None leaves it to the vendor, who ignores other values or advises against them from Gemini 3 on.
    """

    thinking: dict[str, Any]
    temperature: float | None = None


_MINIMAL = Manner({"thinking_level": "MINIMAL"})
_LOW = Manner({"thinking_level": "LOW"})

_MANNERS = {
    "gemini-3.5-flash-lite": _MINIMAL,
    "gemini-3.1-flash-lite": _MINIMAL,
    "gemini-3.5-flash": _MINIMAL,
    "gemini-3.7-flash": _LOW,  # knows no MINIMAL
    "gemini-3.8-flash": _LOW,
    "gemini-2.5-flash-lite": Manner({"thinking_budget": 0}, 0.0),
    "gemini-2.5-flash": Manner({"thinking_budget": 0}, 0.0),
    "gemini-2.5-pro": Manner({"thinking_budget": 128}, 0.0),  # cannot be switched off
}


def manner(model: str) -> Manner:
    """Return how a model is asked; one that is not known is left to its defaults."""
    return _MANNERS.get(model.rpartition("/")[2], Manner({}))


def _retires(model: str, day: date, *, source: str = _PRICES, certain: bool = True) -> KnownDate:
    return KnownDate("base_retires", day, model, source, certain)


def _rerouted(model: str) -> BaseModel:
    """Return a model that will be answered by another one, at that one's price: never a default."""
    day = KnownDate("rerouted", date(2026, 12, 1), model, _REROUTED, certain=False)
    return BaseModel(model, dates=(day,))


_LITE_RETIRES = _retires("gemini-3.5-flash-lite", date(2027, 7, 21), source=_VERTEX, certain=False)
_OLD_LITE_RETIRES = _retires("gemini-3.1-flash-lite", date(2027, 5, 7))

#: The first is the default: the cheapest of those whose retirement is far and announced, and tunable too.
BASE_MODELS = (
    BaseModel("gemini-3.5-flash-lite", dates=(_LITE_RETIRES,)),
    BaseModel("gemini-3.1-flash-lite", dates=(_OLD_LITE_RETIRES,)),
    BaseModel("gemini-2.5-flash-lite"),
    BaseModel(
        "gemini-3.8-flash",
        dates=(KnownDate("price_changes", date(2027, 1, 1), "gemini-3.8-flash", _PRICES),),
    ),
    BaseModel("gemini-3.5-flash"),
    BaseModel(
        "gemini-4-argon",
        dates=(
            KnownDate(
                "price_changes", date(2026, 12, 1), "gemini-4-argon", "genai-prices 0.2.3", certain=False
            ),
        ),
    ),
    _rerouted("gemini-2.5-flash"),
    _rerouted("gemini-2.5-pro"),
)

#: The 2.5 family is past its retirement on Vertex, and new tunings end a month before one.
TUNABLE = (
    BaseModel("gemini-3.5-flash-lite", trainable=True, dates=(_LITE_RETIRES,)),
    BaseModel("gemini-3.1-flash-lite", trainable=True, dates=(_OLD_LITE_RETIRES,)),
    BaseModel("gemini-3.5-flash", trainable=True),
)

LEGACY_ENDED = KnownDate(
    "support_ended", date(2025, 11, 30), source="the page of google-generativeai", certain=False
)

NOTES = (
    "What is sent on Google's free tier may be used to improve Google's products: use a key with billing for articles that are not yours to give.",
    "From 2026-12-01 gemini-2.5-flash and gemini-2.5-pro are reported to be answered by newer models at their prices; the model that answered is stored with every answer.",
    "The price of gemini-3.8-flash doubles on 2027-01-01.",
)
LEGACY_NOTES = (
    "google-generativeai has had no support since 2025-11-30; it answers, but cannot tune.",
    "google-generativeai cannot switch hidden reasoning off: models that reason by default cost more through it.",
)
VERTEX_NOTES = (
    "No price of tuning Gemini is known: enter the one that your price list names before the first training.",
    "Training files are put into your own bucket and stay there until you delete them.",
    "A tuned model answers from an endpoint in your project and retires with its base model.",
    "Tuned models are not covered by the service level agreement.",
)
TUNING_ELSEWHERE = (
    "Google tunes no model with an API key; tuning exists on Vertex only, as the provider 'vertex'"
)

HYPERPARAMETERS = (
    HyperParameter(
        "epoch_count", "int", 3, 1, 100, about="Passes over the training rows. Each pass is billed."
    ),
    HyperParameter(
        "learning_rate_multiplier",
        "float",
        1.0,
        0.001,
        10,
        about="Factor on the learning rate that the vendor recommends.",
    ),
    HyperParameter(
        "adapter_size",
        "choice",
        "ADAPTER_SIZE_FOUR",
        choices=tuple(f"ADAPTER_SIZE_{n}" for n in ("ONE", "TWO", "FOUR", "EIGHT", "SIXTEEN")),
        about="Rank of the adapter: more learns more, and needs more examples.",
    ),
)
