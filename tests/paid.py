"""An application whose OpenAI is the loopback server, and a look at what that server holds afterwards."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.request import Request, urlopen

from pydantic import SecretStr
from sqlmodel import select

from core import ledger, workflows
from core.bootstrap import build_app
from core.db import reading, writing
from core.domain.types import CostKind
from core.models import Budget, CostEntry, TrainingJob
from core.providers.loopback.server import Loopback
from core.providers.openai_compat import flavours
from core.providers.openai_compat.provider import OpenAICompatible
from core.redaction import Redactor
from core.settings import Settings
from tests.conftest import NOW

MODEL = "gpt-4.1-mini-2025-04-14"
KEY = "sk-canary-0123456789abcdef"
#: Long enough for a healthy answer on a busy machine, short enough for two hundred lost ones.
TIMEOUT_S = 1.0


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    now: datetime = NOW

    def __call__(self):
        return self.now

    def forward(self, **span):
        self.now += timedelta(**span)


def application(folder, url, clock, *, timeout_s=TIMEOUT_S):
    """Return an app on a seeded database in `folder` whose only provider asks `url`."""
    redact = Redactor([KEY])
    provider = OpenAICompatible(
        flavours.OPENAI, key=SecretStr(KEY), base_url=f"{url}/v1", timeout_s=timeout_s, redact=redact
    )
    settings = Settings(data_dir=folder, _env_file=None)
    return build_app(settings, providers={"openai": provider}, now=clock)


def request(**given):
    return workflows.Request(1, "openai", base_model=MODEL, **given)


def price(app, wanted):
    return workflows.quote_training(app, wanted).cost.high


def queue(app, **given):
    """Queue a paid training whose price is agreed to, and return its job's id."""
    wanted = request(**given)
    return workflows.start_training(app, wanted, accept_micro_usd=price(app, wanted)).job_id


def cap(app, micro_usd):
    with writing(app.engine) as session:
        session.add(Budget(monthly_micro_usd=micro_usd, warn_share=0.8, actor="test", at=NOW))
        session.commit()


def job(app, job_id=1):
    with reading(app.engine) as session:
        return session.get(TrainingJob, job_id)


def money(app):
    """Return the ledger's sums by kind, in micro-dollars."""
    with reading(app.engine) as session:
        rows = session.exec(select(CostEntry.kind, CostEntry.micro_usd)).all()
    return {kind: sum(amount for k, amount in rows if k == kind) for kind in CostKind}


def held(app, job_id=1):
    with reading(app.engine) as session:
        return ledger.reserved(session, session.get(TrainingJob, job_id).key)


def settle(app, clock, minutes=(4, 1, 5, 30, 30)):
    """Let time pass and the scheduler poll, as after a crash."""
    for span in minutes:
        clock.forward(minutes=span)
        workflows.poll_training(app)
        workflows.poll_training(app)


def creations(vendor: Loopback):
    """Return how many requests to create a training job came in."""
    return sum(seen == ("POST", "/v1/fine_tuning/jobs") for seen in vendor.requests)


def paid_for(vendor: Loopback):
    """Return the trainings at the vendor that run or will run to their end, by id."""
    asked = Request(f"{vendor.url}/v1/fine_tuning/jobs?limit=50", headers={"Authorization": f"Bearer {KEY}"})
    with urlopen(asked, timeout=10) as answer:
        jobs = json.load(answer)["data"]
    return [each["id"] for each in jobs if each["status"] not in ("cancelled", "failed")]
