"""The samples that a recording is decoded to."""

import numpy as np

SAMPLE_RATE = 16_000
"""Samples a second of decoded audio: mono, as Whisper, the aligners and pyannote all expect."""

SAMPLE = np.dtype("<i2")
