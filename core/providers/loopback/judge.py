"""The answers: a handful of cue words, or the most alike training example. No judgement of anything."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RISE: tuple[str, ...] = ("급등", "상승", "강세", "호실적", "흑자", "돌파", "반등", "수주", "최고", "기대")
RISE += ("surge", "rally", "soar", "beat", "record", "gain", "jump", "rise", "approv", "upgrade")
FALL: tuple[str, ...] = (
    "급락",
    "하락",
    "약세",
    "적자",
    "폭락",
    "부진",
    "우려",
    "손실",
    "소송",
    "최저",
    "해킹",
)
FALL += ("plunge", "slump", "fall", "drop", "loss", "miss", "lawsuit", "hack", "crash", "downgrade")
LABELS = ("positive", "neutral", "negative")
CUES_REASON = "SIMULATED: counts a few cue words; nothing was judged."
MEMORY_REASON = "SIMULATED: repeats the label of the most alike training example; nothing was judged."
#: Only the beginning of a text is compared.
COMPARED = 600

Fields = dict[str, Any]


def by_cues(text: str) -> Fields:
    """Return the answer of a base model: the side whose cue words `text` has more of."""
    low = text.lower()
    up, down = ([cue for cue in cues if cue in low] for cues in (RISE, FALL))
    lead = len(up) - len(down)
    sentiment = "positive" if lead > 0 else "negative" if lead < 0 else "neutral"
    words = [*up, *down] or words_of(text)
    return answer(sentiment, min(55 + 10 * abs(lead), 95), words, CUES_REASON)


def answer(sentiment: str, confidence: int, words: Sequence[str], reason: str) -> Fields:
    """Return an answer in the schema of the training format, its keys in that order."""
    keywords = list(dict.fromkeys(words))[:5] or ["none"]
    return {"sentiment": sentiment, "confidence": confidence, "keywords": keywords, "reason": reason}


def words_of(text: str) -> list[str]:
    """Return the first words of the first line, without its label."""
    line = text.strip().split("\n", 1)[0]
    said = line.split(":", 1)[-1] if ":" in line[:6] else line
    return [word.strip(".,'\"()[]") for word in said.split() if len(word) > 1][:3]


def bigrams(text: str) -> set[str]:
    """Return the pairs of neighbouring characters at the beginning of a text."""
    low = text[:COMPARED].lower()
    return {low[i : i + 2] for i in range(len(low) - 1)}


@dataclass(frozen=True)
class Memory:
    """What a tuned model remembers: each example's bigrams as the bits of a number, and its label.

    Numbers, because ten thousand of them are compared in a millisecond.
    """

    bits: dict[str, int]
    examples: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, examples: Sequence[tuple[str, str]]) -> "Memory":
        """Return the memory of (question, label) pairs."""
        bits: dict[str, int] = {}
        known = []
        for question, label in examples:
            mine = [bits.setdefault(pair, len(bits)) for pair in bigrams(question)]
            known.append((sum(1 << bit for bit in mine), label))
        return cls(bits, tuple(known))

    def answer(self, text: str) -> Fields:
        """Return the label of the example that shares most bigrams; the first, where several do."""
        pairs = bigrams(text)
        asked = sum(1 << self.bits[pair] for pair in pairs if pair in self.bits)
        shared, label = 0, "neutral"
        for bits, its in self.examples:
            if (count := (asked & bits).bit_count()) > shared:
                shared, label = count, its
        confidence = 50 + round(49 * shared / max(1, len(pairs)))
        return answer(label, confidence, words_of(text), MEMORY_REASON)


def examples_of(content: bytes) -> list[tuple[str, str]]:
    """Return the (question, label) pairs of a training file of either vendor; other lines are passed over."""
    pairs = (_pair(as_object(line)) for line in content.decode("utf-8-sig", "replace").split("\n"))
    return [pair for pair in pairs if pair is not None]


def as_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is; an empty one where it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _pair(line: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the last question of a training example and the label that answers it."""
    said = turns(line)
    if not said or said[-1][0] != "assistant":
        return None
    label = as_object(said[-1][1]).get("sentiment") or said[-1][1].strip()
    questions = [text for role, text in said if role == "user"]
    return (questions[-1], label) if questions and label in LABELS else None


def turns(line: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (role, text) of each message, whether in OpenAI's or Google's shape."""
    if "contents" in line:
        roles = {"model": "assistant"}
        return [
            (roles.get(str(one.get("role")), "user"), parts_text(one)) for one in _dicts(line["contents"])
        ]
    return [(str(one.get("role")), content_text(one.get("content"))) for one in _dicts(line.get("messages"))]


def content_text(content: Any) -> str:
    """Return the text of a message's content, which may be a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in _dicts(content))
    return content if isinstance(content, str) else ""


def parts_text(content: Mapping[str, Any]) -> str:
    """Return the text of one of Google's contents."""
    return content_text(content.get("parts"))


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def count_tokens(text: str) -> int:
    """Return a plausible number of tokens: four ASCII characters to one, five others to four. Not exact."""
    plain = sum(character < "\x80" for character in text)
    return -(-plain // 4) + -(-(len(text) - plain) * 4 // 5)
