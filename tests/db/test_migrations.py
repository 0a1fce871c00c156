"""What a database of an earlier version holds is there after the migration, on both databases."""

from alembic import command
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from db.migrate import config
from db.models import Cleanup
from db.queue import claims
from db.store.session import Database


async def to(url: str, revision: str) -> None:
    """Brings a database to a revision, up or down."""

    def run(connection: Connection) -> None:
        alembic = config()
        alembic.attributes["connection"] = connection
        (command.downgrade if revision < "0006" else command.upgrade)(alembic, revision)

    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


async def test_files_that_waited_to_be_deleted_still_wait_after_the_migration_there_and_back(
    database: Database,
) -> None:
    await to(database.url, "0005")
    async with database.write() as session:
        await session.execute(text("INSERT INTO owner (id, last_event, created_at) VALUES ('usr_a', 0, 1)"))
        add = text("INSERT INTO garbage (blob_key, owner_id, created_at) VALUES (:key, 'usr_a', 7)")
        for key in ("media/a", "jobs/j/1/peaks"):
            await session.execute(add, {"key": key})
    for revision in ("0006", "0005", "head"):
        await to(database.url, revision)
    async with database.read() as session:
        rows = (await session.execute(select(Cleanup).order_by(Cleanup.id))).scalars().all()
    assert [(row.blob_keys, row.created_at) for row in rows] == [(["jobs/j/1/peaks"], 7), (["media/a"], 7)]
    assert await claims.claim(database, Cleanup, worker="w", per_owner=1)
