"""A small schema with everything that the endpoint must carry, and a server for it on a free port."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import strawberry
from starlette.applications import Starlette
from strawberry.file_uploads import Upload
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

from api.graphql import GraphQLSettings, UploadedFile, graphql_routes
from db.domain.errors import Conflict, CursorExpired, InvalidInput


@dataclass(frozen=True)
class Viewer:
    id: str
    expires_at: float | None = None


@dataclass
class Context:
    viewer: Viewer
    correlation_id: str
    cost: int = 0
    closed: bool = False
    seen: list[Any] = field(default_factory=list)

    async def aclose(self) -> None:
        self.closed = True
        CLOSED.append(self)


CLOSED: list[Context] = []


@strawberry.enum
class Timing(Enum):
    ALIGNED = "aligned"
    ESTIMATED = "estimated"


@strawberry.interface
class Event:
    cursor: str


@strawberry.type
class Ticked(Event):
    number: int


@strawberry.type
class Speaker:
    id: strawberry.ID
    label: str
    name: str | None = None


@strawberry.type
class Word:
    index: int
    text: str
    start: float | None
    end: float | None
    confidence: float | None
    timing: Timing = Timing.ALIGNED
    speaker: Speaker | None = None
    tags: list[str] = strawberry.field(default_factory=list)

    @strawberry.field
    def length(self) -> int:
        return len(self.text)

    @strawberry.field
    async def slow(self) -> str:
        await asyncio.sleep(0)
        return self.text

    @strawberry.field
    def sibling(self, by: int = 1) -> "Word | None":  # part of the graph
        return None


@strawberry.type
class Columns:
    text: list[str]
    start: list[float | None]
    end: list[float | None]
    confidence: list[float | None]
    speaker: list[int | None]


@strawberry.type
class Edge:
    cursor: str
    node: Word


@strawberry.type
class Connection:
    edges: list[Edge]
    total_count: int


def make_words(count: int) -> list[Word]:
    if not 0 <= count <= 10_000:
        raise InvalidInput("first", "Between 0 and 10000.")
    speakers = [Speaker(id=strawberry.ID(str(n)), label=f"SPEAKER_{n:02}") for n in range(3)]
    return [
        Word(
            index=n,
            text=f"wörd{n}",
            start=n * 0.25 if n % 7 else None,
            end=n * 0.25 + 0.2 if n % 7 else None,
            confidence=0.9 if n % 11 else None,
            timing=Timing.ALIGNED if n % 5 else Timing.ESTIMATED,
            speaker=speakers[n % 3] if n % 13 else None,
            tags=["a", "b"][: n % 3],
        )
        for n in range(count)
    ]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"Hello, {name}!"

    @strawberry.field
    def whoami(self, info: Info[Context, None]) -> str:
        return info.context.viewer.id

    @strawberry.field
    def correlation(self, info: Info[Context, None]) -> str:
        return info.context.correlation_id

    @strawberry.field
    def cost(self, info: Info[Context, None]) -> int:
        return info.context.cost

    @strawberry.field
    def crash(self) -> str | None:
        raise RuntimeError("postgres://user:secret@db/graphophone is down")

    @strawberry.field
    def conflict(self) -> str | None:
        raise Conflict("This is taken.", {"by": "somebody"})

    @strawberry.field
    async def sleep(self, seconds: float) -> str:
        await asyncio.sleep(min(max(seconds, 0.0), 5.0))
        return "awake"

    @strawberry.field
    def words(self, first: int = 10) -> list[Word]:
        return make_words(first)

    @strawberry.field
    def connection(self, first: int = 10, after: str | None = None) -> Connection:  # part of the graph
        words = make_words(first)
        return Connection(edges=[Edge(cursor=str(word.index), node=word) for word in words], total_count=first)

    @strawberry.field
    def columns(self, count: int = 10) -> Columns:
        words = make_words(count)
        return Columns(
            text=[word.text for word in words],
            start=[word.start for word in words],
            end=[word.end for word in words],
            confidence=[word.confidence for word in words],
            speaker=[int(word.speaker.id) if word.speaker else None for word in words],
        )

    @strawberry.field
    def me(self) -> "Query":
        return Query()

    @strawberry.field
    def mes(self, first: int = 10) -> list["Query"]:
        return [Query() for _ in range(min(max(first, 0), 100))]


@strawberry.input
class Nested:
    file: Upload | None = None


@strawberry.type
class Mutation:
    @strawberry.mutation
    def ping(self) -> str:
        return "pong"

    @strawberry.mutation
    def upload(self, file: Upload) -> str:
        return describe(file)

    @strawberry.mutation
    def upload_all(self, files: list[Upload]) -> list[str]:
        return [describe(file) for file in files]

    @strawberry.mutation
    def upload_nested(self, input: Nested) -> str:  # the name in the graph
        return describe(input.file)


def describe(file: Any) -> str:
    assert isinstance(file, UploadedFile)
    assert file.path.exists()
    return f"{file.filename}|{file.content_type}|{file.byte_size}|{file.sha256[:8]}"


@strawberry.type
class Seen:
    source: strawberry.Private[int]

    @strawberry.field
    def fresh(self, info: Info[Context, None]) -> bool:
        info.context.seen.append(1)
        return id(info.context) != self.source and len(info.context.seen) == 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, after: str | None = None, upto: int = 3) -> AsyncGenerator[Event, None]:
        first = int(after) + 1 if after else 1
        for number in range(first, upto + 1):
            await asyncio.sleep(0)
            yield Ticked(cursor=str(number), number=number)

    @strawberry.subscription
    async def forever(self) -> AsyncGenerator[int, None]:
        number = 0
        try:
            while True:
                yield number
                number += 1
                await asyncio.sleep(0.01)
        finally:
            ENDED.append("forever")

    @strawberry.subscription
    async def silent(self) -> AsyncGenerator[int, None]:
        try:
            await asyncio.sleep(3600)
            yield 1
        finally:
            ENDED.append("silent")

    @strawberry.subscription
    async def expired(self, after: str | None = None) -> AsyncGenerator[int, None]:  # part of the graph
        raise CursorExpired("The events after this cursor are gone.")
        yield 1

    @strawberry.subscription
    async def contexts(self, info: Info[Context, None]) -> AsyncGenerator[Seen, None]:
        for _ in range(3):
            yield Seen(source=id(info.context))


ENDED: list[str] = []
CONFIG = StrawberryConfig(enable_experimental_incremental_execution=True)
SCHEMA = strawberry.Schema(Query, Mutation, Subscription, types=[Ticked], config=CONFIG)
TOKEN = "a-token"


async def authenticate(headers: Any) -> Viewer | None:
    header = headers.get("authorization", "")
    if header == f"Bearer {TOKEN}" or headers.get("cookie") == "session=me":
        return Viewer("me")
    if header.startswith("Bearer until:"):
        return Viewer("guest", float(header.removeprefix("Bearer until:")))
    return None


def application(upload_folder: Path, **settings: Any) -> Starlette:
    """The toy schema behind the endpoint."""
    broadcast = settings.pop("broadcast", None)
    chosen = GraphQLSettings(upload_folder=upload_folder, **settings)
    routes = graphql_routes(
        SCHEMA, authenticate=authenticate, context_factory=Context, settings=chosen, broadcast=broadcast
    )
    return Starlette(routes=routes)
