"""Files that come in pieces: written so that what was told to be durable is, and joined into one in the end.

In a folder a piece is a file that grows until its writer stops. In an object store it is an object of some megabytes,
because an upload in parts cannot be continued by another process there.
"""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import obstore
from obstore.store import ObjectStore

READ = 1 << 20
OBJECT_BYTES = 8 << 20
"""Of a piece in an object store, which is in memory until it is sent."""
SYNC_BYTES = 32 << 20
"""Written to a file until it is made durable: a process that is killed loses no more than that."""


class Stretch(NamedTuple):
    """So many bytes from the beginning of a file."""

    byte_size: int
    blob_key: str


class PieceWriter(Protocol):
    """Takes bytes; `flush` makes durable what has come since the last one, or all of the file since its beginning."""

    keys: list[str]
    """Of the files that were begun."""

    @property
    def unsaved(self) -> int:
        """Bytes that are not durable yet."""

    @property
    def enough(self) -> int:
        """The number of unsaved bytes at which to flush."""

    @property
    def grows(self) -> bool:
        """True if the next flush tells of the same file, which has become longer; else it is a new one."""

    async def write(self, chunk: bytes) -> None:
        """Take bytes."""

    async def flush(self) -> Stretch:
        """Make durable what was taken."""

    async def close(self) -> None:
        """End; what was not flushed is lost."""


class FilePiece:
    """A piece in a folder."""

    enough, grows = SYNC_BYTES, True

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key
        self.keys = [key]
        self._file: int | None = None
        self._size = self.unsaved = 0

    async def write(self, chunk: bytes) -> None:
        """Append to the file."""
        if self._file is None:
            self._file = await asyncio.to_thread(_create, self._folder / self._key)
        await asyncio.to_thread(_write_all, self._file, chunk, self._size)
        self._size += len(chunk)
        self.unsaved += len(chunk)

    async def flush(self) -> Stretch:
        """Wait until the disk has it."""
        if self._file is not None and self.unsaved:
            await asyncio.to_thread(os.fsync, self._file)
        self.unsaved = 0
        return Stretch(self._size, self._key)

    async def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class ObjectPieces:
    """Pieces in an object store, numbered in the order in which they are written."""

    enough, grows = OBJECT_BYTES, False

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store, self._key = store, key
        self.keys: list[str] = []
        self._buffer = bytearray()

    @property
    def unsaved(self) -> int:
        """Bytes that are only in memory."""
        return len(self._buffer)

    async def write(self, chunk: bytes) -> None:
        """Gather."""
        self._buffer += chunk

    async def flush(self) -> Stretch:
        """Send what is gathered as one object."""
        key, body = f"{self._key}.{len(self.keys)}", bytes(self._buffer)
        self.keys.append(key)
        await obstore.put_async(self._store, key, body, use_multipart=False)
        self._buffer.clear()
        return Stretch(len(body), key)

    async def close(self) -> None:
        """Forget what was not sent."""
        self._buffer.clear()


async def joined(store: ObjectStore, stretches: Iterable[Stretch]) -> AsyncIterator[bytes]:
    """Stream the bytes of all objects, one after the other. Raises FileNotFoundError."""
    for stretch in stretches:
        found = await obstore.get_async(store, stretch.blob_key)
        async for part in found.stream(min_chunk_size=READ):
            yield bytes(part)


def join_files(folder: Path, stretches: Sequence[Stretch], target: Path, *, final: bool) -> str:
    """Make one durable file of several, and return its SHA-256. A single one to which nobody can write any more
    (`final`) only gets another name.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    size = sum(stretch.byte_size for stretch in stretches)
    if final and len(stretches) == 1 and _link(folder / stretches[0].blob_key, target):
        os.truncate(target, size)
        digest = _copy(folder, stretches, None)
    else:
        draft = target.with_name(f"{target.name}#1")  # as the folder store names what is not whole yet
        with draft.open("wb", buffering=0) as sink:
            digest = _copy(folder, stretches, sink)
        draft.replace(target)
    sync_file(target)
    return digest


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        return False
    return True


def _copy(folder: Path, stretches: Iterable[Stretch], sink: io.FileIO | None) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(READ))
    for size, key in stretches:
        with (folder / key).open("rb", buffering=0) as source:
            left = size
            while left:
                count = source.readinto(buffer[: min(READ, left)])
                if not count:
                    raise FileNotFoundError(key)
                left -= count
                rest = buffer[:count]
                digest.update(rest)
                while sink is not None and rest:
                    rest = rest[sink.write(rest) :]
    return digest.hexdigest()


def sync_file(path: Path) -> None:
    """Wait until the disk has a file and its name."""
    for place in (path, path.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _create(path: Path) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the folder went with its last file
            continue
        sync_file(path)
        sync_file(path.parent)
        return handle


def _write_all(file: int, chunk: bytes, at: int) -> None:
    rest = memoryview(chunk)
    while rest:
        written = os.pwrite(file, rest, at)
        rest, at = rest[written:], at + written
