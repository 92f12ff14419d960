"""What a chat model wrote, to an answer or to the reason why it is none. Strict: nothing is guessed."""

import json
import re
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.domain.training_format import MAX_KEYWORDS, Answer
from core.domain.types import Failure, Sentiment

MAX_KEYWORD_CHARS = 100
MAX_REASON_CHARS = 1_000
_FENCE = re.compile(r"\A```(?:json)?[ \t]*\r?\n(?P<inside>.*?)\r?\n?```\Z", re.DOTALL | re.IGNORECASE)
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Problem:
    """Why a text is no answer: a code, and what was seen in a few words."""

    failure: Failure
    detail: str


def parse_answer(text: str | None) -> Answer | Problem:
    """Return the answer that a text holds, or what is wrong with it.

    A JSON object is expected, bare or in one code fence. The sentiment is one of the three words, the
    confidence a number from 0 to 100 (rounded to a whole one). Keywords are texts, of which the first five
    count; none is fine and none is made up. The reason may be missing. Other keys are passed over.
    """
    if text is None or not text.strip():
        return Problem(Failure.EMPTY, "the answer is empty")
    stripped = text.strip()
    fenced = _FENCE.match(stripped)
    try:
        said = json.loads(fenced["inside"] if fenced else stripped)
    except (ValueError, RecursionError):  # also numbers too long to be read, and brackets without end
        return Problem(Failure.NOT_JSON, "the answer is not JSON")
    if not isinstance(said, dict):
        return Problem(Failure.NOT_JSON, f"the answer is {_shown(said)}, not a JSON object")
    return _read(said)


def _read(said: dict[str, Any]) -> Answer | Problem:
    sentiment, confidence = said.get("sentiment"), said.get("confidence")
    keywords, reason = said.get("keywords"), said.get("reason")
    if sentiment not in list(Sentiment):
        return Problem(Failure.WRONG_SENTIMENT, f"the sentiment is {_shown(sentiment)}")
    if not _is_percent(confidence):
        return Problem(Failure.WRONG_CONFIDENCE, f"the confidence is {_shown(confidence)}")
    if keywords is None:
        keywords = []
    if not isinstance(keywords, list) or not all(isinstance(word, str) for word in keywords):
        return Problem(Failure.WRONG_KEYWORDS, f"the keywords are {_shown(keywords)}")
    if reason is not None and not isinstance(reason, str):
        return Problem(Failure.WRONG_REASON, f"the reason is {_shown(reason)}")
    cleaned = (_plain(word, MAX_KEYWORD_CHARS) for word in keywords)
    words = tuple(dict.fromkeys(word for word in cleaned if word))[:MAX_KEYWORDS]
    return Answer(
        Sentiment(sentiment), round(confidence), words, _plain(reason or "", MAX_REASON_CHARS) or None
    )


def _is_percent(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _plain(text: str, limit: int) -> str:
    """Return a text that can be stored: no control characters, no halves of characters, not over-long."""
    return _UNSEEN.sub(" ", text).encode("utf-8", "replace").decode().strip()[:limit]


def _shown(value: Any) -> str:
    """Return a value for a sentence, cut short."""
    written = _plain(json.dumps(value, ensure_ascii=False, default=str), 10_000)
    return written if len(written) <= 40 else f"{written[:39]}…"
