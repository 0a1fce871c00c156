"""`/v1/models`: the models of the workers that are up, and OpenAI's name that stands for the default."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import HttpProblem
from api.openai.entrance import Entrance
from db.domain.values import ErrorCode
from db.queue import workers
from schema.base.context import Context
from schema.execution.encoding import encode

ALIAS = "whisper-1"
"""The name that most programs send, or look for in the list."""
CREATED = 1_663_718_400
"""The day on which Whisper was published, for clients that insist on a date."""


class Models:
    """`GET /v1/models` and `GET /v1/models/{id}`."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    async def all(self, http: Request) -> Response:
        """List them, the default first."""
        context = await self._entrance.enter(http)
        names = [*await known_models(context), ALIAS]
        return _json({"object": "list", "data": [_model(name) for name in names]})

    async def one(self, http: Request) -> Response:
        """Describe one."""
        context = await self._entrance.enter(http)
        name: str = http.path_params["id"]
        if name not in {*await known_models(context), ALIAS}:
            message = f"The model {name[:100]!r} does not exist; a job that names it is given the default."
            raise HttpProblem(404, ErrorCode.NOT_FOUND, message, {"field": "model"})
        return _json(_model(name))


async def known_models(context: Context) -> list[str]:
    """Return the names of the models that can be asked for, the default first."""
    async with context.db.read() as session:
        facts = [worker.facts for worker in await workers.online(session)]
    names = sorted({model.name for fact in facts for model in fact.models})
    return list(dict.fromkeys([context.settings.worker.model, *names]))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "graphophone"}


def _json(value: Any) -> Response:
    return Response(encode(value), headers={"Cache-Control": "no-store"}, media_type="application/json")
