"""Decoding: anything FFmpeg reads becomes 16 kHz mono, and anything else a clear refusal."""

import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from db.domain.values import ErrorCode, MediaFacts, Problem
from tasks.decoding.containers import probe
from tasks.decoding.decode import decode
from tasks.decoding.faults import InputFault
from tasks.decoding.messages import Known, Progress, Told
from tasks.pipeline.recording import Recording
from tests.tasks.pipeline.recordings import bursts, shifted, write

HOUR = 3600.0

FORMATS = [
    {"container": "wav", "codec": "pcm_u8"},
    {"container": "wav", "codec": "pcm_s24le", "sample_format": "s32", "rate": 48_000, "layout": "stereo"},
    {"container": "wav", "codec": "pcm_f32le", "sample_format": "flt", "rate": 44_100},
    {"container": "wav", "codec": "pcm_s16le", "rate": 8_000},
    {"container": "wav", "codec": "pcm_s16le", "rate": 48_000, "layout": "5.1"},
    {"container": "mp3", "codec": "libmp3lame", "sample_format": "s16p", "rate": 44_100, "layout": "stereo"},
    {"container": "mp4", "codec": "aac", "sample_format": "fltp", "rate": 44_100},
    {"container": "flac", "codec": "flac", "rate": 22_050},
    {"container": "ogg", "codec": "libopus", "rate": 48_000},
    {"container": "webm", "codec": "libopus", "rate": 48_000},
    {"container": "mp4", "codec": "aac", "sample_format": "fltp", "rate": 48_000, "video": True},
    {"container": "mpegts", "codec": "aac", "sample_format": "fltp", "rate": 48_000, "video": True},
]


def decoded(path: Path, limit: float = HOUR) -> tuple[Recording, MediaFacts, Problem | None, list[float]]:
    told: list[Told] = []
    samples = path.with_name("samples")
    problem = decode(path, samples, limit, told.append)
    facts = next(update.facts for update in told if isinstance(update, Known))
    progress = [update.fraction for update in told if isinstance(update, Progress)]
    return Recording(samples), facts, problem, progress


def refused(path: Path, limit: float = HOUR) -> Problem:
    with pytest.raises(InputFault) as caught:
        decode(path, path.with_name("samples"), limit, lambda _: None)
    problem = caught.value.problem
    assert problem.remedy
    assert not problem.retryable
    assert not path.with_name("samples").exists()
    return problem


@pytest.mark.parametrize("made", FORMATS, ids=lambda made: f"{made['container']}-{made['codec']}")
def test_a_recording_becomes_16_khz_mono_whatever_it_was(tmp_path: Path, made: dict[str, object]) -> None:
    recording, facts, problem, progress = decoded(write(tmp_path / "recording.txt", **made))  # type: ignore[arg-type]  # a table of cases
    assert problem is None
    assert abs(recording.seconds - 2.0) < 0.15
    assert abs(facts.duration_seconds - 2.0) < 0.15
    waveform = recording.read(0.5, 1.5)
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(waveform.size)))
    assert abs(np.argmax(spectrum) * 16_000 / waveform.size - 440) < 5
    assert progress == sorted(progress)


def test_the_name_of_a_file_says_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "recording.mp3", container="flac", codec="flac")
    assert probe(path).container == "flac"


def test_a_stream_whose_rate_changes_on_the_way_is_decoded_to_its_end(tmp_path: Path) -> None:
    first = write(tmp_path / "first", container="mp3", codec="libmp3lame", sample_format="s16p", rate=44_100)
    second = write(tmp_path / "second", container="mp3", codec="libmp3lame", sample_format="s16p", rate=22_050)
    both = tmp_path / "both"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    recording, *_ = decoded(both)
    assert abs(recording.seconds - 4.0) < 0.3


@pytest.mark.parametrize(
    ("container", "codec", "sample_format"),
    [("mp4", "aac", "fltp"), ("matroska", "aac", "fltp"), ("webm", "libopus", "s16"), ("ogg", "libopus", "s16"),
     ("mpegts", "aac", "fltp"), ("flv", "aac", "fltp"), ("matroska", "pcm_s16le", "s16")],
)  # fmt: skip
def test_what_was_not_recorded_is_silence_so_that_times_stay_true(
    tmp_path: Path, container: str, codec: str, sample_format: str
) -> None:
    path = shifted(tmp_path / "a", {2.0: 3.0}, container, codec, sample_format)
    recording, _, problem, _ = decoded(path)
    assert problem is None
    assert abs(recording.seconds - 7.0) < 0.1
    loud = [bool(np.abs(recording.read(second, second + 0.5)).max() > 0.1) for second in (1.0, 2.5, 3.5, 4.4, 5.5)]
    assert loud == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("container", "codec", "sample_format"),
    [("ogg", "libopus", "s16"), ("mpegts", "aac", "fltp"), ("mpeg", "mp2", "s16"), ("matroska", "aac", "fltp")],
)
@pytest.mark.parametrize("clocks", [(100.0, 0.0), (80_000.0, 0.0), (0.0, 20_000.0)], ids=str)
def test_where_the_clock_is_set_anew_nothing_is_lost_or_added(
    tmp_path: Path, container: str, codec: str, sample_format: str, clocks: tuple[float, float]
) -> None:
    both = tmp_path / "both"
    for clock in clocks:
        part = shifted(tmp_path / "part", {}, container, codec, sample_format, start=clock)
        with both.open("ab") as file:
            file.write(part.read_bytes())
    recording, facts, problem, _ = decoded(both, limit=9)
    assert problem is None
    assert abs(recording.seconds - 8.0) < 0.2
    if clocks[0] or container != "matroska":  # whose header tells the length of the first part alone
        assert abs(facts.duration_seconds - 8.0) < 0.2


def test_a_broadcast_that_is_too_long_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = write(tmp_path / "a", container="mpegts", codec="aac", sample_format="fltp", rate=48_000, seconds=3)
    assert refused(path, limit=2).code is ErrorCode.LIMIT_EXCEEDED
    assert not list(tmp_path.glob("*.partial"))


def test_sound_that_begins_after_the_picture_begins_late(tmp_path: Path) -> None:
    path = shifted(tmp_path / "a", {0.0: 2.0}, "mp4", "aac", "fltp", video=True)
    recording, *_ = decoded(path)
    assert abs(recording.seconds - 6.0) < 0.1
    assert np.abs(recording.read(0.0, 1.9)).max() == 0


def test_sound_that_begins_later_than_it_is_long_begins_late(tmp_path: Path) -> None:
    path = shifted(tmp_path / "a", {0.0: 5.5}, "mp4", "aac", "fltp", video=True)
    recording, facts, problem, _ = decoded(path)
    assert problem is None
    assert abs(facts.duration_seconds - 9.5) < 0.1
    assert np.abs(recording.read(0.0, 5.4)).max() == 0
    assert np.abs(recording.read(5.6, 6.0)).max() > 0.1


@pytest.mark.parametrize("pace", [0.99, 1.01], ids=["slow", "fast"])
def test_a_clock_that_drifts_away_from_the_sound_is_followed(tmp_path: Path, pace: float) -> None:
    path = bursts(tmp_path / "a", seconds=12, pace=pace)
    recording, _, problem, _ = decoded(path)
    assert problem is None
    loud = np.flatnonzero(np.abs(recording.read()) > 0.2) / 16_000
    begun = loud[np.concatenate([[True], np.diff(loud) > 0.3])]
    assert np.abs(begun - pace * (np.arange(12) + 0.5)).max() < 0.05


def test_a_picture_that_is_longer_than_its_sound_is_no_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "a", container="matroska", codec="libopus", rate=48_000, video=True, picture_seconds=20)
    recording, facts, problem, _ = decoded(path)
    assert problem is None
    assert abs(recording.seconds - 2.0) < 0.1
    assert abs(facts.duration_seconds - 20.0) < 0.2


@pytest.mark.parametrize("size", [0x7FFF_FFFF, 0x7FFF_F000, 0xFFFF_FFFF])
def test_a_wav_whose_writer_did_not_know_its_length_is_no_cut(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "a.wav")
    header, mark, rest = path.read_bytes().partition(b"data")
    path.write_bytes(header + mark + struct.pack("<I", size) + rest[4:])
    recording, _, problem, _ = decoded(path)
    assert problem is None
    assert abs(recording.seconds - 2.0) < 0.01


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.touch()
    assert "empty" in refused(path).message


@pytest.mark.parametrize(
    "content", [b"Hello, I am text.\n" * 100, b"\x89PNG\r\n\x1a\n" + b"\0" * 100, bytes(range(256)) * 40]
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(content)
    assert refused(path).code is ErrorCode.UNSUPPORTED_MEDIA


def test_a_zip_is_called_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "recording.mp3"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside.txt", "x" * 1000)
    assert "zip" in refused(path).message


def test_a_playlist_that_names_other_files_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "secret.wav")
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.wav\n#EXT-X-ENDLIST\n")
    assert refused(path).code is ErrorCode.UNSUPPORTED_MEDIA


def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    assert "no sound" in refused(write(tmp_path / "a.mp4", container="mp4", video=True, sound=False)).message


def test_a_recording_of_no_length_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    header, mark, _ = path.read_bytes().partition(b"data")
    path.write_bytes(header + mark + bytes(4))
    assert "empty" in refused(path).message


def test_an_encrypted_recording_is_refused_as_such(tmp_path: Path) -> None:
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": key, "encryption_kid": key}
    path = write(tmp_path / "a.mp4", container="mp4", codec="aac", sample_format="fltp", options=options)
    assert "DRM" in refused(path).message


def test_an_mp4_whose_index_is_missing_is_called_cut_short(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", container="mp4", codec="aac", sample_format="fltp", seconds=5)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cut short" in refused(path).message


@pytest.mark.parametrize(
    "made",
    [
        {"container": "wav"},
        {"container": "flac", "codec": "flac"},
        {"container": "mp4", "codec": "aac", "sample_format": "fltp", "options": {"movflags": "faststart"}},
    ],
    ids=lambda made: str(made["container"]),
)
def test_of_a_recording_cut_short_what_is_there_is_kept_and_it_is_said(tmp_path: Path, made: dict[str, object]) -> None:
    path = write(tmp_path / "a", seconds=10, **made)  # type: ignore[arg-type]  # a table of cases
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    recording, _, problem, _ = decoded(path)
    assert 3 < recording.seconds < 7
    assert problem is not None
    assert "cut short" in problem.message


def test_a_recording_that_is_too_long_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "a.wav", seconds=3), limit=2).code is ErrorCode.LIMIT_EXCEEDED
    assert not list(tmp_path.glob("*.partial"))


def test_a_header_that_lies_about_the_length_does_not_get_past_the_limit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", container="flac", codec="flac", seconds=3)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the count of samples in FLAC's first block: 36 bits from here
    content[22:26] = (16_000).to_bytes(4)
    path.write_bytes(content)
    assert probe(path).duration_seconds == 1.0
    assert refused(path, limit=2).code is ErrorCode.LIMIT_EXCEEDED


@pytest.mark.parametrize("content", [b"", b"nothing to hear", None], ids=["empty", "text", "recording"])
def test_a_probe_in_its_own_process_prints_facts_or_a_problem(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a"
    if content is None:
        write(path)
    else:
        path.write_bytes(content)
    command = [sys.executable, "-m", "tasks.decoding.probe", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    if content is None:
        assert found == {"facts": {"container": "wav", "codec": "pcm_s16le", "duration_seconds": 2.0} | found["facts"]}
    else:
        assert found["problem"]["code"] == "UNSUPPORTED_MEDIA"


def test_a_title_that_is_no_utf_8_is_no_reason_to_refuse_a_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    content = path.read_bytes()
    title = b"LIST" + struct.pack("<I", 16) + b"INFOINAM" + struct.pack("<I", 4) + b"\xe9\xe8\xff\0"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(content) - 8 + len(title)) + content[8:36] + title + content[36:])
    assert probe(path).duration_seconds == 2.0


def test_a_fault_of_the_probe_itself_is_not_told_as_the_files(tmp_path: Path) -> None:
    gone = tmp_path / "missing"  # the store promised a file: that it is not there is no fault of the sender's
    command = [sys.executable, "-m", "tasks.decoding.probe", str(gone)]
    probed = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert (probed.returncode, probed.stdout) == (os.EX_SOFTWARE, b"")
    assert b"FileNotFoundError" in probed.stderr
