"""A job's recorded events, page by page; for many jobs at once."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db import events, jobs, models
from db.domain.values import EventScope
from db.models import JobEvent
from db.store import pages
from db.store.pages import Order, Window
from schema.base import connections
from schema.base.connections import ConnectionView, EdgeView
from schema.base.context import Context
from schema.subscriptions.entries import Event, Subject
from schema.subscriptions.event_log import CURSOR, EventLog, shown_with

_ORDER = Order("Event", (col(JobEvent.seq),), lambda row: (row.seq,))


class _Past(NamedTuple):
    """A page of a job's events."""

    events: Sequence[Event]
    more: bool


async def paginate(context: Context, job: models.Job, size: int, after: str | None) -> ConnectionView:
    """Return a page of what was recorded about a job; its cursors are those of `jobEvents`. Raises InvalidInput and
    CursorExpired.
    """
    key = None
    if after is not None:
        log = EventLog(context.db, context.owner_id, Subject("job", job.id))
        key = (log.place(after),)
        await log.check(key[0])
    past = await context.load.each(_pasts, Window(size, after=key)).load(job.id) or _Past((), more=False)
    edges = [EdgeView(event.cursor, event) for event in past.events]

    async def count() -> int:
        return await context.load.each(_counts).load(job.id) or 0

    return connections.connection(edges, count, more=past.more, less=after is not None)


def _recorded(owner_id: str, job_id: str) -> Select[Any]:
    return select(JobEvent).where(
        col(JobEvent.owner_id) == owner_id, col(JobEvent.job_id) == job_id, col(JobEvent.about) == EventScope.JOB
    )


async def _pasts(session: AsyncSession, owner_id: str, ids: Sequence[str], window: Window) -> dict[str, _Past]:
    found = await pages.pages(
        session,
        ids,
        lambda job_id: _recorded(owner_id, job_id),
        _ORDER,
        window=window,
        parent_of=attrgetter("job_id"),
    )
    recorded = {id_: [events.read_back(row) for row in page.rows] for id_, page in found.items()}
    rows = [row for of_one in recorded.values() for row in of_one]
    shown = await shown_with(session, owner_id, rows, await jobs.many(session, owner_id, ids))
    return {
        id_: _Past(
            [
                event
                for row in of_one
                if (event := shown.event(row, connections.encode(CURSOR, id_, row.seq))) is not None
            ],
            found[id_].has_next,
        )
        for id_, of_one in recorded.items()
    }


async def _counts(session: AsyncSession, owner_id: str, ids: Sequence[str], _arguments: None) -> dict[str, int]:
    return await pages.counts(session, ids, lambda job_id: _recorded(owner_id, job_id))
