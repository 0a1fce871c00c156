"""Rate limits: points of query cost in a time, counted by the `limits` library's storages.

On one machine the web process counts by itself. If a broker is configured for many, they count together in it; while
it is slow or away each counts for itself again, so that no request waits for it.
"""

import asyncio
import time
from contextvars import ContextVar
from typing import Any, NamedTuple

import redis.asyncio
import structlog
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.errors import StorageError

from db.domain.errors import RateLimited

PATIENCE_SECONDS = 0.1
"""So long the broker may take to count."""

AWAY_SECONDS = 5.0
"""So long it is left alone after it took longer."""

MINUTE = 60

_log = structlog.get_logger(__name__)


class Left(NamedTuple):
    """The rest of this minute's points; `reset_at` in epoch milliseconds."""

    limit: int
    remaining: int
    reset_at: int


COUNTED: ContextVar[list[Left] | None] = ContextVar("counted", default=None)
"""A list that the request's handler has put here: the points left when the cost was taken, for the headers."""


class Rates:
    """Counters of owners and of addresses, in windows of the clock."""

    def __init__(self, points_per_minute: int, client: "redis.asyncio.Redis | None" = None) -> None:
        self._points = points_per_minute
        self._alone = MemoryStorage()
        self._together = None if client is None else _storage(client)
        self._away_until = 0.0

    async def charge(self, owner_id: str, cost: int, limit: int | None = None) -> None:
        """Take the cost of an operation from the owner's points of this minute. Raises RateLimited."""
        left = await self.take("points", owner_id, max(1, cost), self._points if limit is None else limit, MINUTE)
        if (counted := COUNTED.get()) is not None:
            counted.append(left)

    async def left(self, owner_id: str, limit: int | None = None) -> Left:
        """Return what the owner may still ask for."""
        limit = self._points if limit is None else limit
        key, reset_at = _window("points", owner_id, MINUTE)
        used = await self._ask("get", key)
        return Left(limit, max(0, limit - used), reset_at)

    async def take(self, what: str, who: str, amount: int, limit: int, seconds: int) -> Left:
        """Count an amount of something for somebody; more than the limit in a window raises RateLimited."""
        key, reset_at = _window(what, who, seconds)
        used = await self._ask("incr", key, seconds, amount)
        if used > limit:
            raise RateLimited(limit, reset_at / 1000, what)
        return Left(limit, limit - used, reset_at)

    async def _ask(self, what: str, *arguments: Any) -> int:
        if self._together is not None and time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    return int(await getattr(self._together, what)(*arguments))
            except (TimeoutError, StorageError) as error:
                self._away_until = time.monotonic() + AWAY_SECONDS
                _log.warning("rates.counted_alone", error=str(error) or type(error).__name__)
        return int(await getattr(self._alone, what)(*arguments))


def _window(what: str, who: str, seconds: int) -> tuple[str, int]:
    """Return the counter's name in this window of the clock, and when the next one begins (epoch milliseconds)."""
    number = int(time.time() // seconds)
    return f"graphophone:rate:{what}:{who}:{number}", (number + 1) * seconds * 1000


def _storage(client: "redis.asyncio.Redis") -> RedisStorage:
    pool: Any = client.connection_pool  # the library's options are typed as if they were parts of an address
    return RedisStorage("async+redis://", wrap_exceptions=True, implementation="redispy", connection_pool=pool)
