"""``python -m core.providers.loopback --port N``: the simulated vendor as a process of its own."""

import argparse
import signal
from pathlib import Path
from threading import Event

from core.providers.loopback.script import Script
from core.providers.loopback.server import Loopback

parser = argparse.ArgumentParser(prog="python -m core.providers.loopback", description=__doc__)
parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
parser.add_argument("--state", type=Path, help="SQLite file that outlives the process")
parser.add_argument("--script", type=Path, help="JSON file: how the vendor behaves")
options = parser.parse_args()

ended = Event()
for ending in (signal.SIGTERM, signal.SIGINT):
    signal.signal(ending, lambda *_: ended.set())
with Loopback(
    options.state, port=options.port, script=Script.read(options.script) if options.script else None
) as server:
    print(server.url, flush=True)  # noqa: T201 - whoever starts it reads where it listens
    ended.wait()
