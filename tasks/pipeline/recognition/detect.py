"""Detected speech, in pieces that Whisper can hear at once, and its language."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import numpy as np

from db.domain.values import Options
from tasks.pipeline.recognition.languages import allowed
from tasks.pipeline.recording import Recording
from tasks.pipeline.types import Chunk, SpeechEngine

CONTEXT = 0.2  # seconds of the silence around a piece that Whisper hears with it
SHORT_PIECES = 0.25  # of the worth of a pause, however short a piece it makes
WINDOW_SECONDS = 240.0  # what is stored together, and lost at most by a crash
SHORT = 180.0  # seconds of a recording of which all is listened to for its language
PLACES = 6  # where the language is listened for
PLACE_SECONDS = 60.0


def chunks(segments: Iterable[tuple[float, float]], seconds: float, longest: float) -> Iterator[Chunk]:
    """Return speech joined into pieces of at most so long, each with some of the silence around it.

    A piece that would grow too long is cut in a pause: a long one rather than a short one, a late one rather than one
    that leaves a short piece.
    """
    speech: list[tuple[float, float]] = []
    behind = 0.0  # where the silence before the next piece begins
    for segment in segments:
        speech.append(segment)
        while len(speech) > 1 and speech[-1][1] - speech[0][0] > longest:
            at = _best_cut(speech, longest)
            own, speech = speech[:at], speech[at:]
            yield _with_context(own, behind, speech[0][0])
            behind = own[-1][1]
    if speech:
        yield _with_context(speech, behind, seconds)


def _best_cut(speech: Sequence[tuple[float, float]], longest: float) -> int:
    """Return how many stretches go into the next piece."""

    def worth(at: int) -> float:
        length = speech[at - 1][1] - speech[0][0]
        return (speech[at][0] - speech[at - 1][1]) * (SHORT_PIECES + length / longest)

    fitting = [at for at in range(1, len(speech)) if speech[at - 1][1] - speech[0][0] <= longest]
    return max(fitting, key=worth, default=1)


def _with_context(speech: Sequence[tuple[float, float]], behind: float, before: float) -> Chunk:
    """Return a piece with silence around it, of which it leaves half to its neighbours."""
    start, end = speech[0][0], speech[-1][1]
    start -= min(CONTEXT, max(0.0, (start - behind) / 2))
    end += min(CONTEXT, max(0.0, (before - end) / 2))
    return Chunk(start, end, tuple(speech))


def everything(segments: Iterable[tuple[float, float]], seconds: float, longest: float) -> Iterator[Chunk]:
    """Return the whole recording in pieces of at most so long, for who trusts Whisper more than the detector.

    Cut in pauses like `chunks`; only a silence that is too long is cut anywhere.
    """
    begin = 0.0
    speech: list[tuple[float, float]] = []
    for start, end in segments:
        while end - begin > longest and begin < start:
            cut = min(begin + longest, (speech[-1][1] + start) / 2 if speech else start)
            yield Chunk(begin, cut, tuple(speech))
            begin, speech = cut, []
        speech.append((start, end))
    while seconds - begin > longest:
        cut = min(begin + longest, (speech[-1][1] + seconds) / 2) if speech else begin + longest
        yield Chunk(begin, cut, tuple(speech))
        begin, speech = cut, []
    if begin < seconds:
        yield Chunk(begin, seconds, tuple(speech))


class DetectedSpeech:
    """The VAD segments of a recording, found once for all stages that ask, whichever thread they are in."""

    def __init__(self, recording: Recording, engine: SpeechEngine, options: Options) -> None:
        self.recording = recording
        self._coming = engine.detect_speech(recording, options)
        self._known: list[tuple[float, float]] = []
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[tuple[float, float]]:
        """Return the segments from the first on, as soon as each is known."""
        for index in count():
            with self._lock:
                if index == len(self._known):
                    found = next(self._coming, None)
                    if found is None:
                        return
                    self._known.append(found)
            yield self._known[index]


def vad_chunks(speech: Iterable[tuple[float, float]], seconds: float, options: Options) -> Iterator[Chunk]:
    """Return the chunks of a recording, as the options want them cut: the same ones each time."""
    cut = chunks if options.rules.voice_detector else everything
    return cut(speech, seconds, options.chunk_seconds)


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
    """Return the language spoken for most of these chunks' time, and how sure that is; None when there are none."""
    votes: dict[str, float] = defaultdict(float)
    total = 0.0
    for piece in pieces:
        seconds = sum(end - start for start, end in piece.stretches)
        heard = allowed(engine.detect_language(recording, piece, options), options.languages)
        name, probability = next(iter(heard.items()))
        votes[name] += probability * seconds
        total += seconds
    if not total:
        return None
    best = max(votes, key=lambda name: votes[name])
    return best, votes[best] / total


def spread(recording: Recording, engine: SpeechEngine, options: Options) -> Iterator[Chunk]:
    """Return the first speech of several places of a long recording, so that a foreign greeting decides nothing."""
    for start in np.linspace(0, max(0.0, recording.seconds - PLACE_SECONDS), PLACES).tolist():
        found = engine.detect_speech(recording.part(start, start + PLACE_SECONDS), options)
        speech = next(chunks(found, PLACE_SECONDS, options.chunk_seconds), None)
        if speech is not None:
            stretches = tuple((start + begin, start + end) for begin, end in speech.speech)
            yield Chunk(start + speech.start, start + speech.end, stretches)
