"""The operator's view and hand, on both databases."""

import pytest

from db import jobs
from db.domain.errors import Conflict, LeaseLost, NotFound
from db.domain.states import Transition
from db.domain.values import ErrorCode, JobState, Problem
from db.jobs import admin, attempts
from db.models import Job
from db.queue import leases
from db.store.session import Database
from tests.db.test_leases import expire, rescue, state
from tests.factories import claimed, queued, running


async def test_the_list_holds_what_runs_waits_and_is_quarantined_of_all_owners(database: Database) -> None:
    poison = await queued(database)
    for _ in range(leases.MAX_CRASHES):
        assert await claimed(database)
        await expire(database, poison.id)
        await rescue(database)
    _, lease = await running(database)
    async with database.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)
    busy, _ = await running(database, "usr_b")
    late, lease = await running(database)
    async with database.write() as session:
        await attempts.put_back(session, lease, Transition.RETRY_LATER, delay_ms=60_000)
    async with database.read() as session:
        lines = await admin.listing(session)
    assert [line.work.id for line in lines] == [busy.id, late.id, poison.id]
    assert lines[0].lease_left is not None
    assert 0 < lines[0].lease_left <= leases.LEASE_MS
    assert lines[0].work.worker == "w1"
    assert 50_000 < lines[1].wait_left <= 60_000
    assert isinstance(quarantined := lines[2].work, Job)
    assert quarantined.problems[-1].code is ErrorCode.WORKER_LOST


async def test_a_quarantined_job_is_requeued_by_hand(database: Database) -> None:
    job, lease = await running(database)
    problem = Problem(code=ErrorCode.WORKER_LOST, message="m")
    async with database.write() as session:
        await attempts.finish(session, lease, Transition.FAIL, crashes=3, problems=[problem])
    async with database.write() as session:
        await admin.requeue(session, job.id)
    again = await state(database, job)
    assert (again.state, again.crashes, again.problems) == (JobState.QUEUED, 0, [])
    assert await claimed(database)


async def test_a_running_job_is_taken_from_its_worker_by_hand_and_goes_first(database: Database) -> None:
    job, lease = await running(database)
    await queued(database, priority=10)
    async with database.write() as session:
        await admin.requeue(session, job.id)
    with pytest.raises(LeaseLost):
        async with database.write() as session:
            await leases.renew(session, lease)
    taken = await claimed(database)
    assert taken
    assert (taken[0].id, taken[0].crashes) == (job.id, 0)


async def test_a_job_that_waits_for_its_next_try_is_run_now_by_hand(database: Database) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await attempts.put_back(session, lease, Transition.RETRY_LATER, delay_ms=60_000)
    async with database.write() as session:
        await admin.requeue(session, job.id)
    assert await claimed(database)


async def test_a_running_job_is_canceled_by_hand_without_its_worker(database: Database) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await admin.cancel(session, job.id)
    with pytest.raises(LeaseLost):
        async with database.write() as session:
            await leases.renew(session, lease)
    assert (await state(database, job)).state is JobState.CANCELED


async def test_what_has_succeeded_is_neither_requeued_nor_canceled(database: Database) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)
    for do in (admin.requeue, admin.cancel):
        with pytest.raises(Conflict):
            async with database.write() as session:
                await do(session, job.id)
    with pytest.raises(NotFound):
        async with database.write() as session:
            await admin.requeue(session, "job_none")
    async with database.read() as session:
        assert await jobs.get(session, job.owner_id, job.id)
