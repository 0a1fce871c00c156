"""The same resolvers behind two servers: Strawberry's own view (`stock`) and our endpoint (`ours`)."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import strawberry
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

from api.graphql import GraphQLSettings, graphql_routes

COUNT = 10_000
EVENTS = 50
SEGMENTS = 5


@strawberry.type
class Word:
    index: int
    text: str
    start: float | None
    end: float | None
    confidence: float | None


@strawberry.type
class Columns:
    text: list[str]
    start: list[float | None]
    end: list[float | None]
    confidence: list[float | None]
    index: list[int]


@strawberry.type
class Media:
    id: strawberry.ID
    filename: str


@strawberry.type
class Job:
    id: strawberry.ID
    state: str
    progress: float
    media: Media


@strawberry.type
class Segment:
    start: float
    end: float
    text: str


@strawberry.type
class JobEvent:
    cursor: str
    job: Job
    segments: list[Segment]


WORDS = [Word(index=n, text=f"word{n}", start=n * 0.25, end=n * 0.25 + 0.2, confidence=0.9) for n in range(COUNT)]
COLUMNS = Columns(
    text=[word.text for word in WORDS],
    start=[word.start for word in WORDS],
    end=[word.end for word in WORDS],
    confidence=[word.confidence for word in WORDS],
    index=[word.index for word in WORDS],
)
JOB = Job(id=strawberry.ID("1"), state="RUNNING", progress=0.5, media=Media(id=strawberry.ID("2"), filename="call.wav"))


class Hub:
    """Hands the same events to all subscribers at the same time, as the listener of a process does."""

    def __init__(self) -> None:
        self.queues: list[asyncio.Queue[JobEvent | None]] = []

    async def publish(self) -> None:
        for number in range(EVENTS):
            segments = [Segment(start=number + n, end=number + n + 0.5, text=f"segment {n}") for n in range(SEGMENTS)]
            event = JobEvent(cursor=str(number), job=JOB, segments=segments)
            for queue in self.queues:
                queue.put_nowait(event)
            await asyncio.sleep(0)
        for queue in self.queues:
            queue.put_nowait(None)
        self.queues.clear()


HUB = Hub()


@strawberry.type
class Query:
    @strawberry.field
    def words(self) -> list[Word]:
        return WORDS

    @strawberry.field
    def word_columns(self) -> Columns:
        return COLUMNS

    @strawberry.field
    def job(self, id: strawberry.ID) -> Job | None:  # the name in the graph
        return JOB if id else None

    @strawberry.field
    async def publish(self) -> int:
        subscribers = len(HUB.queues)
        await HUB.publish()
        return subscribers

    @strawberry.field
    def waiting(self) -> int:
        return len(HUB.queues)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def job_events(self, id: strawberry.ID) -> AsyncGenerator[JobEvent, None]:  # as above
        queue: asyncio.Queue[JobEvent | None] = asyncio.Queue()
        HUB.queues.append(queue)
        while (event := await queue.get()) is not None:
            yield event


SCHEMA = strawberry.Schema(Query, subscription=Subscription)


@dataclass(frozen=True)
class Viewer:
    id: str = "me"


@dataclass
class Context:
    viewer: Any
    correlation_id: str
    cost: int = 0
    loaders: dict[str, Any] = field(default_factory=dict)


async def authenticate(_: Any) -> Viewer:
    return Viewer()


def stock() -> Starlette:
    view: Any = GraphQL(SCHEMA)
    return Starlette(routes=[Route("/graphql", view), WebSocketRoute("/graphql", view)])


def ours() -> Starlette:
    return Starlette(
        routes=graphql_routes(
            SCHEMA,
            authenticate=authenticate,
            context_factory=Context,
            settings=GraphQLSettings(upload_folder=Path(tempfile.gettempdir())),
            broadcast=lambda event: event.cursor,
        )
    )
