"""Files that nothing refers to, on both databases: claimed and fenced like jobs, adopted or deleted but never both."""

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from db import media, retention, uploads
from db.accounts import owners
from db.domain.errors import Conflict, LeaseLost
from db.domain.states import Transition
from db.models import Cleanup, Media
from db.queue import background, claims, cleanups, leases
from db.store.session import Database
from db.uploads.tables import Upload
from tests.factories import queued, recording

OWNER = "usr_a"


async def given_away(database: Database, *keys: str, owner: str = OWNER) -> None:
    async with database.write() as session:
        await owners.ensure(session, owner)
        await cleanups.add(session, owner, keys)


async def reserved(database: Database, ms: int) -> str:
    async with database.write() as session:
        await owners.ensure(session, OWNER)
        return await cleanups.reserve(session, OWNER, "media/new", ms=ms)


async def waiting(database: Database) -> list[list[str]]:
    async with database.read() as session:
        return [row.blob_keys for row in (await session.execute(select(Cleanup))).scalars()]


async def claimed(database: Database, worker: str = "w1") -> tuple[Cleanup, leases.Lease]:
    taken = await claims.claim(database, Cleanup, worker=worker, per_owner=100)
    assert taken
    return taken


async def rescued(database: Database) -> int:
    async with database.write() as session:
        await session.execute(update(Cleanup).values(lease_until=1))
    async with database.write() as session:
        return await background.rescue(session, Cleanup)


async def test_what_one_transaction_lets_go_of_is_one_row_which_goes_when_it_is_done(database: Database) -> None:
    await given_away(database, "a", "b")
    row, lease = await claimed(database)
    assert row.blob_keys == ["a", "b"]
    async with database.write() as session:
        await cleanups.finish(session, lease)
    assert await waiting(database) == []


async def test_nothing_given_away_is_no_work(database: Database) -> None:
    await given_away(database)
    assert await waiting(database) == []


async def test_the_finish_of_a_zombie_is_refused_and_its_successor_finishes(database: Database) -> None:
    await given_away(database, "a")
    _, zombie = await claimed(database)
    assert await rescued(database) == 1
    _, successor = await claimed(database, "w2")
    with pytest.raises(LeaseLost):
        async with database.write() as session:
            await cleanups.finish(session, zombie)
    with pytest.raises(LeaseLost):
        async with database.write() as session:
            await background.put_back(session, zombie, Transition.RETRY_LATER)
    async with database.write() as session:
        await cleanups.finish(session, successor)


async def test_a_cleanup_is_never_given_up_however_often_its_worker_dies(database: Database) -> None:
    await given_away(database, "a")
    for _ in range(leases.MAX_CRASHES + 2):
        await claimed(database)
        await rescued(database)
    assert (await claimed(database))[0].crashes == leases.MAX_CRASHES + 2


async def test_one_owner_s_many_cleanups_do_not_hold_up_another_s(database: Database) -> None:
    for number in range(5):
        await given_away(database, f"a/{number}")
    await given_away(database, "b", owner="usr_b")
    assert {(await claimed(database))[0].owner_id for _ in range(2)} == {"usr_a", "usr_b"}


async def test_a_file_that_was_adopted_is_never_cleaned_up(database: Database) -> None:
    note = await reserved(database, ms=60_000)
    async with database.write() as session:
        await cleanups.adopt(session, OWNER, note)
    assert await waiting(database) == []
    async with database.write() as session:
        assert not await cleanups.give_up(session, OWNER, note)


async def test_an_adoption_that_is_rolled_back_leaves_the_file_to_be_cleaned_up(database: Database) -> None:
    note = await reserved(database, ms=0)
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            await cleanups.adopt(session, OWNER, note)
            raise ZeroDivisionError
    assert (await claimed(database))[0].id == note


async def test_a_file_whose_cleanup_has_begun_can_no_longer_be_adopted(database: Database) -> None:
    note = await reserved(database, ms=0)
    await claimed(database)
    with pytest.raises(Conflict):
        async with database.write() as session:
            await cleanups.adopt(session, OWNER, note)


async def test_a_file_that_is_being_written_is_left_alone_until_its_time_is_over_or_it_is_given_up(
    database: Database,
) -> None:
    note = await reserved(database, ms=60_000)
    assert await claims.claim(database, Cleanup, worker="w1", per_owner=1) is None
    async with database.write() as session:
        assert await cleanups.give_up(session, OWNER, note)
    assert (await claimed(database))[0].blob_keys == ["media/new"]


async def test_a_recording_that_is_removed_gives_its_file_away(database: Database) -> None:
    row = await recording(database, OWNER)
    async with database.write() as session:
        await media.remove(session, OWNER, row.id)
    assert await waiting(database) == [[row.blob_key]]


async def test_what_is_kept_for_a_time_only_is_let_go_of_when_that_is_over(database: Database) -> None:
    job = await queued(database)  # its recording is still needed
    old, fresh = await recording(database), await recording(database)
    async with database.write() as session:
        await uploads.create(session, OWNER, filename="late.wav", byte_size=1, sha256=None)
        await session.execute(update(Upload).values(expires_at=1))
        await uploads.create(session, OWNER, filename="new.wav", byte_size=1, sha256=None)
        await session.execute(update(Media).where(col(Media.id) != fresh.id).values(expires_at=1))
    async with database.write() as session:
        assert await retention.expire(session) == 2
    async with database.write() as session:
        assert await retention.expire(session) == 0
    assert await waiting(database) == [[old.blob_key]]
    async with database.read() as session:
        kept = await media.many(session, OWNER, [old.id, fresh.id, job.media_id])
        announced = [row.filename for row in (await session.execute(select(Upload))).scalars()]
    assert [kept[id_].blob_key is None for id_ in (old.id, fresh.id, job.media_id)] == [True, False, False]
    assert announced == ["new.wav"]
