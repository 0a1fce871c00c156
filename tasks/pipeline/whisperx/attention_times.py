"""The time of each token of a text and its probability, by Whisper's own cross-attention.

The heads that follow the sound (the model's `alignment_heads`) are averaged, and dynamic time warping finds the path;
one pass of the decoder tells both, in every language. Source: openai/whisper's timing.py, as CTranslate2 has it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ctranslate2 import StorageView
from faster_whisper.tokenizer import Tokenizer

from tasks.pipeline.types import Token

FRAME = 0.02  # seconds of a frame of the encoder's output
MEL_FRAMES = 100  # a second


def timed(
    model: Any, encoded: StorageView, tokenizer: Tokenizer, text: Sequence[int], seconds: float
) -> Iterator[Token]:
    """Return the tokens of a text, timed from the beginning of its audio, of which so many seconds are sound."""
    frames = max(2, round(seconds * MEL_FRAMES))
    [result] = model.align(encoded, list(tokenizer.sot_sequence), [list(text)], frames)
    index, frame = np.array(result.alignments).T
    begun = frame[np.diff(index, prepend=-1) > 0] * FRAME  # of each token, and of the end behind the last
    first = 0
    for characters, group in zip(*tokenizer.split_tokens_on_unicode(list(text)), strict=True):
        after = first + len(group)
        likely = float(np.prod(result.text_token_probs[first:after]))
        yield Token(characters, float(begun[first]), float(begun[after]), likely)
        first = after
