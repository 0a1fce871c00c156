"""The audio tracks of a recording: which there are, which have sound, and which is taken."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from msgspec.structs import replace

from db.domain.tracks import AudioTrack, missing
from db.domain.values import ErrorCode
from tasks.decoding.faults import refuse
from tasks.decoding.formats import CODECS, LARGEST_PACKET

MOST = 32
"""Tracks that are listed; players show no more."""
HEAD = 60.0
"""Seconds of each track that are listened to, at most: one that has made no sound until then is called silent."""
QUIET = 1e-3
"""Of full scale (-60 dB): a track that never gets louder has no sound. The noise of an open input is below."""
COARSE = 8_000  # samples a second tell whether there is any sound
MOST_DAMAGED = 100  # packets that cannot be decoded: enough has been tried
UNKNOWN = "unknown"  # what FFmpeg has no decoder for
TEXT = 200  # characters of a title that are kept
_PICTURES = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails


def has_video(container: InputContainer) -> bool:
    """Return whether there is a moving picture: a cover is none."""
    return any(not stream.disposition & _PICTURES for stream in container.streams.video)


def listed(container: InputContainer) -> tuple[AudioTrack, ...]:
    """Return the audio tracks as the headers tell of them; nobody has listened to them yet."""
    return tuple(
        AudioTrack(
            index=index,
            codec=_codec(stream),
            channels=0 if _codec(stream) == UNKNOWN else stream.channels,
            language=_text(stream, "language") if _text(stream, "language") != "und" else None,
            title=_text(stream, "title") or _text(stream, "handler_name"),
            default=bool(stream.disposition & Disposition.default),
        )
        for index, stream in enumerate(container.streams.audio[:MOST])
    )


def listened(container: InputContainer, tracks: Sequence[AudioTrack]) -> tuple[AudioTrack, ...]:
    """Return the tracks with whether they have sound, by the first minute of each; reads no further than it must."""
    streams = {container.streams.audio[track.index].index: track.index for track in tracks if track.codec in CODECS}
    heard: dict[int, float] = {}  # seconds of silence
    sounding: set[int] = set()
    loudness = _Loudness()
    for stream, frame in _frames(container, waiting := set(streams)):
        index = streams[stream]
        heard[index] = heard.get(index, 0.0) + frame.samples / max(1, frame.sample_rate)
        if loudness(stream, frame) > QUIET:
            sounding.add(index)
        if index in sounding or heard[index] > HEAD:
            waiting.discard(stream)
    return tuple(
        replace(track, silent=track.index not in sounding if track.index in heard else None) for track in tracks
    )


def _frames(container: InputContainer, waiting: AbstractSet[int]) -> Iterator[tuple[int, AudioFrame]]:
    """Yield the frames of streams as long as any waits for them; what cannot be decoded is passed over."""
    packets = container.demux([container.streams[stream] for stream in sorted(waiting)])
    damaged = 0
    while damaged < MOST_DAMAGED and waiting:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            wanted = packet.stream.index in waiting and packet.size <= LARGEST_PACKET
            frames = packet.decode() if wanted else []
        except av.EOFError:
            return
        except av.FFmpegError:
            damaged += 1
            continue
        yield from ((packet.stream.index, frame) for frame in frames if isinstance(frame, AudioFrame))


def taken(tracks: Sequence[AudioTrack], wanted: int | None) -> int | None:
    """Return which track is taken: the one that is wanted, or the first with sound, those marked as default before
    others; None where nothing tells them apart. Raises `InputFault` when there is no such track.
    """
    if wanted is not None:
        if not 0 <= wanted < len(tracks):
            refuse(missing(wanted, tracks), "Name one of them, or none.", code=ErrorCode.INVALID_INPUT)
        return wanted
    sounding = [track for track in tracks if track.silent is False]
    return min(sounding, key=lambda track: not track.default).index if sounding else None


def _codec(stream: AudioStream) -> str:
    context: Any = stream.codec_context  # None for what FFmpeg has no decoder for, whatever PyAV's types say
    return UNKNOWN if context is None else context.codec.name


def _text(stream: AudioStream, name: str) -> str | None:
    """Return what a header says, without what no screen can show."""
    found: Any = stream.metadata.get(name)
    shown = "".join(sign for sign in str(found or "") if sign.isprintable()).strip()[:TEXT]
    return None if shown in {"", "SoundHandler"} else shown  # FFmpeg's own word for a track without a name


class _Loudness:
    """The loudness of the frames of streams, whatever their form."""

    def __init__(self) -> None:
        self._resamplers: dict[tuple[int, str, str, int], AudioResampler] = {}

    def __call__(self, stream: int, frame: AudioFrame) -> float:
        """Return the loudest sample, 0..1; the last moment of a frame counts to the next."""
        form = (stream, frame.format.name, frame.layout.name, frame.sample_rate)
        resampler = self._resamplers.setdefault(form, AudioResampler(format="s16", rate=COARSE))
        frame.pts = None
        loudest = 0
        for out in resampler.resample(frame):
            samples = memoryview(out.planes[0]).cast("h")[: out.samples * out.layout.nb_channels]
            loudest = max(loudest, max(samples, default=0), -min(samples, default=0))
        return loudest / 32768
