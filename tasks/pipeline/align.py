"""ALIGN: when each word is said. No word is lost, none is without a place, and time never runs backwards."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise

from msgspec.structs import replace

from db.domain.values import QualityFlag, Segment, Stage, Word, WordTiming
from tasks.pipeline.draft import Draft
from tasks.pipeline.recording import Recording, within
from tasks.pipeline.stages import Stages
from tasks.pipeline.types import Passage, Place, Progressed, SegmentsRevised, SpeechEngine

CHUNK_KEY = 6  # as many characters of a segment's key tell its window and chunk


def align(recording: Recording, engine: SpeechEngine, draft: Draft, stages: Stages) -> list[Segment]:
    """The same segments with aligned words, each chunk sent as soon as it is known, while others are still to come."""
    aligned: list[Segment] = []
    for window in draft.windows():
        stages.begin(Stage.ALIGN)
        groups = [tuple(group) for _, group in groupby(window, key=lambda segment: segment.key[:CHUNK_KEY])]
        passages = [_passage(group, draft, recording.seconds) for group in groups]
        found = engine.align(recording, passages, draft.language or "")
        for group, passage, places in zip(groups, passages, found, strict=True):
            words = [draft.spoken(word) for word in placed(passage, places, recording.seconds)]
            revised = _revised(group, words)
            new = tuple(draft.heard(segment) for segment in revised)
            aligned += new
            stages.tell(SegmentsRevised(stage=Stage.ALIGN, segments=new))
            stages.tell(Progressed(stage=Stage.ALIGN, fraction=min(1.0, passage.end / recording.seconds)))
    return aligned


def _passage(group: Sequence[Segment], draft: Draft, seconds: float) -> Passage:
    words = tuple(word.text for segment in group for word in segment.words)
    start, end = draft.span(min(segment.start for segment in group), max(segment.end for segment in group))
    return Passage(max(0.0, start), min(seconds, end), words)


def placed(passage: Passage, places: Sequence[Place | None], seconds: float) -> list[Word]:
    """Words with the times that the aligner found; the others between their neighbours, by length."""
    known = _forward(places, seconds)
    words: list[Word] = []
    for index, (text, place) in enumerate(zip(passage.words, known, strict=True)):
        if place is not None:
            timing = WordTiming.ALIGNED if place.certain else WordTiming.INTERPOLATED
            words.append(Word(text, place.start, place.end, place.confidence, timing))
        else:
            words.append(Word(text, *_between(passage, known, index, seconds), None, _timing(known)))
    return words


def _timing(known: Sequence[Place | None]) -> WordTiming:
    return WordTiming.INTERPOLATED if any(known) else WordTiming.ESTIMATED


def _forward(places: Sequence[Place | None], seconds: float) -> list[Place | None]:
    """Places inside the recording whose starts never decrease and whose ends do not come before."""
    last = 0.0
    result: list[Place | None] = []
    for place in places:
        if place is None:
            result.append(None)
            continue
        last = within(max(place.start, last), seconds)
        end = within(max(place.end, last), seconds)
        result.append(Place(last, end, min(1.0, max(0.0, place.confidence)), place.certain))
    return result


def _between(passage: Passage, known: Sequence[Place | None], index: int, seconds: float) -> tuple[float, float]:
    """A share of the gap between the aligned neighbours, or of the passage where there is none on that side."""
    first = index
    while first > 0 and known[first - 1] is None:
        first -= 1
    last = index
    while last + 1 < len(known) and known[last + 1] is None:
        last += 1
    before = known[first - 1] if first else None
    after = known[last + 1] if last + 1 < len(known) else None
    start = before.end if before else min(passage.start, after.start) if after else passage.start
    end = after.start if after else max(passage.end, start)
    start, end = min(start, end, seconds), min(end, seconds)
    lengths = [len(passage.words[i]) + 1 for i in range(first, last + 1)]
    total, done = sum(lengths), sum(lengths[: index - first])
    step = (end - start) / total
    return within(start + done * step, seconds), within(start + (done + lengths[index - first]) * step, seconds)


def _revised(group: Sequence[Segment], words: Sequence[Word]) -> Iterator[Segment]:
    taken = 0
    for segment in group:
        own = tuple(
            replace(new, speaker=old.speaker)
            for new, old in zip(words[taken : taken + len(segment.words)], segment.words, strict=True)
        )
        taken += len(own)
        flags: tuple[QualityFlag, ...] = tuple(flag for flag in segment.flags if flag is not QualityFlag.UNALIGNED)
        if not any(word.timing is WordTiming.ALIGNED for word in own):
            flags = (*flags, QualityFlag.UNALIGNED)
        yield replace(segment, start=own[0].start, end=max(word.end or 0.0 for word in own), words=own, flags=flags)


def ordered(words: Iterable[Word], seconds: float) -> bool:
    """Whether every word has a place inside the recording, starts never decrease and no end comes before its start."""
    found = list(words)
    if any(word.start is None or word.end is None or not 0 <= word.start <= word.end <= seconds for word in found):
        return False
    return all((a.start or 0) <= (b.start or 0) for a, b in pairwise(found))
