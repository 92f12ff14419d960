"""What came back about open items: kept as a prediction, and written into the experiment's side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from core.db import insert_new
from core.domain.types import Failure
from core.models import Prediction
from core.providers.base import Reply, Usage
from core.services.experiments.items import Side, settle
from core.services.experiments.open_sides import OpenItem


@dataclass(frozen=True)
class Answered:
    """A reply about an open item."""

    item: OpenItem
    reply: Reply


def record(
    session: Session, answers: Sequence[Answered], *, deadlines_s: Mapping[int, float], now: datetime
) -> None:
    """Keep answers as predictions and fill the sides; the caller commits.

    A challenger's answer that took longer than the deadline of its experiment counts as none: its prediction is
    kept, its side is a failure.

    Parameters
    ----------
    deadlines_s : mapping of int to float
        Seconds by experiment.
    """
    rows = [_prediction(each, now) for each in answers if each.reply.forecast is not None]
    if rows:
        insert_new(session, Prediction, rows)
    settle(session, [_side(each, deadlines_s) for each in answers], now=now)


def _side(answered: Answered, deadlines_s: Mapping[int, float]) -> Side:
    item, reply = answered.item, answered.reply
    sentiment, failure = None, None
    deadline_ms = 1000 * deadlines_s.get(item.experiment_id, float("inf"))
    if reply.forecast is None:
        failure = str(reply.failure or Failure.PROVIDER_ERROR)
    elif item.side == "challenger" and (reply.latency_ms or 0) > deadline_ms:
        failure = str(Failure.TIMEOUT)
    else:
        sentiment = str(reply.forecast.sentiment)
    return Side(item.experiment_id, item.article_id, item.side, sentiment, failure)


def _prediction(answered: Answered, now: datetime) -> dict[str, Any]:
    item, reply, forecast = answered.item, answered.reply, answered.reply.forecast
    assert forecast is not None  # noqa: S101 - asked only about those that have one
    usage = reply.usage or Usage()
    return {
        "article_id": item.article_id,
        "model_id": item.model_id,
        "request_id": item.request_id,
        "sentiment": forecast.sentiment,
        "confidence": forecast.confidence,
        "keywords": list(forecast.keywords),
        "rationale": forecast.rationale,
        "latency_ms": reply.latency_ms,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "answered_by": reply.answered_by,
        "created_at": now,
    }
