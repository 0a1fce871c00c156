"""A migration is there whole or not at all: killed anywhere, by many at once, or onto a database that is too new."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from db.migrate import NewerDatabase, config, engine_for, upgrade
from tests.fixtures.databases import Postgres

REVISIONS = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][::-1]
EARLIER = [None, *REVISIONS[:-1]]
OBJECTS = {"options", "metadata", "provenance", "request", "facts", "problem", "body"}


def values(table: sa.Table) -> dict[str, Any]:
    """A row that breaks no rule: every owner is one, every job a job."""
    row: dict[str, Any] = {}
    for column in table.columns:
        references = [key.column for key in column.foreign_keys]
        if references:
            row[column.name] = f"{references[0].table.name}-1"
        elif isinstance(column.type, sa.Text) and column.name != "text":
            row[column.name] = "{}" if column.name in OBJECTS else "[]"
        elif isinstance(column.type, sa.String):
            row[column.name] = (
                f"{table.name}-1" if column.name in {"id", "blob_key"} else "Żółw 猫 one"[: column.type.length]
            )
        else:
            row[column.name] = False if isinstance(column.type, sa.Boolean) else 1
        if column.name == "state":
            row[column.name] = "QUEUED"
    return row


def fill(connection: sa.Connection) -> None:
    """A row in each table that the code of this revision writes."""
    found = sa.MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        if table.name != "alembic_version" and not table.name.startswith("segment_terms"):
            connection.execute(table.insert().values(**values(table)))


def rows(connection: sa.Connection) -> dict[str, list[dict[str, Any]]]:
    found = sa.MetaData()
    found.reflect(connection)
    return {
        table.name: [dict(row) for row in connection.execute(table.select()).mappings()]
        for table in found.sorted_tables
        if table.name != "alembic_version" and not table.name.startswith("segment_terms")
    }


async def do(url: str, work: Any) -> Any:
    engine = engine_for(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


async def made(url: str, revision: str | None) -> str:
    """A database at this revision, with rows."""

    def run(connection: sa.Connection) -> None:
        if revision is not None:
            alembic = config()
            alembic.attributes["connection"] = connection
            command.upgrade(alembic, revision)
            fill(connection)

    await do(url, run)
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The address of a database without anything, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'old.db'}"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    postgres.execute("CREATE DATABASE emptied")
    yield postgres.url("emptied")
    postgres.drop("emptied")


@pytest.mark.parametrize("revision", EARLIER, ids=str)
async def test_killed_after_any_statement_a_migration_has_not_happened(empty: str, revision: str | None) -> None:
    step = 1 if revision == EARLIER[-1] else 11
    await made(empty, revision)
    killer = [sys.executable, "-m", "tests.db.upgrade_and_die", empty, str(step)]
    found = json.loads(
        (await asyncio.to_thread(subprocess.run, killer, check=True, capture_output=True)).stdout.splitlines()[-1]
    )
    assert found["changed"] == []
    assert found["status"] == 0
    assert found["kills"] >= 2


@pytest.mark.parametrize("revision", REVISIONS[:-1])
async def test_what_was_there_at_any_revision_is_there_afterwards(empty: str, revision: str) -> None:
    before = await do(await made(empty, revision), rows)
    await asyncio.to_thread(upgrade, empty)
    after = await do(empty, rows)
    for table in set(before) & set(after):
        assert len(after[table]) >= 1, table
        kept = before[table][0].keys() & after[table][0].keys()
        assert {name: before[table][0][name] for name in kept} == {name: after[table][0][name] for name in kept}


async def test_four_that_migrate_one_database_at_once_all_succeed(empty: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(upgrade, empty) for _ in range(4)))
    assert "job" in await do(empty, rows)


async def test_a_database_of_a_newer_version_is_said_to_be_one(empty: str) -> None:
    await asyncio.to_thread(upgrade, empty)
    await do(empty, lambda connection: connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(NewerDatabase, match="revision 9999, which a newer version made"):
        await asyncio.to_thread(upgrade, empty)


async def test_a_sqlite_file_is_copied_before_an_upgrade(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    url = await made(f"sqlite+aiosqlite:///{file}", REVISIONS[-2])
    await asyncio.to_thread(upgrade, url)
    await asyncio.to_thread(upgrade, url)
    copies = await asyncio.to_thread(lambda: list(tmp_path.glob("*.backup")))
    assert [copy.name for copy in copies] == [f"old.db.{REVISIONS[-2]}.backup"]
    with sqlite3.connect(copies[0]) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISIONS[-2],)]
        assert copy.execute("SELECT id FROM job").fetchall() == [("job-1",)]
