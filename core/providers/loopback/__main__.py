"""``python -m core.providers.loopback --port N``: the simulated vendor as a process of its own.

Prints its address and answers until it is told to end. To try it with any OpenAI client, set
``OPENAI_BASE_URL`` to the address and ``/v1``, and ``OPENAI_API_KEY`` to anything.
"""

import argparse
import signal
import sys
from pathlib import Path
from threading import Event

from core.errors import InputRejected
from core.providers.loopback.script import Script
from core.providers.loopback.server import Loopback


def main() -> None:
    """Run the server until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m core.providers.loopback", description="Simulated vendor."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, help="SQLite file that outlives the process")
    parser.add_argument("--script", type=Path, help="JSON file: how the vendor behaves")
    options = parser.parse_args()
    ended = Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: ended.set())
    try:
        script = Script.read(options.script) if options.script else None
        with Loopback(options.state, port=options.port, script=script) as server:
            print(server.url, flush=True)  # noqa: T201 - whoever starts it reads where it listens
            ended.wait()
    except (InputRejected, OSError) as problem:
        sys.exit(f"The simulated vendor cannot run: {problem}")


main()
