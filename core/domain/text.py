"""What makes two texts the same text, and what is wrong with a text as it was received."""

import re
import unicodedata
from hashlib import sha256

from core.domain.types import Flag

#: What the parent stores when it could not fetch an article's body.
PLACEHOLDER_BODY = "본문 내용을 가져올 수 없습니다"
#: The parent cuts bodies after this many UTF-16 units and appends three dots.
PARENT_BODY_CHARS = 300

#: A whole image tag, or one that the cut at the end of the text left open.
_IMAGE = re.compile(r"<img\b[^<>]*(?:>|(?=<)|$)", re.IGNORECASE)


def normalise(text: str) -> str:
    """Return `text` in NFKC, lower case, with single spaces and none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def content_hash(title: str, body: str | None) -> str:
    """Return the SHA-256 (64 hexadecimal digits) of the normalised title and body.

    A missing body counts as an empty one.
    """
    return sha256(f"{normalise(title)}\n{normalise(body or '')}".encode()).hexdigest()


def clean_html(text: str) -> tuple[str, bool]:
    """Strip ``<img ...>`` remnants, also one cut off at the end, and tell whether there were any.

    Anything else in angle brackets stays: Korean news writes programme names and copyright lines so.
    """
    cleaned, found = _IMAGE.subn(" ", text)
    return (cleaned.strip(), True) if found else (text, False)


def is_placeholder(body: str | None) -> bool:
    """Tell whether a body says only that there is none. A missing body is not a placeholder."""
    return body is not None and normalise(body).rstrip(".") == PLACEHOLDER_BODY


def is_truncated(body: str | None) -> bool:
    """Tell whether the parent cut this body (as received, before cleaning)."""
    if body is None or not body.endswith("..."):
        return False
    return len(body.encode("utf-16-le", "surrogatepass")) // 2 >= PARENT_BODY_CHARS


def clean_article(title: str, body: str | None) -> tuple[str, str | None, tuple[Flag, ...], bool]:
    """Return title and body without image remnants and in NFC, the flags found, and `is_placeholder`.

    NFC changes no character for a reader; without it one Hangul syllable would be several tokens. A
    body of which nothing is left is None.
    """
    flags = [Flag.TRUNCATED] if is_truncated(body) else []
    clean_title, in_title = clean_html(title)
    clean_body, in_body = clean_html(body or "")
    if in_title or in_body:
        flags.append(Flag.HTML_REMNANT)
    composed = [unicodedata.normalize("NFC", text) for text in (clean_title, clean_body)]
    if composed != [clean_title, clean_body]:
        flags.append(Flag.NOT_NFC)
    return composed[0], composed[1] or None, tuple(flags), is_placeholder(body)


def char_ngrams(text: str, n: int = 4) -> frozenset[str]:
    """Return the distinct character `n`-grams of an already normalised text.

    A text shorter than `n` is its own only n-gram; an empty one has none.
    """
    if len(text) <= n:
        return frozenset((text,) if text else ())
    return frozenset(text[start : start + n] for start in range(len(text) - n + 1))
