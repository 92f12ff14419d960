"""What the scheduler runs, and the history that it keeps."""

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, desc, select

from core.bootstrap import App
from core.db import reading, writing
from core.domain.types import RunStatus
from core.errors import NotFound, Refused
from core.models import ImportRun, JobRun
from core.services import outcomes, registry, training
from core.workflows.data import refresh
from core.workflows.experiment_job import follow_experiments
from core.workflows.predictions import follow_predictions
from core.workflows.sweeps import score_sweeps
from core.workflows.training import poll_training

log = logging.getLogger(__name__)


def settle_outcomes(app: App) -> str:
    """Mature the outcomes whose close is known now; say what changed, or nothing."""
    with reading(app.engine) as session:
        if not outcomes.has_due(session, now=app.now()):
            return ""
    counts = refresh(app)
    changed = {name: counts[name] for name in ("outcomes_new", "outcomes_changed", "reasons_changed")}
    return ", ".join(f"{name.replace('_', ' ')}: {n}" for name, n in changed.items() if n)


def follow_training(app: App) -> str:
    """Follow the training jobs in flight; say which ended."""
    with reading(app.engine) as session:
        if not training.has_work(session):
            return ""
    ended = poll_training(app)
    if ended:
        score_sweeps(app)
    return f"ended: {', '.join(f'job {job_id}' for job_id in ended)}" if ended else ""


def close_broken_runs(app: App) -> str:
    """Mark imports whose process on this machine is gone as failed, so that none runs for ever."""
    closed = 0
    with writing(app.engine) as session:
        for run in session.exec(select(ImportRun).where(ImportRun.status == RunStatus.RUNNING)):
            host, _, pid = run.runner.rpartition(":")
            if host == socket.gethostname() and not _is_alive(int(pid)):
                run.status, run.finished_at = RunStatus.FAILED, app.now()
                run.step = "The program stopped during this import. Import it again: nothing is stored twice."
                session.add(run)
                closed += 1
        session.commit()
    if closed:
        refresh(app)  # what it stored before it broke off has not been judged
    return f"imports closed: {closed}" if closed else ""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True)
class Job:
    """Something that runs by itself.

    Parameters
    ----------
    name : str
        Its name in the history and on the Operations page.
    run : callable
        Takes the application, returns what it did in a few words, or "" when nothing was due.
    every_s : int
        Seconds between runs.
    """

    name: str
    run: Callable[[App], str]
    every_s: int


JOBS = (
    Job("imports broken off", close_broken_runs, every_s=60),
    Job("outcomes due", settle_outcomes, every_s=600),
    Job("training poll", follow_training, every_s=3),
    Job("predictions", follow_predictions, every_s=5),
    Job("live experiments", follow_experiments, every_s=30),
)


def run_job_now(app: App, name: str) -> str:
    """Run one of `JOBS` at once, by a person's wish, and return what it did.

    Raises
    ------
    NotFound
        If there is no job of that name.
    Refused
        If the job failed; its run is kept as such.
    """
    for job in JOBS:
        if job.name == name:
            status, message = run_job(app, job)
            if status == RunStatus.FAILED:
                raise Refused(f"The job '{name}' failed: {message}", "Look at the job runs on this page")
            return message
    raise NotFound("job", name, f"Choose one of: {', '.join(job.name for job in JOBS)}")


def run_job(app: App, job: Job) -> tuple[RunStatus, str]:
    """Run a job and keep its history: runs that did something, and failures (a repeated one once).

    Returns how it ended and what it did or why it failed.

    This is the one place that catches every exception: a failing job must not stop the scheduler.
    """
    started, status = app.now(), RunStatus.SUCCEEDED
    try:
        message = job.run(app)
    except Exception as error:
        log.exception("job '%s' failed", job.name)
        status, message = RunStatus.FAILED, f"{type(error).__name__}: {error}"[:500]
    if message:
        run = JobRun(
            job=job.name,
            status=status,
            started_at=started,
            finished_at=app.now(),
            message=message,
            runner=app.runner,
        )
        with writing(app.engine) as session:
            _keep(session, run)
    return status, message


def _keep(session: Session, run: JobRun) -> None:
    """Add a run to the history; a failure that repeats the last one only moves that one's end."""
    newest = select(JobRun).where(JobRun.job == run.job).order_by(desc(JobRun.id)).limit(1)
    last = session.exec(newest).first()
    if last and run.status == RunStatus.FAILED and (last.status, last.message) == (run.status, run.message):
        last.finished_at = run.finished_at
        run = last
    session.add(run)
    session.commit()


def health(app: App) -> dict[str, Any]:
    """Return whether the database answers, the champions by target, and the scheduler's role."""
    with reading(app.engine) as session:
        champions = registry.champion_names(session)
    return {"status": "ok", "champions": champions, "scheduler": app.scheduler_state()["role"]}
