"""The samples that a recording is decoded to."""

from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000
"""Samples a second of decoded audio: mono, as Whisper, the aligners and pyannote all expect."""

SAMPLE = np.dtype("<i2")


def channel_file(target: Path, number: int) -> Path:
    """Return the file with the samples of one channel, beside those of all together."""
    return target.with_name(f"{target.name}.{number}")
