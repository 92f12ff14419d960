"""The HTTP server around the vendor: threads, connections kept alive, and connections broken on purpose."""

import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from threading import Event, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from core.providers.loopback.exchange import Refusal, Request, Response
from core.providers.loopback.routes import refusal, translated
from core.providers.loopback.script import Director, Script
from core.providers.loopback.state import State
from core.providers.loopback.vendor import Vendor
from core.providers.loopback.vertex_shape import keep_object
from core.providers.loopback.world import World

HOST = "127.0.0.1"
#: Closing a socket with this option sends RST at once, as a broken line does.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Loopback:
    """A vendor that answers on this machine only.

    Parameters
    ----------
    state : Path or None
        SQLite file in which files, trainings and batches outlive the process; None keeps them in memory.
    port : int
        0 takes a free one.
    script : Script or None
        How it behaves; may be set anew at any time.
    clock : callable
        Seconds since 1970, UTC.

    Attributes
    ----------
    requests : list of (method, path)
        Every request that came in, oldest first; paths as they were written, without their query.
    """

    def __init__(
        self,
        state: Path | None = None,
        *,
        port: int = 0,
        script: Script | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._port = port
        self._server: _Server | None = None
        self._stopping = Event()
        self._vendor = Vendor(World(State(state), Director(script or Script()), clock), self._wait)
        self.requests: list[tuple[str, str]] = []

    def start(self) -> Self:
        """Begin to listen, in a thread of its own."""
        self._stopping.clear()
        self._server = _Server((HOST, self._port), self.respond)
        self._port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True, name="loopback").start()
        return self

    def stop(self) -> None:
        """Stop listening and break all connections. A later start takes the same port."""
        self._stopping.set()
        if self._server is not None:
            self._server.end()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address without a final slash; OpenAI's shape is under ``/v1``."""
        return f"http://{HOST}:{self._port}"

    @property
    def script(self) -> Script:
        """How it behaves. Setting it counts the requests of its faults anew."""
        return self._vendor.script

    @script.setter
    def script(self, script: Script) -> None:
        self._vendor.script = script

    @property
    def peak(self) -> int:
        """Most requests that were being answered at the same time."""
        return self._vendor.peak

    def count(self, method: str, ending: str) -> int:
        """Return how many requests came in for a method and the end of a path."""
        return sum(one == method and path.endswith(ending) for one, path in list(self.requests))

    def upload(self, name: str, content: bytes) -> str:
        """Store what a tuning will read from a bucket, and return its ``gs://`` address."""
        return keep_object(self._vendor.world, name, content)

    def respond(self, request: Request, path: str) -> Response | None:
        """Log a request and return its response; None where the connection is to be reset."""
        if path == "/_reset" and request.method == "POST":
            self.requests.clear()
        elif not path.startswith("/_"):
            self.requests.append((request.method, path))
        response = self._vendor.answer(request)
        date = format_datetime(datetime.fromtimestamp(self._vendor.world.clock(), UTC), usegmt=True)
        return response and replace(response, headers={"date": date, **response.headers})

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._stopping.wait(seconds)


class _Server(ThreadingMixIn, TCPServer):
    """Accepts connections, each served by a thread until it is closed."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], respond: Callable[[Request, str], Response | None]) -> None:
        self.respond = respond
        self.connections: set[socket.socket] = set()
        self.ended = False
        super().__init__(address, _Handler)

    def end(self) -> None:
        """Close the door, and every line that is kept open."""
        self.ended = True
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            with suppress(OSError):  # closed by its own thread in this very moment
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests off one connection and writes responses onto it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        """Serve until the connection ends; that a client goes away is its good right."""
        with suppress(ConnectionError, TimeoutError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Print nothing; requests are counted."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what cannot be read as a request, or has a method that nothing answers to."""
        said = message or explain or self.responses.get(code, ("",))[0]
        self._send(refusal(Request(self.command or "", ""), Refusal(code, said)))
        self.close_connection = True

    def do_any(self) -> None:
        if self.server.ended:  # accepted while the door was closing
            self._break()
            return
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        response = self.server.respond(self._request(translated(path), parts.query), path)
        if response is None:
            self._break()
        else:
            self._send(response)

    do_GET = do_POST = do_DELETE = do_any  # noqa: N815 - the names that the library calls

    def _request(self, path: str, query: str) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = dict(parse_qsl(query, keep_blank_values=True))
        bearer = headers.get("authorization", "").removeprefix("Bearer").strip()
        key = bearer or headers.get("api-key") or headers.get("x-goog-api-key") or asked.get("key", "")
        return Request(self.command, path, asked, headers, self._body(headers), key)

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return self.rfile.read(int(headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, response: Response) -> None:
        """Write a response in one piece, or byte by byte."""
        headers = {
            "content-type": response.content_type,
            "content-length": str(len(response.body)),
            "x-newstune-simulated": "1",
            "x-request-id": f"req_{os.urandom(8).hex()}",
            **response.headers,
        }
        lines = [f"HTTP/1.1 {response.status} {self.responses.get(response.status, ('',))[0]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head, body = "\r\n".join([*lines, "", ""]).encode(), response.body[: response.sent_bytes]
        pieces = [head + body] if not response.byte_s else [head, *(bytes([byte]) for byte in body)]
        for piece in pieces:
            self.connection.sendall(piece)
            time.sleep(response.byte_s)
        self.close_connection = response.sent_bytes is not None or headers.get("connection") == "close"

    def _break(self) -> None:
        """Reset the connection. The socket is closed below the file objects that would say good-bye."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.server.connections.discard(self.connection)
        os.close(self.connection.detach())
        self.close_connection = True
