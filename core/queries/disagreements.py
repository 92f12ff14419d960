"""The articles on which a comparison turns: where at least one of two models was wrong."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from core.domain.types import OutcomeState, Split
from core.errors import InputRejected, Place
from core.models import Article, DatasetItem, Outcome, Prediction

ALL, CHAMPION_ONLY, CHALLENGER_ONLY, BOTH_WRONG = "all", "champion_only", "challenger_only", "both_wrong"
KINDS = (ALL, CHAMPION_ONLY, CHALLENGER_ONLY, BOTH_WRONG)
MOST_ROWS = 200

_champion, _challenger = aliased(Prediction, name="champion"), aliased(Prediction, name="challenger")


@dataclass(frozen=True)
class Disagreement:
    """One article that both models answered and at least one of them got wrong.

    Parameters
    ----------
    title, body, url : str
        The article as received; body and url None where the source has none.
    label : str
        Gold class, frozen in the dataset version.
    champion, challenger : str
        What each said, with its confidence (0-100) and its reason, None where it gave none.
    return_pct : float or None
        What the market did over the article's horizon, in percent; None where that is not known.
    day : date or None
        The market day of the article; None where it has none.
    """

    article_id: int
    title: str
    body: str | None
    url: str | None
    label: str
    champion: str
    champion_confidence: float | None
    champion_reason: str | None
    challenger: str
    challenger_confidence: float | None
    challenger_reason: str | None
    return_pct: float | None
    day: date | None


def disagreements(
    session: Session,
    *,
    champion_id: int,
    challenger_id: int,
    dataset_id: int,
    split: str = Split.TEST,
    kind: str = ALL,
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[Disagreement], int]:
    """Return a page of the articles that not both models got right, in the part's order, and how many there are.

    Parameters
    ----------
    kind : str
        "champion_only" and "challenger_only": that one alone was right; "both_wrong", alike or not;
        "all": any of these. What both got right says nothing of the difference.
    limit : int
        Rows of a page, 0 to 200.
    offset : int
        Rows to leave out before it.

    Raises
    ------
    InputRejected
        If the kind is none of these, or the page no page.
    """
    if kind not in KINDS:
        place = Place("disagreements", column="kind")
        raise InputRejected(place, f"'{kind[:40]}' is no kind", f"Choose one of: {', '.join(KINDS)}")
    if not 0 <= limit <= MOST_ROWS or offset < 0:
        place = Place("disagreements", column="page")
        raise InputRejected(
            place,
            f"{limit} rows from {offset} on are no page",
            f"Ask for 0 to {MOST_ROWS} rows from 0 or more on",
        )
    of_part = and_(col(DatasetItem.dataset_id) == dataset_id, col(DatasetItem.split) == split, _of_kind(kind))
    total = session.scalar(_joined(select_columns(func.count()), champion_id, challenger_id).where(of_part))
    rows = session.execute(
        _joined(select_columns(*_columns()), champion_id, challenger_id)
        .where(of_part)
        .order_by(col(DatasetItem.position))
        .limit(limit)
        .offset(offset)
    )
    return [Disagreement(*row) for row in rows], int(total or 0)


def _columns() -> tuple[Any, ...]:
    known = case((col(Outcome.state) == OutcomeState.MATURED, col(Outcome.return_pct)))
    return (
        col(DatasetItem.article_id),
        col(Article.title),
        col(Article.body),
        col(Article.url),
        col(DatasetItem.label),
        *(
            getattr(said, name)
            for said in (_champion, _challenger)
            for name in ("sentiment", "confidence", "rationale")
        ),
        known.label("return_pct"),
        col(Outcome.session),
    )


def _joined(query: Select[Any], champion_id: int, challenger_id: int) -> Select[Any]:
    """Return a query of the items that both models answered, each beside its article and outcome."""
    return (
        query.select_from(DatasetItem)
        .join(_champion, _answered(_champion, champion_id))
        .join(_challenger, _answered(_challenger, challenger_id))
        .join(Article, col(Article.id) == DatasetItem.article_id)
        .join(Outcome, col(Outcome.article_id) == DatasetItem.article_id, isouter=True)
    )


def _answered(said: Any, model_id: int) -> ColumnElement[bool]:
    return and_(said.article_id == DatasetItem.article_id, said.model_id == model_id, said.request_id == "")


def _of_kind(kind: str) -> ColumnElement[bool]:
    label: Any = col(DatasetItem.label)
    old, new = _champion.sentiment == label, _challenger.sentiment == label
    wrong_old, wrong_new = _champion.sentiment != label, _challenger.sentiment != label
    conditions: dict[str, ColumnElement[bool]] = {
        ALL: or_(wrong_old, wrong_new),
        CHAMPION_ONLY: and_(old, wrong_new),
        CHALLENGER_ONLY: and_(wrong_old, new),
        BOTH_WRONG: and_(wrong_old, wrong_new),
    }
    return conditions[kind]
