"""The doorbell: Dramatiq messages that wake a worker, and a channel that wakes subscribers.

A message carries no work: whoever hears it claims the best row there is. So it may be lost, doubled or late, and a send
that fails is only logged; the sweeper of any worker rings again. The broker's own retries, time limits and results
are left out, because the rows hold all of that.
"""

import asyncio
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

from db.session import News

Kind = Literal["speech", "io"]
"""The kinds of workers, and the names of their queues."""

QUEUES: Final[dict[str, Kind]] = {"job": "speech", "export": "io"}
"""Which kind of worker does the work of which table."""

EVENTS_CHANNEL = "graphophone:events"
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


class Doorbell:
    """Rings for what a commit made new. Never raises, never waits: the answer to the client does not depend on it."""

    def __init__(self, broker: RedisBroker, client: "redis.asyncio.Redis") -> None:
        self._broker = broker
        self._client = client
        self._ringing: set[asyncio.Task[None]] = set()

    async def __call__(self, news: Collection[News]) -> None:
        """The bell of `db.session.Database`."""
        task = asyncio.create_task(self._ring(news))
        self._ringing.add(task)
        task.add_done_callback(self._ringing.discard)

    async def _ring(self, news: Collection[News]) -> None:
        try:
            for topic in {item.topic for item in news} & QUEUES.keys():
                await asyncio.to_thread(wake, self._broker, QUEUES[topic])
            for owner in {item.owner_id for item in news if item.topic == "events"}:
                await self._client.publish(EVENTS_CHANNEL, owner)
        except (redis.RedisError, dramatiq.DramatiqError, OSError) as error:
            _log.warning("doorbell.silent", error=str(error), remedy="the sweeper rings again")

    async def close(self) -> None:
        """Waits for what is still ringing, then hangs up."""
        await asyncio.gather(*self._ringing)
        await self._client.aclose()
        await asyncio.to_thread(self._broker.close)


def wake(broker: RedisBroker, kind: Kind) -> None:
    """Sends one wake-up to the workers of a kind."""
    broker.enqueue(dramatiq.Message(queue_name=kind, actor_name=actor_name(kind), args=(), kwargs={}, options={}))


def silent(broker: RedisBroker, kind: Kind) -> bool:
    """Whether no wake-up is waiting to be heard; ringing more than once is of no use."""
    return int(broker.client.llen(f"{broker.namespace}:{kind}")) == 0
