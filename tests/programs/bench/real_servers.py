"""The real schema on a real database behind two servers: Strawberry's own view (`stock`) and our endpoint (`ours`)."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

from api.graphql import GraphQLSettings, graphql_routes
from db.accounts import owners
from db.domain.ids import new_id
from db.settings import StoreSettings
from db.store.blobs import Blobs
from db.store.session import Database
from db.transcripts import transcript_id
from schema import build_schema
from schema.base.context import Context, Viewer
from schema.subscriptions.entries import event_key
from tests.fixtures.graph import ALICE, SCOPES, Graph, LocalLive, segment

SEGMENTS, WORDS = 100, 100
EVENTS = 40


def graph() -> Graph:
    """The graph on the database that the benchmark made."""
    live = LocalLive()
    home = Path(os.environ["BENCH_HOME"])
    return Graph(Database(url(home), live.ring), Blobs(StoreSettings(home=home)), live)


def url(home: Path) -> str:
    """The database of the benchmark."""
    return f"sqlite+aiosqlite:///{home / 'bench.db'}"


async def fill(home: Path) -> str:
    """One running job with a transcript of 10,000 words; its id."""
    os.environ["BENCH_HOME"] = str(home)
    made = graph()
    async with made.db.write() as session:
        await owners.ensure(session, ALICE, "Alice")
    job = await made.job(tags=[new_id("tag")])
    _, lease = await made.claim()
    text = " ".join(f"word{n}" for n in range(WORDS))
    await made.append(lease, *(segment(n, text) for n in range(SEGMENTS)))
    await made.db.close()
    assert transcript_id(job.id)
    return job.id


class Stock(GraphQL[Context, None]):
    """Strawberry's view with our contexts."""

    def __init__(self, made: Graph) -> None:
        super().__init__(build_schema())
        self.made = made

    async def get_context(self, *_: Any, **__: Any) -> Context:
        """A context for each request."""
        return self.made.context()


class Worker:
    """A worker within the server's process, for what it does to reach subscribers at once."""

    def __init__(self, made: Graph) -> None:
        self.made = made

    def routes(self) -> list[Route]:
        """`/begin` claims a new job, `/append` sends its segments one after the other, `/end` cancels it."""
        return [Route("/begin", self.begin), Route("/append", self.append), Route("/end", self.end)]

    async def begin(self, _: Request) -> Response:
        """A running job; its id."""
        await self.made.job()
        job, self.lease = await self.made.claim()
        return Response(job.id)

    async def append(self, _: Request) -> Response:
        """Events as fast as the database takes them."""
        for number in range(EVENTS):
            await self.made.append(self.lease, segment(number))
        return Response()

    async def end(self, _: Request) -> Response:
        """No subscriber waits any longer."""
        await self.made.data("mutation($id: ID!) { cancelJob(id: $id) { __typename } }", id=self.lease.id)
        return Response()


def stock() -> Starlette:
    made = graph()
    view: Any = Stock(made)
    routes = [Route("/graphql", view), WebSocketRoute("/graphql", view), *Worker(made).routes()]
    return Starlette(routes=routes, lifespan=_closing(made))


def ours() -> Starlette:
    made = graph()

    async def authenticate(_: Any) -> Viewer:
        return Viewer(ALICE, SCOPES)

    def context(_viewer: Viewer, _correlation_id: str) -> Context:
        return made.context()

    settings = GraphQLSettings(upload_folder=Path(os.environ["BENCH_HOME"]))
    routes = graphql_routes(
        build_schema(), authenticate=authenticate, context_factory=context, settings=settings, broadcast=event_key
    )
    return Starlette(routes=[*routes, *Worker(made).routes()], lifespan=_closing(made))


def _closing(made: Graph) -> Any:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await made.db.close()

    return lifespan
