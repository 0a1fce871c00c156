"""Live notifications for subscribers: one listener a process, however many of them there are.

Behind it stands a slow poll, so that a lost wake-up costs a second, never an event. Percentages travel only here.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec
import redis
import redis.asyncio
import structlog

from db.domain.values import Stage
from tasks.system.loops import keep_going
from tasks.wakeups.broker import EVENTS_CHANNEL

PROGRESS_CHANNEL = "graphophone:progress"
POLL_SECONDS = 1.0

LAG = 4
"""So many percentages, a second's worth, and the reader is told that some were left out."""

_RETRY_SECONDS = 0.5
_log = structlog.get_logger(__name__)


class Wake(msgspec.Struct, frozen=True):
    """There may be new events."""


class Progress(msgspec.Struct, frozen=True):
    """A job got on; `progress` is the fraction of the whole job."""

    owner_id: str
    job_id: str
    stage: Stage
    stage_progress: float
    progress: float
    eta_seconds: float | None = None


class Lagged(msgspec.Struct, frozen=True):
    """The reader was so slow that this many percentages of a job were left out."""

    job_id: str
    skipped: int


Signal = Wake | Progress | Lagged
WAKE = Wake()
_progress = msgspec.json.Decoder(Progress)


class _Mailbox:
    """One subscriber's: holds at most one wake-up and the newest progress of each job, however slow the reader is."""

    def __init__(self) -> None:
        self._notifications = asyncio.Event()
        self._woken = False
        self._latest: dict[str, Progress] = {}
        self._skipped: Counter[str] = Counter()

    def hear(self, signal: Signal) -> None:
        if isinstance(signal, Progress):
            self._skipped[signal.job_id] += signal.job_id in self._latest
            self._latest[signal.job_id] = signal
        else:
            self._woken = True
        self._notifications.set()

    async def signals(self) -> AsyncGenerator[Signal]:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._notifications.wait()
            heard, self._latest = self._latest, {}
            skipped, self._skipped = self._skipped, Counter()
            woken, self._woken = self._woken or not heard, False
            self._notifications.clear()
            if woken:  # events first: they are older than the percentages heard with them
                yield WAKE
            for job_id, count in skipped.items():
                if count >= LAG:
                    yield Lagged(job_id, count)
            for signal in heard.values():
                yield signal


class Live:
    """The hub of a process: `run` listens, `subscribe` hears."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        self._mailboxes: dict[str, set[_Mailbox]] = defaultdict(set)
        self._telling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def subscribe(self, owner_id: str) -> AsyncIterator[AsyncIterator[Signal]]:
        """Subscribe to signals that concern this owner, from now on; `Wake` also about once a second."""
        mailbox = _Mailbox()
        self._mailboxes[owner_id].add(mailbox)
        signals = mailbox.signals()
        try:
            yield signals
        finally:
            await signals.aclose()
            self._mailboxes[owner_id].discard(mailbox)
            if not self._mailboxes[owner_id]:
                del self._mailboxes[owner_id]

    async def run(self) -> None:
        """Listen until cancelled, over any loss of the connection."""
        channels = (EVENTS_CHANNEL, PROGRESS_CHANNEL)
        await keep_going("live", lambda: listen(self._client, channels, self._hear, self._tell_all))

    def tell(self, progress: Progress) -> None:
        """Tell all processes how far a job is, soon; lost when nobody takes it, and the work does not wait for it."""
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._publish(progress))

    async def _publish(self, progress: Progress) -> None:
        try:
            await self._client.publish(PROGRESS_CHANNEL, msgspec.json.encode(progress))
        except (redis.RedisError, OSError) as error:
            _log.debug("live.mute", error=str(error))

    def _hear(self, channel: str, data: bytes) -> None:
        if channel == EVENTS_CHANNEL:
            self._tell(data.decode(), WAKE)
            return
        progress = _progress.decode(data)
        self._tell(progress.owner_id, progress)

    def _tell(self, owner_id: str, signal: Signal) -> None:
        for mailbox in self._mailboxes.get(owner_id, ()):
            mailbox.hear(signal)

    def _tell_all(self) -> None:
        for owner_id in self._mailboxes:
            self._tell(owner_id, WAKE)


async def listen(
    client: "redis.asyncio.Redis",
    channels: Sequence[str],
    hear: Callable[[str, bytes], None],
    connected: Callable[[], None],
) -> None:
    """Call `hear` with each message until cancelled, and `connected` whenever some may have been missed.

    Anybody who reaches the server can publish, and while workers are replaced, so does another version of us: what
    cannot be read is passed over.
    """
    while True:
        try:
            async with client.pubsub() as pubsub:
                await pubsub.subscribe(*channels)
                connected()
                async for message in _messages(pubsub):
                    try:
                        hear(message["channel"].decode(), message["data"])
                    except (UnicodeDecodeError, msgspec.DecodeError) as error:
                        _log.warning("live.unreadable", channel=message["channel"].decode(), error=str(error))
        except (redis.RedisError, OSError) as error:
            _log.warning("live.deaf", error=str(error), remedy="polling until it is back")
            await asyncio.sleep(_RETRY_SECONDS)


async def _messages(pubsub: "redis.asyncio.client.PubSub") -> AsyncIterator[dict[str, bytes]]:
    while True:
        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5.0)
        if message is not None:
            yield message
