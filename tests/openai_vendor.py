"""A loopback vendor with a provider in front of it, and a driver of launches that can be killed."""

from contextlib import contextmanager
from functools import cache

import httpx2
import openai
from pydantic import SecretStr

from core.domain.prompting import Prompt
from core.domain.tokens import TokenEstimate
from core.domain.training_format import Answer
from core.domain.types import Sentiment
from core.providers.base import Launch, ModelRef, NewsText, TrainingRow, TrainingSpec
from core.providers.loopback.script import Script
from core.providers.loopback.server import Loopback
from core.providers.openai_compat.flavours import OPENAI
from core.providers.openai_compat.provider import OpenAICompatible
from core.providers.retrying import Patience
from core.redaction import Redactor

KEY = "sk-proj-canary-000111222333444"
MODEL = "gpt-4.1-mini-2025-04-14"
LABELS = tuple(Sentiment)
QUICK = Patience(attempts=5, deadline_s=1.5, first_wait_s=0.01, longest_wait_s=0.05)
JOBS = "/fine_tuning/jobs"


class Killed(BaseException):
    """Stands for a process that ends between two steps."""


def characters(text):
    """Count a token a character, so that sums can be checked by hand."""
    return TokenEstimate.exactly(len(text))


def provider(server, flavour=OPENAI, *, base="/v1", timeout_s=5.0, key=KEY, **more):
    return OpenAICompatible(
        flavour,
        key=SecretStr(key) if key else None,
        base_url=server.url + base,
        timeout_s=timeout_s,
        redact=Redactor([key] if key else []),
        patience=QUICK,
        **{"count": characters, **more},
    )


@contextmanager
def vendor(flavour=OPENAI, *, script=None, clock=None, alone=False, **more):
    """Yield a loopback vendor that remembers nothing and a provider that talks to it.

    Tests share one server, which takes longer to stop than most of them; `alone` is for those that stop it.
    """
    if alone or clock:
        server = Loopback(script=script, **({"clock": clock} if clock else {})).start()
    else:
        server = _shared_server()
        server.script = script or Script()
        httpx2.post(f"{server.url}/_reset", trust_env=False, verify=False).raise_for_status()
    made = provider(server, flavour, **more)
    try:
        yield server, made
    finally:
        made.close()
        if alone or clock:
            server.stop()


@cache
def _shared_server():
    return Loopback().start()


def sdk(server):
    """Return a plain client of the SDK, to look at the vendor or to show what the naive call does."""
    without_certificates = httpx2.Client(verify=False)  # loading them takes longer than a test
    return openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", http_client=without_certificates)


def spec(rows=12, validation=3, **more):
    return TrainingSpec(
        train=tuple(row(n) for n in range(rows)),
        validation=tuple(row(n) for n in range(100, 100 + validation)),
        **{"base_model": MODEL, "system": "Judge the news.", "seed": 7, **more},
    )


def row(number, label=None):
    label = label or LABELS[number % 3]
    answer = Answer(label, 80, ("word",), f"because of {number}")
    return TrainingRow(NewsText(f"Headline {number} 금리", f"Body {number}"), label, 1.0, answer)


def model_ref(name=MODEL, **more):
    return ModelRef(1, name, None, None, prompt=Prompt("Judge the news.").as_json(), **more)


class Driver:
    """Keeps what a launch saves as the database would, and is killed at its `dies_at`-th save."""

    def __init__(self, key="abc123", handle=None):
        self.key, self.handle, self.saves = key, dict(handle or {}), 0

    def launch(self, dies_at=None, before_dying=lambda: None):
        self.saves = 0

        def save(handle):
            self.handle = dict(handle)
            self.saves += 1
            if self.saves == dies_at:
                before_dying()
                raise Killed

        return Launch(self.key, dict(self.handle), save)


def posts(server, ending=JOBS):
    return server.count("POST", ending)


def jobs(server):
    with sdk(server) as client:
        return list(client.fine_tuning.jobs.list())


def uploaded(server):
    with sdk(server) as client:
        return sorted(file.filename for file in client.files.list())
