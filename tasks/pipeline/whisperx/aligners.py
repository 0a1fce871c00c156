"""Forced alignment of spans: the emissions of any CTC model, and the words as that model spells them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from tasks.pipeline.alignment import ctc
from tasks.pipeline.recording import SAMPLE_RATE, Recording, Waveform
from tasks.pipeline.types import AlignmentSpan, WordSpan

WILDCARD = -1
"""A token that the model has no sign for: it is taken to be whatever the model hears there."""


class Aligner(Protocol):
    """A CTC model for one language."""

    name: str
    exact: str
    language: str
    blank: int

    @property
    def separator(self) -> int | None:
        """The token between words, in a language that has one."""

    def emission(self, audio: Waveform) -> ctc.Emission:
        """Log-probabilities, (frames, tokens), evenly spread over the audio."""

    def spell(self, words: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each word; none for one that is not spoken."""


def align(
    aligner: Aligner, recording: Recording, spans: Sequence[AlignmentSpan], threads: int
) -> Iterator[list[WordSpan | None]]:
    """Return the places of the words of each span, in order. Passages are independent, so they are worked on side by
    side.
    """

    def one(span: AlignmentSpan) -> list[WordSpan | None]:
        first, last = int(span.start * SAMPLE_RATE), int(span.end * SAMPLE_RATE)
        audio = recording.slice(first, last)
        if not audio.size:
            return [None] * len(span.words)
        return word_spans(aligner.emission(audio), aligner.spell(span.words), aligner, span)

    if threads == 1:
        yield from map(one, spans)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(one, spans)


def word_spans(
    emission: ctc.Emission, spelled: Sequence[Sequence[int]], aligner: Aligner, span: AlignmentSpan
) -> list[WordSpan | None]:
    """Return the span of each word: from its first token's first frame to its last token's last."""
    tokens: list[int] = []
    ranges: list[tuple[int, int]] = []
    for word in spelled:
        if word and tokens and aligner.separator is not None:
            tokens.append(aligner.separator)
        ranges.append((len(tokens), len(tokens) + len(word)))
        tokens += word
    if WILDCARD in tokens:
        signs = np.delete(emission, aligner.blank, axis=1).max(axis=1, keepdims=True)
        emission = np.concatenate([emission, signs], axis=1)
        tokens = [emission.shape[1] - 1 if token == WILDCARD else token for token in tokens]
    paths = ctc.align(emission, tokens, aligner.blank)
    if paths is None:
        return [None] * len(spelled)
    frame = (span.end - span.start) / len(emission)
    found: list[WordSpan | None] = []
    for (first, last), word in zip(ranges, spelled, strict=True):
        own = paths[first:last]
        if not own:
            found.append(None)
            continue
        sure = sum(score for _, _, score in own) / len(own)
        start, end = span.start + own[0][0] * frame, span.start + own[-1][1] * frame
        found.append(WordSpan(start, end, sure, any(token != WILDCARD for token in word)))
    return found
