"""The entrance of every request under `/v1`: credentials, head, scopes, and the minute's budget."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request

from api.http.connection.connections import Crowd
from api.http.problems import HttpProblem
from db.domain.values import ErrorCode
from schema.base.context import Context, Viewer

COST = 10
"""Points of query cost of a request."""
AT_ONCE = 100
"""Requests of one owner that wait for a transcript at the same time."""


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """The parts that the endpoints share; `authenticate` finds the viewer from headers, names in lower case."""

    authenticate: Callable[[Mapping[str, Any]], Awaitable[Viewer | None]]
    context_factory: Callable[[Viewer, str], Context]
    upload_folder: Path
    waiting: Crowd = field(default_factory=lambda: Crowd(AT_ONCE))

    async def enter(self, http: Request, *scopes: str) -> Context:
        """Return the context of a request that may pass. Raises HttpProblem, Forbidden and RateLimited.

        A cookie lets nobody in: a form of another site's page could come with it.
        """
        given = http.headers.getlist("authorization")
        viewer = await self.authenticate({"authorization": given[0]}) if len(given) == 1 else None
        if viewer is None:
            raise unauthenticated()
        context = self.context_factory(viewer, http.scope["correlation_id"])
        for scope in scopes:
            context.require(scope)
        context.cost = COST
        await context.charge()
        return context


def unauthenticated() -> HttpProblem:
    """Return the problem of a request whose credentials are missing, wrong, or over by now."""
    message = "This needs an access token as API key: send the header 'Authorization: Bearer …'."
    return HttpProblem(401, ErrorCode.UNAUTHENTICATED, message, headers={"WWW-Authenticate": "Bearer"})
