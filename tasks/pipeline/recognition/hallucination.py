"""Rules against text that nobody spoke. Each is an option of its own; see `db.domain.values.Rules`.

The voice detector is the first of them: where it hears nobody, Whisper is not asked (`detect.chunks`).
"""

import zlib
from collections.abc import Sequence

from db.domain.values import QualityFlag, Rules
from tasks.pipeline.recognition.sentences import join, words
from tasks.pipeline.types import Chunk, Hypothesis

LOW_CONFIDENCE = 0.4
"""Segments less sure than this (mean token probability) are flagged."""

LOOP = 4  # the same words so many times running are a loop
LONGEST_LOOP = 30  # words
FASTEST = 30.0  # characters a second; nobody speaks faster
MARGIN = 0.1  # seconds by which the voice activity detector may see too little
SPEECH_SHARE = 0.05  # of a segment: less speech than this is none
UNLIKELY = -1.0  # mean log probability of a token, as Whisper has it, where `log_prob` names no other bound


def compression_ratio(text: str) -> float:
    """Return the ratio by which a text shrinks when compressed, as Whisper measures repetition."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))


def suspect(text: str, avg_logprob: float, no_speech_prob: float, rules: Rules) -> bool:
    """Return whether a text should be recognised again at a higher temperature."""
    unlikely = rules.log_prob is not None and avg_logprob < rules.log_prob
    if unlikely and rules.no_speech is not None and no_speech_prob > rules.no_speech:
        return False  # silence: it will be dropped, no use in trying again
    return unlikely or (rules.compression_ratio is not None and compression_ratio(text) > rules.compression_ratio)


def filter_hypothesis(hypothesis: Hypothesis, language: str, rules: Rules) -> tuple[str, tuple[QualityFlag, ...]]:
    """Return the text that is kept of a chunk, and what should be looked at again."""
    if _no_speech(hypothesis, rules):
        return "", ()
    silent = (QualityFlag.NO_SPEECH,) if rules.silence and not hypothesis.chunk.speech else ()
    found = words(hypothesis.text, language)
    once = without_loops(found) if rules.repetition else found
    text, flags = hypothesis.text, silent
    if len(once) < len(found):
        # Somebody may well say a thing four times. Only what is too fast to have been said is cut.
        text = join(once, language) if too_fast(text, hypothesis.chunk) else text
        flags = (*silent, QualityFlag.REPETITION)
    if rules.repetition and too_fast(text, hypothesis.chunk):
        return "", ()
    return text, flags


def too_fast(text: str, chunk: Chunk) -> bool:
    """Return whether nobody can have said so much in the chunk's speech."""
    speech = sum(end - start for start, end in chunk.stretches)
    return len(text.strip()) > FASTEST * (speech + MARGIN)


def _no_speech(hypothesis: Hypothesis, rules: Rules) -> bool:
    """Apply Whisper's own rule, an unlikely text where it takes the sound for no speech at all; the voice activity
    detector's word counts as much as its own.
    """
    if rules.no_speech is None:
        return False
    likely = UNLIKELY if rules.log_prob is None else rules.log_prob
    unheard = rules.silence and not hypothesis.chunk.speech
    silent = unheard or (hypothesis.no_speech_prob or 0.0) > rules.no_speech
    return silent and (hypothesis.avg_logprob or 0.0) < likely


def without_loops(found: Sequence[str]) -> list[str]:
    """Return the words with each loop said once."""
    plain = [word.strip(".,!?;:…。、！？").lower() for word in found]
    kept: list[str] = []
    at = 0
    while at < len(found):
        kept.append(found[at])
        length = next((n for n in range(1, LONGEST_LOOP + 1) if _loops(plain, at, n)), 0)
        if length:
            kept += found[at + 1 : at + length]
            after = at + length
            while plain[after : after + length] == plain[at : at + length]:
                after += length
            at = after
        else:
            at += 1
    return kept


def _loops(plain: Sequence[str], at: int, length: int) -> bool:
    first = plain[at : at + length]
    return all(plain[at + turn * length : at + (turn + 1) * length] == first for turn in range(1, LOOP))
