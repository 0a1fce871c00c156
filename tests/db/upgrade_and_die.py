"""Upgrade a database in processes killed after one statement more each, until one is not; print what they left.

    python -m tests.db.upgrade_and_die URL STEP

STEP is by how many statements more. A SQLite file is put back each time; in PostgreSQL there is nothing to put back.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, inspect, text

from db.migrate import engine_for, upgrade


def state(connection: Connection) -> Any:
    """The tables with their columns, indexes and numbers of rows, and the revision."""
    found = inspect(connection)
    names = sorted(name for name in found.get_table_names() if not name.startswith("segment_terms"))
    return {
        name: [
            sorted(column["name"] for column in found.get_columns(name)),
            sorted(str(index["name"]) for index in found.get_indexes(name)),
            connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar()
            if name != "alembic_version"
            else connection.execute(text("SELECT version_num FROM alembic_version")).scalar(),
        ]
        for name in names
    }


async def look(url: str) -> Any:
    """The state of a database."""
    engine = engine_for(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(state)
    finally:
        await engine.dispose()


def die_after(statements: int) -> None:
    """End this process as a power cut would, after so many statements."""
    left = statements

    @event.listens_for(Engine, "after_cursor_execute")
    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def upgraded(url: str, statements: int | None) -> int:
    """Upgrade in a process of its own; its status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if statements is not None:
                die_after(statements)
            upgrade(url)
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(url: str, step: int) -> None:
    """Kill and look."""
    file = Path(url.partition("///")[2]) if url.startswith("sqlite") else None
    whole = file.with_suffix(".whole") if file else None
    if file and whole:
        shutil.copy(file, whole)
    before = asyncio.run(look(url))
    changed: list[int] = []
    statements = 1
    while (status := upgraded(url, statements)) == -signal.SIGKILL:
        if asyncio.run(look(url)) != before:
            changed.append(statements)
        if file and whole:
            for suffix in ("", "-wal", "-shm", "-journal"):
                Path(f"{file}{suffix}").unlink(missing_ok=True)
            shutil.copy(whole, file)
        statements += step
    sys.stdout.write(json.dumps({"kills": (statements - 1) // step, "changed": changed, "status": status}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
