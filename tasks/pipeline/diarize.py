"""DIARIZE: who says what. Words go to the speaker heard most during them; where that changes, segments are split."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby

from msgspec.structs import replace

from db.values import QualityFlag, Segment, SpeakerLabel, Stage, Word
from tasks.pipeline.recording import Recording
from tasks.pipeline.sentences import join
from tasks.pipeline.types import (
    Emit,
    Kept,
    Progressed,
    SegmentsRevised,
    SpeakersFound,
    SpeechEngine,
    Turn,
    Work,
    scratch_file,
)

VOICEPRINTS = "voiceprints"
OVERLAP_SECONDS = 0.25  # of two people talking at once within a segment: it is flagged


def diarize(
    recording: Recording, engine: SpeechEngine, segments: Sequence[Segment], *, language: str, work: Work, emit: Emit
) -> list[Segment]:
    """The segments with speakers. What was learnt of the voices is kept, so another speaker count takes seconds."""
    turns = engine.diarize(_voiceprints(recording, engine, work, emit), work.options)
    speakers, revised = assign(segments, turns, language)
    kept = {segment.key for segment in revised}
    removed = tuple(segment.key for segment in segments if segment.key not in kept)
    emit(SpeakersFound(speakers=speakers))
    emit(SegmentsRevised(stage=Stage.DIARIZE, segments=tuple(revised), removed=removed))
    return revised


def _voiceprints(recording: Recording, engine: SpeechEngine, work: Work, emit: Emit) -> bytes:
    path = scratch_file(work, VOICEPRINTS)
    if path.exists():
        return path.read_bytes()
    found = engine.voiceprints(recording, lambda done: emit(Progressed(stage=Stage.DIARIZE, fraction=done)))
    partial = path.with_suffix(".partial")
    partial.write_bytes(found)
    partial.replace(path)
    emit(Kept(stage=Stage.DIARIZE, name=VOICEPRINTS))
    return found


def assign(
    segments: Sequence[Segment], turns: Sequence[Turn], language: str
) -> tuple[tuple[SpeakerLabel, ...], list[Segment]]:
    """Speakers in order of first appearance, and the segments split where the speaker changes."""
    turns = sorted(turns, key=lambda turn: (turn.start, turn.end))
    names = _names(segments, turns)
    heard = _Heard([(turn.start, turn.end, names.index(turn.speaker)) for turn in turns])
    revised: list[Segment] = []
    for _, parts in groupby(segments, key=lambda segment: segment.key.split(".")[0]):
        revised += _split(_whole(list(parts), language), heard, language)
    counts = [0] * len(names)
    for word in (word for segment in revised for word in segment.words):
        if word.speaker is not None:
            counts[word.speaker] += 1
    labels = (
        SpeakerLabel(
            index=index,
            label=f"SPEAKER_{index:02d}",
            seconds=round(sum(turn.end - turn.start for turn in turns if turn.speaker == name), 3),
            word_count=counts[index],
        )
        for index, name in enumerate(names)
    )
    return tuple(labels), revised


def _names(segments: Sequence[Segment], turns: Sequence[Turn]) -> list[str]:
    """Speakers in the order of their first words; those who say none that was recognised come last."""
    names = list(dict.fromkeys(turn.speaker for turn in turns))
    heard = _Heard([(turn.start, turn.end, names.index(turn.speaker)) for turn in turns])
    first, speaker = [], None
    for word in (word for segment in segments for word in segment.words):
        speaker = heard.speaker(word, speaker)
        if speaker is not None:
            first.append(names[speaker])
    return list(dict.fromkeys([*first, *names]))


class _Heard:
    """Turns by time: who talks in a stretch, and for how long."""

    def __init__(self, turns: Sequence[tuple[float, float, int]]) -> None:
        self.turns = turns
        self.starts = [start for start, _, _ in turns]
        self.reach = list(accumulate((end for _, end, _ in turns), max))  # the latest end so far

    def during(self, start: float, end: float) -> Iterator[tuple[float, float, int]]:
        """The parts of turns within a stretch."""
        first = bisect_left(self.reach, start)
        for begun, ended, speaker in self.turns[first : bisect_left(self.starts, end)]:
            if ended > start:
                yield max(begun, start), min(ended, end), speaker

    def speaker(self, word: Word, before: int | None) -> int | None:
        """Who is heard most during a word; in doubt the one who was speaking, in silence the nearest."""
        if not self.turns or word.start is None or word.end is None:
            return before
        shares: dict[int, float] = {}
        for start, end, speaker in self.during(word.start, max(word.end, word.start + 0.001)):
            shares[speaker] = shares.get(speaker, 0.0) + end - start
        if not shares:
            return self._nearest((word.start + word.end) / 2)
        most = max(shares.values())
        if before is not None and shares.get(before, 0.0) >= most - 0.001:
            return before
        return max(shares, key=lambda speaker: shares[speaker])

    def _nearest(self, moment: float) -> int:
        after = bisect_left(self.starts, moment)
        around = self.turns[max(0, after - 8) : after + 1]
        return min(around, key=lambda turn: max(turn[0] - moment, moment - turn[1]))[2]

    def overlap(self, start: float, end: float) -> float:
        """Seconds within a stretch in which two or more speak at once."""
        total, reached = 0.0, start
        for begun, ended, _ in sorted(self.during(start, end)):
            total += max(0.0, min(reached, ended) - begun)
            reached = max(reached, ended)
        return total


def _whole(parts: Sequence[Segment], language: str) -> Segment:
    """A sentence as it was before an earlier diarization split it."""
    first = parts[0]
    words = tuple(word for part in parts for word in part.words)
    text = first.text if len(parts) == 1 else join([word.text for word in words], language)
    return replace(first, key=first.key.split(".")[0], end=max(part.end for part in parts), text=text, words=words)


def _split(segment: Segment, heard: _Heard, language: str) -> Iterator[Segment]:
    speaker: int | None = None
    words = []
    for word in segment.words:
        speaker = heard.speaker(word, speaker)
        words.append(replace(word, speaker=speaker))
    turns = [(speaker, tuple(own)) for speaker, own in groupby(words, key=lambda word: word.speaker)]
    for index, (speaker, own) in enumerate(turns):
        start = segment.start if index == 0 else own[0].start or 0.0
        end = segment.end if index == len(turns) - 1 else max(word.end or 0.0 for word in own)
        flags: tuple[QualityFlag, ...] = tuple(flag for flag in segment.flags if flag is not QualityFlag.OVERLAP)
        if heard.overlap(start, end) >= OVERLAP_SECONDS:
            flags = (*flags, QualityFlag.OVERLAP)
        yield replace(
            segment,
            key=segment.key if index == 0 else f"{segment.key}.{index:02d}",
            start=start,
            end=max(start, end),
            text=segment.text if len(turns) == 1 else join([word.text for word in own], language),
            words=own,
            speaker=speaker,
            flags=flags,
        )
