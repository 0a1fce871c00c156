"""Exports: documents asked for, rendered by the io worker under a lease like any job, kept until they expire."""

from collections.abc import Sequence

from sqlalchemy import Text, cast, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db import events
from db.accounts.owners import lock_owner
from db.domain.clock import now
from db.domain.errors import NotFound
from db.domain.ids import new_id
from db.domain.states import Transition
from db.domain.values import JobState, Problem
from db.models import Export
from db.queue import background, cleanups, leases
from db.queue.leases import Lease
from db.transcripts import job_id

EXPORT_TTL_MS = 7 * 24 * 3_600_000
"""The time for which a rendered document is kept, in milliseconds; it can always be made again."""


async def create(
    session: AsyncSession,
    owner_id: str,
    *,
    transcript_id: str,
    revision: int,
    format_: str,
    request: str,
    idempotency_key: str,
    filename: str,
    content_type: str,
    correlation_id: str,
    bundle: Sequence[tuple[str, int]] | None = None,
) -> tuple[Export, bool]:
    """Ask for a document; the same key gives the same export as long as that one is of use. Tell whether it did."""
    await lock_owner(session, owner_id)
    same = select(Export).where(col(Export.owner_id) == owner_id, col(Export.idempotency_key) == idempotency_key)
    earlier = (await session.execute(same)).scalar_one_or_none()
    if earlier is not None:
        if earlier.state is not JobState.FAILED and (earlier.expires_at is None or earlier.expires_at > now()):
            return earlier, True
        if earlier.blob_key:
            await cleanups.add(session, owner_id, [earlier.blob_key], correlation_id=correlation_id)
        await session.delete(earlier)
        await session.flush()
    export = Export(
        id=new_id("exp"),
        owner_id=owner_id,
        transcript_id=transcript_id,
        revision=revision,
        format=format_,
        request=request,
        idempotency_key=idempotency_key,
        filename=filename,
        content_type=content_type,
        correlation_id=correlation_id,
        bundle=None if bundle is None else list(bundle),
        created_at=now(),
    )
    session.add(export)
    await session.flush()
    await _report(session, export.owner_id, export.id, transcript_id)
    background.notify(session, Export, owner_id)
    return export, False


async def get(session: AsyncSession, owner_id: str, export_id: str) -> Export | None:
    """Return one export, or None when there is none that this owner may see."""
    return (await many(session, owner_id, [export_id])).get(export_id)


async def many(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, Export]:
    """Return the owner's exports among these ids."""
    statement = select(Export).where(col(Export.owner_id) == owner_id, col(Export.id).in_(ids))
    return {export.id: export for export in (await session.execute(statement)).scalars()}


async def remove(session: AsyncSession, owner_id: str, export_id: str) -> None:
    """Delete an export in any state; its file goes soon after. Raises NotFound."""
    gone = delete(Export).where(col(Export.owner_id) == owner_id, col(Export.id) == export_id)
    found = (await session.execute(gone.returning(col(Export.blob_key), col(Export.correlation_id)))).one_or_none()
    if found is None:
        raise NotFound("export", export_id)
    blob_key, correlation_id = found
    await cleanups.add(session, owner_id, [blob_key] if blob_key else [], correlation_id=correlation_id)


async def _report(session: AsyncSession, owner_id: str, export_id: str, transcript_id: str | None = None) -> None:
    """Tell everybody who looks what became of an export."""
    if transcript_id is None:
        mine = (col(Export.owner_id) == owner_id, col(Export.id) == export_id)
        transcript_id = (await session.execute(select(col(Export.transcript_id)).where(*mine))).scalar_one()
    await events.append(session, owner_id, job_id(transcript_id), [events.ExportReported(export_id)])


async def with_transcript(session: AsyncSession, owner_id: str, transcript_id: str) -> list[Export]:
    """Return the owner's exports that hold a transcript, bundles too, locked: none is finished meanwhile."""
    bundled = cast(col(Export.bundle), Text).contains(f'"{transcript_id}"', autoescape=True)
    statement = select(Export).where(
        col(Export.owner_id) == owner_id, or_(col(Export.transcript_id) == transcript_id, bundled)
    )
    return list((await session.execute(statement.with_for_update())).scalars())


# ---------------------------------------------------------------- the worker's side, under its lease


async def finish(
    session: AsyncSession, lease: Lease, *, blob_key: str, byte_size: int, sha256: str, page_count: int | None = None
) -> None:
    """Record that the document is stored. Raises LeaseLost."""
    at = now()
    await leases.transition(
        session,
        lease,
        Transition.SUCCEED,
        blob_key=blob_key,
        byte_size=byte_size,
        sha256=sha256,
        page_count=page_count,
        finished_at=at,
        expires_at=at + EXPORT_TTL_MS,
    )
    await _report(session, lease.owner_id, lease.id)


async def fail(session: AsyncSession, lease: Lease, problem: Problem) -> None:
    """Record that the document cannot be made. Raises LeaseLost."""
    await leases.transition(session, lease, Transition.FAIL, problem=problem, finished_at=now())
    await _report(session, lease.owner_id, lease.id)
