"""Bytes that continue an upload: what arrives is kept, also when the connection breaks."""

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

from db import uploads
from db.domain.errors import LimitExceeded
from db.store.blobs import Blobs
from db.store.session import Database
from db.uploads import Piece
from db.uploads.tables import Upload

GATHERED = 1 << 20
"""Bytes that are written at once."""
SAVE_SECONDS = 2.0
"""Between two moments at which what came is made durable: so much is lost with a process that is killed, or that
another one takes an upload over from.
"""


class ChecksumMismatch(Exception):
    """The bytes are not those that the client sent; none of them was kept."""


class Checksum(NamedTuple):
    """The digest that all bytes of one request must have."""

    algorithm: str
    digest: bytes


async def receive(
    db: Database,
    blobs: Blobs,
    upload: Upload,
    chunks: AsyncIterator[bytes],
    *,
    limit: int,
    checksum: Checksum | None = None,
) -> int:
    """Append bytes to an upload to which the caller has the right to write; return where it goes on.

    A stream that breaks off is kept as far as it came, except under a checksum: then all or nothing. Raises what
    `chunks` raises, LimitExceeded (the upload would be longer than `limit`), ChecksumMismatch and LeaseLost.
    """
    part = _Part(db, blobs, upload, checksum)
    try:
        broken = await part.take(chunks, limit)
        await part.finish(broken)
    finally:
        await part.close()
    return upload.received


class _Part:
    """The bytes that one request brings."""

    def __init__(self, db: Database, blobs: Blobs, upload: Upload, checksum: Checksum | None) -> None:
        self._db, self._blobs, self._upload, self._checksum = db, blobs, upload, checksum
        self._sink = blobs.pieces(f"uploads/{upload.id}.{upload.received}.{upload.fence}")
        self._hash = None if checksum is None else hashlib.new(checksum.algorithm, usedforsecurity=False)
        self._gathered = bytearray()
        self._start = upload.received  # of the piece in hand
        self._saved_at = time.monotonic()
        self._durable: list[Piece] = []  # and not recorded yet
        self._kept: set[str] = set()

    async def take(self, chunks: AsyncIterator[bytes], limit: int) -> Exception | None:
        """Write what comes, until it ends; return what broke it off."""
        end = self._upload.received
        while True:
            try:
                chunk = await anext(chunks, None)
            except Exception as broken:  # noqa: BLE001  it is raised once all that came is kept
                return broken
            if chunk is None:
                return None
            end += len(chunk)
            if end > limit:
                message = "More bytes arrive than belong to this upload."
                raise LimitExceeded(message, limit=limit, actual=end, unit="bytes")
            self._gathered += chunk
            late = self._checksum is None and time.monotonic() - self._saved_at > SAVE_SECONDS
            if late or len(self._gathered) >= GATHERED:
                await self._write()
            if late or self._sink.unsaved >= self._sink.enough:
                await self._flush()

    async def finish(self, broken: Exception | None) -> None:
        """Make the rest durable and record it, if it may be kept; raise what broke it off."""
        if broken is not None and self._checksum is not None:
            raise broken
        await self._write()
        if self._checksum and self._hash and not hmac.compare_digest(self._hash.digest(), self._checksum.digest):
            raise ChecksumMismatch
        if self._sink.unsaved:
            await self._flush()
        await self._record()
        if broken is not None:
            raise broken

    async def close(self) -> None:
        """Close the file, and delete what no row refers to."""
        await self._sink.close()
        for key in set(self._sink.keys) - self._kept:
            await self._blobs.delete(key)

    async def _write(self) -> None:
        if self._gathered:
            chunk = bytes(self._gathered)
            self._gathered.clear()
            if self._hash is not None:
                self._hash.update(chunk)
            await self._sink.write(chunk)

    async def _flush(self) -> None:
        stretch = await self._sink.flush()
        self._saved_at = time.monotonic()
        piece = Piece(self._start, *stretch)
        if self._sink.grows:
            self._durable = [piece]
        else:
            self._durable.append(piece)
            self._start += piece.byte_size
        if self._checksum is None:
            await self._record()

    async def _record(self) -> None:
        if not self._durable:
            return
        async with self._db.write() as session:
            await uploads.record(session, self._upload, self._durable)
        last = self._durable[-1]
        self._kept |= {piece.blob_key for piece in self._durable}
        self._upload.received = last.start + last.byte_size
        self._durable = []
