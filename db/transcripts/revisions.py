"""Revisions: what a transcript was after each change. Nothing that was ever written is lost.

A segment's or a speaker's row says since which revision it stands. Each change first copies it to the past,
with the revision until which it stood; so a revision is read back from both tables, and the machine's own stays.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, delete, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.clock import now
from db.domain.errors import Conflict, NotFound
from db.domain.states import TERMINAL
from db.models import Job, PastSegment, PastSpeaker, Revision, SegmentRow, SpeakerRow, Transcript, index_terms
from db.store.pages import Order

Key = TypeVar("Key")

MACHINES_OWN = "As recognised"
ORDER = Order("Revision", (col(Revision.number),), lambda row: (row.number,), descending=True)
"""Newest first."""


async def begin(
    session: AsyncSession, owner_id: str, transcript_id: str, *, expected: int, summary: str, author_id: str | None
) -> Transcript:
    """Start the next revision; the caller then changes rows. Locks the job and the transcript.

    Raises NotFound, and Conflict when a worker is still at it or somebody else has changed it since.
    """
    mine = (col(Transcript.owner_id) == owner_id, col(Transcript.id) == transcript_id)
    of_job = (col(Transcript.job_id) == col(Job.id)) & (col(Job.owner_id) == owner_id)
    job = select(col(Job.state)).join(Transcript, of_job).where(*mine)
    state = (await session.execute(job.with_for_update(of=Job))).scalar_one_or_none()
    if state is None:
        raise NotFound("transcript", transcript_id)
    if state not in TERMINAL:
        raise Conflict("The transcript is still being written.", {"state": state})
    locked = select(Transcript).where(*mine).with_for_update().execution_options(populate_existing=True)
    transcript = (await session.execute(locked)).scalar_one()
    if transcript.revision != expected:
        message = "Somebody has changed the transcript in the meantime; read it again."
        raise Conflict(message, {"revision": transcript.revision}, current_revision=transcript.revision)
    await advance(session, transcript, summary, author_id)
    return transcript


async def advance(session: AsyncSession, transcript: Transcript, summary: str, author_id: str | None) -> None:
    """Start the next revision of a transcript that the caller has locked."""
    transcript.revision += 1
    transcript.updated_at = now()
    record(session, transcript, summary, author_id)
    await session.flush()


def record(session: AsyncSession, transcript: Transcript, summary: str, author_id: str | None) -> None:
    """Write down what the transcript's present revision is."""
    session.add(
        Revision(
            transcript_id=transcript.id,
            owner_id=transcript.owner_id,
            number=transcript.revision,
            summary=summary,
            author_id=author_id,
            created_at=now(),
        )
    )


async def keep_segments(
    session: AsyncSession, transcript: Transcript, keys: Sequence[str] | None = None, *, from_key: str = ""
) -> None:
    """Copy segments to the past, unless they are as new as this revision. The caller must change or delete them."""
    where = [
        col(SegmentRow.transcript_id) == transcript.id,
        col(SegmentRow.owner_id) == transcript.owner_id,
        col(SegmentRow.key) >= from_key,
    ]
    if keys is not None:
        where.append(col(SegmentRow.key).in_(keys))
    await _keep(session, transcript, SegmentRow, PastSegment, where)


async def keep_speakers(session: AsyncSession, transcript: Transcript, positions: Sequence[int] | None = None) -> None:
    """Copy speakers to the past in the same way."""
    where = [col(SpeakerRow.transcript_id) == transcript.id, col(SpeakerRow.owner_id) == transcript.owner_id]
    if positions is not None:
        where.append(col(SpeakerRow.position).in_(positions))
    await _keep(session, transcript, SpeakerRow, PastSpeaker, where)


async def segments_at(session: AsyncSession, transcript: Transcript, number: int) -> list[SegmentRow]:
    """Return a revision's segments in order; rows that are not attached to the session when they are past ones."""
    rows = await _at(session, transcript, number, SegmentRow, PastSegment)
    return sorted(rows, key=lambda row: (row.start_ms, row.key))


async def speakers_at(session: AsyncSession, transcript: Transcript, number: int) -> list[SpeakerRow]:
    """Return a revision's speakers in order."""
    rows = await _at(session, transcript, number, SpeakerRow, PastSpeaker)
    return sorted(rows, key=lambda row: row.position)


async def revert(session: AsyncSession, transcript: Transcript, number: int) -> None:
    """Make the present revision, which the caller has begun, equal to an earlier one; what is equal stays untouched."""
    wanted_segments = {row.key: row for row in await segments_at(session, transcript, number)}
    wanted_speakers = {row.position: row for row in await speakers_at(session, transcript, number)}
    present_segments = {row.key: row for row in await segments_at(session, transcript, transcript.revision)}
    present_speakers = {row.position: row for row in await speakers_at(session, transcript, transcript.revision)}
    keys = await asyncio.to_thread(_differing, present_segments, wanted_segments)
    positions = await asyncio.to_thread(_differing, present_speakers, wanted_speakers)
    await keep_segments(session, transcript, keys)
    await keep_speakers(session, transcript, positions)
    for table, identity, gone in ((SegmentRow, SegmentRow.key, keys), (SpeakerRow, SpeakerRow.position, positions)):
        mine = (col(table.owner_id) == transcript.owner_id, col(table.transcript_id) == transcript.id)
        await session.execute(delete(table).where(*mine, col(identity).in_(gone)))
    session.expunge_all()
    again = [wanted_segments[key] for key in keys if key in wanted_segments]
    people = [wanted_speakers[position] for position in positions if position in wanted_speakers]
    for row in (*again, *people):
        fresh = type(row)(
            **{name: getattr(row, name) for name in type(row).model_fields} | {"since": transcript.revision}
        )
        session.add(index_terms(fresh) if isinstance(fresh, SegmentRow) else fresh)
    session.add(transcript)
    await session.flush()


_PLACES = frozenset({"since", "position", "first_word", "terms", "terms_id"})
"""The columns that may differ between a segment's past and present row although it says the same."""


def _differing(present: Mapping[Key, Any], wanted: Mapping[Key, Any]) -> list[Key]:
    """Return the keys of rows that are not the same in both."""

    def facts(row: Any) -> dict[str, Any] | None:
        names = type(row).model_fields if row is not None else ()
        return {name: getattr(row, name) for name in names if name not in _PLACES}

    return [key for key in {**present, **wanted} if facts(present.get(key)) != facts(wanted.get(key))]


async def many(
    session: AsyncSession, owner_id: str, wanted: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Revision]:
    """Return these revisions, by transcript and number."""
    statement = select(Revision).where(
        col(Revision.owner_id) == owner_id,
        col(Revision.transcript_id).in_({id_ for id_, _ in wanted}),
        col(Revision.number).in_({number for _, number in wanted}),
    )
    found = {(row.transcript_id, row.number): row for row in (await session.execute(statement)).scalars()}
    return {revision: found[revision] for revision in wanted if revision in found}


def listed(owner_id: str, transcript_id: str) -> Select[Revision]:
    """Return a transcript's revisions."""
    return select(Revision).where(col(Revision.owner_id) == owner_id, col(Revision.transcript_id) == transcript_id)


async def _keep(session: AsyncSession, transcript: Transcript, table: Any, past: Any, where: list[Any]) -> None:
    await session.flush()
    names = [name for name in table.model_fields if name in past.model_fields]
    columns = [getattr(table, name) for name in names]
    older = select(*columns, literal(transcript.revision)).where(*where, col(table.since) < transcript.revision)
    await session.execute(insert(past).from_select([*names, "until"], older))


async def _at(session: AsyncSession, transcript: Transcript, number: int, table: Any, past: Any) -> Any:
    def older(kind: Any) -> Select[Any]:
        mine = (col(kind.owner_id) == transcript.owner_id, col(kind.transcript_id) == transcript.id)
        return select(kind).where(*mine, col(kind.since) <= number)

    rows = list((await session.execute(older(table))).scalars())
    if number < transcript.revision:
        stood = (await session.execute(older(past).where(col(past.until) > number))).scalars()
        rows += [
            table(**{name: getattr(row, name) for name in table.model_fields if hasattr(row, name)}) for row in stood
        ]
    return rows
