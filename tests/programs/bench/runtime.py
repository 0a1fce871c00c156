"""The runtime's figures, on real parts: real processes, a real Valkey, databases that flush to the disk.

python -m tests.programs.bench.runtime [start] [throughput] [events] [cancel] [drain]

Absolute times of a shared machine say little: the load of the last minute is printed beside them.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from multiprocessing import Queue, get_context
from pathlib import Path
from typing import cast

import orjson
import uvloop
from websockets.frames import Frame, Opcode

from db import events, jobs, transcripts
from db.accounts import owners
from db.accounts.owners import LOCAL_OWNER
from db.domain.clock import now
from db.domain.values import JobState, Options, Stage
from db.events import StateChanged
from db.jobs import NewJob, admin, attempts
from db.migrate import upgrade
from db.models import Job
from db.store.session import Database
from tasks.system import logs
from tasks.wakeups import valkey
from tasks.wakeups.broker import Notifier, make_broker, make_client
from tests.factories import PLENTY, recording, sentence
from tests.fixtures.databases import Postgres
from tests.fixtures.workers import Crew
from tests.programs.chaos.world import TOKEN, a_folder

KINDS = ("sqlite", "postgres")
PRODUCT = {"JOBS_PER_OWNER": "1000"}
"""Leases and heartbeats as they are by default."""


def told(what: str, kind: str, values: Sequence[float], unit: str = "ms") -> None:
    """One line: median, 99th percentile, worst."""
    found = sorted(values)
    p99 = found[min(len(found) - 1, round(0.99 * len(found)))]
    figures = f"p50 {statistics.median(found):8.1f}  p99 {p99:8.1f}  worst {found[-1]:8.1f} {unit}"
    print(f"{what:30} {kind:9} {figures}  of {len(found)}  (load {os.getloadavg()[0]:.1f})", flush=True)


@asynccontextmanager
async def parts(kind: str, settings: dict[str, str] = PRODUCT) -> AsyncIterator[Crew]:
    """A database, a Valkey and a crew without workers."""
    with a_folder() as folder, valkey.lock(folder / "redis"):
        server, postgres = valkey.start(folder / "redis"), None
        try:
            url, postgres = await asyncio.to_thread(database, kind, folder)
            crew = Crew(folder, url, valkey.url(folder / "redis"), settings)
            try:
                yield crew
            finally:
                await crew.close()
        finally:
            valkey.stop(server)
            if postgres:
                postgres.stop()


def database(kind: str, folder: Path) -> tuple[str, Postgres | None]:
    """The address of an empty database that flushes each commit."""
    if kind == "sqlite":
        url = f"sqlite+aiosqlite:///{folder}/bench.db"
        upgrade(url)
        return url, None
    (folder / "pg").mkdir()
    (folder / "pg").chmod(0o711)
    server = Postgres(folder / "pg", durable=True, fsync=True)
    return server.url(server.create()), server


async def start(kind: str) -> None:
    """From the answer to `createJob` until a worker that had nothing to do has claimed the job."""
    async with parts(kind) as crew:
        await crew.start()
        waits = []
        for _ in range(60):
            job = await crew.submit()
            answered = now()
            await crew.ends(job)
            claims = [
                event.at
                for event in await crew.events(job)
                if isinstance(event.body, StateChanged) and event.body.after is JobState.RUNNING
            ]
            waits.append(float(claims[0] - answered))
        told("submit to start, idle", kind, waits)


# ---------------------------------------------------------------- throughput


def _work(what: str, url: str, media_ids: list[str], count: int) -> None:
    logs.configure("bench", logging.WARNING)  # lines are made as in the product, and not shown
    asyncio.run(_work_through(what, url, media_ids, count))


async def _work_through(what: str, url: str, media_ids: list[str], count: int) -> None:
    db = Database(url)
    left = iter(range(count))

    async def submit() -> None:
        for number in left:
            owner = number % len(media_ids)
            new = NewJob(media_id=media_ids[owner], options=Options(model="base"), correlation_id="c")
            await jobs.create(db, f"usr_{owner}", new, PLENTY)

    async def claim() -> None:
        for _ in left:
            while True:
                if await attempts.claim(db, worker="w", per_owner=1 << 30):
                    break
                await asyncio.sleep(0.005)  # nothing there yet: a worker would wait for its bell

    lanes = 1 if db.is_sqlite else 2
    await asyncio.gather(*({"submit": submit, "claim": claim}[what]() for _ in range(lanes)))
    await db.close()


async def throughput(kind: str, count: int = 1000) -> None:
    """Jobs a second from the first submit to the last claim; submitted by one process, claimed by another."""
    async with parts(kind) as crew:
        media_ids = []
        for number in range(4):
            async with crew.db.write() as session:
                await owners.ensure(session, f"usr_{number}")
            media_ids.append((await recording(crew.db, f"usr_{number}")).id)
        context = get_context("spawn")
        processes = [
            context.Process(target=_work, args=(what, crew.db.url, media_ids, count)) for what in ("submit", "claim")
        ]
        for process in processes:
            process.start()
        for process in processes:
            await asyncio.to_thread(process.join)
        async with crew.db.read() as session:
            told_events = [e for n in range(4) for e in await events.after(session, f"usr_{n}", 0, limit=1 << 20)]
        first, last = min(e.at for e in told_events), max(e.at for e in told_events)
        rate = count / (last - first) * 1000
        print(
            f"{'durable submit to claim':30} {kind:9} {rate:8.0f} jobs/s  (load {os.getloadavg()[0]:.1f})", flush=True
        )


# ---------------------------------------------------------------- events

WATCH = """subscription Watch($id: ID!) { jobEvents(jobId: $id) {
  __typename cursor ... on SegmentsAppended { segments { index text } } } }"""


def _append(url: str, redis_url: str, rate: int, count: int, told: "Queue[list[float]]") -> None:
    asyncio.run(_append_all(url, redis_url, rate, count, told))


async def _append_all(url: str, redis_url: str, rate: int, count: int, told: "Queue[list[float]]") -> None:
    """A worker that stores a segment at a time; tells when each was about to be committed."""
    bell = Notifier(make_broker(redis_url), make_client(redis_url))
    db = Database(url, bell)
    claimed = await attempts.claim(db, worker="w", per_owner=1, lease_ms=10**6)
    assert claimed
    sent = []
    began = time.perf_counter()
    for number in range(count):
        async with db.write() as session:
            await transcripts.append(session, claimed[1], [sentence(f"{number:08d}", number, "one", "two")], windows=1)
            sent.append(time.perf_counter())  # a clock that all processes share
        await asyncio.sleep(max(0.0, began + (number + 1) / rate - time.perf_counter()))
    told.put(sent)
    await bell.close()
    await db.close()


class _Subscriber(asyncio.Protocol):
    """A WebSocket that only notes when which segment came: a client's library would take the server's core as well."""

    def __init__(self, job_id: str, ready: asyncio.Semaphore) -> None:
        self.heard: dict[int, float] = {}
        self.over = asyncio.get_running_loop().create_future()
        self._ready = ready
        self._said = b""
        payload = {"query": WATCH, "variables": {"id": job_id}}
        self._orders = [
            {"type": "connection_init", "payload": {"authorization": f"Bearer {TOKEN}"}},
            {"id": "1", "type": "subscribe", "payload": payload},
        ]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(
            b"GET /graphql HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Too early, unless all was heard."""
        if not self.over.done():
            self.over.set_exception(exc or ConnectionResetError(self._said.decode(errors="replace")))

    def data_received(self, data: bytes) -> None:
        """Frames, or pieces of them."""
        at, self._said = time.perf_counter(), self._said + data
        if self._orders and b"\r\n\r\n" in self._said:
            self._said = b""
            for order in self._orders:
                frame = Frame(Opcode.TEXT, json.dumps(order).encode())
                self._transport.write(frame.serialize(mask=True))
            self._orders = []
        while len(self._said) > 3 and not self._orders:
            size, start = self._said[1], 2
            if size == 126:
                size, start = int.from_bytes(self._said[2:4]), 4
            if len(self._said) < start + size:
                break
            message, self._said = self._said[start : start + size], self._said[start + size :]
            self._hear(message, at)

    def _hear(self, message: bytes, at: float) -> None:
        if b'"text":"one two"' in message:
            found = orjson.loads(message)["payload"]["data"]["jobEvents"]["segments"]
            self.heard |= {segment["index"]: at for segment in found}
        elif b'"JobSnapshot"' in message:
            self._ready.release()
        elif b'"type":"error"' in message:
            self.over.set_exception(RuntimeError(message.decode()))
        elif b'"JobStateChanged"' in message and self.heard:
            self.over.set_result(None)
            self._transport.close()


async def subscribers(kind: str, listeners: int = 500, rate: int = 20, seconds: float = 10.0) -> None:
    """From before the commit of an event in one process to each of 500 readers' sockets on one web process."""
    async with parts(kind) as crew:
        redis_url = crew.environment["GRAPHOPHONE_REDIS_URL"]
        async with crew.db.write() as session:
            await owners.ensure(session, LOCAL_OWNER)
        job = await crew.submit(owner=LOCAL_OWNER)
        with web(crew) as port:
            ready = asyncio.Semaphore(0)
            loop = asyncio.get_running_loop()
            readers = []
            for _ in range(listeners):
                _, reader = await loop.create_connection(partial(_Subscriber, job.id, ready), "127.0.0.1", port)
                readers.append(reader)
            async with asyncio.timeout(120):
                for _ in range(listeners):
                    await ready.acquire()
            context = get_context("spawn")
            told_by: Queue[list[float]] = context.Queue()
            arguments = (crew.db.url, redis_url, rate, round(rate * seconds), told_by)
            producer = context.Process(target=_append, args=arguments)
            producer.start()
            sent = await asyncio.to_thread(told_by.get)
            await asyncio.to_thread(producer.join)
            await asyncio.sleep(1.0)
            async with crew.db.write() as session:
                await admin.cancel(session, job.id)
            async with asyncio.timeout(60):
                await asyncio.gather(*(reader.over for reader in readers))
        waits = [(at - sent[number]) * 1000 for reader in readers for number, at in reader.heard.items()]
        told(f"event to {listeners} subscribers", kind, waits)
        print(f"{'':30} {kind:9} {listeners * len(sent) - len(waits)} gaps", flush=True)


@contextmanager
def web(crew: Crew) -> Iterator[int]:
    """A web process; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = {"GRAPHOPHONE_PORT": str(port), "GRAPHOPHONE_TOKEN": TOKEN}
    command = [sys.executable, "-m", "api", "serve"]
    with (crew.home.parent / "web.log").open("wb") as log:
        process = subprocess.Popen(command, env=crew.environment | settings, stdout=log, stderr=log)
    try:
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


# ---------------------------------------------------------------- stopping


async def cancel(kind: str) -> None:
    """From the answer to `cancelJob` until the job is CANCELED: at a boundary, and in C code that hangs."""
    async with parts(kind) as crew:
        await crew.start()
        for what, prompt, count in (("boundary", "pace:transcribe:0.2", 20), ("hung", "hang:transcribe", 6)):
            waits = []
            for _ in range(count):
                job = await crew.submit(prompt, seconds=540.0)
                await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
                await crew.cancel(job)
                asked = time.perf_counter()
                await crew.ends(job)
                waits.append((time.perf_counter() - asked) * 1000)
            told(f"cancel, {what}", kind, waits)


async def drain(kind: str) -> None:
    """From SIGTERM until the process is gone, in the middle of a window."""
    async with parts(kind) as crew:
        waits, charged = [], 0
        for prompt in ("pace:transcribe:0.5", "hang:transcribe"):
            worker = await crew.start()
            job = await crew.submit(prompt, seconds=540.0)
            await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
            worker.signal(signal.SIGTERM)
            asked = time.perf_counter()
            await asyncio.to_thread(worker.process.wait, 60)
            waits.append((time.perf_counter() - asked) * 1000)
            left: Job = await crew.job(job)
            charged += left.attempt + left.crashes
            await crew.cancel(left)
        told("drain", kind, waits)
        print(f"{'':30} {kind:9} {charged} attempts charged", flush=True)


BENCHES: dict[str, Callable[[str], Awaitable[None]]] = {
    "start": start,
    "throughput": throughput,
    "events": subscribers,
    "cancel": cancel,
    "drain": drain,
}


async def main() -> None:
    """The command."""
    for name in sys.argv[1:] or BENCHES:
        for kind in KINDS:
            await BENCHES[name](kind)


if __name__ == "__main__":
    uvloop.run(main())
