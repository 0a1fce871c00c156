"""One dialect: a transaction of statements gives the same, run alone or within a session, on both databases."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Integer, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlmodel import col

from db.domain.values import Options
from db.models import Job
from db.store.base import table_of
from db.store.compiled import Compiled
from db.store.session import Database
from db.store.transactions import Execute, Transaction, Verb, model_of
from tests.factories import queued

JOBS = select(table_of(Job)).where(table_of(Job).c.id == bindparam("id"))


@Verb
def look(id_: str) -> Transaction[tuple[Sequence[Any], Sequence[Any]]]:
    [whole] = yield Execute(JOBS, {"id": id_})
    [some] = yield Execute(select(col(Job.rescued), col(Job.rescued), literal(1), literal(1), col(Job.options)), {})
    [counts] = yield Execute(select(func.count(), func.count(), func.avg(col(Job.priority))), {})
    return tuple(whole), (*some, *counts)


async def test_a_row_read_alone_is_the_row_read_within_a_session(database: Database) -> None:
    job = await queued(database, options=Options(model="base", prompt="ä"), tags=("a", "b"), metadata={"n": 1.5})
    alone = await database.run(look.steps(job.id))
    async with database.read() as session:
        within = await look(session, job.id)
        [stored] = (await session.execute(select(Job))).scalars()
    assert alone == within
    assert [type(value) for value in [*alone[0], *alone[1]]] == [type(value) for value in [*within[0], *within[1]]]
    assert model_of(Job, alone[0]).model_dump() == stored.model_dump()


def test_what_is_read_of_a_compiled_statement_is_there_in_the_installed_version() -> None:
    table = table_of(Job)
    second, first = bindparam("second", type_=Integer), bindparam("first", type_=BigInteger)
    statement = select(table.c.options, table.c.id).where(table.c.crashes == second, table.c.fence < first + second)
    compiled = Compiled(statement.limit(7), dialect())  # type: ignore[no-untyped-call]  # the library
    assert [compiled.sql.count(f"${number}") for number in (1, 2, 3, 4)] == [2, 1, 1, 0]
    assert sorted(compiled.arguments({"first": 1, "second": 2})) == [1, 2, 7]
    assert compiled.arguments({"first": 1, "second": 2})[0] == 2
    assert compiled.rows([('{"model":"base"}', "job_a")]) == [[Options(model="base"), "job_a"]]
