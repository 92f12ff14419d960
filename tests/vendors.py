"""Providers that play a paid vendor without any network: a card, a script of reports, answers by title."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from core.domain.prompting import Prompt
from core.domain.tokens import TokenEstimate
from core.domain.types import Failure, Sentiment
from core.errors import FateUnknown, ProviderBlocked
from core.providers.base import (
    BaseModel,
    Forecast,
    HyperParameter,
    KnownDate,
    Preflight,
    ProviderCard,
    Reply,
    Usage,
)
from core.providers.scripted import ScriptedProvider, ScriptedTrainer

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
BASE = "gpt-4.1-mini-2025-04-14"
#: Billed at $5 a million training tokens: $0.05 to $0.15.
TOKENS = TokenEstimate(10_000, 20_000, 30_000)
_EPOCHS = HyperParameter("n_epochs", "int", 4, 1, 50, about="Passes over the training rows.")
_RATE = HyperParameter("learning_rate_multiplier", "float", None, 0.01, 10)
_WORDS = HyperParameter("max_words", "int", 40_000, 1, 1_000_000)
_ENDS = KnownDate("new_jobs_end", date(2027, 1, 6), source="a report", certain=False)
_RETIRES = KnownDate("base_retires", date(2026, 12, 10), BASE, "the vendor's page")


@dataclass
class Clock:
    """A clock that moves when it is told to: a vendor is asked again only after a while."""

    now: datetime = NOW

    def __call__(self):
        return self.now

    def forward(self, **span):
        self.now += timedelta(**span)


def card(
    name, *, keys=None, dates=(), notes=(), models=(BASE,), settings=(_EPOCHS, _RATE), place="vendor.example"
):
    offered = tuple(
        BaseModel(each, trainable=True, dates=tuple(d for d in dates if d.model == each)) for each in models
    )
    whole = tuple(each for each in dates if not each.model)
    return ProviderCard(name, name.title(), place, keys or {}, offered, settings, whole, notes)


class Asked:
    """Answers positive to all, but for titles with a certain number, whose answer is no JSON."""

    max_answer_tokens = 200

    def messages(self, text):
        return Prompt("system").messages(text.title, text.body)

    def ask(self, text):
        usage = Usage(300, 20)
        if " 140 " in text.title:
            return Reply(None, Failure.NOT_JSON, "not JSON", usage, billed=True)
        forecast = Forecast(Sentiment.POSITIVE, 80.0, ("수출",), "호재입니다.")
        return Reply(forecast, usage=usage, answered_by=BASE, latency_ms=12.0, billed=True)

    def predict(self, texts):
        return [self.ask(text).forecast for text in texts]


class Lost(ScriptedTrainer):
    """Loses the answer of every paid request."""

    def start(self, spec, folder, launch=None):
        raise FateUnknown("openai", "the answer to the paid request was lost", "Look at the vendor's console")


class Refusing(ScriptedTrainer):
    """Refuses every start for good."""

    def start(self, spec, folder, launch=None):
        raise ProviderBlocked("openai", "The account may not train", "Use another provider")


@dataclass
class Vendor(ScriptedProvider):
    """A scripted provider with a card of its own, asked over a network that is not there."""

    shown: ProviderCard | None = None
    says: Preflight = field(default_factory=Preflight.ready)
    priced: bool = True
    simulated: bool = False
    checks: int = 0

    def card(self):
        return self.shown

    def check(self, what):
        self.checks += 1
        return self.says if what == "train" else Preflight.ready()

    def load(self, model):
        return super().load(model) if self.name == "local" else Asked()


def vendors(**trainer):
    """Return a free local provider, a paid one with its key, a paid one without, and one without a price."""
    paid = {"remote": True, "tokens": TOKENS} | trainer
    dated = card("openai", keys={"OPENAI_API_KEY": True}, dates=(_ENDS, _RETIRES), notes=("Fees may apply.",))
    made = [
        Vendor(
            "local", shown=card("local", models=("",), settings=(_WORDS,), place="this machine"), priced=False
        ),
        Vendor("openai", shown=dated, trainer=ScriptedTrainer(**paid)),
        Vendor(
            "azure",
            shown=card("azure", keys={"AZURE_OPENAI_API_KEY": False}),
            trainer=ScriptedTrainer(**paid),
        ),
        Vendor(
            "nebius", shown=card("nebius", keys={"NEBIUS_API_KEY": True}), trainer=ScriptedTrainer(**paid)
        ),
    ]
    return {each.name: each for each in made}
