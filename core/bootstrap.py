"""Composition root: settings in, a working application out. The only place that names concrete classes.

Also the only place in core that reads the clock.
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from threading import Lock
from types import ModuleType
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from core.db import migrate, open_engine
from core.domain.policy import Policy
from core.domain.sessions import SessionTable
from core.errors import NotFound, Refused
from core.providers.base import Provider, Trainer
from core.settings import Settings

#: The calendar covers this much before and after today; news outside it has no session.
CALENDAR_START = date(2000, 1, 1)
CALENDAR_AHEAD = timedelta(days=400)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _no_scheduler() -> dict[str, Any]:
    return {"role": "off", "since": None, "next_runs": {}}


@dataclass
class App:
    """The application: everything that services are handed.

    Parameters
    ----------
    settings : Settings
        Where data lies and how the program is reached.
    engine : Engine
        The migrated database.
    providers : mapping of str to Provider
        What can train and answer, by name.
    now : callable
        The clock; returns an aware UTC datetime.
    """

    settings: Settings
    engine: Engine
    providers: Mapping[str, Provider]
    now: Callable[[], datetime] = _utc_now
    #: long work started from a page or the API, one piece at a time, off the page's thread
    background: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="newstune")
    )

    #: role, since and next runs of the scheduler; replaced by the process that starts one
    scheduler_state: Callable[[], dict[str, Any]] = _no_scheduler

    @property
    def policy(self) -> Policy:
        """The numbers that govern the gates."""
        return self.settings.policy

    @cached_property
    def calendar(self) -> SessionTable:
        """Sessions of the Korean exchange; built at first use, since the library takes about a second."""
        from core.sources.calendar import krx_sessions  # noqa: PLC0415 - see above

        return krx_sessions(CALENDAR_START, self.now().date() + CALENDAR_AHEAD)

    @cached_property
    def runner(self) -> str:
        """Name of this process in job and import histories: ``host:pid``."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @property
    def trainers(self) -> dict[str, Trainer]:
        """The providers that can train, by name."""
        return {name: p.trainer for name, p in self.providers.items() if p.trainer is not None}

    def trainer(self, name: str) -> Trainer:
        """Return a trainer by its provider's name, or raise NotFound naming those there are."""
        if name not in self.trainers:
            raise NotFound("provider that trains", name, f"Choose one of: {', '.join(self.trainers)}")
        return self.trainers[name]

    def close(self) -> None:
        """Let the background work finish what it holds and close the database."""
        self.background.shutdown(wait=True, cancel_futures=True)
        self.engine.dispose()


def build_app(
    settings: Settings | None = None,
    *,
    providers: Mapping[str, Provider] | None = None,
    now: Callable[[], datetime] = _utc_now,
) -> App:
    """Open and migrate the database and put the application together.

    Tests call this with a temporary folder, their own providers and a fixed clock.

    Raises
    ------
    Refused
        If the database cannot be used by this version of the program.
    """
    try:
        settings = settings or Settings()
    except (SettingsError, ValidationError) as error:
        raise Refused(
            f"A setting cannot be used: {_first_line(error)}", "See the table in README.md"
        ) from error
    try:
        engine = open_engine(settings.url)
        migrate(engine)
    except (SQLAlchemyError, OSError) as error:
        problem = f"The database in '{settings.data_dir.name}' cannot be opened: {_first_line(error)}"
        raise Refused(
            problem, "Check NEWSTUNE_DATA_DIR and NEWSTUNE_DATABASE_URL, or restore a backup"
        ) from error
    return App(settings, engine, providers if providers is not None else _all_providers(), now)


def _first_line(error: Exception) -> str:
    """Return what an error says, without the values of settings, which may be secret."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"NEWSTUNE_{'_'.join(map(str, first['loc'])).upper()}: {first['msg']}"
    return str(error).splitlines()[0]


def _all_providers() -> dict[str, Provider]:
    from core.providers.local.provider import LocalProvider  # noqa: PLC0415 - a second of imports

    local = LocalProvider()
    return {local.name: local}


#: A module without a file survives Streamlit's hot reload, which re-imports all of ours.
_process = sys.modules.setdefault("_newstune", ModuleType("_newstune"))
_process_lock: Lock = _process.__dict__.setdefault("lock", Lock())


def get_app() -> App:
    """Return this process's application, building it at the first call."""
    with _process_lock:
        if "app" not in _process.__dict__:
            _process.__dict__["app"] = build_app()
        app: App = _process.__dict__["app"]
        return app


def set_app(app: App | None) -> None:
    """Put another application in this process's place; tests use it, None forgets the present one."""
    with _process_lock:
        if app is None:
            _process.__dict__.pop("app", None)
        else:
            _process.__dict__["app"] = app
