"""The changes that revisions made: rows, and texts side by side."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.models import PastSegment, PastSpeaker, SegmentRow, SpeakerRow


class Changes(NamedTuple):
    """The changes of one revision: the rows that it made what they are now, and the identities that it took away."""

    segments: list[SegmentRow]
    speakers: list[SpeakerRow]
    removed_keys: list[str]
    removed_positions: list[int]


async def changes(
    session: AsyncSession, owner_id: str, revisions: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Changes]:
    """Return what each of these revisions, by transcript and number, changed; by four statements in all.

    A row that a later revision has changed again is told of that one only.
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
    """The change of a segment by a revision. `before` is None when it made it, `after` when it took it away; the
    speakers are as they were called.
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
