"""What the server has been told to do: how slow it is, whom it refuses, and what goes wrong when."""

import json
import random
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any

from core.errors import InputRejected
from core.providers.loopback.answers import ANSWERS
from core.providers.loopback.batch_faults import BATCH_FAULTS
from core.providers.loopback.effects import EFFECTS
from core.providers.loopback.exchange import Request


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and when.

    Parameters
    ----------
    outcome : str
        A name of `effects.EFFECTS`, such as "status", "lost_reset" or "answer".
    route : str
        Pattern with ``*`` for "METHOD /path"; one without a space is for any method.
    contains : str
        Only requests whose body holds this text.
    nth : tuple of int
        Only these of the matching requests, counted from 1; () for all.
    probability : float
        Share of the matching requests, 0-1, drawn with `seed`.
    status, body, headers
        Of the outcomes that answer with a status. A body that is no text is sent as JSON; ``$KEY`` in it is
        replaced by the caller's key, as vendors have been seen to do. None is the vendor's usual error.
    delay_s : float
        Seconds to wait: before a response that is not worked for, else between work and response.
    answer : str
        A name of `answers.ANSWERS`: what is wrong with a model's answer. For outcome "answer".
    content : str or None
        A model's whole answer, word for word. For outcome "answer".
    """

    outcome: str
    route: str = "*"
    contains: str = ""
    nth: tuple[int, ...] = ()
    probability: float = 1.0
    seed: int = 0
    status: int = 500
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    answer: str = ""
    content: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in EFFECTS:
            raise _unknown("outcome", self.outcome, EFFECTS)
        if self.answer and self.answer not in ANSWERS:
            raise _unknown("answer", self.answer, ANSWERS)

    def concerns(self, request: Request) -> bool:
        """Whether the request is of the kind that this fault is for."""
        return matches(self.route, request) and self.contains.encode() in request.body


@dataclass(frozen=True)
class RateLimit:
    """At most `requests` in any `per_s` seconds; then 429, with a Retry-After where `retry_after`."""

    requests: int
    per_s: float = 60.0
    retry_after: bool = True


@dataclass(frozen=True)
class Script:
    """How the vendor behaves.

    Parameters
    ----------
    latency_s : mapping of str to float
        Seconds that a request takes, by route pattern; the first that matches counts.
    tuning_s, batch_s, deploy_s : float
        Seconds from creation to the end of a training, a batch, a deployment.
    tuning_error : str
        Trainings created now fail with this sentence when they should begin to run.
    blocked : bool
        This account may not create trainings: 403 ``training_not_available``.
    model_limits : mapping or None
        What ``/fine_tuning/model_limits`` answers; None for 404.
    list_lag_s : float
        Seconds after which a new training or batch appears in lists. It can be read by its id at once.
    rate_limit : RateLimit or None
        For generating answers.
    keys : tuple of str
        Keys that are accepted; () for any that is not empty.
    models : mapping of str to str or None
        Further base models and their shutdown dates (YYYY-MM-DD). All answer and can be tuned.
    answered_as : mapping of str to str
        Name that a response gives for the asked model: vendors reroute retired ones silently.
    batch : tuple of str
        Names of `batch_faults.BATCH_FAULTS`, applied in turn to a batch's results.
    faults : tuple of Fault
        The first whose turn it is decides.
    """

    latency_s: Mapping[str, float] = field(default_factory=dict)
    tuning_s: float = 6.0
    batch_s: float = 3.0
    deploy_s: float = 1.0
    tuning_error: str = ""
    blocked: bool = False
    model_limits: Mapping[str, Any] | None = None
    list_lag_s: float = 0.0
    rate_limit: RateLimit | None = None
    keys: tuple[str, ...] = ()
    models: Mapping[str, str | None] = field(default_factory=dict)
    answered_as: Mapping[str, str] = field(default_factory=dict)
    batch: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        for name in self.batch:
            if name not in BATCH_FAULTS:
                raise _unknown("fault of a batch", name, BATCH_FAULTS)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Script":
        """Return a script from its JSON object. Raises InputRejected where a field is not known."""
        given = dict(_known(cls, values))
        given["faults"] = tuple(
            Fault(**{**_known(Fault, fault), "nth": tuple(fault.get("nth", ()))})
            for fault in values.get("faults", ())
        )
        if values.get("rate_limit"):
            given["rate_limit"] = RateLimit(**_known(RateLimit, values["rate_limit"]))
        for name in ("keys", "batch"):
            given[name] = tuple(values.get(name, ()))
        return cls(**given)

    @classmethod
    def read(cls, path: Path) -> "Script":
        """Return the script of a JSON file."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as problem:
            raise InputRejected(path.name, f"This is not JSON ({problem})", "Correct the file") from problem


class Director:
    """Follows one script: counts the requests that each fault is for, and says which strikes."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._lock = Lock()
        self._met: Counter[int] = Counter()
        self._dice = [random.Random(fault.seed) for fault in script.faults]  # noqa: S311 - no secret
        self._recent: deque[float] = deque()

    def fault(self, request: Request) -> Fault | None:
        """Return the first fault whose turn it is. Each counts all requests that it is for."""
        if not self.script.faults:
            return None
        with self._lock:
            due = [
                fault
                for index, fault in enumerate(self.script.faults)
                if fault.concerns(request) and self._turn(index, fault)
            ]
        return due[0] if due else None

    def _turn(self, index: int, fault: Fault) -> bool:
        self._met[index] += 1
        drawn = fault.probability >= 1 or self._dice[index].random() < fault.probability
        return drawn and (not fault.nth or self._met[index] in fault.nth)

    def latency_s(self, request: Request) -> float:
        """Return the seconds that the script gives to a request."""
        return next((s for route, s in self.script.latency_s.items() if matches(route, request)), 0.0)

    def wait_s(self, now: float) -> float | None:
        """Return None where the rate limit lets a request through, else the seconds until it would."""
        limit = self.script.rate_limit
        if limit is None:
            return None
        with self._lock:
            while self._recent and self._recent[0] <= now - limit.per_s:
                self._recent.popleft()
            if len(self._recent) >= limit.requests:
                return self._recent[0] + limit.per_s - now
            self._recent.append(now)
            return None


def matches(pattern: str, request: Request) -> bool:
    """Whether a route pattern is for a request."""
    return fnmatchcase(request.route if " " in pattern else request.path, pattern)


def _known(of: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(of)}
    for name in values:
        if name not in names:
            raise _unknown(f"{of.__name__.lower()} field", name, names)
    return dict(values)


def _unknown(what: str, name: str, known: object) -> InputRejected:
    names = ", ".join(sorted(known))  # type: ignore[call-overload]
    return InputRejected("script", f"'{name}' is no {what}", f"Use one of {names}")
