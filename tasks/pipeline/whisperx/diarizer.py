"""Speaker diarization with pyannote's parts, in memory that hardly grows: listened to by window, clustered once.

An hour's embeddings are 9 MB, kept with the job: 91 MB for ten hours, which take 0.4 GB above the models while they
are clustered (1 h: 20 MB), and by their sizes about 0.5 GB while they are put together. Linkage is quadratic; it sees
at most MOST embeddings, 36 MB of distances.
"""

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from pyannote.audio import Inference, Pipeline
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines.clustering import AgglomerativeClustering
from pyannote.audio.pipelines.speaker_diarization import SpeakerDiarization
from pyannote.audio.pipelines.speaker_verification import ONNXWeSpeakerPretrainedSpeakerEmbedding
from pyannote.core import SlidingWindow, SlidingWindowFeature

from db.domain.values import Options
from tasks.models.pack import sha256
from tasks.pipeline.recording import SAMPLE_RATE, Recording
from tasks.pipeline.types import ModelUnavailable, Report, Turn
from tasks.pipeline.whisperx import hub
from tasks.pipeline.whisperx.memory import give_back, spent
from tasks.pipeline.whisperx.reconstruct import reconstruct

BATCH = 16
FRAME, HOP = 400, 160  # samples of a frame of the filter bank, and from one to the next
MOST = 3000  # embeddings clustered; of more, evenly spread ones are, and the others join the nearest cluster
LONG = 60.0  # seconds; a shorter recording has too few windows for the coarse step
COARSE_STEP = 2.0  # seconds from window to window in the offline pack's pipeline
MIDDLE = 500  # frames of a voice in a window, at most, that its embedding is made of: 5 s
Mask = np.ndarray[tuple[int, int, int], np.dtype[np.bool_]]
Prints = np.ndarray[tuple[int, int, int], np.dtype[np.float32]]
Stretch = tuple[float, float]
PACKED = "segmentation-3.0 + CAM++, agglomerative clustering at 0.85"
HYPER = {"method": "centroid", "min_cluster_size": 12, "threshold": 0.85}


class Diarizer:
    """One model tells speakers apart within some seconds, another recognises them across the recording."""

    def __init__(
        self, parts: SpeakerDiarization, name: str, exact: str, threads: int, coarse_step: float | None = None
    ) -> None:
        self.name, self.exact, self.threads, self.coarse_step = name, exact, threads, coarse_step
        # The pipeline is taken apart: run whole, it holds all of a recording's scores and waveforms at once.
        self.inference: Inference = parts._segmentation  # noqa: SLF001
        self.embedding = parts._embedding  # noqa: SLF001
        self.clustering = parts.clustering
        self.exclude_overlap = parts.embedding_exclude_overlap
        self.batch = BATCH
        self.fine_step: float = self.inference.step

    @classmethod
    def from_pack(cls, segmentation: Path, embedding: Path, device: torch.device, threads: int) -> "Diarizer":
        """segmentation-3.0 and CAM++, joined by agglomerative clustering."""
        # pyannote asks for a PLDA even where none is used, and tells embedding models apart by what is in their path.
        parts = SpeakerDiarization(segmentation=str(segmentation), clustering="OracleClustering", plda=_NoPLDA())
        onnx = device if "CUDAExecutionProvider" in onnxruntime.get_available_providers() else torch.device("cpu")
        parts._embedding = ONNXWeSpeakerPretrainedSpeakerEmbedding(str(embedding), onnx)  # noqa: SLF001
        parts._segmentation.to(device)  # noqa: SLF001
        parts.clustering = AgglomerativeClustering(metric="cosine").instantiate(HYPER)
        exact = (
            f"segmentation-3.0@sha256:{sha256(segmentation)} + CAM++@sha256:{sha256(embedding)}, "
            f"agglomerative clustering at {HYPER['threshold']}"
        )
        return cls(parts, PACKED, exact, threads, coarse_step=COARSE_STEP)

    @classmethod
    def from_pretrained(cls, name: str, device: torch.device, threads: int, cache: Path, *, online: bool) -> "Diarizer":
        """Return a pyannote pipeline from a folder or the hub."""
        folder = Path(name)
        if not folder.is_dir():
            folder = hub.fetch(name, cache, ("*",), online=online)
        try:
            parts = Pipeline.from_pretrained(folder, cache_dir=cache)
        except Exception as error:  # as many kinds as there are libraries in it
            if spent(error):
                raise MemoryError from error
            raise _not_there(name, str(error)) from error
        if not isinstance(parts, SpeakerDiarization):
            raise _not_there(name, "it is no speaker diarization")
        return cls(parts.to(device), name, f"{name}@{folder.name}", threads)

    def extract_embeddings(self, recording: Recording, speech: Iterable[Stretch], report: Report) -> bytes:
        """Return which of up to three speakers is active when, window by window, and an embedding of each.

        Windows without detected speech are not looked at: nobody is active in them.
        """
        coarse = self.coarse_step is not None and recording.seconds >= LONG
        self.inference.step = self.coarse_step if coarse else self.fine_step
        total = self._count(recording)
        looked_at: list[tuple[int, Mask, Prints]] = []
        for since, last in self._with_speech(total, speech):
            first = since
            while first < last:
                until = min(first + self.batch, last)
                try:
                    active, waveform = self._hear(recording, first, until)
                    prints = self._embed(active, waveform)
                except Exception as error:  # onnxruntime's are of no common kind
                    if not spent(error):
                        raise
                    if self.batch == 1:
                        raise MemoryError from error
                    self.batch //= 2
                    give_back()
                    continue
                looked_at.append((first, active, prints.astype(np.float32)))
                first = until
                report(first / total)
        return self._saved(total, looked_at)

    def _with_speech(self, total: int, speech: Iterable[Stretch]) -> Iterator[tuple[int, int]]:
        """Return runs of windows, from one up to another, during which speech was detected, as soon as it is known."""
        duration, step = self.inference.duration, self.inference.step
        first = last = 0
        for start, end in speech:
            since = max(last, math.floor((start - duration) / step) + 1)
            until = min(total, math.ceil(end / step))
            if since >= until:
                continue
            if since > last or last - first >= BATCH:
                yield first, last
                first = since
            last = until
        yield first, last

    def _saved(self, total: int, looked_at: Sequence[tuple[int, Mask, Prints]]) -> bytes:
        """Return all that `cluster` needs; nobody is active in a window that was not looked at."""
        frames, local = looked_at[0][1].shape[1:] if looked_at else (1, 1)
        everyone = np.zeros((total, frames, local), np.bool_)
        prints = np.full((total, local, self.embedding.dimension), np.nan, np.float32)
        for first, active, told in looked_at:
            everyone[first : first + len(active)] = active
            prints[first : first + len(told)] = told
        kept = io.BytesIO()
        np.savez(
            kept,
            shape=np.array(everyone.shape),
            active=np.packbits(everyone),
            prints=prints,
            step=np.array(self.inference.step),
        )
        return kept.getvalue()

    def cluster(self, embeddings: bytes, options: Options) -> list[Turn]:
        """Return turns of as many speakers as the options say, or as the embeddings tell."""
        with np.load(io.BytesIO(embeddings)) as kept:
            chunks, frames, local = (int(size) for size in kept["shape"])
            active = np.unpackbits(kept["active"], count=chunks * frames * local).reshape(chunks, frames, local)
            prints, step = kept["prints"], float(kept["step"])
        if not active.any():
            return []
        window = SlidingWindow(start=0.0, duration=self.inference.duration, step=step)
        clusters = self._clusters(prints, SlidingWindowFeature(active, window), options)
        clusters[active.sum(axis=1) == 0] = -2  # nobody: belongs to no cluster
        most = options.num_speakers or options.max_speakers
        return reconstruct(active, clusters, window, self.inference.model.receptive_field, most)

    def _clusters(
        self,
        prints: np.ndarray[tuple[int, int, int], np.dtype[np.float32]],
        active: SlidingWindowFeature,
        options: Options,
    ) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        if not isinstance(self.clustering, AgglomerativeClustering):
            bounds = (options.num_speakers, options.min_speakers, options.max_speakers)
            names = ("num_clusters", "min_clusters", "max_clusters")
            hard, *_ = self.clustering(embeddings=prints, segmentations=active, **dict(zip(names, bounds, strict=True)))
            return np.asarray(hard, np.int64)
        train, chunk, voice = self.clustering.filter_embeddings(prints, segmentations=active)
        if len(train) == 0:
            return np.zeros(prints.shape[:2], np.int64)
        every = max(1, -(-len(train) // MOST))
        train, chunk, voice = train[::every], chunk[::every], voice[::every]
        number, least, most = self.clustering.set_num_clusters(
            len(train), options.num_speakers, options.min_speakers, options.max_speakers
        )
        if most < 2:
            return np.zeros(prints.shape[:2], np.int64)
        found = self.clustering.cluster(train.copy(), least, most, number)
        hard, _, _ = self.clustering.assign_embeddings(prints, chunk, voice, found)
        return np.asarray(hard, np.int64)

    def _count(self, recording: Recording) -> int:
        window, step = self._window(), self._step()
        if recording.samples < window:
            return 1
        return (recording.samples - window) // step + 1 + ((recording.samples - window) % step > 0)

    def _window(self) -> int:
        return int(self.inference.duration * SAMPLE_RATE)

    def _step(self) -> int:
        return round(self.inference.step * SAMPLE_RATE)

    def _hear(self, recording: Recording, first: int, last: int) -> tuple[Mask, torch.Tensor]:
        """Active speakers (windows, frames, speakers), and all that the windows span of the recording."""
        window, step = self._window(), self._step()
        length = (last - first - 1) * step + window
        audio = recording.slice(first * step, first * step + length)
        waveform = torch.from_numpy(np.pad(audio, (0, length - audio.size)))
        return np.asarray(self.inference.infer(waveform.unfold(0, window, step)[:, None])) > 0.5, waveform

    def _embed(self, active: Mask, waveform: torch.Tensor) -> np.ndarray[tuple[int, int, int], np.dtype[np.float64]]:
        """Return an embedding of each voice in each window; nan where it says too little."""
        alone = active & (active.sum(axis=2, keepdims=True) < 2) if self.exclude_overlap else active
        enough = math.ceil(active.shape[1] * self.embedding.min_num_samples / self._window())
        clear = np.where(alone.sum(axis=1, keepdims=True) > enough, alone, active)
        masks = torch.from_numpy(clear).permute(0, 2, 1).float()
        if not isinstance(self.embedding, ONNXWeSpeakerPretrainedSpeakerEmbedding):
            windows = waveform.unfold(0, self._window(), self._step())[:, None]
            told = [self.embedding(windows, masks=masks[:, voice]) for voice in range(masks.shape[1])]
            return np.stack(told, axis=1)
        features = self._features(waveform)
        chosen = torch.nn.functional.interpolate(masks, size=features.shape[1], mode="nearest") > 0.5
        prints = np.full((*chosen.shape[:2], self.embedding.dimension), np.nan)

        def one(place: tuple[int, int]) -> None:
            heard = _middle(features[place[0]][chosen[place]])
            if heard.shape[0] >= self.embedding.min_num_frames:
                feed = {"feats": heard.numpy(force=True)[None]}
                prints[place] = self.embedding.session_.run(["embs"], feed)[0][0]

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(one, self._speaking(active)))
        return prints

    def _features(self, waveform: torch.Tensor) -> torch.Tensor:
        """Return the filter bank of each window (windows, frames, bins), computed once for all that they share."""
        bank = self.embedding.compute_fbank(waveform[None, None])[0]
        features = bank.unfold(0, 1 + (self._window() - FRAME) // HOP, self._step() // HOP).transpose(1, 2)
        centred: torch.Tensor = features - features.mean(dim=1, keepdim=True)
        return centred

    @staticmethod
    def _speaking(active: Mask) -> Iterator[tuple[int, int]]:
        for chunk, voice in np.argwhere(active.any(axis=1)):
            yield int(chunk), int(voice)


def _middle(features: torch.Tensor) -> torch.Tensor:
    """Return at most MIDDLE frames: a voice says hardly more of itself in ten seconds."""
    spare = max(0, features.shape[0] - MIDDLE)
    return features[spare // 2 : spare // 2 + MIDDLE]


class _NoPLDA(PLDA):
    """Stands where pyannote wants one although its clustering uses none."""

    def __init__(self) -> None:
        """Nothing to load."""


def _not_there(name: str, reason: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The diarization pipeline “{name}” could not be loaded: {reason}",
        "It may be made of others behind a licence: accept theirs on the hub and set HF_TOKEN. "
        "Or leave GRAPHOPHONE_DIARIZATION empty, for the one of the offline pack.",
    )
