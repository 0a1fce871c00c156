"""A whole installation in one ZIP: rows as JSON lines, files, secrets; either kind of database takes it back.

    backup.json         format, revision, instant, rows of each table, number of files
    rows/TABLE.jsonl    the referenced tables first
    files/KEY           recordings, checkpoints, documents
    secrets/NAME        the token and the signing key, where they are the data folder's own

The rows are those of one instant. Files are written once and never changed, so they agree with the rows although the
server runs on; one that is deleted in between is missing here as it is there.
"""

import os
import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from db.backup.rows import BATCH, Batch, CannotCopy, fill, read, snapshot
from db.domain.clock import now
from db.migrate import revision_of
from db.store.blobs import CHUNK, Blobs

FORMAT = 1
_MANIFEST = "backup.json"


class Manifest(msgspec.Struct):
    """The facts of a backup: the format of the archive, the database's revision, what it holds."""

    format: int
    revision: str
    made_at: int
    rows: dict[str, int]
    files: int


async def write(target: Path, database_url: str, blobs: Blobs, secrets: Iterable[Path]) -> Manifest:
    """Write everything to a new file, readable by its owner only; it has its name once it is whole.

    Raises CannotCopy for a database of another version and where a file is already, and what database and store say.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as opened:
            with zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                manifest = await _write(archive, database_url, blobs, secrets)
            opened.flush()
            os.fsync(opened.fileno())
        os.link(draft, target)  # unlike a rename, it fails where somebody's file is
    except FileExistsError:
        raise CannotCopy(f"{target} is there already: name a new file.") from None
    finally:
        draft.unlink(missing_ok=True)
    return manifest


async def restore(source: Path, database_url: str, blobs: Blobs, home: Path) -> Manifest:
    """Put a backup into an empty database and an empty store: rows all or none, files before them, secrets at last.

    Raises CannotCopy for what is no whole backup, for one that a newer version made, and where something is already.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = _manifest(archive)
            if (damaged := archive.testzip()) is not None:
                raise CannotCopy(f"{damaged} in {source} is damaged: take another backup.")
            taken = [name for name in _names(archive, "secrets/") if (home / name).exists()]
            if taken:
                raise CannotCopy(f"{home / taken[0]} is there already: GRAPHOPHONE_HOME must be a new folder.")
            await _restore_files(archive, blobs)
            await fill(database_url, manifest.revision, lambda write: write(_rows(archive, manifest)))
            for name in _names(archive, "secrets/"):
                with os.fdopen(os.open(home / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as secret:
                    secret.write(archive.read(f"secrets/{name}"))
    except zipfile.BadZipFile:
        raise CannotCopy(f"{source} is no backup, or its end is missing.") from None
    return manifest


async def _write(archive: zipfile.ZipFile, database_url: str, blobs: Blobs, secrets: Iterable[Path]) -> Manifest:
    def rows(connection: Connection) -> tuple[str, dict[str, int]]:
        revision, counts = revision_of(connection)[0], {}
        for name, batches in _by_table(read(connection)):
            counts[name] = 0
            with archive.open(f"rows/{name}.jsonl", "w", force_zip64=True) as member:
                for batch in batches:
                    member.write(b"".join(msgspec.json.encode(row) + b"\n" for row in batch))
                    counts[name] += len(batch)
        return revision or "", counts

    async with snapshot(database_url) as connection:
        revision, counts = await connection.run_sync(rows)
    files = 0
    async for key, _ in blobs.all_files():
        stored = zipfile.ZipInfo(f"files/{key}")  # sound does not shrink
        stored.external_attr = 0o600 << 16
        try:
            chunks = blobs.read(key)
            first = await anext(chunks, b"")
        except FileNotFoundError:
            continue  # it was deleted meanwhile
        with archive.open(stored, "w", force_zip64=True) as member:
            member.write(first)
            async for chunk in chunks:
                member.write(chunk)
        files += 1
    for secret in secrets:
        if secret.exists():
            archive.writestr(f"secrets/{secret.name}", secret.read_bytes())
    manifest = Manifest(FORMAT, revision, now(), counts, files)
    archive.writestr(_MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


async def _restore_files(archive: zipfile.ZipFile, blobs: Blobs) -> None:
    for key in _names(archive, "files/"):
        if key.startswith("/") or ".." in key.split("/"):
            raise CannotCopy(f"{key} is no key of ours: this is no backup.")

        async def chunks(member: str = f"files/{key}") -> AsyncIterator[bytes]:
            with archive.open(member) as opened:
                while chunk := opened.read(CHUNK):
                    yield chunk

        await blobs.write(key, chunks(), limit=archive.getinfo(f"files/{key}").file_size)


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        manifest = msgspec.json.decode(archive.read(_MANIFEST), type=Manifest)
    except (KeyError, msgspec.MsgspecError):
        raise CannotCopy("This ZIP is no backup of Graphophone's.") from None
    if manifest.format > FORMAT:
        raise CannotCopy("A newer version made this backup: restore it with that one, and upgrade then.")
    return manifest


def _names(archive: zipfile.ZipFile, folder: str) -> list[str]:
    return [name.removeprefix(folder) for name in archive.namelist() if name.startswith(folder)]


def _rows(archive: zipfile.ZipFile, manifest: Manifest) -> Iterator[Batch]:
    for name, count in manifest.rows.items():
        with archive.open(f"rows/{name}.jsonl") as member:
            found, batch = 0, []
            for line in member:
                batch.append(msgspec.json.decode(line))
                found += 1
                if len(batch) == BATCH:
                    yield name, batch
                    batch = []
            if batch:
                yield name, batch
        if found != count:
            raise CannotCopy(f"rows/{name}.jsonl has {found} rows of {count}: this backup is damaged.")


def _by_table(batches: Iterator[Batch]) -> Iterator[tuple[str, Iterator[Any]]]:
    for name, group in groupby(batches, key=lambda batch: batch[0]):
        yield name, (rows for _, rows in group)
