"""The graphql-transport-ws protocol, against a real server with a real client."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.serve import Served
from tests.toy import CLOSED, ENDED, TOKEN, application

PROTOCOL = Subprotocol("graphql-transport-ws")
INIT = {"type": "connection_init", "payload": {"Authorization": f"Bearer {TOKEN}"}}


@asynccontextmanager
async def opened(toy: Served, **headers: str) -> AsyncIterator[ClientConnection]:
    async with connect(toy.ws_url, subprotocols=[PROTOCOL], additional_headers=headers, proxy=None) as socket:
        yield socket


@asynccontextmanager
async def ready(toy: Served, init: dict[str, Any] | None = None) -> AsyncIterator[ClientConnection]:
    async with opened(toy) as socket:
        await socket.send(json.dumps(init or INIT))
        assert await receive(socket) == {"type": "connection_ack"}
        yield socket


async def receive(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())


async def send(socket: ClientConnection, message: Any) -> None:
    await socket.send(json.dumps(message))


def subscribe(identifier: str, query: str, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "type": "subscribe", "payload": {"query": query, **more}}


async def closing(socket: ClientConnection) -> tuple[int, str]:
    """The code and the reason with which the server closes; messages before are dropped."""
    with pytest.raises(ConnectionClosed) as closed:  # messages may come before
        while True:
            await socket.recv()
    assert closed.value.rcvd is not None, "the connection was cut off without a close frame"
    return closed.value.rcvd.code, closed.value.rcvd.reason


# ---------------------------------------------------------------- the way in


async def test_another_subprotocol_closes_with_4406(toy: Served) -> None:
    for protocols in (None, [Subprotocol("graphql-ws")]):
        async with connect(toy.ws_url, subprotocols=protocols, proxy=None) as socket:
            assert await closing(socket) == (4406, "Subprotocol not acceptable")


async def test_a_page_of_another_origin_may_not_open_a_socket(toy: Served) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://["):
        with pytest.raises(InvalidStatus) as refused:
            async with opened(toy, Origin=origin):
                pass
        assert refused.value.response.status_code == 403
    async with opened(toy, Origin=f"http://127.0.0.1:{toy.port}") as socket:
        await send(socket, INIT)
        assert await receive(socket) == {"type": "connection_ack"}


async def test_silence_at_the_start_closes_with_4408(toy: Served) -> None:
    async with opened(toy) as socket:
        await send(socket, {"type": "ping"})
        assert await receive(socket) == {"type": "pong"}
        assert await closing(socket) == (4408, "Connection initialisation timeout")


async def test_subscribing_before_the_acknowledgement_closes_with_4401(toy: Served) -> None:
    async with opened(toy) as socket:
        await send(socket, subscribe("1", "{ hello }"))
        assert await closing(socket) == (4401, "Unauthorized")


async def test_a_second_initialisation_closes_with_4429(toy: Served) -> None:
    async with ready(toy) as socket:
        await send(socket, INIT)
        assert await closing(socket) == (4429, "Too many initialisation requests")


@pytest.mark.parametrize("payload", [None, {}, {"Authorization": "Bearer wrong"}, {"token": ""}, {"token": 1}])
async def test_without_a_valid_token_the_socket_closes_with_4403(toy: Served, payload: Any) -> None:
    async with opened(toy) as socket:
        await send(socket, {"type": "connection_init", "payload": payload})
        assert await closing(socket) == (4403, "Forbidden")


@pytest.mark.parametrize(
    "payload",
    [
        {"Authorization": f"Bearer {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}"},
        {"token": TOKEN},
        {"headers": {"Authorization": f"Bearer {TOKEN}"}},
    ],
)
async def test_the_token_may_come_in_the_payload(toy: Served, payload: dict[str, Any]) -> None:
    async with ready(toy, {"type": "connection_init", "payload": payload}) as socket:
        await send(socket, subscribe("1", "{ whoami }"))
        assert (await receive(socket))["payload"]["data"] == {"whoami": "me"}


async def test_the_token_may_come_in_a_header(toy: Served) -> None:
    async with opened(toy, Authorization=f"Bearer {TOKEN}") as socket:
        await send(socket, {"type": "connection_init"})
        assert await receive(socket) == {"type": "connection_ack"}


async def test_a_socket_ends_with_its_token(toy: Served) -> None:
    init = {"type": "connection_init", "payload": {"token": f"until:{time.time() + 0.4}"}}
    async with ready(toy, init) as socket:
        await send(socket, subscribe("1", "subscription { silent }"))
        assert await closing(socket) == (4403, "Token expired")


# ---------------------------------------------------------------- malformed messages

MALFORMED: list[Any] = [
    "",
    "{",
    "nonsense",
    "[]",
    "1",
    "null",
    "true",
    '"text"',
    "{}",
    '[{"type":"ping"}]',
    '{"type":null}',
    '{"type":1}',
    '{"type":""}',
    '{"type":"nonsense"}',
    '{"type":"Ping"}',
    '{"type":["ping"]}',
    '{"type":"connection_ack"}',
    '{"type":"next","id":"1","payload":{"data":null}}',
    '{"type":"error","id":"1","payload":[]}',
    '{"type":"ka"}',
    '{"type":"start","id":"1","payload":{"query":"{hello}"}}',
    '{"type":"stop","id":"1"}',
    '{"type":"connection_terminate"}',
    '{"type":"ping","payload":1}',
    '{"type":"ping","payload":[]}',
    '{"type":"ping","payload":"x"}',
    '{"type":"pong","payload":true}',
    '{"type":"complete"}',
    '{"type":"complete","id":1}',
    '{"type":"complete","id":""}',
    '{"type":"complete","id":null}',
    '{"type":"complete","id":{}}',
    '{"type":"subscribe"}',
    '{"type":"subscribe","id":"1"}',
    '{"type":"subscribe","payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":"","payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":1,"payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":null,"payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":{},"payload":{"query":"{hello}"}}',
    '{"type":"subscribe","id":"1","payload":null}',
    '{"type":"subscribe","id":"1","payload":[]}',
    '{"type":"subscribe","id":"1","payload":"{hello}"}',
    '{"type":"subscribe","id":"1","payload":{}}',
    '{"type":"subscribe","id":"1","payload":{"query":null}}',
    '{"type":"subscribe","id":"1","payload":{"query":1}}',
    '{"type":"subscribe","id":"1","payload":{"query":["{hello}"]}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","operationName":1}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","operationName":{}}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","variables":[]}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","variables":"x"}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","variables":1}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","extensions":[]}}',
    '{"type":"subscribe","id":"1","payload":{"query":"{hello}","extensions":"x"}}',
    '{"type":"subscribe","id":"1","payload":{"query":"\\ud800"}}',
    "[" * 40_000,
    b'{"type":"ping"}',
    b"\xff\xfe",
]


@pytest.mark.parametrize("message", MALFORMED, ids=[repr(m)[:70] for m in MALFORMED])
async def test_a_malformed_message_closes_with_4400(toy: Served, message: str | bytes) -> None:
    async with ready(toy) as socket:
        await socket.send(message)
        code, reason = await closing(socket)
        assert code == 4400
        assert reason


@pytest.mark.parametrize("payload", ["x", 1, [], True])
async def test_an_initialisation_with_an_odd_payload_closes_with_4400(toy: Served, payload: Any) -> None:
    async with opened(toy) as socket:
        await send(socket, {"type": "connection_init", "payload": payload})
        assert (await closing(socket))[0] == 4400


async def test_a_message_beyond_the_limit_closes_with_1009(toy: Served) -> None:
    async with ready(toy) as socket:
        await send(socket, subscribe("1", "{ hello }" + " " * 60_000))
        assert await closing(socket) == (1009, "Message too big")


async def test_unknown_properties_are_ignored(toy: Served) -> None:
    async with ready(toy) as socket:
        await send(socket, {**subscribe("1", "{ hello }", operationName=None, variables=None, extensions=None), "x": 1})
        assert (await receive(socket))["type"] == "next"


# ---------------------------------------------------------------- operations


async def test_a_query_and_a_mutation_answer_once(toy: Served) -> None:
    async with ready(toy) as socket:
        for query, data in (("{ hello }", {"hello": "Hello, world!"}), ("mutation { ping }", {"ping": "pong"})):
            await send(socket, subscribe("1", query))
            message = await receive(socket)
            assert (message["id"], message["type"], message["payload"]["data"]) == ("1", "next", data)
            assert await receive(socket) == {"id": "1", "type": "complete"}


async def test_a_subscription_sends_every_event_then_completes(toy: Served) -> None:
    async with ready(toy) as socket:
        query = "subscription S($n: Int!) { ticks(upto: $n) { cursor ... on Ticked { number } } }"
        await send(socket, subscribe("ü\n", query, variables={"n": 3}, operationName="S"))
        for number in (1, 2, 3):
            assert await receive(socket) == {
                "id": "ü\n",
                "type": "next",
                "payload": {"data": {"ticks": {"cursor": str(number), "number": number}}},
            }
        assert await receive(socket) == {"id": "ü\n", "type": "complete"}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "{"}, "INVALID_INPUT"),
        ({"query": ""}, "INVALID_INPUT"),
        ({"query": "{ nope }"}, "INVALID_INPUT"),
        ({"query": "subscription { nope }"}, "INVALID_INPUT"),
        ({"query": "subscription { ticks { cursor } forever }"}, "INVALID_INPUT"),
        ({"query": "{ hello }", "operationName": "B"}, "INVALID_INPUT"),
        ({"query": "query($n: Int!) { words(first: $n) { text } }"}, "INVALID_INPUT"),
        ({"query": "subscription($n: Int!) { ticks(upto: $n) { cursor } }", "variables": {"n": "x"}}, "INVALID_INPUT"),
        ({"query": "subscription { expired }"}, "CURSOR_EXPIRED"),
        ({"query": "{ " + "hello " * 3000 + "}"}, "QUERY_TOO_COMPLEX"),
    ],
)
async def test_a_failed_operation_is_an_error_message_and_the_socket_stays_open(
    toy: Served, payload: dict[str, Any], code: str
) -> None:
    async with ready(toy) as socket:
        await send(socket, {"id": "1", "type": "subscribe", "payload": payload})
        message = await receive(socket)
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"] == code
        await send(socket, subscribe("1", "{ hello }"))
        assert (await receive(socket))["payload"]["data"] == {"hello": "Hello, world!"}


async def test_a_running_id_used_again_closes_with_4409(toy: Served) -> None:
    async with ready(toy) as socket:
        await send(socket, subscribe("1", "subscription { silent }"))
        await send(socket, subscribe("1", "{ hello }"))
        assert await closing(socket) == (4409, "Subscriber for 1 already exists")


async def test_a_close_reason_fits_into_its_frame(toy: Served) -> None:
    async with ready(toy) as socket:
        identifier = "ü" * 500
        await send(socket, subscribe(identifier, "subscription { silent }"))
        await send(socket, subscribe(identifier, "{ hello }"))
        assert (await closing(socket))[0] == 4409


async def test_an_operation_that_the_client_completes_stops_and_frees_its_id(toy: Served) -> None:
    async with ready(toy) as socket:
        await send(socket, subscribe("1", "subscription { forever }"))
        assert (await receive(socket))["payload"] == {"data": {"forever": 0}}
        await send(socket, {"id": "1", "type": "complete"})
        await send(socket, {"id": "unknown", "type": "complete"})
        await send(socket, subscribe("1", "{ hello }"))
        while "forever" in (message := await receive(socket)).get("payload", {}).get("data", {}):
            pass
        assert message["payload"]["data"] == {"hello": "Hello, world!"}
        assert await receive(socket) == {"id": "1", "type": "complete"}


async def test_too_many_operations_are_refused_one_by_one(toy: Served) -> None:
    async with ready(toy) as socket:
        for number in range(5):
            await send(socket, subscribe(str(number), "subscription { silent }"))
        await send(socket, subscribe("more", "{ hello }"))
        message = await receive(socket)
        assert (message["id"], message["payload"][0]["extensions"]["code"]) == ("more", "LIMIT_EXCEEDED")
        await send(socket, {"id": "0", "type": "complete"})
        await send(socket, subscribe("more", "{ hello }"))
        assert (await receive(socket))["type"] == "next"


async def test_a_ping_is_answered_with_its_payload(toy: Served) -> None:
    async with ready(toy) as socket:
        for payload in ({"payload": {"a": 1}}, {}):
            await send(socket, {"type": "ping", **payload})
            assert await receive(socket) == {"type": "pong", **payload}
        await send(socket, {"type": "pong"})


async def test_every_event_has_a_context_of_its_own_that_is_closed(toy: Served) -> None:
    before = len(CLOSED)
    async with ready(toy) as socket:
        await send(socket, subscribe("1", "subscription { contexts { fresh again: fresh } }"))
        for _ in range(3):
            assert (await receive(socket))["payload"]["data"]["contexts"]["fresh"] is True
        assert (await receive(socket))["type"] == "complete"
    assert len(CLOSED) == before + 4


async def test_operations_end_when_the_client_vanishes(toy: Served) -> None:
    ENDED.clear()
    async with ready(toy) as socket:
        await send(socket, subscribe("1", "subscription { silent }"))
        await send(socket, subscribe("2", "subscription { forever }"))
        await receive(socket)
        socket.transport.abort()
    deadline = time.monotonic() + 5
    while set(ENDED) != {"silent", "forever"}:
        assert time.monotonic() < deadline
        async with ready(toy):  # the server is up, and gets its turn
            pass


# ---------------------------------------------------------------- time


async def test_a_silent_client_is_pinged_then_closed(tmp_path: Path) -> None:
    with Served(application(tmp_path, ping_seconds=0.2, pong_seconds=0.2)) as served:
        async with ready(served) as socket:
            for _ in range(2):
                assert await receive(socket) == {"type": "ping"}
                await send(socket, {"type": "pong"})
            assert await closing(socket) == (4408, "No sign of life")


async def test_a_socket_without_operations_is_closed_after_a_while(tmp_path: Path) -> None:
    with Served(application(tmp_path, idle_seconds=0.3)) as served:
        async with ready(served) as socket:
            await send(socket, subscribe("1", "{ sleep(seconds: 0.5) }"))
            assert (await receive(socket))["type"] == "next"
            assert await closing(socket) == (1000, "Idle")


async def test_sockets_of_one_owner_are_counted_and_one_that_closes_makes_room(tmp_path: Path) -> None:
    with Served(application(tmp_path, connections_per_owner=2)) as served:
        async with ready(served):
            async with ready(served), opened(served) as third:
                await send(third, {"type": "connection_init", "payload": {"authorization": f"Bearer {TOKEN}"}})
                assert await closing(third) == (1013, "At most 2 connections at a time")
            async with ready(served) as again:
                await send(again, subscribe("1", "{ hello }"))
                assert (await receive(again))["type"] == "next"


async def test_answers_that_a_client_does_not_read_are_not_worked_out_ahead(tmp_path: Path) -> None:
    with Served(application(tmp_path, answers_per_connection=2)) as served:
        CLOSED.clear()
        async with connect(served.ws_url, subprotocols=[PROTOCOL], proxy=None, max_queue=1, compression=None) as socket:
            await send(socket, INIT)
            await receive(socket)
            for number in range(20):
                await send(socket, subscribe(str(number), "{ words(first: 10000) { index text start end } }"))
            async with ready(served) as other:  # which is answered meanwhile
                await send(other, subscribe("1", "{ sleep(seconds: 1) }"))
                assert (await receive(other))["type"] == "next"
            assert len(CLOSED) < 20
            messages = [await receive(socket) for _ in range(40)]
            assert sum(message["type"] == "complete" for message in messages) == 20
