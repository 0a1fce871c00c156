"""Channels on their way to one: those of opposite phase are turned over, so that they do not cancel each other."""

from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from tasks.decoding.samples import SAMPLE_RATE

Samples = np.ndarray[tuple[int, int], np.dtype[np.int16]]
"""Of the mix, and of each channel that is wanted by itself: a row each."""

SECONDS = 1.0  # over which channels are compared, about
OPPOSITE, ALIKE = -0.5, 0.0  # correlations from which on a channel is turned over, and back
LOUDER = 4.0  # times the power of the channel that the others are compared with: this one takes its place
SPARSE = 4  # every fourth sample is compared
SILENCE = 1e-9  # of full scale squared: a channel that is softer tells nothing


class Phases:
    """The channels that are a louder one turned over, as far as the recording has gone. Costs nothing for mono."""

    def __init__(self) -> None:
        self._together = np.zeros((0, 0))  # how much each two channels go together, of late
        self._turned = np.zeros(0, bool)
        self._led = 0  # the channel that the others are compared with

    def aligned(self, frame: AudioFrame) -> AudioFrame:
        """Return the frame with no channel against the others: itself, wherever that is so already."""
        channels = frame.layout.nb_channels
        if channels < 2 or not frame.samples:
            return frame
        samples = _by_channel(frame)
        self._listen(samples, channels, frame.samples / frame.sample_rate)
        if not self._turned.any():
            return frame
        turned = np.array(samples)
        if turned.dtype.kind == "f":
            turned[self._turned] *= -1
        else:
            np.invert(turned, out=turned, where=self._turned[:, None])  # unlike a minus, it fits also for the least
        return _like(frame, turned)

    def _listen(self, samples: "np.ndarray[tuple[int, int], np.dtype[np.generic]]", channels: int, took: float) -> None:
        if len(self._together) != channels:
            self._together, self._turned = np.zeros((channels, channels)), np.zeros(channels, bool)
            self._led = 0
        heard = samples[:, ::SPARSE].astype(np.float64)
        if samples.dtype.kind != "f":
            full = float(2 ** (8 * samples.dtype.itemsize - 1))
            heard = (heard - (full if samples.dtype == np.uint8 else 0)) / full
        self._together *= np.exp(-took / SECONDS)
        self._together += np.nan_to_num(heard @ heard.T)
        power = np.diag(self._together)
        if power.max() > LOUDER * power[self._led]:  # else two that are alike would take turns
            self._led = int(power.argmax())
        against = self._together[self._led] / np.sqrt(np.maximum(power * power[self._led], SILENCE))
        self._turned = against < np.where(self._turned, ALIKE, OPPOSITE)


class Resamplers:
    """Frames of one shape to 16 kHz: mixed, and each of the first `channels` by itself."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._phases = Phases()
        self._mono = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        self._each = AudioResampler(format="s16p", rate=SAMPLE_RATE) if channels else None
        self._mixed = self._own = np.zeros((0, 0), np.int16)

    def samples(self, frame: AudioFrame | None) -> Iterator[Samples]:
        """Yield what is ready after a frame; all that is left after None."""
        own = _arrays(self._each.resample(frame)) if self._each else []
        mixed = _arrays(self._mono.resample(frame and self._phases.aligned(frame)))
        if self._each is None:
            yield from mixed
            return
        self._mixed, self._own = _joined(self._mixed, mixed), _joined(self._own, own)
        ready = self._mixed.shape[1] if frame is None else min(self._mixed.shape[1], self._own.shape[1])
        if ready:
            yield np.concatenate([self._mixed[:, :ready], _fitted(self._own[:, :ready], self._channels, ready)])
        self._mixed, self._own = self._mixed[:, ready:], self._own[:, ready:]


def _arrays(frames: Iterable[AudioFrame]) -> list[Samples]:
    return [cast("Samples", frame.to_ndarray()) for frame in frames]


def _joined(before: Samples, new: list[Samples]) -> Samples:
    parts = [part for part in (before, *new) if part.size]
    return np.concatenate(parts, axis=1) if parts else before


def _fitted(samples: Samples, channels: int, length: int) -> Samples:
    """Return exactly so many channels: a stream that changes on the way may have more or fewer."""
    own: Samples = np.zeros((channels, length), np.int16)
    own[: len(samples), : samples.shape[1]] = samples[:channels]
    return own


def _by_channel(frame: AudioFrame) -> "np.ndarray[tuple[int, int], np.dtype[np.generic]]":
    samples = frame.to_ndarray()
    return samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T


def _like(frame: AudioFrame, samples: "np.ndarray[tuple[int, int], np.dtype[np.generic]]") -> AudioFrame:
    raw = samples if frame.format.is_planar else samples.T.reshape(1, -1)
    made = AudioFrame.from_ndarray(np.ascontiguousarray(raw), format=frame.format.name, layout=frame.layout.name)
    made.sample_rate = frame.sample_rate
    return made
