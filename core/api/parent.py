"""The parent app's contract: one article's analysis, a day's analysis, and the server's health.

Every answer is the parent's envelope: ``{"success": true, "data": ...}`` or ``{"success": false,
"error": "..."}``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from core import workflows
from core.api.access import denied
from core.api.payload import NotJson, id_of, question_of, read_object, target_of, word
from core.bootstrap import get_app
from core.domain.question import TooLong
from core.domain.types import Family
from core.errors import InputRejected, NewstuneError, Place, Refused

#: A day's articles: many more than the parent collects, and a bound on what one request may cost.
MAX_ARTICLES, MAX_DAY_BYTES = 200, 4 * 1024 * 1024
_DAY_SHAPE = 'Send {"date": "YYYY-MM-DD", "news": [{"id": 1, "title": ..., "content": ...}, ...]}'

Route = Callable[[Request], Awaitable[JSONResponse]]


def _data(data: Any) -> JSONResponse:
    return JSONResponse({"success": True, "data": data})


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"success": False, "error": message}, status_code=status)


def _status(error: NewstuneError) -> int:
    if isinstance(error, InputRejected):
        return 413 if isinstance(error, TooLong) else 415 if isinstance(error, NotJson) else 400
    return 503 if isinstance(error, Refused) else 500


def _guarded(route: Callable[[Request], Awaitable[Any]]) -> Route:
    """Return a route that checks who asks and puts data and errors in the envelope."""

    async def guarded(request: Request) -> JSONResponse:
        if (denial := denied(request)) is not None:
            return _error(*denial)
        try:
            return _data(await route(request))
        except NewstuneError as error:
            return _error(_status(error), str(error))

    return guarded


async def health(_request: Request) -> JSONResponse:
    """Say whether the database answers, and who leads the scheduler."""
    return _data(await run_in_threadpool(workflows.health, get_app()))


@_guarded
async def predict(request: Request) -> dict[str, Any]:
    """Answer one article with the champion: ``{id|newsId, title, content, source, url}`` in, its analysis out."""
    payload = await read_object(request)
    question, target = question_of(payload), target_of(payload)
    answered = await asyncio.wrap_future(workflows.desk_of(get_app()).submit(question, target))
    return {"newsId": id_of(payload)} | workflows.as_parent(answered.forecast, question.title)


@_guarded
async def analyze(request: Request) -> dict[str, Any]:
    """Judge a day's articles: ``{date, news: [...]}`` in, the parent's analysis object out."""
    payload = await read_object(request, limit=MAX_DAY_BYTES, shape=_DAY_SHAPE)
    target, wish = target_of(payload), _wish(payload)
    desk = workflows.desk_of(get_app())
    futures = [desk.submit(question, target) for question in wish.questions]
    replies = await asyncio.gather(*map(asyncio.wrap_future, futures), return_exceptions=True)
    return workflows.as_analysis(get_app(), wish, replies)


def _wish(payload: dict[str, Any]) -> workflows.AnalysisWish:
    news = payload.get("news")
    if not isinstance(news, list) or not all(isinstance(each, dict) for each in news):
        raise InputRejected(Place("request", column="news"), "it is not a list of articles", _DAY_SHAPE)
    if len(news) > MAX_ARTICLES:
        found = f"it has {len(news):,} articles; {MAX_ARTICLES} are allowed"
        raise TooLong(Place("request", column="news"), found, "Send them in parts")
    named = word(payload, "family", list(Family))
    family = Family(named) if named else Family.GENERAL
    questions = []
    for row, item in enumerate(news, start=1):
        try:
            questions.append(question_of(item, family=family))
        except InputRejected as error:
            place = Place("request", row, error.place.column)
            raise type(error)(place, error.problem, error.remedy) from None
    ids = [row if id_of(item) is None else id_of(item) for row, item in enumerate(news, start=1)]
    return workflows.AnalysisWish(
        tuple(ids), tuple(questions), workflows.analysis_day(get_app(), payload.get("date"))
    )


async def nothing_here(request: Request) -> JSONResponse:
    """Refuse what is no route of ours in the envelope: the dashboard would answer it with its page."""
    methods = {"/api/health": "GET", "/api/predict": "POST", "/api/analyze": "POST"}
    if allowed := methods.get(request.url.path):
        return _error(405, f"This address takes {allowed} only.")
    known = "GET /api/health, POST /api/predict and POST /api/analyze"
    return _error(404, f"There is no such address. There are {known}.")
