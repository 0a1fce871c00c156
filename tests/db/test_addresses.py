"""Addresses of PostgreSQL as providers hand them out."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from db.accounts import owners
from db.store.postgres import address
from db.store.session import Database
from tests.factories import queued


@pytest.mark.parametrize(
    "query",
    [
        "sslmode=prefer",
        "sslmode=disable&connect_timeout=5",
        "ssl=prefer",
        "application_name=graphophone&target_session_attrs=read-write&channel_binding=prefer",
        "pgbouncer=true",
    ],
)
async def test_what_a_provider_adds_to_an_address_is_understood(postgres_url: str, query: str) -> None:
    database = Database(f"{postgres_url}&{query}")
    try:
        async with database.read() as session:
            name = (await session.execute(text("SELECT current_setting('application_name')"))).scalar()
            assert name == ("graphophone" if "application_name" in query else "")
        await queued(database)  # by the short way, too
    finally:
        await database.close()


async def test_behind_a_pooler_nothing_outlives_a_transaction(postgres_url: str) -> None:
    database = Database(f"{postgres_url}&pgbouncer=true")
    try:
        await queued(database)
        async with database.read() as session:
            for _ in range(3):
                await session.execute(text("SELECT count(*) FROM job"))
            prepared = (await session.execute(text("SELECT count(*) FROM pg_prepared_statements"))).scalar()
            assert prepared is not None
            assert prepared <= 1  # the one that asks
            idle = (await session.execute(text("SHOW idle_in_transaction_session_timeout"))).scalar()
            assert idle == "0"  # set by nobody, for a pooler would refuse it
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        ("postgresql+asyncpg://u:p%40%3A%2F@h/db?sslmode=require", "postgresql://u:p%40%3A%2F@h/db?sslmode=require"),
        ("postgresql+asyncpg://u@h:5/db?connect_timeout=3", "postgresql://u@h:5/db"),
        ("postgresql+asyncpg://u@/db?host=/tmp/x", "postgresql://u@/db?host=%2Ftmp%2Fx"),
    ],
)
def test_passwords_and_sockets_come_through(url: str, dsn: str) -> None:
    found, options = address(url)
    assert found == dsn
    assert options["timeout"] == (3.0 if "connect_timeout" in url else 10.0)


async def test_two_processes_that_make_the_owner_at_once_both_go_on(database: Database) -> None:
    async def ensure() -> Any:
        async with database.write() as session:
            return await owners.ensure(session, "usr_new", "New")

    found = await asyncio.gather(*(ensure() for _ in range(5)))
    assert {owner.id for owner in found} == {"usr_new"}
