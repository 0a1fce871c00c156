"""`python -m api jobs`: what runs, what waits, what is quarantined, and a hand on it; straight at the database."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from db.domain.clock import now
from db.domain.errors import GraphophoneError
from db.domain.values import JobState
from db.jobs import admin
from db.jobs.admin import Line
from db.models import Leased
from db.settings import StoreSettings
from db.store.session import Database

Act = Callable[[AsyncSession, str], Awaitable[Leased]]


def show() -> int:
    """Print the list and return the exit code."""
    return asyncio.run(_with_database(_show))


def act(do: Act, job_id: str) -> int:
    """Do something to one job, say what became of it, and return the exit code."""

    async def one(database: Database) -> int:
        async with database.write() as session:
            row = await do(session, job_id)
        Console().print(f"{row.id} is {row.state}.", highlight=False, soft_wrap=True)
        return 0

    return asyncio.run(_with_database(one))


async def _with_database(work: Callable[[Database], Awaitable[int]]) -> int:
    database = Database(StoreSettings().resolved_database_url)
    try:
        return await work(database)
    except GraphophoneError as error:
        Console(stderr=True).print(str(error), highlight=False, soft_wrap=True)
        return 1
    finally:
        await database.close()


async def _show(database: Database) -> int:
    async with database.read() as session:
        lines = await admin.listing(session)
    console = Console()
    if not console.is_terminal:
        console.width = 300  # into a pipe, nothing is cut off
    console.print(_table(lines) if lines else "Nothing runs, waits or is quarantined.")
    return 0


def _table(lines: Sequence[Line]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "owner", "state", "stage", "worker", "lease", "attempt", "crashes", "age", "reason"):
        table.add_column(name, no_wrap=name == "id", overflow="fold")
    for line in lines:
        work = line.work
        quarantined = work.state is JobState.FAILED
        table.add_row(
            work.id,
            work.owner_id,
            "QUARANTINED" if quarantined else work.state,
            getattr(work, "stage", None) or "",
            work.worker or "",
            "" if line.lease_left is None else f"{line.lease_left / 1000:.1f} s",
            str(work.attempt),
            str(work.crashes),
            f"{(now() - work.created_at) / 1000:.0f} s",
            _reason(line),
        )
    return table


def _reason(line: Line) -> str:
    work = line.work
    parts = []
    if work.state is JobState.RUNNING and line.lease_left is not None and line.lease_left < 0:
        parts.append("its worker is silent")
    if work.cancel_requested:
        parts.append("to be cancelled")
    if work.state is JobState.QUEUED and line.wait_left:
        parts.append(f"tried again in {line.wait_left / 1000:.0f} s")
    problems = [*getattr(work, "problems", ()), getattr(work, "problem", None)]
    parts += [f"{problem.code}: {problem.message}" for problem in problems[-2:] if problem]
    return "; ".join(parts)
