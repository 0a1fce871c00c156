"""Rules against text that nobody spoke. Each is one function and one option; see `db.values.Rules`."""

import re
import zlib

from db.values import QualityFlag, Rules
from tasks.pipeline.types import Spoken

LOW_CONFIDENCE = 0.4
"""Segments less sure than this (mean token probability) are flagged."""

LOOPS = 4  # the same words this many times over are a loop
SPEECH_SHARE = 0.05  # of a chunk's length: less speech than this is none
_LOOP = re.compile(r"(?P<words>\b\w[^\n]{0,80}?)(?:[\s,.!?。、，！？-]+(?P=words)\b){3,}", re.IGNORECASE)
_STUTTER = re.compile(r"(?P<part>\S{1,20}?)(?P=part){9,}")


def compression_ratio(text: str) -> float:
    """How much shorter a text becomes when compressed, as Whisper measures repetition."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))


def suspect(text: str, avg_logprob: float, no_speech_prob: float, rules: Rules) -> bool:
    """Whether a text should be recognised again at a higher temperature."""
    unlikely = rules.log_prob is not None and avg_logprob < rules.log_prob
    if unlikely and rules.no_speech is not None and no_speech_prob > rules.no_speech:
        return False  # silence: it will be dropped, no use in trying again
    return unlikely or (rules.compression_ratio is not None and compression_ratio(text) > rules.compression_ratio)


def judge(spoken: Spoken, rules: Rules) -> tuple[str, tuple[QualityFlag, ...]]:
    """The text that is kept of a chunk, and what should be looked at again."""
    if _unspoken(spoken, rules):
        return "", ()
    if not rules.repetition:
        return spoken.text, ()
    text = _STUTTER.sub(r"\g<part>", _LOOP.sub(r"\g<words>", spoken.text))
    return text, (QualityFlag.REPETITION,) if text != spoken.text else ()


def _unspoken(spoken: Spoken, rules: Rules) -> bool:
    unlikely = spoken.avg_logprob is not None and rules.log_prob is not None and spoken.avg_logprob < rules.log_prob
    if unlikely and rules.no_speech is not None and (spoken.no_speech_prob or 0.0) > rules.no_speech:
        return True
    heard = sum(end - start for start, end in spoken.chunk.speech)
    return rules.silence and heard < SPEECH_SHARE * (spoken.chunk.end - spoken.chunk.start)
