"""TRANSCRIBE: what is said, as sentences with estimated word times, sent while Whisper is still running."""

import math
import sys
from collections.abc import Iterator
from itertools import chain, pairwise, tee

from db.domain.values import ErrorCode, Options, Problem, QualityFlag, Segment, Stage, Word
from tasks.pipeline import detect
from tasks.pipeline.draft import Draft
from tasks.pipeline.recording import Recording, within
from tasks.pipeline.rules import LOW_CONFIDENCE, judge
from tasks.pipeline.sentences import join, sentences
from tasks.pipeline.types import (
    Chunk,
    Emit,
    LanguageDetected,
    Progressed,
    Resume,
    SpeechEngine,
    Spoken,
    WindowTranscribed,
)

NOTHING_SAID = Problem(
    code=ErrorCode.INVALID_INPUT,
    stage=Stage.TRANSCRIBE,
    message="No speech was found in the recording.",
    remedy="Check that the recording has sound and that the right track was uploaded.",
)


def transcribe(recording: Recording, engine: SpeechEngine, draft: Draft, resume: Resume, tell: Emit) -> Problem | None:
    """Add all segments that an earlier attempt did not store; returns a problem when nobody speaks."""
    pieces = detect.heard(recording, engine, draft.options)
    if draft.language is None:
        found, pieces = _language(recording, pieces, engine, draft.options)
        if found is None:
            return NOTHING_SAID
        draft.language = found[0]
        tell(LanguageDetected(language=found[0], confidence=found[1]))
    asked, told = tee(_not_stored(pieces, draft, resume))
    text = engine.transcribe(recording, (chunk for _, _, chunk in asked), draft.language, draft.options)
    places = pairwise(chain(((number, index) for number, index, _ in told), ((sys.maxsize, 0),)))
    for spoken, ((number, index), (following, _)) in zip(text, places, strict=True):
        new = tuple(_segments(f"{number:03d}{index:03d}", spoken, draft, recording.seconds))
        tell(WindowTranscribed(window=number + (following > number), segments=new))
        tell(Progressed(stage=Stage.TRANSCRIBE, fraction=min(1.0, spoken.chunk.end / recording.seconds)))
        draft.add(new, spoken.chunk)
    return None if draft.segments else NOTHING_SAID


def _not_stored(pieces: Iterator[Chunk], draft: Draft, resume: Resume) -> Iterator[tuple[int, int, Chunk]]:
    """The chunks of windows that no earlier attempt has stored; the draft is told of the others' speech."""
    for number, index, chunk in detect.windows(pieces, detect.WINDOW_SECONDS):
        if number < resume.windows:
            draft.listened(chunk)
        else:
            yield number, index, chunk


def _language(
    recording: Recording, pieces: Iterator[Chunk], engine: SpeechEngine, options: Options
) -> tuple[tuple[str, float] | None, Iterator[Chunk]]:
    """The language and how sure that is, None when nobody speaks; and the chunks, some of which were looked at."""
    if options.language:
        return (options.language, 1.0), pieces
    if recording.seconds <= detect.PLACES * detect.CHUNK_SECONDS:
        known = list(pieces)
        return detect.language(recording, _spoken(known), engine, options), iter(known)
    found = detect.language(recording, detect.spread(recording, engine), engine, options)
    if found is None:  # silence in all the places listened to: the first words decide
        first = []
        for piece in pieces:
            first.append(piece)
            if piece.speech:
                break
        return detect.language(recording, _spoken(first)[:1], engine, options), chain(first, pieces)
    return found, pieces


def _spoken(pieces: list[Chunk]) -> list[Chunk]:
    """Those in which somebody speaks, if there are any."""
    return [piece for piece in pieces if piece.speech] or pieces


def _segments(key: str, spoken: Spoken, draft: Draft, seconds: float) -> Iterator[Segment]:
    """The sentences of a chunk. Keys tell window, chunk and sentence, so a window done again replaces itself."""
    text, flags = judge(spoken, draft.written, draft.options.rules)
    confidence = None if spoken.avg_logprob is None else min(1.0, math.exp(spoken.avg_logprob))
    if confidence is not None and confidence < LOW_CONFIDENCE:
        flags = (*flags, QualityFlag.LOW_CONFIDENCE)
    found = list(sentences(text, draft.written))[:100]
    times = estimate(spoken.chunk, [word for sentence in found for word in sentence], seconds)
    for index, sentence in enumerate(found):
        spans = [next(times) for _ in sentence]
        placed = tuple(Word(word, *span) for word, span in zip(sentence, spans, strict=True))
        yield Segment(
            key=f"{key}{index:02d}",
            start=spans[0][0],
            end=spans[-1][1],
            text=join(sentence, draft.written),
            words=placed,
            confidence=confidence,
            flags=flags,
        )


def estimate(chunk: Chunk, words: list[str], seconds: float) -> Iterator[tuple[float, float]]:
    """Times of words that nobody aligned: spread over the chunk's speech in proportion to their length."""
    spoken = sum(end - start for start, end in chunk.stretches)
    total = sum(len(word) + 1 for word in words)
    done = 0
    for word in words:
        start = _after(chunk, spoken * done / total)
        done += len(word) + 1
        end = _after(chunk, spoken * done / total, ending=True)
        yield within(start, seconds), within(max(start, end), seconds)


def _after(chunk: Chunk, speech: float, *, ending: bool = False) -> float:
    """The moment at which so many seconds of the chunk's speech are over."""
    for start, end in chunk.stretches:
        if speech < end - start or (ending and speech <= end - start + 1e-6):
            return min(start + speech, end)
        speech -= end - start
    return chunk.end
