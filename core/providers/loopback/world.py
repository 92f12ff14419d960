"""What every route works with: the vendor's memory, the script, the clock, and the models it knows."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from core.providers.loopback.judge import Memory
from core.providers.loopback.script import Director, Script
from core.providers.loopback.state import State

#: Base models that can be tuned, and those that only answer, with their shutdown dates. Examples.
TUNABLE: dict[str, str | None] = {
    "gpt-4.1-2025-04-14": "2027-01-14",
    "gpt-4.1-mini-2025-04-14": "2027-01-14",
    "gpt-4o-2024-08-06": "2027-01-14",
    "gpt-4o-mini-2024-07-18": "2027-01-14",
    "meta-llama/Llama-3.1-8B-Instruct": None,
    "meta-llama/Llama-3.3-70B-Instruct": None,
}
ANSWERING: dict[str, str | None] = {
    "gpt-4.1": "2027-01-14",
    "gpt-4.1-mini": "2027-01-14",
    "gpt-4o": "2027-01-14",
    "gpt-4o-mini": "2027-01-14",
    "gpt-5.4-nano": None,
    "gpt-6-luna": None,
    "gpt-6.1-terra": None,
    "gpt-6.1-sol": None,
}


@dataclass
class World:
    """Everything a route may use.

    Parameters
    ----------
    state : State
        The vendor's memory.
    director : Director
        Follows the script.
    clock : callable
        Seconds since 1970, UTC.
    memories : dict
        Of the tuned models that were asked, so that asking again reads nothing.
    """

    state: State
    director: Director
    clock: Callable[[], float] = time.time
    memories: dict[str, Memory] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def script(self) -> Script:
        """How the vendor behaves now."""
        return self.director.script

    @property
    def tunable(self) -> dict[str, str | None]:
        """Names of the base models that can be tuned, with their shutdown dates."""
        return {**TUNABLE, **self.script.models}

    @property
    def base_models(self) -> dict[str, str | None]:
        """Names of all base models of the OpenAI shape, with their shutdown dates."""
        return {**TUNABLE, **ANSWERING, **self.script.models}

    def memory(self, name: str, load: Callable[[], Memory | None]) -> Memory | None:
        """Return a tuned model's memory, loading it once."""
        if name not in self.memories:
            with self._lock:
                loaded = load() if name not in self.memories else None
                if loaded is not None:
                    self.memories[name] = loaded
        return self.memories.get(name)


def new_id(prefix: str) -> str:
    """Return a fresh identifier such as ``file-1f0c...``."""
    return f"{prefix}{secrets.token_hex(8)}"
