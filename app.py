"""The entry: the dashboard, the JSON routes beside it, and the scheduler in the server's lifespan."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st

from core.api import routes
from core.bootstrap import get_app
from core.scheduler import Scheduler


@asynccontextmanager
async def lifespan(_server: object) -> AsyncIterator[None]:
    """Migrate before the first visitor, run the jobs while the server lives, stop them with it."""
    send_at_once(asyncio.get_running_loop())
    newstune = get_app()
    scheduler = Scheduler(newstune) if newstune.settings.scheduler else None
    if scheduler is not None:
        scheduler.start()
        newstune.scheduler_state = scheduler.state
    yield
    if scheduler is not None:
        scheduler.stop()
    await asyncio.to_thread(newstune.stop_services)  # questions that were taken are answered


def send_at_once(loop: asyncio.AbstractEventLoop) -> None:
    """Let the sockets on which this loop will listen send small pieces at once.

    Streamlit binds its socket so that asyncio does not see that it is TCP and leaves Nagle's algorithm on.
    An answer is written in two pieces, and the second would wait 40 ms for the client's delayed
    acknowledgement of the first. Accepted connections take the option over from the listening socket.
    """
    listen = loop.create_server

    async def listen_without_delay(*arguments: Any, sock: socket.socket | None = None, **options: Any) -> Any:
        if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return await listen(*arguments, sock=sock, **options)

    loop.create_server = listen_without_delay  # type: ignore[method-assign]


app = st.App("ui/router.py", lifespan=lifespan, routes=routes)
