"""Open a recording and say what it is: the container decides, never the file's name, and nothing else is opened."""

import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from db.domain.tracks import AudioTrack
from db.domain.values import MediaFacts
from tasks.decoding import tracks
from tasks.decoding.faults import refuse
from tasks.decoding.formats import CODECS, CONTAINERS, HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS

DEMUXERS = ",".join(sorted({demuxer for names in CONTAINERS.values() for demuxer in names}))
MediaTracks = tuple[AudioTrack, ...]

CLOCK = 1_000_000  # FFmpeg's AV_TIME_BASE: container times are microseconds
DRM = (b"enca", b"drms", b"aavd")  # kinds of a sample entry: common encryption, Apple's, Audible's
TS_DISCONT = 0x200  # FFmpeg's AVFMT_TS_DISCONT
LENIENT: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
"""Let titles that are no UTF-8 pass: PyAV raises for them before version 19, and keeps their bytes from there on."""
HOLE = 0.1  # seconds that the container's clock may run ahead of the sound; more is silence that nobody recorded
DRIFT = 0.02  # seconds that the clock may be away from the sound for ever
STEADY = 1.0  # seconds of sound for which a clock must be away before the sound is moved to it
MOST_BOXES = 10_000  # of one level of a file, or chunks of a WAV: what a lawful file never has
JUMP = 1.0  # seconds back, or beyond the recording's end: the clock was set anew
OUTAGE = 600.0  # seconds ahead where clocks are set anew (MPEG-TS begins anywhere within 26 hours): more is no hole


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Return the recording's container, seen by its content only; raises `InputFault` when it is not audio or video."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            refuse("The file is empty.", "Upload it again; it may not have been sent completely.")
        options = {"fd": str(file.fileno()), "protocol_whitelist": "fd", "format_whitelist": DEMUXERS}
        options["codec_whitelist"] = ",".join(CODECS)
        try:
            container = av.open("fd:", options=options, **LENIENT)
        except (av.FFmpegError, ValueError, OSError):
            _refuse_by_its_head(file)
        with container:
            yield container


def best(container: InputContainer, path: Path, wanted: int | None = None) -> tuple[AudioStream, MediaTracks]:
    """Return the audio stream that is taken, and all there are; several are listened to, since one may be empty.

    Raises `InputFault` when there is none, or not the one that is wanted.
    """
    found = container.streams.best("audio")
    if not isinstance(found, AudioStream):
        if container.streams.video:
            refuse("The video has no sound.", "Upload a recording with an audio track.")
        refuse("There is no audio in the file.", "Upload an audio or video recording.")
    known = tracks.listed(container)
    if len(known) > 1:
        with opened(path) as again:  # listening takes packets away
            known = tracks.listened(again, known)
    index = tracks.taken(known, wanted)
    return (found if index is None else container.streams.audio[index]), known


def probe(path: Path) -> MediaFacts:
    """Return what the recording is; raises `InputFault` with a remedy when there is nothing to transcribe in it."""
    with opened(path) as container:
        return facts(container, path)


def facts(container: InputContainer, path: Path) -> MediaFacts:
    """Return what an open recording is. Read to its end only where no length is told, or none to be believed."""
    return facts_of(container, path, *best(container, path))


def facts_of(container: InputContainer, path: Path, audio: AudioStream, known: MediaTracks) -> MediaFacts:
    """Return the facts of a recording of which this track is taken."""
    if _encrypted(path):
        refuse("The recording is encrypted (DRM) and cannot be decoded.", "Upload a copy without copy protection.")
    check_sound(audio)
    seconds = _told_length(container, audio)
    if seconds is None:  # no length, or one that cannot be believed
        with opened(path) as again:  # where the clock lies, no seek leads back to the beginning
            seconds = _length(again, audio.index)
    return MediaFacts(
        container=container.format.name,
        codec=audio.codec_context.name,
        duration_seconds=max(0.0, seconds),
        channels=audio.channels,
        sample_rate=audio.sample_rate or 0,
        has_video=tracks.has_video(container),
        tracks=known,
    )


def _told_length(container: InputContainer, audio: AudioStream) -> float | None:
    """Return the length that the header tells: of all that is in it, since sound may begin late or end before."""
    if clock_may_be_set_anew(container):
        return None
    start = container.start_time or 0
    lengths = []
    if audio.duration and audio.time_base:
        late = float((audio.start_time or 0) * audio.time_base) - start / CLOCK
        lengths.append(max(0.0, late) + float(audio.duration * audio.time_base))
    if container.duration and (lengths or start <= CLOCK):  # Matroska's counts from zero, wherever its clock begins
        lengths.append(container.duration / CLOCK)
    return max(lengths, default=None)


def check_sound(audio: AudioStream) -> None:
    """Refuse sound that is none, by what its header says; raises `InputFault`."""
    context: Any = audio.codec_context  # None for what FFmpeg has no decoder for, whatever PyAV's types say
    codec = "unknown" if context is None else context.codec.name
    if codec not in CODECS:
        convert(f"The sound is in a format that is not read here ({codec}).")
    if not 0 < audio.channels <= MOST_CHANNELS:
        convert(f"The recording has {audio.channels} channels; between 1 and {MOST_CHANNELS} can be read.")
    if not LOWEST_RATE <= (audio.sample_rate or 0) <= HIGHEST_RATE:
        convert(f"The recording has a sample rate of {audio.sample_rate} Hz, which is no sound.")


def clock_may_be_set_anew(container: InputContainer) -> bool:
    """Return whether the format allows that; its first and last moment then say nothing about its length."""
    return bool(container.format.flags & TS_DISCONT)


class Timeline:
    """The place of each piece by the container's clock, so that times stay true in an edited or live recording."""

    def __init__(self, container: InputContainer, seconds: float = math.inf) -> None:
        self.shift, self.seconds = -(container.start_time or 0) / CLOCK, seconds
        self.longest = OUTAGE if clock_may_be_set_anew(container) else math.inf
        self.now = 0.0
        self._away = self._since = 0.0

    def correction(self, time: float | None, seconds: float) -> float:
        """Return by how many seconds this piece, which is so long and begins then, is ahead of the sound so far.

        So much silence belongs before it; if negative, so much of the sound is too much. A hole counts at once;
        a clock that drifts (a browser's by a second or more in an hour) when it has been away for a while.
        """
        ahead = 0.0 if time is None else time + self.shift - self.now
        if ahead < -JUMP or ahead > self.longest or self.now + ahead > self.seconds + JUMP:
            self.shift -= ahead
            ahead = 0.0
        ahead = ahead if ahead > HOLE else self._drift(ahead, seconds)
        self.now += ahead + seconds
        return ahead

    def _drift(self, ahead: float, seconds: float) -> float:
        """Return the least that the clock was away, once it has been for so long; single late or early packets pass."""
        if abs(ahead) < DRIFT or ahead * self._away < 0:
            self._away = self._since = 0.0
            return 0.0
        self._away = ahead if not self._since else min(self._away, ahead, key=abs)
        self._since += seconds
        if self._since < STEADY:
            return 0.0
        away, self._away, self._since = self._away, 0.0, 0.0
        return away


def _length(container: InputContainer, stream: int) -> float:
    """Return the end of the last packet: browsers write recordings without a length in the header."""
    timeline, end = Timeline(container), 0.0
    try:
        for packet in container.demux(container.streams[stream]):
            if packet.pts is not None and packet.time_base:
                took = float((packet.duration or 0) * packet.time_base)
                timeline.correction(float(packet.pts * packet.time_base), took)
                end = timeline.now
    except av.FFmpegError:
        pass  # cut short: up to here it can be read
    return end


def _refuse_by_its_head(file: BinaryIO) -> NoReturn:
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"PK\x03\x04"):
        refuse("The file is a zip archive, not a recording.", "Unpack it and upload the recording inside.")
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip") and b"moov" not in boxes(file):
        refuse(
            "The recording is cut short: its index is missing, so nothing in it can be read.",
            "Upload it again completely, or repair it with the program that made it.",
        )
    refuse("The file is neither audio nor video.", "Upload a recording in a format such as WAV, MP3, M4A, FLAC or MP4.")


def boxes(file: BinaryIO, start: int = 0, end: int | None = None) -> dict[bytes, tuple[int, int]]:
    """Return the first box of each kind between two places of a file of the MP4 family: where it begins and ends."""
    found: dict[bytes, tuple[int, int]] = {}
    for kind, where in _boxes(file, start, os.fstat(file.fileno()).st_size if end is None else end):
        found.setdefault(kind, where)
    return found


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8).rjust(8, b"\0"))
        if size == 1:
            size = struct.unpack(">Q", file.read(8).rjust(8, b"\0"))[0]
        size = min(size or end - start, end - start)
        if size < 8:
            return
        yield kind, (start, start + size)
        start += size


def promised(path: Path) -> float:
    """Return the seconds that a WAV promises, or zero: FFmpeg believes the file's size instead and misses a cut."""
    with path.open("rb") as file:
        if (head := file.read(12))[:4] != b"RIFF" or head[8:] != b"WAVE":
            return 0.0
        rate = 0
        for _ in range(MOST_BOXES):
            if len(head := file.read(8)) < 8:
                break
            kind, size = struct.unpack("<4sI", head)
            if kind == b"data":
                known = size < 0xFFFF_0000 and not 0x7FFF_F000 <= size <= 0x7FFF_FFFF  # else its writer was streaming
                return size / rate if rate and known else 0.0
            if kind == b"fmt " and len(body := file.read(min(size, 12))) == 12:
                rate = struct.unpack("<I", body[8:12])[0]
            file.seek(size + size % 2 - (12 if kind == b"fmt " else 0), os.SEEK_CUR)
    return 0.0


def _encrypted(path: Path) -> bool:
    """Return whether an MP4's index describes protected audio: FFmpeg reads on and finds noise."""
    with path.open("rb") as file:
        if file.read(8)[4:] not in (b"ftyp", b"moov", b"wide", b"free", b"skip", b"mdat"):
            return False
        start, end = boxes(file).get(b"moov", (0, 0))
        tracks = [where for kind, where in _boxes(file, start + 8, end) if kind == b"trak"]
        return any(_protected(file, *track) for track in tracks)


def _protected(file: BinaryIO, start: int, end: int) -> bool:
    """Return whether a sample description of this track is of a protected kind."""
    for inner in (b"mdia", b"minf", b"stbl", b"stsd"):
        start, end = boxes(file, start + 8, end).get(inner, (end, end))
    return any(kind in DRM for kind, _ in _boxes(file, start + 16, end))  # behind version, flags and a count


def convert(message: str) -> NoReturn:
    """Refuse a recording that would do in another form."""
    refuse(message, "Convert the recording to WAV, MP3, M4A, FLAC or MP4 and upload it again.")
