"""Which function answers which address."""

import re
from dataclasses import dataclass

from core.providers.loopback import (
    gemini_shape,
    google_shape,
    openai_batches,
    openai_files,
    openai_jobs,
    openai_shape,
    openai_tuned,
    vertex_shape,
)
from core.providers.loopback.exchange import Handler, Refusal, Request, Response, is_google

#: What the words in an address's name stand for.
_WORDS = {
    "id": "([^/]+)",
    "name": "(.+)",
    "v": "v1(?:beta1?)?",
    "place": "(?:projects/[^/]+/locations/[^/]+/)?",
}


@dataclass(frozen=True)
class Route:
    """One address: its name such as "GET /v1/files/{id}", its handler, and whether a model answers there."""

    method: str
    name: str
    handler: Handler
    pattern: re.Pattern[str]
    answers: bool = False


def _route(name: str, handler: Handler, *, answers: bool = False) -> Route:
    method, path = name.split(" ")
    pattern = re.sub(r"\{(\w+)\}", lambda word: _WORDS[word[1]], path)
    return Route(method, name, handler, re.compile(f"{pattern}$"), answers)


OPENAI = [
    _route("POST /v1/chat/completions", openai_shape.chat, answers=True),
    _route("GET /v1/models", openai_shape.models),
    _route("GET /v1/models/{name}", openai_shape.model),
    _route("GET /v1/fine_tuning/model_limits", openai_shape.model_limits),
    _route("POST /v1/files", openai_files.upload),
    _route("GET /v1/files", openai_files.files),
    _route("GET /v1/files/{id}", openai_files.file),
    _route("GET /v1/files/{id}/content", openai_files.content),
    _route("DELETE /v1/files/{id}", openai_files.remove),
    _route("POST /v1/fine_tuning/jobs", openai_jobs.create),
    _route("GET /v1/fine_tuning/jobs", openai_jobs.jobs),
    _route("GET /v1/fine_tuning/jobs/{id}", openai_jobs.job),
    _route("POST /v1/fine_tuning/jobs/{id}/cancel", openai_jobs.cancel),
    _route("GET /v1/fine_tuning/jobs/{id}/events", openai_jobs.job_events),
    _route("GET /v1/fine_tuning/jobs/{id}/checkpoints", openai_jobs.checkpoints),
    _route("POST /v1/batches", openai_batches.create),
    _route("GET /v1/batches", openai_batches.batches),
    _route("GET /v1/batches/{id}", openai_batches.batch),
    _route("POST /v1/batches/{id}/cancel", openai_batches.cancel),
    _route("POST /v0/models", openai_tuned.deploy),
    _route("GET /v0/models", openai_tuned.deployments),
    _route("GET /v0/models/{name}", openai_tuned.deployment),
]
_PLACE = "/{v}/projects/{id}/locations/{id}"
GOOGLE = [
    _route("POST /{v}/models/{id}:generateContent", gemini_shape.generate, answers=True),
    _route("POST /{v}/models/{id}:countTokens", gemini_shape.count),
    _route("GET /{v}/models", gemini_shape.models),
    _route("GET /{v}/models/{id}", gemini_shape.model),
    _route(f"POST {_PLACE}/endpoints/{{id}}:generateContent", vertex_shape.generate_tuned, answers=True),
    _route(
        "POST /{v}/{place}publishers/google/models/{id}:generateContent", vertex_shape.generate, answers=True
    ),
    _route("GET /{v}/publishers/google/models", vertex_shape.models),
    _route(f"POST {_PLACE}/tuningJobs", vertex_shape.create),
    _route(f"GET {_PLACE}/tuningJobs", vertex_shape.tunings),
    _route(f"GET {_PLACE}/tuningJobs/{{id}}", vertex_shape.tuning),
    _route(f"POST {_PLACE}/tuningJobs/{{id}}:cancel", vertex_shape.cancel),
]
#: Azure and Gemini's own gateway put OpenAI's addresses under a folder of theirs.
_PREFIXES = (("/openai/v1/", "/v1/"), ("/v1beta/openai/", "/v1/"), ("/openai/", "/v1/"))
_AZURE = re.compile(r"/openai/deployments/([^/]+)/")


def translated(path: str) -> str:
    """Return the plain spelling of an address."""
    path = _AZURE.sub("/v1/", path)
    for prefix, plain in _PREFIXES:
        if path.startswith(prefix):
            return plain + path.removeprefix(prefix)
    return path


def find(request: Request) -> tuple[Route, tuple[str, ...]] | None:
    """Return the route of a request with what its pattern caught."""
    for route in GOOGLE if is_google(request) else OPENAI:
        if route.method == request.method and (match := route.pattern.match(request.path)):
            return route, match.groups()
    return None


def refusal(request: Request, said: Refusal) -> Response:
    """Return a refusal in the shape of the vendor that was asked."""
    if is_google(request):
        return Response(said.status, google_shape.refused(said.status, said.message), headers=said.headers)
    body = openai_shape.refused(said.status, said.message, said.code, said.param)
    return Response(said.status, body, headers=said.headers)
