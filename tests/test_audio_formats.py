"""What `capabilities.audioFormats` promises is decoded."""

from pathlib import Path

import pytest

from api.app import AUDIO_FORMATS
from db.domain.values import Options
from tasks.pipeline.decode import decode
from tasks.pipeline.recording import Recording
from tasks.pipeline.types import Work
from tests.tasks.pipeline.recordings import write

AAC = {"codec": "aac", "sample_format": "fltp", "rate": 44_100}
OPUS = {"codec": "libopus", "rate": 48_000}
MADE = {
    "aac": {"container": "adts", **AAC},
    "aiff": {"container": "aiff", "codec": "pcm_s16be"},
    "amr": {"container": "amr", "codec": "libopencore_amrnb", "rate": 8_000},
    "avi": {"container": "avi", "video": True},
    "flac": {"container": "flac", "codec": "flac"},
    "m4a": {"container": "ipod", **AAC},
    "mkv": {"container": "matroska", "video": True, **AAC},
    "mov": {"container": "mov", "video": True, **AAC},
    "mp3": {"container": "mp3", "codec": "libmp3lame", "sample_format": "s16p", "rate": 44_100},
    "mp4": {"container": "mp4", "video": True, **AAC},
    "ogg": {"container": "ogg", "codec": "flac"},
    "opus": {"container": "opus", **OPUS},
    "wav": {},
    "webm": {"container": "webm", **OPUS},
    "wma": {"container": "asf", "codec": "wmav2", "sample_format": "fltp", "rate": 44_100, "bit_rate": 64_000},
}


@pytest.mark.parametrize("name", AUDIO_FORMATS)
def test_each_format_that_is_promised_is_decoded(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "recording", **MADE[name])  # type: ignore[arg-type]  # a table of cases
    work = Work(source=str(source), scratch=str(tmp_path), options=Options(model="base"), max_seconds=60.0)
    decode(work, tmp_path / "samples", lambda _: None)
    assert abs(Recording(tmp_path / "samples").seconds - 2.0) < 0.2
