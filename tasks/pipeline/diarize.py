"""DIARIZE: who says what. Words go to the speaker heard most during them; where that changes, segments are split."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby, pairwise, zip_longest

from msgspec.structs import replace

from db.domain.values import ErrorCode, Problem, QualityFlag, Segment, SpeakerLabel, Stage, Word
from tasks.pipeline.builder import TranscriptBuilder
from tasks.pipeline.recognition.detect import DetectedSpeech
from tasks.pipeline.recognition.sentences import join
from tasks.pipeline.stages import Stages
from tasks.pipeline.types import (
    CheckpointSaved,
    Emit,
    Progressed,
    SegmentsRevised,
    SpeakersFound,
    SpeechEngine,
    Turn,
    Work,
    scratch_file,
)

EMBEDDINGS = "embeddings"
OVERLAP_SECONDS = 0.25  # of two people talking at once within a segment: it is flagged
PAUSE = 2.0  # seconds of silence within a sentence: it is told in two parts
TRAIL = 1.0  # seconds by which a segment may outlast its last word while the same voice goes on
CHANGE = 0.4  # the price of another speaker within a sentence, in shares of a word
FOLLOWING = 0.05  # of another speaker at its beginning: only decides where both are heard alike


def extract_embeddings(speech: DetectedSpeech, engine: SpeechEngine, work: Work, stages: Stages) -> bytes:
    """Return the embeddings of the detected speech, kept so that another speaker count takes seconds."""
    path = scratch_file(work, EMBEDDINGS)
    if path.exists():
        return path.read_bytes()
    stages.begin(Stage.DIARIZE)
    found = engine.extract_embeddings(
        speech.recording, speech, lambda done: stages.tell(Progressed(stage=Stage.DIARIZE, fraction=done))
    )
    partial = path.with_suffix(".partial")
    partial.write_bytes(found)
    partial.replace(path)
    stages.tell(CheckpointSaved(stage=Stage.DIARIZE, name=EMBEDDINGS))
    return found


def diarize(embeddings: bytes, engine: SpeechEngine, builder: TranscriptBuilder, tell: Emit) -> Problem | None:
    """Give the builder's words to speakers; returns a problem when there are not as many as were asked for."""
    turns = engine.diarize(embeddings, builder.options)
    speakers, revised = assign(builder.segments, turns, builder.written)
    kept = {segment.key for segment in revised}
    removed = tuple(segment.key for segment in builder.segments if segment.key not in kept)
    tell(SpeakersFound(speakers=speakers))
    tell(SegmentsRevised(stage=Stage.DIARIZE, segments=tuple(revised), removed=removed))
    builder.revise(revised)
    wanted = builder.options.num_speakers or builder.options.min_speakers or 0
    return _too_few(len(speakers), wanted) if len(speakers) < wanted else None


def _too_few(found: int, wanted: int) -> Problem:
    return Problem(
        code=ErrorCode.INVALID_INPUT,
        stage=Stage.DIARIZE,
        message=f"{wanted} speakers were asked for, and {found} could be told apart.",
        remedy="Some may say too little or sound alike. Run DIARIZE again with another number, or with none.",
    )


def assign(
    segments: Sequence[Segment], turns: Sequence[Turn], language: str
) -> tuple[tuple[SpeakerLabel, ...], list[Segment]]:
    """Return speakers in order of first appearance, and the segments split where the speaker changes."""
    turns = sorted(turns, key=lambda turn: (turn.start, turn.end))
    index = TurnIndex(turns)
    told: list[tuple[Segment, list[str]]] = []
    for _, parts in groupby(segments, key=lambda segment: segment.key.split(".")[0]):
        sentence = _whole(list(parts), language)
        told.append((sentence, assign_words(sentence.words, index, told[-1][1][-1] if told and told[-1][1] else None)))
    said = [name for _, names in told for name in names]
    order = list(dict.fromkeys([*said, *(turn.speaker for turn in turns)]))
    split = [part for sentence, names in told for part in _split(sentence, map(order.index, names), index, language)]
    revised = [
        _trailing(part, after.start if after else math.inf, order, index)
        for part, after in zip_longest(split, split[1:])
    ]
    labels = tuple(
        SpeakerLabel(
            index=index,
            label=f"SPEAKER_{index:02d}",
            seconds=round(sum(turn.end - turn.start for turn in turns if turn.speaker == name), 3),
            word_count=said.count(name),
        )
        for index, name in enumerate(order)
    )
    return labels, revised


def assign_words(words: Sequence[Word], index: "TurnIndex", before: str | None) -> list[str]:
    """Return the speaker of each word of a sentence: whoever is active, but a change within it has its price.

    The cheapest path (Viterbi) over words and speakers. So a word on the border of two turns goes with its sentence.
    """
    shares = [index.shares(word) for word in words]
    names = list(dict.fromkeys(name for share in shares for name in share))
    if not names:
        return []
    cost = {name: 0.0 if name == before else FOLLOWING for name in names}
    paths: list[dict[str, str]] = []
    for share in shares:
        cheapest = min(cost, key=lambda name: cost[name])
        origin = {name: name if cost[name] <= cost[cheapest] + CHANGE else cheapest for name in names}
        paths.append(origin)
        first = len(paths) == 1
        cost = {
            name: (cost[name] if first else min(cost[name], cost[cheapest] + CHANGE)) + 1 - share.get(name, 0.0)
            for name in names
        }
    speaker = min(cost, key=lambda name: cost[name])
    found = [speaker]
    for origin in reversed(paths[1:]):
        speaker = origin[speaker]
        found.append(speaker)
    return found[::-1]


class TurnIndex:
    """Turns by time: who talks in a stretch, and for how long."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = turns
        self.starts = [turn.start for turn in turns]
        self.reach = list(accumulate((turn.end for turn in turns), max))  # the latest end so far

    def during(self, start: float, end: float) -> Iterator[Turn]:
        """Return the parts of turns within a stretch."""
        first = bisect_left(self.reach, start)
        for turn in self.turns[first : bisect_left(self.starts, end)]:
            if turn.end > start:
                yield Turn(max(turn.start, start), min(turn.end, end), turn.speaker)

    def shares(self, word: Word) -> dict[str, float]:
        """Return the seconds of a word in which each speaker is heard; in silence, the nearest one is."""
        if not self.turns or word.start is None or word.end is None:
            return {}
        end = max(word.end, word.start + 0.001)
        shares: dict[str, float] = {}
        for turn in self.during(word.start, end):
            shares[turn.speaker] = shares.get(turn.speaker, 0.0) + (turn.end - turn.start) / (end - word.start)
        return shares or {self._nearest((word.start + end) / 2): 1.0}

    def _nearest(self, moment: float) -> str:
        after = bisect_left(self.starts, moment)
        around = self.turns[max(0, after - 8) : after + 1]
        return min(around, key=lambda turn: max(turn.start - moment, moment - turn.end)).speaker

    def overlap(self, start: float, end: float) -> float:
        """Return the seconds within a stretch in which two or more speak at once."""
        total, reached = 0.0, start
        for turn in self.during(start, end):
            total += max(0.0, min(reached, turn.end) - turn.start)
            reached = max(reached, turn.end)
        return total


def _whole(parts: Sequence[Segment], language: str) -> Segment:
    """Return a sentence as it was before an earlier diarization split it."""
    first = parts[0]
    words = tuple(word for part in parts for word in part.words)
    text = first.text if len(parts) == 1 else join([word.text for word in words], language)
    return replace(first, key=first.key.split(".")[0], end=max(part.end for part in parts), text=text, words=words)


def _breaks(word: Word, after: Word) -> bool:
    """Return whether another part begins: another speaker's, or after a long pause."""
    return word.speaker != after.speaker or (after.start or 0.0) - (word.end or 0.0) >= PAUSE


def _trailing(part: Segment, until: float, order: Sequence[str], index: "TurnIndex") -> Segment:
    """Return the part, ended where its speaker falls silent or the next begins: other sounds belong to it."""
    if part.speaker is None:
        return part
    last = max(word.end or 0.0 for word in part.words)
    on = [turn for turn in index.during(last, last + TRAIL) if turn.start <= last]
    own = max((turn.end for turn in on if turn.speaker == order[part.speaker]), default=last)
    return replace(part, end=round(max(last, min(own, until)), 3))


def _split(segment: Segment, speakers: Iterable[int], index: TurnIndex, language: str) -> Iterator[Segment]:
    told: list[int | None] = [*speakers] or [None] * len(segment.words)
    words = [replace(word, speaker=speaker) for word, speaker in zip(segment.words, told, strict=True)]
    breaks = accumulate((_breaks(a, b) for a, b in pairwise(words)), initial=0)
    counted = groupby(zip(breaks, words, strict=False), key=lambda pair: pair[0])
    turns = [(own[0].speaker, own) for _, pairs in counted if (own := tuple(word for _, word in pairs))]
    for number, (speaker, own) in enumerate(turns):
        start = segment.start if number == 0 else own[0].start or 0.0
        end = max(word.end or 0.0 for word in own)
        flags: tuple[QualityFlag, ...] = tuple(flag for flag in segment.flags if flag is not QualityFlag.OVERLAP)
        if index.overlap(start, end) >= OVERLAP_SECONDS:
            flags = (*flags, QualityFlag.OVERLAP)
        yield replace(
            segment,
            key=segment.key if number == 0 else f"{segment.key}.{number:02d}",
            start=start,
            end=max(start, end),
            text=segment.text if len(turns) == 1 else join([word.text for word in own], language),
            words=own,
            speaker=speaker,
            flags=flags,
        )
