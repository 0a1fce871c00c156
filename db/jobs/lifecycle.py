"""Jobs: accepted, claimed, ended; and how a client reads them.

Every change of a job is one transaction that also records its event. A worker's changes carry its lease; a client's
carry the owner.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db import events, exports, media
from db.accounts.owners import lock_owner
from db.domain.clock import now
from db.domain.errors import Conflict, NotFound
from db.domain.ids import new_id
from db.domain.states import TERMINAL, Transition
from db.domain.values import JobState, Options, Stage, StageReport, StageState
from db.jobs.room import QueueLimits, check_room
from db.models import Job, Media, Transcript
from db.queue import background, cleanups, leases
from db.store.base import table_of
from db.store.notifications import Notification, notify_on_commit
from db.store.session import Database
from db.store.transactions import Execute, Transaction, fields_of, model_of
from db.transcripts import revisions
from db.transcripts.reading import transcript_id
from db.webhooks import outbox


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A client's request for a job. `input_hash` identifies the whole request, for idempotency.

    With `repeat_ms` it needs no key: an equal request is a repeat of it until so long after the job's end.
    """

    media_id: str
    options: Options
    priority: int = 0
    tags: tuple[str, ...] = ()
    metadata: Any = None
    webhook_url: str | None = None
    idempotency_key: str | None = None
    input_hash: str = ""
    repeat_ms: int | None = None
    correlation_id: str


_log = structlog.get_logger(__name__)

_TABLE = table_of(Job)
_INSERT = insert(_TABLE)
_FIELDS = [(column.key, field) for field, column in fields_of(Job)]
_OF_KEY = _TABLE.c.owner_id == bindparam("owner"), _TABLE.c.idempotency_key == bindparam("key")
_BY_KEY = select(_TABLE).where(*_OF_KEY)
_FREE_KEY = update(_TABLE).where(*_OF_KEY).values(idempotency_key=None)


async def create(db: Database, owner_id: str, new: NewJob, limits: QueueLimits) -> tuple[Job, bool]:
    """Accept a job; the row is the promise. Return it, and whether it is an idempotent replay.

    Raises Conflict (the key was used for another input), QueueFull and DatabaseDown.
    """
    job = Job(
        id=new_id("job"),
        owner_id=owner_id,
        media_id=new.media_id,
        options=new.options,
        stages=plan(new.options),
        priority=new.priority,
        tags=list(new.tags),
        client_metadata=new.metadata,
        webhook_url=new.webhook_url,
        idempotency_key=f"repeat {new.input_hash}" if new.repeat_ms is not None else new.idempotency_key,
        input_hash=new.input_hash,
        correlation_id=new.correlation_id,
        problems=[],
        checkpoints={},
        created_at=now(),
    )
    row = await db.run(_create(job, limits, new.repeat_ms))
    if row is None:
        _log.info("job.accepted", job_id=job.id, correlation_id=job.correlation_id, priority=job.priority)
        return job, False
    earlier = model_of(Job, row)
    if earlier.input_hash != job.input_hash:
        raise Conflict("This idempotency key was used for another input.", {"jobId": earlier.id})
    return earlier, True


def _create(job: Job, limits: QueueLimits, repeat_ms: int | None) -> Transaction[Sequence[Any] | None]:
    """Insert the job, unless one was accepted under its key before: return the row of that one. With `repeat_ms` a job
    that ended longer ago gives its key up.
    """
    owner_id = job.owner_id
    if job.idempotency_key is not None:
        yield from lock_owner.steps(owner_id)  # makes the look-up and the insert one step
        earlier: list[Sequence[Any]] = yield Execute(_BY_KEY, {"owner": owner_id, "key": job.idempotency_key})
        if earlier and (repeat_ms is None or not _ended_before(earlier[0], now() - repeat_ms)):
            return earlier[0]
        if earlier:
            yield Execute(_FREE_KEY, {"owner": owner_id, "key": job.idempotency_key})
    number = yield from events.take_numbers(owner_id)  # its lock makes the count and the insert one step
    yield from check_room.steps(owner_id, limits)
    yield Execute(_INSERT, {column: getattr(job, field) for column, field in _FIELDS})
    yield from events.record(owner_id, job.id, number, [events.StateChanged(None, JobState.QUEUED)])
    yield Notification(Job.queue, owner_id)
    return None


def _ended_before(row: Sequence[Any], at: int) -> bool:
    finished_at = model_of(Job, row).finished_at
    return finished_at is not None and finished_at < at


def plan(options: Options) -> list[StageReport]:
    """Return the stages of such a job, before anything was done."""
    wanted = {Stage.ALIGN: options.align, Stage.DIARIZE: options.diarize}
    return [
        StageReport(stage=stage, state=StageState.PENDING if wanted.get(stage, True) else StageState.SKIPPED)
        for stage in Stage
        if stage is not Stage.FETCH  # only when the source is a URL
    ]


async def get(session: AsyncSession, owner_id: str, job_id: str) -> Job | None:
    """Return one job, or None when there is none that this owner may see."""
    found = await many(session, owner_id, [job_id])
    return found.get(job_id)


async def many(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, Job]:
    """Return the owner's jobs among these ids."""
    statement = select(Job).where(col(Job.owner_id) == owner_id, col(Job.id).in_(ids))
    return {job.id: job for job in (await session.execute(statement)).scalars()}


async def cancel(session: AsyncSession, owner_id: str, job_id: str) -> Job:
    """Cancel a waiting job at once, a running one through its worker. Raises NotFound, Conflict."""
    job = await _locked(session, owner_id, job_id)
    if job.state in TERMINAL:
        raise Conflict(f"The job is already {job.state}.", {"state": job.state})
    if job.state is JobState.QUEUED:
        return await force_transition(session, job, Transition.CANCEL_QUEUED, finished_at=now(), cancel_requested=True)
    requested = update(Job).where(col(Job.owner_id) == owner_id, col(Job.id) == job_id).values(cancel_requested=True)
    await session.execute(requested)
    notify_on_commit(session, Notification("cancel", owner_id))
    await _read_again(session, job)
    return job


async def update_facts(session: AsyncSession, owner_id: str, job_id: str, values: Mapping[str, Any]) -> Job:
    """Change what belongs to the client: tags, metadata, priority. Raises NotFound."""
    job = await _locked(session, owner_id, job_id)
    for name, value in values.items():
        setattr(job, name, value)
    await session.flush()
    await events.append(session, owner_id, job_id, [events.FactsChanged()])
    return job


async def retry(session: AsyncSession, owner_id: str, job_id: str, limits: QueueLimits) -> Job:
    """Queue a FAILED, CANCELED or PARTIAL job again; it goes on behind the last finished window and stage.

    Raises NotFound, Conflict and QueueFull.
    """
    job = await _locked(session, owner_id, job_id)
    stages = [
        StageReport(stage=r.stage) if r.state is StageState.FAILED or r.stage is Stage.LOAD else r for r in job.stages
    ]
    return await _again(session, job, Transition.RETRY, limits, stages=stages)


async def rerun(
    session: AsyncSession, owner_id: str, job_id: str, stage: Stage, *, options: Options, limits: QueueLimits
) -> Job:
    """Queue a finished job for one stage (ALIGN or DIARIZE) with these options; the rest stays as it is.

    New word times need their speakers assigned anew, so ALIGN brings DIARIZE with it. Raises NotFound, Conflict and
    QueueFull.
    """
    job = await _locked(session, owner_id, job_id)
    again = {stage, Stage.DIARIZE} if options.diarize else {stage}
    again |= {Stage.LOAD, Stage.PERSIST}  # another process may have to load its models first
    stages = [StageReport(stage=r.stage) if r.stage in again else r for r in job.stages]
    return await _again(session, job, Transition.RERUN, limits, stages=stages, options=options)


async def _again(session: AsyncSession, job: Job, how: Transition, limits: QueueLimits, **values: Any) -> Job:
    if job.state not in how.sources:
        raise Conflict(f"The job is {job.state}.", {"state": job.state})
    await lock_owner(session, job.owner_id)
    await check_room(session, job.owner_id, limits)
    written = select(Transcript).where(col(Transcript.owner_id) == job.owner_id, col(Transcript.job_id) == job.id)
    transcript = (await session.execute(written.with_for_update())).scalar_one_or_none()
    if transcript is not None and (transcript.complete or transcript.revision > 1):
        await revisions.advance(session, transcript, f"{how.name.capitalize()} by the machine", None)
    fresh: dict[str, Any] = {
        "attempt": 0,
        "crashes": 0,
        "run_after": 0,
        "progress": 0.0,
        "problems": [],
        "finished_at": None,
        "cancel_requested": False,
    }
    return await force_transition(session, job, how, **fresh, **values)


async def delete(session: AsyncSession, owner_id: str, job_id: str) -> None:
    """Delete a job in any state, with its transcript, exports, events and, unless another job uses it, its recording.

    A worker that is at it loses its lease and stops. Files go soon after. Raises NotFound.
    """
    job = await _locked(session, owner_id, job_id)
    keys = [*job.checkpoints.values()]
    for document in await exports.with_transcript(session, owner_id, transcript_id(job_id)):
        keys += [document.blob_key] if document.blob_key else []
        await session.delete(document)
    await session.flush()
    await session.execute(sql_delete(Job).where(col(Job.owner_id) == owner_id, col(Job.id) == job_id))
    await events.erase(session, owner_id, job_id)
    others = select(col(Job.id)).where(col(Job.owner_id) == owner_id, col(Job.media_id) == job.media_id).limit(1)
    if (await session.execute(others)).first() is None:
        gone = sql_delete(Media).where(col(Media.owner_id) == owner_id, col(Media.id) == job.media_id)
        blob_key = (await session.execute(gone.returning(col(Media.blob_key)))).scalar_one_or_none()
        keys += await media.unshared(session, owner_id, blob_key)
        if blob_key:
            await outbox.tell_of_media(session, owner_id, job.media_id)
    await cleanups.add(session, owner_id, keys, correlation_id=job.correlation_id)


# ---------------------------------------------------------------- shared steps


async def _locked(session: AsyncSession, owner_id: str, job_id: str) -> Job:
    statement = select(Job).where(col(Job.owner_id) == owner_id, col(Job.id) == job_id).with_for_update()
    job = (await session.execute(statement)).scalar_one_or_none()
    if job is None:
        raise NotFound("job", job_id)
    return job


async def _read_again(session: AsyncSession, job: Job) -> None:
    """Bring a row up to date; the owner is part of this statement as of every other."""
    mine = select(Job).where(col(Job.id) == job.id, col(Job.owner_id) == job.owner_id)
    await session.execute(mine.execution_options(populate_existing=True))


async def force_transition(session: AsyncSession, job: Job, how: Transition, **values: Any) -> Job:
    """Move a locked row whoever holds it: the fence goes up. Raises Conflict when it cannot leave its state so."""
    before = job.state
    if not await leases.take_away(session, job, how, **values):
        raise Conflict(f"The job is {before}.", {"state": before})
    await _read_again(session, job)
    await _moved(session, job, before, how.target)
    return job


async def _moved(session: AsyncSession, job: Job, before: JobState | None, after: JobState) -> None:
    await events.append(session, job.owner_id, job.id, [events.StateChanged(before, after)])
    if after is JobState.QUEUED:
        background.notify(session, Job, job.owner_id)
