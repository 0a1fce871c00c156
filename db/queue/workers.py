"""The workers that are up and what they can do: each says so with every heartbeat. Shared by all owners."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.values import WorkerFacts
from db.models import Worker
from db.store.clock import db_now

SILENT_MS = 30_000
"""A worker that has not been heard of for this long is not online."""


class Online(msgspec.Struct, frozen=True):
    """A worker that was heard of just now."""

    id: str
    kind: str
    facts: WorkerFacts


async def beat(session: AsyncSession, worker_id: str, kind: str, facts: WorkerFacts) -> None:
    """Record that this worker is up and can do this; forget workers that have been silent for an hour."""
    text = msgspec.json.encode(facts).decode()
    await gone(session, worker_id)
    await session.execute(delete(Worker).where(col(Worker.seen_at) < db_now() - 120 * SILENT_MS))
    session.add(Worker(id=worker_id, kind=kind, seen_at=0, facts=text))
    await session.flush()
    await session.execute(update(Worker).where(col(Worker.id) == worker_id).values(seen_at=db_now()))


async def gone(session: AsyncSession, worker_id: str) -> None:
    """Record that this worker is going down."""
    await session.execute(delete(Worker).where(col(Worker.id) == worker_id))


async def online(session: AsyncSession) -> Sequence[Online]:
    """Return the workers that are up, by the database's clock."""
    statement = select(Worker).where(col(Worker.seen_at) > db_now() - SILENT_MS).order_by(col(Worker.id))
    rows = (await session.execute(statement)).scalars()
    return [Online(row.id, row.kind, msgspec.json.decode(row.facts, type=WorkerFacts)) for row in rows]
