"""What can go wrong, as a tree. Messages say what happened, where, and what to do next.

::

    NewstuneError               anything a person can act on; shown as one sentence, never as a traceback
    ├── InputRejected           a file or value that was given to us is not usable; nothing was written
    ├── NotFound                an id or name that the database does not hold
    ├── Refused                 a rule forbids the action in the present state (a gate, a constraint)
    └── ProviderFailed          a provider or a child process could not do its work
        ├── ProviderBlocked     the provider will not do it for this account, model or date
        ├── ProviderUnreachable nothing was done, and trying the same later makes sense
        └── FateUnknown         a request was sent and its answer is lost: it may have been carried out

Decisions (a verdict, a preflight result) are values, not exceptions. Catch ``NewstuneError`` at the
seams only: a page, the command line, the API, the job wrapper.
"""

from dataclasses import dataclass


class NewstuneError(Exception):
    """Base of all errors with a message meant for the user. Catch it at the outer seams."""


@dataclass(frozen=True)
class Place:
    """Where in an input a problem lies.

    Parameters
    ----------
    file : str
        Name as the user knows it, without the folder of this machine where possible.
    row : int or None
        1-based row or line number as an editor shows it (the header is row 1).
    column : str or None
        Column or JSON field name.
    """

    file: str
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        row = f", row {self.row}" if self.row is not None else ""
        column = f", column '{self.column}'" if self.column else ""
        return f"{self.file}{row}{column}"


class InputRejected(NewstuneError):
    """A given file or value is not usable; nothing of it was written. Catch it to report and go on.

    Parameters
    ----------
    place : Place or str
        Where the problem lies.
    problem : str
        What is wrong, with the offending value (shortened).
    remedy : str
        What to do next, as an imperative sentence without the final full stop.
    """

    def __init__(self, place: Place | str, problem: str, remedy: str) -> None:
        self.place = place if isinstance(place, Place) else Place(place)
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{self.place}: {problem}. {remedy}.")


class NotFound(NewstuneError):
    """Something was asked for by an id that is not there."""

    def __init__(self, kind: str, key: object, remedy: str) -> None:
        self.kind, self.key = kind, key
        super().__init__(f"There is no {kind} '{key}'. {remedy}.")


class Refused(NewstuneError):
    """The present state forbids the action; the remedy says what would allow it."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}. {remedy}.")


class ProviderFailed(NewstuneError):
    """A provider (or its child process) broke off; the job is recorded as failed, not lost."""

    def __init__(self, provider: str, problem: str, remedy: str) -> None:
        self.provider, self.problem, self.remedy = provider, problem, remedy
        super().__init__(f"{provider}: {problem}. {remedy}.")


class ProviderBlocked(ProviderFailed):
    """The provider refuses this account, model or date. Trying again does not help; another provider may."""


class ProviderUnreachable(ProviderFailed):
    """A provider could not be asked now (no connection, busy, down). Nothing was carried out."""


class FateUnknown(ProviderFailed):
    """A request that costs money was sent and the answer is lost. Look it up; never send it again blindly."""


class LeaseLost(NewstuneError):
    """Another process has taken over this piece of work. Whoever catches it stops, and changes nothing."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is being driven by another process now. Wait for it.")
