"""Waveforms."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.pipeline.peaks import BARS, peaks
from tasks.pipeline.recording import SAMPLE, Recording


def recording(folder: Path, samples: np.ndarray) -> Recording:
    path = folder / "samples"
    samples.astype(SAMPLE).tofile(path)
    return Recording(path)


def test_a_loud_place_is_seen_where_it_is(tmp_path: Path) -> None:
    samples = np.zeros(160_000)
    samples[80_000:80_160] = -32768
    bars = peaks(recording(tmp_path, samples))
    assert (len(bars), bars.index(255), max(bars[:500]), max(bars[501:])) == (1000, 500, 0, 0)


@given(st.integers(1, 400_000))
def test_every_length_has_a_waveform(tmp_path_factory: object, length: int) -> None:
    folder = tmp_path_factory.mktemp("peaks")  # type: ignore[attr-defined]  # pytest's own
    bars = peaks(recording(folder, np.full(length, 16384)))
    assert set(bars) == {128}
    assert len(bars) <= BARS


def test_a_long_recording_has_no_more_bars_than_a_screen_needs(tmp_path: Path) -> None:
    assert len(peaks(recording(tmp_path, np.zeros(BARS * 200)))) == BARS
