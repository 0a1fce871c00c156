"""An operation that takes too long ends, and so does what it asked of the database."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry
from sqlalchemy import event, text

from db.store.session import Database
from schema.base.loaders import Loader
from schema.execution import Engine, Execution, Limits, Request

ENDLESS = {
    True: "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT tick(x) FROM n) SELECT count(*) FROM n",
    False: "SELECT count(*), 'endless' FROM pg_sleep(60)",
}
PATIENCE = 10.0


@dataclass
class Context:
    db: Database

    async def endless(self, _: Sequence[str] = ()) -> list[str]:
        async with self.db.read() as session:
            await session.execute(text(ENDLESS[self.db.is_sqlite]))
        return []

    async def endless_write(self) -> None:
        async with self.db.write() as session:
            await session.execute(text(ENDLESS[self.db.is_sqlite]))


@strawberry.type
class Query:
    @strawberry.field
    async def read(self, info: strawberry.Info[Context, None]) -> str:
        return str(await info.context.endless())

    @strawberry.field
    async def write(self, info: strawberry.Info[Context, None]) -> str:
        await info.context.endless_write()
        return "never"

    @strawberry.field
    async def load(self, info: strawberry.Info[Context, None]) -> str:
        return await Loader[str](info.context.endless).load("a")


SCHEMA = strawberry.Schema(Query)


@pytest.mark.parametrize("field", ["read", "write", "load"])
async def test_the_statement_of_an_operation_that_takes_too_long_is_stopped(database: Database, field: str) -> None:
    steps = [0]

    def tick(x: int) -> int:
        steps[0] = x
        return x + 1

    def add_tick(connection: Any, _record: Any) -> None:
        connection.create_function("tick", 1, tick)

    async def running() -> bool:
        if database.is_sqlite:
            before = steps[0]
            await asyncio.sleep(0.05)  # a thousand steps of the statement, were it running
            return steps[0] > before
        async with database.read() as session:
            query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%''endless''%' AND pid <> pg_backend_pid()"
            active = " AND state = 'active' AND datname = current_database()"
            return bool((await session.execute(text(query + active))).scalar_one())

    if database.is_sqlite:
        event.listen(database._engine.sync_engine, "connect", add_tick)
    engine = Engine(SCHEMA, Limits(seconds=1.0))
    request = Request(f"{{ {field} }}")
    call = Execution(engine.operation(request), request, lambda: Context(database), "c")
    started = time.monotonic()
    asked = asyncio.create_task(engine.execute(call))
    while not await running():
        assert not asked.done()
        await asyncio.sleep(0.01)
    answer = await asked
    assert [error["extensions"]["code"] for error in answer.errors or ()] == ["TIMED_OUT"]
    while await running():
        assert time.monotonic() < started + PATIENCE
    async with database.write() as session:  # nothing is left locked
        await session.execute(text("DELETE FROM owner"))
    assert time.monotonic() < started + PATIENCE
