"""Forced alignment: where each token of a known text lies in a CTC model's emissions.

The recursion of `whisperx.alignment` (Viterbi over "stay on: blank" and "move on: next token"), so boundaries agree
with it, but each frame is a handful of vector operations over all tokens.
"""

from collections.abc import Sequence

import numpy as np

Emission = np.ndarray[tuple[int, int], np.dtype[np.float32]]
"""Log-probabilities, (frames, tokens)."""

Span = tuple[int, int, float]
"""First frame, frame after the last, mean probability."""


def align(emission: Emission, tokens: Sequence[int], blank: int) -> list[Span] | None:
    """Return a span for each token; None when there are too few frames for them."""
    if not tokens or not len(emission):
        return None
    moved, last = _trellis(emission, tokens, blank)
    starts = _walk_back(moved, last)
    if starts is None:
        return None
    likely = np.exp(emission)
    spans = []
    for token, begin, end in zip(tokens, starts, [*starts[1:], last], strict=True):
        total = likely[begin, token] + likely[begin + 1 : end, blank].sum()
        spans.append((begin, end, float(total) / (end - begin)))
    return spans


def _trellis(
    emission: Emission, tokens: Sequence[int], blank: int
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.bool_]], int]:
    """For each (frame, token): True if the best path into it moved on there, and the frame by which all was most likely
    said.
    """
    frames, length = len(emission), len(tokens)
    picked, blanks = emission[:, list(tokens)], emission[:, blank]
    before = np.concatenate([np.zeros(1, np.float32), np.cumsum(blanks, dtype=np.float32)])
    before[max(0, frames + 1 - length) :] = np.inf  # too late to begin, since every token needs a frame
    moved = np.empty((frames, length), np.bool_)
    said = np.full(frames + 1, -np.inf, np.float32)
    stay = np.full(length, -np.inf, np.float32)
    change = np.empty(length, np.float32)
    for frame in range(frames):
        change[0] = before[frame]
        change[1:] = stay[:-1]
        change += picked[frame]
        stay += blanks[frame]
        np.greater(change, stay, out=moved[frame])
        np.maximum(change, stay, out=stay)
        said[frame + 1] = stay[-1]
    return moved, int(np.argmax(said))


def _walk_back(moved: np.ndarray[tuple[int, int], np.dtype[np.bool_]], last: int) -> list[int] | None:
    """Return the frame at which each token begins."""
    token, starts = moved.shape[1], []
    for frame in range(last - 1, -1, -1):
        if moved[frame, token - 1]:
            starts.append(frame)
            token -= 1
            if token == 0:
                return starts[::-1]
    return None
