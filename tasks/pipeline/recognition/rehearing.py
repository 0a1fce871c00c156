"""The text that Whisper writes of a chunk, and a second hearing of what it left out or doubted.

A soft speaker beside a loud one may get no words at all: the loudest sound of a chunk sets the level below which
Whisper hears nothing. Recognised alone, the same speech has a level of its own. So detected speech without words is
recognised by itself. A doubtful chunk is cut in its longest pause; of both readings, the one that leaves less out or is
likelier is kept; or the parts of a chunk in which another language turns out to be spoken.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from msgspec.structs import replace

from db.domain.values import Options
from tasks.pipeline.recognition.hallucination import suspect, too_fast
from tasks.pipeline.recognition.languages import LanguageFinder
from tasks.pipeline.recording import Recording
from tasks.pipeline.types import Chunk, Hypothesis, SpeechEngine, Token

Stretch = tuple[float, float]
Hear = Callable[[Sequence[Chunk]], list[Hypothesis]]

MISSING = 1.0  # seconds of detected speech without words, at least, that are heard again or told of
NEAR = 0.5  # seconds by which a word may miss the speech that it was said in
SLOWEST = 0.25  # seconds of a character, beside a second of the word: attention may hold a word until the chunk's end
CONTEXT = 0.3  # seconds of sound around speech that is heard by itself
DOUBT = -0.5  # mean log probability of a token below which a chunk is heard a second time
CERTAINLY_ANOTHER = 0.1  # by so much more likely must it be in another language
CERTAIN = 0.02  # by so much more likely must the second reading be


class Reading(NamedTuple):
    """All that was recognised in a chunk, in order of time, and the detected speech that got no words."""

    chunk: Chunk
    hypotheses: Sequence[Hypothesis]
    missing: Sequence[Stretch]


def readings(
    recording: Recording, engine: SpeechEngine, chunks: Iterable[Chunk], spoken: LanguageFinder, options: Options
) -> Iterator[Reading]:
    """Return the reading of each chunk, in order, as soon as it is known."""

    def hear(some: Sequence[Chunk]) -> list[Hypothesis]:
        return list(engine.transcribe(recording, some, spoken.language, options))

    coming: deque[tuple[Chunk, int]] = deque()  # chunks, and in how many parts each is heard

    def parts() -> Iterator[Chunk]:
        for chunk in chunks:
            found = spoken.parts(chunk)
            coming.append((chunk, len(found)))
            yield from found

    heard = engine.transcribe(recording, parts(), spoken.language, options)
    for first in heard:
        chunk, count = coming.popleft()
        own = [first, *islice(heard, count - 1)]
        complete = [_complete(one.chunk, _better(one, hear, spoken), hear, options) for one in own]
        hypotheses = [hypothesis for reading in complete for hypothesis in reading.hypotheses]
        yield Reading(chunk, hypotheses, [gap for reading in complete for gap in reading.missing])


def _better(first: Hypothesis, hear: Hear, spoken: LanguageFinder) -> list[Hypothesis]:
    """Return the hypothesis, or those of the two halves of its chunk, where they leave less out or are likelier."""
    once = [first]
    if first.text.strip() and not first.tokens:
        return once  # the recogniser does not say how sure it is of what
    lost = _seconds(missing(first))
    if likelihood(once) >= DOUBT and not lost:
        return once
    foreign = _in_other_languages(first, hear, spoken)
    if foreign:
        return foreign
    halves = divided(first.chunk)
    if len(halves) < 2:
        return once
    twice = hear(halves)
    lost_twice = _seconds(gap for half in twice for gap in missing(half))
    if lost_twice <= lost - MISSING:
        return twice
    return twice if lost_twice <= lost and likelihood(twice) > likelihood(once) + CERTAIN else once


def _in_other_languages(first: Hypothesis, hear: Hear, spoken: LanguageFinder) -> list[Hypothesis]:
    """Return the hypotheses of a doubtful chunk whose parts turn out to be in other languages; nothing otherwise."""
    parts = spoken.doubtful(first.chunk)
    if any(part.language != first.chunk.language for part in parts):
        return hear(parts)
    others = spoken.others(first.chunk)
    best = max(hear(others), key=lambda other: likelihood([other])) if others else first
    return [best] if likelihood([best]) > likelihood([first]) + CERTAINLY_ANOTHER else []


def _complete(chunk: Chunk, parts: Sequence[Hypothesis], hear: Hear, options: Options) -> Reading:
    """Hear again, by itself, what has no words; what has none even then is missing."""
    found: list[Hypothesis] = []
    left: list[Stretch] = []
    for part in parts:
        gaps = missing(part)
        again = [_alone(chunk, gap) for gap in gaps] if part.tokens else []
        heard = [one for one in hear(again) if _credible(one, options)] if again else []
        rest = part
        for one in heard:
            before, rest = _cut(rest, one.chunk.speech[0][0])
            found += [before, one] if before.tokens else [one]
        found.append(rest)
        known = {one.chunk.speech[0]: one for one in heard}
        left += [gap for gap in gaps if gap not in known]
        left += [gap for one in heard for gap in missing(one)]
    return Reading(chunk, found, left)


def missing(hypothesis: Hypothesis) -> list[Stretch]:
    """Return the detected speech of a chunk in which none of its words was said, where that is more than a moment."""
    if hypothesis.text.strip() and not hypothesis.tokens:
        return []  # the recogniser does not say where
    spoken = [
        (start - NEAR, end + NEAR)
        for index, token in enumerate(hypothesis.tokens)
        if any(sign.isalnum() for sign in token.text)
        for start, end in (_said(token, first=not index),)
    ]
    left: list[Stretch] = []
    for start, end in hypothesis.chunk.speech:
        at = start
        for since, until in spoken:
            if until <= at or since >= end:
                continue
            if since > at:
                left.append((at, since))
            at = max(at, until)
        if at < end:
            left.append((at, end))
    return [stretch for stretch in left if _length(stretch) >= MISSING]


def _said(token: Token, *, first: bool) -> Stretch:
    """Return when a token was said, if attention held it for longer than anybody says it.

    The first waits for its sound from the chunk's beginning on, every other one lasts until the next.
    """
    longest = 1.0 + SLOWEST * len(token.text)
    if token.end - token.start <= longest:
        return token.start, token.end
    return (token.end - longest, token.end) if first else (token.start, token.start + longest)


def divided(chunk: Chunk) -> list[Chunk]:
    """Return the two parts of a chunk before and after its longest pause; the chunk itself if it has none."""
    pauses = [(after[0] - before[1], index) for index, (before, after) in enumerate(pairwise(chunk.speech), 1)]
    if not pauses:
        return [chunk]
    _, at = max(pauses)
    middle = (chunk.speech[at - 1][1] + chunk.speech[at][0]) / 2
    return [
        replace(chunk, end=middle, speech=chunk.speech[:at]),
        replace(chunk, start=middle, speech=chunk.speech[at:]),
    ]


def likelihood(hypotheses: Sequence[Hypothesis]) -> float:
    """Return the mean log probability of all tokens; that of nothing at all is the least."""
    tokens = [token for hypothesis in hypotheses for token in hypothesis.tokens]
    return mean_log(tokens) if tokens else -math.inf


def mean_log(tokens: Sequence[Token]) -> float:
    """Return the mean log probability of these tokens."""
    return sum(math.log(max(token.probability, 1e-9)) for token in tokens) / len(tokens)


def _alone(chunk: Chunk, gap: Stretch) -> Chunk:
    start, end = gap
    return replace(chunk, start=max(chunk.start, start - CONTEXT), end=min(chunk.end, end + CONTEXT), speech=(gap,))


def _credible(hypothesis: Hypothesis, options: Options) -> bool:
    """Return whether a text that was heard at second sight may stand: nothing but good reasons to believe it."""
    if not hypothesis.text.strip() or too_fast(hypothesis.text, hypothesis.chunk):
        return False
    said, silence = hypothesis.avg_logprob or 0.0, hypothesis.no_speech_prob or 0.0
    limit = 1.0 if options.rules.no_speech is None else options.rules.no_speech
    return silence <= limit and not suspect(hypothesis.text, said, silence, options.rules)


def _cut(hypothesis: Hypothesis, moment: float) -> tuple[Hypothesis, Hypothesis]:
    """Return the parts of a hypothesis that are said before and after a moment."""
    tokens = hypothesis.tokens
    before = [token for index, token in enumerate(tokens) if _said(token, first=not index)[0] < moment]
    after = hypothesis.tokens[len(before) :]
    return _part(hypothesis, before), _part(hypothesis, after)


def _part(hypothesis: Hypothesis, tokens: Sequence[Token]) -> Hypothesis:
    return replace(hypothesis, tokens=tuple(tokens), text="".join(token.text for token in tokens))


def _seconds(stretches: Iterable[Stretch]) -> float:
    return sum(map(_length, stretches))


def _length(stretch: Stretch) -> float:
    return stretch[1] - stretch[0]
