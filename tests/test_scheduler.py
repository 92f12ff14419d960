"""The scheduler: one leader, a standby that takes over, and a history of runs."""

import signal
import subprocess
import sys
import time

import pytest
from sqlmodel import select

from core import workflows
from core.db import reading, writing
from core.models import ImportRun, JobRun
from core.scheduler import Scheduler
from core.settings import ROOT
from core.workflows import JOBS, Job, run_job
from tests.conftest import NOW

LEADER = """
import sys, time
from pathlib import Path
from core.bootstrap import build_app
from core.scheduler import Scheduler
from core.settings import Settings
scheduler = Scheduler(build_app(Settings(data_dir=Path(sys.argv[1])), providers={}))
scheduler.start()
while scheduler.state()["role"] != "leader":
    time.sleep(0.05)
print("leading", flush=True)
time.sleep(60)
"""


def wait_until(true, seconds=8.0):
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def runs(app):
    with reading(app.engine) as session:
        return session.exec(select(JobRun).order_by(JobRun.id)).all()


@pytest.fixture
def real_clock(app):
    from core.bootstrap import _utc_now

    app.now = _utc_now
    return app


def test_the_first_process_leads_and_the_second_takes_over_when_it_is_killed(real_clock):
    folder = str(real_clock.settings.data_dir)
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert leader.stdout.readline().strip() == "leading"
        standby = Scheduler(real_clock)
        standby.start()
        time.sleep(1.5)
        assert standby.state()["role"] == "standby"
        leader.send_signal(signal.SIGKILL)
        assert wait_until(lambda: standby.state()["role"] == "leader", seconds=5)
        standby.stop()
    finally:
        leader.kill()
        leader.wait()
        leader.stdout.close()


def test_the_leader_shows_when_each_job_runs_next(real_clock):
    scheduler = Scheduler(real_clock)
    scheduler.start()
    assert wait_until(lambda: set(scheduler.state()["next_runs"]) == {job.name for job in JOBS})
    scheduler.stop()
    assert scheduler.state()["role"] == "standby"


def test_a_run_that_did_something_is_kept_with_what_it_did(app):
    run_job(app, Job("greet", lambda _: "did it", every_s=1))
    run = runs(app)[0]
    assert (run.job, run.status, run.message, run.started_at) == ("greet", "succeeded", "did it", NOW)


def test_a_run_with_nothing_due_leaves_no_trace(app):
    run_job(app, Job("idle", lambda _: "", every_s=1))
    assert runs(app) == []


def test_a_failing_job_is_recorded_once_however_often_it_fails(app):
    def broken(_):
        raise ValueError("the disk is on fire")

    for _ in range(3):
        run_job(app, Job("broken", broken, every_s=1))
    assert [(run.status, run.message) for run in runs(app)] == [("failed", "ValueError: the disk is on fire")]


def test_an_import_whose_process_is_gone_is_closed(app):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = app.runner.split(":")[0]
    with writing(app.engine) as session:
        for runner in (f"{host}:{gone.pid}", app.runner):
            session.add(ImportRun(kind="labelled", name="x", runner=runner, started_at=NOW))
        session.commit()
    workflows.close_broken_runs(app)
    with reading(app.engine) as session:
        assert [run.status for run in session.exec(select(ImportRun))] == ["failed", "running"]
