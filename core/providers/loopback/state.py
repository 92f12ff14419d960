"""What the vendor remembers: files, trainings, batches, deployments, in one SQLite file or in memory.

Several server processes may share a file. Progress is not stored: it follows from the time of creation.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS thing (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL,
    created REAL NOT NULL, data TEXT NOT NULL, content BLOB, UNIQUE (kind, id)
)
"""


@dataclass(frozen=True)
class Thing:
    """One remembered object: its id, when it was created (seconds since 1970, UTC) and its facts."""

    id: str
    created: float
    data: dict[str, Any]


class State:
    """The memory.

    Parameters
    ----------
    path : Path or None
        SQLite file, made with its folder where missing; None keeps everything in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = RLock()
        self._connection = sqlite3.connect(
            path or ":memory:", timeout=10, isolation_level=None, check_same_thread=False
        )
        with self._writing() as connection:
            connection.execute(_SCHEMA)
        if path is not None:
            self._use_wal()

    def _use_wal(self) -> None:
        self._connection.execute("PRAGMA synchronous=NORMAL")
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            return  # another process is switching it over at this very moment

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock from the first statement, so that read-then-write loses nothing."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def add(
        self, kind: str, key: str, created: float, data: Mapping[str, Any], content: bytes | None = None
    ) -> Thing:
        """Remember something; what is there under this kind and id already stays as it is."""
        row = (kind, key, created, json.dumps(data), content)
        with self._writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO thing (kind, id, created, data, content) VALUES (?, ?, ?, ?, ?)", row
            )
        return Thing(key, created, dict(data))

    def get(self, kind: str, key: str) -> Thing | None:
        """Return something by its id."""
        rows = self._read("SELECT id, created, data FROM thing WHERE kind = ? AND id = ?", kind, key)
        return _thing(rows[0]) if rows else None

    def all(self, kind: str) -> list[Thing]:
        """Return everything of a kind, newest first."""
        rows = self._read("SELECT id, created, data FROM thing WHERE kind = ? ORDER BY number DESC", kind)
        return [_thing(row) for row in rows]

    def content(self, kind: str, key: str) -> bytes | None:
        """Return the bytes that were stored with something; None where there are none."""
        rows = self._read("SELECT content FROM thing WHERE kind = ? AND id = ?", kind, key)
        return rows[0][0] if rows else None

    def change(self, kind: str, key: str, **facts: Any) -> None:
        """Set facts of something that is remembered."""
        where = "kind = ? AND id = ?"
        with self._writing() as connection:
            row = connection.execute(f"SELECT data FROM thing WHERE {where}", (kind, key)).fetchone()  # noqa: S608
            if row:
                data = json.dumps({**json.loads(row[0]), **facts})
                connection.execute(f"UPDATE thing SET data = ? WHERE {where}", (data, kind, key))  # noqa: S608

    def remove(self, kind: str, key: str) -> bool:
        """Forget something; False where it was not there."""
        with self._writing() as connection:
            gone = connection.execute("DELETE FROM thing WHERE kind = ? AND id = ?", (kind, key))
            return gone.rowcount > 0

    def clear(self) -> None:
        """Forget everything."""
        with self._writing() as connection:
            connection.execute("DELETE FROM thing")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _read(self, statement: str, *values: str) -> list[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()


def _thing(row: tuple[str, float, str]) -> Thing:
    return Thing(row[0], row[1], json.loads(row[2]))
