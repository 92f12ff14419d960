"""One file of AI News Trader's data folder to values, all or nothing. Joining is done elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from core.domain.records import AccuracyRecord, ArticleRecord, MarketRecord, PredictionRecord
from core.domain.text import content_hash
from core.domain.types import Family, Flag, Instrument, MarketSource, Origin, Sentiment
from core.errors import InputRejected, Place
from core.sources import cells
from core.sources.cells import shorten
from core.sources.decoding import decode, parse_json

#: Keyword under which the parent stores an analysis that failed (neutral, confidence 0).
FAILED_KEYWORD = "분석 실패"
#: A publication after the scrape is a Seoul wall clock that was written as UTC.
SEOUL_OFFSET = timedelta(hours=9)
MAX_ITEMS = 10_000
_REMEDY = "Correct the file in the parent's data folder, or leave it out"
#: JavaScript cuts bodies by UTF-16 units and may leave half of a character before the dots.
_HALF_CHARACTER = re.compile(r"[\ud800-\udbff](?=\.\.\.$)")


@dataclass(frozen=True)
class FileId:
    """What a file's name says: its kind, its date, and from the kind the family."""

    name: str
    kind: str
    day: date

    @property
    def family(self) -> Family:
        """Family of the articles that a news or analysis file speaks of."""
        return Family.CRYPTO if self.kind.startswith("crypto-") else Family.GENERAL

    def article_key(self, external_id: int) -> str:
        """Return the key of an article: ids count within one file date and family only."""
        return f"{Origin.AI_NEWS_TRADER}|{self.family}|{self.day}|{external_id}"

    def place(self, column: str | None = None, row: int | None = None) -> Place:
        """Return a place in this file; `row` counts the items of a list from 1."""
        return Place(self.name, row, column)


@dataclass(frozen=True)
class Analysis:
    """The answers of one analysis file, the number of failed ones, and the date written inside."""

    inner_day: date
    predictions: tuple[PredictionRecord, ...]
    failed: int


def _load(file: FileId, data: bytes, kind: type) -> Any:
    value = parse_json(Place(file.name), decode(file.name, data).text)
    if not isinstance(value, kind):
        expected = "a list of articles" if kind is list else "an object"
        raise InputRejected(file.place(), f"the file holds {shorten(value)}, not {expected}", _REMEDY)
    return value


def _object(value: Any, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputRejected(place, f"{shorten(value)} is not an object", _REMEDY)
    return value


def _items(value: Any, place: Place) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise InputRejected(place, f"this is not a list of at most {MAX_ITEMS:,} items", _REMEDY)
    return value


def _id(item: Mapping[str, Any], column: str, place: Place) -> int:
    number = cells.number(item.get(column), place, low=0, high=MAX_ITEMS)
    if number is None or isinstance(item[column], str) or number != int(number):
        raise InputRejected(place, f"{shorten(item.get(column))} is not an id", _REMEDY)
    return int(number)


def _refuse_repeats(ids: list[int], file: FileId, column: str) -> None:
    for row, identifier in enumerate(ids, 1):
        if identifier in ids[: row - 1]:
            problem = f"the id {identifier} is there twice"
            raise InputRejected(file.place(column, row), problem, _REMEDY)


def _moment(value: Any, place: Place) -> datetime | None:
    found = cells.moment(value, place)
    return found[0] if found else None


def read_news(file: FileId, data: bytes) -> tuple[ArticleRecord, ...]:
    """Read a ``news`` or ``crypto-news`` file: a list of articles with ids of their own."""
    found = _items(_load(file, data, list), file.place())
    articles = tuple(_article(file, row, item) for row, item in enumerate(found, 1))
    _refuse_repeats([article.external_id or 0 for article in articles], file, "id")
    return articles


def _article(file: FileId, row: int, item: Any) -> ArticleRecord:
    item = _object(item, file.place(row=row))
    external_id = _id(item, "id", file.place("id", row))
    body = item.get("content")
    if isinstance(body, str):
        body = _HALF_CHARACTER.sub("", body)
    places = file.place("title", row), file.place("content", row)
    title, body, flags, placeholder = cells.news(item.get("title"), body, places)
    published = _moment(item.get("publishedAt"), file.place("publishedAt", row))
    scraped = _moment(item.get("scrapedAt"), file.place("scrapedAt", row))
    if scraped is None:
        raise InputRejected(file.place("scrapedAt", row), "the time of the scrape is missing", _REMEDY)
    effective, time_flags = effective_time(file.family, published, scraped)
    return ArticleRecord(
        key=file.article_key(external_id),
        family=file.family,
        origin=Origin.AI_NEWS_TRADER,
        title=title,
        body=body,
        content_hash=content_hash(title, body),
        url=cells.url(item.get("url"), file.place("url", row)),
        publisher=cells.text(item.get("source"), file.place("source", row), limit=cells.MAX_NAME),
        published_at=published,
        scraped_at=scraped,
        effective_at=effective,
        file_date=file.day,
        external_id=external_id,
        placeholder=placeholder,
        flags=(*flags, *time_flags),
    )


def effective_time(
    family: Family, published: datetime | None, scraped: datetime
) -> tuple[datetime, tuple[Flag, ...]]:
    """Return the time (aware UTC) that counts for an article, and what is wrong with its times.

    The parent's crypto source gives no publication time but the scrape's, so the scrape counts and is
    flagged. Nothing can be scraped before it is published: such a time is a Seoul wall clock taken for
    UTC, and nine hours are taken off again; where it still lies after the scrape, the scrape is the
    latest moment that is possible and counts.
    """
    if family == Family.CRYPTO or published is None:
        return scraped, (Flag.UNRELIABLE_TIME,)
    if published <= scraped:
        return published, ()
    corrected = published - SEOUL_OFFSET
    if corrected <= scraped:
        return corrected, (Flag.TIME_SHIFTED,)
    return scraped, (Flag.TIME_SHIFTED, Flag.UNRELIABLE_TIME)


def read_analysis(file: FileId, data: bytes) -> Analysis:
    """Read an ``analysis`` or ``crypto-analysis`` file. Failed analyses are counted, not returned."""
    content = _load(file, data, dict)
    inner_day = cells.day(content.get("date"), file.place("date"))
    found = _items(content.get("newsAnalysis"), file.place("newsAnalysis"))
    answers = [_answer(file, row, item) for row, item in enumerate(found, 1)]
    _refuse_repeats([news_id for news_id, _ in answers], file, "newsId")
    kept = tuple(prediction for _, prediction in answers if not _has_failed(prediction))
    return Analysis(inner_day, kept, len(answers) - len(kept))


def _answer(file: FileId, row: int, item: Any) -> tuple[int, PredictionRecord]:
    item = _object(item, file.place(row=row))
    news_id = _id(item, "newsId", file.place("newsId", row))
    place = file.place("keywords", row)
    keywords = [
        cells.text(word, place, limit=cells.MAX_NAME) for word in _items(item.get("keywords", []), place)
    ]
    sentiment = item.get("sentiment")
    if sentiment not in set(Sentiment):
        problem = f"{shorten(sentiment)} is not a sentiment"
        raise InputRejected(file.place("sentiment", row), problem, _REMEDY)
    place = file.place("confidence", row)
    confidence = cells.number(item.get("confidence"), place, low=0, high=100)
    reason = cells.text(item.get("reason"), file.place("reason", row), limit=cells.MAX_BODY)
    words = tuple(word for word in keywords if word)
    return news_id, PredictionRecord(
        file.article_key(news_id), Sentiment(sentiment), confidence, words, reason
    )


def _has_failed(prediction: PredictionRecord) -> bool:
    silent = prediction.sentiment == Sentiment.NEUTRAL and not prediction.confidence
    return silent and FAILED_KEYWORD in prediction.keywords


_SECTIONS = {
    Instrument.BTC: "crypto",
    Instrument.ETH: "crypto",
    Instrument.KOSPI: "stock",
    Instrument.KOSDAQ: "stock",
}


def _returns(content: Mapping[str, Any], file: FileId) -> dict[Instrument, float]:
    """Return the percent changes that are there; an absent or null instrument is missing, not zero."""
    found = {}
    for instrument, section in _SECTIONS.items():
        values = _object(content.get(section) or {}, file.place(section))
        place = file.place(f"{section}.{instrument}")
        change = cells.number(values.get(instrument), place, low=-1e6, high=1e6)
        if change is not None:
            found[instrument] = change
    return found


def read_market_file(file: FileId, data: bytes) -> tuple[date, tuple[MarketRecord, ...]]:
    """Read a ``market`` file: the date written inside and percent changes as given, zeros included."""
    content = _load(file, data, dict)
    inner_day = cells.day(content.get("date"), file.place("date"))
    collected = _moment(content.get("collectedAt"), file.place("collectedAt"))
    returns = _returns(content, file)
    if not returns:
        raise InputRejected(file.place(), "the file lists no instrument", _REMEDY)
    return inner_day, tuple(
        MarketRecord(file.day, instrument, MarketSource.PARENT, return_pct=change, collected_at=collected)
        for instrument, change in returns.items()
    )


def read_accuracy(file: FileId, data: bytes) -> tuple[date, AccuracyRecord]:
    """Read an ``accuracy`` file: the date written inside and the log as it was written."""
    content = _load(file, data, dict)
    inner_day = cells.day(content.get("date"), file.place("date"))
    predicted = _object(content.get("prediction"), file.place("prediction"))
    actual = _object(content.get("actual"), file.place("actual"))
    for name, holder in (("accuracy", content), ("errorRate", content), ("index", predicted)):
        if cells.number(holder.get(name), file.place(name), low=0, high=100) is None:
            raise InputRejected(file.place(name), "the number is missing", _REMEDY)
    if predicted.get("direction") not in set(Sentiment):
        problem = f"{shorten(predicted.get('direction'))} is not a direction"
        raise InputRejected(file.place("prediction.direction"), problem, _REMEDY)
    _returns(actual, file)
    return inner_day, AccuracyRecord(file.day, content)
