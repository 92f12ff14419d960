"""The JSON routes beside the dashboard: health, the parent app's contract, and OpenAI's chat.

Routes are not protected by the dashboard's login, so they check a bearer token themselves; without one in
the settings they answer clients on this machine only.
"""

from starlette.routing import Route

from core.api import openai, parent
from core.api.payload import MAX_REQUEST_BYTES

_ALL = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

routes = [
    Route("/api/health", parent.health, methods=["GET"]),
    Route("/api/predict", parent.predict, methods=["POST"]),
    Route("/api/analyze", parent.analyze, methods=["POST"]),
    Route("/api/{rest:path}", parent.nothing_here, methods=_ALL),
    Route("/v1/models", openai.models, methods=["GET"]),
    Route("/v1/models/{model}", openai.models, methods=["GET"]),
    Route("/v1/chat/completions", openai.chat_completions, methods=["POST"]),
    Route("/v1/{rest:path}", openai.nothing_here, methods=_ALL),
]

__all__ = ["MAX_REQUEST_BYTES", "routes"]
