"""A paid vendor that says what a test tells it, and looks at what a prediction run left behind."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from threading import Lock
from time import sleep

from sqlmodel import select

from core.db import reading, writing
from core.domain.prompting import Prompt
from core.domain.types import CostKind, JobStatus, Sentiment
from core.models import Budget, CostEntry, Prediction, PredictionItem, PredictionRun
from core.providers.base import BatchReport, Forecast, Preflight, ProviderCard, Reply, Usage
from core.workflows import predictions
from tests.conftest import NOW

#: Has a price in the shipped table: $0.40 in and $1.60 out a million tokens, half in a batch.
VENDOR, MODEL = "openai", "gpt-4.1-mini"
USAGE = Usage(400, 50)
#: What a request of that usage costs, in micro-dollars.
PRICE, BATCH_PRICE = 240, 120


class Killed(BaseException):
    """Stands for a process that ends in the middle of its work."""


def good(title, sentiment=Sentiment.POSITIVE, **more):
    forecast = Forecast(sentiment, 80.0, (title[:10],), "because")
    return Reply(
        forecast, **{"usage": USAGE, "answered_by": MODEL, "latency_ms": 5.0, "billed": True, **more}
    )


def bad(failure, *, billed=False, **more):
    return Reply(None, failure, f"seen: {failure}", billed=billed, **more)


def always_good(text):
    return good(text.title)


def at_request(n, action):
    """Return a script that does something at the n-th request and answers all well."""
    turn = count(1)

    def script(text):
        if next(turn) == n:
            action()
        return good(text.title)

    return script


def die():
    raise Killed


@dataclass
class ScriptedAsker:
    """Replies what `script` returns for a text, and counts who was asked and how many at a time."""

    script: object = always_good
    max_answer_tokens: int = 400
    delay_s: float = 0.0
    asked: Counter = field(default_factory=Counter)
    flying: int = 0
    peak: int = 0
    lock: Lock = field(default_factory=Lock)

    def messages(self, text):
        return Prompt("Judge.").messages(text.title, text.body)

    def ask(self, text):
        with self.lock:
            self.asked[text.title] += 1
            self.flying += 1
            self.peak = max(self.peak, self.flying)
        try:
            sleep(self.delay_s)
            return self.script(text)
        finally:
            with self.lock:
                self.flying -= 1


@dataclass
class ScriptedBatcher:
    """Starts with `outcomes` in turn (an exception is raised), then reports `report`."""

    outcomes: list = field(default_factory=list)
    report: BatchReport = field(default_factory=lambda: BatchReport(JobStatus.RUNNING, "in progress"))
    sent: list = field(default_factory=list)
    starts: list = field(default_factory=list)
    looks: int = 0
    cancelled: list = field(default_factory=list)
    others: list = field(default_factory=list)

    def start(self, model, texts, launch):
        self.starts.append(dict(launch.handle))
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if callable(outcome):
            outcome = outcome(launch)
        if isinstance(outcome, BaseException):
            raise outcome
        self.sent.append(list(texts))
        return {"job": f"batch-{len(self.sent)}"}

    def poll(self, handle):
        self.looks += 1
        if isinstance(self.report, BaseException):
            raise self.report
        return self.report

    def cancel(self, handle):
        self.cancelled.append(handle["job"])

    def find(self, key):
        return self.others


@dataclass
class PaidVendor:
    """A provider made of the two above."""

    asker: ScriptedAsker = field(default_factory=ScriptedAsker)
    batcher: ScriptedBatcher | None = field(default_factory=ScriptedBatcher)
    name: str = VENDOR
    priced: bool = True
    simulated: bool = False
    trainer: object = None

    def load(self, model):
        if isinstance(self.asker, Exception):
            raise self.asker
        return self.asker

    def card(self):
        return ProviderCard(self.name, "Vendor", "vendor.example")

    def check(self, what):
        return Preflight.ready()


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    now: object = NOW

    def __call__(self):
        return self.now

    def forward(self, **span):
        self.now += timedelta(**span)


def begin(app, **wish):
    """Queue a run of model 2 whose price is agreed to, and return its id."""
    wish = wish or {"dataset_id": 1, "split": "test"}
    return predictions.start_predictions(app, 2, accept_micro_usd=10**9, **wish)


def run_to_the_end(app, **wish):
    """Queue a run, drive it, and return how it ended."""
    run_id = begin(app, **wish)
    predictions.drive_predictions(app, run_id)
    return run(app, run_id)


def run(app, run_id=1):
    with reading(app.engine) as session:
        return session.get(PredictionRun, run_id)


def items(app, run_id=1):
    """Return the states and failures of a run's items in order."""
    with reading(app.engine) as session:
        query = (
            select(PredictionItem).where(PredictionItem.run_id == run_id).order_by(PredictionItem.position)
        )
        return [(item.state, item.failure) for item in session.exec(query)]


def tally(app, run_id=1):
    """Return how many items are in each state, failures by code."""
    return Counter(failure or state for state, failure in items(app, run_id))


def stored(app, model_id=2):
    with reading(app.engine) as session:
        return session.exec(select(Prediction).where(Prediction.model_id == model_id)).all()


def entries(app, kind=CostKind.ACTUAL):
    with reading(app.engine) as session:
        return session.exec(select(CostEntry).where(CostEntry.kind == kind)).all()


def money(app, kind=CostKind.ACTUAL):
    return sum(entry.micro_usd for entry in entries(app, kind))


def held(app):
    return money(app, CostKind.RESERVATION) - money(app, CostKind.RELEASE)


def cap(app, micro_usd):
    with writing(app.engine) as session:
        session.add(Budget(monthly_micro_usd=micro_usd, warn_share=0.8, actor="test", at=NOW))
        session.commit()


def is_whole(app, run_id=1):
    """Tell whether a run has ended with rows in = ok + failed, by its counts and by its items."""
    ended, states = run(app, run_id), Counter(state for state, _ in items(app, run_id))
    counted = (ended.answered, ended.failed) == (states["ok"], states["failed"])
    return counted and ended.answered + ended.failed == ended.total and ended.finished_at is not None
