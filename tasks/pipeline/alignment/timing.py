"""The times of words as far as the recogniser tells: by the tokens' own times, or else by the length of the words."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from db.domain.values import Word, WordTiming
from tasks.pipeline.recognition.rehearing import mean_log
from tasks.pipeline.recording import within
from tasks.pipeline.types import Chunk, Hypothesis

PAUSE = 0.5  # seconds before speech in which attention may begin a word

Timed = tuple[Word, float | None]
"""A word and the mean log probability of its tokens."""


def attended(hypothesis: Hypothesis, words: Sequence[str], seconds: float) -> Iterator[Timed]:
    """Return words with the times and the probability of their tokens."""
    ends = list(accumulate(len(token.text) for token in hypothesis.tokens))
    text = "".join(token.text for token in hypothesis.tokens)
    at, last = 0, 0.0
    for word in words:
        found = text.find(word, at)
        first = at if found < 0 else found
        at = min(len(text), first + len(word))
        own = hypothesis.tokens[bisect_right(ends, first) : bisect_left(ends, at) + 1] or hypothesis.tokens[-1:]
        spoken = [token for token in own if any(sign.isalnum() for sign in token.text)] or own
        start = within(max(last, _in_speech(hypothesis.chunk, spoken[0].start)), seconds)
        end = within(max(start, spoken[-1].end), seconds)
        last, log = start, mean_log(spoken)
        yield Word(word, start, end, round(math.exp(log), 4), WordTiming.ATTENDED), log


def _in_speech(chunk: Chunk, moment: float) -> float:
    """Return the moment, or, where it lies in a pause, when the speech after the pause begins if that is near."""
    for start, end in chunk.speech:
        if moment < end:
            return start if moment < start <= moment + PAUSE else moment
    return moment


def estimated(hypothesis: Hypothesis, words: Sequence[str], seconds: float) -> Iterator[Timed]:
    """Return words that nobody timed, spread over the chunk's speech."""
    for word, (start, end) in zip(words, estimate(hypothesis.chunk, words, seconds), strict=True):
        yield Word(word, start, end), hypothesis.avg_logprob


def estimate(chunk: Chunk, words: Sequence[str], seconds: float) -> Iterator[tuple[float, float]]:
    """Return times of words that nobody aligned: spread over the chunk's speech in proportion to their length."""
    spoken = sum(end - start for start, end in chunk.stretches)
    total = sum(len(word) + 1 for word in words)
    done = 0
    for word in words:
        start = _after(chunk, spoken * done / total)
        done += len(word) + 1
        end = _after(chunk, spoken * done / total, ending=True)
        yield within(start, seconds), within(max(start, end), seconds)


def _after(chunk: Chunk, speech: float, *, ending: bool = False) -> float:
    """Return the moment at which so many seconds of the chunk's speech are over."""
    for start, end in chunk.stretches:
        if speech < end - start or (ending and speech <= end - start + 1e-6):
            return min(start + speech, end)
        speech -= end - start
    return chunk.end
