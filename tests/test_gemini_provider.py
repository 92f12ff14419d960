"""Both of Google's SDKs against the loopback vendor: the same articles, the same faults, the same replies."""

import json
import logging
import socket
import traceback
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from pydantic import SecretStr

from core.domain.prompting import ANSWER_SCHEMA, few_shot_prompt
from core.domain.types import Failure, Readiness
from core.errors import ProviderFailed
from core.providers.base import ModelRef, NewsText
from core.providers.gemini.catalogue import manner
from core.providers.gemini.client import GeminiFailed
from core.providers.gemini.genai import GenaiClient, build_config, open_developer
from core.providers.gemini.legacy import LegacyClient
from core.providers.gemini.provider import GeminiProvider
from core.providers.loopback.answers import ANSWERS
from core.providers.loopback.judge import by_cues
from core.providers.loopback.script import Fault, Script
from core.providers.loopback.server import Loopback
from core.providers.retrying import Patience
from core.redaction import Redactor

pytestmark = pytest.mark.vendors

KEY = "AIzaCanary-0123456789abcdef"
SDKS = ("genai", "legacy")
QUICK = Patience(attempts=3, first_wait_s=0.01)
ARTICLE = NewsText("반도체 수주 급등", "실적이 시장의 기대를 넘었다.")
PROMPT = few_shot_prompt("당신은 분석가입니다.", {})
GENERATE = "*:generateContent"


@pytest.fixture(scope="module")
def server():
    with Loopback() as loopback:
        yield loopback


@pytest.fixture(scope="module")
def providers(server):
    """One provider an SDK; making a client reads the system's certificates."""
    return {sdk: provider(server.url, sdk) for sdk in SDKS}


@pytest.fixture(scope="module")
def clients(server):
    """The SDKs themselves, behind the one interface."""
    redact = Redactor([KEY])
    return {
        "genai": GenaiClient(open_developer(KEY, server.url, 5), redact),
        "legacy": LegacyClient(KEY, server.url, 5, redact),
    }


@pytest.fixture(params=SDKS)
def sdk(request):
    return request.param


@pytest.fixture
def play(server, providers, sdk):
    """Return a function that sets a script and asks once: the reply, and how many requests that took."""

    def asked(*faults, model="gemini-3.5-flash-lite", **script):
        server.script = Script(faults=faults, **script)
        before = posts(server)
        return loaded(providers[sdk], model).ask(ARTICLE), posts(server) - before

    return asked


def provider(url, sdk="genai", key=KEY, timeout_s=5.0):
    secret = SecretStr(key) if key is not None else None
    redact = Redactor([key] if key else [])
    return GeminiProvider(
        key=secret, base_url=url, sdk=sdk, timeout_s=timeout_s, redact=redact, patience=QUICK
    )


def loaded(one, model="gemini-3.5-flash-lite"):
    return one.load(ModelRef(1, model, None, None, PROMPT.as_json()))


def posts(server):
    return server.count("POST", ":generateContent")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_an_answer_comes_with_its_tokens_its_model_and_its_time(play):
    reply, requests = play()
    simulated = by_cues(PROMPT.messages(ARTICLE.title, ARTICLE.body)[-1]["content"])
    assert reply.forecast.sentiment == simulated["sentiment"] == "positive"
    assert reply.forecast.confidence == simulated["confidence"]
    assert reply.forecast.keywords == tuple(simulated["keywords"])
    assert reply.forecast.rationale == simulated["reason"]
    assert reply.usage.prompt_tokens > 100
    assert reply.usage.completion_tokens > 10
    assert reply.answered_by == "gemini-3.5-flash-lite"
    assert reply.latency_ms > 0
    assert (reply.billed, requests) == (True, 1)


@pytest.mark.parametrize("text", [PROMPT.system[:20], "중앙은행, 기준금리", ARTICLE.title, "maxOutputTokens"])
def test_the_instructions_the_examples_the_article_and_a_bound_are_sent(play, text):
    spelled = (text, json.dumps(text)[1:-1])  # as it is, or in ASCII
    told = {"error": {"message": "seen"}}
    reply, _ = play(*(Fault("status", GENERATE, form, status=418, body=told) for form in spelled))
    assert reply.detail == "HTTP 418 seen"


def test_a_model_that_was_replaced_silently_is_told_by_its_answer(play):
    reply, _ = play(model="gemini-2.5-flash", answered_as={"gemini-2.5-flash": "gemini-3.5-flash-lite"})
    assert reply.answered_by == "gemini-3.5-flash-lite"


AFTER_SENDING = [
    (Fault("500_before", GENERATE), Failure.PROVIDER_ERROR),
    (Fault("500_after", GENERATE), Failure.PROVIDER_ERROR),
    (Fault("status_after", GENERATE, status=504), Failure.PROVIDER_ERROR),
    (Fault("html", GENERATE, status=502), Failure.PROVIDER_ERROR),
    (Fault("html", GENERATE, status=200), Failure.UNREADABLE),
    (Fault("reset_before", GENERATE), Failure.CONNECTION_LOST),
    (Fault("lost_reset", GENERATE), Failure.CONNECTION_LOST),
    (Fault("cut_off", GENERATE), Failure.CONNECTION_LOST),
    (Fault("truncated", GENERATE), Failure.UNREADABLE),
    (Fault("status", GENERATE, status=200, body=""), Failure.UNREADABLE),
    (Fault("status", GENERATE, status=200, body="[1, 2]"), Failure.UNREADABLE),
    (Fault("status", GENERATE, status=200, body="null"), Failure.UNREADABLE),
    (Fault("status", GENERATE, status=200, body="[" * 100_000), Failure.UNREADABLE),
    (
        Fault("status", GENERATE, status=200, body="x", headers={"Content-Encoding": "gzip"}),
        Failure.UNREADABLE,
    ),
]


@pytest.mark.parametrize(("fault", "failure"), AFTER_SENDING, ids=lambda one: getattr(one, "outcome", one))
def test_what_may_have_been_carried_out_is_not_sent_again_and_may_be_billed(play, fault, failure):
    reply, requests = play(fault)
    assert (reply.forecast, reply.failure) == (None, failure)
    assert (reply.billed, requests) == (None, 1)
    assert 0 < len(reply.detail) <= 300
    assert "<" not in reply.detail  # no page is quoted


def test_a_response_in_another_encoding_is_no_answer(play):
    for outcome in ("wrong_encoding", "utf16"):
        reply, _ = play(Fault(outcome, GENERATE))
        assert reply.failure == Failure.UNREADABLE, outcome


def test_a_response_under_a_wrong_label_is_an_answer_all_the_same(play):
    assert play(Fault("mislabelled", GENERATE))[0].forecast.sentiment == "positive"


REFUSALS = [
    (401, None, Failure.KEY_REFUSED),
    (403, None, Failure.NOT_AVAILABLE),
    (404, None, Failure.NOT_AVAILABLE),
    (400, None, Failure.REQUEST_REFUSED),
    (413, "too large", Failure.REQUEST_REFUSED),
    (400, {"error": {"details": [{"reason": "API_KEY_INVALID"}]}}, Failure.KEY_REFUSED),
    (400, {"error": {"status": "FAILED_PRECONDITION"}}, Failure.NOT_AVAILABLE),
]


@pytest.mark.parametrize(("status", "body", "failure"), REFUSALS)
def test_a_refusal_costs_nothing(play, status, body, failure):
    reply, _ = play(Fault("status", GENERATE, status=status, body=body))
    assert (reply.failure, reply.billed) == (failure, False)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_vendor_is_asked_again_and_answers(play, status):
    reply, requests = play(Fault("status", GENERATE, status=status, nth=(1,), headers={"Retry-After": "0"}))
    assert (reply.failure, requests) == (None, 2)


@pytest.mark.parametrize(("status", "failure"), [(429, Failure.RATE_LIMITED), (503, Failure.OVERLOADED)])
def test_a_vendor_that_stays_busy_is_given_up_and_nothing_is_billed(play, status, failure):
    reply, requests = play(Fault("status", GENERATE, status=status))
    assert (reply.failure, reply.billed, requests) == (failure, False, QUICK.attempts)


@pytest.mark.parametrize(
    "told",
    [
        {"headers": {"Retry-After": "3600"}},
        {"body": {"error": {"code": 429, "details": [{"retryDelay": "3600s"}]}}},
    ],
    ids=["header", "details"],
)
def test_a_wait_that_is_too_long_is_not_begun(play, told):
    reply, requests = play(Fault("status", GENERATE, status=429, **told))
    assert (reply.failure, requests) == (Failure.RATE_LIMITED, 1)


def test_an_answer_that_does_not_come_is_a_timeout(server, sdk):
    server.script = Script(faults=(Fault("lost_timeout", GENERATE, delay_s=1.0),))
    reply = loaded(provider(server.url, sdk, timeout_s=0.2)).ask(ARTICLE)
    assert (reply.failure, reply.billed) == (Failure.TIMEOUT, None)


def test_a_vendor_that_cannot_be_reached_was_sent_nothing(sdk):
    reply = loaded(provider(f"http://127.0.0.1:{free_port()}", sdk)).ask(ARTICLE)
    assert (reply.failure, reply.billed) == (Failure.NO_CONNECTION, False)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_odd_answer_is_a_forecast_or_says_why_it_is_none(play, name):
    reply, requests = play(Fault("answer", GENERATE, answer=name))
    assert (reply.forecast is None) == (reply.failure is not None)
    assert requests == 1
    if reply.forecast:
        assert 0 <= reply.forecast.confidence <= 100
        assert len(reply.forecast.keywords) <= 5


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("fenced", None),
        ("extra_keys", None),
        ("no_usage", None),
        ("wrong_enum", Failure.WRONG_SENTIMENT),
        ("confidence_140", Failure.WRONG_CONFIDENCE),
        ("confidence_high", Failure.WRONG_CONFIDENCE),
        ("keywords_mixed", Failure.WRONG_KEYWORDS),
        ("prose", Failure.NOT_JSON),
        ("refusal", Failure.DECLINED),
        ("content_filter", Failure.DECLINED),
        ("empty", Failure.EMPTY),
        ("null", Failure.EMPTY),
        ("length", Failure.CUT_OFF),
    ],
)
def test_an_odd_answer_is_judged_alike_through_either_sdk(play, name, failure):
    assert play(Fault("answer", GENERATE, answer=name))[0].failure == failure


@pytest.mark.parametrize("text", ["[" * 100_000, '{"confidence":' + "9" * 6_000 + "}"], ids=["deep", "long"])
def test_an_answer_that_no_parser_survives_is_no_json(play, text):
    body = {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]}
    reply, _ = play(Fault("status", GENERATE, status=200, body=body))
    assert reply.failure == Failure.NOT_JSON


def test_no_candidate_at_all_is_an_empty_answer(play):
    reply, _ = play(Fault("status", GENERATE, status=200, body={"candidates": []}))
    assert reply.failure == Failure.EMPTY


def test_an_answer_without_a_count_is_billed_as_far_as_known(play):
    reply, _ = play(Fault("answer", GENERATE, answer="no_usage"))
    assert (reply.usage, reply.billed) == (None, True)


def test_many_threads_share_a_provider(server, providers, sdk):
    server.script = Script(latency_s={GENERATE: 0.02})
    asker = loaded(providers[sdk])
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(asker.ask, [ARTICLE] * 24))
    assert [reply.failure for reply in replies] == [None] * 24


def test_single_answers_come_in_order_and_stop_at_the_first_that_fails(server, providers, sdk):
    server.script = Script()
    texts = [NewsText("주가 급락"), ARTICLE]
    forecasts = loaded(providers[sdk]).predict(texts)
    assert [forecast.sentiment for forecast in forecasts] == ["negative", "positive"]
    server.script = Script(faults=(Fault("answer", GENERATE, nth=(2,), answer="prose"),))
    with pytest.raises(ProviderFailed, match="NOT_JSON"):
        loaded(providers[sdk]).predict([*texts, ARTICLE])


def test_what_would_be_sent_can_be_counted_before(providers, sdk):
    assert loaded(providers[sdk]).messages(ARTICLE) == PROMPT.messages(ARTICLE.title, ARTICLE.body)


def test_a_model_that_knows_no_thinking_setting_is_asked_without_one_from_then_on(server):
    told = {"error": {"status": "INVALID_ARGUMENT", "message": "Thinking level is not supported."}}
    server.script = Script(faults=(Fault("status", GENERATE, "thinking", status=400, body=told),))
    asker = loaded(provider(server.url))
    before = posts(server)
    assert asker.ask(ARTICLE).failure is None
    assert posts(server) - before == 2
    assert asker.ask(ARTICLE).failure is None
    assert posts(server) - before == 3


def test_the_environments_keys_and_modes_have_no_say(server, sdk, monkeypatch):
    for name, value in {
        "GOOGLE_API_KEY": "AIzaOtherKey-000000",
        "GEMINI_API_KEY": "AIzaOtherKey-111111",
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_GENAI_USE_ENTERPRISE": "true",
        "GOOGLE_CLOUD_PROJECT": "other",
        "GOOGLE_GENAI_API_VERSION": "v7",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    server.script = Script(keys=(KEY,))
    assert loaded(provider(server.url, sdk)).ask(ARTICLE).failure is None
    version = {"genai": "/v1/", "legacy": "/v1beta/"}[sdk]
    assert server.requests[-1][1].startswith(f"{version}models/")


def test_two_configurations_of_an_sdk_do_not_mix(server, sdk):
    with Loopback(script=Script(keys=("AIzaSecondKey-22222",))) as second:
        server.script = Script(keys=(KEY,))
        askers = [
            loaded(provider(server.url, sdk)),
            loaded(provider(second.url, sdk, key="AIzaSecondKey-22222")),
        ]
        for _ in range(2):
            assert [asker.ask(ARTICLE).failure for asker in askers] == [None, None]
        assert second.count("POST", ":generateContent") == 2


def test_a_redirect_is_not_followed_since_the_key_would_go_along(server, play):
    with Loopback() as elsewhere:
        there = {"Location": f"{elsewhere.url}/v1/models/gemini-3.5-flash-lite:generateContent"}
        reply, _ = play(Fault("status", GENERATE, status=307, headers=there))
        assert reply.forecast is None
        assert elsewhere.requests == []


ECHO = {"error": {"status": "INVALID_ARGUMENT", "message": "You sent $KEY as your key."}}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_key_that_the_vendor_echoes_never_comes_through(server, providers, clients, sdk, status, caplog):
    caplog.set_level(logging.DEBUG)
    server.script = Script(faults=(Fault("status", status=status, body=ECHO),))
    one = providers[sdk]
    reply = loaded(one).ask(ARTICLE)
    with pytest.raises(GeminiFailed) as failed:
        clients[sdk].generate("gemini-3.5-flash-lite", PROMPT.messages("a", "b"), ANSWER_SCHEMA)
    shown = [reply.detail, one.check("answer").reason, repr(one), repr(one.card()), repr(loaded(one))]
    shown += traceback.format_exception(failed.value)
    assert "[key hidden]" in reply.detail
    assert KEY not in "".join(shown) + caplog.text


@pytest.mark.parametrize("key", [None, "", "  "])
def test_without_a_key_nothing_is_asked(server, sdk, key):
    server.script = Script()
    one = provider(server.url, sdk, key=key)
    before = len(server.requests)
    assert one.check("answer").status == Readiness.BLOCKED
    assert "GEMINI_API_KEY is not set" in one.check("answer").reason
    reply = loaded(one).ask(ARTICLE)
    assert (reply.failure, reply.billed) == (Failure.KEY_REFUSED, False)
    assert "GEMINI_API_KEY" in reply.detail
    assert len(server.requests) == before
    assert not one.card().configured


def test_a_key_that_cannot_be_sent_is_told_before_it_is(server, sdk):
    blocked = provider(server.url, sdk, key="AIza키가-아닌-것").check("answer")
    assert (blocked.status, "characters" in blocked.reason) == (Readiness.BLOCKED, True)
    assert "키가" not in blocked.reason


def test_whether_it_answers_is_asked_for_free(server, providers, sdk):
    server.script = Script()
    before = posts(server)
    ready = providers[sdk].check("answer")
    assert (ready.status, ready.reason) == (Readiness.READY, "")
    assert posts(server) == before


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("status", "GET *", status=401), Readiness.BLOCKED),
        (Fault("status", "GET *", status=403), Readiness.BLOCKED),
        (Fault("status", "GET *", status=500), Readiness.UNKNOWN),
        (Fault("lost_reset", "GET *"), Readiness.UNKNOWN),
        (Fault("html", "GET *", status=200), Readiness.UNKNOWN),
    ],
    ids=["401", "403", "500", "reset", "page"],
)
def test_a_check_that_fails_says_whether_asking_again_helps(server, providers, sdk, fault, status):
    server.script = Script(faults=(fault,))
    checked = providers[sdk].check("answer")
    assert checked.status == status
    assert checked.reason.endswith(".")


def test_a_list_without_the_default_model_is_pointed_out(server, providers, sdk):
    body = {"models": [{"name": "models/gemini-other"}]}
    server.script = Script(faults=(Fault("status", "GET *", status=200, body=body),))
    ready = providers[sdk].check("answer")
    assert ready.status == Readiness.READY
    assert "does not name gemini-3.5-flash-lite" in ready.reason


def test_training_is_blocked_with_the_way_that_there_is(providers, sdk):
    blocked = providers[sdk].check("train")
    assert blocked.status == Readiness.BLOCKED
    assert "Vertex" in blocked.reason
    assert providers[sdk].trainer is None


def test_the_card_warns_of_what_costs_or_ends():
    modern, legacy = (provider("https://example.invalid", sdk).card() for sdk in SDKS)
    assert (modern.destination, modern.configured) == ("example.invalid", True)
    assert any("free tier" in note for note in modern.notes)
    assert not [date for date in modern.dates if date.what == "support_ended"]
    assert [date.day.isoformat() for date in legacy.dates if date.what == "support_ended"] == ["2025-11-30"]
    changes = {date.model: date.day for model in modern.base_models for date in model.dates}
    assert changes["gemini-3.8-flash"].isoformat() == "2027-01-01"
    assert KEY not in repr(modern)


def test_a_loopback_vendor_is_known_as_simulated_and_another_server_is_not():
    with Loopback() as loopback:
        one = provider(loopback.url)
        assert one.simulated
    assert one.simulated  # remembered
    plain = HTTPServer(("127.0.0.1", 0), Plain)
    Thread(target=plain.serve_forever, args=(0.01,), daemon=True).start()
    try:
        assert not provider(f"http://127.0.0.1:{plain.server_port}").simulated
    finally:
        plain.shutdown()
        plain.server_close()
    assert not provider("https://generativelanguage.googleapis.com").simulated


def test_an_asker_tells_the_limit_that_it_sends():
    asker = loaded(provider("http://127.0.0.1:9"))
    sent = build_config("", {"type": "string"}, manner("any"))["max_output_tokens"]
    assert asker.max_answer_tokens == sent == 2_048


def test_a_vendor_that_was_down_is_asked_again_whether_it_is_simulated():
    loopback = Loopback(port=free_port())
    one = provider(loopback.url)
    assert (one.simulated, one.reachable_kind()) == (False, None)
    with loopback:
        assert one.simulated


class Plain(BaseHTTPRequestHandler):
    """A server of somebody's own, which is no simulator."""

    def do_GET(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass
