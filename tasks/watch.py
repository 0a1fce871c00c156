"""What goes on while the engine works: the lease is renewed, and the engine is stopped when it is to leave off."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

import structlog

from db import leases
from db.errors import LeaseLost
from db.leases import Lease
from db.session import DATABASE_DOWN
from tasks.engine import EngineLost
from tasks.runtime import Runtime

_log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 1.0
"""How often the lease is renewed and the client's wish to cancel is read."""

STOP_GRACE = 2.0
"""Seconds until an engine that does not leave off by itself is ended."""


class Wish(StrEnum):
    """Why the engine is to leave off."""

    CANCEL = "CANCEL"  # the client no longer wants the job
    DRAIN = "DRAIN"  # the worker is going down
    STUCK = "STUCK"  # nothing was heard for longer than a stage may take


class Watch:
    """A block under watch. It ends with LeaseLost when the lease is gone; `wish` tells why the engine was stopped."""

    def __init__(self, runtime: Runtime, lease: Lease, position: Callable[[], dict[str, Any]]) -> None:
        self.wish: Wish | None = None
        self._runtime = runtime
        self._lease = lease
        self._position = position
        self._last_heard = time.monotonic()
        self._block = asyncio.timeout(None)
        self._task: asyncio.Task[None] | None = None

    def heard(self) -> None:
        """The engine gave a sign of life."""
        self._last_heard = time.monotonic()

    async def __aenter__(self) -> Self:
        await self._block.__aenter__()
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            await self._block.__aexit__(kind, error, trace)
        except TimeoutError:
            raise LeaseLost("the lease ended during the work") from None

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._runtime.draining.wait(), HEARTBEAT_SECONDS)
            try:
                async with self._runtime.db.write() as session:
                    canceled = await leases.renew(session, self._lease, **self._position())
            except LeaseLost:
                self._block.reschedule(asyncio.get_running_loop().time())
                return
            except DATABASE_DOWN as error:
                _log.warning("watch.database_down", error=str(error))
                continue
            silent = time.monotonic() - self._last_heard
            if canceled:
                await self._leave_off(Wish.CANCEL)
            elif self._runtime.draining.is_set():
                await self._leave_off(Wish.DRAIN)
            elif silent > self._runtime.settings.stage_timeout:
                await self._leave_off(Wish.STUCK)

    async def _leave_off(self, wish: Wish) -> None:
        """Asks first, ends it at the next heartbeat; who follows the engine's updates records what came of it."""
        asked_before, self.wish = self.wish is not None, self.wish or wish
        if asked_before or wish is Wish.STUCK:
            await self._runtime.engine.end()
            await asyncio.sleep(HEARTBEAT_SECONDS)
            return
        with suppress(EngineLost):
            await self._runtime.engine.stop()
        await asyncio.sleep(STOP_GRACE)
