"""Executing operations: time, faults, contexts, shared events."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import strawberry
from strawberry.directive import DirectiveLocation
from strawberry.extensions import MaxAliasesLimiter
from structlog.testing import capture_logs

from db.domain.errors import NotFound
from schema.base.errors import explain
from schema.execution import CoalescedResponses, Engine, Execution, GraphQLResponse, Limits, Request
from schema.execution.encoding import encode
from schema.execution.errors import ExtensionsNotRun


@dataclass
class Context:
    number: int
    cost: int = -1
    closed: bool = False

    async def aclose(self) -> None:
        self.closed = True


class Contexts:
    def __init__(self) -> None:
        self.made: list[Context] = []

    def __call__(self) -> Context:
        self.made.append(Context(len(self.made)))
        return self.made[-1]


@strawberry.type
class Event:
    cursor: str
    executed: strawberry.Private[list[int]]
    fail: strawberry.Private[bool] = False

    @strawberry.field
    async def number(self, info: strawberry.Info[Context, None]) -> int | None:
        self.executed.append(info.context.number)
        await asyncio.sleep(0)
        if self.fail:
            raise RuntimeError("no")
        return int(self.cursor)


STREAMS: dict[str, list[Event]] = {}


@strawberry.type
class Query:
    @strawberry.field
    async def sleep(self) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ENDED.append("sleep")
            raise
        return "never"

    @strawberry.field
    def errors(self, count: int) -> list[int | None]:
        return [NotFound("job", str(n)) for n in range(count)]  # type: ignore[misc]  # raised by the executor

    @strawberry.field
    def odd(self) -> strawberry.scalars.JSON:
        return {"huge": 2**80, "half": "\ud800"}  # type: ignore[return-value]  # any JSON


async def numbers() -> AsyncGenerator[int, None]:
    yield 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def slow_to_start(self) -> AsyncGenerator[int, None]:
        await asyncio.sleep(60)
        return numbers()

    @strawberry.subscription
    async def events(self, name: str = "a") -> AsyncGenerator[Event, None]:
        for event in STREAMS[name]:
            yield event

    @strawberry.subscription
    async def broken(self) -> AsyncGenerator[int, None]:
        yield 1
        raise RuntimeError("the database is gone")


ENDED: list[str] = []
SCHEMA = strawberry.Schema(Query, subscription=Subscription)


def call_of(engine: Engine, query: str, contexts: Any = None, viewer: Any = "me", **variables: Any) -> Execution:
    request = Request(query, variables)
    return Execution(engine.operation(request), request, contexts or Contexts(), "c-1", viewer)


@strawberry.directive(locations=[DirectiveLocation.FIELD])
def shouting(value: str) -> str:
    return value.upper()


async def all_of(engine: Engine, call: Execution) -> list[GraphQLResponse]:
    return [answer async for answer in engine.subscribe(call)]


@pytest.mark.parametrize(
    "ignored",
    [{"extensions": [MaxAliasesLimiter]}, {"extensions": [lambda: MaxAliasesLimiter(max_alias_count=1)]},
     {"directives": [shouting]}],
)  # fmt: skip
def test_a_schema_with_extensions_that_would_not_be_run_is_refused(ignored: dict[str, Any]) -> None:
    with pytest.raises(ExtensionsNotRun, match=r"(MaxAliasesLimiter|<lambda>|StrawberryDirective)\."):
        Engine(strawberry.Schema(Query, **ignored), Limits())


async def test_an_operation_that_takes_too_long_is_cancelled_and_says_so() -> None:
    engine, contexts = Engine(SCHEMA, Limits(seconds=0.05)), Contexts()
    answer = await engine.execute(call_of(engine, "{ sleep }", contexts))
    assert answer.data is None
    assert answer.errors is not None
    assert answer.errors[0]["extensions"]["code"] == "TIMED_OUT"
    assert ENDED == ["sleep"]
    assert contexts.made[0].closed


async def test_a_subscription_that_does_not_begin_in_time_says_so() -> None:
    engine = Engine(SCHEMA, Limits(seconds=0.05))
    (answer,) = await all_of(engine, call_of(engine, "subscription { slowToStart }"))
    assert not answer.executed
    assert answer.errors is not None
    assert answer.errors[0]["extensions"]["code"] == "TIMED_OUT"


async def test_only_some_errors_are_returned_and_the_rest_counted() -> None:
    engine = Engine(SCHEMA, Limits(errors=3), explain=explain)
    answer = await engine.execute(call_of(engine, "{ errors(count: 10) }"))
    assert answer.errors is not None
    assert [error["extensions"]["code"] for error in answer.errors[:3]] == ["NOT_FOUND"] * 3
    assert answer.errors[3]["message"] == "7 more errors are not shown."
    assert len(answer.errors) == 4


async def test_values_that_orjson_refuses_are_still_json() -> None:
    engine = Engine(SCHEMA, Limits())
    answer = await engine.execute(call_of(engine, "{ odd }"))
    assert b"1208925819614629174706176" in answer.json()
    assert b'"\\ud800"' in answer.json()
    assert orjson.loads(encode({"a": "ü"})) == {"a": "ü"}


async def test_a_source_that_breaks_ends_the_operation_with_a_hidden_error() -> None:
    engine = Engine(SCHEMA, Limits())
    first, last = await all_of(engine, call_of(engine, "subscription { broken }"))
    assert first.data == {"broken": 1}
    assert not last.executed
    assert last.errors is not None
    assert last.errors[0]["extensions"]["code"] == "INTERNAL"
    assert "database" not in str(last.errors)


async def test_an_operation_and_each_event_have_a_context_of_their_own() -> None:
    executed: list[int] = []
    STREAMS["a"] = [Event(cursor=str(n), executed=executed) for n in range(3)]
    engine, contexts = Engine(SCHEMA, Limits()), Contexts()
    answers = await all_of(engine, call_of(engine, "subscription { events { number } }", contexts))
    assert [answer.event_id for answer in answers] == ["0", "1", "2"]
    assert executed == [1, 2, 3]
    assert [context.closed for context in contexts.made] == [True] * 4


# ---------------------------------------------------------------- shared events


async def shared(queries: list[tuple[str, str, dict[str, Any]]], *, fail: bool = False, key: Any = None) -> int:
    """How often two events are executed for these (query, viewer, variables), subscribed at the same time."""
    executed: list[int] = []
    STREAMS["a"] = STREAMS["b"] = [Event(cursor=str(n), executed=executed, fail=fail) for n in range(2)]
    engine = Engine(SCHEMA, Limits(), CoalescedResponses(key or (lambda event: event.cursor)))
    calls = [call_of(engine, query, viewer=viewer, **variables) for query, viewer, variables in queries]
    streams = await asyncio.gather(*(all_of(engine, call) for call in calls))
    for answers in streams:
        assert [orjson.loads(answer.json())["data"]["events"]["number"] for answer in answers] == (
            [None, None] if fail else [0, 1]
        )
    return len(executed)


ASKED = 'subscription($name: String! = "a") { events(name: $name) { number } }'


async def test_equal_subscribers_share_one_execution_of_each_event() -> None:
    assert await shared([(ASKED, "me", {})] * 20) == 2
    assert await shared([(ASKED, "me", {"name": "a"})] * 20) == 2


@pytest.mark.parametrize(
    "other",
    [(ASKED, "you", {}), (ASKED, "me", {"name": "a"}), (ASKED, "me", {"name": "b"}), (ASKED + " ", "me", {})],
    ids=["another viewer", "another variable given", "another value", "another text"],
)
async def test_whatever_differs_is_executed_apart(other: tuple[str, str, dict[str, Any]]) -> None:
    assert await shared([(ASKED, "me", {}), other]) == 4


async def test_events_without_a_key_and_answers_with_errors_are_not_shared() -> None:
    assert await shared([(ASKED, "me", {})] * 5, key=lambda _: None) == 10
    with capture_logs() as logged:
        assert await shared([(ASKED, "me", {})] * 5, fail=True) == 10
    assert len(logged) == 10


async def test_a_shared_answer_is_kept_for_a_moment_only() -> None:
    executed: list[int] = []
    STREAMS["a"] = [Event(cursor="7", executed=executed)]
    for seconds, times in ((60.0, 1), (0.0, 3)):
        executed.clear()
        engine = Engine(SCHEMA, Limits(), CoalescedResponses(lambda event: event.cursor, seconds=seconds))
        for _ in range(3):
            await all_of(engine, call_of(engine, ASKED))
        assert len(executed) == times


async def test_no_more_shared_answers_are_kept_than_allowed() -> None:
    STREAMS["a"] = [Event(cursor=str(n), executed=[]) for n in range(50)]
    shared = CoalescedResponses(lambda event: event.cursor, seconds=60.0, kept=10)
    engine = Engine(SCHEMA, Limits(), shared)
    await all_of(engine, call_of(engine, ASKED))
    assert len(shared.answers) == 10


async def test_a_subscriber_that_leaves_takes_nothing_from_the_others() -> None:
    executed: list[int] = []
    STREAMS["a"] = [Event(cursor="7", executed=executed)]
    engine = Engine(SCHEMA, Limits(), CoalescedResponses(lambda event: event.cursor))
    first = asyncio.create_task(all_of(engine, call_of(engine, ASKED)))
    others = [asyncio.create_task(all_of(engine, call_of(engine, ASKED))) for _ in range(5)]
    while not executed:  # until the first execution has begun
        await asyncio.sleep(0)
    first.cancel()
    assert [answers[0].data for answers in await asyncio.gather(*others)] == [{"events": {"number": 7}}] * 5
    assert len(executed) == 2
