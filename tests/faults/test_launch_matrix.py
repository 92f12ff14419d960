"""A crash before or after every step of a paid launch, times what the vendor may do with the request.

A step is a commit of ours or an exchange with the vendor. After each crash the program starts again, time
passes, and the vendor's own list says how many trainings would be paid for.
"""

from collections import Counter

import httpx2
import openai
import pytest
from sqlalchemy import event

from core import workflows
from core.domain.types import ACTIVE_JOB_STATUSES, JobStatus
from core.providers.loopback.script import Fault, Script
from core.providers.loopback.server import Loopback
from tests.paid import KEY, MODEL, Clock, application, creations, held, job, money, paid_for, queue, settle

pytestmark = pytest.mark.faults

CREATE, UPLOAD = "POST /v1/fine_tuning/jobs", "POST /v1/files"
#: what happens to the requests, and how many scenarios there are at least (steps before and after)
OUTCOMES = {
    "accepted": ((), 22),
    "accepted, answer reset": ((Fault("lost_reset", CREATE, nth=(1,)),), 24),
    "accepted, answer too late": ((Fault("lost_timeout", CREATE, nth=(1,), delay_s=1.5),), 24),
    "accepted, then 500": ((Fault("500_after", CREATE, nth=(1,)),), 24),
    "not accepted, 500": ((Fault("500_before", CREATE, nth=(1,)),), 24),
    "not accepted, reset": ((Fault("reset_before", CREATE, nth=(1,)),), 23),
    "busy": ((Fault("status", CREATE, nth=(1,), status=429),), 26),
    "not allowed": ((Fault("status", CREATE, status=403),), 26),
    "upload lost, accepted": ((Fault("lost_reset", UPLOAD, nth=(1,)),), 5),
    "upload lost, answer reset": (
        (Fault("lost_reset", UPLOAD, nth=(2,)), Fault("lost_reset", CREATE, nth=(1,))),
        10,
    ),
}


class Crash(BaseException):
    """The process is gone: nothing of ours may catch this."""


class Steps:
    """Counts the steps of a launch and crashes before the one it was told."""

    def __init__(self, engine, monkeypatch, crash_at):
        self.seen, self.crash_at, self.armed = 0, crash_at, True
        event.listen(engine, "commit", lambda _connection: self.step())
        send = httpx2.Client.send

        def counted(client, request, **options):
            self.step()
            response = send(client, request, **options)
            self.step()
            return response

        monkeypatch.setattr(httpx2.Client, "send", counted)

    def step(self):
        if not self.armed:
            return
        if self.seen == self.crash_at:
            self.armed = False
            raise Crash
        self.seen += 1


def play(folder, faults, crash_at, monkeypatch):
    """Play one scenario; return what came of it, or None where there is no such step."""
    clock = Clock()
    with Loopback(script=Script(faults=faults, tuning_s=3_600)) as vendor:
        app = application(folder, vendor.url, clock)
        queue(app)
        with monkeypatch.context() as patch:
            steps = Steps(app.engine, patch, crash_at)
            crashed = False
            try:
                workflows.poll_training(app)
            except Crash:
                crashed = True
            steps.armed = False
        app.close()
        app = application(folder, vendor.url, clock)
        settle(app, clock)
        asked = False
        if job(app).status == JobStatus.UNKNOWN:
            asked = True
            workflows.resolve_unknown(app, 1, "send_again")
            settle(app, clock)
        last = job(app)
        result = {
            "paid": len(paid_for(vendor)),
            "posts": creations(vendor),
            "status": str(last.status),
            "asked": asked,
            "held": held(app),
            "spent": money(app)["actual"],
        }
        app.close()
    return result if crashed or crash_at < 0 else None


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_crash_and_no_outcome_pays_twice_or_leaves_a_job_hanging(
    outcome, seed, tmp_path, monkeypatch, capsys
):
    faults, least = OUTCOMES[outcome]
    tally = Counter()
    for crash_at in range(-1, 60):
        result = play(seed(tmp_path / f"at {crash_at}"), faults, crash_at, monkeypatch)
        if result is None:
            break
        tally["scenarios"] += 1
        told = f"{outcome}, crash before step {crash_at}: {result}"
        assert result["paid"] <= 1, told
        ended = result["status"] not in ACTIVE_JOB_STATUSES
        assert ended or result["status"] == JobStatus.RUNNING, told
        assert result["paid"] == (0 if ended else 1), told
        assert bool(result["held"]) is not ended, told
        assert result["posts"] <= (2 if crash_at >= 0 or result["asked"] else 1), told
        tally["asked a person"] += result["asked"]
        tally[result["status"]] += 1
    with capsys.disabled():
        print(f"\n{outcome}: {dict(tally)}, double spends 0")
    assert tally["scenarios"] >= least


def test_the_matrix_has_two_hundred_scenarios():
    assert sum(least for _, least in OUTCOMES.values()) >= 200


def test_the_plain_call_with_the_sdks_defaults_does_pay_twice():
    fault = Fault("lost_reset", CREATE, nth=(1,))
    with Loopback(script=Script(faults=(fault,), tuning_s=3_600)) as vendor:
        client = openai.OpenAI(api_key=KEY, base_url=f"{vendor.url}/v1")
        with client:
            line = '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}\n'
            file = client.files.create(file=("train.jsonl", (line * 10).encode()), purpose="fine-tune")
            client.fine_tuning.jobs.create(model=MODEL, training_file=file.id)
        assert len(paid_for(vendor)) == 2


@pytest.mark.parametrize("outcome", [name for name in OUTCOMES if "answer" in name])
def test_a_lost_response_is_one_post(outcome, seed, tmp_path):
    clock = Clock()
    with Loopback(script=Script(faults=OUTCOMES[outcome][0], tuning_s=3_600)) as vendor:
        app = application(seed(tmp_path / "one"), vendor.url, clock)
        queue(app)
        for _ in range(3):  # an upload that was lost ends the first attempt before anything is paid
            settle(app, clock)
        if creations(vendor):
            assert (creations(vendor), len(paid_for(vendor)), job(app).status) == (1, 1, "running")
        app.close()
