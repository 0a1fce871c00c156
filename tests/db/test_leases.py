"""Claims, leases and fences, on both databases."""

import asyncio

import pytest
from sqlalchemy import update
from sqlmodel import col

from db import jobs, transcripts
from db.domain.errors import LeaseLost
from db.domain.states import Transition
from db.domain.values import ErrorCode, JobState
from db.jobs import attempts
from db.models import Job
from db.queue import leases
from db.store.session import Database
from tests.factories import claimed, queued, running, sentence


async def expire(database: Database, job_id: str) -> None:
    """Lets a lease end, as time would."""
    async with database.write() as session:
        await session.execute(update(Job).where(col(Job.id) == job_id).values(lease_until=1))


async def rescue(database: Database) -> int:
    async with database.write() as session:
        return await attempts.rescue(session)


async def state(database: Database, job: Job) -> Job:
    async with database.read() as session:
        found = await jobs.get(session, job.owner_id, job.id)
    assert found
    return found


async def test_a_job_is_claimed_by_one_worker_only(database: Database) -> None:
    await queued(database)
    taken = await asyncio.gather(*(claimed(database, f"w{i}") for i in range(8)))
    assert sum(claim is not None for claim in taken) == 1


async def test_many_workers_claim_each_job_once(database: Database) -> None:
    ids = {(await queued(database)).id for _ in range(12)}

    async def work(worker: str) -> list[str]:
        found = []
        while taken := await claimed(database, worker):
            found.append(taken[0].id)
        return found

    lists = await asyncio.gather(*(work(f"w{i}") for i in range(4)))
    everything = [job_id for found in lists for job_id in found]
    assert len(everything) == len(ids)
    assert set(everything) == ids


async def test_each_claim_has_a_higher_fence_and_charges_an_attempt(database: Database) -> None:
    job, first = await running(database)
    await expire(database, job.id)
    await rescue(database)
    again = await claimed(database)
    assert again
    assert again[1].fence > first.fence
    assert again[0].attempt == 2


async def test_a_write_with_an_older_fence_changes_nothing(database: Database) -> None:
    job, zombie = await running(database)
    await expire(database, job.id)
    await rescue(database)
    successor = await claimed(database, "w2")
    assert successor
    with pytest.raises(LeaseLost):
        async with database.write() as session:
            await transcripts.append(session, zombie, [sentence("00000000", 0, "late")], windows=1)
    with pytest.raises(LeaseLost):
        async with database.write() as session:
            await attempts.finish(session, zombie, Transition.FAIL)
    found = await state(database, job)
    assert (found.state, found.worker, found.windows) == (JobState.RUNNING, "w2", 0)


async def test_a_renewed_lease_is_not_rescued(database: Database) -> None:
    job, lease = await running(database)
    await expire(database, job.id)
    async with database.write() as session:
        await leases.renew(session, lease)
    assert await rescue(database) == 0


async def test_rescued_jobs_go_first_whatever_waits(database: Database) -> None:
    lost, _ = await running(database)
    for _ in range(3):
        await queued(database, priority=10)
    await expire(database, lost.id)
    await rescue(database)
    taken = await claimed(database)
    assert taken
    assert taken[0].id == lost.id


async def test_an_owner_with_few_running_jobs_goes_before_one_with_many(database: Database) -> None:
    for _ in range(20):
        await queued(database, "usr_busy", priority=5)
    await claimed(database)
    late = await queued(database, "usr_late")
    taken = await claimed(database)
    assert taken
    assert taken[0].id == late.id


async def test_within_an_owner_priority_goes_before_age(database: Database) -> None:
    await queued(database)
    urgent = await queued(database, priority=3)
    taken = await claimed(database)
    assert taken
    assert taken[0].id == urgent.id


async def test_an_owner_runs_no_more_jobs_than_allowed(database: Database) -> None:
    for _ in range(3):
        await queued(database)
    assert await claimed(database, per_owner=2)
    assert await claimed(database, per_owner=2)
    assert await claimed(database, per_owner=2) is None


async def test_work_that_is_put_off_is_not_claimed_before_its_time(database: Database) -> None:
    _, lease = await running(database)
    async with database.write() as session:
        await attempts.put_back(session, lease, Transition.RETRY_LATER, delay_ms=60_000)
    assert await claimed(database) is None


async def test_handing_back_charges_no_attempt_and_retrying_does(database: Database) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await attempts.put_back(session, lease, Transition.HAND_BACK)
    assert (await state(database, job)).attempt == 0
    again = await claimed(database)
    assert again
    async with database.write() as session:
        await attempts.put_back(session, again[1], Transition.RETRY_LATER)
    assert (await state(database, job)).attempt == 1


async def test_a_job_that_took_its_worker_down_three_times_is_not_tried_again(database: Database) -> None:
    job = await queued(database)
    for _ in range(leases.MAX_CRASHES):
        assert await claimed(database)
        await expire(database, job.id)
        assert await rescue(database) == 1
    found = await state(database, job)
    assert found.state is JobState.FAILED
    assert [problem.code for problem in found.problems] == [ErrorCode.WORKER_LOST]
    assert found.problems[0].remedy


async def test_sweeping_twice_at_once_rescues_once(database: Database) -> None:
    job, _ = await running(database)
    await expire(database, job.id)
    counts = await asyncio.gather(rescue(database), rescue(database), rescue(database))
    assert sorted(counts) == [0, 0, 1]
    assert (await state(database, job)).crashes == 1


async def test_canceling_a_running_job_reaches_its_worker_with_the_next_heartbeat(database: Database) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await jobs.cancel(session, job.owner_id, job.id)
    async with database.write() as session:
        assert await leases.renew(session, lease) is True


async def test_deleting_a_running_job_ends_its_lease(database: Database) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await jobs.delete(session, job.owner_id, job.id)
    with pytest.raises(LeaseLost):
        async with database.write() as session:
            await leases.renew(session, lease)


async def test_claims_at_once_do_not_exceed_the_owners_limit(database: Database) -> None:
    for _ in range(8):
        await queued(database)
    taken = await asyncio.gather(*(claimed(database, f"w{i}", per_owner=2) for i in range(8)))
    assert sum(claim is not None for claim in taken) == 2


async def test_claims_at_once_for_different_owners_all_find_work(database: Database) -> None:
    for owner in range(6):
        await queued(database, f"usr_{owner}")
    taken = await asyncio.gather(*(claimed(database, f"w{i}") for i in range(6)))
    assert len({claim[0].id for claim in taken if claim}) == 6


@pytest.mark.parametrize("how", [Transition.RETRY_LATER, Transition.HAND_BACK])
async def test_a_job_that_is_put_back_is_canceled_if_its_owner_wished_so(database: Database, how: Transition) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await jobs.cancel(session, job.owner_id, job.id)
    async with database.write() as session:
        await attempts.put_back(session, lease, how)
    assert (await state(database, job)).state is JobState.CANCELED
    assert await claimed(database) is None


async def test_a_rescued_job_is_canceled_if_its_owner_wished_so(database: Database) -> None:
    job, _ = await running(database)
    async with database.write() as session:
        await jobs.cancel(session, job.owner_id, job.id)
    await expire(database, job.id)
    assert await rescue(database) == 1
    assert (await state(database, job)).state is JobState.CANCELED


async def test_an_owner_whose_jobs_are_all_put_off_does_not_hold_up_others(database: Database) -> None:
    _, lease = await running(database, "usr_a")
    async with database.write() as session:
        await attempts.put_back(session, lease, Transition.RETRY_LATER, delay_ms=60_000)
    other = await queued(database, "usr_b")
    taken = await claimed(database)
    assert taken
    assert taken[0].id == other.id


async def test_a_rescued_job_goes_before_those_of_owners_with_fewer_running(database: Database) -> None:
    lost, _ = await running(database)
    await running(database)
    await queued(database, "usr_idle")
    await expire(database, lost.id)
    await rescue(database)
    taken = await claimed(database)
    assert taken
    assert taken[0].id == lost.id
