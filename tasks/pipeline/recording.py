"""The decoded recording on disk, read a window at a time, so that memory does not grow with its length."""

import math
from pathlib import Path

import numpy as np

from tasks.decoding.samples import SAMPLE, SAMPLE_RATE

__all__ = ["SAMPLE", "SAMPLE_RATE", "Recording", "Waveform", "within"]

Waveform = np.ndarray[tuple[int], np.dtype[np.float32]]
"""Samples in -1..1."""


def within(moment: float, seconds: float) -> float:
    """Return a moment to the millisecond, inside a recording of so many seconds."""
    return min(round(max(0.0, moment), 3), math.floor(seconds * 1000) / 1000)


class Recording:
    """A file of 16-bit samples, or a part of it. Each read maps its window anew, so no page stays in the process."""

    def __init__(self, path: Path, first: int = 0, last: int | None = None) -> None:
        self.path = path
        self.first = first
        self.last = path.stat().st_size // SAMPLE.itemsize if last is None else last

    @property
    def samples(self) -> int:
        """Return the number of samples."""
        return self.last - self.first

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples / SAMPLE_RATE

    def part(self, start: float, end: float) -> "Recording":
        """Return the part from `start` to `end` seconds as a recording of its own, whose time begins at zero."""
        first = min(self.first + int(start * SAMPLE_RATE), self.last)
        return Recording(self.path, first, min(self.first + int(end * SAMPLE_RATE), self.last))

    def read(self, start: float = 0.0, end: float | None = None) -> Waveform:
        """Return the samples from `start` to `end` seconds, as far as the recording goes."""
        return self.slice(int(start * SAMPLE_RATE), self.samples if end is None else int(end * SAMPLE_RATE))

    def slice(self, first: int, last: int) -> Waveform:
        """Return the samples from number `first` up to `last`, as far as the recording goes."""
        first, last = max(0, first), min(last, self.samples)
        if first >= last:
            return np.zeros(0, np.float32)
        mapped = np.memmap(
            self.path, SAMPLE, mode="r", offset=(self.first + first) * SAMPLE.itemsize, shape=(last - first,)
        )
        waveform: Waveform = mapped.astype(np.float32)
        waveform /= 32768.0
        return waveform
