"""The server behind the provider "simulator": started in this process when it is first asked for."""

from pathlib import Path
from threading import Lock

from core.providers.loopback.server import Loopback


class SimulatorServer:
    """Returns the base URL of a loopback vendor when called, starting it at the first call.

    Parameters
    ----------
    folder : Path
        Holds ``simulator.db``, which several processes may share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._server: Loopback | None = None

    def __call__(self) -> str:
        """Return the address of OpenAI's shape, such as ``http://127.0.0.1:PORT/v1``."""
        with self._lock:
            if self._server is None:
                self._server = Loopback(self._folder / "simulator.db").start()
            return f"{self._server.url}/v1"

    def stop(self) -> None:
        """Stop the server, if it runs. The next call starts another."""
        with self._lock:
            if self._server is not None:
                self._server.stop()
                self._server = None
