"""Why an article has no answer, in words."""

from ui.i18n import mark, t

_WORDS = {
    "NO_CONNECTION": mark("no connection"),
    "TIMEOUT": mark("no answer in time"),
    "CONNECTION_LOST": mark("connection lost"),
    "RATE_LIMITED": mark("too many requests"),
    "OVERLOADED": mark("vendor overloaded"),
    "PROVIDER_ERROR": mark("vendor's error"),
    "KEY_REFUSED": mark("key refused"),
    "NOT_AVAILABLE": mark("model not available"),
    "REQUEST_REFUSED": mark("request refused"),
    "UNREADABLE": mark("unreadable answer"),
    "DECLINED": mark("model declined"),
    "EMPTY": mark("empty answer"),
    "CUT_OFF": mark("answer cut off"),
    "NOT_JSON": mark("answer is no JSON"),
    "WRONG_SENTIMENT": mark("unknown sentiment"),
    "WRONG_CONFIDENCE": mark("confidence outside 0–100"),
    "WRONG_KEYWORDS": mark("unusable keywords"),
    "WRONG_REASON": mark("unusable reason"),
    "MISSING": mark("missing in the vendor's file"),
    "DUPLICATE": mark("answered twice differently"),
    "INTERRUPTED": mark("program stopped meanwhile"),
    "TOO_LONG": mark("article too long"),
}


def failure(code: str) -> str:
    """Return why an article has no answer."""
    return t(_WORDS[code]) if code in _WORDS else code
