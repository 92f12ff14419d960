"""The one shape in which a model is taught and asked, and the guard of texts in tables.

Training examples are OpenAI chat messages, which TRL reads as they are. Serving sends the same system
and user messages, so a model is asked exactly as it was taught.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.domain.policy import Policy
from core.domain.types import INSTRUMENTS, Family, Sentiment

TEMPLATE_NAME = "newstune-chat-1"
USER_TEMPLATE = "제목: {title}\n본문: {body}"
USER_TEMPLATE_WITHOUT_BODY = "제목: {title}"
MAX_KEYWORDS = 5

#: A formula trigger, behind any number of quotes and of characters that a spreadsheet does not show:
#: white space and controls, soft hyphen, zero-width, direction and joining marks, byte order mark.
_UNSEEN = r"\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
_UNSEEN += r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
_TRIGGER = r"=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b\u2212"
_LIVE = re.compile(rf"'*[{_UNSEEN}]*[{_TRIGGER}]")

_WORD = re.compile(r"[^\W_]+(?:[.&-][^\W_]+)*")
_EMPTY_WORDS = {"속보", "단독", "종합", "상보", "특징주", "마감", "이슈", "관련", "대한", "위한"}
_EMPTY_WORDS |= {"the", "and", "for", "with", "from", "after", "amid", "over", "its", "into", "as", "on"}


@dataclass(frozen=True)
class Answer:
    """What a model is taught to answer.

    Parameters
    ----------
    confidence : int
        0-100.
    keywords : tuple of str
        One to five.
    reason : str or None
        None leaves the field out: a reason that argued for another class is no target.
    """

    sentiment: Sentiment
    confidence: int
    keywords: tuple[str, ...]
    reason: str | None = None


def template(policy: Policy) -> dict[str, str]:
    """Return the template as it is stored with a model version and written to a manifest."""
    return {
        "name": TEMPLATE_NAME,
        "system": policy.system_prompt,
        "user": USER_TEMPLATE,
        "user_without_body": USER_TEMPLATE_WITHOUT_BODY,
    }


def serving_messages(system: str, title: str, body: str | None) -> list[dict[str, str]]:
    """Return the messages with which a model is asked about one article."""
    pattern = USER_TEMPLATE if body and body.strip() else USER_TEMPLATE_WITHOUT_BODY
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": pattern.format(title=title, body=body)},
    ]


def chat_example(system: str, title: str, body: str | None, answer: Answer) -> dict[str, Any]:
    """Return one training example: the serving messages, and the answer as compact JSON."""
    said = {"role": "assistant", "content": assistant_message(answer)}
    return {"messages": [*serving_messages(system, title, body), said]}


def assistant_message(answer: Answer) -> str:
    """Return the answer as one line of compact JSON with Korean as it is."""
    return answer_line(answer.sentiment, answer.confidence, answer.keywords, answer.reason)


def answer_line(
    sentiment: Sentiment, confidence: float | None, keywords: Sequence[str], reason: str | None
) -> str:
    """Return an answer's fields as one line of compact JSON; the confidence as a whole number, None as null."""
    fields: dict[str, Any] = {
        "sentiment": str(sentiment),
        "confidence": None if confidence is None else round(confidence),
        "keywords": list(keywords),
    }
    if reason:
        fields["reason"] = reason
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def teach(
    gold: Sentiment,
    title: str,
    policy: Policy,
    *,
    said: tuple[str, float | None, Sequence[str], str | None] | None,
    outcome_reason: str | None = None,
) -> Answer:
    """Return the answer to teach: always the gold class.

    Parameters
    ----------
    said : (sentiment, confidence, keywords, reason) or None
        The article's own imported prediction. Only one that agreed with gold lends its confidence,
        keywords and reason; anything else would teach the arguments of a mistake.
    outcome_reason : str or None
        What the market did, used where no prediction lends a reason.
    """
    agreed = said if said is not None and said[0] == gold else (gold, None, (), None)
    _, confidence, keywords, reason = agreed
    words = tuple(dict.fromkeys(word.strip() for word in keywords if word.strip()))[:MAX_KEYWORDS]
    return Answer(
        gold,
        policy.confidence_default if confidence is None else round(confidence),
        words or title_keywords(title),
        reason or outcome_reason,
    )


def title_keywords(title: str, limit: int = MAX_KEYWORDS) -> tuple[str, ...]:
    """Return the `limit` longest words of a headline in their order; numbers and filler do not count.

    A plain rule on purpose: it is deterministic, needs no model, and every keyword stands in the text.
    A headline without such a word is its own keyword.
    """
    words = dict.fromkeys(
        word for word in _WORD.findall(title) if len(word) > 1 and word.lower() not in _EMPTY_WORDS
    )
    spoken = [word for word in words if not word[0].isdigit()]
    longest = set(sorted(spoken, key=len, reverse=True)[:limit])
    return tuple(word for word in spoken if word in longest) or (title.strip()[:40],)


def outcome_sentence(family: str, return_pct: float, *, partial: bool) -> str:
    """Return what decided a direction label, such as ``KOSPI·KOSDAQ 평균 +1.82 %``.

    Two decimals, since one would round 0.96 up to a threshold that it did not reach.
    """
    names = "·".join(instrument.upper() for instrument in INSTRUMENTS[Family(family)])
    return f"{names} 평균 {return_pct:+.2f} %" + (" (일부 종목만 집계)" if partial else "")


def guard_formula(value: str) -> str:
    """Return `value` so that a spreadsheet shows it and never runs it: a quote before any trigger.

    ``= + - @``, TAB, CR and LF are triggers, also as full-width forms and behind unseen characters.
    `unguard_formula` gives the original back, whatever it was.
    """
    return f"'{value}" if _LIVE.match(value) else value


def unguard_formula(value: str) -> str:
    """Undo `guard_formula`."""
    return value[1:] if value.startswith("'") and _LIVE.match(value[1:]) else value
