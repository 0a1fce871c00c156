"""What `capabilities.audioFormats` promises is decoded."""

from pathlib import Path

import pytest

from tasks.decoding.decode import decode
from tasks.decoding.formats import CONTAINERS
from tasks.pipeline.recording import Recording
from tests.tasks.pipeline.recordings import write

AAC = {"codec": "aac", "sample_format": "fltp", "rate": 44_100}
OPUS = {"codec": "libopus", "rate": 48_000}
MADE = {
    "aac": {"container": "adts", **AAC},
    "ac3": {"container": "ac3", "codec": "ac3", "sample_format": "fltp", "rate": 48_000},
    "aiff": {"container": "aiff", "codec": "pcm_s16be"},
    "amr": {"container": "amr", "codec": "amrnb"},
    "au": {"container": "au", "codec": "pcm_mulaw", "rate": 8_000},
    "avi": {"container": "avi", "video": True},
    "caf": {"container": "caf", "codec": "alac", "sample_format": "s16p", "rate": 44_100},
    "flac": {"container": "flac", "codec": "flac"},
    "flv": {"container": "flv", **AAC},
    "m4a": {"container": "ipod", **AAC},
    "mkv": {"container": "matroska", "video": True, **AAC},
    "mov": {"container": "mov", "video": True, **AAC},
    "mp3": {"container": "mp3", "codec": "libmp3lame", "sample_format": "s16p", "rate": 44_100},
    "mp4": {"container": "mp4", "video": True, **AAC},
    "mpeg": {"container": "mpeg", "codec": "mp2", "rate": 44_100},
    "ogg": {"container": "ogg", "codec": "flac"},
    "opus": {"container": "opus", **OPUS},
    "ts": {"container": "mpegts", "video": True, **AAC},
    "w64": {"container": "w64", "codec": "pcm_s24le", "sample_format": "s32"},
    "wav": {},
    "webm": {"container": "webm", **OPUS},
    "wma": {"container": "asf", "codec": "wmav2", "sample_format": "fltp", "rate": 44_100, "bit_rate": 64_000},
    "wv": {"container": "wv", "codec": "wavpack", "sample_format": "s16p", "rate": 44_100},
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_each_format_that_is_promised_is_decoded(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "recording", **MADE[name])  # type: ignore[arg-type]  # a table of cases
    decode(source, tmp_path / "samples", 60.0, lambda _: None)
    assert abs(Recording(tmp_path / "samples").seconds - 2.0) < 0.2
