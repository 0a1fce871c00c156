"""Exports on the io worker: the same runtime as jobs."""

import hashlib
import io
import json
import signal
import zipfile
from contextlib import suppress

import psutil

from db import exports
from db.domain.values import ErrorCode, JobState
from db.models import Export, Job
from db.queue import claims
from db.transcripts import transcript_id
from tests.fixtures.workers import Crew, Worker


async def asked(
    crew: Crew, job: Job, key: str = "k", format_: str = "SRT", bundle: list[tuple[str, int]] | None = None
) -> Export:
    async with crew.db.write() as session:
        export, _ = await exports.create(
            session,
            job.owner_id,
            transcript_id=transcript_id(job.id),
            revision=1,
            format_=format_,
            request='{"format":"SRT"}',
            idempotency_key=key,
            filename="call.srt",
            content_type="application/x-subrip",
            correlation_id="c",
            bundle=bundle,
        )
    return export


async def test_an_export_is_rendered_and_stored(crew: Crew) -> None:
    await crew.start()
    await crew.start("io")
    export = await asked(crew, await crew.ends(await crew.submit()))
    done = await crew.export(export, lambda row: row.state is JobState.SUCCEEDED)
    assert done.blob_key
    assert b"Hello" in b"".join([chunk async for chunk in crew.blobs.read(done.blob_key)])


async def test_the_export_of_a_worker_that_is_never_heard_of_again_is_rendered_by_another(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit())
    export = await asked(crew, job)
    assert await claims.claim(crew.db, Export, worker="gone", per_owner=1, lease_ms=1000)
    await crew.start("io")
    done = await crew.export(export, lambda row: row.state is JobState.SUCCEEDED)
    assert (done.crashes, done.attempt) == (1, 2)


async def test_an_export_that_cannot_be_made_fails_after_its_tries(crew: Crew) -> None:
    await crew.start()
    await crew.start("io", MAX_ATTEMPTS="2")
    export = await asked(crew, await crew.ends(await crew.submit()), format_="NO_SUCH_FORMAT")
    failed = await crew.export(export, lambda row: row.state is JobState.FAILED)
    assert failed.attempt == 2
    assert failed.problem


async def test_an_io_worker_that_is_asked_to_stop_leaves_waiting_exports_to_others(crew: Crew) -> None:
    await crew.start()
    worker = await crew.start("io")
    job = await crew.ends(await crew.submit())
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(20) == 0
    export = await asked(crew, job)
    await crew.start("io")
    assert (await crew.export(export, lambda row: row.state is JobState.SUCCEEDED)).attempt == 1


async def hung(crew: Crew, worker: Worker, job: Job) -> tuple[Export, psutil.Process]:
    """An export whose rendering hangs for good, and the process that does."""
    export = await asked(crew, job)
    while True:
        for child in psutil.Process(worker.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if (
                    "tasks.documents.render" in child.cmdline()
                ):  # before that, its worker waits for it to become what it is
                    child.suspend()
                    return export, child
        if (await crew.export(export, lambda _: True)).state is JobState.SUCCEEDED:  # it was quicker
            export = await asked(crew, job, key=export.id)


async def test_rendering_that_hangs_is_ended_after_its_time_and_tried_again(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit())
    worker = await crew.start("io", EXPORT_TIMEOUT="5")
    export, child = await hung(crew, worker, job)
    done = await crew.export(export, lambda row: row.state is JobState.SUCCEEDED)
    assert (done.attempt, done.crashes) == (2, 0)
    assert not child.is_running()
    assert worker.said("it took longer than")


async def test_a_worker_that_goes_down_ends_what_hangs_and_hands_it_back_uncharged(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit())
    worker = await crew.start("io", DRAIN_SECONDS="0.5")
    export, child = await hung(crew, worker, job)
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(20) == 0
    waiting = await crew.export(export, lambda _: True)
    assert (waiting.state, waiting.attempt, waiting.crashes) == (JobState.QUEUED, 0, 0)
    assert not child.is_running()


async def test_rendering_does_not_outlive_a_worker_that_is_killed(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit())
    worker = await crew.start("io")
    _, child = await hung(crew, worker, job)
    worker.kill()
    child.wait(5)


async def test_a_bundle_holds_a_document_of_each_transcript_and_a_manifest(crew: Crew) -> None:
    await crew.start()
    await crew.start("io")
    done = [await crew.ends(await crew.submit()) for _ in range(2)]
    parts = [(transcript_id(job.id), 1) for job in done]
    ready = await crew.export(await asked(crew, done[0], bundle=parts), lambda row: row.state is JobState.SUCCEEDED)
    assert ready.blob_key
    data = b"".join([chunk async for chunk in crew.blobs.read(ready.blob_key)])
    assert (ready.byte_size, ready.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))["transcripts"]
        assert [(entry["transcript_id"], entry["revision"]) for entry in manifest] == parts
        assert {entry["file"] for entry in manifest} | {"manifest.json"} == set(bundle.namelist())
        for entry in manifest:
            document = bundle.read(entry["file"])
            assert b"Hello" in document
            assert hashlib.sha256(document).hexdigest() == entry["sha256"]


async def test_a_document_that_is_too_large_fails_at_once_and_says_so(crew: Crew) -> None:
    await crew.start()
    await crew.start("io", EXPORT_MAX_BYTES="10")
    export = await asked(crew, await crew.ends(await crew.submit()))
    failed = await crew.export(export, lambda row: row.state is JobState.FAILED)
    assert failed.problem
    assert (failed.problem.code, failed.attempt) == (ErrorCode.LIMIT_EXCEEDED, 1)
