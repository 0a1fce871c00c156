"""The heartbeat: while work is done, its lease is renewed, and the work is stopped when it is to leave off."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from enum import StrEnum
from typing import Any, Protocol

import structlog

from db.queue import leases
from db.queue.leases import Lease
from db.store.session import DatabaseDown
from tasks.runtime.context import Runtime

_log = structlog.get_logger(__name__)

_PRESSING = 0.25
"""Seconds between two looks at work that was asked to leave off."""


class StopReason(StrEnum):
    """The reason why work is to leave off before it is done."""

    CANCEL = "CANCEL"  # its owner no longer wants it
    DRAIN = "DRAIN"  # the worker is going down
    STUCK = "STUCK"  # nothing was heard of it for longer than its budget


class WorkDropped(Exception):
    """The work left off before it was done."""


class Supervised(Protocol):
    """Work whose lease is kept."""

    def budget(self) -> float:
        """Return how many seconds may pass from one sign of life to the next."""

    def position(self) -> dict[str, Any]:
        """Return the columns that are written with each heartbeat."""

    async def press(self, reason: StopReason, waited: float) -> bool:
        """Make the work leave off by itself; called again and again, `waited` seconds after the reason came up. True
        when it is to be dropped where it is.
        """


class LeaseKeeper:
    """Keeps the lease of one piece of work and decides when it is to leave off; `reason` tells why it had to."""

    def __init__(self, runtime: Runtime, lease: Lease, work: Supervised) -> None:
        self.reason: StopReason | None = None
        self._runtime = runtime
        self._lease = lease
        self._work = work
        self._heard_at = time.monotonic()
        self._stopped_at = 0.0

    def note_life(self) -> None:
        """Note a sign of life."""
        self._heard_at = time.monotonic()

    async def over(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work and keep its lease. Raises LeaseLost when the lease is gone, and WorkDropped when the work had to
        be dropped for another reason; either way it no longer runs.
        """
        working, keeping = asyncio.create_task(work), asyncio.create_task(self._keep())
        try:
            await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, keeping):
                task.cancel()
            await asyncio.wait({working, keeping})
        dropped = None if keeping.cancelled() else keeping.exception()
        if working.cancelled() and dropped:
            raise dropped
        return working.result()

    async def _keep(self) -> None:
        """Renew the lease until it is lost or the work is to be dropped; ends with the reason, raised."""
        while True:
            await self._pause()
            try:
                canceled = await self._renew()
            except DatabaseDown as error:
                _log.warning("heartbeat.database_down", error=str(error))
                await asyncio.sleep(_PRESSING)  # who woke us is heard at once, but not in a busy loop
                canceled = False
            self._look_for_a_reason(canceled=canceled)
            if self.reason is not None and await self._work.press(self.reason, time.monotonic() - self._stopped_at):
                raise WorkDropped(self.reason)

    async def _pause(self) -> None:
        """Wait until the next heartbeat, until the budget is spent, or until somebody wakes the worker."""
        seconds = self._runtime.settings.heartbeat_seconds
        if self.reason is not None:
            await asyncio.sleep(min(_PRESSING, seconds))
            return
        left = self._heard_at + self._work.budget() - time.monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._runtime.wakeup.wait(), max(0.01, min(seconds, left)))
        self._runtime.wakeup.clear()

    async def _renew(self) -> bool:
        async with self._runtime.db.write() as session:
            return await leases.renew(session, self._lease, **self._work.position())

    def _look_for_a_reason(self, *, canceled: bool) -> None:
        """Decide whether the work is to leave off; an owner's reason is stronger than a worker's."""
        reason = self.reason
        if canceled:
            reason = StopReason.CANCEL
        elif reason is None and self._runtime.draining.is_set():
            reason = StopReason.DRAIN
        elif reason is None and time.monotonic() - self._heard_at > self._work.budget():
            reason = StopReason.STUCK
        if reason is not self.reason:
            self.reason, self._stopped_at = reason, time.monotonic()
