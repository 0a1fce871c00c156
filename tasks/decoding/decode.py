"""Decode a recording to 16 kHz mono in a file, in a stream, so that memory stays flat; in a process of its own.

    python -m tasks.decoding.decode SOURCE TARGET MAX_SECONDS PARENT [TRACK [CHANNELS]]

TRACK is a number, or empty for the first with sound; with SEPARATE as CHANNELS, each channel goes to a file of its own,
`TARGET.0`, `TARGET.1` and so on, and the mix of all to TARGET as well.

Prints a JSON object a line (`tasks.decoding.messages`), the last of which is `Decoded` or `Refused`. A file that makes
it exceed its limits kills it: any other end is the file's fault, except EX_SOFTWARE and EX_IOERR, which are ours.
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import av
import msgspec
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from db.domain.tracks import MOST_SEPARATE, ChannelMode
from db.domain.values import ErrorCode, MediaFacts, Problem, Stage
from tasks.decoding import sandbox
from tasks.decoding.containers import CLOCK, Timeline, best, convert, facts_of, opened, promised
from tasks.decoding.faults import InputFault, refuse
from tasks.decoding.formats import HIGHEST_RATE, LARGEST_PACKET, LOWEST_RATE, MOST_CHANNELS
from tasks.decoding.messages import Decoded, Known, Progress, Refused, Told
from tasks.decoding.mixing import Resamplers, Samples
from tasks.decoding.samples import SAMPLE, SAMPLE_RATE, channel_file

Tell = Callable[[Told], None]

MEMORY = 1 << 30
"""Bytes of address space; decoding a lawful recording takes a third of it, libraries included."""
SECONDS, SHARE = 60.0, 0.1
"""Processor time that decoding may take: so many seconds, and this share of the recording's length."""

MOST_DAMAGED = 1000  # packets in a row that cannot be decoded: nothing will come any more
EXACT = ("mov,", "matroska,", "flac", "wav", "w64", "aiff", "caf", "asf")
"""Containers, as FFmpeg names them, whose headers say how long they are; the others' length is an estimate."""
SHORT = 0.97  # less than this share of the promised length, and a second: the recording was cut short


def decode(  # noqa: PLR0917  as its command line has them
    source: Path,
    target: Path,
    max_seconds: float,
    tell: Tell,
    track: int | None = None,
    channels: ChannelMode = ChannelMode.MIX,
) -> Problem | None:
    """Write the recording's samples to `target`, complete or not at all; returns what was wrong with it, if anything.

    Raises `InputFault` when nothing in it can be transcribed, or when it is longer than allowed.
    """
    with opened(source) as container, ExitStack() as files:
        audio, tracks = best(container, source, track)
        known = facts_of(container, source, audio, tracks)
        tell(Known(known))
        _refuse_longer(known.duration_seconds, max_seconds)
        separate = channels is ChannelMode.SEPARATE
        if separate and known.channels > MOST_SEPARATE:
            refuse(
                f"The recording has {known.channels} channels; at most {MOST_SEPARATE} can be separate.", "Mix them."
            )
        targets = [target, *(channel_file(target, number) for number in range(known.channels if separate else 0))]
        partial = [path.with_name(f"{path.name}.partial") for path in targets]
        opened_files = [files.enter_context(path.open("wb")) for path in partial]
        frames = _Frames(container, audio)
        seconds = _write(frames, opened_files, known, max_seconds, tell)
    if seconds == 0:
        for path in partial:
            path.unlink()
        if frames.damaged:
            refuse("The recording is damaged: nothing in it can be decoded.", "Upload an intact copy.")
        refuse("The recording is empty: it has no sound in it.", "Upload a recording that is longer than nothing.")
    for path, complete in reversed(list(zip(partial, targets, strict=True))):  # the mix last: with it all are there
        path.replace(complete)
    told = known.duration_seconds if known.container.startswith(EXACT) else 0.0
    return _judge(max(told, promised(source)), max(seconds, frames.reached), frames.damaged)


def _write(frames: "_Frames", files: Sequence[BinaryIO], known: MediaFacts, max_seconds: float, tell: Tell) -> float:
    """Write the samples, the mix to the first file and the channels to the others; return how many seconds they are."""
    limit = int(max_seconds * SAMPLE_RATE)
    written, said = 0, 0.0
    for samples in _resampled(frames, Timeline(frames.container, known.duration_seconds), len(files) - 1):
        for file, own in zip(files, samples, strict=True):
            file.write(np.ascontiguousarray(own, SAMPLE).tobytes())
        written += samples.shape[1]
        if written > limit:
            _refuse_longer(written / SAMPLE_RATE, max_seconds)
        done = written / SAMPLE_RATE / known.duration_seconds if known.duration_seconds else 0.0
        if min(done, 1.0) - said >= 0.01:
            said = min(done, 1.0)
            tell(Progress(said))
    return written / SAMPLE_RATE


class _Frames:
    """Decoded frames of an audio stream; damaged packets are counted and passed over, as players do.

    `reached` is the end of the last packet, whatever it holds: a picture may be longer than its sound.
    """

    def __init__(self, container: InputContainer, audio: AudioStream) -> None:
        self.container, self._audio = container, audio
        self.damaged = 0
        self.reached = 0.0
        self._running = 0  # damaged packets without one between them that was not

    def __iter__(self) -> Iterator[AudioFrame]:
        packets = self.container.demux()
        while self._running < MOST_DAMAGED:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                self._note(packet)
                if packet.stream is not self._audio:
                    continue
                if packet.size > LARGEST_PACKET:
                    raise av.InvalidDataError(0, "a packet that holds more than a moment")
                frames = packet.decode()
            except av.EOFError:
                return
            except av.FFmpegError:
                self.damaged += 1
                self._running += 1
                continue
            self._running = 0
            yield from (frame for frame in frames if isinstance(frame, AudioFrame))

    def _note(self, packet: "Packet[Any]") -> None:
        if packet.pts is not None and packet.time_base:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self.reached = max(self.reached, end - (self.container.start_time or 0) / CLOCK)


def _resampled(frames: Iterable[AudioFrame], timeline: Timeline, channels: int) -> Iterator[Samples]:
    """Yield frames as 16 kHz samples, holes as silence: the mix, and each of so many channels below it.

    A stream that changes its rate or channels on the way gets new resamplers.
    """
    resamplers: Resamplers | None = None
    shape = None
    surplus = 0  # samples that the clock says are too many
    for frame in frames:
        correction = round(timeline.correction(frame.time, frame.samples / frame.sample_rate) * SAMPLE_RATE)
        silence, surplus = max(0, correction), surplus + max(0, -correction)
        frame.pts = None  # the samples' own number is their time
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resamplers is None or now != shape or silence:
            if not LOWEST_RATE <= frame.sample_rate <= HIGHEST_RATE or frame.layout.nb_channels > MOST_CHANNELS:
                convert(f"The recording turns to {frame.sample_rate} Hz on the way, which is no sound.")
            if resamplers is not None:
                yield from resamplers.samples(None)
            for first in range(0, silence, SAMPLE_RATE):
                yield np.zeros((1 + channels, min(SAMPLE_RATE, silence - first)), np.int16)
            resamplers, shape = Resamplers(channels), now
        for samples in resamplers.samples(frame):
            yield samples[:, surplus:]
            surplus = max(0, surplus - samples.shape[1])
    if resamplers is not None:
        yield from resamplers.samples(None)


def _refuse_longer(seconds: float, max_seconds: float) -> None:
    if seconds > max_seconds:
        refuse(
            f"The recording is longer than {max_seconds / 3600:g} hours, the limit of this server.",
            "Cut it into parts, or ask the operator to raise GRAPHOPHONE_MAX_DURATION.",
            code=ErrorCode.LIMIT_EXCEEDED,
        )


def _judge(length: float, seconds: float, damaged: int) -> Problem | None:
    if seconds < min(length * SHORT, length - 1):
        return Problem(
            code=ErrorCode.UNSUPPORTED_MEDIA,
            stage=Stage.DECODE,
            message=f"The recording is cut short: {seconds:.1f} of {length:.1f} seconds could be read.",
            remedy="What could be read is transcribed. Upload a complete copy for the rest.",
        )
    if damaged:
        return Problem(
            code=ErrorCode.UNSUPPORTED_MEDIA,
            stage=Stage.DECODE,
            message=f"Parts of the recording are damaged: {damaged} packets were passed over.",
            remedy="What could be read is transcribed. Upload an intact copy for the rest.",
        )
    return None


def main(  # noqa: PLR0917  as its command line has them
    source: str, target: str, max_seconds: str, parent: str, track: str = "", channels: str = "MIX"
) -> None:
    """Decode in this process, under limits."""
    sandbox.end_with(int(parent))
    limit = float(max_seconds)
    sandbox.enter(memory=MEMORY, seconds=SECONDS, written=int((limit + 60) * SAMPLE_RATE * SAMPLE.itemsize))

    def tell(told: Told) -> None:
        if isinstance(told, Known):
            sandbox.allow_seconds(SECONDS + SHARE * min(told.facts.duration_seconds, limit))
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.buffer.flush()

    try:
        wanted = int(track) if track else None
        tell(Decoded(decode(Path(source), Path(target), limit, tell, wanted, ChannelMode(channels))))
    except InputFault as fault:
        tell(Refused(fault.problem))
    except MemoryError:
        sys.exit("The file needs more memory than decoding may have.")
    except Exception as error:  # noqa: BLE001  told apart from what a file does to the process
        traceback.print_exc()
        ours = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE}
        sys.exit(os.EX_IOERR if ours else os.EX_SOFTWARE)


if __name__ == "__main__":
    main(*sys.argv[1:])
