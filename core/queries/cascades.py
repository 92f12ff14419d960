"""What two models said of the same articles, as the trade-off of a cascade is measured on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from core.domain.cascade import Pair
from core.domain.types import Split, Target
from core.models import DatasetItem, Prediction


@dataclass(frozen=True)
class Answered:
    """What both models of a future cascade said of a part.

    Parameters
    ----------
    asked : int
        Articles of the part.
    rows : list of tuple
        Gold label, market day, and both stored answers, of the articles that both answered.
    """

    asked: int
    rows: list[tuple[str, str | None, Prediction, Prediction]]

    def pairs(self, target: Target, costs: Sequence[float | None]) -> list[Pair]:
        """Return the rows with what asking the second costs for each, as `domain.cascade.curve` takes them."""
        return [
            Pair(
                label=label,
                first=first.sentiment,
                confidence=first.confidence,
                second=second.sentiment,
                day=day if target == Target.DIRECTION else None,
                first_ms=first.latency_ms,
                second_ms=second.latency_ms,
                second_micro_usd=micro_usd,
            )
            for (label, day, first, second), micro_usd in zip(self.rows, costs, strict=True)
        ]


def answered(session: Session, *, first_id: int, second_id: int, dataset_id: int, split: Split) -> Answered:
    """Return what two models said of a part, in its order."""
    first, second = aliased(Prediction), aliased(Prediction)
    query = (
        select(DatasetItem, first, second)
        .join(first, _answer_of(first, first_id), isouter=True)
        .join(second, _answer_of(second, second_id), isouter=True)
        .where(DatasetItem.dataset_id == dataset_id, DatasetItem.split == split)
        .order_by(col(DatasetItem.position))
    )
    found = session.exec(query).all()
    return Answered(
        len(found),
        [(item.label, item.market_day, one, two) for item, one, two in found if one and two],
    )


def _answer_of(said: Any, model_id: int) -> Any:
    mine = (said.model_id == model_id) & (said.request_id == "")
    return mine & (said.article_id == DatasetItem.article_id)
