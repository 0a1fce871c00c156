"""All open connections of this process: how many there may be, and how long each may keep us waiting.

Nothing here knows HTTP. A protocol (`.protocol`) enters a connection, and is asked each second whether its time is up.
If there is no room, the connection that has waited longest for a request makes room, of the address that has most
of them: a flood of silent connections costs its own, and a lawful request is served in the middle of it.
"""

import asyncio
import resource
import time
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

import structlog

FEW = 8
"""Connections that are served whatever the limit of open files says."""
MANY = 10_000
"""Connections at the same time: what one event loop can look after."""
LOG_SECONDS = 5.0
"""Between two log lines about connections that were ended."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """Sizes are bytes, times are seconds."""

    total: int = MANY
    """Connections at the same time."""
    share: float = 0.5
    """Of these, how many may come from one address that is not this machine."""
    head_bytes: int = 64 << 10
    """Of a request line with all headers; of the address alone half of that."""
    head_lines: int = 100
    """Headers, or trailers, of one request."""
    framing_bytes: int = 16 << 10
    """Between two pieces of a chunked body: chunk extensions and trailers."""
    pipelined: int = 4
    """Requests that wait for the answer to an earlier one of the same connection; what follows is not read."""
    head_seconds: float = 10.0
    """From the first byte of a head, or from the connection, to its end."""
    body_seconds: float = 30.0
    body_bytes: int = 1024
    """A body that is waited for brings so many bytes in each of these spans, or is ended."""
    write_seconds: float = 60.0
    """For a client to take something of an answer that it does not read."""
    close_seconds: float = 5.0
    """For a connection to be closed in order."""


class Connection(Protocol):
    """The interface of each connection."""

    @property
    def address(self) -> str:
        """The address that it comes from."""

    @property
    def waiting(self) -> bool:
        """True if nothing is being done for it: it has not sent a whole request, or the last one is answered."""

    def end(self, reason: str) -> None:
        """End it at once."""

    def look(self, now: float) -> None:
        """End it when its time is up."""


class Connections:
    """The connections of one process."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.ended: Counter[str] = Counter()
        """The number of connections that were ended early, by reason."""
        self._count = 0
        self._open: dict[str, dict[Connection, None]] = {}  # by address, the oldest first
        self._untold: Counter[str] = Counter()
        self._told = 0.0
        self._looking: asyncio.TimerHandle | None = None

    def enter(self, connection: Connection) -> bool:
        """Count a connection; False when there is no room for it, nor anybody who would make some."""
        its_own = self._open.setdefault(connection.address, {})
        room = self._count < self.limits.total or self._make_room()
        if room and len(its_own) >= self._most(connection.address):
            room = self._end_oldest(its_own)
        self._open.setdefault(connection.address, its_own)[connection] = None
        self._count += 1
        if self._looking is None:
            self._look_again()
        return room

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is gone, or that has become another one (a WebSocket)."""
        its_own = self._open.get(connection.address, {})
        if connection in its_own:
            del its_own[connection]
            self._count -= 1
        if not its_own:
            self._open.pop(connection.address, None)

    def note(self, reason: str) -> None:
        """Count a connection that was ended early; a line of the log tells of all of some seconds."""
        self.ended[reason] += 1
        self._untold[reason] += 1

    def _most(self, address: str) -> int:
        """Return how many connections this address may have: all of them where it may be a proxy of this machine."""
        try:
            local = ip_address(address.partition("%")[0]).is_loopback
        except ValueError:  # a Unix socket
            local = True
        return self.limits.total if local else max(FEW, int(self.limits.total * self.limits.share))

    def _make_room(self) -> bool:
        return any(self._end_oldest(its_own) for its_own in sorted(self._open.values(), key=len, reverse=True))

    def _end_oldest(self, its_own: dict[Connection, None]) -> bool:
        oldest = next((connection for connection in its_own if connection.waiting), None)
        if oldest is None:
            return False
        self.leave(oldest)
        oldest.end("crowded out")
        return True

    def _look_again(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(1.0, self._look)

    def _look(self) -> None:
        self._looking = None
        now = time.monotonic()
        for its_own in list(self._open.values()):
            for connection in list(its_own):
                connection.look(now)
        if self._untold and now - self._told >= LOG_SECONDS:
            _log.warning("connections.ended", open=self._count, limit=self.limits.total, **self._reasons())
            self._told = now
        if self._count or self._untold:
            self._look_again()

    def _reasons(self) -> dict[str, int]:
        reasons, self._untold = self._untold, Counter()
        return {reason.replace(" ", "_"): number for reason, number in reasons.items()}


class Crowd:
    """The number of streams or sockets that each owner has open at the same time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._open: Counter[object] = Counter()

    def enter(self, owner: object) -> bool:
        """Count one more of this owner; False, and not counted, when there are as many as allowed."""
        if self._open[owner] >= self.limit:
            return False
        self._open[owner] += 1
        return True

    def leave(self, owner: object) -> None:
        """Count one less."""
        self._open[owner] -= 1
        if not self._open[owner]:
            del self._open[owner]


def fit_open_files() -> int:
    """Raise this process's limit of open files as far as it may, and return how many connections that leaves room for:
    the other half is for files, pipes and the database.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 4 * MANY)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS allows less than it says
        wanted = soft
    return max(FEW, min(MANY, wanted // 2))
