"""GraphQL speed as ratios: our endpoint against a stock Strawberry server with the same resolvers, in the same run.

    python -m tests.programs.bench.graph

Each figure is the best of alternating rounds, so that a busy machine hurts both alike.
"""

import asyncio
import json
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import orjson
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from db.migrate import upgrade
from db.transcripts import transcript_id
from tests.programs.bench.real_servers import fill, url

FIELDS = "index text start end confidence"
ROWS = f"{{ words {{ {FIELDS} }} }}"
COLUMNS = f"{{ wordColumns {{ {FIELDS} }} }}"
JOB = "query Job($id: ID!) { job(id: $id) { id state progress media { id filename } } }"
EVENTS = (
    "subscription Watch($id: ID!) { jobEvents(id: $id) { cursor job { state progress } segments { start end text } } }"
)
SEGMENTS = """query Read($id: ID!) { transcript(id: $id) { segments(first: 100) { edges { node {
  id start end text words { index text start end confidence } } } } } }"""
PORTS = dict[str, int]


@asynccontextmanager
async def server(name: str, module: str = "graph_servers") -> AsyncIterator[int]:
    """The server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    application = f"tests.programs.bench.{module}:{name}"
    command = [sys.executable, "-m", "uvicorn", "--factory", application, "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, "--log-level", "warning", "--no-access-log")
    try:
        for _ in range(900):
            try:
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        yield port
    finally:
        process.terminate()
        await process.wait()


class Client:
    """One keep-alive connection that spends as little as possible on this side."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)

    async def post(self, query: str, variables: dict[str, str] | None = None) -> bytes:
        body = json.dumps({"query": query, "variables": variables}).encode()
        head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        headers = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in headers.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        return await self.reader.readexactly(length)


async def one_large(port: int, query: str, rounds: int) -> float:
    """Answers a second, one after the other; the best one counts."""
    client = Client(port)
    await client.open()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = await client.post(query)
        times.append(time.perf_counter() - start)
    data = orjson.loads(answer)["data"]
    assert len(data.get("words") or data["wordColumns"]["text"]) == 10_000
    client.writer.close()
    return 1 / min(times)


async def many_small(port: int, identifier: str = "1", connections: int = 16, seconds: float = 3.0) -> float:
    """Requests a second over several connections."""
    count = 0
    end = time.perf_counter() + seconds

    async def work() -> None:
        nonlocal count
        client = Client(port)
        await client.open()
        while time.perf_counter() < end:
            answer = await client.post(JOB, {"id": identifier})
            count += 1
        assert orjson.loads(answer)["data"]["job"]["media"]["filename"].endswith(".wav")
        client.writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return count / (time.perf_counter() - start)


async def fan_out(port: int, subscribers: int = 200) -> float:
    """Messages a second to subscribers of one job over WebSockets."""
    async with AsyncExitStack() as stack:
        sockets = []
        for _ in range(subscribers):
            opening = connect(
                f"ws://127.0.0.1:{port}/graphql",
                subprotocols=[Subprotocol("graphql-transport-ws")],
                compression=None,
                proxy=None,
            )
            sockets.append(await stack.enter_async_context(opening))
        for ws in sockets:
            await ws.send('{"type":"connection_init"}')
            await ws.recv()
            payload = {"query": EVENTS, "variables": {"id": "1"}}
            await ws.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        client = Client(port)
        await client.open()
        while orjson.loads(await client.post("{ waiting }"))["data"]["waiting"] < subscribers:
            await asyncio.sleep(0.02)
        first = last = 0.0

        async def listen(ws: object) -> int:
            nonlocal first, last
            received = 0
            while '"complete"' not in str(await ws.recv()):  # type: ignore[attr-defined]  # a ClientConnection
                received += 1
                last = time.perf_counter()
            return received

        listeners = [asyncio.create_task(listen(ws)) for ws in sockets]
        first = time.perf_counter()
        await client.post("{ publish }")
        counts = await asyncio.gather(*listeners)
        assert set(counts) == {50}, set(counts)
        client.writer.close()
        return sum(counts) / (last - first)


async def best_of(ports: PORTS, measure: Callable[[str, int], Awaitable[float]], rounds: int = 3) -> dict[str, float]:
    """The best figure of each server over alternating rounds."""
    best = dict.fromkeys(ports, 0.0)
    for _ in range(rounds):
        for name, port in ports.items():
            best[name] = max(best[name], await measure(name, port))
    return best


def report(what: str, best: dict[str, float], limit: float) -> bool:
    """Prints both figures and their ratio; whether the limit is kept."""
    ratio = best["ours"] / best["stock"]
    verdict = "ok" if ratio >= limit else "MISSED"
    figures = "  ".join(f"{name} {value:8.1f}/s" for name, value in best.items())
    print(f"{what:52} {figures}  ratio {ratio:5.1f} (at least {limit:g}) {verdict}")
    return ratio >= limit


async def main() -> int:
    """All comparisons; 1 when a limit is missed."""
    async with server("stock") as stock, server("ours") as ours:
        ports = {"stock": stock, "ours": ours}
        rows = await best_of(ports, lambda _, port: one_large(port, ROWS, 5))
        columns = await best_of(ports, lambda _, port: one_large(port, COLUMNS, 8))
        job = await best_of(ports, lambda _, port: many_small(port))
        messages = await best_of(ports, lambda _, port: fan_out(port))
        kept = [
            report("10,000 words of five fields", rows, 15),
            report(
                "10,000 words in columns, against stock rows", {"stock": rows["stock"], "ours": columns["ours"]}, 30
            ),
            report("10,000 words in columns, against stock columns", columns, 10),
            report("job(id) with all limits, no database", job, 4),
            report("events to 200 subscribers of one job", messages, 3),
        ]
    return 0 if all([*kept, *await with_database()]) else 1


async def with_database() -> list[bool]:
    """The real schema on SQLite: what remains of the gain when every request asks the database."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        await asyncio.to_thread(upgrade, url(home))
        job_id = await fill(home)
        async with server("stock", "real_servers") as stock, server("ours", "real_servers") as ours:
            ports = {"stock": stock, "ours": ours}
            job = await best_of(ports, lambda _, port: many_small(port, job_id))
            segments = await best_of(ports, lambda _, port: answers(port, SEGMENTS, {"id": transcript_id(job_id)}))
        return [
            report("job(id) with all limits, SQLite", job, 2),
            report("100 segments with 10,000 words, SQLite", segments, 3),
        ]


async def answers(port: int, query: str, variables: dict[str, str], rounds: int = 6) -> float:
    """Answers a second to a query whose size does not matter here."""
    client = Client(port)
    await client.open()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = await client.post(query, variables)
        times.append(time.perf_counter() - start)
    assert len(orjson.loads(answer)["data"]["transcript"]["segments"]["edges"]) == 100
    client.writer.close()
    return 1 / min(times)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
