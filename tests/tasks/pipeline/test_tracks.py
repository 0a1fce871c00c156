"""Several tracks and several channels: what is listed, which is taken, and how channels become one or stay apart."""

import wave
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.stream import Disposition

from db.domain.tracks import ChannelMode
from db.domain.values import ErrorCode
from tasks.decoding.containers import probe
from tasks.decoding.decode import decode
from tasks.decoding.faults import InputFault
from tasks.decoding.samples import channel_file
from tasks.pipeline.recording import SAMPLE_RATE, Recording, Waveform
from tests.tasks.pipeline.recordings import write

HOUR, SECONDS = 3600.0, 3
LOUD = 0.4


def tone(hertz: float, seconds: float = SECONDS, rate: int = SAMPLE_RATE) -> Waveform:
    wave_: Waveform = (LOUD * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)
    return wave_


SILENT = tone(0)


def with_tracks(path: Path, tracks: Sequence[tuple[Waveform, dict[str, str]]], *, default: int = 0) -> Path:
    """A Matroska file with these tracks of sound, each with its metadata."""
    with av.open(str(path), "w", format="matroska") as out:
        streams = []
        for index, (_, metadata) in enumerate(tracks):
            stream = out.add_stream("pcm_s16le", SAMPLE_RATE, layout="mono")
            stream.metadata.update(metadata)
            stream.disposition = Disposition.default if index == default else Disposition(0)
            streams.append(stream)
        for first in range(0, SECONDS * SAMPLE_RATE, 1600):
            for stream, (waveform, _) in zip(streams, tracks, strict=True):
                out.mux(stream.encode(_frame(waveform[None, first : first + 1600], "mono", first)))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def with_cover(path: Path) -> Path:
    """A FLAC file with a picture on it."""
    with av.open(str(path), "w", format="flac") as out:
        picture = out.add_stream("png", 1, width=64, height=64, pix_fmt="rgb24")
        picture.disposition = Disposition.attached_pic
        stream = out.add_stream("flac", SAMPLE_RATE, layout="mono")
        out.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(_frame(tone(440)[None, :1600], "mono", 0)))
        out.mux(stream.encode(None))
    return path


def _frame(samples: Waveform, layout: str, pts: int) -> av.AudioFrame:
    whole = (samples.T.reshape(1, -1) * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(whole, format="s16", layout=layout)
    frame.sample_rate, frame.pts = SAMPLE_RATE, pts
    return frame


def in_channels(path: Path, *channels: Waveform) -> Path:
    """A WAV with these channels."""
    with wave.open(str(path), "wb") as file:
        file.setparams((len(channels), 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((np.stack(channels, axis=1) * 32767).astype("<i2").tobytes())
    return path


def heard(path: Path, track: int | None = None, channels: ChannelMode = ChannelMode.MIX) -> Waveform:
    target = path.with_name("samples")
    decode(path, target, HOUR, lambda _: None, track, channels)
    return Recording(target).read()


def pitch(waveform: Waveform) -> float:
    """The loudest frequency, in hertz."""
    return float(np.abs(np.fft.rfft(waveform)).argmax() * SAMPLE_RATE / waveform.size)


def test_the_probe_lists_the_tracks_and_hears_which_of_them_are_empty(tmp_path: Path) -> None:
    facts = probe(
        with_tracks(tmp_path / "two", [(SILENT, {"language": "eng"}), (tone(440), {"language": "deu", "title": "Ton"})])
    )
    first, second = facts.tracks
    assert (first.index, first.codec, first.channels, first.language, first.silent) == (0, "pcm_s16le", 1, "eng", True)
    assert (second.index, second.language, second.title, second.silent) == (1, "deu", "Ton", False)
    assert (first.default, second.default) == (True, False)


@pytest.mark.parametrize(
    ("default", "track", "expected"), [(0, None, 440), (2, None, 880), (0, 2, 880), (0, 1, 440), (2, 1, 440)]
)
def test_the_first_track_with_sound_is_taken_a_default_one_before_others_unless_one_is_named(
    tmp_path: Path, default: int, track: int | None, expected: int
) -> None:
    path = with_tracks(tmp_path / "three", [(SILENT, {}), (tone(440), {}), (tone(880), {})], default=default)
    assert pitch(heard(path, track)) == pytest.approx(expected, abs=1)


def test_a_track_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = with_tracks(tmp_path / "two", [(SILENT, {}), (tone(440), {"language": "deu"})])
    with pytest.raises(InputFault) as caught:
        heard(path, 2)
    assert caught.value.problem.code is ErrorCode.INVALID_INPUT
    assert "0 (pcm_s16le, 1 channel, silent)" in caught.value.problem.message
    assert "1 (pcm_s16le, 1 channel, deu)" in caught.value.problem.message


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    assert not probe(with_cover(tmp_path / "cover")).has_video
    filmed = write(tmp_path / "film", container="mp4", codec="aac", sample_format="fltp", rate=48_000, video=True)
    assert probe(filmed).has_video


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_u8", "pcm_s32le", "pcm_f32le", "flac"])
def test_channels_of_opposite_phase_do_not_cancel(tmp_path: Path, codec: str) -> None:
    kind = {"pcm_u8": "u8", "pcm_s32le": "s32", "pcm_f32le": "flt"}.get(codec, "s16")
    resampler = av.AudioResampler(format=kind, layout="stereo", rate=SAMPLE_RATE)
    path = tmp_path / "opposite"
    with av.open(str(path), "w", format="flac" if codec == "flac" else "wav") as out:
        stream = cast("av.AudioStream", out.add_stream(codec, SAMPLE_RATE, layout="stereo"))
        both = np.stack([tone(440), -tone(440)])
        for first in range(0, both.shape[1], 1600):
            for frame in resampler.resample(_frame(both[:, first : first + 1600], "stereo", first)):
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    found = heard(path)
    assert pitch(found) == pytest.approx(440, abs=1)
    assert np.abs(found).max() == pytest.approx(LOUD, abs=0.02)


def test_channels_that_are_alike_or_have_nothing_in_common_are_mixed_as_ever(tmp_path: Path) -> None:
    for other in (tone(440), tone(880), SILENT):
        path = in_channels(tmp_path / "stereo", tone(440), other)
        with av.open(str(path)) as container:
            plain = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            frames = [*container.decode(audio=0), None]
            mixed = np.concatenate([out.to_ndarray()[0] for frame in frames for out in plain.resample(frame)])
        assert np.array_equal(heard(path), mixed.astype(np.float32) / 32768)


def test_separate_channels_are_as_long_as_the_mix_and_each_holds_its_own(tmp_path: Path) -> None:
    path = in_channels(tmp_path / "stereo", tone(440), tone(880))
    mixed = heard(path, channels=ChannelMode.SEPARATE)
    own = [Recording(channel_file(tmp_path / "samples", number)).read() for number in (0, 1)]
    assert [pitch(channel) for channel in own] == [pytest.approx(440, abs=1), pytest.approx(880, abs=1)]
    assert {channel.size for channel in own} == {mixed.size}
    assert not list(tmp_path.glob("*.partial"))


def test_more_channels_than_there_can_be_speakers_are_refused(tmp_path: Path) -> None:
    path = in_channels(tmp_path / "many", *[tone(440)] * 9)
    with pytest.raises(InputFault) as caught:
        heard(path, channels=ChannelMode.SEPARATE)
    assert "at most 8" in caught.value.problem.message
