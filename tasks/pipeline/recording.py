"""The decoded recording on disk, read a window at a time, so that memory does not grow with its length."""

from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000
"""Samples a second of decoded audio: mono. What Whisper, the aligners and pyannote all expect."""

SAMPLE = np.dtype("<i2")
Waveform = np.ndarray[tuple[int], np.dtype[np.float32]]
"""Samples in -1..1."""


class Recording:
    """A file of 16-bit samples. It is mapped anew for each window read, so no page of it stays in the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = path.stat().st_size // SAMPLE.itemsize

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples / SAMPLE_RATE

    def read(self, start: float = 0.0, end: float | None = None) -> Waveform:
        """The samples from `start` to `end` seconds, as far as the recording goes."""
        return self.slice(int(start * SAMPLE_RATE), self.samples if end is None else int(end * SAMPLE_RATE))

    def slice(self, first: int, last: int) -> Waveform:
        """The samples from number `first` up to `last`, as far as the recording goes."""
        first, last = max(0, first), min(last, self.samples)
        if first >= last:
            return np.zeros(0, np.float32)
        mapped = np.memmap(self.path, SAMPLE, mode="r", shape=(self.samples,))
        waveform: Waveform = mapped[first:last].astype(np.float32)
        waveform /= 32768.0
        return waveform
