"""Loops that must not end while the process lives."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

PAUSE = 1.0
"""Seconds until a loop that ended is started again."""

_log = structlog.get_logger(__name__)


async def keep_going(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop until cancelled; one that ends, whatever the reason, is started again and the log says so."""
    while True:
        try:
            await loop()
            _log.error("loop.ended", loop=name, remedy="it is started again")
        except Exception:  # noqa: BLE001  nobody else would do what it does
            _log.exception("loop.fault", loop=name, remedy="it is started again")
        await asyncio.sleep(PAUSE)
