"""Files by key: a folder, or S3, GCS or Azure, through obstore. A key is written whole or not at all."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

from db.domain.errors import LimitExceeded, StorageFull
from db.settings import StoreSettings
from db.store.pieces import FilePiece, ObjectPieces, PieceWriter, Stretch, join_files, joined, sync_file

CHUNK = 1 << 20
SPARE_BYTES = 256 << 20
"""Of a disk, that no upload may take: the database and the work in hand need some."""


class Stored(NamedTuple):
    """The size and the hash of a file as written."""

    byte_size: int
    sha256: str


class Blobs:
    """The store of recordings, checkpoints and rendered documents."""

    def __init__(self, settings: StoreSettings) -> None:
        self._folder: Path | None = None
        self._store: ObjectStore
        if settings.storage_url:
            self._store = from_url(settings.storage_url)
        else:
            self._folder = (settings.home / "files").absolute()
            self._folder.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self._folder, mkdir=True, automatic_cleanup=True)

    async def check(self) -> None:
        """Look whether the store answers. Raises what it says when it does not, or when there is no such bucket."""
        with suppress(FileNotFoundError):
            await obstore.head_async(self._store, "graphophone-is-there")

    async def write(self, key: str, chunks: AsyncIterator[bytes], *, limit: int) -> Stored:
        """Stream bytes in, in memory of a few megabytes; nothing is kept when the stream breaks off or goes over
        `limit` bytes (LimitExceeded).
        """
        digest, size = hashlib.sha256(), 0
        async with obstore.open_writer_async(self._store, key, buffer_size=8 * CHUNK, max_concurrency=2) as sink:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise LimitExceeded("The file is too large.", limit=limit, actual=size, unit="bytes")
                digest.update(chunk)
                await sink.write(chunk)
        await self._sync(key)
        return Stored(size, digest.hexdigest())

    async def put(self, key: str, body: bytes) -> Stored:
        """Store a small document."""
        await obstore.put_async(self._store, key, body)
        await self._sync(key)
        return Stored(len(body), hashlib.sha256(body).hexdigest())

    async def read(self, key: str, part: tuple[int, int] | None = None) -> AsyncIterator[bytes]:
        """Stream a file out, or its bytes from `part[0]` up to before `part[1]`. Raises FileNotFoundError."""
        found = await obstore.get_async(self._store, key, options={"range": part} if part else None)
        async for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    async def local_path(self, key: str, scratch: Path) -> Path:
        """Return the path of the file on this machine: its own in a folder store, otherwise that of a copy in
        `scratch`.
        """
        if self._folder is not None:
            return self._folder / key
        target = scratch / key.replace("/", "_")
        if not target.exists():
            partial = target.with_suffix(".partial")
            await self.fetch(key, partial)
            partial.replace(target)
        return target

    async def fetch(self, key: str, target: Path) -> None:
        """Copy a file out."""
        with target.open("wb") as sink:
            async for chunk in self.read(key):
                sink.write(chunk)

    async def store(self, key: str, source: Path) -> None:
        """Copy a file in."""
        await obstore.put_async(self._store, key, source)
        await self._sync(key)

    async def check_room(self, byte_size: int) -> None:
        """Raise StorageFull where so many bytes will not fit; an object store has room for them."""
        if self._folder is not None:
            free = (await asyncio.to_thread(shutil.disk_usage, self._folder)).free
            if free < byte_size + SPARE_BYTES:
                raise StorageFull

    def pieces(self, key: str) -> PieceWriter:
        """Return what writes a file, or files, of a part of an upload, whose keys begin with this one."""
        return FilePiece(self._folder, key) if self._folder is not None else ObjectPieces(self._store, key)

    async def join(self, key: str, stretches: Sequence[Stretch], *, final: bool = False) -> Stored:
        """Make one file of pieces, which stay. `final`: nobody can write to them any more, so that a single one in a
        folder need not be copied. Raises FileNotFoundError.
        """
        size = sum(stretch.byte_size for stretch in stretches)
        if self._folder is None:
            return await self.write(key, joined(self._store, stretches), limit=size)
        digest = await asyncio.to_thread(join_files, self._folder, stretches, self._folder / key, final=final)
        return Stored(size, digest)

    async def all_files(self) -> AsyncIterator[tuple[str, datetime]]:
        """List the files that are there, with the instants at which they were written last."""
        async for part in obstore.list(self._store):
            for file in part:
                yield file["path"], file["last_modified"]

    async def _sync(self, key: str) -> None:
        """Wait until the disk has it: a row that refers to it must not outlive it."""
        if self._folder is not None:
            await asyncio.to_thread(sync_file, self._folder / key)

    async def delete(self, key: str) -> None:
        """Remove a file and what a writer that was killed left of it; one that is not there is no error."""
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)
        if self._folder is not None:
            await asyncio.to_thread(_remove_parts, self._folder / key)


def _remove_parts(file: Path) -> None:
    """Remove what a killed writer left: a folder store writes to `file#1`, or the next free number, and renames at the
    end.
    """
    for number in count(1):
        part = file.with_name(f"{file.name}#{number}")
        if not part.exists():
            return
        part.unlink()
