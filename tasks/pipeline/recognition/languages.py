"""The language of each part of a recording. A part of a recording leaves its language only for good reasons.

A chunk is first heard as a whole, which costs nothing: the encoder's output is what its text is read from. If that
leaves doubt, and everywhere in a recording that is known to be mixed, short places within it are listened to, and the
cheapest path through their languages (Viterbi) says where the speaker changes to another one. Each part is then heard
as a whole again before it is believed.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby, pairwise

import numpy as np
from msgspec.structs import replace

from db.domain.values import Options
from tasks.pipeline.recording import SAMPLE_RATE, Recording
from tasks.pipeline.types import Chunk, SpeechEngine

Likely = Mapping[str, float]
"""The probability of each language."""

SURE = 0.9  # of the recording's language: the chunk is not looked into
NEARLY_SURE = 0.97  # of it: a chunk whose text is doubtful is looked into all the same
PLACE, STEP = 4.0, 2.0  # seconds of a place that is listened to, and from one to the next
POSSIBLE, LIKELY = 0.2, 0.5  # of a whole chunk and of a place: the language is one of those that it may be in
CLEAR = 0.8  # of a language among those: the part is in it
AGREED = 0.55  # the same, where the places within it say so too
FEW = 1.5  # seconds of speech: fewer say nothing of their language
FLOOR = 0.01  # no language is impossible
MOST_OTHERS = 3  # languages in which a doubtful part is heard again
CHANGE = 3.0  # the price of another language, in units of log probability
WHOLE = 0.25  # the weight of what the whole chunk sounds like, at each place in it
AROUND, QUIET = 1.5, 0.2  # seconds around a change in which the quietest moment of this length is looked for
FALSE_FRIENDS = frozenset({"cy", "haw", "la", "mi", "nn", "sa"})
"""The languages that Whisper takes unclear speech for: a part is in one of these only if it is named, or the
recording's own.
"""


def allowed(found: Likely, languages: Collection[str]) -> dict[str, float]:
    """Return the probabilities of these languages alone, the likeliest first; of all, when none are named."""
    if not languages:
        return dict(found)
    some = {name: found.get(name, 0.0) + FLOOR / 100 for name in languages}
    total = sum(some.values())
    return {name: some[name] / total for name in sorted(some, key=lambda name: -some[name])}


class LanguageFinder:
    """The languages of one recording, part by part, as far as it was heard. `language` is the recording's."""

    def __init__(self, recording: Recording, engine: SpeechEngine, options: Options, language: str) -> None:
        self._recording, self._engine, self._options, self.language = recording, engine, options, language
        one = options.language is not None or len(options.languages) == 1
        self._fixed = one or engine.languages(options) is not None
        self._mixed = len(options.languages) > 1
        self._before = language  # at the end of the last part
        self._found = {language, *options.languages}
        self._plain: dict[float, Likely] = {}  # of chunks that were not looked into, by their beginning

    def parts(self, chunk: Chunk) -> list[Chunk]:
        """Return the chunk cut where the language changes, each part with its language; as it is, if that is plain."""
        if self._fixed or not chunk.speech:
            return [chunk]
        found = self._whole(chunk)
        sure = found.get(self.language, 0.0)
        if not self._mixed and sure >= SURE:
            if sure < NEARLY_SURE:
                self._plain[chunk.start] = {name: value for name, value in found.items() if value >= POSSIBLE}
            return [chunk]
        return self._look(chunk, found)

    def doubtful(self, chunk: Chunk) -> list[Chunk]:
        """Return the same of a chunk whose text is doubtful, and which was taken for plain."""
        found = self._plain.pop(chunk.start, None)
        return [chunk] if found is None or chunk.language else self._look(chunk, found)

    def others(self, chunk: Chunk) -> list[Chunk]:
        """Return a chunk of a mixed recording once for each other language that is spoken in it."""
        if self._fixed or not self._mixed:
            return []
        own = chunk.language or self.language
        return [replace(chunk, language=name) for name in sorted(self._found - {own})][:MOST_OTHERS]

    def _whole(self, chunk: Chunk) -> Likely:
        return allowed(self._engine.detect_language(self._recording, chunk, self._options), self._options.languages)

    def _look(self, chunk: Chunk, found: Likely) -> list[Chunk]:
        places = _places(chunk)
        heard = [
            allowed(one, self._options.languages)
            for one in self._engine.detect_languages(self._recording, places, self._options)
        ]
        candidates = self._candidates(found, heard)
        if len(candidates) == 1:
            return [chunk]
        path = cheapest(heard, candidates, self._before, found)
        cuts = [
            quietest(self._recording, (before[0] + after[1]) / 2)
            for (before, after), (one, other) in zip(pairwise(places), pairwise(path), strict=True)
            if one != other
        ]
        turns = [name for name, _ in groupby(path)]
        cut = divided(chunk, cuts)
        agreed = turns if len(cut) == len(turns) else [None] * len(cut)
        parts = [self._named(part, candidates, name) for part, name in zip(cut, agreed, strict=True)]
        if all(part.language == self.language for part in parts):
            return [chunk]
        self._mixed, self._before = True, parts[-1].language or self.language
        self._found |= {part.language for part in parts if part.language}
        return [part for _, same in groupby(parts, key=lambda part: part.language) for part in joined(list(same))]

    def _candidates(self, found: Likely, heard: Sequence[Likely]) -> list[str]:
        """Return the languages that may be spoken in a chunk, the recording's first."""
        likely = {name for name, probability in found.items() if probability >= POSSIBLE}
        likely |= self._found
        likely |= {name for one in heard for name, probability in one.items() if probability >= LIKELY}
        if not self._options.languages:
            likely -= FALSE_FRIENDS
        return [self.language, *sorted(likely - {self.language})]

    def _named(self, part: Chunk, candidates: Sequence[str], agreed: str | None) -> Chunk:
        """Return the part with its language: another than the recording's only if that is clear, and less so where the
        places in it have agreed on it before.
        """
        seconds = sum(end - start for start, end in part.speech)
        if seconds < FEW:
            return replace(part, language=self.language)
        heard = self._whole(part)
        share = _among(heard, candidates)
        best = max(candidates, key=lambda name: share[name])
        clear = share[best] >= (AGREED if best == agreed else CLEAR) and (
            self._options.languages or heard.get(best, 0.0) >= LIKELY
        )
        return replace(part, language=best if clear else self.language)


def _places(chunk: Chunk) -> list[tuple[float, float]]:
    count = max(1, math.ceil((chunk.end - chunk.start - PLACE) / STEP) + 1)
    starts = [min(chunk.start + STEP * index, max(chunk.start, chunk.end - PLACE)) for index in range(count)]
    return [(start, min(start + PLACE, chunk.end)) for start in starts]


def _among(found: Likely, candidates: Sequence[str]) -> dict[str, float]:
    some = {name: found.get(name, 0.0) + FLOOR for name in candidates}
    total = sum(some.values())
    return {name: value / total for name, value in some.items()}


def cheapest(heard: Sequence[Likely], candidates: Sequence[str], before: str, whole: Likely) -> list[str]:
    """Return the language of each place, so that what is heard is likely and changes are few."""
    prior = {name: -WHOLE * math.log(value) for name, value in _among(whole, candidates).items()}
    cost = {name: 0.0 if name == before else CHANGE / 2 for name in candidates}
    origins: list[dict[str, str]] = []
    for one in heard:
        share = _among(one, candidates)
        cheap = min(cost, key=lambda name: cost[name])
        origins.append({name: name if cost[name] <= cost[cheap] + CHANGE else cheap for name in candidates})
        cost = {
            name: min(cost[name], cost[cheap] + CHANGE) + prior[name] - math.log(share[name]) for name in candidates
        }
    path = [min(cost, key=lambda name: cost[name])]
    for origin in reversed(origins[1:]):
        path.append(origin[path[-1]])
    return path[::-1]


def quietest(recording: Recording, moment: float) -> float:
    """Return the middle of the quietest moment around this one."""
    start = max(0.0, moment - AROUND)
    waveform = recording.read(start, moment + AROUND)
    size = int(QUIET * SAMPLE_RATE)
    if waveform.size < size:
        return moment
    power = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    return start + (int(np.argmin(power[size:] - power[:-size])) + size / 2) / SAMPLE_RATE


def divided(chunk: Chunk, cuts: Sequence[float]) -> list[Chunk]:
    """Return the parts of a chunk between these moments; one without speech belongs to its neighbour."""
    edges = [chunk.start, *(cut for cut in cuts if chunk.start < cut < chunk.end), chunk.end]
    parts: list[Chunk] = []
    for start, end in pairwise(edges):
        speech = tuple((max(a, start), min(b, end)) for a, b in chunk.speech if b > start and a < end)
        if speech or not parts:
            parts.append(replace(chunk, start=start, end=end, speech=speech))
        else:
            parts[-1] = replace(parts[-1], end=end)
    if len(parts) > 1 and not parts[0].speech:
        parts[:2] = [replace(parts[1], start=parts[0].start)]
    return parts


def joined(parts: Sequence[Chunk]) -> list[Chunk]:
    """Return neighbours as one."""
    speech = tuple(stretch for part in parts for stretch in part.speech)
    return [replace(parts[0], end=parts[-1].end, speech=speech)]
