"""Handlers: each kind of background work, in one place. `tasks/README.md` tells how to add one."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.domain.states import Transition
from db.domain.values import Queue
from db.queue import background, claims
from db.queue.background import GiveUp
from db.queue.leases import Lease, Work
from db.store.base import table_of
from tasks.runtime.attempts import Attempt
from tasks.runtime.context import Runtime
from tasks.runtime.observed import observed
from tasks.runtime.outcomes import backoff
from tasks.settings import WorkerSettings

MINUTES = 300.0
"""The seconds that work may take whose handler says nothing of it."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler(Generic[Work]):
    """The treatment of the rows of a table.

    `run` does it, within `timeout` seconds, and records under the lease that it is done. A failure is tried
    again, `max_attempts` times; then, and when it took its workers down too often, `give_up` records why it was in
    vain; without `give_up` it is tried for ever. Work that is more than one function brings an `attempt` of its own;
    a table whose changes are recorded elsewhere, a `journal` and a `rescue`. `light` work waits for others most of its
    time: it takes none of the worker's slots, and no limit on an owner's jobs counts it.
    """

    table: type[Work]
    run: Callable[[Runtime, Work, Lease], Awaitable[None]] | None = None
    timeout: Callable[[WorkerSettings], float] = lambda _settings: MINUTES
    give_up: GiveUp[Work] | None = None
    attempt: Callable[[Runtime, Work, Lease], Attempt[Work]] | None = None
    journal: claims.Journal = claims.SILENT
    rescue: Callable[[AsyncSession], Awaitable[int]] | None = None
    light: bool = False

    @property
    def topic(self) -> str:
        """Return the work's name in logs."""
        return table_of(self.table).name

    @property
    def queue(self) -> Queue:
        """Return the kind of workers that do it."""
        return self.table.queue

    def begin(self, runtime: Runtime, row: Work, lease: Lease) -> Attempt[Work]:
        """Return an attempt at a claimed row."""
        return self.attempt(runtime, row, lease) if self.attempt else _Plain(self, runtime, row, lease)

    async def take_back(self, session: AsyncSession) -> int:
        """Rescue the rows of silent workers, and return of how many."""
        return await (self.rescue(session) if self.rescue else background.rescue(session, self.table, self.give_up))


class _Plain(Attempt[Work]):
    """One function, as long as its timeout allows."""

    def __init__(self, handler: Handler[Work], runtime: Runtime, row: Work, lease: Lease) -> None:
        super().__init__(runtime, row, lease)
        self._handler = handler

    async def work(self) -> None:
        """Do it."""
        if self._handler.run is None:
            raise NotImplementedError("a handler has a `run` or an `attempt`")
        await self._handler.run(self.runtime, self.row, self.lease)

    async def failed(self, error: Exception) -> None:
        """Try again later, or give up after the last try."""
        give_up, last = self._handler.give_up, self.row.attempt >= self.runtime.settings.max_attempts
        delay = backoff(self.row.attempt)
        async with self.runtime.db.write() as session:
            if give_up is None or not last:
                await background.put_back(session, self.lease, Transition.RETRY_LATER, delay_ms=round(delay * 1000))
                _log.warning(f"{self._handler.topic}.retry_later", error=str(error), seconds=round(delay, 1))
            else:
                await give_up(session, self.row, self.lease, error)
                _log.warning(f"{self._handler.topic}.failed", error=str(error))

    def budget(self) -> float:
        """Return the timeout: there are no signs of life."""
        return self._handler.timeout(self.runtime.settings)


class Claimed(NamedTuple):
    """A row that is this worker's, and its handler."""

    handler: Handler[Any]
    row: Any
    lease: Lease


async def claim_next(handlers: Sequence[Handler[Any]], runtime: Runtime) -> Claimed | None:
    """Claim the best waiting row of the first handler that has one; None when there is none."""
    settings = runtime.settings
    for handler in handlers:
        claimed = await claims.claim(
            runtime.db,
            handler.table,
            worker=runtime.worker,
            per_owner=0 if handler.light else settings.jobs_per_owner,
            lease_ms=settings.lease_ms,
            journal=handler.journal,
        )
        if claimed is not None:
            return Claimed(handler, *claimed)
    return None


async def attempt(runtime: Runtime, claimed: Claimed) -> None:
    """Do what was claimed, and record how it ends."""
    handler, row, lease = claimed
    names = {f"{handler.topic}_id": row.id, "correlation_id": row.correlation_id}
    with structlog.contextvars.bound_contextvars(**names), observed(handler.topic, row) as tell:
        begun = handler.begin(runtime, row, lease)
        await begun.run()
        tell(begun.outcome)
