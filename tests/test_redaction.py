"""Keys never leave."""

import logging

import pytest

from core.redaction import HIDDEN, Redactor, keep_keys_out_of_logs

OURS = "plain-word-key-of-a-gateway"

LEAKS = [
    "Incorrect API key provided: sk-proj-abcdef1234567890. You can find it there.",
    "Incorrect API key provided: sk-abc***********wxyz.",
    "https://host/v1beta/models?key=AIzaSyA1234567890abcdefgh&alt=json",
    "API key AIzaSyA1234567890abcdefgh not valid",
    "headers: {'Authorization': 'Bearer gateway-token-123456'}",
    "x-goog-api-key: abcdefghijklmnop",
    'api_key="abcdefghijklmnop"',
    "OPENAI_API_KEY=abcdefghijklmnop",
    "ya29.a0AfH6SMBx-example-token",
    "token: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
    f"the gateway said {OURS} is unknown",
]
SECRETS = ["sk-", "wxyz", "AIzaSy", "gateway-token", "abcdefghijklmnop", "ya29.a0", "MIIEv", OURS, "eyJhbGci"]


@pytest.mark.parametrize("text", LEAKS)
def test_a_key_in_a_text_is_hidden(text):
    hidden = Redactor([OURS])(text)
    assert HIDDEN in hidden
    assert not [secret for secret in SECRETS if secret in hidden]


@pytest.mark.parametrize(
    "text",
    [
        "The job failed: 60 rows, accuracy 0.805 (n=379)",
        "한국은행이 기준금리를 내렸다. token 수는 1234개",
        "model gpt-4.1-mini-2025-04-14, job ftjob-abc123",
        "risk-free rate and task-force",
    ],
)
def test_a_text_without_a_key_stays_as_it_is(text):
    assert Redactor([OURS])(text) == text


def test_a_short_or_empty_secret_tears_no_words_apart():
    assert Redactor(["", "a", "news"])("a day of news") == "a day of news"


def test_a_log_line_with_its_traceback_is_redacted_by_any_handler(capsys):
    before = logging.getLogRecordFactory()
    keep_keys_out_of_logs(Redactor([OURS]))
    handler = logging.StreamHandler()  # added later, with a format of its own
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    log = logging.getLogger("tests.redaction")
    log.addHandler(handler)
    try:
        int(OURS)
    except ValueError:
        log.exception("asking with %s failed", OURS)
    finally:
        log.removeHandler(handler)
        logging.setLogRecordFactory(before)
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert OURS not in said
