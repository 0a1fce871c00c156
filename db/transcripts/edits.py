"""Corrections that people make. Each is one revision; the past stays in `db.transcripts.revisions`.

All raise NotFound, InvalidValue (a value that makes no sense here) and Conflict (another revision than expected, or a
worker that is still at it).
"""

from collections import Counter
from collections.abc import Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.errors import InvalidValue, NotFound
from db.domain.retiming import retime, spaced, split
from db.domain.values import Segment, Word
from db.domain.words import columns, pack
from db.models import PastSegment, SegmentRow, SpeakerRow, Transcript, index_terms
from db.transcripts import as_segment, renumber, revisions, segment_id

UNCHANGED = -1
"""In the place of a speaker: leave it as it is."""


class Begun(msgspec.Struct, frozen=True):
    """The transcript that is edited, its owner, and the revision that the editor has seen."""

    owner_id: str
    transcript_id: str
    expected: int


async def edit_segment(
    session: AsyncSession, edit: Begun, key: str, *, text: str | None = None, speaker: int | None = UNCHANGED
) -> Transcript:
    """Change a segment's text or its speaker; words that stay keep their times."""
    transcript = await _begin(session, edit, "Edited a segment")
    [row] = await _rows(session, transcript, [key])
    segment = as_segment(row)
    words: Sequence[Word] = segment.words
    if text is not None:
        texts = split(text, spaced=spaced(segment.text, words))
        words, row.text = retime(words, texts, segment.start, segment.end), text
    if speaker != UNCHANGED:
        await _pass_on(session, transcript, row, speaker)
        words, row.speaker = [msgspec.structs.replace(word, speaker=speaker) for word in words], speaker
    return await _done(session, transcript, [(row, words)])


async def split_segment(session: AsyncSession, edit: Begun, key: str, *, at_word: int) -> Transcript:
    """Cut a segment before its word number `at_word`, from 0. The first part keeps the key."""
    transcript = await _begin(session, edit, "Split a segment")
    [row] = await _rows(session, transcript, [key])
    segment = as_segment(row)
    if not 1 <= at_word < len(segment.words):
        raise InvalidValue("at_word", f"Between 1 and {len(segment.words) - 1}, counted in the segment from 0.")
    first, second = segment.words[:at_word], segment.words[at_word:]
    begins = next((word.start for word in second if word.start is not None), segment.end)
    edge, cut = min(max(round(begins * 1000), row.start_ms), row.end_ms), _offset(segment, at_word)
    rest = SegmentRow(
        transcript_id=transcript.id,
        owner_id=transcript.owner_id,
        key=await _part_key(session, transcript, key),
        word_count=0,
        start_ms=edge,
        end_ms=row.end_ms,
        text=segment.text[cut:].strip(),
        words="",
        speaker=_main_speaker(second, row.speaker),
        confidence=row.confidence,
        flags=list(row.flags),
    )
    session.add(rest)
    row.text, row.end_ms, row.speaker = segment.text[:cut].strip(), edge, _main_speaker(first, row.speaker)
    return await _done(session, transcript, [(row, first), (rest, second)])


async def merge_segments(session: AsyncSession, edit: Begun, keys: Sequence[str]) -> Transcript:
    """Make one of several segments that follow each other; it has the first one's key."""
    transcript = await _begin(session, edit, "Merged segments")
    rows = await _rows(session, transcript, keys)
    if len(rows) < 2 or rows[-1].position - rows[0].position != len(rows) - 1:
        raise InvalidValue("segments", "Two or more segments that follow each other.")
    segments = [as_segment(row) for row in rows]
    words = [word for segment in segments for word in segment.words]
    space = " " if all(spaced(segment.text, segment.words) for segment in segments) else ""
    first = rows[0]
    first.text = space.join(segment.text for segment in segments)
    first.end_ms = max(row.end_ms for row in rows)
    first.speaker = _main_speaker(words, first.speaker)
    first.flags = list(dict.fromkeys(flag for row in rows for flag in row.flags))
    sure = [(row.confidence, max(1, row.word_count)) for row in rows if row.confidence is not None]
    first.confidence = sum(c * n for c, n in sure) / sum(n for _, n in sure) if sure else None
    for row in rows[1:]:
        await session.delete(row)
    return await _done(session, transcript, [(first, words)])


async def rename_speaker(session: AsyncSession, edit: Begun, position: int, name: str) -> Transcript:
    """Give a speaker a name."""
    transcript = await _begin(session, edit, "Renamed a speaker")
    [speaker] = await _speakers(session, transcript, [position])
    speaker.name, speaker.since = name, transcript.revision
    await session.flush()
    return transcript


async def merge_speakers(session: AsyncSession, edit: Begun, positions: Sequence[int], into: int) -> Transcript:
    """Make several speakers one: everything they say is said by `into`."""
    others = {position for position in positions if position != into}
    if not others:
        raise InvalidValue("speakers", "At least one other speaker.")
    transcript = await _begin(session, edit, "Merged speakers")
    speakers = await _speakers(session, transcript, sorted({*others, into}))
    [kept] = [speaker for speaker in speakers if speaker.position == into]
    for speaker in speakers:
        if speaker is not kept:
            kept.seconds += speaker.seconds
            await session.delete(speaker)
    kept.since = transcript.revision
    rows = [
        row for row in await _rows(session, transcript, None) if others & {row.speaker, *columns(row.words).speaker}
    ]
    await revisions.keep_segments(session, transcript, [row.key for row in rows])
    for row in rows:
        words = as_segment(row).words
        row.speaker, row.since = into if row.speaker in others else row.speaker, transcript.revision
        row.words = pack([msgspec.structs.replace(w, speaker=into) if w.speaker in others else w for w in words])
    return await _done(session, transcript, [])


async def revert_transcript(session: AsyncSession, edit: Begun, number: int) -> Transcript:
    """Make the transcript what it was at an earlier revision."""
    if not 1 <= number < edit.expected:
        raise InvalidValue("revision", "An earlier revision.")
    transcript = await _begin(session, edit, f"Reverted to revision {number}")
    await revisions.revert(session, transcript, number)
    await renumber(session, transcript.owner_id, transcript.id)
    return transcript


async def _begin(session: AsyncSession, edit: Begun, summary: str) -> Transcript:
    return await revisions.begin(
        session, edit.owner_id, edit.transcript_id, expected=edit.expected, summary=summary, author_id=edit.owner_id
    )


async def _rows(session: AsyncSession, transcript: Transcript, keys: Sequence[str] | None) -> list[SegmentRow]:
    """Return the segments that are about to change, in order, their present state kept; all of them without keys."""
    where = [col(SegmentRow.owner_id) == transcript.owner_id, col(SegmentRow.transcript_id) == transcript.id]
    if keys is not None:
        where.append(col(SegmentRow.key).in_(keys))
        await revisions.keep_segments(session, transcript, keys)
    found = select(SegmentRow).where(*where).order_by(col(SegmentRow.start_ms), col(SegmentRow.key))
    rows = list((await session.execute(found)).scalars())
    for key in keys or ():
        if not any(row.key == key for row in rows):
            raise NotFound("segment", segment_id(transcript.id, key))
    return rows


async def _speakers(session: AsyncSession, transcript: Transcript, positions: Sequence[int]) -> list[SpeakerRow]:
    """Return the speakers that are about to change, their present state kept."""
    await revisions.keep_speakers(session, transcript, positions)
    found = select(SpeakerRow).where(
        col(SpeakerRow.owner_id) == transcript.owner_id,
        col(SpeakerRow.transcript_id) == transcript.id,
        col(SpeakerRow.position).in_(positions),
    )
    rows = list((await session.execute(found)).scalars())
    if len(rows) != len(positions):
        raise NotFound("speaker", str(positions[0]))
    return rows


async def _pass_on(session: AsyncSession, transcript: Transcript, row: SegmentRow, speaker: int | None) -> None:
    """Count a segment's time for another speaker."""
    if speaker == row.speaker:
        return
    both = sorted({position for position in (row.speaker, speaker) if position is not None})
    for changed in await _speakers(session, transcript, both):
        seconds = (row.end_ms - row.start_ms) / 1000
        changed.seconds = max(0.0, changed.seconds + (seconds if changed.position == speaker else -seconds))
        changed.since = transcript.revision


async def _done(
    session: AsyncSession, transcript: Transcript, changed: Sequence[tuple[SegmentRow, Sequence[Word]]]
) -> Transcript:
    """Store the changed segments' words, and count segments and words anew."""
    for row, words in changed:
        index_terms(row)
        row.words, row.word_count, row.edited, row.since = pack(words), len(words), True, transcript.revision
    await session.flush()
    await renumber(session, transcript.owner_id, transcript.id)
    await _recount(session, transcript)
    return transcript


async def _recount(session: AsyncSession, transcript: Transcript) -> None:
    """Count the speakers' words anew."""
    packed = select(col(SegmentRow.words)).where(
        col(SegmentRow.owner_id) == transcript.owner_id, col(SegmentRow.transcript_id) == transcript.id
    )
    said: Counter[int | None] = Counter()
    for words in (await session.execute(packed)).scalars():
        said.update(columns(words).speaker)
    mine = select(SpeakerRow).where(
        col(SpeakerRow.owner_id) == transcript.owner_id, col(SpeakerRow.transcript_id) == transcript.id
    )
    rows = [row for row in (await session.execute(mine)).scalars() if row.word_count != said[row.position]]
    if rows:
        await revisions.keep_speakers(session, transcript, [row.position for row in rows])
        for row in rows:
            row.word_count, row.since = said[row.position], transcript.revision
        await session.flush()


async def _part_key(session: AsyncSession, transcript: Transcript, key: str) -> str:
    """Return a key for the second part of a segment, never used in this transcript: `key.1`, `key.2` and so on."""
    used: set[str] = set()
    for table in (SegmentRow, PastSegment):
        mine = select(col(table.key)).where(
            col(table.owner_id) == transcript.owner_id, col(table.transcript_id) == transcript.id
        )
        used |= set((await session.execute(mine)).scalars())
    number = 1
    while f"{key}.{number}" in used:
        number += 1
    return f"{key}.{number}"


def _offset(segment: Segment, at_word: int) -> int:
    """Find the place in the segment's text at which its word number `at_word` begins."""
    position = 0
    for word in segment.words[:at_word]:
        place = segment.text.find(word.text, position)
        position = (place if place >= 0 else position) + len(word.text)
    place = segment.text.find(segment.words[at_word].text, position)
    return min(place if place >= 0 else position, len(segment.text))


def _main_speaker(words: Sequence[Word], otherwise: int | None) -> int | None:
    """Return the speaker of most of these words."""
    said = Counter(word.speaker for word in words if word.speaker is not None)
    return said.most_common(1)[0][0] if said else otherwise
