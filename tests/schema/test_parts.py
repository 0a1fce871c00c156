"""`@defer` and `@stream`: the parts together are the answer without them."""

import asyncio
import re
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from schema.base.errors import explain
from schema.execution import Engine, Execution, GraphQLResponse, Limits, Part, Request, RequestRejected
from tests.toy import CLOSED, SCHEMA, Context, Viewer

ENGINE = Engine(SCHEMA, Limits(), explain=explain)
LINK = "fragment {} on Query {{ ...{} @defer ...{} @defer }} "
DOUBLING = "".join(LINK.format(a, b, b) for a, b in pairwise("ABCDEFGH")) + "fragment H on Query { hello }"


def call(engine: Engine, query: str, **variables: Any) -> Execution:
    request = Request(query, variables)
    return Execution(engine.operation(request), request, lambda: Context(Viewer("me"), "c"), "c")


async def parts(query: str, engine: Engine = ENGINE, **variables: Any) -> list[GraphQLResponse]:
    async with aclosing(engine.deliver(call(engine, query, **variables))) as answers:
        return [answer async for answer in answers]


async def whole(query: str) -> Any:
    return (await ENGINE.execute(call(ENGINE, query))).body()["data"]


def together(bodies: list[dict[str, Any]]) -> Any:
    """What a client makes of the parts."""
    root = bodies[0]["data"]
    paths: dict[str, list[Any]] = {}
    for body in bodies:
        paths |= {one["id"]: one["path"] for one in body.get("pending", ())}
        for patch in body.get("incremental", ()):
            place = root
            for key in [*paths[patch["id"]], *patch.get("subPath", ())]:
                place = place[key]
            place.extend(patch["items"]) if "items" in patch else merge(place, patch["data"])
        for one in body.get("completed", ()):
            del paths[one["id"]]
    assert not paths
    assert [body["hasNext"] for body in bodies] == [True] * (len(bodies) - 1) + [False]
    return root


def merge(into: dict[str, Any], data: dict[str, Any]) -> None:
    for name, value in data.items():
        if isinstance(value, dict) and name in into:
            merge(into[name], value)
        else:
            into[name] = value


@pytest.mark.parametrize(
    "query",
    [
        '{ hello ... @defer(label: "later") { whoami } }',
        "{ ... @defer { words(first: 40) { text start speaker { label } } } hello }",
        "{ words(first: 9) { text ... @defer { index start } } }",
        "{ words(first: 9) { text } ... @defer { words(first: 9) { text index start } } }",
        "{ ... @defer { a: words(first: 9) { text } } ... @defer { a: words(first: 9) { text index } } }",
        "{ ... @defer { me { words(first: 9) { text } ... @defer { words(first: 9) { text index } hello } } } }",
        "{ words(first: 9) @stream { text index } }",
        '{ words(first: 9) @stream(initialCount: 4, label: "rest") { text ... @defer { slow } } }',
        "{ connection(first: 30) { totalCount edges @stream(initialCount: 10) { node { text tags } } } }",
        "{ columns(count: 20) { text @stream(initialCount: 3) start } }",
        "{ hello ... @defer(if: false) { whoami } words @stream(if: false) { text } }",
        "mutation { ping }",
    ],
)
async def test_the_parts_together_are_the_answer(query: str) -> None:
    bodies = [answer.body() for answer in await parts(query)]
    found = together(bodies) if len(bodies) > 1 else bodies[0]["data"]
    assert found == await whole(query)  # where the directives are not heeded
    assert found == await whole(re.sub(r"@(defer|stream)(\([^)]*\))?", "", query))


async def test_what_is_put_off_comes_later_and_costs_the_same() -> None:
    first, second = [answer.body() for answer in await parts("{ hello ... @defer { words(first: 50) { text } } }")]
    assert first["data"] == {"hello": "Hello, world!"}
    [at_once] = await parts("{ hello words(first: 50) { text } }")
    assert first["extensions"] == at_once.extensions
    assert len(second["incremental"][0]["data"]["words"]) == 50


@pytest.mark.parametrize(
    "query", ["{ hello }", "{ hello ... @defer(if: false) { whoami } }", "{ ... @defer { nope } }"]
)
async def test_an_answer_without_parts_is_an_ordinary_one(query: str) -> None:
    try:
        [answer] = await parts(query)
    except RequestRejected:
        return
    assert not isinstance(answer, Part)
    assert "hasNext" not in answer.body()


@pytest.mark.parametrize("start", ["-1", "null"])
async def test_a_stream_from_nowhere_is_the_clients_fault(start: str) -> None:
    [answer] = await parts(f"{{ words @stream(initialCount: {start}) {{ text }} }}")
    assert (answer.errors or [])[0]["extensions"]["code"] == "INVALID_INPUT"


async def test_an_error_in_a_part_is_masked_and_comes_with_the_part() -> None:
    _, later = [answer.body() for answer in await parts("{ hello ... @defer { crash conflict } }")]
    [patch] = later["incremental"]
    assert patch["data"] == {"crash": None, "conflict": None}
    assert {error["extensions"]["code"] for error in patch["errors"]} == {"INTERNAL", "CONFLICT"}
    assert "secret" not in str(later)


async def test_a_part_that_takes_too_long_completes_with_an_error_and_ends_the_answer() -> None:
    engine = Engine(SCHEMA, Limits(seconds=0.1))
    first, last = [answer.body() for answer in await parts("{ hello ... @defer { sleep(seconds: 5) } }", engine)]
    assert first["data"] == {"hello": "Hello, world!"}
    assert [error["extensions"]["code"] for error in last["completed"][0]["errors"]] == ["TIMED_OUT"]
    assert (last["completed"][0]["id"], last["hasNext"]) == (first["pending"][0]["id"], False)


async def test_who_leaves_after_the_first_part_ends_the_others() -> None:
    CLOSED.clear()
    before = len(asyncio.all_tasks())
    async with aclosing(ENGINE.deliver(call(ENGINE, "{ ... @defer { sleep(seconds: 5) } }"))) as answers:
        assert isinstance(await anext(answers), Part)
        assert not CLOSED  # the context serves the later parts, too
        waiting = asyncio.ensure_future(anext(answers))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    assert len(CLOSED) == 1
    assert len(asyncio.all_tasks()) == before


@pytest.mark.parametrize(
    "query",
    [
        "{ mes(first: 100) { ... @defer { hello } ... @defer { whoami } } }",
        "{ mes(first: 100) { words @stream { text } mes(first: 2) { words @stream { text } } } }",
        "{ ...A @defer } " + DOUBLING,
    ],
)
def test_very_many_parts_are_refused(query: str) -> None:
    with pytest.raises(RequestRejected) as refused:
        ENGINE.operation(Request(query))
    extensions = refused.value.errors[0].extensions or {}
    assert (extensions["code"], extensions["details"]["what"]) == ("QUERY_TOO_COMPLEX", "parts")


def test_a_long_list_is_one_stream() -> None:
    assert ENGINE.operation(Request("{ connection(first: 1000) { edges @stream { cursor } } }")).in_parts
