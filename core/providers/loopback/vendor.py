"""From a request to a response: who may ask, what goes wrong, and the route that does the work."""

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from threading import Lock

from core.errors import InputRejected
from core.providers.loopback.answers import Twist
from core.providers.loopback.effects import EFFECTS, Effect
from core.providers.loopback.exchange import Refusal, Request, Response, ok
from core.providers.loopback.routes import Route, find, refusal
from core.providers.loopback.script import Director, Fault, Script
from core.providers.loopback.world import World

Found = tuple[Route, tuple[str, ...]] | None
NO_KEY = "You didn't provide an API key. Send it in an Authorization header: Authorization: Bearer YOUR_KEY."


class Vendor:
    """Answers requests as the script says.

    Parameters
    ----------
    world : World
        Memory, script and clock.
    wait : callable
        Lets seconds pass.

    Attributes
    ----------
    peak : int
        Most requests that were being answered at the same time.
    counts : Counter
        Requests by method and route.
    """

    def __init__(self, world: World, wait: Callable[[float], object]) -> None:
        self.world, self._wait = world, wait
        self._lock = Lock()
        self._busy = self.peak = 0
        self.counts: Counter[str] = Counter()

    @property
    def script(self) -> Script:
        """What it has been told to do."""
        return self.world.script

    @script.setter
    def script(self, script: Script) -> None:
        self.world.director = Director(script)

    def answer(self, request: Request) -> Response | None:
        """Return the response; None where the connection is to be reset instead."""
        if request.path.startswith("/_"):
            return self._control(request)
        found = find(request)
        with self._lock:
            self.counts[found[0].name if found else request.route] += 1
            self._busy += 1
            self.peak = max(self.peak, self._busy)
        try:
            return self._played(request, found)
        finally:
            with self._lock:
                self._busy -= 1

    def _played(self, request: Request, found: Found) -> Response | None:
        self._wait(self.world.director.latency_s(request))
        fault = self.world.director.fault(request)
        if fault is None:
            return self._worked(request, found)
        effect: Effect = EFFECTS[fault.outcome]
        twisted = replace(request, twist=Twist(fault.answer, fault.content))
        usual = refusal(request, Refusal(fault.status, ""))
        response = self._worked(twisted, found) if effect.works else usual
        self._wait(fault.delay_s or effect.delay_s)
        return _spoilt(effect, response, usual, fault, request) if effect.answers else None

    def _worked(self, request: Request, found: Found) -> Response:
        try:
            route, caught = self._admitted(request, found)
            return route.handler(self.world, request, *caught)
        except Refusal as said:
            return refusal(request, said)
        except (AttributeError, KeyError, TypeError, ValueError) as problem:  # JSON, but not of this shape
            seen = f"A field is missing or of the wrong kind ({type(problem).__name__}: {problem})."
            return refusal(request, Refusal(400, seen))

    def _admitted(self, request: Request, found: Found) -> tuple[Route, tuple[str, ...]]:
        """Return the route and what its pattern caught. Raises Refusal for whom it is not open."""
        if not request.key:
            raise Refusal(401, NO_KEY)
        if self.script.keys and request.key not in self.script.keys:
            shown = f"{request.key[:3]}****{request.key[-4:]}"
            raise Refusal(401, f"Incorrect API key provided: {shown}.", "invalid_api_key")
        if found is None:
            raise Refusal(404, f"Invalid URL ({request.route})")
        if found[0].answers:
            self._limit()
        return found

    def _limit(self) -> None:
        wait_s = self.world.director.wait_s(self.world.clock())
        if wait_s is not None:
            limit = self.script.rate_limit
            told = {"retry-after": str(math.ceil(wait_s))} if limit and limit.retry_after else {}
            raise Refusal(429, "Rate limit reached for requests.", headers=told)

    def _control(self, request: Request) -> Response:
        """Serve the addresses for whoever runs the server: what was asked, and what to do from now on."""
        if request.path == "/_script" and request.method == "POST":
            try:
                self.script = Script.from_json(json.loads(request.body))
            except (InputRejected, ValueError) as problem:
                return Response(400, json.dumps({"error": str(problem)}).encode())
        elif request.path == "/_reset" and request.method == "POST":
            self.reset()
        return ok({"counts": dict(self.counts), "peak": self.peak})

    def reset(self) -> None:
        """Forget everything but the script, whose faults are counted anew."""
        self.world.state.clear()
        self.world.memories.clear()
        self.counts.clear()
        self.peak = 0
        self.script = self.world.script


def _spoilt(effect: Effect, response: Response, usual: Response, fault: Fault, request: Request) -> Response:
    """Return what the caller gets to see of `response`; `usual` is the vendor's error of the fault's status."""
    made = effect.spoil(usual if effect.refuses else response, fault)
    return replace(made, body=made.body.replace(b"$KEY", request.key.encode()))
