"""A client that sends too much, too slowly or nothing at all holds up nobody else, on any route."""

import asyncio
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from api.http.connection.connections import ConnectionLimits, Connections, Crowd
from tests.serve import Served

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LIMITS = ConnectionLimits(
    total=8, head_bytes=8192, head_lines=20, framing_bytes=1024, head_seconds=1.0, body_seconds=1.0, write_seconds=1.0
)
COUNT = {"running": 0, "most": 0}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the number of bytes that came, after a moment; `/big` with more than fits into the buffers."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        for _ in range(100):
            await send({"type": "websocket.send", "text": "x" * 1_000_000})
        return
    COUNT["running"] += 1
    COUNT["most"] = max(COUNT["most"], COUNT["running"])
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            COUNT["running"] -= 1
            return
        size, more = size + len(message["body"]), message["more_body"]
    body = b"x" * (50 << 20) if scope["path"] == "/big" else str(size).encode()
    await asyncio.sleep(0.005)
    COUNT["running"] -= 1
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(application, LIMITS) as server:
        yield server


def dial(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=10)


def read_to_its_end(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except ConnectionError:
        pass
    return answer


def send_for_ever(connection: socket.socket, piece: bytes, most: int = 64 << 20) -> int:
    """How much the server let us send."""
    sent = 0
    try:
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (HEAD + b"X-Long: ", b"a" * 65536, 431),
        (HEAD, b"X-Many: b\r\n" * 6000, 431),
        (HEAD + b"X-", b"n" * 65536, 431),
        (b"", b"\r\n" * 32768, 431),
        (b"GET /", b"a" * 65536, 414),
        (CHUNKED + b"5;", b"a" * 65536, 413),
        (CHUNKED + b"0\r\n", b"X-Many: b\r\n" * 6000, 413),
        (CHUNKED + b"0\r\nX-Long: ", b"a" * 65536, 413),
    ],
    ids=["value", "headers", "name", "empty lines", "address", "chunk extension", "trailers", "trailer"],
)
def test_what_never_ends_is_refused_and_not_read(served: Served, start: bytes, piece: bytes, status: int) -> None:
    with dial(served) as connection:
        connection.sendall(start + piece[:40_000])
        answer = read_to_its_end(connection)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b'"code":"LIMIT_EXCEEDED"' in answer
    with dial(served) as connection:
        connection.sendall(start)
        assert send_for_ever(connection, piece) < 16 << 20


def test_a_chunked_body_of_small_chunks_and_trailers_is_taken(served: Served) -> None:
    chunks = b"".join(b"3;name=value\r\nabc\r\n" for _ in range(2000))
    with dial(served) as connection:
        connection.sendall(CHUNKED + chunks + b"0\r\nX-Trailer: y\r\n\r\n" + HEAD + b"Connection: close\r\n\r\n")
        answer = read_to_its_end(connection)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert b"6000" in answer


def test_a_trailer_never_becomes_a_header(served: Served) -> None:
    seen: list[Any] = []

    async def late(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        seen.extend(scope["headers"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with Served(late) as server, dial(server) as connection:
        close = CHUNKED.replace(b"Host", b"Connection: close\r\nHost")
        connection.sendall(close + b"1\r\nx\r\n0\r\nAuthorization: Bearer y\r\nX-Last: z\r\n\r\n")
        assert read_to_its_end(connection).startswith(b"HTTP/1.1 204")
    assert [name for name, _ in seen] == [b"connection", b"host", b"transfer-encoding"]


def test_requests_in_one_go_are_answered_in_order_one_at_a_time(served: Served) -> None:
    COUNT["most"] = 0
    number = 300
    requests = b"".join(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % n + b"b" * n for n in range(number)
    )
    with dial(served) as connection:
        connection.sendall(requests + HEAD + b"Connection: close\r\n\r\n")
        answer = read_to_its_end(connection)
    bodies = [part.split(b"\r\n\r\n")[1] for part in answer.split(b"HTTP/1.1 200")[1:]]
    assert [int(body) for body in bodies] == [*range(number), 0]
    assert COUNT["most"] == 1


def test_requests_without_end_are_not_read_while_some_wait(served: Served) -> None:
    with dial(served) as connection:
        connection.settimeout(0.5)
        sent = send_for_ever(connection, (HEAD + b"\r\n") * 2000, most=40 << 20)
    assert sent < 20 << 20  # what the kernel holds; answers take 5 ms each


@pytest.mark.parametrize(
    "sent", [b"", HEAD + b"X-Slow: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1", CHUNKED + b"5\r\nab"]
)
def test_who_does_not_go_on_is_told_so_and_ended(served: Served, sent: bytes) -> None:
    with dial(served) as connection:
        connection.sendall(sent)
        assert read_to_its_end(connection).startswith(b"HTTP/1.1 408 ")
    assert httpx.get(served.base).text == "0"


def test_a_body_that_trickles_is_ended_and_one_that_keeps_coming_is_not(served: Served) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n"
    with dial(served) as trickling, dial(served) as steady:
        trickling.sendall(head)
        steady.sendall(head)
        for _ in range(25):
            steady.sendall(b"x" * 800)
            try:
                trickling.sendall(b"x")
            except ConnectionError:
                break
            time.sleep(0.1)
        assert read_to_its_end(trickling).startswith(b"HTTP/1.1 408 ")
        assert read_to_its_end(steady).startswith(b"HTTP/1.1 200 ")


def test_who_reads_nothing_is_cut_off(served: Served) -> None:
    with dial(served) as connection:
        connection.sendall(HEAD.replace(b"/", b"/big", 1) + b"\r\n")
        time.sleep(3.0)  # that nothing is read for a time is what this is about
        assert len(read_to_its_end(connection)) < 50 << 20


def test_a_websocket_that_reads_nothing_is_cut_off(served: Served) -> None:
    with dial(served) as connection:
        upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        connection.sendall(HEAD + upgrade + b64encode(bytes(16)) + b"\r\n\r\n")
        time.sleep(3.0)  # as above
        assert len(read_to_its_end(connection)) < 50 << 20


def test_silent_connections_in_any_number_keep_nobody_out(served: Served) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(dial(served)) for _ in range(LIMITS.total * 4)]
        for connection in silent:
            connection.sendall(HEAD)
        for _ in range(5):
            assert httpx.get(served.base).text == "0"


def test_where_all_are_at_work_one_more_is_told_when_to_come_back(served: Served) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2000\r\n\r\n"
    with ExitStack() as stack:
        busy = [stack.enter_context(dial(served)) for _ in range(LIMITS.total)]
        for connection in busy:
            connection.sendall(head + b"x" * 1500)
        time.sleep(0.2)
        refused = httpx.get(served.base)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["code"] == "UNAVAILABLE"
        for connection in busy:
            connection.sendall(b"x" * 500)
            assert read_to_its_end(connection).startswith(b"HTTP/1.1 200 ")
    assert httpx.get(served.base).status_code == 200


class Idle:
    """A connection that only waits."""

    waiting = True

    def __init__(self, address: str) -> None:
        self.address = address
        self.reasons: list[str] = []

    def end(self, reason: str) -> None:
        self.reasons.append(reason)

    def look(self, now: float) -> None:
        """It has time."""


async def test_the_address_with_most_connections_makes_room() -> None:
    connections = Connections(ConnectionLimits(total=20, share=1.0))
    few, many = [Idle("192.0.2.1") for _ in range(5)], [Idle("192.0.2.2") for _ in range(15)]
    for connection in (*few, *many, Idle("192.0.2.3")):
        assert connections.enter(connection)
    assert [bool(connection.reasons) for connection in many] == [True] + [False] * 14
    assert not any(connection.reasons for connection in few)


async def test_one_address_does_not_get_all_places_unless_it_is_this_machine() -> None:
    for address, ended in (("192.0.2.1", 10), ("127.0.0.1", 0), ("::1", 0), ("", 0)):
        connections = Connections(ConnectionLimits(total=20))
        mine = [Idle(address) for _ in range(20)]
        for connection in mine:
            assert connections.enter(connection)
        assert sum(bool(connection.reasons) for connection in mine) == ended


def test_an_owner_is_counted_up_to_a_limit() -> None:
    crowd = Crowd(2)
    assert [crowd.enter("a"), crowd.enter("a"), crowd.enter("a"), crowd.enter("b")] == [True, True, False, True]
    crowd.leave("a")
    assert crowd.enter("a")
