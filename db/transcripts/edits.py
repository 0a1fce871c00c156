"""Corrections that people make. Each is one revision; what was there before stays in the past (`.revisions`).

All raise NotFound, InvalidValue (a value that makes no sense here) and Conflict (another revision than expected, or a
worker that is still at it).
"""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.clock import now
from db.domain.errors import InvalidValue, NotFound
from db.domain.retiming import retime, spaced, split
from db.domain.values import Segment, Word
from db.domain.words import columns, pack, repack
from db.models import PastSpeaker, SegmentRow, SpeakerRow, Transcript
from db.transcripts import as_segment, renumber, revisions
from db.transcripts.edit_steps import add_seconds, done, part_key, pass_on, segment_rows, speaker_rows, tell

UNCHANGED = -1
"""In the place of a speaker: leave it as it is."""


class Begun(msgspec.Struct, frozen=True):
    """A correction that begins: whose transcript it changes, and which revision the editor has seen."""

    owner_id: str
    transcript_id: str
    expected: int


class Wording(msgspec.Struct, frozen=True):
    """The text that a segment is to have (None: as it is), and its speaker (None: nobody that is known)."""

    key: str
    text: str | None = None
    speaker: int | None = UNCHANGED


async def edit_segments(session: AsyncSession, edit: Begun, wordings: Sequence[Wording]) -> Transcript:
    """Change what segments say, or who says it, as one revision; words that stay keep their times."""
    summary = "Edited a segment" if len(wordings) == 1 else f"Edited {len(wordings)} segments"
    transcript = await _begin(session, edit, summary)
    rows = {row.key: row for row in await segment_rows(session, transcript, [wording.key for wording in wordings])}
    changed = await asyncio.to_thread(lambda: [(rows[w.key], _reworded(rows[w.key], w)) for w in wordings])
    moved: Counter[int] = Counter()  # speaker -> milliseconds
    for wording in wordings:
        row = rows[wording.key]
        row.text = row.text if wording.text is None else wording.text
        if wording.speaker not in (UNCHANGED, row.speaker):
            pass_on(moved, row, wording.speaker)
    await add_seconds(session, transcript, moved)
    return await done(session, transcript, changed)


def _reworded(row: SegmentRow, wording: Wording) -> Sequence[Word]:
    """Return a segment's words as they are to be."""
    segment = as_segment(row)
    words: Sequence[Word] = segment.words
    if wording.text is not None:
        texts = split(wording.text, spaced=spaced(segment.text, words))
        words = retime(words, texts, segment.start, segment.end)
    if wording.speaker != UNCHANGED:
        words = [msgspec.structs.replace(word, speaker=wording.speaker) for word in words]
    return words


async def confirm_words(session: AsyncSession, edit: Begun, words: Collection[int]) -> Transcript:
    """Record that a person found these words right; `words` are their places in the transcript, from 0."""
    transcript = await _begin(session, edit, "Confirmed a word" if len(words) == 1 else f"Confirmed {len(words)} words")
    counts = select(col(SegmentRow.first_word), col(SegmentRow.key), col(SegmentRow.word_count)).where(
        col(SegmentRow.owner_id) == transcript.owner_id,
        col(SegmentRow.transcript_id) == transcript.id,
        col(SegmentRow.word_count) > 0,
    )
    found = (await session.execute(counts.order_by(col(SegmentRow.first_word)))).all()
    firsts = [row.first_word for row in found]
    places: dict[str, set[int]] = {}
    for word in words:
        place = bisect_right(firsts, word) - 1
        if place < 0 or word >= found[place].first_word + found[place].word_count:
            raise InvalidValue("words", f"There is no word {word}.")
        first, key, _ = found[place]
        places.setdefault(key, set()).add(word - first)
    for row in await segment_rows(session, transcript, list(places)):
        said = columns(row.words)
        reviewed = tuple(sorted({*said.reviewed, *places[row.key]}))
        row.words, row.since = repack(said._replace(reviewed=reviewed)), transcript.revision
    return await tell(session, transcript)


async def create_speaker(session: AsyncSession, edit: Begun, name: str, keys: Sequence[str]) -> Transcript:
    """Add a speaker who was not told apart, and let them say these segments."""
    transcript = await _begin(session, edit, "Added a speaker")
    position = 0
    for table in (SpeakerRow, PastSpeaker):  # an id never means two people
        mine = (col(table.owner_id) == transcript.owner_id, col(table.transcript_id) == transcript.id)
        highest: int | None = (await session.execute(select(func.max(col(table.position))).where(*mine))).scalar()
        position = max(position, -1 if highest is None else highest + 1)
    session.add(
        SpeakerRow(
            transcript_id=transcript.id,
            owner_id=transcript.owner_id,
            position=position,
            label=f"SPEAKER_{position:02d}",
            name=name,
            seconds=0.0,
            word_count=0,
            since=transcript.revision,
        )
    )
    await session.flush()
    changed: list[tuple[SegmentRow, Sequence[Word]]] = []
    moved: Counter[int] = Counter()
    for row in await segment_rows(session, transcript, keys) if keys else ():
        changed.append((row, _reworded(row, Wording(row.key, speaker=position))))
        pass_on(moved, row, position)
    await add_seconds(session, transcript, moved)
    return await done(session, transcript, changed)


async def split_segment(session: AsyncSession, edit: Begun, key: str, *, at_word: int) -> Transcript:
    """Cut a segment before its word number `at_word`, from 0. The first part keeps the key."""
    transcript = await _begin(session, edit, "Split a segment")
    [row] = await segment_rows(session, transcript, [key])
    segment = as_segment(row)
    if not 1 <= at_word < len(segment.words):
        raise InvalidValue("at_word", f"Between 1 and {len(segment.words) - 1}, counted in the segment from 0.")
    first, second = segment.words[:at_word], segment.words[at_word:]
    begins = next((word.start for word in second if word.start is not None), segment.end)
    edge, cut = min(max(round(begins * 1000), row.start_ms), row.end_ms), _offset(segment, at_word)
    rest = SegmentRow(
        transcript_id=transcript.id,
        owner_id=transcript.owner_id,
        key=await part_key(session, transcript, key),
        word_count=0,
        start_ms=edge,
        end_ms=row.end_ms,
        text=segment.text[cut:].strip(),
        words="",
        speaker=_main_speaker(second, row.speaker),
        confidence=row.confidence,
        flags=list(row.flags),
        language=row.language,
    )
    session.add(rest)
    row.text, row.end_ms, row.speaker = segment.text[:cut].strip(), edge, _main_speaker(first, row.speaker)
    return await done(session, transcript, [(row, first), (rest, second)])


async def merge_segments(session: AsyncSession, edit: Begun, keys: Sequence[str]) -> Transcript:
    """Make one of several segments that follow each other; it has the first one's key."""
    transcript = await _begin(session, edit, "Merged segments")
    rows = await segment_rows(session, transcript, keys)
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
    return await done(session, transcript, [(first, words)])


async def rename_speaker(session: AsyncSession, edit: Begun, position: int, name: str) -> Transcript:
    """Give a speaker a name."""
    transcript = await _begin(session, edit, "Renamed a speaker")
    [speaker] = await speaker_rows(session, transcript, [position])
    speaker.name, speaker.since = name, transcript.revision
    return await tell(session, transcript)


async def merge_speakers(session: AsyncSession, edit: Begun, positions: Sequence[int], into: int) -> Transcript:
    """Make several speakers one: everything they say is said by `into`."""
    others = {position for position in positions if position != into}
    if not others:
        raise InvalidValue("speakers", "At least one other speaker.")
    transcript = await _begin(session, edit, "Merged speakers")
    speakers = await speaker_rows(session, transcript, sorted({*others, into}))
    [kept] = [speaker for speaker in speakers if speaker.position == into]
    for speaker in speakers:
        if speaker is not kept:
            kept.seconds += speaker.seconds
            await session.delete(speaker)
    kept.since = transcript.revision
    rows = [
        row
        for row in await segment_rows(session, transcript, None)
        if others & {row.speaker, *columns(row.words).speaker}
    ]
    await revisions.keep_segments(session, transcript, [row.key for row in rows])
    for row in rows:
        words = as_segment(row).words
        row.speaker, row.since = into if row.speaker in others else row.speaker, transcript.revision
        row.words = pack([msgspec.structs.replace(w, speaker=into) if w.speaker in others else w for w in words])
    return await done(session, transcript, [])


async def revert_transcript(session: AsyncSession, edit: Begun, number: int) -> Transcript:
    """Make the transcript what it was at an earlier revision."""
    if not 1 <= number < edit.expected:
        raise InvalidValue("revision", "An earlier revision.")
    transcript = await _begin(session, edit, f"Reverted to revision {number}")
    await revisions.revert(session, transcript, number)
    await renumber(session, transcript.owner_id, transcript.id)
    return await tell(session, transcript)


async def retitle(
    session: AsyncSession, owner_id: str, transcript_id: str, *, title: str | None, language: str | None
) -> Transcript:
    """Give a transcript another title or language (None: as it is); that is no revision. Raises NotFound."""
    mine = (col(Transcript.owner_id) == owner_id, col(Transcript.id) == transcript_id)
    transcript = (await session.execute(select(Transcript).where(*mine).with_for_update())).scalar_one_or_none()
    if transcript is None:
        raise NotFound("transcript", transcript_id)
    if title is not None:
        transcript.title = title
    if language is not None:
        transcript.language, transcript.language_confidence = language, 1.0
    transcript.updated_at = now()
    return await tell(session, transcript)


async def _begin(session: AsyncSession, edit: Begun, summary: str) -> Transcript:
    return await revisions.begin(
        session, edit.owner_id, edit.transcript_id, expected=edit.expected, summary=summary, author_id=edit.owner_id
    )


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
