"""Which process runs the scheduled jobs, and when.

The jobs (`workflows.JOBS`) are kept in memory; each asks the database what is due, so a crash loses
nothing and a run too many does nothing. Of all processes on one database, the holder of the lock file
runs the jobs; the others stand by and take over within a second of its end, even by ``kill -9``.
"""

import logging
from datetime import datetime
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from filelock import FileLock, Timeout

from core import workflows
from core.bootstrap import App

log = logging.getLogger(__name__)
#: Seconds between a standby's attempts to become leader.
STANDBY_INTERVAL_S = 1


class Scheduler:
    """The in-process scheduler with its leader lock.

    Parameters
    ----------
    app : App
        The application whose jobs it runs.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = FileLock(app.settings.data_dir / "scheduler.lock", thread_local=False)
        self._scheduler = BackgroundScheduler(
            timezone="Asia/Seoul",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 300},
        )
        self.leader_since: datetime | None = None

    def start(self) -> None:
        """Start competing for the lock; returns at once."""
        self._app.settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._scheduler.add_job(
            self._lead, "interval", seconds=STANDBY_INTERVAL_S, id="lead", next_run_time=self._app.now()
        )
        self._scheduler.start()

    def _lead(self) -> None:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return
        self.leader_since = self._app.now()
        for job in workflows.JOBS:
            self._scheduler.add_job(
                workflows.run_job,
                "interval",
                args=(self._app, job),
                seconds=job.every_s,
                id=job.name,
                next_run_time=self._app.now(),
            )
        self._scheduler.remove_job("lead")
        log.info("this process leads the scheduler")

    def stop(self) -> None:
        """Stop without waiting for a running job, and hand the lock to a standby."""
        self._scheduler.shutdown(wait=False)
        self._lock.release()
        self.leader_since = None

    def state(self) -> dict[str, Any]:
        """Return the role (``"leader"`` or ``"standby"``), since when, and the next run of each job."""
        jobs = [] if self.leader_since is None else self._scheduler.get_jobs()
        return {
            "role": "standby" if self.leader_since is None else "leader",
            "since": self.leader_since,
            "next_runs": {job.id: job.next_run_time for job in jobs},
        }
