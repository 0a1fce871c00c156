"""What goes on while the engine works: the lease is renewed, and the engine is stopped when it is to leave off."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import StrEnum
from typing import Any

import structlog

from db.domain.errors import LeaseLost
from db.domain.values import Stage
from db.queue import leases
from db.queue.leases import Lease
from db.store.session import DatabaseDown
from tasks.runtime.context import Runtime
from tasks.settings import STOP_GRACE
from tasks.speech.process import EngineLost

_log = structlog.get_logger(__name__)

_PRESSING = 0.25
"""Seconds between two looks at an engine that was asked to leave off."""


class StopReason(StrEnum):
    """Why the engine is to leave off."""

    CANCEL = "CANCEL"  # the client no longer wants the job
    DRAIN = "DRAIN"  # the worker is going down
    STUCK = "STUCK"  # nothing was heard for longer than the stage may take


class LeaseKeeper:
    """Work under watch; `wish` tells why its engine was stopped."""

    def __init__(self, runtime: Runtime, lease: Lease, position: Callable[[], dict[str, Any]]) -> None:
        self.wish: StopReason | None = None
        self._runtime = runtime
        self._lease = lease
        self._position = position
        self._stage: Stage | None = None
        self._heard_at = time.monotonic()
        self._wished_at = 0.0
        self._asked = 0  # how firmly: 1 at the end of the window, 2 at the next boundary

    def heard(self, stage: Stage | None = None) -> None:
        """The engine gave a sign of life, in this stage if that is known."""
        self._heard_at, self._stage = time.monotonic(), stage or self._stage

    async def over(self, work: Coroutine[Any, Any, None]) -> None:
        """Does the work and keeps its lease; raises LeaseLost, and drops the work, when the lease is gone."""
        working, keeping = asyncio.create_task(work), asyncio.create_task(self._keep())
        try:
            await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, keeping):
                task.cancel()
            await asyncio.wait({working, keeping})
        if not working.cancelled():
            return working.result()
        keeping.result()  # what went wrong, if that was the reason
        raise LeaseLost("the lease ended during the work")

    async def _keep(self) -> None:
        """Renews the lease until it is lost."""
        while True:
            await self._pause()
            try:
                canceled = await self._renew()
            except LeaseLost:
                return
            except DatabaseDown as error:
                _log.warning("watch.database_down", error=str(error))
                await asyncio.sleep(_PRESSING)  # whoever rang is heard at once, but not in a busy loop
                continue
            self._wonder(canceled=canceled)
            if self.wish is not None:
                await self._press(self.wish)

    async def _pause(self) -> None:
        """Until the next heartbeat, or until somebody rings."""
        seconds = self._runtime.settings.heartbeat_seconds
        if self.wish is not None:
            await asyncio.sleep(min(_PRESSING, seconds))
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._runtime.wakeup.wait(), seconds)
        self._runtime.wakeup.clear()

    async def _renew(self) -> bool:
        async with self._runtime.db.write() as session:
            return await leases.renew(session, self._lease, **self._position())

    def _wonder(self, *, canceled: bool) -> None:
        """Whether the engine is to leave off; a client's wish is stronger than a worker's."""
        wish = self.wish
        if canceled:
            wish = StopReason.CANCEL
        elif wish is None and self._runtime.draining.is_set():
            wish = StopReason.DRAIN
        elif wish is None and time.monotonic() - self._heard_at > self._runtime.settings.budget(self._stage):
            wish = StopReason.STUCK
        if wish is not self.wish:
            self.wish, self._wished_at = wish, time.monotonic()

    async def _press(self, wish: StopReason) -> None:
        """Asks the engine to leave off, the more firmly the longer it takes; who follows it records what came of it."""
        engine, waited = self._runtime.engine, time.monotonic() - self._wished_at
        patience = self._runtime.settings.drain_seconds if wish is StopReason.DRAIN else 0.0
        if wish is StopReason.STUCK or self._runtime.force_stop.is_set() or waited > patience + STOP_GRACE:
            await engine.end()
            return
        firmly = 2 if waited >= patience else 1
        if firmly > self._asked:
            self._asked = firmly
            with suppress(EngineLost):
                await engine.stop(patient=firmly == 1)
