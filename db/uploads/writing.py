"""The right to write to an upload, and the bytes of it that are durable.

Each request that writes takes the next number of the row's fence. The bytes that it has made durable count only as long
as that number is still the newest, so that a request that hangs, in whatever process, changes nothing once another has
begun.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.errors import Conflict, InvalidInput, LeaseLost, LimitExceeded, NotFound
from db.domain.values import Problem
from db.queue import cleanups
from db.uploads.tables import Upload, UploadPiece

MAX_PIECES = 10_000
"""Pieces of one upload: with so many, they are too small."""


class Piece(NamedTuple):
    """A stretch of bytes that is durable: so many from the beginning of a file."""

    start: int
    byte_size: int
    blob_key: str


async def claim(
    session: AsyncSession, owner_id: str, upload_id: str, *, offset: int, limit: int, byte_size: int | None = None
) -> Upload:
    """Take the right to write from `offset` on; a length that was left open may be told now.

    Raises NotFound, Conflict (the upload goes on elsewhere), InvalidInput (the length) and LimitExceeded (its length or
    its pieces).
    """
    taken = update(Upload).where(*_mine(owner_id, upload_id)).values(fence=col(Upload.fence) + 1).returning(Upload)
    fresh = {"populate_existing": True, "synchronize_session": False}
    upload = (await session.execute(taken, execution_options=fresh)).scalar_one_or_none()
    if upload is None:
        raise NotFound("upload", upload_id)
    if upload.received != offset:
        facts = {"offset": upload.received}
        raise Conflict(f"The upload goes on at byte {upload.received}, not at {offset}.", facts)
    if byte_size is not None:
        if upload.length_known or byte_size < max(offset, 1):
            raise InvalidInput("Upload-Length", "The length is known already, or is less than what is there.")
        if byte_size > limit:
            raise LimitExceeded("The file is too large.", limit=limit, actual=byte_size, unit="bytes")
        upload.byte_size = byte_size
        await session.flush()
    count = select(func.count()).select_from(UploadPiece).where(*_pieces_of(owner_id, upload_id))
    found = (await session.execute(count)).scalar_one()
    if found >= MAX_PIECES:
        message = "The upload came in too small pieces; begin again with larger ones."
        raise LimitExceeded(message, limit=MAX_PIECES, actual=found, unit="pieces")
    return upload


async def record(session: AsyncSession, upload: Upload, durable: Sequence[Piece]) -> None:
    """Count pieces, the last of which may have grown since it was counted first. Raises LeaseLost when another request
    has the right to write by now.
    """
    end = durable[-1].start + durable[-1].byte_size
    mine = update(Upload).where(*_mine(upload.owner_id, upload.id), col(Upload.fence) == upload.fence)
    written = mine.values(received=end).returning(col(Upload.id))
    if (await session.execute(written, execution_options={"synchronize_session": False})).first() is None:
        raise LeaseLost("Another request goes on with this upload.")
    again = col(UploadPiece.start).in_([piece.start for piece in durable])
    await session.execute(delete(UploadPiece).where(*_pieces_of(upload.owner_id, upload.id), again))
    session.add_all(UploadPiece(upload_id=upload.id, owner_id=upload.owner_id, **piece._asdict()) for piece in durable)
    await session.flush()


async def pieces(session: AsyncSession, owner_id: str, upload_id: str) -> list[Piece]:
    """Return what is durable, in order."""
    found = select(col(UploadPiece.start), col(UploadPiece.byte_size), col(UploadPiece.blob_key)).where(
        *_pieces_of(owner_id, upload_id)
    )
    return [Piece(*row) for row in await session.execute(found.order_by(col(UploadPiece.start)))]


async def release(session: AsyncSession, owner_id: str, upload_id: str, problem: Problem | None = None) -> None:
    """Let go of the pieces, because they were joined, or because what they are is no recording."""
    gone = delete(UploadPiece).where(*_pieces_of(owner_id, upload_id)).returning(col(UploadPiece.blob_key))
    await cleanups.add(session, owner_id, (await session.execute(gone)).scalars().all())
    if problem is not None:
        told = update(Upload).where(*_mine(owner_id, upload_id), col(Upload.media_id).is_(None))
        await session.execute(told.values(problem=problem), execution_options={"synchronize_session": False})


def _mine(owner_id: str, upload_id: str) -> tuple[ColumnElement[bool], ...]:
    return col(Upload.owner_id) == owner_id, col(Upload.id) == upload_id


def _pieces_of(owner_id: str, upload_id: str) -> tuple[ColumnElement[bool], ...]:
    return col(UploadPiece.owner_id) == owner_id, col(UploadPiece.upload_id) == upload_id
