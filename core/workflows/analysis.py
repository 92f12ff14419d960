"""A day's articles judged together, in the shape in which the parent app keeps its analyses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from core import ledger
from core.bootstrap import App
from core.domain.index import investment_index
from core.domain.question import Question
from core.domain.types import Sentiment
from core.errors import InputRejected, NewstuneError, Place, ProviderFailed
from core.workflows.answers import as_parent
from core.workflows.asking import Answered

#: Keywords of a day, most frequent first.
KEYWORDS = 10


@dataclass(frozen=True)
class AnalysisWish:
    """A day's articles to be judged.

    Parameters
    ----------
    news_ids : tuple
        The caller's ids, each once, in order.
    questions : tuple of Question
        The articles, in the same order.
    day : date
        The day that the analysis is of.

    Raises
    ------
    InputRejected
        If two articles have the same id: their answers could not be told apart.
    """

    news_ids: tuple[int | str, ...]
    questions: tuple[Question, ...]
    day: date

    def __post_init__(self) -> None:
        twice = [news_id for news_id, n in Counter(map(str, self.news_ids)).items() if n > 1]
        if twice:
            place = Place("request", column="id")
            raise InputRejected(
                place, f"{twice[0][:40]!r} stands there twice", "Give each article an id of its own"
            )


def analysis_day(app: App, given: Any) -> date:
    """Return the day of an analysis: the one given as YYYY-MM-DD, else today in Seoul.

    Raises
    ------
    InputRejected
        If something else is given.
    """
    if given is None:
        return ledger.seoul_day(app.now())
    try:
        if len(given) == len("YYYY-MM-DD"):
            return date.fromisoformat(given)
    except (TypeError, ValueError):
        pass
    raise InputRejected(
        Place("request", column="date"), f"{str(given)[:40]!r} is no day", "Send it as YYYY-MM-DD"
    )


def as_analysis(app: App, wish: AnalysisWish, outcomes: Sequence[Answered | BaseException]) -> dict[str, Any]:
    """Return the parent's analysis object of what came back for each article, in order.

    Counts, index and keywords speak of the articles that were answered. The others are named in ``failed``
    with the reason: the parent's own habit, a neutral answer of confidence 0, would pass for a judgement.

    Raises
    ------
    NewstuneError
        If there were articles and none was answered: the first one's reason.
    """
    told: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    errors: list[NewstuneError] = []
    for news_id, question, outcome in zip(wish.news_ids, wish.questions, outcomes, strict=True):
        try:
            forecast = _answered(outcome).forecast
        except NewstuneError as error:
            errors.append(error)
            failed.append({"newsId": news_id, "error": str(error)})
        else:
            told.append({"newsId": news_id} | as_parent(forecast, question.title))
    if errors and not told:
        raise errors[0]
    counts = Counter(each["sentiment"] for each in told)
    return {
        "date": wish.day.isoformat(),
        "totalNews": len(told),
        "investmentIndex": investment_index((each["sentiment"], each["confidence"]) for each in told),
        "summary": {
            str(label): counts[label] for label in (Sentiment.POSITIVE, Sentiment.NEGATIVE, Sentiment.NEUTRAL)
        },
        "keywords": _most_frequent([each["keywords"] for each in told]),
        "newsAnalysis": told,
        "analyzedAt": _zulu(app.now()),
        "failed": failed,
    }


def _answered(outcome: Answered | BaseException) -> Answered:
    if isinstance(outcome, NewstuneError) or not isinstance(outcome, BaseException):
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome
    if not isinstance(outcome, Exception):
        raise outcome  # an interrupt is nobody's failed article
    raise ProviderFailed("model", "it broke off on this article", "Ask again, or let another model answer")


def _most_frequent(keywords: Sequence[Sequence[str]]) -> list[str]:
    """Return a day's keywords, most frequent first; of equally frequent ones the first named comes first."""
    counts = Counter(word for words in keywords for word in dict.fromkeys(words))
    return [word for word, _ in counts.most_common(KEYWORDS)]


def _zulu(moment: datetime) -> str:
    """Return a time as JavaScript writes it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
