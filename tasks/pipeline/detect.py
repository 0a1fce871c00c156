"""Where somebody speaks, in pieces that Whisper can hear at once, and in which language."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from db.domain.values import Options
from tasks.pipeline.recording import Recording
from tasks.pipeline.types import Chunk, SpeechEngine

CHUNK_SECONDS = 30.0  # what Whisper hears at once
WINDOW_SECONDS = 240.0  # what is stored together, and lost at most by a crash
PLACES = 6  # where the language is listened for
PLACE_SECONDS = 60.0


def chunks(voices: Iterable[tuple[float, float]]) -> Iterator[Chunk]:
    """Speech joined into pieces of at most 30 s, cut only where the voice detector heard a pause (as WhisperX does)."""
    speech: list[tuple[float, float]] = []
    for start, end in voices:
        if speech and end - speech[0][0] > CHUNK_SECONDS:
            yield Chunk(speech[0][0], speech[-1][1], tuple(speech))
            speech = []
        speech.append((start, end))
    if speech:
        yield Chunk(speech[0][0], speech[-1][1], tuple(speech))


def everything(voices: Iterable[tuple[float, float]], seconds: float) -> Iterator[Chunk]:
    """The whole recording in pieces of at most 30 s, for those who trust Whisper more than the voice detector.

    Cut in pauses like `chunks`; only a silence that is too long is cut anywhere.
    """
    begin = 0.0
    speech: list[tuple[float, float]] = []
    for start, end in voices:
        while end - begin > CHUNK_SECONDS and begin < start:
            cut = min(begin + CHUNK_SECONDS, (speech[-1][1] + start) / 2 if speech else start)
            yield Chunk(begin, cut, tuple(speech))
            begin, speech = cut, []
        speech.append((start, end))
    while seconds - begin > CHUNK_SECONDS:
        cut = min(begin + CHUNK_SECONDS, (speech[-1][1] + seconds) / 2) if speech else begin + CHUNK_SECONDS
        yield Chunk(begin, cut, tuple(speech))
        begin, speech = cut, []
    if begin < seconds:
        yield Chunk(begin, seconds, tuple(speech))


def heard(recording: Recording, engine: SpeechEngine, options: Options) -> Iterator[Chunk]:
    """The chunks of a recording, as the options want them cut: the same ones each time."""
    voices = engine.voices(recording)
    return chunks(voices) if options.rules.voice_detector else everything(voices, recording.seconds)


def windows(pieces: Iterable[Chunk], seconds: float) -> Iterator[tuple[int, int, Chunk]]:
    """Each chunk with the number of its window and its place therein. A window is stored whole; it moves no cut."""
    number = index = 0
    begun = 0.0
    for piece in pieces:
        begun = begun if index else piece.start
        yield number, index, piece
        number, index = (number, index + 1) if piece.end - begun < seconds else (number + 1, 0)


def language(
    recording: Recording, pieces: Iterable[Chunk], engine: SpeechEngine, options: Options
) -> tuple[str, float] | None:
    """The language spoken for most of these chunks' time, and how sure that is; None when there are none."""
    heard: dict[str, float] = defaultdict(float)
    total = 0.0
    for piece in pieces:
        found, probability = engine.detect_language(recording.read(piece.start, piece.end), options)
        seconds = sum(end - start for start, end in piece.stretches)
        heard[found] += probability * seconds
        total += seconds
    if not total:
        return None
    best = max(heard, key=lambda name: heard[name])
    return best, heard[best] / total


def spread(recording: Recording, engine: SpeechEngine) -> Iterator[Chunk]:
    """The first speech in each of several places of a long recording, so that a foreign greeting decides nothing."""
    for start in np.linspace(0, max(0.0, recording.seconds - PLACE_SECONDS), PLACES).tolist():
        speech = next(chunks(engine.voices(recording.part(start, start + PLACE_SECONDS))), None)
        if speech is not None:
            stretches = tuple((start + begin, start + end) for begin, end in speech.speech)
            yield Chunk(start + speech.start, start + speech.end, stretches)
