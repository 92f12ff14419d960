"""Answering: who answers for a new article, what a model has not answered yet, and keeping the answers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy import text as sql
from sqlmodel import Session, col, func, select

from core.db import CHUNK, insert_new, let_go
from core.domain.question import Question
from core.domain.records import ArticleRecord
from core.domain.text import clean_article, content_hash
from core.domain.types import Flag, Origin, Reason, Split, Target
from core.errors import Refused
from core.models import Article, Champion, DatasetItem, ModelVersion, Prediction
from core.providers.base import Forecast, NewsText, Predictor, Reply, Usage

#: Articles asked one by one, for the latency of a single answer.
TIMED = 50


@dataclass(frozen=True)
class Champions:
    """Who answers now, by target, and since when."""

    by_target: Mapping[Target, ModelVersion]
    since: Mapping[Target, datetime]

    def of(self, target: Target | None) -> tuple[ModelVersion, Target]:
        """Return the champion that answers, and for which target.

        Without a `target`: the champion for sentiment, else the only champion there is.

        Raises
        ------
        Refused
            If no champion fits.
        """
        if target is None:
            known = self.by_target
            target = Target.SENTIMENT if Target.SENTIMENT in known else next(iter(known), None)
        if target is None or target not in self.by_target:
            wanted = f" for the target '{target}'" if target else ""
            raise Refused(f"There is no champion{wanted} to answer", "Train a model and promote it first")
        return self.by_target[target], target


def champions(session: Session) -> Champions:
    """Return who answers now, for every target that has a champion."""
    query = select(Champion.target, Champion.since, ModelVersion).join(
        ModelVersion, col(ModelVersion.id) == col(Champion.model_id)
    )
    rows = session.exec(query.order_by(col(Champion.target))).all()
    return Champions(
        {Target(target): model for target, _, model in rows}, {Target(target): at for target, at, _ in rows}
    )


_STAMP = sql(
    "SELECT target, model_id, since FROM champion"
    " UNION ALL SELECT status, id, started_at FROM experiment WHERE status = 'running' ORDER BY 1, 2"
)


def answering_stamp(session: Session) -> tuple[Any, ...]:
    """Return a value that changes with who answers and which experiments run: cheaper than looking at both."""
    return tuple(map(tuple, session.connection().execute(_STAMP)))


def models_of(session: Session, ids: Collection[int]) -> dict[int, ModelVersion]:
    """Return model versions by id."""
    rows = session.exec(select(ModelVersion).where(col(ModelVersion.id).in_(ids))) if ids else ()
    return {int(model.id or 0): model for model in rows}


@dataclass(frozen=True)
class Said:
    """What a model said of a stored article when it was asked by a request.

    Parameters
    ----------
    article_id, model_id : int
        Of what, and who.
    request_id : str
        The question's name: one answer a model and request is kept.
    reply : Reply
        With a forecast; one without is no answer and is not kept.
    """

    article_id: int
    model_id: int
    request_id: str
    reply: Reply


def keep_answers(session: Session, answers: Sequence[Said], *, now: datetime) -> int:
    """Keep the answers that are some, and return how many went in; the caller commits."""
    rows = [_answer_row(said, now) for said in answers if said.reply.forecast is not None]
    return insert_new(session, Prediction, rows)


def _answer_row(said: Said, now: datetime) -> dict[str, Any]:
    forecast, usage = said.reply.forecast, said.reply.usage or Usage()
    assert forecast is not None  # noqa: S101 - the caller has looked
    return {
        "article_id": said.article_id,
        "model_id": said.model_id,
        "request_id": said.request_id,
        "sentiment": forecast.sentiment,
        "confidence": forecast.confidence,
        "keywords": list(forecast.keywords),
        "rationale": forecast.rationale,
        "latency_ms": said.reply.latency_ms,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "answered_by": said.reply.answered_by,
        "created_at": now,
    }


def asked_article(question: Question, now: datetime) -> ArticleRecord:
    """Return a question as an article, cleaned like one of any other source."""
    title, body, flags, placeholder = clean_article(question.title, question.body)
    digest = content_hash(title, body)
    return ArticleRecord(
        key=f"{Origin.API}|{digest}",
        family=question.family,
        origin=Origin.API,
        title=title,
        body=body,
        content_hash=digest,
        url=question.url,
        publisher=question.publisher,
        # the contract has no publication time: the moment of asking is the best that is known
        scraped_at=now,
        effective_at=now,
        placeholder=placeholder,
        flags=(*flags, Flag.UNRELIABLE_TIME),
    )


def keep_articles(session: Session, records: Sequence[ArticleRecord], *, now: datetime) -> list[int]:
    """Keep texts to be judged as articles, found again by their content, and return their ids in order.

    One that is not dated stays so: no close of the market is taken for its outcome. The caller commits.
    """
    known = _by_content(session, [record.content_hash for record in records])
    unseen = {each.content_hash: each for each in records if each.content_hash not in known}
    if unseen:
        own = {"reason": Reason.NO_LABEL, "created_at": now}
        rows = [vars(record) | own | {"flags": list(record.flags)} for record in unseen.values()]
        insert_new(session, Article, rows)
        known |= _by_content(session, list(unseen))
    return [known[record.content_hash] for record in records]


#: The first article of each text that is stored. Built once: a statement takes longer to build than to run.
_BY_CONTENT = (
    select(Article.content_hash, func.min(Article.id))
    .where(col(Article.content_hash).in_(bindparam("hashes", expanding=True)))
    .group_by(col(Article.content_hash))
)


def _by_content(session: Session, hashes: Sequence[str]) -> dict[str, int]:
    """Return the first article of each text that is stored."""
    found: dict[str, int] = {}
    for start in range(0, len(hashes), CHUNK):
        grouped = session.connection().execute(_BY_CONTENT, {"hashes": hashes[start : start + CHUNK]})
        found.update((digest, int(article_id or 0)) for digest, article_id in grouped)
    return found


def predict_missing(
    session: Session,
    predictor: Predictor | None,
    *,
    model_id: int,
    dataset_id: int,
    split: Split,
    now: datetime,
) -> int:
    """Predict and store the items of a split on which a model has no stored answer; return how many.

    `predictor` is None for a model that cannot answer: then nothing is done.
    """
    answered = select(Prediction.article_id).where(
        Prediction.model_id == model_id, Prediction.request_id == ""
    )
    query = (
        select(Article.id, Article.title, Article.body)
        .join(DatasetItem, col(DatasetItem.article_id) == Article.id)
        .where(
            DatasetItem.dataset_id == dataset_id,
            DatasetItem.split == split,
            col(Article.id).not_in(answered),
        )
        .order_by(col(DatasetItem.position))
    )
    missing = session.exec(query).all()
    let_go(session)
    if predictor is None or not missing:
        return 0
    texts = [NewsText(title, body) for _, title, body in missing]
    rows = [
        {
            "article_id": article_id,
            "model_id": model_id,
            "sentiment": forecast.sentiment,
            "confidence": forecast.confidence,
            "keywords": list(forecast.keywords),
            "rationale": forecast.rationale,
            "latency_ms": latency_ms,
            "created_at": now,
        }
        for (article_id, _, _), (forecast, latency_ms) in zip(missing, timed(predictor, texts), strict=True)
    ]
    insert_new(session, Prediction, rows)
    session.commit()
    return len(rows)


def timed(predictor: Predictor, texts: Sequence[NewsText]) -> list[tuple[Forecast, float | None]]:
    """Return a forecast for each text; the first few are asked one by one and carry their milliseconds.

    The rest goes as one batch, whose time says nothing of a single answer: their latency is unknown.
    """
    answers: list[tuple[Forecast, float | None]] = []
    for text in texts[:TIMED]:
        started = perf_counter()
        forecast = predictor.predict([text])[0]
        answers.append((forecast, (perf_counter() - started) * 1000))
    rest = predictor.predict(texts[TIMED:]) if len(texts) > TIMED else []
    return answers + [(forecast, None) for forecast in rest]
