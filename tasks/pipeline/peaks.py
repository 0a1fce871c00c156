"""The waveform as people see it: how loud the recording is at its loudest, bar by bar."""

import numpy as np

from db.domain.values import Stage
from tasks.pipeline.recording import Recording
from tasks.pipeline.types import CheckpointSaved, Emit, Work, scratch_file

PEAKS = "peaks"

BARS = 20_000
"""At most; a screen shows a tenth of that."""

SHORTEST = 160
"""Samples of a bar, at least: 10 ms."""


def peaks(recording: Recording) -> bytes:
    """Return the largest amplitude of each of up to 20,000 equal stretches, a byte each: 255 is full scale."""
    bars = max(1, min(BARS, recording.samples // SHORTEST))
    edges = np.linspace(0, recording.samples, bars + 1).astype(int)
    found = bytearray()
    for first in range(0, bars, 1000):  # a part at a time, so that memory does not grow with the recording
        part = edges[first : first + 1001]
        loudness = np.abs(recording.slice(int(part[0]), int(part[-1])))
        highest = np.maximum.reduceat(loudness, part[:-1] - part[0]) if loudness.size else np.zeros(len(part) - 1)
        found += np.rint(np.clip(highest, 0, 1) * 255).astype(np.uint8).tobytes()
    return bytes(found)


def keep(recording: Recording, work: Work, tell: Emit) -> None:
    """Leave the peaks with the job."""
    scratch_file(work, PEAKS).write_bytes(peaks(recording))
    tell(CheckpointSaved(stage=Stage.DECODE, name=PEAKS))
