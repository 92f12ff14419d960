"""A news item that somebody wants judged, checked on the way in."""

import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.domain.types import Family
from core.errors import InputRejected, Place

MAX_TITLE_CHARS = 1_000
MAX_BODY_CHARS = 20_000
MAX_ID_CHARS = 200
MAX_URL_CHARS = 2_000


class TooLong(InputRejected):
    """A text, or a request as a whole, is longer than is read."""


@dataclass(frozen=True)
class Question:
    """A news item to be judged, checked on the way in.

    Parameters
    ----------
    title : str
        Headline, 1 to 1,000 characters.
    body : str or None
        Text, at most 20,000 characters.
    publisher : str or None
        Name of the medium.
    family : Family
        Which market the article speaks of.
    url : str or None
        Where it was published, http or https. An experiment that shares articles out goes by it.

    Raises
    ------
    InputRejected
        If a text is blank or over-long, or holds half a character (a lone surrogate) or a NUL, or the
        address is none.
    """

    title: str
    body: str | None = None
    publisher: str | None = None
    family: Family = Family.GENERAL
    url: str | None = None

    def __post_init__(self) -> None:
        check_text("title", self.title, MAX_TITLE_CHARS)
        if not self.title.strip():
            raise InputRejected(Place("request", column="title"), "it is empty", "Send the headline")
        for name, value, limit in (("content", self.body, MAX_BODY_CHARS), ("source", self.publisher, 200)):
            if value is not None:
                check_text(name, value, limit)
        if self.url is not None:
            _check_url(self.url)


def _check_url(url: str) -> None:
    """Raise where a text is no address of a page; it is kept and shown, never fetched."""
    place = Place("request", column="url")
    check_text("url", url, MAX_URL_CHARS)
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or any(map(str.isspace, url)):
        raise InputRejected(
            place, "it is no web address", "Send one that begins with https://, or leave it out"
        )


def check_text(name: str, value: str, limit: int) -> None:
    """Raise TooLong or InputRejected where a field is no text that can be kept and read again."""
    place = Place("request", column=name)
    if len(value) > limit:
        raise TooLong(place, f"it has {len(value):,} characters; {limit:,} are allowed", "Shorten it")
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n\r" for char in value):
        raise InputRejected(place, "it holds a control character or half a character", "Send plain text")
