"""Voice activity detection as WhisperX does it, but as a stream: the same regions to the frame, in constant memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import whisperx
from pyannote.audio import Inference
from pyannote.core import Segment, SlidingWindow
from whisperx.vads.pyannote import load_vad_model

from db.domain.values import Options
from tasks.pipeline.recording import SAMPLE_RATE, Recording
from tasks.pipeline.whisperx.memory import sparingly

ONSET, OFFSET = 0.5, 0.363
BATCH = 16

Frames = np.ndarray[tuple[int], np.dtype[np.float32]]


class VoiceDetector:
    """pyannote's segmentation model, whose weights are in the whisperx wheel."""

    def __init__(self, device: torch.device) -> None:
        self.path = Path(whisperx.__file__).parent / "assets" / "pytorch_model.bin"
        self.inference: Inference = load_vad_model(device, ONSET, OFFSET, model_fp=str(self.path))._segmentation  # noqa: SLF001  there is no other way to its scores

    def __call__(self, recording: Recording, options: Options) -> Iterator[tuple[float, float]]:
        """Return where somebody speaks, as (start, end) in seconds, as soon as each is known."""
        onset = options.speech_threshold
        hysteresis = Hysteresis(onset, onset * OFFSET / ONSET, options.chunk_seconds)
        frames = self.inference.model.receptive_field
        done = 0
        for scores in self._scores(recording, frames):
            yield from hysteresis.feed([frames[done + i].middle for i in range(len(scores))], scores)
            done += len(scores)
        yield from hysteresis.end()

    def _scores(self, recording: Recording, frames: SlidingWindow) -> Iterator[Frames]:
        """Return the probability of speech in each frame: scores of overlapping windows under a Hamming window."""
        window, step = int(self.inference.duration * SAMPLE_RATE), round(self.inference.step * SAMPLE_RATE)
        full = max(0, (recording.samples - window) // step + 1)
        padded = recording.samples < window or (recording.samples - window) % step > 0
        total = full + padded
        known = 1 + frames.closest_frame(
            self.inference.duration + (total - 1) * self.inference.step + 0.5 * frames.duration
        )
        if padded:
            known = min(known, frames.crop(Segment(0, recording.seconds), mode="loose")[-1] + 1)
        weights = sums = counts = np.zeros(0, np.float32)
        base = 0  # the frame that sums[0] stands for
        for first in range(0, total, BATCH):
            last = min(first + BATCH, total)
            audio = recording.slice(first * step, (last - 1) * step + window)
            audio = np.pad(audio, (0, (last - 1 - first) * step + window - audio.size))
            chunks = torch.from_numpy(audio).unfold(0, window, step)[:, None]
            for index, score in enumerate(sparingly(self.inference.infer, chunks).max(axis=-1), first):
                if not weights.size:
                    weights = np.hamming(len(score)).astype(np.float32)
                at = frames.closest_frame(index * self.inference.step + 0.5 * frames.duration) - base
                grown = max(0, at + len(score) - sums.size)
                sums, counts = np.pad(sums, (0, grown)), np.pad(counts, (0, grown))
                sums[at : at + len(score)] += score * weights
                counts[at : at + len(score)] += weights
            final = frames.closest_frame(last * self.inference.step + 0.5 * frames.duration) - base
            if last == total:
                final = known - base
                grown = max(0, final - sums.size)
                sums, counts = np.pad(sums, (0, grown)), np.pad(counts, (0, grown))
            ready: Frames = (sums[:final] / np.maximum(counts[:final], 1e-12)).astype(np.float32)
            yield ready
            sums, counts, base = sums[final:], counts[final:], base + final


class Hysteresis:
    """Scores to regions: on above one threshold, off below another; one that is too long is cut where it is quietest.

    Source: Bain et al., WhisperX, Interspeech 2023 (the min-cut). The rules are whisperx.vads.pyannote.Binarize's.
    """

    def __init__(self, onset: float, offset: float, longest: float) -> None:
        self.onset, self.offset, self.longest = onset, offset, longest
        self.active: bool | None = None
        self.start = self.time = 0.0
        self.times: list[float] = []
        self.scores: list[float] = []

    def feed(self, times: list[float], scores: Frames) -> Iterator[tuple[float, float]]:
        """Take the next frames; regions that end in them come out."""
        for time, score in zip(times, scores.tolist(), strict=True):
            self.time = time
            if self.active is None:
                self.start, self.active = time, score > self.onset
                self.times, self.scores = [time], [score]
            elif self.active:
                yield from self._active(time, score)
            elif score > self.onset:
                self.start, self.active = time, True

    def end(self) -> Iterator[tuple[float, float]]:
        """There are no more frames."""
        if self.active:
            yield from self._region(self.time)

    def _active(self, time: float, score: float) -> Iterator[tuple[float, float]]:
        if time - self.start > self.longest:
            half = len(self.scores) // 2
            quietest = half + int(np.argmin(self.scores[half:]))
            yield from self._region(self.times[quietest])
            self.start = self.times[quietest]
            self.times, self.scores = self.times[quietest + 1 :], self.scores[quietest + 1 :]
        elif score < self.offset:
            yield from self._region(time)
            self.start, self.active = time, False
            self.times, self.scores = [], []
        self.times.append(time)
        self.scores.append(score)

    def _region(self, end: float) -> Iterator[tuple[float, float]]:
        if end - self.start > 1e-6:
            yield self.start, end
