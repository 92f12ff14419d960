"""Gemini's own service: models, answers and token counts."""

from core.providers.loopback.exchange import Refusal, Request, Response, ok
from core.providers.loopback.google_shape import generated, pages, prompt_tokens
from core.providers.loopback.world import World

#: Examples of what there is.
MODELS = (
    "gemini-3.5-flash-lite",
    "gemini-3.5-flash",
    "gemini-3.1-flash-lite",
    "gemini-3.8-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "gemini-4-argon",
)


def known(world: World, name: str) -> str:
    """Return a model's bare name. Raises Refusal where there is no such model."""
    bare = name.removeprefix("models/")
    if bare not in (*MODELS, *world.script.models):
        raise Refusal(404, f"models/{bare} is not found for this API version.")
    return bare


def _shown(name: str) -> dict[str, object]:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "description": "SIMULATED",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


def models(world: World, request: Request) -> Response:
    """List the models."""
    return pages(request, "models", [_shown(name) for name in (*MODELS, *world.script.models)], 50)


def model(world: World, _request: Request, name: str) -> Response:
    """Return one model."""
    return ok(_shown(known(world, name)))


def generate(world: World, request: Request, name: str) -> Response:
    """Answer one question."""
    return generated(world, request, known(world, name), None)


def count(world: World, request: Request, name: str) -> Response:
    """Count the tokens of a request."""
    known(world, name)
    body = request.json()
    return ok({"totalTokens": prompt_tokens(body.get("generateContentRequest") or body)})
