"""What Google's responses mean, told from the responses alone."""

import pytest

from core.domain.types import Failure
from core.providers.base import Usage
from core.providers.gemini.asking import read
from core.providers.gemini.catalogue import BASE_MODELS, TUNABLE, manner
from core.providers.gemini.client import (
    Finish,
    GeminiFailed,
    Generated,
    parse_generated,
    refused,
    turned_away,
)
from core.redaction import Redactor

KEY = "AIzaCanary-0123456789"
REDACT = Redactor([KEY])
GOOD = '{"sentiment":"positive","confidence":90,"keywords":["금리"],"reason":"금리가 내렸다"}'


def response(text=GOOD, finish="STOP", **more):
    return {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": finish}], **more}


def test_an_answer_is_read_with_its_tokens_and_the_model_that_gave_it():
    usage = {"promptTokenCount": 40, "candidatesTokenCount": 12, "cachedContentTokenCount": 8}
    assert parse_generated(response(usageMetadata=usage, modelVersion="gemini-x-001")) == Generated(
        GOOD, Finish.DONE, "STOP", Usage(40, 12, 8), "gemini-x-001"
    )


def test_thoughts_are_no_part_of_the_answer_but_of_its_tokens():
    parts = [{"text": "I think", "thought": True}, {"text": "{"}, {"text": "}"}]
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 2, "thoughtsTokenCount": 30}
    said = parse_generated({"candidates": [{"content": {"parts": parts}}], "usageMetadata": usage})
    assert (said.text, said.usage.completion_tokens) == ("{}", 32)


def test_thoughts_that_only_the_total_tells_of_are_counted():
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 2, "totalTokenCount": 42}
    assert parse_generated(response(usageMetadata=usage)).usage == Usage(10, 32)


@pytest.mark.parametrize("usage", [{}, None, 7, {"promptTokenCount": "many"}, {"promptTokenCount": True}])
def test_tokens_that_are_not_counted_are_unknown_and_not_zero(usage):
    assert parse_generated(response(usageMetadata=usage)).usage is None


@pytest.mark.parametrize(
    ("payload", "failure"),
    [
        (response(finish="SAFETY"), Failure.DECLINED),
        (response(finish="MODEL_ARMOR"), Failure.DECLINED),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, Failure.DECLINED),
        (response(finish="MAX_TOKENS"), Failure.CUT_OFF),
        ({"candidates": []}, Failure.EMPTY),
        ({"candidates": None}, Failure.EMPTY),
        ({"candidates": [None]}, Failure.EMPTY),
        ({"candidates": [{"content": {"parts": "none"}, "finishReason": "OTHER"}]}, Failure.EMPTY),
        ({}, Failure.EMPTY),
        (response(text=""), Failure.EMPTY),
        (response(text=GOOD.replace("금리가", "\ufffd\ufffd가")), Failure.UNREADABLE),
        (response(text=GOOD.replace("positive", "bullish")), Failure.WRONG_SENTIMENT),
        (response(text=GOOD.replace("90", "140")), Failure.WRONG_CONFIDENCE),
    ],
)
def test_an_answer_that_is_none_says_why(payload, failure):
    reply = read(parse_generated(payload))
    assert (reply.forecast, reply.failure, reply.billed) == (None, failure, None)
    assert reply.detail


def test_an_answer_that_is_none_but_was_counted_is_billed():
    usage = {"promptTokenCount": 40, "totalTokenCount": 40}
    reply = read(parse_generated({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage}))
    assert (reply.billed, reply.usage) == (True, Usage(40, 0))


def test_a_reason_for_the_end_that_is_not_known_yet_does_not_hide_the_answer():
    reply = read(parse_generated(response(finish="SOMETHING_NEW")))
    assert reply.forecast.sentiment == "positive"


@pytest.mark.parametrize("payload", [None, [], "text", 7])
def test_a_response_that_is_no_object_cannot_be_read(payload):
    with pytest.raises(GeminiFailed) as failed:
        parse_generated(payload)
    assert failed.value.failure == Failure.UNREADABLE


def error(status, word="", message="", **more):
    return refused(status, {}, {"error": {"status": word, "message": message, **more}}, REDACT)


@pytest.mark.parametrize(
    ("status", "word", "failure", "billed"),
    [
        (401, "UNAUTHENTICATED", Failure.KEY_REFUSED, False),
        (403, "PERMISSION_DENIED", Failure.NOT_AVAILABLE, False),
        (404, "NOT_FOUND", Failure.NOT_AVAILABLE, False),
        (400, "INVALID_ARGUMENT", Failure.REQUEST_REFUSED, False),
        (400, "FAILED_PRECONDITION", Failure.NOT_AVAILABLE, False),
        (307, "", Failure.REQUEST_REFUSED, False),
        (429, "RESOURCE_EXHAUSTED", Failure.RATE_LIMITED, False),
        (503, "UNAVAILABLE", Failure.OVERLOADED, False),
        (500, "INTERNAL", Failure.PROVIDER_ERROR, None),
        (504, "DEADLINE_EXCEEDED", Failure.PROVIDER_ERROR, None),
    ],
)
def test_a_status_says_whether_it_may_have_been_carried_out_and_billed(status, word, failure, billed):
    failed = error(status, word)
    assert (failed.failure, failed.billed, failed.status) == (failure, billed, status)


def test_a_wrong_key_is_a_bad_request_at_google_and_told_from_others_by_its_reason():
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    assert error(400, "INVALID_ARGUMENT", details=details).failure == Failure.KEY_REFUSED


def test_the_wait_is_told_by_a_header_or_by_the_errors_details():
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.5s"}]
    told = refused(429, {}, {"error": {"details": details}}, REDACT)
    assert turned_away(told).wait_s == 17.5
    both = refused(429, {"retry-after": "3"}, {"error": {"details": details}}, REDACT)
    assert turned_away(both).wait_s == 3
    assert turned_away(error(429)).wait_s is None


def test_only_what_was_not_carried_out_may_be_sent_again():
    again = [failure for failure in Failure if turned_away(GeminiFailed(failure, ""))]
    assert again == [Failure.NO_CONNECTION, Failure.RATE_LIMITED, Failure.OVERLOADED]
    assert turned_away(ValueError()) is None


@pytest.mark.parametrize(
    "body", [None, [], "text", {"error": "text"}, {"error": {"details": "none"}}, [1, 2]]
)
def test_an_error_of_any_shape_is_told_by_its_status(body):
    assert refused(500, {}, body, REDACT).detail == "HTTP 500"


def test_a_vendors_sentence_is_kept_short_on_one_line_and_without_keys():
    detail = error(400, message=f"bad\nkey {KEY}\x00 " + "x" * 1_000).detail
    assert KEY not in detail
    assert len(detail) <= 300
    assert detail.startswith("HTTP 400 bad key [key hidden]")


def test_a_model_is_asked_to_reason_as_little_as_it_knows_how_and_an_unknown_one_is_left_alone():
    assert manner("gemini-3.5-flash-lite").thinking == {"thinking_level": "MINIMAL"}
    assert manner("models/gemini-3.8-flash").thinking == {"thinking_level": "LOW"}
    assert manner("gemini-2.5-flash-lite").thinking == {"thinking_budget": 0}
    assert (manner("gemini-9-unheard-of").thinking, manner("gemini-9-unheard-of").temperature) == ({}, None)


def test_no_default_is_a_model_that_will_be_answered_by_another():
    for offered in (BASE_MODELS, TUNABLE):
        assert not [date for date in offered[0].dates if date.what == "rerouted"]
    rerouted = {model.name for model in BASE_MODELS for date in model.dates if date.what == "rerouted"}
    assert rerouted == {"gemini-2.5-flash", "gemini-2.5-pro"}
    assert not rerouted & {model.name for model in TUNABLE}
