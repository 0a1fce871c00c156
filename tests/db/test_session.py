"""Outages and faults of a database are told apart, on both databases."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.store.session import Database, DatabaseDown
from tests.factories import queued, recording


async def test_a_statement_that_can_never_work_is_no_outage(database: Database) -> None:
    await queued(database)
    for statement in ("INSERT INTO owner (id, last_event, created_at) VALUES ('usr_a', 0, 0)", "SELECT nonsense"):
        with pytest.raises(DBAPIError):
            async with database.write() as session:
                await session.execute(text(statement))


async def test_a_database_that_cannot_be_reached_is_an_outage() -> None:
    database = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseDown):
        async with database.read() as session:
            await session.execute(text("SELECT 1"))
    await database.close()


async def test_a_connection_that_the_server_ends_is_an_outage_and_the_next_one_works(postgres_url: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(DatabaseDown):
        async with database.write() as session:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    async with database.read() as session:
        assert (await session.execute(text("SELECT 1"))).scalar_one() == 1
    await database.close()


async def test_a_lock_that_nobody_lets_go_of_is_an_outage(sqlite_url: str) -> None:
    holder, other = Database(sqlite_url), Database(f"{sqlite_url}?timeout=0.1")
    async with holder.write() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(DatabaseDown):
            async with other.write() as second:
                await second.execute(text("SELECT 1"))
    await asyncio.gather(holder.close(), other.close())


async def test_a_submit_that_is_cancelled_while_it_waits_for_the_lock_lets_go_at_once(sqlite_url: str) -> None:
    holder, other = Database(sqlite_url), Database(sqlite_url)
    media = await recording(other)
    async with holder.write() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await queued(other, media_id=media.id)
    assert (await queued(other, media_id=media.id)).media_id == media.id
    await asyncio.gather(holder.close(), other.close())
