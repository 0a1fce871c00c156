"""Files that killed processes have left in the store: found, proven by the rows, and gone; all others stay."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import col

from db import uploads
from db.accounts import owners
from db.models import Job, Media
from db.queue import cleanups
from db.settings import StoreSettings
from db.store.blobs import Blobs
from db.store.session import Database
from db.uploads import Piece
from db.uploads.tables import UploadPiece
from tasks.runtime.leftovers import GRACE, sweep
from tests.factories import queued

OWNER = "usr_a"
NOW = timedelta(0)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(StoreSettings(home=tmp_path))


async def keys_of(blobs: Blobs) -> set[str]:
    return {key async for key, _ in blobs.all_files()}


async def stored(database: Database, blobs: Blobs) -> set[str]:
    """A file of each kind that rows refer to; one recording shares its file."""
    job = await queued(database, OWNER)
    other = await queued(database, OWNER)
    async with database.write() as session:
        upload = await uploads.create(session, OWNER, filename="a.wav", byte_size=9)
        await uploads.record(session, upload, [Piece(0, 3, f"uploads/{upload.id}.0.1")])
        moved = await uploads.create(session, OWNER, filename="b.wav", byte_size=9)
        session.add(
            UploadPiece(upload_id=moved.id, start=0, owner_id=OWNER, byte_size=3, blob_key="uploads/upl_gone.0.1")
        )
        checkpoints = {"peaks": f"jobs/{job.id}/1/peaks"}
        await session.execute(update(Job).where(col(Job.id) == job.id).values(checkpoints=checkpoints))
        await session.execute(update(Media).where(col(Media.id) == other.media_id).values(blob_key="media/med_gone"))
        await cleanups.reserve(session, OWNER, "media/med_written", ms=60_000)
    known = {f"media/{job.media_id}", "media/med_gone", "media/med_written", f"jobs/{job.id}/1/peaks"}
    known |= {f"uploads/{upload.id}.0.1", "uploads/upl_gone.0.1"}
    for key in known:
        await blobs.put(key, b"x")
    return known | {await _left(blobs, job.id)}


async def _left(blobs: Blobs, _job_id: str) -> str:
    await blobs.put("backup-of-somebody/else", b"x")
    return "backup-of-somebody/else"


async def test_what_no_row_refers_to_goes_and_all_else_stays(database: Database, blobs: Blobs) -> None:
    known = await stored(database, blobs)
    for key in ("media/med_left", "uploads/upl_left.0.1", "jobs/job_left/1/samples", "exports/exp_left/1"):
        await blobs.put(key, b"x")
    assert await sweep(database, blobs) == 0  # nothing of it is old yet
    assert await sweep(database, blobs, grace=NOW) == 4
    assert await keys_of(blobs) == known


async def test_a_store_of_which_the_rows_know_less_than_half_is_left_alone(database: Database, blobs: Blobs) -> None:
    async with database.write() as session:
        await owners.ensure(session, OWNER)
    await blobs.put("media/med_of_another_installation", b"x")
    assert await sweep(database, blobs, grace=NOW) == 0
    assert await keys_of(blobs) == {"media/med_of_another_installation"}


def test_whatever_is_under_way_is_younger_than_what_is_swept() -> None:
    assert timedelta(milliseconds=uploads.UPLOAD_TTL_MS) * 2 <= GRACE
