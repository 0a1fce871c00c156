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
from db.models import Job
from db.settings import StoreSettings
from db.store.session import Database, DatabaseDown

Act = Callable[[AsyncSession, str], Awaitable[Job]]


def show() -> int:
    """Prints the list; the exit code."""
    return asyncio.run(_with_database(_show))


def act(do: Act, job_id: str) -> int:
    """Does something to one job and says what became of it; the exit code."""

    async def one(database: Database) -> int:
        async with database.write() as session:
            job = await do(session, job_id)
        Console().print(f"{job.id} is {job.state}.", highlight=False, soft_wrap=True)
        return 0

    return asyncio.run(_with_database(one))


async def _with_database(work: Callable[[Database], Awaitable[int]]) -> int:
    database = Database(StoreSettings().resolved_database_url)
    try:
        return await work(database)
    except (GraphophoneError, DatabaseDown) as error:
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
    for name in ("job", "owner", "state", "stage", "worker", "lease", "attempt", "crashes", "age", "reason"):
        table.add_column(name, no_wrap=name == "job", overflow="fold")
    for line in lines:
        job = line.job
        quarantined = job.state is JobState.FAILED
        table.add_row(
            job.id,
            job.owner_id,
            "QUARANTINED" if quarantined else job.state,
            job.stage or "",
            job.worker or "",
            "" if line.lease_left is None else f"{line.lease_left / 1000:.1f} s",
            str(job.attempt),
            str(job.crashes),
            f"{(now() - job.created_at) / 1000:.0f} s",
            _reason(line),
        )
    return table


def _reason(line: Line) -> str:
    job = line.job
    parts = []
    if job.state is JobState.RUNNING and line.lease_left is not None and line.lease_left < 0:
        parts.append("its worker is silent")
    if job.cancel_requested:
        parts.append("to be cancelled")
    if job.state is JobState.QUEUED and line.wait_left:
        parts.append(f"tried again in {line.wait_left / 1000:.0f} s")
    if job.problems:
        parts.append(f"{job.problems[-1].code}: {job.problems[-1].message}")
    return "; ".join(parts)
