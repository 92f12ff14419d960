"""One cell or JSON field to one value, or a sentence saying why not. Shared by all readers.

Every function raises `InputRejected` with the place it was given.
"""

import re
from datetime import UTC, date, datetime, time
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from core.domain.text import clean_article
from core.domain.types import Flag, Sentiment
from core.errors import InputRejected, Place
from core.sources.decoding import CONTROL

SEOUL = ZoneInfo("Asia/Seoul")
MAX_TITLE, MAX_BODY, MAX_URL, MAX_NAME = 1_000, 20_000, 2_000, 200
#: Years outside are typing errors, or epoch seconds read as a year.
FIRST_YEAR, LAST_YEAR = 1970, 2100

#: What spreadsheets and data frames write for a missing text.
_NO_VALUE = {"nan", "none", "null", "#n/a", "n/a"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_DATE = re.compile(r"(\d{4})([-.]?)(\d{2})\2(\d{2})\.?")
_DOTTED = re.compile(r"^(\d{4})[./](\d{1,2})[./](\d{1,2})\.?(?=$|[ T])")
_ISO_START = re.compile(r"\d{4}-?\d{2}-?\d{2}($|[ T]\d)")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
SENTIMENT_WORDS = {
    "positive": Sentiment.POSITIVE,
    "pos": Sentiment.POSITIVE,
    "긍정": Sentiment.POSITIVE,
    "neutral": Sentiment.NEUTRAL,
    "neu": Sentiment.NEUTRAL,
    "중립": Sentiment.NEUTRAL,
    "negative": Sentiment.NEGATIVE,
    "neg": Sentiment.NEGATIVE,
    "부정": Sentiment.NEGATIVE,
}


def shorten(value: object) -> str:
    """Return a value as it may appear in a message: quoted and at most 40 characters."""
    shown = " ".join(str(value).split()).encode("utf-8", "replace").decode()
    return f"'{shown[:40]}…'" if len(shown) > 40 else f"'{shown}'"


def text(value: Any, place: Place, *, limit: int) -> str | None:
    """Return a text without spaces at its ends; None where the cell is empty or says so (``NaN``)."""
    found = _text(value, place, limit=limit)
    return None if found is None or found.lower() in _NO_VALUE else found


def _text(value: Any, place: Place, *, limit: int) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InputRejected(place, f"{shorten(value)} is not text", "Put the value in quotation marks")
    if len(value) > limit:
        problem = f"the text has {len(value):,} characters, the limit is {limit:,}"
        raise InputRejected(place, problem, "Shorten it, or check for an unclosed quotation mark")
    if _SURROGATE.search(value):
        raise InputRejected(place, "half of a character is missing (lone surrogate)", "Remove the character")
    if control := CONTROL.search(value):
        problem = f"there is a control character (U+{ord(control.group()):04X})"
        raise InputRejected(place, problem, "Remove it")
    return value.strip() or None


def required_text(value: Any, place: Place, *, limit: int) -> str:
    """Return a text that must be there."""
    found = _text(value, place, limit=limit)
    if found is None:
        raise InputRejected(place, "the text is empty", "Fill it in or remove the row")
    if found.lower() in _NO_VALUE:
        problem = f"{shorten(found)} stands for a missing value"
        raise InputRejected(place, problem, "Fill it in or remove the row")
    return found


def news(
    title: Any, body: Any, places: tuple[Place, Place]
) -> tuple[str, str | None, tuple[Flag, ...], bool]:
    """Return a cleaned title and body, what was found in them, and whether the body is a placeholder."""
    cleaned = clean_article(
        required_text(title, places[0], limit=MAX_TITLE), text(body, places[1], limit=MAX_BODY)
    )
    if not cleaned[0]:
        raise InputRejected(places[0], "the title holds nothing but an image tag", "Remove the row")
    return cleaned


def url(value: Any, place: Place) -> str | None:
    """Return a web address; None where the cell is empty."""
    found = text(value, place, limit=MAX_URL)
    if found is not None and not found.lower().startswith(("http://", "https://")):
        problem = f"{shorten(found)} is not a web address"
        raise InputRejected(place, problem, "Write it with http:// or https://, or leave it empty")
    return found


def sentiment(value: Any, place: Place) -> Sentiment:
    """Return the class that a word names, in English or Korean, in any case."""
    word = "" if value is None else str(value).strip().lower()
    if word in SENTIMENT_WORDS:
        return SENTIMENT_WORDS[word]
    if not word:
        raise InputRejected(place, "the label is empty", "Fill it in or remove the row")
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", word):
        problem = f"the number {shorten(word)} is not a label, since its meaning differs from table to table"
    else:
        problem = f"{shorten(value)} is not a label"
    raise InputRejected(
        place, problem, "Use positive, neutral or negative (or pos, neu, neg, 긍정, 중립, 부정)"
    )


def number(value: Any, place: Place, *, low: float, high: float) -> float | None:
    """Return a finite number within [`low`, `high`]; None where the cell is empty, never 0."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    remedy = f"Give a number from {low:,.10g} to {high:,.10g}, or leave it empty"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputRejected(place, f"{shorten(value)} is not a number", remedy)
    digits = value.strip() if isinstance(value, str) else value
    if isinstance(digits, str) and _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    if isinstance(digits, str) and not _PLAIN_NUMBER.fullmatch(digits):
        raise InputRejected(place, f"{shorten(value)} is not a number", remedy)
    try:
        found = float(digits)
    except (ValueError, OverflowError) as error:
        raise InputRejected(place, f"{shorten(value)} is not a number", remedy) from error
    if not isfinite(found):
        raise InputRejected(place, f"{shorten(value)} is not a finite number", remedy)
    if not low <= found <= high:
        raise InputRejected(place, f"{shorten(value)} is out of range", remedy)
    return found


def day(value: Any, place: Place) -> date:
    """Return a calendar date written 2025-11-01, 2025.11.01 or 20251101."""
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        found = date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise InputRejected(place, f"{shorten(value)} is not a date", "Write it like 2025-11-01")
    return found


def moment(value: Any, place: Place) -> tuple[datetime, bool] | None:
    """Return an aware UTC time and whether a zone was given; None where the cell is empty.

    A time without a zone is taken as Asia/Seoul.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    remedy = "Write it like 2025-11-01T09:30:00+09:00 or 2025-11-01 09:30"
    if not isinstance(value, str):
        raise InputRejected(place, f"{shorten(value)} is not a time", remedy)
    written = _DOTTED.sub(_iso_date, value.strip())
    try:
        parsed = datetime.fromisoformat(written if _ISO_START.match(written) else "")
    except ValueError as error:
        raise InputRejected(place, f"{shorten(value)} is not a time", remedy) from error
    if not FIRST_YEAR < parsed.year <= LAST_YEAR:
        problem = f"{shorten(value)} lies outside the years {FIRST_YEAR + 1} to {LAST_YEAR}"
        raise InputRejected(place, problem, remedy)
    has_zone = parsed.tzinfo is not None
    aware = parsed if has_zone else parsed.replace(tzinfo=SEOUL)
    return aware.astimezone(UTC), has_zone


def _iso_date(match: re.Match[str]) -> str:
    return f"{match[1]}-{match[2]:0>2}-{match[3]:0>2}"


def is_bare_date(value: Any) -> bool:
    """Tell whether a time cell holds a date and no time of day."""
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}[-./]?\d{1,2}[-./]?\d{1,2}\.?", value.strip()))


def end_of_day(at: datetime) -> datetime:
    """Return the last second (UTC) of the Seoul day on which `at` falls."""
    local = at.astimezone(SEOUL).date()
    return datetime.combine(local, time(23, 59, 59), SEOUL).astimezone(UTC)
