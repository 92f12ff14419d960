"""Engine, transactions and migrations. All SQLite-only SQL lives here and in ``migrations/``.

Two defaults of SQLAlchemy on SQLite lose data and are replaced here: the driver does not BEGIN before
a SELECT, so read-then-write loses updates (`BEGIN IMMEDIATE` on every writing transaction mends it),
and a failed migration stays half applied (the same BEGIN makes it atomic).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import ColumnElement, Engine, SQLColumnExpression, String, create_engine, event, func
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, SQLModel

from core.errors import Refused

#: Rows a statement.
CHUNK = 5_000
MIGRATIONS = Path(__file__).parent / "migrations"
#: First release with the fix for the WAL-reset corruption bug, and the branches it was ported to.
FIXED_SQLITE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


def _driver() -> ModuleType:
    """Return the newest SQLite binding at hand: pysqlite3's wheel, else the standard library's."""
    try:
        return import_module("pysqlite3.dbapi2")
    except ImportError:
        return import_module("sqlite3.dbapi2")


def sqlite_version() -> tuple[int, ...]:
    """Return the version of the SQLite library in use."""
    return tuple(_driver().sqlite_version_info)


def sqlite_is_affected(version: tuple[int, ...]) -> bool:
    """Tell whether a SQLite version has the WAL-reset bug (3.7.0 to 3.51.2 without a backport)."""
    if version < (3, 7, 0) or version >= FIXED_SQLITE[0]:
        return False
    return not any(version[:2] == fixed[:2] and version >= fixed for fixed in FIXED_SQLITE[1:])


def open_engine(url: str) -> Engine:
    """Open the database, creating its folder, with WAL, foreign keys and explicit transactions.

    Raises
    ------
    Refused
        If `url` is not a SQLite URL.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise Refused(
            f"The database '{parsed.get_backend_name()}' is not supported yet",
            "Set NEWSTUNE_DATABASE_URL to sqlite:///... or leave it empty",
        )
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, module=_driver(), hide_parameters=True)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA synchronous={options.get('newstune_sync', 'NORMAL')}")
    connection.exec_driver_sql(f"BEGIN {options.get('newstune_mode', 'IMMEDIATE')}")


@contextmanager
def writing(engine: Engine, *, durable: bool = False) -> Iterator[Session]:
    """Yield a session whose transactions take the write lock at their first statement.

    Nothing is committed unless the caller commits: services do, once, at their end. `durable` is for
    money: a commit is on the disk before it returns, also against a loss of power.

    Raises
    ------
    Refused
        If the database is locked for too long, full, or read-only; the transaction left nothing.
    """
    bound = engine.execution_options(newstune_sync="FULL") if durable else engine
    with _translated(), Session(bound, expire_on_commit=False) as session:
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Yield a session that sees one snapshot and never takes the write lock; raises as `writing` does."""
    with _translated(), Session(engine.execution_options(newstune_mode="DEFERRED")) as session:
        yield session


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise Refused(
            f"The database cannot do this now ({error.orig}); nothing was written",
            "Try again in a moment, and look at the free space of the disk if it stays so",
        ) from error


def let_go(session: Session) -> None:
    """End a reading beat: give the lock back and keep the values that were loaded.

    A plain rollback expires what was loaded, and the next look at it would begin a new write transaction
    over the slow work that the beat was ended for.
    """
    session.expunge_all()
    session.rollback()


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> str:
    """Bring the schema to the newest revision in one transaction and return that revision.

    Raises
    ------
    Refused
        If the database was written by a newer program.
    """
    with engine.begin() as connection:
        config = _alembic(connection)
        scripts = ScriptDirectory.from_config(config)
        current = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in scripts.walk_revisions()}
        if current is not None and current not in known:
            raise Refused(
                f"The database was written by a newer Newstune (revision {current})",
                "Update the program, or point NEWSTUNE_DATA_DIR at another folder",
            )
        head = str(scripts.get_current_head())
        if current != head:
            command.upgrade(config, "head")
    return head


def insert_new(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows that break no unique constraint, in chunks, and return how many went in.

    Parameters
    ----------
    session : Session
        A writing session; the caller commits.
    table : type of SQLModel
        Target table.
    rows : sequence of mapping
        Column values; every row must have the same keys.
    """
    statement = insert(table).on_conflict_do_nothing()
    inserted = 0
    for start in range(0, len(rows), CHUNK):
        result = session.connection().execute(statement, [dict(row) for row in rows[start : start + CHUNK]])
        inserted += result.rowcount
    return inserted


def korean_day(moment: SQLColumnExpression[datetime | None]) -> ColumnElement[str | None]:
    """Return the Seoul date of a stored UTC time as text, ``YYYY-MM-DD`` (Korea keeps UTC+9 all year)."""
    return func.date(moment, "+9 hours", type_=String)
