"""OpenAI's endpoints for speech under `/v1`, for the programs that speak nothing else: an adapter.

Each request becomes a job like those of `createJob`, checked, limited and seen in the graph the same way.
"""

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route

from api.http.problems import Problems
from api.openai.entrance import Entrance
from api.openai.errors import response_of
from api.openai.models import Models
from api.openai.transcriptions import Transcriptions
from db.domain.values import TranscriptionTask

__all__ = ["Entrance", "openai_routes"]


def openai_routes(entrance: Entrance) -> list[BaseRoute]:
    """Return the routes, whose errors have OpenAI's form."""
    models = Models(entrance)
    transcribe, translate = (Transcriptions(entrance, task) for task in TranscriptionTask)
    routes = [
        Route("/audio/transcriptions", transcribe, methods=["POST"]),
        Route("/audio/translations", translate, methods=["POST"]),
        Route("/models", models.all),
        Route("/models/{id:path}", models.one),
    ]
    return [Mount("/v1", routes=routes, middleware=[Middleware(Problems, answer=response_of)])]
