"""Real processes: killed in the middle of a launch, racing for one intent, and woken up too late."""

import os
import random
import signal
import time
from datetime import UTC, datetime, timedelta

import openai
import pytest

from core import workflows
from core.db import reading
from core.domain.types import JobStatus
from core.models import Alert
from core.providers.loopback.script import Script
from core.providers.loopback.server import Loopback
from tests.paid import KEY, Clock, application, creations, job, paid_for, queue, settle

pytestmark = pytest.mark.faults

KILLS, RACES, DRIVERS = 50, 30, 4
SLOW = Script(latency_s={"*": 0.02}, tuning_s=3_600)


def driver(folder, url):
    """Fork a process that drives the waiting launches once; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        app = application(folder, url, lambda: datetime.now(UTC))
        workflows.poll_training(app)
    finally:
        os._exit(0)


def test_a_driver_killed_at_any_moment_leaves_one_job_and_none_hanging(seed, tmp_path, capsys):
    dice = random.Random(20261122)
    posts = killed = 0
    for number in range(KILLS):
        folder = seed(tmp_path / f"kill-{number}")
        with Loopback(script=SLOW) as vendor:
            app = application(folder, vendor.url, lambda: datetime.now(UTC))
            queue(app)
            app.close()
            child = driver(folder, vendor.url)
            time.sleep(dice.uniform(0.0, 0.6))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            killed += os.WIFSIGNALED(status)
            time.sleep(0.05)  # what was under way at the vendor ends
            clock = Clock(datetime.now(UTC))
            app = application(folder, vendor.url, clock)
            settle(app, clock)
            assert (len(paid_for(vendor)), job(app).status) == (1, JobStatus.RUNNING), number
            posts += creations(vendor)
            app.close()
    with capsys.disabled():
        print(f"\nkill -9: {killed} of {KILLS} died in the launch, {posts} POSTs, 0 double, 0 stuck")
    assert killed >= KILLS // 2  # else the launches were over before the shots


def test_drivers_that_race_for_one_intent_send_it_once(seed, tmp_path, capsys):
    for number in range(RACES):
        folder = seed(tmp_path / f"race-{number}")
        with Loopback(script=SLOW) as vendor:
            app = application(folder, vendor.url, lambda: datetime.now(UTC))
            queue(app)
            app.close()
            for child in [driver(folder, vendor.url) for _ in range(DRIVERS)]:
                os.waitpid(child, 0)
            assert (creations(vendor), len(paid_for(vendor))) == (1, 1), number
    with capsys.disabled():
        print(f"\n{DRIVERS} drivers on one intent: 0 of {RACES} races launched twice")


def test_a_driver_that_wakes_up_after_its_lease_is_found_out_and_its_job_is_cancelled(seed, tmp_path):
    folder = seed(tmp_path / "zombie")
    with Loopback(script=Script(latency_s={"GET /v1/fine_tuning/jobs": 0.5}, tuning_s=3_600)) as vendor:
        app = application(folder, vendor.url, lambda: datetime.now(UTC), timeout_s=30)
        queue(app)
        app.close()
        child = driver(folder, vendor.url)
        deadline = time.monotonic() + 10
        # it waits for the vendor's list now, just before it would send: no lock is held
        while not vendor.count("GET", "/fine_tuning/jobs") and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(child, signal.SIGSTOP)
        clock = Clock(datetime.now(UTC) + timedelta(minutes=4))
        app = application(folder, vendor.url, clock)
        workflows.poll_training(app)  # takes over, since the lease has run out
        os.kill(child, signal.SIGCONT)
        os.waitpid(child, 0)
        settle(app, clock)
        assert (len(paid_for(vendor)), job(app).status) == (1, JobStatus.RUNNING)
        app.close()


def test_a_second_job_that_a_lagging_list_hid_is_cancelled_with_an_alert(seed, tmp_path):
    folder, clock = seed(tmp_path / "lag"), Clock()
    with Loopback(script=Script(tuning_s=3_600)) as vendor:
        app = application(folder, vendor.url, clock)
        queue(app)
        workflows.poll_training(app)
        with openai.OpenAI(api_key=KEY, base_url=f"{vendor.url}/v1", max_retries=0) as client:
            first = client.fine_tuning.jobs.retrieve(job(app).handle["job"])
            client.fine_tuning.jobs.create(
                model=first.model, training_file=first.training_file, metadata=first.metadata
            )
        assert len(paid_for(vendor)) == 2
        settle(app, clock)
        assert paid_for(vendor) == [first.id]
        with reading(app.engine) as session:
            alert = session.get(Alert, 1)
            assert (alert.rule, alert.state) == ("DUPLICATE_LAUNCH", "open")
        app.close()
