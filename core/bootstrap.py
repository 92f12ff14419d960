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
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from tomllib import TOMLDecodeError
from types import ModuleType
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from core.db import migrate, open_engine
from core.domain.policy import Policy
from core.domain.pricing import Price
from core.domain.sessions import SessionTable
from core.errors import NotFound, Refused
from core.providers.base import Provider, Trainer
from core.redaction import Redactor, keep_keys_out_of_logs
from core.settings import ProviderSettings, Settings
from core.sources.prices import read_prices

#: The calendar covers this much before and after today; news outside it has no session.
CALENDAR_START = date(2000, 1, 1)
CALENDAR_AHEAD = timedelta(days=400)
PRICES = Path(__file__).with_name("prices.yaml")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _no_scheduler() -> dict[str, Any]:
    return {"role": "off", "since": None, "next_runs": {}}


@cache
def _shipped_prices() -> tuple[Price, ...]:
    """Return the shipped prices, read once a process: the file takes a tenth of a second."""
    return read_prices(PRICES)


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

    #: what must end before the database is closed; the newest ends first
    on_close: list[Callable[[], None]] = field(default_factory=list)

    #: takes keys out of whatever is logged, stored or shown
    redact: Redactor = field(default_factory=Redactor)

    @property
    def prices(self) -> tuple[Price, ...]:
        """The shipped price table; entered prices lie over it (`services.costs.price_book`)."""
        return _shipped_prices()

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

    def provider(self, name: str) -> Provider:
        """Return a provider by name, or raise NotFound naming those there are."""
        if name not in self.providers:
            raise NotFound("provider", name, f"Choose one of: {', '.join(self.providers)}")
        return self.providers[name]

    @property
    def trainers(self) -> dict[str, Trainer]:
        """The providers that can train, by name."""
        return {name: p.trainer for name, p in self.providers.items() if p.trainer is not None}

    def trainer(self, name: str) -> Trainer:
        """Return a trainer by its provider's name, or raise NotFound naming those there are."""
        if name not in self.trainers:
            raise NotFound("provider that trains", name, f"Choose one of: {', '.join(self.trainers)}")
        return self.trainers[name]

    def stop_services(self) -> None:
        """End what runs beside the requests, the newest first: it finishes what it has taken."""
        while self.on_close:
            self.on_close.pop()()

    def close(self) -> None:
        """Let the background work finish what it holds and close the database."""
        self.stop_services()
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
    except (SettingsError, ValidationError, TOMLDecodeError, UnicodeDecodeError) as error:
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
    redact = Redactor(settings.secrets)
    keep_keys_out_of_logs(redact)
    made = providers if providers is not None else make_providers(settings, redact)
    return App(settings, engine, made, now, redact=redact)


def _first_line(error: Exception) -> str:
    """Return what an error says, without the values of settings, which may be secret."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        name = "_".join(map(str, first["loc"])).upper()
        prefix = "" if name.lower() in ProviderSettings.model_fields else "NEWSTUNE_"
        return f"{prefix}{name}: {first['msg']}"
    return str(error).splitlines()[0]


def make_providers(settings: Settings, redact: Redactor) -> dict[str, Provider]:
    """Return every provider that there is, with or without its key: a card says what is missing."""
    from core.providers.local.provider import LocalProvider  # noqa: PLC0415 - a second of imports

    made: list[Provider] = [LocalProvider(), *_compatible(settings, redact), *_google(settings, redact)]
    return {provider.name: provider for provider in made}


def _compatible(settings: Settings, redact: Redactor) -> list[Provider]:
    from core.providers.loopback.simulator import SimulatorServer  # noqa: PLC0415 - only where they are used
    from core.providers.openai_compat import flavours  # noqa: PLC0415
    from core.providers.openai_compat.provider import OpenAICompatible  # noqa: PLC0415
    from core.providers.token_counter import exact_counter  # noqa: PLC0415

    keys = settings.keys
    shared: dict[str, Any] = {"timeout_s": keys.provider_timeout_s, "redact": redact}
    if (exact := exact_counter(keys.tiktoken_cache_dir)) is not None:
        shared["count"] = exact
    made: list[Provider] = [
        OpenAICompatible(flavours.OPENAI, key=keys.openai_api_key, base_url=keys.openai_base_url, **shared),
        OpenAICompatible(
            flavours.AZURE,
            key=keys.azure_openai_api_key,
            base_url=keys.azure_openai_endpoint,
            api_version=keys.azure_openai_api_version,
            **shared,
        ),
        OpenAICompatible(flavours.NEBIUS, key=keys.nebius_api_key, base_url=keys.nebius_base_url, **shared),
    ]
    if keys.custom_base_url:
        models = [name.strip() for name in keys.custom_models.split(",") if name.strip()]
        made.append(
            OpenAICompatible(
                flavours.CUSTOM,
                key=keys.custom_api_key,
                base_url=keys.custom_base_url,
                models=models,
                **shared,
            )
        )
    if settings.simulator:
        server = SimulatorServer(settings.data_dir)
        made.append(OpenAICompatible(flavours.SIMULATOR, key=None, base_url=server, **shared))
    return made


def _google(settings: Settings, redact: Redactor) -> list[Provider]:
    from core.providers.gemini.provider import GeminiProvider  # noqa: PLC0415 - only where they are used
    from core.providers.gemini.vertex import VertexProvider  # noqa: PLC0415

    keys = settings.keys
    shared: dict[str, Any] = {"timeout_s": keys.provider_timeout_s, "redact": redact}
    gemini = GeminiProvider(
        key=keys.gemini_api_key, base_url=keys.gemini_base_url, sdk=keys.gemini_sdk, **shared
    )
    if not keys.google_cloud_project:
        return [gemini]
    vertex = VertexProvider(
        project=keys.google_cloud_project,
        location=keys.google_cloud_location,
        bucket=keys.google_cloud_bucket,
        **shared,
    )
    return [gemini, vertex]


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
