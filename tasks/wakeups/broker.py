"""The notifier: Dramatiq messages that wake a worker, and a channel that wakes subscribers.

A message carries no work: whoever hears it claims the best row there is. So it may be lost, doubled or late, and a send
that fails is only logged; the sweeper of any worker rings again. The broker's own retries, time limits and results
are left out, because the rows hold all of that.
"""

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Final, Literal

import dramatiq
import redis
import redis.asyncio
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from db.store.notifications import Notification

Kind = Literal["speech", "io"]
"""The kinds of workers, and the names of their queues."""

QUEUES: Final[dict[str, Kind]] = {"job": "speech", "export": "io", "cleanup": "io"}
"""Which kind of worker does the work of which table."""

EVENTS_CHANNEL = "graphophone:events"
CANCEL_CHANNEL = "graphophone:cancel"
CHANNELS: Final = {"events": EVENTS_CHANNEL, "cancel": CANCEL_CHANNEL}
"""What is told to everybody, not to one worker; the message is the owner."""

CROWD = 64
"""Wake-ups sent at once at most: each worker that hears one works until nothing waits."""

_log = structlog.get_logger(__name__)


def actor_name(kind: Kind) -> str:
    """The actor that a message to this kind of worker names."""
    return f"{kind}.wake"


def make_broker(url: str) -> RedisBroker:
    """A broker whose messages outlive a worker by seconds, not minutes (`facts`: Dramatiq's defaults take up to 40)."""
    pool = redis.ConnectionPool.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),  # redis-py would send a message again whose reply was lost
    )
    broker = RedisBroker(  # type: ignore[no-untyped-call]  # the library
        client=redis.Redis(connection_pool=pool),
        middleware=[AsyncIO()],
        heartbeat_timeout=15_000,
        maintenance_chance=100_000,
    )
    for kind in QUEUES.values():
        broker.declare_queue(kind)
    return broker


def make_client(url: str) -> "redis.asyncio.Redis":
    """A client for the channels; it does not retry by itself either."""
    return redis.asyncio.Redis.from_url(
        url, socket_connect_timeout=2, socket_timeout=5, retry=AsyncRetry(NoBackoff(), 0)
    )


class Notifier:
    """Rings for what a commit made new. Never raises, never waits: the answer to the client does not depend on it.

    What is rung while a ring is under way goes out with the next one, so that a broker that hangs gathers no crowd.
    """

    def __init__(self, broker: RedisBroker, client: "redis.asyncio.Redis") -> None:
        self._broker = broker
        self._client = client
        self._pending: Counter[Notification] = Counter()
        self._ringing: asyncio.Task[None] | None = None

    async def __call__(self, notifications: Collection[Notification]) -> None:
        """The bell of `db.store.session.Database`."""
        self._pending.update(notifications)
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._ring_all())

    async def _ring_all(self) -> None:
        while self._pending:
            notifications, self._pending = self._pending, Counter()
            try:
                await self._ring(notifications)
            except (redis.RedisError, dramatiq.DramatiqError, OSError) as error:
                _log.warning("notifier.silent", error=str(error), remedy="the sweeper rings again")

    async def _ring(self, notifications: Counter[Notification]) -> None:
        for topic, kind in QUEUES.items():
            count = sum(times for item, times in notifications.items() if item.topic == topic)
            if count:
                await asyncio.to_thread(wake, self._broker, kind, min(count, CROWD))
        for item in notifications:
            if item.topic in CHANNELS:
                await self._client.publish(CHANNELS[item.topic], item.owner_id)

    async def close(self) -> None:
        """Waits for what is still ringing, then hangs up."""
        if self._ringing is not None:
            await self._ringing
        await self._client.aclose()
        await asyncio.to_thread(self._broker.close)


def wake(broker: RedisBroker, kind: Kind, times: int = 1) -> None:
    """Wakes so many workers of a kind."""
    for _ in range(times):
        broker.enqueue(dramatiq.Message(queue_name=kind, actor_name=actor_name(kind), args=(), kwargs={}, options={}))


def silent(broker: RedisBroker, kind: Kind) -> bool:
    """Whether no wake-up is waiting to be heard; ringing more than once is of no use."""
    return int(broker.client.llen(f"{broker.namespace}:{kind}")) == 0
