"""The entry: the dashboard, the JSON routes beside it, and the scheduler in the server's lifespan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from core.api import routes
from core.bootstrap import get_app
from core.scheduler import Scheduler


@asynccontextmanager
async def lifespan(_server: object) -> AsyncIterator[None]:
    """Migrate before the first visitor, run the jobs while the server lives, stop them with it."""
    newstune = get_app()
    if not newstune.settings.scheduler:
        yield
        return
    scheduler = Scheduler(newstune)
    scheduler.start()
    newstune.scheduler_state = scheduler.state
    yield
    scheduler.stop()


app = st.App("ui/router.py", lifespan=lifespan, routes=routes)
