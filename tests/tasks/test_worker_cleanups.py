"""Files that nothing refers to are deleted by the io worker, whatever happens to it or to the storage."""

import asyncio
import signal
import threading
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from db.accounts import owners
from db.domain.values import JobState
from db.models import Cleanup, Export
from db.queue import cleanups
from tests.api.test_files import announced, speech
from tests.fixtures.servers import running
from tests.fixtures.workers import Crew, Worker, locked, reached, until
from tests.tasks.test_worker_exports import asked
from tests.test_up import family

OWNER = "usr_a"
MANY = 5_000
"""Files enough for a clean-up that takes seconds."""


async def given_away(crew: Crew, *keys: str) -> Cleanup:
    """Files that are to go; the row that says so."""
    async with crew.db.write() as session:
        await owners.ensure(session, OWNER)
        await cleanups.add(session, OWNER, keys)
    [row] = await crew.cleanups()
    return row


async def many_given_away(crew: Crew) -> Cleanup:
    folder = crew.home / "files" / "many"
    folder.mkdir(parents=True)
    for number in range(MANY):
        (folder / str(number)).touch()
    return await given_away(crew, *(f"many/{number}" for number in range(MANY)))


async def all_gone(crew: Crew, folder: str = "") -> None:
    await reached(crew.cleanups, lambda rows: not rows)
    assert crew.files(folder) == []


async def half_done(crew: Crew, worker: Worker) -> None:
    """Returns while a worker deletes."""
    await until(lambda: not (crew.home / "files" / "many" / "100").exists())
    assert worker.process.poll() is None


async def time_is_over(crew: Crew) -> None:
    """For files that are being written, as time would tell."""
    async with crew.db.write() as session:
        await session.execute(update(Cleanup).values(run_after=0))


async def killed_while_writing(crew: Crew, worker: Worker, export: Export) -> bool:
    """Kills a worker once the document is stored and no row points to it; False when the worker was quicker."""
    notes: list[Cleanup] = []
    while not notes:
        notes = await crew.cleanups()
        if (await crew.export(export, lambda _: True)).state is JobState.SUCCEEDED:
            return False
    async with crew.db.write() as session:
        if not await locked(session, notes[0]):
            return False
        await until(lambda: crew.files(f"exports/{export.id}") != [])
        worker.kill()
    return True


async def test_all_files_of_a_deleted_job_go(crew: Crew) -> None:
    await crew.start()
    await crew.start("io")
    job = await crew.ends(await crew.submit())
    await crew.export(await asked(crew, job), lambda row: row.state is JobState.SUCCEEDED)
    assert {key.partition("/")[0] for key in crew.files()} == {"media", "jobs", "exports"}
    await crew.delete(job)
    await all_gone(crew)
    assert list((crew.home / "files").iterdir()) == []


async def test_an_export_s_file_goes_when_its_time_is_over(crew: Crew) -> None:
    await crew.start()
    await crew.start("io")
    done = await crew.export(
        await asked(crew, await crew.ends(await crew.submit())), lambda row: row.state is JobState.SUCCEEDED
    )
    async with crew.db.write() as session:
        await session.execute(update(Export).where(col(Export.id) == done.id).values(expires_at=1))
    await crew.start("io")  # it looks at once
    await crew.export(done, lambda row: row.blob_key is None)
    await all_gone(crew, "exports")


async def test_a_storage_that_fails_for_a_while_delays_a_file_and_keeps_no_other(crew: Crew) -> None:
    in_its_place = crew.home / "files" / "b"
    in_its_place.mkdir()
    for key in ("a", "c"):
        await crew.blobs.put(key, b"x")
    await given_away(crew, "a", "b", "c")
    worker = await crew.start("io", MAX_ATTEMPTS="1")
    [row] = await reached(crew.cleanups, lambda rows: rows[0].attempt >= 2)
    assert row.run_after > 0
    assert crew.files() == []
    assert worker.said("files cannot be deleted")
    worker.stop()  # or it would find nothing there in between, which is as good as deleted
    in_its_place.rmdir()
    await crew.blobs.put("b", b"x")
    worker.signal(signal.SIGCONT)
    await all_gone(crew)


async def test_a_cleanup_that_a_killed_worker_left_half_done_is_finished_by_another(crew: Crew) -> None:
    await many_given_away(crew)
    first = await crew.start("io")
    await half_done(crew, first)
    first.kill()
    assert 0 < len(crew.files("many")) < MANY
    [row] = await crew.cleanups()
    assert row.state is JobState.RUNNING
    await crew.start("io")
    await all_gone(crew)


async def test_a_worker_that_froze_in_a_cleanup_changes_nothing_when_it_wakes_up(crew: Crew) -> None:
    row = await many_given_away(crew)
    zombie = await crew.start("io")
    await half_done(crew, zombie)
    await crew.freeze(zombie, row)
    assert len(await crew.cleanups()) == 1
    await crew.start("io")
    await all_gone(crew)
    zombie.signal(signal.SIGCONT)
    await until(lambda: zombie.said("cleanup.lease_lost"))
    assert not zombie.said("cleanup.done")


async def test_a_worker_that_goes_down_hands_a_cleanup_back_uncharged(crew: Crew) -> None:
    await many_given_away(crew)
    worker = await crew.start("io", DRAIN_SECONDS="0")
    await half_done(crew, worker)
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(20) == 0
    [row] = await crew.cleanups()
    assert (row.state, row.attempt, row.crashes) == (JobState.QUEUED, 0, 0)


async def test_a_document_whose_worker_dies_before_its_row_points_to_it_goes(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit())
    worker = await crew.start("io")
    export = await asked(crew, job)
    while not await killed_while_writing(crew, worker, export):
        export = await asked(crew, job, key=export.id)
    assert (await crew.export(export, lambda _: True)).blob_key is None
    [orphan] = crew.files(f"exports/{export.id}")
    await time_is_over(crew)
    await crew.start("io")
    done = await crew.export(export, lambda row: row.state is JobState.SUCCEEDED)
    await reached(crew.cleanups, lambda rows: not rows)
    assert crew.files(f"exports/{export.id}") == [done.blob_key]
    assert done.blob_key != orphan


@pytest.mark.parametrize("written", ["in part", "whole"])
async def test_an_upload_whose_web_process_dies_leaves_no_file(crew: Crew, written: str) -> None:
    recording = speech(400)  # more than is gathered before the first byte is written
    half, go_on = recording[: len(recording) // 4 * 3], threading.Event()

    def chunks() -> Iterator[bytes]:
        yield half
        go_on.wait()
        yield recording[len(half) :]

    with running(crew.home, DATABASE_URL=crew.db.url) as server, pytest.raises(httpx.TransportError):
        address = await asyncio.to_thread(announced, server, len(recording))
        sending = asyncio.create_task(asyncio.to_thread(httpx.put, address, content=chunks(), timeout=30))
        [note] = await reached(crew.cleanups, lambda rows: len(rows) == 1)
        await until(lambda: crew.files("media") != [])
        [part] = crew.files("media")
        async with crew.db.write() as session:
            assert await locked(session, note)  # so it is not adopted
            if written == "whole":
                go_on.set()
                await until(lambda: crew.files("media") == note.blob_keys)
            family(server)["api serve"].kill()
        go_on.set()
        assert crew.files("media") == [part] if written == "in part" else note.blob_keys
        await time_is_over(crew)
        await all_gone(crew, "media")
        await sending
