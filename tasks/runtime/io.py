"""The io worker's runtime: any row of the io queue, claimed, done under its lease, tried again when it goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.domain.errors import LeaseLost
from db.domain.states import Transition
from db.queue import background, leases
from db.queue.background import TOPICS, Errand
from db.queue.leases import Lease
from db.store.session import DatabaseDown
from tasks.runtime.context import Runtime
from tasks.runtime.outcomes import backoff, when_possible
from tasks.settings import WorkerSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kind(Generic[Errand]):
    """What is to be done for the rows of a table.

    `do` does it, in `seconds` at most, and records under the lease that it is done. What goes wrong is tried again;
    `give_up`, if there is one, records after the last try why it was in vain.
    """

    table: type[Errand]
    do: Callable[[Runtime, Errand, Lease], Coroutine[Any, Any, None]]
    seconds: Callable[[WorkerSettings], float]
    give_up: Callable[[AsyncSession, Lease, Exception], Awaitable[None]] | None = None


async def run_next(kinds: Sequence[Kind[Any]], runtime: Runtime) -> bool:
    """Claims the best waiting row of the first kind that has one, and does it. False when there was none."""
    settings = runtime.settings
    for kind in kinds:
        claimed = await background.claim(
            runtime.db, kind.table, worker=runtime.worker, per_owner=settings.jobs_per_owner, lease_ms=settings.lease_ms
        )
        if claimed is not None:
            row, lease = claimed
            names = {f"{TOPICS[kind.table]}_id": row.id, "correlation_id": row.correlation_id}
            with structlog.contextvars.bound_contextvars(**names):
                await _run(runtime, kind, row, lease)
            return True
    return False


async def _run(runtime: Runtime, kind: Kind[Errand], row: Errand, lease: Lease) -> None:
    doing = asyncio.create_task(kind.do(runtime, row, lease))
    keeping = asyncio.create_task(_keep(runtime, lease))
    leaving = asyncio.create_task(_leave(runtime))
    tasks = {doing, keeping, leaving}
    try:
        await asyncio.wait(tasks, timeout=kind.seconds(runtime.settings), return_when=asyncio.FIRST_COMPLETED)
        doing.cancel()
        await asyncio.wait({doing})
        if keeping.done():
            _log.warning("io.lease_lost")
        else:
            await when_possible(runtime, partial(_end, runtime, kind, row, lease, doing, left=leaving.done()))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _keep(runtime: Runtime, lease: Lease) -> None:
    """Renews the lease until it is lost."""
    while True:
        await asyncio.sleep(runtime.settings.heartbeat_seconds)
        try:
            async with runtime.db.write() as session:
                await leases.renew(session, lease)
        except LeaseLost:
            return
        except DatabaseDown as error:
            _log.warning("io.database_down", error=str(error))


async def _leave(runtime: Runtime) -> None:
    """Until a worker that goes down must hand back what is at hand: after its time to drain, or when asked twice."""
    await runtime.draining.wait()
    with suppress(TimeoutError):
        await asyncio.wait_for(runtime.force_stop.wait(), runtime.settings.drain_seconds)


async def _end(
    runtime: Runtime, kind: Kind[Errand], row: Errand, lease: Lease, doing: asyncio.Task[None], *, left: bool
) -> None:
    """Records what came of it, unless it did so itself. Raises LeaseLost and DatabaseDown."""
    if doing.cancelled():
        error: BaseException | None = None if left else TimeoutError("it took too long")
    else:
        error = doing.exception()
        if error is None:
            return
    if isinstance(error, LeaseLost):
        raise error
    async with runtime.db.write() as session:
        if not isinstance(error, Exception) or isinstance(error, DatabaseDown):
            await background.put_back(session, lease, Transition.HAND_BACK)
            return
        _log.error("io.fault", attempt=row.attempt, exc_info=error)
        if kind.give_up is None or row.attempt < runtime.settings.max_attempts:
            delay = backoff(row.attempt)
            await background.put_back(session, lease, Transition.RETRY_LATER, delay_ms=round(delay * 1000))
        else:
            await kind.give_up(session, lease, error)
