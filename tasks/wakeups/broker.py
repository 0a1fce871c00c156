"""The notifier: Dramatiq messages that wake a worker, and a channel that wakes subscribers.

A message carries no work: whoever hears it claims the best row there is. So it may be lost, doubled or late, and a send
that fails is only logged; the sweeper of any worker sends it again. The broker's own retries, time limits and results
are left out, because the rows hold all of that.
"""

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Final, get_args

import dramatiq
import redis
import redis.asyncio
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from db.domain.values import Queue
from db.store.notifications import Notification

QUEUES: Final = get_args(Queue)
NAMESPACE: Final = "graphophone"
"""The beginning of our keys; Dramatiq's default may be another program's on the same server."""

EVENTS_CHANNEL = "graphophone:events"
CANCEL_CHANNEL = "graphophone:cancel"
CHANNELS: Final = {"events": EVENTS_CHANNEL, "cancel": CANCEL_CHANNEL}
"""The channels of notifications to everybody, not to one worker; the message is the owner."""

CROWD = 64
"""Wake-ups sent at once at most: each worker that hears one works until nothing waits."""

_log = structlog.get_logger(__name__)


def actor_name(queue: Queue) -> str:
    """Return the name of the actor that a message to this kind of worker names."""
    return f"{queue}.wake"


def make_broker(url: str) -> RedisBroker:
    """Make a broker whose messages outlive a worker by seconds, not by the up to 40 minutes of Dramatiq's defaults."""
    pool = redis.ConnectionPool.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),  # redis-py would send a message again whose reply was lost
    )
    broker = RedisBroker(  # type: ignore[no-untyped-call]  # the library
        client=redis.Redis(connection_pool=pool),
        middleware=[AsyncIO()],
        namespace=NAMESPACE,
        heartbeat_timeout=15_000,
        maintenance_chance=100_000,
    )
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker


def make_client(url: str) -> "redis.asyncio.Redis":
    """Make a client for the channels; it does not retry by itself either."""
    return redis.asyncio.Redis.from_url(
        url, socket_connect_timeout=2, socket_timeout=5, retry=AsyncRetry(NoBackoff(), 0)
    )


class Notifier:
    """Sends what a commit is to notify of. Never raises, never waits: the answer to the client does not depend on it.

    Notifications that come while others are being sent go out with the next ones: a broker that hangs gathers no crowd.
    """

    def __init__(self, broker: RedisBroker, client: "redis.asyncio.Redis") -> None:
        self._broker = broker
        self._client = client
        self._pending: Counter[Notification] = Counter()
        self._sending: asyncio.Task[None] | None = None

    async def __call__(self, notifications: Collection[Notification]) -> None:
        """Send these, soon; for `db.store.session.Database`."""
        self._pending.update(notifications)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        while self._pending:
            notifications, self._pending = self._pending, Counter()
            try:
                await self._send(notifications)
            except (redis.RedisError, dramatiq.DramatiqError, OSError) as error:
                _log.warning("notifier.silent", error=str(error), remedy="the sweeper sends it again")

    async def _send(self, notifications: Counter[Notification]) -> None:
        for queue in QUEUES:
            count = sum(times for item, times in notifications.items() if item.topic == queue)
            if count:
                await asyncio.to_thread(wake, self._broker, queue, min(count, CROWD))
        for item in notifications:
            if item.topic in CHANNELS:
                await self._client.publish(CHANNELS[item.topic], item.owner_id)

    async def close(self) -> None:
        """Wait for what is still being sent, then disconnect."""
        if self._sending is not None:
            await self._sending
        await self._client.aclose()
        await asyncio.to_thread(self._broker.close)


def wake(broker: RedisBroker, queue: Queue, times: int = 1) -> None:
    """Wake so many workers of a kind."""
    for _ in range(times):
        broker.enqueue(dramatiq.Message(queue_name=queue, actor_name=actor_name(queue), args=(), kwargs={}, options={}))


def is_silent(broker: RedisBroker, queue: Queue) -> bool:
    """Tell whether no wake-up is waiting to be heard; more than one is of no use.

    The key is Dramatiq's own and not documented: a test holds it to the installed version.
    """
    return int(broker.client.llen(f"{broker.namespace}:{queue}")) == 0
