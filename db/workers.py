"""The workers that are up and what they can do: each says so with every heartbeat. Shared by all owners."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.clock import db_now
from db.models import Worker

SILENT_MS = 30_000
"""A worker that has not been heard of for this long is not online."""


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A speech model that a worker can run. `languages` are ISO 639-1 codes."""

    name: str
    languages: tuple[str, ...] = ()
    loaded: bool = False
    default: bool = False


class FeatureFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Something optional: whether it works, with what model, and if not, why."""

    available: bool
    reason: str | None = None
    model: str | None = None


class WorkerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker can do. `any_model`: other models than those listed can be fetched by name."""

    models: tuple[ModelFacts, ...] = ()
    any_model: bool = False
    alignment_languages: tuple[str, ...] = ()
    diarization: FeatureFacts | None = None


class Online(msgspec.Struct, frozen=True):
    """A worker that was heard of just now."""

    id: str
    kind: str
    facts: WorkerFacts


async def beat(session: AsyncSession, worker_id: str, kind: str, facts: WorkerFacts) -> None:
    """Says that this worker is up and can do this; forgets workers that have been silent for an hour."""
    text = msgspec.json.encode(facts).decode()
    await gone(session, worker_id)
    await session.execute(delete(Worker).where(col(Worker.seen_at) < db_now() - 120 * SILENT_MS))
    session.add(Worker(id=worker_id, kind=kind, seen_at=0, facts=text))
    await session.flush()
    await session.execute(update(Worker).where(col(Worker.id) == worker_id).values(seen_at=db_now()))


async def gone(session: AsyncSession, worker_id: str) -> None:
    """Says that this worker is going down."""
    await session.execute(delete(Worker).where(col(Worker.id) == worker_id))


async def online(session: AsyncSession) -> Sequence[Online]:
    """The workers that are up, by the database's clock."""
    statement = select(Worker).where(col(Worker.seen_at) > db_now() - SILENT_MS).order_by(col(Worker.id))
    rows = (await session.execute(statement)).scalars()
    return [Online(row.id, row.kind, msgspec.json.decode(row.facts, type=WorkerFacts)) for row in rows]
