"""Revisions: what a transcript was after each change. Nothing that was ever written is lost.

A segment's or a speaker's row says since which revision it stands. Whoever changes it first copies it to the past,
with the revision until which it stood; so a revision is read back from both tables, and the machine's own stays.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Select, delete, insert, literal, or_, select
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
"""What may differ between a segment's past and present row although it says the same."""


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


class Changes(NamedTuple):
    """What a revision changed: the rows that it made what they are now, and the identities that it took away."""

    segments: list[SegmentRow]
    speakers: list[SpeakerRow]
    removed_keys: list[str]
    removed_positions: list[int]


async def changes(
    session: AsyncSession, owner_id: str, revisions: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Changes]:
    """Return what each of these revisions, by transcript and number, changed; by four statements in all.

    What a later revision has changed again is told of that one only.
    """
    found = {revision: Changes([], [], [], []) for revision in revisions}
    if not found:
        return found
    texts = await _changed(session, owner_id, revisions, (SegmentRow, PastSegment, "key"))
    for revision, (rows, gone) in texts.items():
        found[revision].segments.extend(sorted(rows, key=lambda row: (row.start_ms, row.key)))
        found[revision].removed_keys.extend(gone)
    people = await _changed(session, owner_id, revisions, (SpeakerRow, PastSpeaker, "position"))
    for revision, (rows, gone) in people.items():
        found[revision].speakers.extend(sorted(rows, key=lambda row: row.position))
        found[revision].removed_positions.extend(gone)
    return found


async def _changed(
    session: AsyncSession, owner_id: str, revisions: Collection[tuple[str, int]], tables: tuple[Any, Any, str]
) -> dict[tuple[str, int], tuple[list[Any], list[Any]]]:
    """Return the rows that each revision made what they are now, and the identities that it took away."""
    present, past, identity = tables
    found: dict[tuple[str, int], tuple[list[Any], list[Any]]] = {revision: ([], []) for revision in revisions}
    ids = {id_ for id_, _ in revisions}
    numbers = {number for _, number in revisions}
    mine = (col(present.owner_id) == owner_id, col(present.transcript_id).in_(ids), col(present.since).in_(numbers))
    made: set[tuple[str, int, Any]] = set()
    for row in (await session.execute(select(present).where(*mine))).scalars():
        made.add((row.transcript_id, row.since, getattr(row, identity)))
        if (revision := (row.transcript_id, row.since)) in found:
            found[revision][0].append(row)
    columns = (col(past.transcript_id), col(past.since), col(past.until), col(getattr(past, identity)))
    of_past = select(*columns).where(
        col(past.owner_id) == owner_id,
        col(past.transcript_id).in_(ids),
        or_(col(past.since).in_(numbers), col(past.until).in_(numbers)),
    )
    ended = (await session.execute(of_past)).all()
    made |= {(id_, since, who) for id_, since, _, who in ended}
    for id_, _, until, who in ended:
        if (id_, until) in found and (id_, until, who) not in made:
            found[id_, until][1].append(who)
    return found


class Difference(NamedTuple):
    """What a revision did to a segment. `before` is None when it made it, `after` when it took it away; the speakers
    are as they were called.
    """

    key: str
    start_ms: int
    before: str | None
    after: str | None
    speaker_before: str | None
    speaker_after: str | None


async def differences(
    session: AsyncSession, owner_id: str, wanted: Collection[tuple[str, int]]
) -> dict[tuple[str, int], list[Difference]]:
    """Return what each revision changed of the text and of who says it, by time; by four statements in all."""
    ids, numbers = {id_ for id_, _ in wanted}, {number for _, number in wanted}
    texts = (SegmentRow, PastSegment, "key", "start_ms", "text", "speaker")
    spoken = await _versions(session, owner_id, ids, texts, numbers)
    called = await _versions(session, owner_id, ids, (SpeakerRow, PastSpeaker, "position", "label", "name"))

    def name(id_: str, position: int | None, number: int) -> str | None:
        for since, until, row in called.get((id_, position), ()):
            if since <= number and (until is None or number < until):
                return str(row.name or row.label)
        return None

    found: dict[tuple[str, int], list[Difference]] = {revision: [] for revision in wanted}
    for id_, number in wanted:
        for (of, key), versions in spoken.items():
            if of != id_:
                continue
            old = next((row for _, until, row in versions if until == number), None)
            new = next((row for since, _, row in versions if since == number), None)
            shown = new or old
            if shown is None:
                continue
            who = name(id_, old.speaker, number - 1) if old else None, name(id_, new.speaker, number) if new else None
            change = Difference(key, shown.start_ms, old and old.text, new and new.text, *who)
            if (change.before, change.speaker_before) != (change.after, change.speaker_after):
                found[id_, number].append(change)
        found[id_, number].sort(key=lambda change: (change.start_ms, change.key))
    return found


async def _versions(
    session: AsyncSession,
    owner_id: str,
    ids: Collection[str],
    kind: tuple[Any, ...],
    numbers: Collection[int] | None = None,
) -> dict[tuple[str, Any], list[tuple[int, int | None, Any]]]:
    """Return the versions of rows of a kind (its tables, its identity, its facts), each with its first revision and the
    one that ended it: all of them, or those that revisions of these numbers made or ended.
    """
    present, past, identity, *facts = kind
    found: dict[tuple[str, Any], list[tuple[int, int | None, Any]]] = {}
    for table in (present, past):
        names = ["transcript_id", "since", identity, *facts, *(["until"] if table is past else [])]
        statement = select(*(col(getattr(table, name)) for name in names)).where(
            col(table.owner_id) == owner_id, col(table.transcript_id).in_(ids)
        )
        if numbers is not None:
            touched = col(table.since).in_(numbers)
            statement = statement.where(or_(touched, col(table.until).in_(numbers)) if table is past else touched)
        for row in await session.execute(statement):
            version = (row.since, getattr(row, "until", None), row)
            found.setdefault((row.transcript_id, getattr(row, identity)), []).append(version)
    return found


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
