"""Answering: who answers for a new article, what a model has not answered yet, and keeping the answers."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from sqlmodel import Session, col, func, select

from core.db import CHUNK, insert_new, let_go
from core.domain.records import ArticleRecord
from core.domain.text import clean_article, content_hash
from core.domain.types import Family, Flag, Origin, Reason, Split, Target
from core.errors import InputRejected, Place, Refused
from core.models import Article, Champion, DatasetItem, ModelVersion, Prediction
from core.providers.base import Forecast, NewsText, Predictor, Reply, Usage

MAX_TITLE_CHARS = 1_000
MAX_BODY_CHARS = 20_000
MAX_ID_CHARS = 200
#: Articles asked one by one, for the latency of a single answer.
TIMED = 50


class TooLong(InputRejected):
    """A text, or a request as a whole, is longer than is read."""


@dataclass(frozen=True)
class Question:
    """A news item to be judged, checked on the way in.

    Parameters
    ----------
    title : str
        Headline, 1 to 1,000 characters.
    body : str or None
        Text, at most 20,000 characters.
    publisher : str or None
        Name of the medium.
    family : Family
        Which market the article speaks of.

    Raises
    ------
    InputRejected
        If a text is blank or over-long, or holds half a character (a lone surrogate) or a NUL.
    """

    title: str
    body: str | None = None
    publisher: str | None = None
    family: Family = Family.GENERAL

    def __post_init__(self) -> None:
        check_text("title", self.title, MAX_TITLE_CHARS)
        if not self.title.strip():
            raise InputRejected(Place("request", column="title"), "it is empty", "Send the headline")
        for name, value, limit in (("content", self.body, MAX_BODY_CHARS), ("source", self.publisher, 200)):
            if value is not None:
                check_text(name, value, limit)


def check_text(name: str, value: str, limit: int) -> None:
    """Raise TooLong or InputRejected where a field is no text that can be kept and read again."""
    place = Place("request", column=name)
    if len(value) > limit:
        raise TooLong(place, f"it has {len(value):,} characters; {limit:,} are allowed", "Shorten it")
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n\r" for char in value):
        raise InputRejected(place, "it holds a control character or half a character", "Send plain text")


def answering_model(session: Session, target: Target | None) -> tuple[ModelVersion, Target]:
    """Return the champion that answers, and for which target.

    Without a `target`: the champion for sentiment, else the only champion there is.

    Raises
    ------
    Refused
        If no champion fits.
    """
    champions = {
        Target(entry.target): entry.model_id
        for entry in session.exec(select(Champion).order_by(Champion.target))
    }
    if target is None:
        target = Target.SENTIMENT if Target.SENTIMENT in champions else next(iter(champions), None)
    if target is None or target not in champions:
        wanted = f" for the target '{target}'" if target else ""
        raise Refused(f"There is no champion{wanted} to answer", "Train a model and promote it first")
    return session.get_one(ModelVersion, champions[target]), target


def store_answer(
    session: Session,
    question: Question,
    reply: Reply,
    *,
    model_id: int,
    request_id: str,
    now: datetime,
) -> int:
    """Keep a question as an article (found again by its content) with the answer; return the article's id."""
    [article_id] = keep_articles(session, [_asked_article(question, now)], now=now)
    forecast, usage = reply.forecast, reply.usage or Usage()
    if forecast is not None:
        answer = {
            "article_id": article_id,
            "model_id": model_id,
            "request_id": request_id,
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
        insert_new(session, Prediction, [answer])
    session.commit()
    return article_id


def _asked_article(question: Question, now: datetime) -> ArticleRecord:
    title, body, flags, placeholder = clean_article(question.title, question.body)
    digest = content_hash(title, body)
    return ArticleRecord(
        key=f"{Origin.API}|{digest}",
        family=question.family,
        origin=Origin.API,
        title=title,
        body=body,
        content_hash=digest,
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


def _by_content(session: Session, hashes: Sequence[str]) -> dict[str, int]:
    """Return the first article of each text that is stored."""
    found: dict[str, int] = {}
    for start in range(0, len(hashes), CHUNK):
        some = col(Article.content_hash).in_(hashes[start : start + CHUNK])
        query = select(Article.content_hash, func.min(Article.id)).where(some)
        grouped = session.exec(query.group_by(col(Article.content_hash)))
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
