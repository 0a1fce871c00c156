"""The context of every resolver: the viewer, the stores, and this operation's own loaders."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

import strawberry

from db.accounts.tables import Quota
from db.domain.errors import Forbidden, TooCostly
from db.jobs import QueueLimits
from db.store.blobs import Blobs
from db.store.session import Database
from schema.base.heavy import HeavyWork
from schema.base.loaders import Loaders
from schema.base.rates import Rates
from schema.settings import IntakeSettings
from tasks.settings import WorkerSettings


class Follows(Protocol):
    """The source of the newest events for subscribers: `schema.subscriptions.broadcaster.Broadcaster`."""

    def follow(self, owner_id: str, subject: Any) -> AbstractAsyncContextManager[Any]:
        """Follow what happens to a subject."""

    def followers(self, owner_id: str, subject: Any) -> int:
        """Count those who do."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class Standing:
    """The standing of credentials, looked at for as long as something is open to them: valid, or ended.

    `credential` is the id of its row, `expires_at` in epoch seconds; the part that learns of a revocation puts the
    end into the past.
    """

    owner_id: str
    credential: str = ""
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer, and what the credentials allow."""

    owner_id: str
    scopes: frozenset[str]
    groups: frozenset[str] = frozenset()
    quota: Quota = field(default_factory=Quota)
    standing: Standing = field(default_factory=lambda: Standing(""), compare=False)

    @property
    def expires_at(self) -> float | None:
        """The end of the credentials, in epoch seconds."""
        return self.standing.expires_at

    @property
    def token_end(self) -> int | None:
        """The end of the personal token that asks (epoch milliseconds); None if it has no end, and for people."""
        own = self.standing.credential.startswith("tok_") and self.standing.expires_at is not None
        return round((self.standing.expires_at or 0) * 1000) if own else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaSettings:
    """The facts of the installation that the schema needs.

    `sign(path, owner_id, expires)` gives the path with a query that works for this owner until `expires` (epoch
    milliseconds). `seal` makes a webhook's secret unreadable but for this installation.
    """

    version: str
    public_url: str
    intake: IntakeSettings
    worker: WorkerSettings
    audio_formats: tuple[str, ...]
    sign: Callable[[str, str, int], str]
    seal: Callable[[str], str]
    warnings: tuple[str, ...] = ()  # about the installation, for administrators


@dataclass(slots=True, kw_only=True)
class Context:
    """One operation's surroundings; a subscription renews the loaders for each event."""

    viewer: Viewer
    db: Database
    blobs: Blobs
    broadcaster: Follows
    settings: SchemaSettings
    correlation_id: str
    rates: Rates | None = None
    public_url: str = ""
    cost: int = 0  # of this operation, as estimated before it is executed, and what was spent beyond that
    cost_limit: int = 2**31 - 1
    heavy: HeavyWork = field(default_factory=HeavyWork)
    load: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.renew()

    @property
    def owner_id(self) -> str:
        """The user whose things can be seen."""
        return self.viewer.owner_id

    def renew(self) -> None:
        """Forget what was loaded."""
        self.load = Loaders(self.db, self.viewer.owner_id)

    def signed_url(self, path: str, expires: int) -> str:
        """Sign a link that works without credentials until `expires`; the path is unquoted, as the server reads it."""
        signed = self.settings.sign(path, self.owner_id, expires)
        return (self.public_url or self.settings.public_url).rstrip("/") + quote(path) + signed.removeprefix(path)

    @property
    def queue_limits(self) -> QueueLimits:
        """The number of jobs that may wait: the account's own, or the server's."""
        queue, own = self.settings.intake.queue, self.viewer.quota.queued_jobs
        return queue if own is None else QueueLimits(max_queued=queue.max_queued, max_queued_per_owner=own)

    async def charge(self) -> None:
        """Take the operation's cost from the viewer's budget. Raises RateLimited."""
        if self.rates is not None:
            await self.rates.charge(self.owner_id, self.cost, self.viewer.quota.points_per_minute)

    async def spend(self, points: float) -> None:
        """Take what a field costs beyond the estimate, for it knows how long a transcript is. Raises TooCostly and
        RateLimited.
        """
        self.cost += round(points)
        if self.cost > self.cost_limit:
            raise TooCostly(self.cost, self.cost_limit)
        if self.rates is not None:
            await self.rates.charge(self.owner_id, round(points), self.viewer.quota.points_per_minute)

    def may(self, scope: str) -> bool:
        """Tell whether the credentials have this scope."""
        return scope in self.viewer.scopes or "admin" in self.viewer.scopes

    def require(self, scope: str) -> None:
        """Raise Forbidden unless the credentials have this scope."""
        if not self.may(scope):
            raise Forbidden(scope)


Info: TypeAlias = strawberry.Info[Context, None]
