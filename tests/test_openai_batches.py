"""Batches at a vendor: sent at most once, joined by id, whatever the file of results looks like."""

import json

import pytest

from core.domain.types import Failure, JobStatus, Sentiment
from core.errors import FateUnknown, ProviderBlocked, ProviderFailed, ProviderUnreachable, Refused
from core.providers.base import NewsText
from core.providers.loopback.batch_faults import BATCH_FAULTS
from core.providers.loopback.script import Fault, Script
from core.providers.openai_compat import batches
from core.providers.openai_compat.chat import build_request
from core.providers.openai_compat.flavours import AZURE, NEBIUS, OPENAI
from tests.openai_vendor import KEY, Driver, Killed, model_ref, posts, provider, sdk, vendor

pytestmark = pytest.mark.vendors

CREATE = "POST /v1/batches"
TEXTS = [(f"item-{n}", NewsText("주가 급등" if n % 2 else "주가 급락", f"본문 {n}")) for n in range(8)]


def start(made, driver, **killed):
    return made.batcher.start(model_ref(), TEXTS, driver.launch(**killed))


def result(script, texts=TEXTS):
    with vendor(script=script) as (_, made):
        handle = made.batcher.start(model_ref(), texts, Driver().launch())
        return made.batcher.poll(handle)


def at_the_vendor(server):
    with sdk(server) as client:
        return list(client.batches.list())


def test_a_batch_answers_each_article_under_its_id():
    report = result(Script(batch_s=0))
    assert (report.status, report.error) == (JobStatus.SUCCEEDED, None)
    assert sorted(report.replies) == [name for name, _ in TEXTS]
    said = {name: report.replies[name].forecast.sentiment for name, _ in TEXTS}
    assert said["item-1"] == Sentiment.POSITIVE
    assert said["item-2"] == Sentiment.NEGATIVE
    assert all(reply.usage.prompt_tokens > 0 and reply.billed for reply in report.replies.values())


def test_a_batch_asks_exactly_what_a_single_request_asks():
    (line,) = batches.build_lines(OPENAI, model_ref(), TEXTS[:1])
    asked = json.loads(line)
    with vendor() as (_, made):
        messages = made.load(model_ref()).messages(TEXTS[0][1])
    assert asked["body"] == build_request(OPENAI, model_ref().base_model, messages)
    assert (asked["custom_id"], asked["method"], asked["url"]) == ("item-0", "POST", "/v1/chat/completions")


def test_a_batch_under_way_tells_how_far_it_is_and_holds_no_replies():
    report = result(Script(batch_s=100))
    assert (report.status, report.replies) == (JobStatus.RUNNING, {})
    assert report.message == "validating, 0 of 8"


@pytest.mark.parametrize("dies_at", range(1, 4))
def test_a_driver_killed_at_any_step_is_followed_by_one_that_leaves_one_batch(dies_at):
    with vendor() as (server, made):
        driver = Driver()
        try:
            start(made, driver, dies_at=dies_at)
        except Killed:
            start(made, driver)
        assert len(at_the_vendor(server)) == 1
        assert (posts(server, "/batches"), posts(server, "/files")) == (1, 1)


@pytest.mark.parametrize(
    ("outcome", "created"), [("lost_reset", 1), ("500_after", 1), ("truncated", 1), ("500_before", 0)]
)
def test_a_lost_answer_is_one_request_and_its_batch_is_found_where_there_is_one(outcome, created):
    with vendor(script=Script(faults=(Fault(outcome, CREATE, nth=(1,)),))) as (server, made):
        driver = Driver()
        if created:
            assert start(made, driver)["job"] == at_the_vendor(server)[0].id
        else:
            for _ in range(2):
                with pytest.raises(FateUnknown):
                    start(made, driver)
        assert posts(server, "/batches") == 1
        assert len(at_the_vendor(server)) == created


def test_a_batch_is_found_among_others_on_any_page_by_its_intent():
    with vendor() as (server, made):
        first = start(made, Driver("mine"))["job"]
        with sdk(server) as client:
            file = at_the_vendor(server)[0].input_file_id
            for n in range(120):
                client.batches.create(
                    input_file_id=file,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata={"intent_id": f"other-{n}"} if n % 2 else None,
                )
        assert [one["job"] for one in made.batcher.find("mine")] == [first]


@pytest.mark.parametrize(("status", "kind"), [(400, ProviderFailed), (403, ProviderBlocked)])
def test_a_refused_batch_is_definite_and_its_file_is_taken_away(status, kind):
    with vendor(script=Script(faults=(Fault("status", CREATE, status=status),))) as (server, made):
        driver = Driver()
        with pytest.raises(kind):
            start(made, driver)
        assert driver.handle == {"sends": 0}
        with sdk(server) as client:
            assert list(client.files.list()) == []


@pytest.mark.parametrize("route", ["GET /v1/batches", "GET /v1/files/*"])
def test_a_batch_that_is_put_off_keeps_its_file_for_a_later_try(route):
    with vendor(script=Script(faults=(Fault("status", route, nth=(1,), status=429),))) as (server, made):
        driver = Driver()
        with pytest.raises(ProviderUnreachable):
            start(made, driver)
        assert start(made, driver)["job"]
        assert posts(server, "/files") == 1


def test_a_cancelled_batch_is_not_taken_for_the_one_that_a_person_asked_for():
    lost = Script(faults=(Fault("lost_reset", CREATE, nth=(1,)),), list_lag_s=60)
    with vendor(script=lost) as (server, made):
        driver = Driver()
        with pytest.raises(FateUnknown):
            start(made, driver)
        server.script = Script(batch_s=3_600)
        (first,) = made.batcher.find(driver.key)
        made.batcher.cancel(first)
        driver.handle = {name: driver.handle[name] for name in driver.handle if name not in ("sends", "lost")}
        again = start(made, driver)
        found = {one["job"]: one["status"] for one in made.batcher.find(driver.key)}
        assert found == {first["job"]: "cancelled", again["job"]: "running"}


def test_a_batch_that_is_gone_needs_no_cancelling():
    with vendor() as (_, made):
        made.batcher.cancel({"job": "batch_gone"})


@pytest.mark.parametrize("texts", [[], TEXTS[:1] * 50_001], ids=len)
def test_what_does_not_fit_into_one_file_is_refused_before_anything_is_sent(texts):
    with vendor() as (server, made):
        launch = Driver().launch()
        with pytest.raises(Refused, match="several batches"):
            made.batcher.start(model_ref(), texts, launch)
        assert server.requests == []


def test_a_file_beyond_the_vendors_limit_is_refused_too(monkeypatch):
    monkeypatch.setattr(batches, "MAX_BYTES", 1_000)
    with vendor() as (server, made):
        with pytest.raises(Refused, match="several batches"):
            start(made, Driver())
        assert server.requests == []


#: what is wrong with the results, and how many of the eight articles are answered and failed
JOINED = {
    "shuffled": (8, 0),
    "duplicate": (8, 0),
    "conflicting": (8, 0),
    "missing": (7, 0),
    "not_json": (8, 0),
    "blank_lines": (8, 0),
    "truncated": (7, 0),
    "errors": (6, 2),
    "expired": (4, 4),
}


@pytest.mark.parametrize("name", BATCH_FAULTS)
def test_results_are_joined_by_id_whatever_the_file_looks_like(name):
    plain, report = result(Script(batch_s=0)), result(Script(batch_s=0, batch=(name,)))
    asked = {item: report.replies[item] for item, _ in TEXTS if item in report.replies}
    answered = [item for item, reply in asked.items() if reply.forecast]
    assert all(report.replies[item].forecast == plain.replies[item].forecast for item in answered)
    if name in JOINED:
        assert (len(answered), len(asked) - len(answered)) == JOINED[name]


def test_a_result_for_an_id_that_was_never_sent_does_not_take_anothers_place():
    report = result(Script(batch_s=0, batch=("unknown",)))
    assert set(report.replies) - {item for item, _ in TEXTS} == {"nobody-asked-for-this"}
    assert all(report.replies[item].forecast for item, _ in TEXTS)


def test_a_batch_that_ran_out_of_time_keeps_what_was_answered():
    report = result(Script(batch_s=0, batch=("expired",)))
    assert report.status == JobStatus.FAILED
    assert "not finished within a day" in report.error
    late = [reply for reply in report.replies.values() if reply.failure]
    assert {(reply.failure, reply.billed) for reply in late} == {(Failure.PROVIDER_ERROR, False)}


def test_a_batch_whose_file_is_refused_says_why():
    twice = [TEXTS[0], TEXTS[0]]
    report = result(Script(batch_s=0), texts=twice)
    assert (report.status, report.replies) == (JobStatus.FAILED, {})
    assert "not unique" in report.error


def test_a_cancelled_batch_returns_what_it_had_done_and_cancelling_twice_does_nothing():
    now = [1_790_000_000.0]
    with vendor(script=Script(batch_s=100), clock=lambda: now[0]) as (_, made):
        handle = start(made, Driver())
        now[0] += 50
        made.batcher.cancel(handle)
        now[0] += 1
        made.batcher.cancel(handle)
        report = made.batcher.poll(handle)
        assert report.status == JobStatus.CANCELLED
        assert 0 < len(report.replies) < 8


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", "GET *", status=500),
        Fault("status", "GET *", status=404),
        Fault("truncated", "GET /v1/batches/*"),
        Fault("cut_off", "GET */content"),
        Fault("status", "GET */content", status=503),
    ],
    ids=lambda fault: f"{fault.outcome}-{fault.status}-{fault.route}",
)
def test_a_look_that_fails_says_nothing_about_the_batch(fault):
    with vendor(script=Script(batch_s=0)) as (server, made):
        handle = start(made, Driver())
        server.script = Script(faults=(fault,))
        with pytest.raises(ProviderUnreachable):
            made.batcher.poll(handle)
        server.script = Script()
        assert len(made.batcher.poll(handle).replies) == 8


def test_vendors_whose_batches_are_not_confirmed_have_none():
    class Nowhere:
        url = "http://127.0.0.1:9"

    assert [provider(Nowhere, flavour).batcher for flavour in (AZURE, NEBIUS)] == [None, None]


# reading files of results


def line(custom_id, **response):
    return json.dumps({"custom_id": custom_id, "response": response or None}).encode()


def test_each_kind_of_failed_line_has_its_reason_and_none_shows_the_key():
    echo = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
    lines = [
        line("refused", status_code=400, body={"error": {"message": "bad", "code": "x"}}),
        line("key", status_code=401, body=echo),
        line("limit", status_code=429, body={"error": {"message": "slow"}}),
        line("server", status_code=500, body={"error": "text"}),
        line("nothing"),
        line("odd", status_code=200, body="text"),
        b'{"custom_id": 7, "response": null}',
        b"[]",
        b"\xff\xfe",
        b'{"custom_id": "half',
    ]
    replies = batches.parse_results(b"\n".join(lines), lambda text: text.replace(KEY, "[hidden]"))
    assert {name: reply.failure for name, reply in replies.items()} == {
        "refused": Failure.REQUEST_REFUSED,
        "key": Failure.KEY_REFUSED,
        "limit": Failure.RATE_LIMITED,
        "server": Failure.PROVIDER_ERROR,
        "nothing": Failure.PROVIDER_ERROR,
        "odd": Failure.PROVIDER_ERROR,
    }
    assert KEY not in repr(replies)


def test_a_line_separator_inside_a_text_does_not_cut_a_line():
    body = {
        "choices": [{"message": {"content": '{"sentiment":"neutral","confidence":5,"reason":"a\u2028b"}'}}]
    }
    content = json.dumps(
        {"custom_id": "a", "response": {"status_code": 200, "body": body}}, ensure_ascii=False
    ).encode()
    assert batches.parse_results(content, str)["a"].forecast.sentiment == Sentiment.NEUTRAL
