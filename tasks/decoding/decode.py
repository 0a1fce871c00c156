"""Decode a recording to 16 kHz mono in a file, in a stream, so that memory stays flat; in a process of its own.

    python -m tasks.decoding.decode SOURCE TARGET MAX_SECONDS PARENT

Prints a JSON object a line (`tasks.decoding.messages`), the last of which is `Decoded` or `Refused`. A file that makes
it exceed its limits kills it: any other end is the file's fault, except EX_SOFTWARE and EX_IOERR, which are ours.
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import msgspec
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.packet import Packet

from db.domain.values import ErrorCode, MediaFacts, Problem, Stage
from tasks.decoding import sandbox
from tasks.decoding.containers import CLOCK, Timeline, convert, facts, opened, promised
from tasks.decoding.faults import InputFault, refuse
from tasks.decoding.formats import HIGHEST_RATE, LARGEST_PACKET, LOWEST_RATE, MOST_CHANNELS
from tasks.decoding.messages import Decoded, Known, Progress, Refused, Told
from tasks.decoding.samples import SAMPLE, SAMPLE_RATE

Tell = Callable[[Told], None]

MEMORY = 1 << 30
"""Bytes of address space; decoding a lawful recording takes a third of it, libraries included."""
SECONDS, SHARE = 60.0, 0.1
"""Processor time that decoding may take: so many seconds, and this share of the recording's length."""

MOST_DAMAGED = 1000  # packets in a row that cannot be decoded: nothing will come any more
EXACT = ("mov,", "matroska,", "flac", "wav", "w64", "aiff", "caf", "asf")
"""Containers, as FFmpeg names them, whose headers say how long they are; the others' length is an estimate."""
SHORT = 0.97  # less than this share of the promised length, and a second: the recording was cut short


def decode(source: Path, target: Path, max_seconds: float, tell: Tell) -> Problem | None:
    """Write the recording's samples to `target`, complete or not at all; returns what was wrong with it, if anything.

    Raises `InputFault` when nothing in it can be transcribed, or when it is longer than allowed.
    """
    with opened(source) as container:
        known = facts(container, source)
        tell(Known(known))
        _refuse_longer(known.duration_seconds, max_seconds)
        partial = target.with_suffix(".partial")
        with partial.open("wb") as file:
            seconds, frames = _write(container, file, known, max_seconds, tell)
    if seconds == 0:
        partial.unlink()
        if frames.damaged:
            refuse("The recording is damaged: nothing in it can be decoded.", "Upload an intact copy.")
        refuse("The recording is empty: it has no sound in it.", "Upload a recording that is longer than nothing.")
    partial.replace(target)
    told = known.duration_seconds if known.container.startswith(EXACT) else 0.0
    return _judge(max(told, promised(source)), max(seconds, frames.reached), frames.damaged)


def _write(
    container: InputContainer, file: BinaryIO, known: MediaFacts, max_seconds: float, tell: Tell
) -> tuple[float, "_Frames"]:
    """Write the samples; return how many seconds they are, and what was read for them."""
    frames = _Frames(container)
    limit = int(max_seconds * SAMPLE_RATE)
    written, said = 0, 0.0
    for samples in _resampled(frames, Timeline(container, known.duration_seconds)):
        file.write(samples.astype(SAMPLE, copy=False).tobytes())
        written += samples.size
        if written > limit:
            _refuse_longer(written / SAMPLE_RATE, max_seconds)
        done = written / SAMPLE_RATE / known.duration_seconds if known.duration_seconds else 0.0
        if min(done, 1.0) - said >= 0.01:
            said = min(done, 1.0)
            tell(Progress(said))
    return written / SAMPLE_RATE, frames


class _Frames:
    """Decoded frames of the best audio stream; damaged packets are counted and passed over, as players do.

    `reached` is the end of the last packet, whatever it holds: a picture may be longer than its sound.
    """

    def __init__(self, container: InputContainer) -> None:
        self.container = container
        self.damaged = 0
        self.reached = 0.0
        self._running = 0  # damaged packets without one between them that was not

    def __iter__(self) -> Iterator[AudioFrame]:
        best = self.container.streams.best("audio")
        packets = self.container.demux()
        while self._running < MOST_DAMAGED:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                self._note(packet)
                if packet.stream is not best:
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


def _resampled(
    frames: Iterable[AudioFrame], timeline: Timeline
) -> Iterator[np.ndarray[tuple[int], np.dtype[np.int16]]]:
    """Yield frames as 16 kHz mono samples, holes as silence.

    A stream that changes its rate or channels on the way gets a new resampler.
    """
    resampler: AudioResampler | None = None
    shape = None
    surplus = 0  # samples that the clock says are too many
    for frame in frames:
        correction = round(timeline.correction(frame.time, frame.samples / frame.sample_rate) * SAMPLE_RATE)
        silence, surplus = max(0, correction), surplus + max(0, -correction)
        frame.pts = None  # the samples' own number is their time
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or now != shape or silence:
            if not LOWEST_RATE <= frame.sample_rate <= HIGHEST_RATE or frame.layout.nb_channels > MOST_CHANNELS:
                convert(f"The recording turns to {frame.sample_rate} Hz on the way, which is no sound.")
            if resampler is not None:
                yield from (out.to_ndarray()[0] for out in resampler.resample(None))
            for first in range(0, silence, SAMPLE_RATE):
                yield np.zeros(min(SAMPLE_RATE, silence - first), np.int16)
            resampler, shape = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE), now
        for out in resampler.resample(frame):
            samples = out.to_ndarray()[0]
            yield samples[surplus:]
            surplus = max(0, surplus - samples.size)
    if resampler is not None:
        yield from (out.to_ndarray()[0] for out in resampler.resample(None))


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


def main(source: str, target: str, max_seconds: str, parent: str) -> None:
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
        tell(Decoded(decode(Path(source), Path(target), limit, tell)))
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
