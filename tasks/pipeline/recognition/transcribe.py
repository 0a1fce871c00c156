"""TRANSCRIBE: what is said, as sentences with estimated word times, sent while Whisper is still running."""

import math
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise, tee

from msgspec.structs import replace

from db.domain.values import ErrorCode, Options, Problem, QualityFlag, Segment, Stage, TranscriptionTask
from tasks.pipeline.alignment.timing import attended, estimated
from tasks.pipeline.builder import TranscriptBuilder
from tasks.pipeline.recognition import detect
from tasks.pipeline.recognition.hallucination import LOW_CONFIDENCE, filter_hypothesis
from tasks.pipeline.recognition.languages import LanguageFinder
from tasks.pipeline.recognition.rehearing import Reading, readings
from tasks.pipeline.recognition.sentences import join, sentences
from tasks.pipeline.recording import Recording
from tasks.pipeline.types import (
    Chunk,
    Emit,
    Hypothesis,
    LanguageDetected,
    Progressed,
    Resume,
    SpeechEngine,
    WindowTranscribed,
)

FEW = 3  # chunks that another model listens to
PLACES_NAMED = 5  # at most, in a problem
MOST_ORDINARY = 99  # sentences of a chunk whose number has two digits

NOTHING_SAID = Problem(
    code=ErrorCode.INVALID_INPUT,
    stage=Stage.TRANSCRIBE,
    message="No speech was found in the recording.",
    remedy="Check that the recording has sound and that the right track was uploaded.",
)


def transcribe(
    speech: detect.DetectedSpeech, engine: SpeechEngine, builder: TranscriptBuilder, resume: Resume, tell: Emit
) -> Problem | None:
    """Add all segments that an earlier attempt did not store; returns a problem when nobody speaks."""
    recording = speech.recording
    pieces = detect.vad_chunks(speech, recording.seconds, builder.options)
    known, foreign = engine.languages(builder.options), None
    if builder.language is None or (known is not None and builder.options.language is None):
        detected, pieces = _language(recording, pieces, engine, builder.options, few=known is not None)
        if detected is None:
            return NOTHING_SAID
        builder.language, sure = detected
        if known is not None and builder.language not in known and not builder.options.languages:
            foreign = _not_known(builder.language, builder.options)
            builder.language, sure = min(known), 1.0 - sure
        tell(LanguageDetected(language=builder.language, confidence=sure))
    spoken = LanguageFinder(recording, engine, builder.options, builder.language)
    asked, told = tee(_not_stored(pieces, builder, resume))
    found = readings(recording, engine, (chunk for _, _, chunk in asked), spoken, builder.options)
    places = pairwise(chain(((number, index) for number, index, _ in told), ((sys.maxsize, 0),)))
    missing: list[tuple[float, float]] = []
    for reading, ((number, index), (following, _)) in zip(found, places, strict=True):
        new = tuple(_segments(f"{number:03d}{index:03d}", reading, builder, recording.seconds))
        tell(WindowTranscribed(window=number + (following > number), segments=new))
        tell(Progressed(stage=Stage.TRANSCRIBE, fraction=min(1.0, reading.chunk.end / recording.seconds)))
        builder.add(new, reading.chunk)
        missing += reading.missing
    if not builder.segments:
        return NOTHING_SAID
    return foreign or (_without_words(missing) if missing else None)


def _not_known(language: str, options: Options) -> Problem:
    return Problem(
        code=ErrorCode.INVALID_INPUT,
        stage=Stage.TRANSCRIBE,
        message=f"The recording is in a language (“{language}”) that the model {options.model} does not know: "
        "the text is a guess.",
        remedy="Transcribe it with a multilingual model, such as base; or give the language, if this is wrong.",
    )


def _without_words(missing: Sequence[tuple[float, float]]) -> Problem:
    """Return where somebody was heard and nothing was understood."""
    places = ", ".join(f"{_clock(start)} to {_clock(end)}" for start, end in missing[:PLACES_NAMED])
    more = f" and {len(missing) - PLACES_NAMED} more" if len(missing) > PLACES_NAMED else ""
    seconds = sum(end - start for start, end in missing)
    return Problem(
        code=ErrorCode.INVALID_INPUT,
        stage=Stage.TRANSCRIBE,
        message=f"{seconds:.1f} seconds of detected speech have no words, though heard twice: {places}{more}.",
        remedy="Listen there: it may be noise, laughter, or speech too soft or in another language.",
    )


def _clock(moment: float) -> str:
    minutes, seconds = divmod(moment, 60)
    return f"{int(minutes)}:{seconds:04.1f}"


def _not_stored(
    pieces: Iterator[Chunk], builder: TranscriptBuilder, resume: Resume
) -> Iterator[tuple[int, int, Chunk]]:
    """Return the chunks of windows that no earlier attempt has stored; the builder is told of the others' speech."""
    for place, index, chunk in detect.windows(pieces, detect.WINDOW_SECONDS):
        number = builder.first_window + place
        if number < resume.windows:
            builder.add_speech(chunk)
        else:
            yield number, index, chunk


def _language(
    recording: Recording, pieces: Iterator[Chunk], engine: SpeechEngine, options: Options, *, few: bool
) -> tuple[tuple[str, float] | None, Iterator[Chunk]]:
    """Return the language and how sure that is, None when nobody speaks; and the chunks, some of them looked at.

    With `few`, where another model listens, to no more chunks than must be.
    """
    if options.language or len(options.languages) == 1:
        return (options.language or options.languages[0], 1.0), pieces
    most = FEW if few else None
    if recording.seconds <= detect.SHORT:
        known = list(pieces)
        return detect.language(recording, _spoken(known)[:most], engine, options), iter(known)
    places = islice(detect.spread(recording, engine, options), most)
    found = detect.language(recording, places, engine, options)
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


def _segments(key: str, reading: Reading, builder: TranscriptBuilder, seconds: float) -> Iterator[Segment]:
    """Return the sentences of a chunk.

    Keys tell window, chunk and sentence, so a window done again replaces itself.
    """
    told = [sentence for part in reading.hypotheses for sentence in _sentences(part, builder, seconds)]
    for index, segment in enumerate(told):
        until = told[index + 1].start if index + 1 < len(told) else math.inf
        since = segment.start if index else 0.0
        lost = any(since <= start < until for start, _ in reading.missing)
        flags = (*segment.flags, QualityFlag.MISSING_TEXT) if lost else segment.flags
        yield replace(segment, key=f"{key}{_ordinal(index)}", flags=flags)


def _ordinal(index: int) -> str:
    """Return a number whose text sorts as it does, in two digits for all but the longest chunks."""
    return f"{index:02d}" if index < MOST_ORDINARY else f"{MOST_ORDINARY}{_ordinal(index - MOST_ORDINARY)}"


def _sentences(hypothesis: Hypothesis, builder: TranscriptBuilder, seconds: float) -> Iterator[Segment]:
    """Return the sentences of a text, whose words are timed by the recogniser or, where it says nothing, by length."""
    spoken = hypothesis.chunk.language or builder.language
    written = builder.written_in(spoken)
    text, flags = filter_hypothesis(hypothesis, written, builder.options.rules)
    found = list(sentences(text, written))
    every = [word for sentence in found for word in sentence]
    placed = attended(hypothesis, every, seconds) if hypothesis.tokens else estimated(hypothesis, every, seconds)
    for sentence in found:
        words, logs = zip(*(next(placed) for _ in sentence), strict=True)
        known = [log for log in logs if log is not None]
        confidence = min(1.0, math.exp(sum(known) / len(known))) if known else None
        unsure = confidence is not None and confidence < LOW_CONFIDENCE
        yield Segment(
            key="",
            start=words[0].start or 0.0,
            end=max(word.end or 0.0 for word in words),
            text=join(sentence, written),
            words=words if builder.speaker is None else tuple(replace(word, speaker=builder.speaker) for word in words),
            confidence=confidence,
            flags=(*flags, QualityFlag.LOW_CONFIDENCE) if unsure else flags,
            speaker=builder.speaker,
            language=None if builder.options.task is TranscriptionTask.TRANSLATE else spoken,
        )
