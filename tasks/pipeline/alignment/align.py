"""ALIGN: when each word is said. No word is lost, none is without a place, and time never runs backwards."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby, pairwise

from msgspec.structs import replace

from db.domain.values import ErrorCode, Problem, QualityFlag, Segment, Stage, Word, WordTiming
from tasks.pipeline.builder import TranscriptBuilder
from tasks.pipeline.recording import Recording, within
from tasks.pipeline.stages import Stages
from tasks.pipeline.types import AlignmentSpan, ModelUnavailable, Progressed, SegmentsRevised, SpeechEngine, WordSpan

AROUND = 0.2  # seconds around words that share their chunk with those of another language
CHUNK_KEY = 6  # as many characters of a segment's key tell its window and chunk


def align(
    recording: Recording, engine: SpeechEngine, builder: TranscriptBuilder, stages: Stages
) -> tuple[list[Segment], Problem | None]:
    """Return the segments with aligned words; each chunk is sent as soon as it is known, while others are to come.

    Without an aligner for the language, words keep the times that the recogniser gave them, and a problem says so;
    raises `ModelUnavailable` where it gave none.
    """
    aligned: list[Segment] = []
    problem: Problem | None = None
    for window in builder.windows():
        stages.begin(Stage.ALIGN)
        mixed = _mixed(window)
        for language, same in groupby(window, key=lambda segment: segment.language or builder.language or ""):
            segments = list(same)
            try:
                aligned += _aligned(segments, language, mixed, recording, engine, builder, stages)
            except ModelUnavailable as missing:
                if not _timed(segments):
                    raise
                problem = Problem(
                    code=ErrorCode.MODEL_UNAVAILABLE, stage=Stage.ALIGN, message=missing.message, remedy=missing.remedy
                )
                aligned += segments
    return aligned, problem


def _aligned(  # noqa: PLR0917  what the stage has, and a language
    segments: Sequence[Segment],
    language: str,
    mixed: AbstractSet[str],
    recording: Recording,
    engine: SpeechEngine,
    builder: TranscriptBuilder,
    stages: Stages,
) -> list[Segment]:
    """Return segments in one language, aligned chunk by chunk."""
    aligned: list[Segment] = []
    groups = [tuple(group) for _, group in groupby(segments, key=lambda segment: segment.key[:CHUNK_KEY])]
    spans = [_span(group, builder, recording.seconds, alone=group[0].key[:CHUNK_KEY] not in mixed) for group in groups]
    for group, span, places in zip(groups, spans, engine.align(recording, spans, language), strict=True):
        words = [builder.trim_pause(word) for word in placed(span, places, recording.seconds)]
        new = tuple(builder.flag_silence(segment) for segment in _revised(group, words))
        aligned += new
        stages.tell(SegmentsRevised(stage=Stage.ALIGN, segments=new))
        stages.tell(Progressed(stage=Stage.ALIGN, fraction=min(1.0, span.end / recording.seconds)))
    return aligned


def _timed(window: Iterable[Segment]) -> bool:
    """Return whether no word's times are only estimated."""
    return all(word.timing is not WordTiming.ESTIMATED for segment in window for word in segment.words)


def _mixed(window: Sequence[Segment]) -> set[str]:
    """Return the chunks in which more than one language is spoken."""
    spoken = {(segment.key[:CHUNK_KEY], segment.language) for segment in window}
    keys = [key for key, _ in spoken]
    return {key for key in keys if keys.count(key) > 1}


def _span(group: Sequence[Segment], builder: TranscriptBuilder, seconds: float, *, alone: bool) -> AlignmentSpan:
    """Return where these words can be: in their chunk's speech, unless it holds words in another language."""
    words = tuple(word.text for segment in group for word in segment.words)
    start, end = min(segment.start for segment in group), max(segment.end for segment in group)
    start, end = builder.span(start, end) if alone else (start - AROUND, end + AROUND)
    return AlignmentSpan(max(0.0, start), min(seconds, end), words)


def placed(span: AlignmentSpan, places: Sequence[WordSpan | None], seconds: float) -> list[Word]:
    """Return words with the times that the aligner found; the others between their neighbours, by length."""
    known = _forward(places, seconds)
    words: list[Word] = []
    for index, (text, place) in enumerate(zip(span.words, known, strict=True)):
        if place is not None:
            timing = WordTiming.ALIGNED if place.certain else WordTiming.INTERPOLATED
            words.append(Word(text, place.start, place.end, place.confidence, timing))
        else:
            words.append(Word(text, *_between(span, known, index, seconds), None, _timing(known)))
    return words


def _timing(known: Sequence[WordSpan | None]) -> WordTiming:
    return WordTiming.INTERPOLATED if any(known) else WordTiming.ESTIMATED


def _forward(places: Sequence[WordSpan | None], seconds: float) -> list[WordSpan | None]:
    """Return places inside the recording whose starts never decrease and whose ends do not come before."""
    last = 0.0
    result: list[WordSpan | None] = []
    for place in places:
        if place is None:
            result.append(None)
            continue
        last = within(max(place.start, last), seconds)
        end = within(max(place.end, last), seconds)
        result.append(WordSpan(last, end, min(1.0, max(0.0, place.confidence)), place.certain))
    return result


def _between(span: AlignmentSpan, known: Sequence[WordSpan | None], index: int, seconds: float) -> tuple[float, float]:
    """Share the gap between the aligned neighbours, or of the span where there is none on that side."""
    first = index
    while first > 0 and known[first - 1] is None:
        first -= 1
    last = index
    while last + 1 < len(known) and known[last + 1] is None:
        last += 1
    before = known[first - 1] if first else None
    after = known[last + 1] if last + 1 < len(known) else None
    start = before.end if before else min(span.start, after.start) if after else span.start
    end = after.start if after else max(span.end, start)
    start, end = min(start, end, seconds), min(end, seconds)
    lengths = [len(span.words[i]) + 1 for i in range(first, last + 1)]
    total, done = sum(lengths), sum(lengths[: index - first])
    step = (end - start) / total
    return within(start + done * step, seconds), within(start + (done + lengths[index - first]) * step, seconds)


def _revised(group: Sequence[Segment], words: Sequence[Word]) -> Iterator[Segment]:
    taken = 0
    for segment in group:
        own = tuple(
            replace(new, speaker=old.speaker, confidence=new.confidence if old.confidence is None else old.confidence)
            for new, old in zip(words[taken : taken + len(segment.words)], segment.words, strict=True)
        )
        taken += len(own)
        flags: tuple[QualityFlag, ...] = tuple(flag for flag in segment.flags if flag is not QualityFlag.UNALIGNED)
        if not any(word.timing is WordTiming.ALIGNED for word in own):
            flags = (*flags, QualityFlag.UNALIGNED)
        yield replace(segment, start=own[0].start, end=max(word.end or 0.0 for word in own), words=own, flags=flags)


def ordered(words: Iterable[Word], seconds: float) -> bool:
    """Return whether every word has a place inside the recording, starts never decrease and no end comes before its
    start.
    """
    found = list(words)
    if any(word.start is None or word.end is None or not 0 <= word.start <= word.end <= seconds for word in found):
        return False
    return all((a.start or 0) <= (b.start or 0) for a, b in pairwise(found))
