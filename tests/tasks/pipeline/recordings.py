"""Recordings for tests: a tone in any container, written by FFmpeg's own libraries, and a call of two people."""

import os
import wave
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest

from tasks.pipeline.recording import SAMPLE, SAMPLE_RATE, Recording, Waveform

MODELS = Path(os.environ.get("GRAPHOPHONE_MODELS", "data/models"))
REAL_MODELS = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # torch, Lightning and pyannote warn of one another's ways
]
"""The marks of tests that run models on them."""


def call() -> Waveform:
    """Thirty seconds of a telephone call: pyannote.audio's own sample."""
    spec = find_spec("pyannote.audio")
    assert spec
    assert spec.origin
    with wave.open(str(Path(spec.origin).parent / "sample" / "sample.wav")) as file:
        found = np.frombuffer(file.readframes(30 * SAMPLE_RATE), SAMPLE).astype(np.float32)
    return (found / 32768).astype(np.float32)


def written(folder: Path, waveform: Waveform) -> Path:
    """A WAV of these samples."""
    path = folder / "recording.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, SAMPLE.itemsize, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((np.clip(waveform, -1, 1) * 32767).astype(SAMPLE).tobytes())
    return path


def samples_of(folder: Path, waveform: Waveform) -> Recording:
    """A recording of these samples, as decoding leaves it."""
    path = folder / "samples"
    (np.clip(waveform, -1, 1) * 32767).astype(SAMPLE).tofile(path)
    return Recording(path)


def write(
    path: Path,
    *,
    container: str = "wav",
    codec: str = "pcm_s16le",
    rate: int = 16_000,
    layout: str = "mono",
    sample_format: str = "s16",
    seconds: float = 2.0,
    video: bool = False,
    picture_seconds: float | None = None,
    sound: bool = True,
    bit_rate: int | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A tone of 440 Hz, or a video with or without one."""
    if container == "amr":  # written by hand: not every FFmpeg can encode it
        packet = b"\x04" + bytes(range(12))  # of 20 ms at 4.75 kbit/s
        path.write_bytes(b"#!AMR\n" + packet * round(seconds * 50))
        return path
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        if video:
            picture = out.add_stream("mpeg4", 10, width=64, height=64, pix_fmt="yuv420p")
        if sound:
            stream = cast("av.AudioStream", out.add_stream(codec, rate, layout=layout))
            if bit_rate is not None:
                stream.bit_rate = bit_rate
        if video:
            for index in range(int((picture_seconds or seconds) * 10)):
                image = av.VideoFrame.from_ndarray(np.full((96, 64), index % 200, np.uint8), format="yuv420p")
                out.mux(picture.encode(image))
            out.mux(picture.encode(None))
        if sound:
            for frame in tone(rate=rate, layout=layout, sample_format=sample_format, seconds=seconds):
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path


def shifted(
    path: Path,
    shifts: dict[float, float],
    container: str,
    codec: str,
    sample_format: str,
    *,
    start: float = 0.0,
    video: bool = False,
) -> Path:
    """A tone of four seconds whose clock is moved on by so many seconds from each of these moments on."""
    with av.open(str(path), "w", format=container) as out:
        picture = out.add_stream("mpeg4", 10, width=64, height=64, pix_fmt="yuv420p") if video else None
        stream = cast("av.AudioStream", out.add_stream(codec, 48_000, layout="mono"))
        if picture:
            for _ in range(60):
                out.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")))
        frames = tone(rate=48_000, layout="mono", sample_format=sample_format, seconds=4)
        for packet in [packet for frame in [*frames, None] for packet in stream.encode(frame)]:
            now = float((packet.pts or 0) * packet.time_base)
            moved = start + next((shifts[at] for at in sorted(shifts, reverse=True) if now >= at), 0.0)
            packet.pts = packet.dts = (packet.pts or 0) + int(moved / packet.time_base)
            out.mux(packet)
    return path


def bursts(path: Path, *, seconds: int, pace: float) -> Path:
    """A burst of 50 ms in the middle of each second, told by a clock that makes so much of a second."""
    rate = 48_000
    wave = np.zeros(seconds * rate, np.int16)
    for second in range(seconds):
        first = second * rate + rate // 2
        wave[first : first + rate // 20] = 20_000 * np.sin(np.arange(rate // 20) * 0.3)
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate, layout="mono")
        for first in range(0, wave.size, 960):
            frame = av.AudioFrame.from_ndarray(wave[None, first : first + 960], format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, first
            for packet in stream.encode(frame):
                packet.pts = packet.dts = int((packet.pts or 0) * pace)
                out.mux(packet)
    return path


def tone(*, rate: int, layout: str, sample_format: str, seconds: float) -> Sequence[av.AudioFrame]:
    """Frames of 20 ms, each in the sample format asked for."""
    size = rate // 50
    times = np.arange(int(seconds * 50) * size) / rate
    wave = (np.sin(2 * np.pi * 440 * times) * 16_000).astype(np.int16)
    channels = av.AudioLayout(layout).nb_channels
    resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate)
    frames: list[av.AudioFrame] = []
    for first in range(0, wave.size, size):
        packed = np.repeat(wave[first : first + size], channels)[None]
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate, frame.pts = rate, first
        frames += resampler.resample(frame)
    return frames


def repeat(source: Path, target: Path, seconds: float) -> Path:
    """A recording as long as wanted: the source again and again, as FLAC."""
    with av.open(str(source)) as opened:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
        heard = np.concatenate(
            [out.to_ndarray()[0] for frame in opened.decode(audio=0) for out in resampler.resample(frame)]
        )
    with av.open(str(target), "w", format="flac") as out:
        stream = out.add_stream("flac", 16_000, layout="mono")
        for first in range(0, int(seconds * 16_000), 16_000):
            frame = av.AudioFrame.from_ndarray(
                heard.take(range(first, first + 16_000), mode="wrap")[None], "s16", "mono"
            )
            frame.sample_rate, frame.pts = 16_000, first
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target
