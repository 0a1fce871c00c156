"""TRANSCRIBE: what is said, as sentences with estimated word times, sent while Whisper is still running."""

import math
from collections.abc import Iterator
from itertools import chain, islice

from db.values import ErrorCode, Options, Problem, QualityFlag, Segment, Stage, TranscriptionTask, Word
from tasks.pipeline import detect
from tasks.pipeline.recording import Recording
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


def transcribe(
    recording: Recording, engine: SpeechEngine, options: Options, resume: Resume, emit: Emit
) -> tuple[str | None, list[Segment], Problem | None]:
    """The language, all segments (those of an earlier attempt included), and a problem when nobody speaks."""
    segments = list(resume.segments)
    pieces = detect.chunks(engine.voices(recording))
    language = resume.language
    if language is None:
        found, pieces = _language(recording, pieces, engine, options)
        if found is None:
            return None, segments, NOTHING_SAID
        language = found[0]
        emit(LanguageDetected(language=language, confidence=found[1]))
    for number, window in enumerate(detect.windows(pieces)):
        if number < resume.windows:
            continue
        for index, spoken in enumerate(engine.transcribe(recording, window, language, options)):
            new = tuple(_segments(f"{number:03d}{index:03d}", spoken, language, options, recording.seconds))
            segments += new
            emit(WindowTranscribed(window=number + (index == len(window) - 1), segments=new))
            emit(Progressed(stage=Stage.TRANSCRIBE, fraction=min(1.0, spoken.chunk.end / recording.seconds)))
    return language, segments, None if segments else NOTHING_SAID


def _language(
    recording: Recording, pieces: Iterator[Chunk], engine: SpeechEngine, options: Options
) -> tuple[tuple[str, float] | None, Iterator[Chunk]]:
    """The language and how sure that is, None when nobody speaks; and the chunks, some of which were looked at."""
    if options.language:
        return (options.language, 1.0), pieces
    if recording.seconds <= detect.PLACES * detect.CHUNK_SECONDS:
        known = list(pieces)
        return detect.language(recording, known, engine, options), iter(known)
    found = detect.language(recording, detect.spread(recording, engine), engine, options)
    if found is None:  # silence in all the places listened to: the first words decide
        first = list(islice(pieces, 1))
        return detect.language(recording, first, engine, options), chain(first, pieces)
    return found, pieces


def _segments(key: str, spoken: Spoken, language: str, options: Options, seconds: float) -> Iterator[Segment]:
    """The sentences of a chunk. Keys tell window, chunk and sentence, so a window done again replaces itself."""
    text, flags = judge(spoken, options.rules)
    confidence = None if spoken.avg_logprob is None else min(1.0, math.exp(spoken.avg_logprob))
    if confidence is not None and confidence < LOW_CONFIDENCE:
        flags = (*flags, QualityFlag.LOW_CONFIDENCE)
    found = list(sentences(text, written(language, options)))[:100]
    times = estimate(spoken.chunk, [word for sentence in found for word in sentence], seconds)
    for index, sentence in enumerate(found):
        spans = [next(times) for _ in sentence]
        placed = tuple(Word(word, *span) for word, span in zip(sentence, spans, strict=True))
        yield Segment(
            key=f"{key}{index:02d}",
            start=spans[0][0],
            end=spans[-1][1],
            text=join(sentence, written(language, options)),
            words=placed,
            confidence=confidence,
            flags=flags,
        )


def estimate(chunk: Chunk, words: list[str], seconds: float) -> Iterator[tuple[float, float]]:
    """Times of words that nobody aligned: spread over the chunk's speech in proportion to their length."""
    spoken = sum(end - start for start, end in chunk.speech)
    total = sum(len(word) + 1 for word in words)
    done = 0
    for word in words:
        start = _after(chunk, spoken * done / total)
        done += len(word) + 1
        end = _after(chunk, spoken * done / total, ending=True)
        yield round(min(start, seconds), 3), round(min(max(start, end), seconds), 3)


def _after(chunk: Chunk, speech: float, *, ending: bool = False) -> float:
    """The moment at which so many seconds of the chunk's speech are over."""
    for start, end in chunk.speech:
        if speech < end - start or (ending and speech <= end - start + 1e-6):
            return min(start + speech, end)
        speech -= end - start
    return chunk.end


def written(language: str, options: Options) -> str:
    """The language of the text: a translation is English, whatever was spoken."""
    return "en" if options.task is TranscriptionTask.TRANSLATE else language
