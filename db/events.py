"""The events of jobs, as rows written in the transaction of the change that they tell of.

Numbers are taken from the owner's row, so the lock of that row makes the order of numbers the order of commits: a
reader that asks for `seq > last` can miss none. (A global auto-increment is not commit order: 628 of 2,000 missed.)
Percentages are not events; they only travel live.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import BigInteger, ColumnElement, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.accounts.owners import lock_owner
from db.domain.clock import now
from db.domain.errors import CursorExpired
from db.domain.states import TERMINAL
from db.domain.values import EventScope, JobState, Stage, StageReport
from db.domain.webhooks import OF_STATES, WebhookEvent
from db.models import Job, JobEvent, Owner
from db.store.base import table_of
from db.store.notifications import Notification
from db.store.transactions import Execute, Transaction, Verb
from db.webhooks import outbox


class StateChanged(msgspec.Struct, frozen=True, tag="state"):
    """The job is in another state; `before` is None when it was created."""

    before: JobState | None
    after: JobState


class StageReported(msgspec.Struct, frozen=True, tag="stage"):
    """A stage began, ended, failed or was skipped."""

    report: StageReport


class SegmentsAdded(msgspec.Struct, frozen=True, tag="added"):
    """New segments are in the transcript, by key."""

    keys: tuple[str, ...]


class SegmentsChanged(msgspec.Struct, frozen=True, tag="revised"):
    """Segments were revised by a stage (words aligned, speakers assigned), by key; `removed` are no longer there."""

    stage: Stage
    keys: tuple[str, ...]
    removed: tuple[str, ...] = ()


class FactsChanged(msgspec.Struct, frozen=True, tag="facts"):
    """The client changed what belongs to it: tags, metadata, priority."""


class Corrected(msgspec.Struct, frozen=True, tag="corrected"):
    """The transcript has a new revision, or another title or language at the same one."""

    revision: int


class ExportReported(msgspec.Struct, frozen=True, tag="export"):
    """A document of the transcript was asked for, is ready or cannot be made."""

    export_id: str


class Deleted(msgspec.Struct, frozen=True, tag="deleted"):
    """The job is gone, and its transcript with it. The last event of both."""


Body = (
    StateChanged | StageReported | SegmentsAdded | SegmentsChanged | FactsChanged | Corrected | ExportReported | Deleted
)

_OF_TRANSCRIPTS = (Corrected, ExportReported, Deleted)


class Recorded(NamedTuple):
    """An event as read back."""

    seq: int
    job_id: str
    at: int
    body: Body


_body = msgspec.json.Decoder(Body)


_OWNERS = table_of(Owner)
_BUMP = (
    update(_OWNERS)
    .where(_OWNERS.c.id == bindparam("owner"))
    .values(last_event=_OWNERS.c.last_event + bindparam("count", type_=BigInteger))
    .returning(_OWNERS.c.last_event)
)
_INSERT = insert(table_of(JobEvent))


@Verb
def append(owner_id: str, job_id: str, bodies: Sequence[Body]) -> Transaction[int]:
    """Record events in the caller's transaction; return the number of the last. Locks the owner's row."""
    last = yield from take_numbers(owner_id, len(bodies))
    yield from record(owner_id, job_id, last, bodies)
    return last


def take_numbers(owner_id: str, count: int = 1) -> Transaction[int]:
    """Lock the owner's row and take the next numbers, which the transaction must use; return the last of them."""
    rows = yield Execute(_BUMP, {"owner": owner_id, "count": count})
    last: int = rows[0][0]
    return last


def record(owner_id: str, job_id: str, last: int, bodies: Sequence[Body]) -> Transaction[None]:
    """Write events under numbers that were taken before, up to `last`."""
    at = now()
    for seq, body in enumerate(bodies, last - len(bodies) + 1):
        text = msgspec.json.encode(body).decode()
        about = EventScope.TRANSCRIPT if isinstance(body, _OF_TRANSCRIPTS) else EventScope.JOB
        row = {"owner_id": owner_id, "seq": seq, "job_id": job_id, "about": about, "at": at, "body": text}
        yield Execute(_INSERT, row)
        event, facts = _told(body)
        if event is not None:
            yield from outbox.tell_of_job(owner_id, job_id, seq, event, facts)
    yield Notification("events", owner_id)


def _told(body: Body) -> tuple[WebhookEvent | None, dict[str, object]]:
    """Return what receivers of webhooks may be told of an event."""
    match body:
        case StateChanged(after=state):
            return OF_STATES.get(state), {}
        case Corrected(revision=revision):
            return WebhookEvent.TRANSCRIPT_REVISED, {"revision": revision}
        case ExportReported(export_id=export_id):
            return WebhookEvent.EXPORT_READY, {"exportId": export_id}
    return None, {}


async def after(
    session: AsyncSession,
    owner_id: str,
    seq: int,
    *,
    job_id: str | None = None,
    about: EventScope = EventScope.JOB,
    limit: int = 500,
) -> list[Recorded]:
    """Return the owner's events behind `seq`, in order: all of them, or those about a job or about its transcript."""
    columns = (col(JobEvent.seq), col(JobEvent.job_id), col(JobEvent.at), col(JobEvent.body))
    statement = select(*columns).where(col(JobEvent.seq) > seq, *_mine(owner_id, job_id, about))
    rows = await session.execute(statement.order_by(col(JobEvent.seq)).limit(limit))
    return [read_back(row) for row in rows]


def read_back(row: Any) -> Recorded:
    """Return an event as it was recorded."""
    return Recorded(row.seq, row.job_id, row.at, _body.decode(row.body))


def _mine(owner_id: str, job_id: str | None, about: EventScope) -> list[ColumnElement[bool]]:
    mine = [col(JobEvent.owner_id) == owner_id]
    return mine if job_id is None else [*mine, col(JobEvent.job_id) == job_id, col(JobEvent.about) == about]


async def check_cursor(session: AsyncSession, owner_id: str, seq: int) -> None:
    """Raise CursorExpired when events behind this number may be gone, or when it was never given out."""
    owner = select(col(Owner.forgotten_event), col(Owner.last_event)).where(col(Owner.id) == owner_id)
    forgotten, newest = (await session.execute(owner)).one()
    if seq < forgotten:
        raise CursorExpired("The events after this cursor are no longer kept; subscribe again without one.")
    if seq > newest:
        raise CursorExpired("This cursor is ahead of the events; subscribe again without one.")


async def forget(session: AsyncSession, before: int, limit: int = 1000) -> int:
    """Delete events from before an instant (epoch milliseconds), at most `limit` at once; return how many. The number
    up to which an owner's events are gone moves in the same transaction, so a cursor from before is known as expired.
    """
    old = select(col(JobEvent.owner_id)).where(col(JobEvent.at) < before).limit(1)
    owner_id = (await session.execute(old)).scalar_one_or_none()
    if owner_id is None:
        return 0
    await lock_owner(session, owner_id)
    mine = select(col(JobEvent.seq)).where(col(JobEvent.owner_id) == owner_id)
    kept = select(func.min(col(JobEvent.seq))).where(col(JobEvent.owner_id) == owner_id, col(JobEvent.at) >= before)
    first_kept = (await session.execute(kept)).scalar_one_or_none()
    if first_kept is not None:
        mine = mine.where(col(JobEvent.seq) < first_kept)  # a host's clock may have gone back; numbers never do
    numbers = list((await session.execute(mine.order_by(col(JobEvent.seq)).limit(limit))).scalars())
    if not numbers:
        return 0
    gone = delete(JobEvent).where(col(JobEvent.owner_id) == owner_id, col(JobEvent.seq) <= numbers[-1])
    await session.execute(gone)
    owner = update(Owner).where(col(Owner.id) == owner_id).values(forgotten_event=numbers[-1])
    await session.execute(owner)
    return len(numbers)


async def last(
    session: AsyncSession, owner_id: str, job_id: str | None = None, about: EventScope = EventScope.JOB
) -> int:
    """Return the number of the newest event, of one job or transcript or of all the owner's; 0 when there is none."""
    if job_id is None:
        statement = select(col(Owner.last_event)).where(col(Owner.id) == owner_id)
    else:
        statement = select(func.max(col(JobEvent.seq))).where(*_mine(owner_id, job_id, about))
    return (await session.execute(statement)).scalar_one_or_none() or 0


async def head(session: AsyncSession, owner_id: str, job_id: str) -> tuple[Job, int] | None:
    """Return a job and the number of its newest event, by one statement, so that the row holds what the events up to
    there tell; None when there is none that this owner may see.
    """
    newest = select(func.max(col(JobEvent.seq))).where(*_mine(owner_id, job_id, EventScope.JOB)).scalar_subquery()
    statement = select(Job, func.coalesce(newest, 0)).where(col(Job.owner_id) == owner_id, col(Job.id) == job_id)
    found = (await session.execute(statement)).one_or_none()
    return None if found is None else (found[0], int(found[1]))


async def unfinished(session: AsyncSession, owner_id: str) -> dict[str, Job]:
    """Return the owner's jobs that have not ended, the oldest first."""
    statement = select(Job).where(col(Job.owner_id) == owner_id, col(Job.state).not_in(TERMINAL))
    rows = await session.execute(statement.order_by(col(Job.created_at), col(Job.id)))
    return {job.id: job for job in rows.scalars()}


async def jobs_of(session: AsyncSession, owner_id: str, rows: Sequence[Recorded]) -> dict[str, Job]:
    """Return the jobs that these events tell of."""
    ids = {row.job_id for row in rows}
    if not ids:
        return {}
    statement = select(Job).where(col(Job.owner_id) == owner_id, col(Job.id).in_(ids))
    return {job.id: job for job in (await session.execute(statement)).scalars()}


async def erase(session: AsyncSession, owner_id: str, job_id: str) -> None:
    """Replace all that was recorded of a job by the event that it is gone."""
    mine = (col(JobEvent.owner_id) == owner_id, col(JobEvent.job_id) == job_id)
    await session.execute(delete(JobEvent).where(*mine))
    await append(session, owner_id, job_id, [Deleted()])


async def count(session: AsyncSession, owner_id: str, job_id: str) -> int:
    """Return the number of recorded events of a job."""
    statement = select(func.count()).where(*_mine(owner_id, job_id, EventScope.JOB))
    return int((await session.execute(statement)).scalar_one())
