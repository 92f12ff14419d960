"""Keys never leave: what is logged, stored or shown goes through here first."""

import logging
import re
from collections.abc import Iterable

HIDDEN = "[key hidden]"
#: Shapes of keys that vendors hand out, and any value behind a header or parameter that carries one.
_SHAPES = re.compile(
    r"\b(?:sk|rk|pk)-[\w*.\-]{6,}"  # OpenAI and those who copy it, also when half masked by the vendor
    r"|\bAIza[\w\-]{10,}"  # Google
    r"|\bya29\.[\w\-.]{10,}"  # Google's access tokens
    r"|\beyJ[\w\-]{10,}\.[\w\-]{10,}\.[\w\-]*"  # JSON web tokens
    r"|(?<=[Bb]earer )[\w\-.~+/=]{6,}"
    r"|(?<=[?&]key=)[\w\-.~+/=%]{6,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)
_NAMED = re.compile(
    r"(?P<name>(?:api[-_ ]?key|x-goog-api-key|authorization|password|secret|token)[\"']?\s*[:=]\s*[\"']?)"
    r"(?!\[key hidden\])(?P<value>[\w\-.~+/=]{12,})",
    re.IGNORECASE,
)
#: A shorter "key" is no key; replacing it would tear words apart.
_SHORTEST = 6


class Redactor:
    """Replaces the keys that this process holds, and anything of a key's shape, by a note.

    Parameters
    ----------
    secrets : iterable of str
        Values that must never be shown.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST}
        self._known = sorted(known, key=len, reverse=True)  # a key that begins with another goes first

    def __call__(self, text: str) -> str:
        """Return `text` without keys."""
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        return _NAMED.sub(rf"\g<name>{HIDDEN}", _SHAPES.sub(HIDDEN, text))


class RedactedRecord(logging.LogRecord):
    """A log record whose message and traceback went through a redactor, whoever handles it.

    Made by a factory (`keep_keys_out_of_logs`), so that handlers added later are covered too.
    """

    redact: Redactor = Redactor()
    _traceback: str | None = None

    def getMessage(self) -> str:  # noqa: N802 - the library's name
        """Return the message without keys."""
        return self.redact(super().getMessage())

    @property
    def exc_text(self) -> str | None:
        """The traceback without keys; formatters take it instead of making their own."""
        if self.exc_info and self._traceback is None:
            self._traceback = self.redact(logging.Formatter().formatException(self.exc_info))
        return self._traceback

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        self._traceback = text


def keep_keys_out_of_logs(redact: Redactor) -> None:
    """Have every log record of this process redacted from now on."""
    made = type("RedactedRecord", (RedactedRecord,), {"redact": staticmethod(redact)})
    logging.setLogRecordFactory(made)
