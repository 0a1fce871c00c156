"""An upload from its announcement to its end."""

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.clock import now
from db.domain.errors import InvalidInput, NotFound
from db.domain.ids import new_id
from db.queue import cleanups
from db.uploads.tables import Upload, UploadPiece

UPLOAD_TTL_MS = 24 * 3_600_000
"""The time that an upload may take, in milliseconds."""

PARTIAL = "partial"


async def create(
    session: AsyncSession,
    owner_id: str,
    *,
    filename: str,
    byte_size: int | None,
    sha256: str | None = None,
    concat: str = "",
    client_metadata: str = "",
) -> Upload:
    """Announce bytes to come; how many may be told later (None)."""
    at = now()
    upload = Upload(
        id=new_id("upl"),
        owner_id=owner_id,
        filename=filename,
        byte_size=byte_size or 0,
        deferred=byte_size is None,
        sha256=sha256,
        concat=concat,
        client_metadata=client_metadata,
        created_at=at,
        expires_at=at + UPLOAD_TTL_MS,
    )
    session.add(upload)
    await session.flush()
    return upload


async def find(session: AsyncSession, owner_id: str, upload_id: str) -> Upload:
    """Return one upload of the owner's, also when its time is over. Raises NotFound."""
    statement = select(Upload).where(col(Upload.owner_id) == owner_id, col(Upload.id) == upload_id)
    found = (await session.execute(statement)).scalar_one_or_none()
    if found is None:
        raise NotFound("upload", upload_id)
    return found


async def get(session: AsyncSession, owner_id: str, upload_id: str) -> Upload:
    """Return one upload of the owner's. Raises NotFound, also when its time is over."""
    found = await find(session, owner_id, upload_id)
    if found.expires_at < now():
        raise NotFound("upload", upload_id)
    return found


async def terminate(session: AsyncSession, owner_id: str, upload_id: str) -> None:
    """Forget an upload and its bytes; a recording that it has become stays. Raises NotFound."""
    await remove(session, owner_id, await find(session, owner_id, upload_id))


async def remove(session: AsyncSession, owner_id: str, upload: Upload) -> None:
    """Forget an upload that was read in this transaction; its pieces go soon after."""
    mine = delete(UploadPiece).where(col(UploadPiece.owner_id) == owner_id, col(UploadPiece.upload_id) == upload.id)
    keys = (await session.execute(mine.returning(col(UploadPiece.blob_key)))).scalars().all()
    await session.execute(delete(Upload).where(col(Upload.owner_id) == owner_id, col(Upload.id) == upload.id))
    await cleanups.add(session, owner_id, keys)


async def concatenate(
    session: AsyncSession, owner_id: str, upload_id: str, part_ids: Sequence[str], *, concat: str, limit: int
) -> Upload:
    """Make an upload of the bytes of partial ones, in this order; they go. Raises InvalidInput."""
    if not part_ids or len(set(part_ids)) < len(part_ids):
        raise InvalidInput("Upload-Concat", "Name each of the partial uploads once.")
    wanted = select(Upload).where(col(Upload.owner_id) == owner_id, col(Upload.id).in_(part_ids))
    rows = (await session.execute(wanted.order_by(col(Upload.id)).with_for_update())).scalars()
    parts = {part.id: part for part in rows if part.concat == PARTIAL and part.expires_at >= now()}
    upload = await get(session, owner_id, upload_id)
    size = 0
    for part_id in part_ids:
        part = parts.get(part_id)
        if part is None or not part.is_whole:
            raise InvalidInput("Upload-Concat", "One of these is no partial upload, or is not complete.")
        mine = (col(UploadPiece.owner_id) == owner_id, col(UploadPiece.upload_id) == part_id)
        moved = update(UploadPiece).where(*mine).values(upload_id=upload_id, start=col(UploadPiece.start) + size)
        await session.execute(moved, execution_options={"synchronize_session": False})
        await session.execute(delete(Upload).where(col(Upload.owner_id) == owner_id, col(Upload.id) == part_id))
        size += part.byte_size
    if not 0 < size <= limit or (upload.length_known and size != upload.byte_size):
        expected = upload.byte_size if upload.length_known else limit
        raise InvalidInput("Upload-Concat", f"The parts have {size} bytes together; {expected} were announced or fit.")
    if upload.received or upload.concat:
        raise InvalidInput("Upload-Concat", "This upload has bytes already.")
    upload.byte_size = upload.received = size
    upload.concat, upload.fence = concat, upload.fence + 1
    await session.flush()
    return upload
