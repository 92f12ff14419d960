"""Store what the sources have read. Storing the same again adds nothing, also from two processes.

Everything that one import stores goes in within one transaction, which takes the write lock at its
first statement; unique constraints decide what is new.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select as sa_select
from sqlalchemy import update
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from core.db import insert_new
from core.domain.records import (
    ArticleRecord,
    FileStatus,
    LabelRecord,
    MarketRecord,
    ParentImport,
    PredictionRecord,
)
from core.domain.types import ModelKind, Reason
from core.errors import Refused
from core.models import AccuracyLog, Article, HumanLabel, MarketDay, ModelVersion, Prediction

#: Values of one IN list: below every SQLite build's limit of parameters.
_LOOKUP = 5_000
#: The few-shot answers that come with the parent's folder, and those of tables that name no model.
PARENT_MODEL = "AI News Trader few-shot (Gemini)"
PARENT_BASE = "gemini"
UNNAMED_MODEL = "imported predictions"
IMPORTED = "imported"
SEOUL_OFFSET = timedelta(hours=9)


def store_parent(session: Session, parsed: ParentImport, *, run_id: int, now: datetime) -> dict[str, Any]:
    """Store a data folder of AI News Trader and commit.

    An article of the same key but another text stays as it was first seen, and the later one is counted
    in ``articles_conflicting`` and left out together with its prediction: text never changes.

    Returns
    -------
    dict
        For articles, predictions, market and accuracy: how many were given and ``*_new``; what changed,
        conflicted or was discarded; files by status; ``model_ids``.
    """
    stored, conflicting = _store_articles(session, parsed.articles, run_id=run_id, now=now)
    usable = [prediction for prediction in parsed.predictions if prediction.article_key in stored.ids]
    answers = [(stored.ids[found.article_key], replace(found, model=PARENT_MODEL)) for found in usable]
    predictions = _store_predictions(session, answers, run_id=run_id, now=now)
    market = _store_market(session, parsed.market, run_id=run_id)
    accuracy = _store_accuracy(session, parsed, run_id=run_id)
    session.commit()
    statuses = [report.status for report in parsed.files]
    return {
        "articles": len(parsed.articles),
        "articles_new": stored.new,
        "articles_conflicting": conflicting,
        **predictions,
        "predictions_discarded": parsed.discarded_predictions,
        "labels_changed": parsed.changed_labels,
        **market,
        **accuracy,
        "files_read": statuses.count(FileStatus.READ),
        "files_rejected": statuses.count(FileStatus.REJECTED),
        "files_ignored": statuses.count(FileStatus.IGNORED),
    }


def store_labels(
    session: Session, records: Sequence[LabelRecord], *, run_id: int, reviewer: str, now: datetime
) -> dict[str, Any]:
    """Store a labelled table and commit.

    A row that matches a stored article, or an earlier row, by URL, else by normalised title and body,
    adds its label and prediction to that article. Where several match, the newest scrape with a body
    of its own takes it.

    Parameters
    ----------
    reviewer : str
        Who labelled, for rows that do not say. The same reviewer's other class for an article, from an
        earlier import, is taken for a mistake since corrected and goes.

    Returns
    -------
    dict
        Rows given; articles, labels and predictions that are new; ``model_ids``.
    """
    places, unseen = _match(session, [record.article for record in records])
    stored, _ = _store_articles(session, unseen, run_id=run_id, now=now)
    ids = [stored.ids[place] if isinstance(place, str) else place for place in places]
    cause = {"import_id": run_id, "created_at": now}
    labels = [
        {"article_id": place, "sentiment": record.sentiment, "reviewer": record.reviewer or reviewer} | cause
        for place, record in zip(ids, records, strict=True)
    ]
    replaced = _drop_corrected(session, labels, run_id)
    new_labels = insert_new(session, HumanLabel, labels)
    answered = [(i, record.prediction) for i, record in zip(ids, records, strict=True) if record.prediction]
    predictions = _store_predictions(session, answered, run_id=run_id, now=now)
    session.commit()
    return {
        "rows": len(records),
        "articles": len(set(ids)),
        "articles_new": stored.new,
        "labels": len(records),
        "labels_new": new_labels,
        "labels_replaced": replaced,
        **predictions,
    }


def _drop_corrected(session: Session, labels: Sequence[Mapping[str, Any]], run_id: int) -> int:
    """Delete what the same reviewers said of the same articles in earlier imports and say no more."""
    given = {(row["article_id"], row["reviewer"], str(row["sentiment"])) for row in labels}
    again = {(article_id, reviewer) for article_id, reviewer, _ in given}
    stored = session.exec(
        select(HumanLabel).where(
            col(HumanLabel.reviewer).in_({reviewer for _, reviewer in again}),
            col(HumanLabel.import_id) != run_id,
        )
    ).all()
    stale = [
        row
        for row in stored
        if (row.article_id, row.reviewer) in again
        and (row.article_id, row.reviewer, row.sentiment) not in given
    ]
    for row in stale:
        session.delete(row)
    session.flush()
    return len(stale)


def store_market(
    session: Session, records: Sequence[MarketRecord], *, run_id: int, now: datetime
) -> dict[str, Any]:
    """Store market numbers and commit; those of other sources stay beside them untouched.

    A number given again from the same source replaces the former one and is counted as changed.

    Returns
    -------
    dict
        ``market``, ``market_new``, ``market_changed``.

    Raises
    ------
    Refused
        If a date lies in the future of Asia/Seoul.
    """
    today = (now + SEOUL_OFFSET).date()
    if late := [record for record in records if record.day > today]:
        raise Refused(f"The close of {late[0].day} is not known on {today}", "Correct the date in the table")
    counts = _store_market(session, records, run_id=run_id)
    session.commit()
    return counts


@dataclass(frozen=True)
class _Stored:
    """Row ids by article key, and how many articles were new."""

    ids: Mapping[str, int]
    new: int


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    listed = sorted(set(values))
    for start in range(0, len(listed), _LOOKUP):
        yield listed[start : start + _LOOKUP]


def _article_row(article: ArticleRecord, *, run_id: int, now: datetime) -> dict[str, Any]:
    row = {item.name: getattr(article, item.name) for item in fields(article)}
    own = {"flags": list(article.flags), "import_id": run_id, "reason": Reason.NO_LABEL}
    return row | own | {"created_at": now}


def _store_articles(
    session: Session, articles: Sequence[ArticleRecord], *, run_id: int, now: datetime
) -> tuple[_Stored, int]:
    """Insert what is new; return the ids of articles whose text is the stored one, and how many differ.

    Flags that a later folder reveals are added to the stored ones.
    """
    new = insert_new(session, Article, [_article_row(item, run_id=run_id, now=now) for item in articles])
    wanted = {article.key: article for article in articles}
    ids: dict[str, int] = {}
    flags: list[dict[str, Any]] = []
    for keys in _chunks(wanted):
        columns = (col(Article.key), col(Article.id), col(Article.content_hash), col(Article.flags))
        for key, row_id, text_hash, known in session.execute(
            sa_select(*columns).where(col(Article.key).in_(keys))
        ):
            if text_hash != wanted[key].content_hash:
                continue
            ids[key] = row_id
            if added := [flag for flag in wanted[key].flags if flag not in known]:
                flags.append({"id": row_id, "flags": [*known, *added]})
    if flags:
        session.execute(update(Article), flags)
    return _Stored(ids, new), len(wanted) - len(ids)


def _match(
    session: Session, articles: Sequence[ArticleRecord]
) -> tuple[list[int | str], list[ArticleRecord]]:
    """Return for each article the id of the stored one or the key of the new one it is, and the new."""
    by_url = _known(session, col(Article.url), (item.url for item in articles if item.url))
    by_hash = _known(session, col(Article.content_hash), (item.content_hash for item in articles))
    places: list[int | str] = []
    unseen: list[ArticleRecord] = []
    for article in articles:
        place = by_url.get(article.url or "", by_hash.get(article.content_hash))
        if place is None:
            place = article.key
            unseen.append(article)
        places.append(place)
        by_hash.setdefault(article.content_hash, place)
        if article.url:
            by_url.setdefault(article.url, place)
    return places, unseen


def _known(session: Session, column: Mapped[Any], values: Iterable[str]) -> dict[str, int | str]:
    """Return the stored article for each value; of several the newest scrape that has a body."""
    worst_first = (col(Article.placeholder).desc(), col(Article.scraped_at), col(Article.id).desc())
    found: dict[str, int | str] = {}
    for chunk in _chunks(values):
        query = sa_select(column, col(Article.id)).where(column.in_(chunk)).order_by(*worst_first)
        found.update((value, row_id) for value, row_id in session.execute(query))
    return found


def _store_predictions(
    session: Session, given: Sequence[tuple[int, PredictionRecord]], *, run_id: int, now: datetime
) -> dict[str, Any]:
    """Insert predictions, one for each article and model; one that differs from the first stays out."""
    names = {prediction.model or UNNAMED_MODEL for _, prediction in given}
    models = {name: _imported_model(session, name, now=now) for name in sorted(names)}
    rows = [
        {
            "article_id": article_id,
            "model_id": models[prediction.model or UNNAMED_MODEL],
            "request_id": "",
            "sentiment": prediction.sentiment,
            "confidence": prediction.confidence,
            "keywords": list(prediction.keywords),
            "rationale": prediction.rationale,
            "import_id": run_id,
            "created_at": now,
        }
        for article_id, prediction in given
    ]
    new = insert_new(session, Prediction, rows)
    columns = (col(Prediction.article_id), col(Prediction.model_id), col(Prediction.sentiment))
    mine = col(Prediction.model_id).in_(models.values()), col(Prediction.request_id) == ""
    stored = {
        (article, model): said for article, model, said in session.execute(sa_select(*columns).where(*mine))
    }
    conflicting = sum(stored[row["article_id"], row["model_id"]] != row["sentiment"] for row in rows)
    return {
        "predictions": len(rows),
        "predictions_new": new,
        "predictions_conflicting": conflicting,
        "model_ids": sorted(models.values()),
    }


def _imported_model(session: Session, name: str, *, now: datetime) -> int:
    """Return the id of the version that imported predictions of this name belong to, made if need be."""
    taken = session.exec(select(ModelVersion).where(col(ModelVersion.name) == name)).first()
    if taken is not None and taken.provider != IMPORTED:
        return _imported_model(session, f"{name} (imported)", now=now)
    if taken is None:
        base = PARENT_BASE if name == PARENT_MODEL else name
        taken = ModelVersion(
            name=name, kind=ModelKind.FEW_SHOT, provider=IMPORTED, base_model=base, created_at=now
        )
        session.add(taken)
        session.flush()
    return int(taken.id or 0)


def _store_market(session: Session, records: Sequence[MarketRecord], *, run_id: int) -> dict[str, int]:
    new = insert_new(session, MarketDay, [asdict(record) | {"import_id": run_id} for record in records])
    given = {(record.day, str(record.instrument), str(record.source)): record for record in records}
    days = [record.day for record in records]
    query = select(MarketDay).where(col(MarketDay.source).in_({record.source for record in records}))
    if days:
        query = query.where(col(MarketDay.day).between(min(days), max(days)))
    changed = 0
    for row in session.exec(query):
        record = given.get((row.day, row.instrument, row.source))
        if record is not None and _replaces(record, row):
            row.close, row.return_pct = record.close, record.return_pct
            row.collected_at, row.import_id = record.collected_at, run_id
            changed += 1
    session.flush()
    return {"market": len(given), "market_new": new, "market_changed": changed}


def _replaces(record: MarketRecord, row: MarketDay) -> bool:
    """Tell whether a number given again differs and is no older than the stored one."""
    older = record.collected_at and row.collected_at and record.collected_at < row.collected_at
    return not older and (record.close, record.return_pct) != (row.close, row.return_pct)


def _store_accuracy(session: Session, parsed: ParentImport, *, run_id: int) -> dict[str, int]:
    given = {record.file_date: dict(record.payload) for record in parsed.accuracy}
    rows = [{"file_date": day, "payload": payload, "import_id": run_id} for day, payload in given.items()]
    new = insert_new(session, AccuracyLog, rows)
    changed = 0
    for log in session.exec(select(AccuracyLog)):
        if log.file_date in given and log.payload != given[log.file_date]:
            log.payload, log.import_id = given[log.file_date], run_id
            changed += 1
    session.flush()
    return {"accuracy": len(rows), "accuracy_new": new, "accuracy_changed": changed}
