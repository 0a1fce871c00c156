"""How much an owner may ask for in a minute, in points of query cost; counted by the `limits` library.

On one machine the web process counts by itself; where a broker is configured for many, they count together in it.
"""

from typing import Any, NamedTuple

import redis.asyncio
import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from db.domain.errors import RateLimited

_log = structlog.get_logger(__name__)


class Left(NamedTuple):
    """What is left of this minute; `reset_at` in epoch milliseconds."""

    limit: int
    remaining: int
    reset_at: int


class Rates:
    """The budget of every owner."""

    def __init__(self, points_per_minute: int, client: "redis.asyncio.Redis | None" = None) -> None:
        self._item = RateLimitItemPerMinute(points_per_minute)
        self._window = FixedWindowRateLimiter(_storage(client))

    async def charge(self, owner_id: str, cost: int) -> None:
        """Takes the cost of an operation. Raises RateLimited; lets everybody in when the broker does not answer."""
        try:
            allowed = await self._window.hit(self._item, owner_id, cost=max(1, cost))
        except StorageError as error:
            _log.warning("rates.unknown", error=str(error))
            return
        if not allowed:
            stats = await self._window.get_window_stats(self._item, owner_id)
            raise RateLimited(self._item.amount, stats.reset_time)

    async def left(self, owner_id: str) -> Left:
        """What the owner may still ask for."""
        try:
            stats = await self._window.get_window_stats(self._item, owner_id)
        except StorageError:
            return Left(self._item.amount, self._item.amount, 0)
        return Left(self._item.amount, max(0, stats.remaining), round(stats.reset_time * 1000))


def _storage(client: "redis.asyncio.Redis | None") -> MemoryStorage | RedisStorage:
    if client is None:
        return MemoryStorage()
    pool: Any = client.connection_pool  # the library's options are typed as if they were parts of an address
    return RedisStorage("async+redis://", wrap_exceptions=True, implementation="redispy", connection_pool=pool)
