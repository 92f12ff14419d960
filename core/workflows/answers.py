"""One question, one answer: the champion judges a news item, for the API, a page or the command line."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from core.bootstrap import App
from core.db import reading
from core.domain.question import Question
from core.domain.training_format import title_keywords
from core.domain.types import Sentiment, Target
from core.errors import Refused
from core.providers.base import Forecast, NewsText
from core.services import predict
from core.workflows.answering import is_asker, load_predictor
from core.workflows.asking import Answered, ask_remote, predict_here
from core.workflows.desk import AnswerDesk

#: The names under which champions answer a chat, and for which target; None: sentiment, else the only one.
SERVED: dict[str, Target | None] = {"newstune": None, **{f"newstune-{target}": target for target in Target}}
#: The parent refuses a shorter reason.
_REASON_CHARS = 10
_NAMES = {Sentiment.POSITIVE: "긍정", Sentiment.NEUTRAL: "중립", Sentiment.NEGATIVE: "부정"}


def ask(app: App, question: Question, target: Target | None) -> Answered:
    """Let the champion judge a news item and keep nothing; a paid one only as far as the month's budget goes.

    Raises
    ------
    Refused
        If no champion can answer, no price is known, or the budget is used up; nothing is sent then.
    """
    with reading(app.engine) as session:
        model, _ = predict.champions(session).of(target)
    predictor = load_predictor(app, model)
    text, request_id = NewsText(question.title, question.body), uuid4().hex
    if predictor is None:
        raise Refused(f"{model.name} cannot answer new articles", "Promote a model that can")
    if is_asker(predictor):
        return Answered(model, ask_remote(app, model, predictor, text, request_id=request_id), request_id)
    [reply] = predict_here(predictor, [text])
    return Answered(model, reply, request_id)


def answer(app: App, question: Question, target: Target | None) -> dict[str, Any]:
    """Answer one question in the parent's shape, and keep question and answer.

    It takes part in running experiments as a question of the API does; what other models say of it is
    asked by the scheduled job, so that nobody waits for it here.
    """
    with AnswerDesk(app, shadow=False) as desk:
        answered = desk.submit(question, target).result()
    return as_parent(answered.forecast, question.title)


def predict_text(app: App, title: str, body: str | None, target: Target | None = None) -> dict[str, Any]:
    """Try the champion on a text without keeping anything: a trial must not become a sample."""
    answered = ask(app, Question(title, body), target)
    return {"newsId": None} | as_parent(answered.forecast, title) | {"model": answered.model.name}


def as_parent(forecast: Forecast, title: str) -> dict[str, Any]:
    """Return a forecast in the parent app's shape: a whole percentage, 1-5 keywords, a reason of a sentence.

    Keywords that a model did not name are words of the headline; a reason too short for the parent is
    written from class and keywords. A confidence that a model did not give stays None.
    """
    keywords = list(forecast.keywords or title_keywords(title))[:5]
    reason = forecast.rationale
    if len(reason) < _REASON_CHARS:
        said = f"모델이 {_NAMES[forecast.sentiment]}으로 판단했습니다 (주요어: {', '.join(keywords)})."
        reason = f"{reason} {said}".strip()
    return {
        "sentiment": str(forecast.sentiment),
        "confidence": None if forecast.confidence is None else round(forecast.confidence),
        "keywords": keywords,
        "reason": reason,
    }


class ServedModel(NamedTuple):
    """A name under which a champion answers, and since when it is this one."""

    name: str
    since: datetime


def served_models(app: App) -> list[ServedModel]:
    """Return the names under which a champion answers now; none without a champion."""
    with reading(app.engine) as session:
        champions = predict.champions(session)
    found = []
    for name, target in SERVED.items():
        try:
            _, chosen = champions.of(target)
        except Refused:
            continue
        found.append(ServedModel(name, champions.since[chosen]))
    return found
