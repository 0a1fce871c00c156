"""The real `jobEvents` on SQLite: messages a second to 200 subscribers of one job, against a stock server.

    python -m tests.programs.bench.job_events [subscribers]

The stock server gets the same schema, which reads once for all who watch the same; it executes and encodes for each.
"""

import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from db.migrate import upgrade
from tests.programs.bench.graph import report, server
from tests.programs.bench.real_servers import EVENTS, fill, url

WATCH = """subscription($id: ID!) { jobEvents(jobId: $id) { __typename cursor at job { id state progress }
  ... on SegmentsAppended { segments { id start end text words { text start end } } } } }"""


async def subscribed(stack: AsyncExitStack, port: int, job_id: str) -> ClientConnection:
    """A socket that has seen the snapshot."""
    address = f"ws://127.0.0.1:{port}/graphql"
    protocol = [Subprotocol("graphql-transport-ws")]
    socket = await stack.enter_async_context(connect(address, subprotocols=protocol, compression=None, proxy=None))
    await socket.send('{"type":"connection_init"}')
    await socket.recv()
    payload = {"query": WATCH, "variables": {"id": job_id}}
    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
    return socket


async def messages_a_second(port: int, subscribers: int) -> float:
    """From the first event to the last message; prints how far apart an event's first and last message are."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=300) as client, AsyncExitStack() as stack:
        job_id = (await client.get("/begin")).text
        sockets = [await subscribed(stack, port, job_id) for _ in range(subscribers)]
        for socket in sockets:
            assert "JobSnapshot" in str(await socket.recv())
        seen: dict[int, list[float]] = {number: [] for number in range(EVENTS)}

        async def listen(socket: ClientConnection) -> None:
            for number in range(EVENTS):
                while "SegmentsAppended" not in str(await socket.recv()):
                    pass
                seen[number].append(time.perf_counter())

        listening = [asyncio.create_task(listen(socket)) for socket in sockets]
        start = time.perf_counter()
        await client.get("/append")
        await asyncio.gather(*listening)
        end = max(max(times) for times in seen.values())
        await client.get("/end")
    spreads = sorted(max(times) - min(times) for times in seen.values())
    print(f"    an event's first to its last message: median {spreads[EVENTS // 2] * 1000:.0f} ms")
    return subscribers * EVENTS / (end - start)


async def main() -> int:
    """1 when the limit is missed."""
    subscribers = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        await asyncio.to_thread(upgrade, url(home))
        await fill(home)
        for name in ("stock", "ours"):
            async with server(name, "real_servers") as port:
                best[name] = max([await messages_a_second(port, subscribers) for _ in range(2)])
    return 0 if report(f"jobEvents to {subscribers} subscribers, SQLite", best, 3) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
