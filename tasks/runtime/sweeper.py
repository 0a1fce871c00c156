"""The sweeper: takes back what silent workers held, and sees to what waits unheard. Every worker has one; none must.

A wake-up can be lost, and so can whoever hears it: Valkey may be away, a message may block the queue. So a worker with
time to spare that sees the same kind of work wait at two sweeps in a row does it without being asked.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from redis.exceptions import RedisError

from db import events, retention
from db.domain.clock import now
from db.domain.values import Queue
from db.queue import leases
from db.store.session import DatabaseDown
from db.webhooks import deliveries
from tasks.runtime import leftovers
from tasks.runtime.context import Runtime
from tasks.runtime.handlers import Handler
from tasks.wakeups.broker import is_silent, wake

DAY_MS = 24 * 3_600_000

FORGET_SECONDS = 60.0
"""The seconds between two looks of an io worker for what is kept for a time only."""

LEFTOVER_SECONDS = 6 * 3600.0
"""The seconds between two looks of an io worker through the whole store."""

_log = structlog.get_logger(__name__)


class Sweeper:
    """Looks at the tables once in `sweep_seconds`. `work` makes this worker begin to work, and tells if it had time
    to spare.
    """

    def __init__(
        self, runtime: Runtime, queue: Queue, handlers: Sequence[Handler[Any]], work: Callable[[], bool]
    ) -> None:
        self._runtime = runtime
        self._queue = queue
        self._handlers = handlers
        self._work = work
        self._sweeps_unheard = 0
        self._forgotten_at = self._swept_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Sweep until cancelled."""
        try:
            await self._run()
        finally:
            if self._looking is not None:
                self._looking.cancel()

    async def _run(self) -> None:
        while True:
            for step in (self._sweep, self._forget, self._look_for_leftovers):
                try:
                    await step()
                except DatabaseDown as error:
                    _log.warning("sweep.database_down", error=str(error))
                except Exception:  # noqa: BLE001  nobody would rescue any more
                    _log.exception("sweep.fault")
            await asyncio.sleep(self._runtime.settings.sweep_seconds)

    async def _sweep(self) -> None:
        async with self._runtime.db.read() as session:
            found = [(handler, await leases.overdue(session, handler.table)) for handler in self._handlers]
        for handler, overdue in found:
            if overdue.lost:
                await self._rescue(handler)
        waiting = {handler.queue for handler, overdue in found if overdue.waiting}
        self._sweeps_unheard = self._sweeps_unheard + 1 if self._queue in waiting else 0
        if self._sweeps_unheard > 1 and self._work() and self._sweeps_unheard == 2:  # said once
            _log.warning("sweep.unheard", queue=self._queue, remedy="done without a wake-up; look at Valkey")
        for queue in waiting:
            await asyncio.to_thread(self._notify, queue)

    async def _rescue(self, handler: Handler[Any]) -> None:
        async with self._runtime.db.write() as session:
            count = await handler.take_back(session)
        if count:
            _log.warning(f"{handler.topic}.rescued", count=count)

    def _notify(self, queue: Queue) -> None:
        try:
            if is_silent(self._runtime.broker, queue):
                wake(self._runtime.broker, queue)
        except (RedisError, OSError) as error:
            _log.warning("sweep.no_broker", error=str(error))

    async def _forget(self) -> None:
        if self._queue != "io" or time.monotonic() - self._forgotten_at < FORGET_SECONDS:
            return
        self._forgotten_at = time.monotonic()
        before, some = now() - round(self._runtime.settings.keep_events_days * DAY_MS), True
        while some:
            async with self._runtime.db.write() as session:
                files = await retention.expire(session)
                rows = await events.forget(session, before=before) + await deliveries.forget(session, before=before)
                some = bool(files + rows)

    async def _look_for_leftovers(self) -> None:
        """Begin to look, beside everything else: a large store is listed for minutes."""
        if self._queue != "io" or time.monotonic() - self._swept_at < LEFTOVER_SECONDS:
            return
        self._swept_at = time.monotonic()
        self._looking = asyncio.create_task(self._leftovers())

    async def _leftovers(self) -> None:
        try:
            await leftovers.sweep(self._runtime.db, self._runtime.blobs)
        except Exception as error:  # noqa: BLE001  the store is away: another time
            _log.warning("store.not_swept", error=str(error))
