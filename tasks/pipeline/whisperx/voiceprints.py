"""Speaker diarization with pyannote's parts, in memory that hardly grows: listened to by window, clustered once."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from pyannote.audio import Inference, Model
from pyannote.audio.pipelines.clustering import AgglomerativeClustering
from pyannote.audio.pipelines.speaker_verification import ONNXWeSpeakerPretrainedSpeakerEmbedding
from pyannote.core import SlidingWindow, SlidingWindowFeature

from db.values import Options
from tasks.pipeline.recording import SAMPLE_RATE, Recording
from tasks.pipeline.types import Report, Turn
from tasks.pipeline.whisperx.weave import weave

STEP_SHARE = 0.1  # of the segmentation model's window: how far it moves on
BATCH = 32
HOP = 160  # samples between two frames of the filter bank
MOST = 3000  # voiceprints clustered; of more, evenly spread ones are, and the others join the nearest cluster
HYPER = {"method": "centroid", "min_cluster_size": 12, "threshold": 0.85}


class Diarizer:
    """segmentation-3.0 tells voices apart within ten seconds, CAM++ recognises them across the recording."""

    name = "segmentation-3.0 + CAM++, agglomerative clustering at 0.85"

    def __init__(self, segmentation: Path, embedding: Path, device: torch.device, threads: int) -> None:
        model = Model.from_pretrained(str(segmentation))
        if model is None:
            raise FileNotFoundError(segmentation)
        duration = next(iter(model.specifications)).duration
        self.inference = Inference(model, duration=duration, step=STEP_SHARE * duration, skip_aggregation=True)
        self.inference.to(device)
        self.embedding = ONNXWeSpeakerPretrainedSpeakerEmbedding(str(embedding), device)
        self.clustering = AgglomerativeClustering(metric="cosine").instantiate(HYPER)
        self.threads = threads

    def listen(self, recording: Recording, report: Report) -> bytes:
        """Who of up to three voices is active when, in windows of ten seconds, and a voiceprint of each."""
        active, prints = [], []
        total = self._count(recording)
        for first in range(0, total, BATCH):
            segmented, features = self._hear(recording, first, min(first + BATCH, total))
            active.append(segmented)
            prints.append(self._prints(segmented, features))
            report(min(first + BATCH, total) / total)
        kept = io.BytesIO()
        everyone = np.concatenate(active)
        np.savez(
            kept,
            shape=np.array(everyone.shape),
            active=np.packbits(everyone),
            prints=np.concatenate(prints).astype(np.float32),
        )
        return kept.getvalue()

    def cluster(self, voiceprints: bytes, options: Options) -> list[Turn]:
        """Turns of as many speakers as the options say, or as the voiceprints tell."""
        with np.load(io.BytesIO(voiceprints)) as kept:
            chunks, frames, voices = (int(size) for size in kept["shape"])
            active = np.unpackbits(kept["active"], count=chunks * frames * voices).reshape(chunks, frames, voices)
            prints = kept["prints"]
        if not active.any():
            return []
        window = SlidingWindow(start=0.0, duration=self.inference.duration, step=self.inference.step)
        clusters = self._clusters(prints, SlidingWindowFeature(active, window), options)
        clusters[active.sum(axis=1) == 0] = -2  # nobody: belongs to no cluster
        most = options.num_speakers or options.max_speakers
        return weave(active, clusters, window, self.inference.model.receptive_field, most)

    def _clusters(
        self,
        prints: np.ndarray[tuple[int, int, int], np.dtype[np.float32]],
        active: SlidingWindowFeature,
        options: Options,
    ) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
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

    def _hear(
        self, recording: Recording, first: int, last: int
    ) -> tuple[np.ndarray[tuple[int, int, int], np.dtype[np.bool_]], torch.Tensor]:
        """Active voices (windows, frames, voices) and the filter bank of each window, computed once for all of them."""
        window, step = self._window(), self._step()
        length = (last - first - 1) * step + window
        audio = recording.slice(first * step, first * step + length)
        waveform = torch.from_numpy(np.pad(audio, (0, length - audio.size)))
        active = np.asarray(self.inference.infer(waveform.unfold(0, window, step)[:, None])) > 0.5
        bank = self.embedding.compute_fbank(waveform[None, None])[0]
        frames = 1 + (window - 400) // HOP
        features = bank.unfold(0, frames, step // HOP).transpose(1, 2)
        return active, features - features.mean(dim=1, keepdim=True)

    def _prints(
        self, active: np.ndarray[tuple[int, int, int], np.dtype[np.bool_]], features: torch.Tensor
    ) -> np.ndarray[tuple[int, int, int], np.dtype[np.float64]]:
        """A voiceprint of each voice in each window; nan where it says too little."""
        count, _, voices = active.shape
        mask = torch.from_numpy(active).permute(0, 2, 1).float()
        masks = torch.nn.functional.interpolate(mask, size=features.shape[1], mode="nearest") > 0.5
        prints = np.full((count, voices, self.embedding.dimension), np.nan)

        def one(place: tuple[int, int]) -> None:
            heard = features[place[0]][masks[place]]
            if heard.shape[0] >= self.embedding.min_num_frames:
                feed = {"feats": heard.numpy(force=True)[None]}
                prints[place] = self.embedding.session_.run(["embs"], feed)[0][0]

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(one, self._speaking(active)))
        return prints

    @staticmethod
    def _speaking(active: np.ndarray[tuple[int, int, int], np.dtype[np.bool_]]) -> Iterator[tuple[int, int]]:
        for chunk, voice in np.argwhere(active.any(axis=1)):
            yield int(chunk), int(voice)
