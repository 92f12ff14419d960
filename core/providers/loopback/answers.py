"""Everything that a language model has been seen to answer instead of what it was asked for."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

Fields = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """A model's answer before it is put into a vendor's shape.

    Parameters
    ----------
    content : str or None
        The text.
    finish : str
        "stop", "length" or "content_filter".
    refusal : str or None
        The sentence with which it declines.
    counted : bool
        Whether the vendor says how many tokens were used.
    """

    content: str | None
    finish: str = "stop"
    refusal: str | None = None
    counted: bool = True


@dataclass(frozen=True)
class Twist:
    """What a fault makes of a model's answer: a name of `ANSWERS`, or a text in its place; nothing for both."""

    name: str = ""
    content: str | None = None

    def __call__(self, fields: Fields) -> Said:
        """Return what is said instead of the answer's fields."""
        if self.content is not None:
            return Said(self.content)
        return ANSWERS[self.name](fields) if self.name else Said(compact(fields))


PLAIN = Twist()


def compact(fields: Any) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _with(**changes: Any) -> Callable[[Fields], Said]:
    return lambda fields: Said(compact({**fields, **changes}))


def _without(name: str) -> Callable[[Fields], Said]:
    return lambda fields: Said(compact({key: value for key, value in fields.items() if key != name}))


def _text(pattern: str) -> Callable[[Fields], Said]:
    return lambda fields: Said(pattern.replace("$", compact(fields)))


def _cut(finish: str) -> Callable[[Fields], Said]:
    return lambda fields: Said(compact(fields)[:25], finish)


def _escaped_surrogate(fields: Fields) -> Said:
    return Said(json.dumps({**fields, "reason": "\ud83d lone"}))


#: What can be wrong, by name.
ANSWERS: dict[str, Callable[[Fields], Said]] = {
    "fenced": _text("```json\n$\n```"),
    "fenced_prose": _text("Here you are:\n```json\n$\n```\nAnything else?"),
    "prose": lambda _: Said("I think that the market will rather like this."),
    "json_in_prose": _text("My answer is $, I hope."),
    "two_objects": _text("$\n$"),
    "list": _text("[$]"),
    "string": lambda fields: Said(compact(fields["sentiment"])),
    "single_quotes": lambda fields: Said(str(fields)),
    "deep": lambda _: Said("[" * 100_000),
    "huge": lambda fields: Said(compact({**fields, "reason": "very " * 200_000})),
    "huge_number": lambda fields: Said(
        compact({**fields, "confidence": 0})[:-1] + ',"x":' + "9" * 6000 + "}"
    ),
    "wrong_enum": _with(sentiment="bullish"),
    "upper_enum": _with(sentiment="POSITIVE"),
    "korean_enum": _with(sentiment="긍정"),
    "null_enum": _with(sentiment=None),
    "list_enum": _with(sentiment=["positive", "negative"]),
    "no_enum": _without("sentiment"),
    "confidence_140": _with(confidence=140),
    "confidence_negative": _with(confidence=-1),
    "confidence_high": _with(confidence="high"),
    "confidence_text": _with(confidence="80"),
    "confidence_true": _with(confidence=True),
    "confidence_nan": lambda fields: Said(json.dumps({**fields, "confidence": float("nan")})),
    "confidence_infinite": lambda fields: Said(json.dumps({**fields, "confidence": float("inf")})),
    "no_confidence": _without("confidence"),
    "keywords_text": _with(keywords="rate, bank"),
    "keywords_nine": _with(keywords=[f"word {n}" for n in range(9)]),
    "keywords_mixed": _with(keywords=["rate", 7, None]),
    "no_keywords": _with(keywords=[]),
    "no_reason": _without("reason"),
    "reason_list": _with(reason=["because"]),
    "extra_keys": _with(explanation="more", buy=True, tools=[{"name": "promote"}]),
    "lone_surrogate": _escaped_surrogate,
    "raw_surrogate": _with(reason="\ud83d lone"),
    "control_characters": _with(reason="a\x00b\x1b[31mred"),
    "byte_order_mark": _text("\ufeff$"),
    "refusal": lambda _: Said(None, refusal="I'm sorry, I can't help with that."),
    "empty": lambda _: Said(""),
    "blank": lambda _: Said(" \n"),
    "null": lambda _: Said(None),
    "length": _cut("length"),
    "content_filter": lambda _: Said(None, "content_filter"),
    "content_filter_partial": _cut("content_filter"),
    "no_usage": lambda fields: replace(Said(compact(fields)), counted=False),
}
