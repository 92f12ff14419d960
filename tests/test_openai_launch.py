"""A paid start at a vendor: at most one job, whatever is killed and whichever answer is lost."""

from time import monotonic, sleep

import openai
import pytest
from pydantic import SecretStr

from core.domain.types import JobStatus
from core.errors import FateUnknown, LeaseLost, ProviderBlocked, ProviderFailed, ProviderUnreachable
from core.providers.base import Launch
from core.providers.loopback.script import Fault, Script
from core.providers.openai_compat import client, files
from core.providers.openai_compat.client import Connection
from core.providers.openai_compat.faults import Fault as VendorFault
from core.providers.openai_compat.flavours import NEBIUS, OPENAI
from tests.openai_vendor import (
    KEY,
    MODEL,
    Driver,
    Killed,
    jobs,
    posts,
    sdk,
    spec,
    uploaded,
    vendor,
)

pytestmark = pytest.mark.vendors

CREATE = "POST /v1/fine_tuning/jobs"
LIST = "GET /v1/fine_tuning/jobs"
#: outcome of the paid request, and whether the vendor did carry it out
LOST = {
    "lost_reset": True,
    "lost_timeout": True,
    "500_after": True,
    "truncated": True,
    "cut_off": True,
    "500_before": False,
    "reset_before": False,
    "html": False,
}


def faults(*some, **more):
    return Script(faults=tuple(some), **more)


def start(made, driver, tmp_path, **killed):
    return made.trainer.start(spec(), tmp_path, driver.launch(**killed))


def test_a_start_uploads_the_files_and_creates_one_job_that_carries_the_intent(tmp_path):
    with vendor() as (server, made):
        driver = Driver()
        handle = made.trainer.start(
            spec(hyperparameters={"n_epochs": 2, "batch_size": "auto"}), tmp_path, driver.launch()
        )
        (job,) = jobs(server)
        assert (handle["job"], driver.handle["job"]) == (job.id, job.id)
        assert (job.metadata, job.seed) == ({"intent_id": "abc123"}, 7)
        assert job.method.supervised.hyperparameters.n_epochs == 2
        assert job.user_provided_suffix == "newstune-abc123"
        assert uploaded(server) == ["intent-abc123-train.jsonl", "intent-abc123-validation.jsonl"]
        assert list(tmp_path.iterdir()) == []


def test_a_job_that_was_created_is_not_asked_about_again(tmp_path):
    with vendor() as (server, made):
        handle = {"job": "ftjob-1", "sends": 1}
        assert made.trainer.start(spec(), tmp_path, Launch("k", handle)) == handle
        assert server.requests == []


@pytest.mark.parametrize("dies_at", range(1, 6))
def test_a_driver_killed_at_any_step_is_followed_by_one_that_leaves_one_job_and_one_upload_of_each_file(
    dies_at, tmp_path
):
    with vendor() as (server, made):
        driver = Driver()
        try:
            start(made, driver, tmp_path, dies_at=dies_at)
        except Killed:
            start(made, driver, tmp_path)
        assert len(jobs(server)) == 1
        assert posts(server) == 1
        assert posts(server, "/files") == 2


def test_an_upload_that_was_not_written_down_is_found_by_its_name(tmp_path):
    with vendor() as (server, made):
        driver = Driver()
        with pytest.raises(Killed):
            start(made, driver, tmp_path, dies_at=1)
        driver.handle = {}
        start(made, driver, tmp_path)
        assert posts(server, "/files") == 2
        assert len(jobs(server)) == 1


def test_half_an_upload_does_not_count_as_the_file(tmp_path):
    with vendor() as (server, made):
        with sdk(server) as client:
            client.files.create(file=("intent-abc123-train.jsonl", b"{}", "x"), purpose="fine-tune")
        start(made, Driver(), tmp_path)
        assert len(jobs(server)) == 1


@pytest.mark.parametrize(("outcome", "created"), LOST.items())
def test_a_lost_answer_is_one_request_and_its_job_is_found_where_there_is_one(outcome, created, tmp_path):
    timeout_s = 1.0 if outcome == "lost_timeout" else 5.0
    script = faults(Fault(outcome, CREATE, nth=(1,), status=502))
    with vendor(script=script, timeout_s=timeout_s) as (server, made):
        driver = Driver()
        if created:
            assert start(made, driver, tmp_path)["job"] == jobs(server)[0].id
        else:
            with pytest.raises(FateUnknown, match="nothing is sent again"):
                start(made, driver, tmp_path)
            with pytest.raises(FateUnknown, match="not found"):
                start(made, driver, tmp_path)
            assert driver.handle["lost"]
        assert posts(server) == 1
        assert len(jobs(server)) == created


@pytest.mark.parametrize(
    "fault", [Fault("lost_reset", CREATE), Fault("500_after", CREATE, headers={"retry-after-ms": "1"})]
)
def test_the_sdks_own_call_creates_three_jobs_of_one_lost_answer(fault):
    example = '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n'
    with vendor(script=faults(fault)) as (server, _), sdk(server) as naive:
        file = naive.files.create(file=("train.jsonl", (example * 10).encode()), purpose="fine-tune")
        with pytest.raises((openai.APIConnectionError, openai.InternalServerError)):
            naive.fine_tuning.jobs.create(model="gpt-4.1-mini-2025-04-14", training_file=file.id)
        assert (posts(server), len(jobs(server))) == (3, 3)


def test_a_job_that_the_list_shows_late_is_found_by_a_later_driver_which_sends_nothing(tmp_path):
    lagging = faults(Fault("lost_reset", CREATE, nth=(1,)), list_lag_s=60)
    with vendor(script=lagging) as (server, made):
        driver = Driver()
        with pytest.raises(FateUnknown):
            start(made, driver, tmp_path)
        server.script = Script()
        assert made.trainer.find("abc123")[0]["job"] == jobs(server)[0].id
        assert start(made, driver, tmp_path)["job"] == jobs(server)[0].id
        assert posts(server) == 1


def test_a_list_that_cannot_be_read_after_a_lost_answer_leaves_the_fate_unknown(tmp_path):
    script = faults(Fault("lost_reset", CREATE), Fault("status", LIST, nth=(2, 3), status=503))
    with vendor(script=script) as (server, made):
        driver = Driver()
        for _ in range(2):
            with pytest.raises(FateUnknown, match="could not be looked for"):
                start(made, driver, tmp_path)
        assert start(made, driver, tmp_path)["job"] == jobs(server)[0].id
        assert posts(server) == 1


def test_a_person_may_allow_one_more_request_and_an_earlier_one_is_looked_for_first(tmp_path):
    with vendor(script=faults(Fault("500_before", CREATE, nth=(1,)))) as (server, made):
        driver = Driver()
        with pytest.raises(FateUnknown):
            start(made, driver, tmp_path)
        del driver.handle["sends"], driver.handle["lost"]
        start(made, driver, tmp_path)
        assert (posts(server), len(jobs(server))) == (2, 1)


def test_after_a_persons_word_a_list_that_cannot_be_read_is_still_no_proof_that_nothing_was_sent(tmp_path):
    with vendor(script=faults(Fault("500_after", CREATE), list_lag_s=60)) as (server, made):
        driver = Driver()
        with pytest.raises(FateUnknown):
            start(made, driver, tmp_path)
        del driver.handle["sends"], driver.handle["lost"]
        server.script = faults(Fault("status", LIST, status=500))
        with pytest.raises(FateUnknown):
            start(made, driver, tmp_path)
        assert posts(server) == 1


def test_after_a_persons_word_trouble_with_the_files_is_no_proof_either(tmp_path):
    with vendor(script=faults(Fault("500_after", CREATE), list_lag_s=60)) as (server, made):
        driver = Driver()
        with pytest.raises(FateUnknown):
            start(made, driver, tmp_path)
        del driver.handle["sends"], driver.handle["lost"]
        server.script = faults(Fault("status", "* /v1/files*", status=500))
        assert start(made, driver, tmp_path)["job"] == jobs(server)[0].id
        assert posts(server) == 1


def test_a_list_that_does_not_end_does_not_prove_that_a_job_is_missing(tmp_path):
    turning = {"data": [{"id": "ftjob-1", "created_at": 1}], "has_more": True}
    script = faults(
        Fault("500_after", CREATE), Fault("status", LIST, nth=(2, 3, 4), status=200, body=turning)
    )
    with vendor(script=script) as (server, made):
        with pytest.raises(FateUnknown, match="does not end"):
            start(made, Driver(), tmp_path)
        assert posts(server) == 1


def test_a_driver_killed_before_its_request_left_is_followed_by_one_request(tmp_path):
    with vendor() as (server, made):
        driver = Driver()
        with pytest.raises(Killed):
            start(made, driver, tmp_path, dies_at=3)  # two uploads, then the number of requests
        assert driver.handle["sends"] == 1
        start(made, driver, tmp_path)
        assert driver.handle["sends"] == 2
        assert (posts(server), len(jobs(server))) == (1, 1)


def test_a_driver_killed_after_its_request_left_is_followed_by_one_that_looks_only_for_the_job(tmp_path):
    with vendor() as (server, made):
        driver = Driver()
        with pytest.raises(Killed):
            start(made, driver, tmp_path, dies_at=4)  # the job's id is not written down
        del driver.handle["job"]
        server.script = faults(Fault("status", "* /v1/files*", status=500))
        assert start(made, driver, tmp_path)["job"] == jobs(server)[0].id
        assert posts(server) == 1


def test_where_a_list_proves_nothing_a_killed_driver_leaves_the_fate_unknown(tmp_path):
    with vendor(NEBIUS) as (server, made):
        driver = Driver()
        with pytest.raises(Killed):
            start(made, driver, tmp_path, dies_at=3)
        with pytest.raises(FateUnknown, match="Look at the vendor's own console"):
            start(made, driver, tmp_path)
        assert posts(server) == 0
        assert driver.handle["unsure"]


def test_where_a_vendor_keeps_no_metadata_a_job_is_found_by_its_training_file(tmp_path):
    with vendor(NEBIUS, script=faults(Fault("lost_reset", CREATE, nth=(1,)))) as (server, made):
        start(made, Driver(), tmp_path)
        with sdk(server) as client:
            files = {file.filename: file.id for file in client.files.list()}
            other = client.fine_tuning.jobs.create(  # the same file, and nothing that names the intent
                model="gpt-4.1-mini-2025-04-14", training_file=files["intent-abc123-train.jsonl"]
            )
        assert [one["job"] for one in made.trainer.find("abc123")][1:] == [other.id]


def test_a_lookup_that_a_vendor_does_not_have_does_not_keep_it_from_training(tmp_path):
    with vendor(NEBIUS, script=faults(Fault("status", LIST, status=404))) as (_, made):
        assert start(made, Driver(), tmp_path)["job"]


def test_later_duplicates_are_found_oldest_first_and_nobody_elses_are(tmp_path):
    with vendor() as (server, made):
        first = start(made, Driver(), tmp_path)["job"]
        start(made, Driver("other"), tmp_path)
        with sdk(server) as client:
            twin = client.fine_tuning.jobs.create(
                model="gpt-4.1-mini-2025-04-14",
                training_file=jobs(server)[-1].training_file,
                metadata={"intent_id": "abc123"},
            )
        assert [one["job"] for one in made.trainer.find("abc123")] == [first, twin.id]


def test_a_filter_that_the_vendor_passes_over_does_not_hand_us_others_jobs(tmp_path):
    with vendor() as (server, made):
        everybody = {
            "object": "list",
            "has_more": False,
            "data": [
                {"id": "ftjob-not-ours", "created_at": 1, "metadata": {"intent_id": "somebody"}},
                {"id": "ftjob-nobodys", "created_at": 2, "metadata": None},
            ],
        }
        server.script = faults(Fault("status", LIST, status=200, body=everybody))
        assert made.trainer.find("abc123") == []


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, ProviderFailed, "Correct what the vendor names"),
        (401, ProviderFailed, "Check OPENAI_API_KEY"),
        (403, ProviderBlocked, "Choose another model or provider"),
        (404, ProviderBlocked, "Choose another model or provider"),
    ],
)
def test_a_refusal_is_definite_and_takes_the_uploaded_files_away(status, kind, says, tmp_path):
    with vendor(script=faults(Fault("status", CREATE, status=status))) as (server, made):
        driver = Driver()
        with pytest.raises(ProviderFailed, match=says) as caught:
            start(made, driver, tmp_path)
        assert type(caught.value) is kind
        assert driver.handle == {"sends": 0}
        assert uploaded(server) == []
        assert posts(server) == 1


def test_an_account_that_may_not_train_any_more_is_told_so_in_the_vendors_words(tmp_path):
    with vendor(script=Script(blocked=True)) as (server, made):
        with pytest.raises(ProviderBlocked, match="winding down") as caught:
            start(made, Driver(), tmp_path)
        assert "another provider" in caught.value.remedy
        assert uploaded(server) == []


def test_files_that_cannot_be_deleted_change_nothing(tmp_path):
    script = Script(blocked=True, faults=(Fault("status", "DELETE *", status=500),))
    with vendor(script=script) as (server, made):
        with pytest.raises(ProviderBlocked):
            start(made, Driver(), tmp_path)
        assert len(uploaded(server)) == 2


def test_an_empty_account_is_blocked_not_busy(tmp_path):
    body = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    with vendor(script=faults(Fault("status", CREATE, status=429, body=body))) as (server, made):
        with pytest.raises(ProviderBlocked, match="Add credit"):
            start(made, Driver(), tmp_path)
        assert posts(server) == 1


def test_a_vendor_that_goes_away_before_the_paid_request_leaves_nothing_sent(tmp_path):
    with vendor(alone=True) as (server, made):
        driver = Driver()

        def save(handle):
            driver.handle = dict(handle)
            if handle.get("sends"):
                server.stop()

        with pytest.raises(ProviderUnreachable, match="network"):
            made.trainer.start(spec(), tmp_path, Launch("abc123", {}, save))
        assert driver.handle["sends"] == 0
        server.start()
        start(made, driver, tmp_path)
        assert len(jobs(server)) == 1


@pytest.mark.parametrize("route", ["POST /v1/files", "GET /v1/files", LIST])
def test_trouble_before_the_paid_request_is_unreachable_and_the_next_try_starts(route, tmp_path):
    with vendor(script=faults(Fault("status", route, nth=(1,), status=503))) as (server, made):
        driver = Driver()
        with pytest.raises(ProviderUnreachable):
            start(made, driver, tmp_path)
        assert posts(server) == 0
        kept = {name: driver.handle[name] for name in driver.handle if name.endswith("_file")}
        start(made, driver, tmp_path)
        assert len(jobs(server)) == 1
        assert kept.items() <= driver.handle.items()
        assert server.count("DELETE", "") == 0


def test_a_vendor_that_is_busy_at_the_paid_request_ends_the_start_which_a_person_may_repeat(tmp_path):
    with vendor(script=faults(Fault("status", CREATE, nth=(1,), status=429))) as (server, made):
        driver = Driver()
        with pytest.raises(ProviderFailed, match="Start it again") as failed:
            start(made, driver, tmp_path)
        assert type(failed.value) is ProviderFailed
        assert (driver.handle["sends"], posts(server)) == (0, 1)


def test_a_file_that_is_checked_for_too_long_stays_for_a_later_try(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PROCESSING_S", 0.2)
    checking = {"id": "file-x", "status": "pending"}
    with vendor(script=faults(Fault("status", "GET /v1/files/*", status=200, body=checking))) as (
        server,
        made,
    ):
        driver = Driver()
        with pytest.raises(ProviderUnreachable, match="still 'pending'"):
            start(made, driver, tmp_path)
        server.script = Script()
        start(made, driver, tmp_path)
        assert (len(jobs(server)), posts(server, "/files")) == (1, 2)


def test_a_look_at_a_file_that_takes_long_extends_the_lease(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_SLOW_LOOK_S", -1.0)
    with vendor() as (_, made):
        driver = Driver()
        start(made, driver, tmp_path)
        assert driver.saves == 6  # two uploads, two slow looks, the request, the job


def test_no_setting_lets_a_request_of_a_launch_outlast_its_lease():
    capped = Connection(OPENAI, SecretStr(KEY), "http://127.0.0.1:9/v1", timeout_s=600.0).for_launches()
    assert (capped.timeout_s, capped.longest_s) == (60.0, 90.0)


@pytest.mark.parametrize("route", [CREATE, LIST])
def test_an_answer_that_drips_is_given_up_in_time(route, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "REQUEST_S", 0.7)
    with vendor(script=faults(Fault("drip", route, nth=(1,))), timeout_s=600.0) as (server, made):
        driver, began = Driver(), monotonic()
        if route == CREATE:  # carried out, and found
            assert start(made, driver, tmp_path)["job"] == jobs(server)[0].id
        else:
            with pytest.raises(ProviderUnreachable, match="no whole answer"):
                start(made, driver, tmp_path)
        assert posts(server) == (route == CREATE)
        assert 0.7 < monotonic() - began < 5


def test_a_request_whose_time_is_up_cannot_leave_later(tmp_path):
    with vendor() as (server, _):
        slow = Connection(OPENAI, SecretStr(KEY), f"{server.url}/v1", longest_s=0.2)
        outcome = []

        def call(client):
            sleep(0.5)  # a name that resolves slowly
            try:
                return client.models.with_raw_response.list()
            except Exception as error:
                outcome.append(error)
                raise

        with pytest.raises(VendorFault, match="no whole answer"):
            slow.read_alone(call)
        sleep(0.7)
        assert outcome
        assert server.requests == []


# what ended badly before


def cancelled_one(server, made, driver, tmp_path):
    """Leave a lost request whose job was cancelled, and a person's word to send once more."""
    server.script = faults(Fault("lost_reset", CREATE, nth=(1,)), list_lag_s=60)
    with pytest.raises(FateUnknown):
        start(made, driver, tmp_path)
    server.script = Script(tuning_s=3_600)
    (first,) = made.trainer.find(driver.key)
    made.trainer.cancel(first, tmp_path)
    driver.handle = {name: driver.handle[name] for name in driver.handle if name not in ("sends", "lost")}
    return first["job"]


def test_a_cancelled_job_is_not_taken_for_the_one_that_a_person_asked_for(tmp_path):
    with vendor() as (server, made):
        driver = Driver()
        first = cancelled_one(server, made, driver, tmp_path)
        again = start(made, driver, tmp_path)
        assert again["job"] != first
        assert posts(server) == 2
        assert [(one["job"], one["status"]) for one in made.trainer.find(driver.key)] == [
            (first, "cancelled"),
            (again["job"], "running"),
        ]


def test_nor_is_it_when_the_answer_to_that_one_is_lost_too(tmp_path):
    with vendor() as (server, made):
        driver = Driver()
        first = cancelled_one(server, made, driver, tmp_path)
        server.script = faults(Fault("500_before", CREATE))
        for _ in range(2):
            with pytest.raises(FateUnknown):
                start(made, driver, tmp_path)
        assert driver.handle["passed_over"] == [first]
        assert posts(server) == 2


def test_of_a_cancelled_and_a_live_job_the_live_one_is_gone_on_with(tmp_path):
    with vendor(script=Script(tuning_s=3_600)) as (server, made):
        first = start(made, Driver(), tmp_path)
        made.trainer.cancel(first, tmp_path)
        with sdk(server) as client:
            twin = client.fine_tuning.jobs.create(
                model=MODEL, training_file=first["train_file"], metadata={"intent_id": "abc123"}
            )
        killed = Driver(handle={"sends": 1})
        assert start(made, killed, tmp_path)["job"] == twin.id


def test_a_job_that_failed_at_once_is_what_came_of_a_killed_drivers_request(tmp_path):
    with vendor(script=Script(tuning_s=0, tuning_error="moderation")) as (server, made):
        driver = Driver()
        with pytest.raises(Killed):
            start(made, driver, tmp_path, dies_at=4)
        del driver.handle["job"]
        handle = start(made, driver, tmp_path)
        assert made.trainer.poll(handle, tmp_path).status == JobStatus.FAILED
        assert posts(server) == 1


def test_a_refused_file_is_a_failure_that_names_the_reason_and_leaves_no_file(tmp_path):
    body = {"error": {"message": "Invalid file format. Line 3", "code": "invalid_file_format"}}
    with vendor(script=faults(Fault("status", CREATE, status=400, body=body))) as (server, made):
        with pytest.raises(ProviderFailed, match="Line 3"):
            start(made, Driver(), tmp_path)
        assert uploaded(server) == []


def test_a_file_that_the_vendor_rejects_after_looking_at_it_is_named_as_the_reason(tmp_path):
    seen = {"id": "file-x", "status": "error", "status_details": "no chat example"}
    with vendor(script=faults(Fault("status", "GET /v1/files/*", status=200, body=seen))) as (server, made):
        with pytest.raises(ProviderFailed, match="no chat example"):
            start(made, Driver(), tmp_path)
        assert posts(server) == 0


def test_a_driver_that_lost_its_lease_sends_nothing(tmp_path):
    with vendor() as (server, made):

        def save(handle):
            if "sends" in handle:
                raise LeaseLost("Job 1")

        with pytest.raises(LeaseLost):
            made.trainer.start(spec(), tmp_path, Launch("abc123", {}, save))
        assert posts(server) == 0


def test_a_file_that_is_still_being_checked_extends_the_lease_before_each_look(tmp_path):
    checking = {"id": "file-x", "status": "pending"}
    script = faults(Fault("status", "GET /v1/files/*", nth=(1, 2), status=200, body=checking))
    with vendor(script=script) as (_, made):
        driver = Driver()
        start(made, driver, tmp_path)
        assert driver.saves == 6  # two uploads, two looks, the request, the job


def test_without_a_key_nothing_is_sent(tmp_path):
    with vendor(key=None) as (server, made):
        with pytest.raises(ProviderFailed, match="OPENAI_API_KEY is not set"):
            start(made, Driver(), tmp_path)
        assert server.requests == []
