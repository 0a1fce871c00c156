"""Events: numbered without gaps in the order of the commits, on both databases."""

import asyncio
from collections.abc import Collection

import pytest
from sqlalchemy import update
from sqlmodel import col

from db import events, jobs, transcripts
from db.domain.errors import CursorExpired
from db.domain.states import Transition
from db.domain.values import JobState, Stage
from db.jobs import attempts
from db.models import JobEvent
from db.store.notifications import Notification
from db.store.session import Database
from tests.factories import claimed, queued, recording, running, sentence


async def test_a_jobs_life_is_told_in_order(database: Database) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await transcripts.append(session, lease, [sentence("00000000", 0, "a")], windows=1)
    async with database.write() as session:
        await transcripts.revise(session, lease, Stage.ALIGN, [sentence("00000000", 0, "a")], ["gone"])
    async with database.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)
    async with database.read() as session:
        told = await events.after(session, job.owner_id, 0, job_id=job.id)
    assert [event.body for event in told] == [
        events.StateChanged(None, JobState.QUEUED),
        events.StateChanged(JobState.QUEUED, JobState.RUNNING),
        events.SegmentsAdded(("00000000",)),
        events.SegmentsChanged(Stage.ALIGN, ("00000000",), ("gone",)),
        events.StateChanged(JobState.RUNNING, JobState.SUCCEEDED),
    ]


async def test_a_reader_who_asks_for_what_is_behind_the_last_number_misses_nothing(database: Database) -> None:
    found = await recording(database)
    seen: list[int] = []
    writing = asyncio.Event()

    async def read() -> None:
        while not (writing.is_set() and len(seen) == 40):
            async with database.read() as session:
                seen.extend(event.seq for event in await events.after(session, "usr_a", seen[-1] if seen else 0))
            await asyncio.sleep(0)

    async def write() -> None:
        for _ in range(5):
            await queued(database, media_id=found.id)

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write() for _ in range(8)))
    writing.set()
    async with asyncio.timeout(10):
        await reader
    assert seen == list(range(1, 41))


async def test_a_change_that_is_rolled_back_is_not_told(database: Database) -> None:
    job = await queued(database)
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            await jobs.cancel(session, job.owner_id, job.id)
            raise ZeroDivisionError
    async with database.read() as session:
        assert await events.last(session, job.owner_id, job.id) == 1


async def test_the_bell_rings_after_the_commit_and_only_then(database_url: str) -> None:
    heard: list[Notification] = []

    async def bell(notifications: Collection[Notification]) -> None:
        heard.extend(notifications)

    database = Database(database_url, bell)
    job = await queued(database)
    assert set(heard) == {Notification("speech", job.owner_id), Notification("events", job.owner_id)}
    heard.clear()
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            await jobs.cancel(session, job.owner_id, job.id)
            raise ZeroDivisionError
    assert heard == []
    assert await claimed(database)
    await database.close()


async def test_a_cursor_from_before_what_was_forgotten_has_expired_and_a_later_one_has_not(database: Database) -> None:
    first = await queued(database)
    async with database.write() as session:
        await session.execute(update(JobEvent).values(at=1000))
    second = await queued(database)
    async with database.write() as session:
        assert await events.forget(session, before=2000) == 1
    async with database.read() as session:
        assert await events.after(session, "usr_a", 0, job_id=first.id) == []
        assert [event.job_id for event in await events.after(session, "usr_a", 1)] == [second.id]
        with pytest.raises(CursorExpired):
            await events.check_cursor(session, "usr_a", 0)
        with pytest.raises(CursorExpired):
            await events.check_cursor(session, "usr_a", 3)
        for known in (1, 2):
            await events.check_cursor(session, "usr_a", known)


async def test_forgetting_goes_on_in_small_steps_until_nothing_old_is_left(database: Database) -> None:
    for owner in ("usr_a", "usr_a", "usr_a", "usr_b"):
        await queued(database, owner)
    async with database.write() as session:
        await session.execute(update(JobEvent).values(at=1000))
    forgotten: list[int] = []
    while not forgotten or forgotten[-1]:
        async with database.write() as session:
            forgotten.append(await events.forget(session, before=2000, limit=2))
    assert sorted(forgotten) == [0, 1, 1, 2]


async def test_a_clock_that_went_back_does_not_tear_a_hole_into_the_numbers(database: Database) -> None:
    for _ in range(3):
        await queued(database)
    async with database.write() as session:
        await session.execute(update(JobEvent).where(col(JobEvent.seq) == 2).values(at=1000))
    async with database.write() as session:
        assert await events.forget(session, before=2000) == 0
