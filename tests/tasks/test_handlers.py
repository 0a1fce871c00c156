"""What a table of work and its handler have in common, whatever the work is."""

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from db import exports, transcripts
from db.accounts import owners
from db.domain.errors import LeaseLost
from db.domain.states import Transition
from db.domain.values import ErrorCode, JobState
from db.jobs import admin
from db.models import Cleanup, Export
from db.queue import background, claims, cleanups, leases
from db.store.base import table_of
from db.store.session import Database
from tasks.documents.exports import EXPORTS
from tasks.worker import HANDLERS
from tests.factories import running, sentence

OWNER = "usr_a"


async def exported(database: Database) -> Export:
    """An export that waits."""
    job, lease = await running(database, OWNER)
    async with database.write() as session:
        await transcripts.append(session, lease, [sentence("00000000", 0, "one")], windows=1)
        made, _ = await exports.create(
            session, OWNER, transcript_id=transcripts.transcript_id(job.id), revision=1, format_="txt", request="{}",
            idempotency_key="k", filename="f.txt", content_type="text/plain", correlation_id="c",
        )  # fmt: skip
    return made


async def cleanup(database: Database) -> None:
    async with database.write() as session:
        await owners.ensure(session, OWNER)
        await cleanups.add(session, OWNER, ["a"])


def test_every_table_of_work_has_one_handler() -> None:
    assert sorted(handler.topic for handler in HANDLERS) == sorted(table_of(table).name for table in leases.tables())


async def test_a_document_whose_workers_die_again_and_again_fails_with_the_reason(database: Database) -> None:
    made = await exported(database)
    for _ in range(leases.MAX_CRASHES):
        assert await claims.claim(database, Export, worker="w")
        async with database.write() as session:
            await session.execute(update(Export).values(lease_until=1))
        async with database.write() as session:
            assert await EXPORTS.take_back(session) == 1
    async with database.read() as session:
        found = await exports.get(session, OWNER, made.id)
    assert found
    assert found.problem
    assert (found.state, found.crashes) == (JobState.FAILED, leases.MAX_CRASHES)
    assert found.problem.code is ErrorCode.WORKER_LOST
    assert f"{leases.MAX_CRASHES} times" in found.problem.message


@pytest.mark.parametrize("how", [Transition.HAND_BACK, Transition.RETRY_LATER])
async def test_work_that_is_not_wanted_any_more_is_not_put_back(database: Database, how: Transition) -> None:
    await exported(database)
    taken = await claims.claim(database, Export, worker="w")
    assert taken
    async with database.write() as session:
        await session.execute(update(Export).values(cancel_requested=True))
        assert await background.put_back(session, taken[1], how) is JobState.CANCELED
    assert await claims.claim(database, Export, worker="w") is None


async def test_without_a_limit_an_owner_runs_on_all_workers(database: Database) -> None:
    for _ in range(6):
        await cleanup(database)
    taken = [await claims.claim(database, Cleanup, worker=f"w{i}", per_owner=0) for i in range(6)]
    assert all(taken)


async def test_the_operator_sees_every_kind_of_work_and_takes_it_from_its_worker(database: Database) -> None:
    await cleanup(database)
    taken = await claims.claim(database, Cleanup, worker="w")
    assert taken
    row, lease = taken
    async with database.read() as session:
        assert [line.work.id for line in await admin.listing(session)] == [row.id]
    async with database.write() as session:
        assert (await admin.requeue(session, row.id)).state is JobState.QUEUED
    with pytest.raises(LeaseLost):
        async with database.write() as session:
            await cleanups.finish(session, lease)
    async with database.read() as session:
        assert (await session.execute(select(col(Cleanup.rescued)))).scalar_one()


async def test_a_file_that_is_being_written_is_no_work_yet_for_the_operator(database: Database) -> None:
    async with database.write() as session:
        await owners.ensure(session, OWNER)
        await cleanups.reserve(session, OWNER, "media/new", ms=60_000)
    async with database.read() as session:
        assert await admin.listing(session) == []
