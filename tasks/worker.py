"""A worker process: hears the notifier, claims, works; sweeps up what others left; drains when asked to stop."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import dramatiq
import structlog
from dramatiq.asyncio import async_to_sync
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import RedisError

from db import events, retention
from db import exports as export_rows
from db.domain.clock import now
from db.jobs import attempts
from db.models import Cleanup, Job
from db.queue import background, leases, workers
from db.settings import StoreSettings
from db.store.blobs import Blobs
from db.store.session import Database, DatabaseDown
from tasks.exports import EXPORTS
from tasks.runtime import transcription
from tasks.runtime.cleanups import CLEANUPS
from tasks.runtime.context import Runtime, worker_name
from tasks.runtime.io import run_next
from tasks.runtime.scratch import Scratch
from tasks.settings import WorkerSettings
from tasks.speech.process import EngineLost, EngineProcess, EngineUnable
from tasks.system import logs
from tasks.wakeups.broker import (
    CANCEL_CHANNEL,
    QUEUES,
    Kind,
    Notifier,
    actor_name,
    make_broker,
    make_client,
    silent,
    wake,
)
from tasks.wakeups.live import Live, listen

BEAT_SECONDS = 10.0
"""How often a worker tells that it is up."""

DAY_MS = 24 * 3_600_000

FORGET_SECONDS = 60.0
"""How often the io worker looks for what is kept for a time only."""

_RUN_NEXT: dict[Kind, Callable[[Runtime], Awaitable[bool]]] = {
    "speech": transcription.run_next,
    "io": partial(run_next, (EXPORTS, CLEANUPS)),  # a person waits for an export
}
_TABLES = {"job": Job} | {topic: table for table, topic in background.TOPICS.items()}
_log = structlog.get_logger(__name__)


def main(kind: Kind) -> None:
    """Runs until SIGTERM or SIGINT; the work in hand is handed back."""
    logs.configure(f"worker-{kind}")
    settings, store = WorkerSettings(), StoreSettings()
    redis_url = settings.resolved_redis_url(store)
    stop = threading.Event()
    broker = make_broker(redis_url)
    office = _Office(kind, broker, redis_url, settings, store)
    _on_signals(lambda: office.force_stop() if stop.is_set() else stop.set())
    threads = 1 if kind == "speech" else settings.io_threads
    worker = dramatiq.Worker(broker, queues={kind}, worker_threads=threads, worker_timeout=100)
    worker.queue_prefetch = threads  # a busy worker must not hold back a wake-up that an idle one could hear
    worker.start()
    try:
        _open(office)
        _log.info("worker.ready", threads=threads)
        stop.wait()
        _log.info("worker.draining")
        for consumer in worker.consumers.values():
            consumer.pause()
        async_to_sync(office.close)()
    finally:
        worker.stop(timeout=1000)
    _log.info("worker.stopped")


def _on_signals(react: Callable[[], None]) -> None:
    """Calls this in a thread of its own for each SIGTERM and SIGINT.

    Python's handlers run in the main thread, when it gets there: it does not while it waits for a lock and the kernel
    has woken another thread for the signal.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def listen() -> None:
        while os.read(heard, 1):
            react()

    threading.Thread(target=listen, name="signals", daemon=True).start()


def _open(office: "_Office") -> None:
    try:
        async_to_sync(office.open)()
    except EngineUnable as unable:
        problem = unable.problem
        _log.error("worker.no_engine", code=problem.code, message=problem.message, remedy=problem.remedy)
        async_to_sync(office.tell)()  # `capabilities` says so for a while
        async_to_sync(office.close)()
        sys.exit(1 if problem.retryable else os.EX_CONFIG)
    except EngineLost as lost:
        _log.error("worker.no_engine", status=lost.status)
        async_to_sync(office.close)()
        sys.exit(1)


class _Office:
    """What lives in the worker's event loop: the runtime, the actor and the sweeper."""

    def __init__(
        self, kind: Kind, broker: RedisBroker, redis_url: str, settings: WorkerSettings, store: StoreSettings
    ) -> None:
        self._kind, self._broker, self._redis_url = kind, broker, redis_url
        self._settings, self._store = settings, store
        self._opened = asyncio.Event()
        self._idle = asyncio.Condition()
        self._busy = 0
        self._telling = asyncio.Lock()  # one beat at a time replaces the one before
        dramatiq.actor(broker=broker, queue_name=kind, actor_name=actor_name(kind))(self._woken)

    async def open(self) -> None:
        """Connects, starts the engine and the sweeper."""
        self._loop = asyncio.get_running_loop()
        client = make_client(self._redis_url)
        self._notifier = Notifier(self._broker, client)
        self._runtime = Runtime(
            db=Database(self._store.resolved_database_url, self._notifier),
            blobs=Blobs(self._store),
            live=Live(client),
            broker=self._broker,
            engine=EngineProcess(
                self._settings.engine,
                self._settings.model,
                preload=self._settings.preload,
                idle_seconds=self._settings.unload_seconds,
            ),
            settings=self._settings,
            scratch=Scratch(self._store.home),
            worker=worker_name(self._kind),
        )
        wakeup = self._runtime.wakeup.set
        self._helpers = [
            asyncio.create_task(self._sweep()),
            asyncio.create_task(self._beat()),
            asyncio.create_task(listen(client, [CANCEL_CHANNEL], lambda *_: wakeup(), wakeup)),
        ]
        if self._kind == "speech":
            await self._runtime.engine.start()
        self._opened.set()

    async def _beat(self) -> None:
        """Tells that this worker is up and what it can do."""
        while True:
            self._runtime.engine.changed.clear()
            await self.tell()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._runtime.engine.changed.wait(), BEAT_SECONDS)

    async def tell(self) -> None:
        """Tells it once."""
        try:
            async with self._telling, self._runtime.db.write() as session:
                await workers.beat(session, self._runtime.worker, self._kind, self._runtime.engine.facts)
        except DatabaseDown as error:
            _log.warning("beat.failed", error=str(error))

    def force_stop(self) -> None:
        """Asked a second time to stop: whatever is at hand is handed back at once."""
        if self._opened.is_set():
            for event in (self._runtime.force_stop, self._runtime.wakeup):
                self._loop.call_soon_threadsafe(event.set)

    async def close(self) -> None:
        """Hands back the work in hand, then lets go of everything."""
        self._runtime.draining.set()
        self._opened.set()  # for those who wait for what never came about
        self._runtime.wakeup.set()
        async with self._idle:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait_for(lambda: self._busy == 0), self._settings.drain_limit)
        for helper in self._helpers:
            helper.cancel()
        await asyncio.wait(self._helpers)
        if not self._runtime.engine.facts.problems:  # why it could not work is left to be read
            with suppress(DatabaseDown):
                async with self._runtime.db.write() as session:
                    await workers.gone(session, self._runtime.worker)
        await self._runtime.engine.end()
        await self._notifier.close()
        await self._runtime.db.close()
        await asyncio.to_thread(self._runtime.scratch.close)

    async def _woken(self) -> None:
        """The actor: works until nothing may run."""
        await self._opened.wait()
        self._busy += 1
        try:
            while not self._runtime.draining.is_set() and await _RUN_NEXT[self._kind](self._runtime):
                pass
        except DatabaseDown as error:
            _log.warning("worker.database_down", error=str(error), remedy="the sweeper rings again")
        finally:
            async with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    async def _sweep(self) -> None:
        """Takes back what silent workers held and rings for what waits unheard. Every worker does it; none must."""
        forgotten = -FORGET_SECONDS
        while True:
            steps = [self._rescue, self._ring_again]
            if self._kind == "io" and self._loop.time() - forgotten >= FORGET_SECONDS:
                steps, forgotten = [*steps, self._forget], self._loop.time()
            for step in steps:
                try:
                    await step()
                except (DatabaseDown, RedisError) as error:
                    _log.warning("sweep.failed", error=str(error))
                except Exception:  # noqa: BLE001  nobody would rescue any more
                    _log.exception("sweep.fault")
            await asyncio.sleep(self._settings.sweep_seconds)

    async def _rescue(self) -> None:
        async with self._runtime.db.write() as session:
            await attempts.rescue(session)
            await export_rows.rescue(session)
            await background.rescue(session, Cleanup)

    async def _ring_again(self) -> None:
        async with self._runtime.db.read() as session:
            unheard = {QUEUES[topic] for topic, table in _TABLES.items() if await leases.waiting(session, table)}
        for kind in unheard:
            await asyncio.to_thread(self._ring, kind)

    async def _forget(self) -> None:
        before, some = now() - round(self._settings.keep_events_days * DAY_MS), True
        while some:
            async with self._runtime.db.write() as session:
                files = await retention.expire(session)
                some = bool(files + await events.forget(session, before=before))

    def _ring(self, kind: Kind) -> None:
        if silent(self._broker, kind):
            wake(self._broker, kind)
