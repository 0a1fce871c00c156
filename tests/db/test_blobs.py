"""Files by key, in a folder and in S3."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.domain.errors import LimitExceeded
from db.settings import StoreSettings
from db.store.blobs import Blobs
from tests.fixtures.uploading import make_bucket

BIG = bytes(range(256)) * 50_000  # several parts of a multipart upload


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    if request.param == "folder":
        return Blobs(StoreSettings(home=tmp_path))
    bucket = make_bucket(request.getfixturevalue("s3_endpoint"), tmp_path.name, monkeypatch)
    return Blobs(StoreSettings(home=tmp_path, storage_url=bucket))


async def chunks(body: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(blobs: Blobs, key: str, part: tuple[int, int] | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key, part)])


async def test_what_was_streamed_in_streams_out(blobs: Blobs) -> None:
    stored = await blobs.write("a/b", chunks(BIG), limit=len(BIG))
    assert stored.byte_size == len(BIG)
    assert await read(blobs, "a/b") == BIG


async def test_a_part_of_a_file_can_be_read(blobs: Blobs) -> None:
    await blobs.put("a", b"0123456789")
    assert await read(blobs, "a", (3, 7)) == b"3456"


async def test_a_file_over_the_limit_leaves_nothing(blobs: Blobs) -> None:
    with pytest.raises(LimitExceeded):
        await blobs.write("a", chunks(BIG), limit=len(BIG) - 1)
    with pytest.raises(FileNotFoundError):
        await read(blobs, "a")


async def test_a_stream_that_breaks_off_leaves_nothing(blobs: Blobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield BIG
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.write("a", broken(), limit=2 * len(BIG))
    with pytest.raises(FileNotFoundError):
        await read(blobs, "a")


async def test_a_file_is_brought_to_this_machine_once(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put("x/y", b"body")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    first = await blobs.local_path("x/y", scratch)
    assert first.read_bytes() == b"body"
    assert await blobs.local_path("x/y", scratch) == first


async def test_deleting_twice_is_no_error(blobs: Blobs) -> None:
    await blobs.put("a", b"x")
    await blobs.delete("a")
    await blobs.delete("a")
    with pytest.raises(FileNotFoundError):
        await read(blobs, "a")
