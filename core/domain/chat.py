"""A news item in a chat: read out of a user's message as our own template writes it, or as people do."""

import re
from typing import Any

_TITLE = re.compile(r"^\s*(?:제목|title|headline)\s*[::]\s*(?P<text>.*)$", re.IGNORECASE)
_BODY = re.compile(r"^\s*(?:본문|내용|content|body)\s*[::]\s*(?P<text>.*)$", re.IGNORECASE)


def read_news(message: str) -> tuple[str, str | None]:
    """Return title and body of a message.

    Lines that begin with ``제목:`` and ``본문:`` (or ``Title:`` and ``Content:``) name them, whatever stands
    before the first of them; the body reaches to the end. Without such a line the first line is the title and
    the rest is the body. A title is "" where the message holds none.
    """
    lines = message.strip().splitlines()
    for row, line in enumerate(lines):
        if titled := _TITLE.match(line):
            return _after_title(titled["text"], lines[row + 1 :])
    title, *rest = lines or [""]
    return title.strip(), "\n".join(rest).strip() or None


def _after_title(title: str, lines: list[str]) -> tuple[str, str | None]:
    for row, line in enumerate(lines):
        if body := _BODY.match(line):
            title = " ".join([title, *lines[:row]]).strip()
            return title, "\n".join([body["text"], *lines[row + 1 :]]).strip() or None
    return title.strip(), "\n".join(lines).strip() or None


def last_user_text(messages: Any) -> str | None:
    """Return the text of the last user message of an OpenAI chat, its text parts joined; None without one."""
    if not isinstance(messages, list):
        return None
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    return None


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return "\n".join(part for part in parts if isinstance(part, str)) or None
