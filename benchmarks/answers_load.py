"""Clients of the prediction API in a process of their own: ``python -m benchmarks.answers_load PORT CLIENTS``.

Reads a JSON list of news on standard input. Each client sends its next one as soon as it has its last answer,
over a connection that stays open. Writes the milliseconds of each request, the errors and the seconds.
"""

import json
import socket
import sys
import time
from collections.abc import Iterator
from threading import Lock, Thread
from typing import Any

_HEAD = "POST /api/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"


class Clients:
    """What the clients share: the requests still to be sent, and what came of those that were."""

    def __init__(self, port: int, bodies: list[bytes]) -> None:
        self._port, self._bodies = port, bodies
        self._next: Iterator[int] = iter(range(len(bodies)))
        self._lock = Lock()
        self.milliseconds = [0.0] * len(bodies)
        self.errors = 0

    def work(self) -> None:
        """Send requests one after the other until there are none left."""
        connection = socket.create_connection(("127.0.0.1", self._port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            with self._lock:
                i = next(self._next, None)
            if i is None:
                return
            started = time.perf_counter()
            connection.sendall(self._bodies[i])
            right = _read(connection)
            self.milliseconds[i] = (time.perf_counter() - started) * 1000
            with self._lock:
                self.errors += not right


def _read(connection: socket.socket) -> bool:
    """Read one response and tell whether it is an answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return lines[0].startswith(b"http/1.1 200") and b'"success":true' in body


def _request(news: dict[str, Any]) -> bytes:
    body = json.dumps(news).encode()
    return _HEAD.format(len(body)).encode() + body


def main(port: int, clients: int) -> None:
    """Run the clients and print what they saw."""
    shared = Clients(port, [_request(news) for news in json.load(sys.stdin)])
    threads = [Thread(target=shared.work) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    seen = {"milliseconds": shared.milliseconds, "errors": shared.errors, "seconds": seconds}
    print(json.dumps(seen))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
