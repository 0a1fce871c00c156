"""Jobs as a client handles them, on both databases."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from db import events, jobs, media, transcripts
from db.domain.errors import Conflict, NotFound, QueueFull
from db.domain.states import Transition
from db.domain.values import JobState, Options, Stage, StageReport, StageState
from db.jobs import QueueLimits, attempts
from db.models import Cleanup, Job
from db.store.session import Database
from tests.factories import PLENTY, claimed, queued, recording, running, sentence


async def get(database: Database, owner: str, job_id: str) -> Job | None:
    async with database.read() as session:
        return await jobs.get(session, owner, job_id)


async def finished(database: Database, how: Transition = Transition.SUCCEED) -> Job:
    job, lease = await running(database)
    async with database.write() as session:
        await attempts.finish(session, lease, how)
    return job


async def test_the_same_key_and_input_give_the_same_job_however_many_ask_at_once(database: Database) -> None:
    found = await recording(database)
    same: dict[str, Any] = {"media_id": found.id, "idempotency_key": "k", "input_hash": "h"}
    made = await asyncio.gather(*(queued(database, **same) for _ in range(6)))
    assert len({job.id for job in made}) == 1


async def test_the_same_key_with_another_input_is_a_conflict(database: Database) -> None:
    found = await recording(database)
    await queued(database, media_id=found.id, idempotency_key="k", input_hash="h")
    with pytest.raises(Conflict):
        await queued(database, media_id=found.id, idempotency_key="k", input_hash="other")


async def test_an_equal_request_is_a_repeat_until_some_time_after_the_end_of_its_job(database: Database) -> None:
    found = await recording(database)
    same: dict[str, Any] = {"media_id": found.id, "input_hash": "h"}
    first = await queued(database, **same, repeat_ms=60_000)
    assert (await queued(database, **same, repeat_ms=60_000)).id == first.id
    taken = await claimed(database)
    assert taken
    async with database.write() as session:
        await attempts.finish(session, taken[1], Transition.SUCCEED)
    assert (await queued(database, **same, repeat_ms=60_000)).id == first.id
    later = await queued(database, **same, repeat_ms=-60_000)  # a minute later, as it were
    assert later.id != first.id
    assert (await queued(database, **same, repeat_ms=60_000)).id == later.id


async def test_owners_do_not_share_idempotency_keys(database: Database) -> None:
    first = await queued(database, "usr_a", idempotency_key="k", input_hash="h")
    second = await queued(database, "usr_b", idempotency_key="k", input_hash="other")
    assert first.id != second.id


async def test_a_full_queue_says_when_to_try_again_and_takes_nothing(database: Database) -> None:
    two = QueueLimits(max_queued=10, max_queued_per_owner=2)
    for _ in range(2):
        await queued(database, limits=two)
    with pytest.raises(QueueFull) as full:
        await queued(database, limits=two)
    assert full.value.retry_after_seconds >= 1
    await queued(database, "usr_b", limits=two)


async def test_the_limit_holds_when_many_submit_at_once(database: Database) -> None:
    found = await recording(database)
    results = await asyncio.gather(
        *(
            queued(database, media_id=found.id, limits=QueueLimits(max_queued=3, max_queued_per_owner=3))
            for _ in range(10)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Job) for result in results) == 3


async def test_another_owner_sees_no_trace_of_a_job(database: Database) -> None:
    job = await queued(database)
    assert await get(database, "usr_b", job.id) is None
    async with database.read() as session:
        assert await events.after(session, "usr_b", 0, job_id=job.id) == []
    for forbidden in (jobs.cancel, jobs.delete):
        with pytest.raises(NotFound):
            async with database.write() as session:
                await forbidden(session, "usr_b", job.id)


async def test_a_waiting_job_is_canceled_at_once_and_never_claimed(database: Database) -> None:
    job = await queued(database)
    async with database.write() as session:
        assert (await jobs.cancel(session, job.owner_id, job.id)).state is JobState.CANCELED
    assert await claimed(database) is None


@pytest.mark.parametrize(
    "how", [Transition.SUCCEED, Transition.FAIL, Transition.END_PARTIAL, Transition.CANCEL_RUNNING]
)
async def test_a_job_that_has_ended_cannot_be_canceled(database: Database, how: Transition) -> None:
    job = await finished(database, how)
    with pytest.raises(Conflict):
        async with database.write() as session:
            await jobs.cancel(session, job.owner_id, job.id)


@pytest.mark.parametrize("how", [Transition.FAIL, Transition.END_PARTIAL, Transition.CANCEL_RUNNING])
async def test_what_did_not_succeed_can_be_tried_again(database: Database, how: Transition) -> None:
    job = await finished(database, how)
    async with database.write() as session:
        again = await jobs.retry(session, job.owner_id, job.id, PLENTY)
    assert (again.state, again.attempt, again.problems) == (JobState.QUEUED, 0, [])
    assert await claimed(database)


async def test_a_job_that_succeeded_is_not_tried_again(database: Database) -> None:
    job = await finished(database)
    with pytest.raises(Conflict):
        async with database.write() as session:
            await jobs.retry(session, job.owner_id, job.id, PLENTY)


async def test_one_stage_runs_again_with_other_options_and_the_rest_stays(database: Database) -> None:
    job, lease = await running(database)
    done = [StageReport(stage=r.stage, state=StageState.DONE) for r in job.stages]
    async with database.write() as session:
        await attempts.report(session, lease, done, done[-1])
        await attempts.finish(session, lease, Transition.SUCCEED)
    three = Options(model="base", num_speakers=3)
    async with database.write() as session:
        again = await jobs.rerun(session, job.owner_id, job.id, Stage.DIARIZE, options=three, limits=PLENTY)
    pending = {r.stage for r in again.stages if r.state is StageState.PENDING}
    assert pending == {Stage.LOAD, Stage.DIARIZE, Stage.PERSIST}
    assert again.options.num_speakers == 3


async def test_deleting_takes_the_transcript_and_the_recording_and_leaves_its_files_to_be_swept(
    database: Database,
) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await transcripts.append(session, lease, [sentence("00000000", 0, "hello")], windows=1)
    async with database.write() as session:
        await jobs.delete(session, job.owner_id, job.id)
    async with database.read() as session:
        assert await transcripts.get(session, job.owner_id, transcripts.transcript_id(job.id)) is None
        assert await media.many(session, job.owner_id, [job.media_id]) == {}
        [cleanup] = (await session.execute(select(Cleanup))).scalars()
    assert cleanup.blob_keys == [f"media/{job.media_id}"]


async def test_a_recording_that_another_job_uses_stays(database: Database) -> None:
    first = await queued(database)
    await queued(database, media_id=first.media_id)
    async with database.write() as session:
        await jobs.delete(session, first.owner_id, first.id)
    async with database.read() as session:
        assert await media.many(session, first.owner_id, [first.media_id])


async def test_the_queue_position_counts_those_who_go_first(database: Database) -> None:
    await queued(database)
    mine = await queued(database)
    await queued(database, priority=1)
    async with database.read() as session:
        assert await jobs.queue_positions(session, mine.owner_id, [mine.id]) == {mine.id: 3}


@pytest.mark.parametrize("how", [Transition.CANCEL_QUEUED, Transition.RESCUE, Transition.FAIL, Transition.RETRY])
async def test_a_move_that_the_table_does_not_allow_changes_nothing_and_is_not_told(
    database: Database, how: Transition
) -> None:
    job = await finished(database)
    with pytest.raises(Conflict):
        async with database.write() as session:
            row = await jobs.get(session, job.owner_id, job.id)
            assert row
            await jobs.force_transition(session, row, how)
    found = await get(database, job.owner_id, job.id)
    assert found
    assert found.state is JobState.SUCCEEDED
