"""The worker's service: what lives in a worker's event loop, from its start to its end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import structlog
from dramatiq.brokers.redis import RedisBroker

from db.accounts.keys import Seals, signing_keys
from db.domain.values import Queue
from db.queue import workers
from db.settings import StoreSettings
from db.store.blobs import Blobs
from db.store.session import Database, DatabaseDown
from db.webhooks.secrets import PURPOSE
from tasks.runtime.context import Runtime, worker_name
from tasks.runtime.handlers import Handler, attempt, claim_next
from tasks.runtime.scratch import Scratch
from tasks.runtime.sweeper import Sweeper
from tasks.settings import WorkerSettings
from tasks.speech.process import EngineProcess
from tasks.system.loops import keep_going
from tasks.system.outbound.client import OutboundClient
from tasks.system.outbound.destination import Destinations
from tasks.telemetry import metrics, status
from tasks.telemetry.saturation import Saturation
from tasks.wakeups.broker import CANCEL_CHANNEL, Notifier, make_client
from tasks.wakeups.live import Live, listen

LIGHT_SLOTS = 32
"""Pieces of light work at once, beside the slots of the worker."""

BEAT_SECONDS = 10.0
"""The seconds between two reports that a worker is up."""

_log = structlog.get_logger(__name__)


class WorkerService:
    """Does the work of one queue, at most `slots` pieces at once, whoever asks for it: a wake-up or the sweeper."""

    def __init__(self, queue: Queue, handlers: Sequence[Handler[Any]], slots: int, settings: WorkerSettings) -> None:
        self._queue = queue
        self._all = handlers
        self._handlers = [handler for handler in handlers if handler.queue == queue and not handler.light]
        self._light = [handler for handler in handlers if handler.queue == queue and handler.light]
        self._slots = asyncio.Semaphore(slots)
        self._light_slots = asyncio.Semaphore(LIGHT_SLOTS)
        self._settings = settings
        self._opened = asyncio.Event()
        self._idle = asyncio.Condition()
        self._busy = 0
        self._own: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._telling = asyncio.Lock()  # one beat at a time replaces the one before

    async def open(self, broker: RedisBroker, redis_url: str, store: StoreSettings) -> None:
        """Connect, start the engine and the sweeper."""
        self._loop = asyncio.get_running_loop()
        client = make_client(redis_url)
        self._notifier = Notifier(broker, client)
        self._runtime = Runtime(
            db=Database(store.resolved_database_url, self._notifier),
            blobs=Blobs(store),
            live=Live(client),
            broker=broker,
            engine=EngineProcess(
                self._settings.engine,
                self._settings.model,
                preload=self._settings.preload,
                idle_seconds=self._settings.unload_seconds,
            ),
            settings=self._settings,
            scratch=Scratch(store.home),
            seals=Seals(signing_keys(store), PURPOSE),
            outbound=OutboundClient(Destinations.parse(self._settings.outgoing_networks)),
            worker=worker_name(self._queue),
        )
        saturation = Saturation(self._runtime.db, f"worker-{self._queue}")
        measured = metrics.configure(f"worker-{self._queue}", saturation.values)
        sweeper = Sweeper(self._runtime, self._queue, self._all, self.work_unasked)
        look = self._runtime.wakeup.set
        for name, loop in (
            ("sweep", sweeper.run),
            ("beat", self._beat),
            ("listen", lambda: listen(client, [CANCEL_CHANNEL], lambda *_: look(), look)),
        ):
            self._loops.append(asyncio.create_task(keep_going(name, loop)))
        if measured:
            self._loops.append(asyncio.create_task(keep_going("metrics", saturation.run)))
        if self._settings.status_port:
            port = self._settings.status_port + (self._queue == "io")
            serve = partial(status.serve, self._settings.status_host, port, self._away)
            self._loops.append(asyncio.create_task(keep_going("status", serve)))
        if self._queue == "speech":
            await self._runtime.engine.start()
        self._opened.set()

    async def work(self) -> None:
        """Work until nothing may run; while all slots are taken, wait for one, so that others hear the next wake-up."""
        await self._opened.wait()
        self._begin_light()
        async with self._slots, self._busy_one():
            while not self._runtime.draining.is_set() and (claimed := await claim_next(self._handlers, self._runtime)):
                await attempt(self._runtime, claimed)

    def work_unasked(self) -> bool:
        """Begin to work in a slot that is free; tell whether there was one."""
        if not self._opened.is_set() or self._runtime.draining.is_set():
            return False
        self._begin_light()
        if self._slots.locked():
            return False
        self._spawn(self.work())
        return True

    def _begin_light(self) -> None:
        if self._light and not self._light_slots.locked():
            self._spawn(self._work_light())

    async def _work_light(self) -> None:
        """Work until nothing light may run; each time that something may, another looks whether there is more."""
        async with self._light_slots, self._busy_one():
            while not self._runtime.draining.is_set() and (claimed := await claim_next(self._light, self._runtime)):
                self._begin_light()
                await attempt(self._runtime, claimed)

    @asynccontextmanager
    async def _busy_one(self) -> AsyncIterator[None]:
        """Count a block as work in hand; the database's outages end it."""
        self._busy += 1
        try:
            yield
        except DatabaseDown as error:
            _log.warning("worker.database_down", error=str(error), remedy="the sweeper looks again")
        finally:
            self._busy -= 1
            async with self._idle:
                self._idle.notify_all()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._own.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._own.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("worker.fault", exc_info=error)

    async def _away(self) -> dict[str, str]:
        """Return what this worker cannot reach, with the reason."""
        away = {problem.code.lower(): problem.message for problem in self._runtime.engine.facts.problems}
        try:
            async with self._runtime.db.read() as session:
                await workers.online(session)
        except DatabaseDown as error:
            away["database"] = str(error)
        return away

    async def _beat(self) -> None:
        """Tell that this worker is up and what it can do."""
        while True:
            self._runtime.engine.changed.clear()
            await self.tell()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._runtime.engine.changed.wait(), BEAT_SECONDS)

    async def tell(self) -> None:
        """Tell it once."""
        try:
            async with self._telling, self._runtime.db.write() as session:
                await workers.beat(session, self._runtime.worker, self._queue, self._runtime.engine.facts)
        except DatabaseDown as error:
            _log.warning("beat.database_down", error=str(error))

    def force_stop(self) -> None:
        """Hand back at once whatever is at hand: somebody asked a second time to stop. Safe in any thread."""
        if self._opened.is_set():
            for event in (self._runtime.force_stop, self._runtime.wakeup):
                self._loop.call_soon_threadsafe(event.set)

    async def close(self) -> None:
        """Hand back the work in hand, then let go of everything."""
        self._runtime.draining.set()
        self._opened.set()  # for those who wait for what never came about
        self._runtime.wakeup.set()
        async with self._idle:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait_for(lambda: self._busy == 0), self._settings.drain_limit)
        for loop in self._loops:
            loop.cancel()
        await asyncio.wait(self._loops)
        if not self._runtime.engine.facts.problems:  # why it could not work is left to be read
            with suppress(DatabaseDown):
                async with self._runtime.db.write() as session:
                    await workers.gone(session, self._runtime.worker)
        await self._runtime.engine.end()
        await self._runtime.outbound.close()
        await self._notifier.close()
        await self._runtime.db.close()
        await asyncio.to_thread(self._runtime.scratch.close)
