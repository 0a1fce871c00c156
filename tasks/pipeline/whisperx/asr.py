"""Whisper through WhisperX's model class: batches of chunks, each call with its own options and nothing shared."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import chain, islice
from pathlib import Path

import numpy as np
from ctranslate2 import StorageView
from whisperx.asr import WhisperModel

from db.domain.values import Options
from tasks.pipeline.recording import SAMPLE_RATE, Recording
from tasks.pipeline.types import Chunk, Hypothesis
from tasks.pipeline.whisperx.decoding import Decoding, Encoded, encode
from tasks.pipeline.whisperx.memory import give_back, spent
from tasks.pipeline.whisperx.prompts import Prompts

Key = tuple[Path, int, int, int]
"""A stretch of a recording: its file, when that was written, its first sample and the one after its last."""

KEPT = 12  # encoded chunks whose language was detected, beside the batches under way; 3 MB each with base, 8 at most

SILENCE = 1.0  # seconds behind a place of which only the language is wanted

log = logging.getLogger(__name__)


class Whisper:
    """One recognition model, loaded; as many batches as it has `workers` are decoded side by side.

    Without enough memory on the device, `batch_size` shrinks; when it is one, batches go one by one; then the
    model is loaded again in the next of the `compute_types`.
    """

    def __init__(
        self,
        load: Callable[[str], WhisperModel],
        exact: str,
        *,
        compute_types: Sequence[str],
        batch_size: int,
        workers: int = 1,
    ) -> None:
        self.exact = exact
        self._kept: dict[Key, Encoded] = {}  # of chunks whose language was detected: the next asked for is their text
        self._keeping = threading.Lock()
        self._load, self._untried, self._most = load, list(compute_types), (batch_size, workers)
        self._open()

    @property
    def compute_type(self) -> str:
        """The type of numbers that it computes in now."""
        return str(self.model.model.compute_type)

    @property
    def multilingual(self) -> bool:
        """Return whether it knows more than English."""
        return bool(self.model.model.is_multilingual)

    def detect_language(self, recording: Recording, chunk: Chunk) -> dict[str, float]:
        """Return the probability of each language in a chunk, the likeliest first."""
        if not self.multilingual:
            return {"en": 1.0}
        while True:
            try:
                encoded = self._encoded(recording, [chunk])
                found = self.model.model.detect_language(StorageView.from_array(encoded))[0]
            except Exception as error:  # noqa: BLE001  raised again unless it is of memory
                self._step_down(error, 1)
            else:
                with self._keeping:
                    while len(self._kept) >= KEPT + (self.workers + 1) * self.batch_size:
                        self._kept.pop(next(iter(self._kept)))
                    self._kept[_key(recording, chunk)] = encoded
                return _by_code(found)

    def detect_languages(
        self, recording: Recording, places: Sequence[tuple[float, float]]
    ) -> Iterator[dict[str, float]]:
        """Return the probability of each language in places of some seconds, encoded without the usual silence."""
        for start, end in places:
            while True:
                try:
                    encoded = encode(self.model, [recording.read(start, end)], self.mels, SILENCE)
                    found = self.model.model.detect_language(StorageView.from_array(encoded))[0]
                except Exception as error:  # noqa: BLE001  raised again unless it is of memory
                    self._step_down(error, 1)
                else:
                    yield _by_code(found)
                    break

    def transcribe(
        self, recording: Recording, chunks: Iterable[Chunk], language: str, options: Options
    ) -> Iterator[Hypothesis]:
        """Return the text of each chunk, in order; the first batches are small, so that the first words come soon."""
        prompts = Prompts(self.model, language, options)
        waiting, size = iter(chunks), 1
        running: deque[tuple[list[Chunk], Future[list[Hypothesis]]]] = deque()
        pool = ThreadPoolExecutor(self.workers)
        try:
            while True:
                # One more than are decoded at once, so that no worker waits while a result is stored.
                while len(running) <= self.workers and not (running and running[0][1].done()):
                    batch = list(islice(waiting, size))
                    if not batch:
                        break
                    work = pool.submit(self._decode, recording, batch, prompts, options)
                    running.append((batch, work))
                    size = min(2 * size, self.batch_size)
                if not running:
                    return
                batch, work = running[0]
                try:
                    hypotheses = work.result()
                except Exception as error:  # noqa: BLE001  raised again unless it is of memory
                    wait(later for _, later in running if not later.cancel())
                    self._step_down(error, len(batch))
                    waiting = chain(*(again for again, _ in running), waiting)
                    running.clear()
                    size = min(len(batch), self.batch_size)
                    continue
                running.popleft()
                yield from hypotheses
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> None:
        """Load the model in the first type of numbers that fits."""
        while True:
            kind = self._untried.pop(0)
            try:
                self.model = self._load(kind)
            except Exception as error:
                if not spent(error):
                    raise
                log.warning("there is not enough memory for the model in %s", kind)
                if not self._untried:
                    raise MemoryError from error
                give_back()
                continue
            self.batch_size, self.workers = self._most
            self.mels = self.model.feat_kwargs.get("feature_size") or 80
            return

    def _step_down(self, error: Exception, size: int) -> None:
        """After a batch of this size did not fit: a smaller one, or smaller numbers, or else MemoryError."""
        if not spent(error):
            raise error
        give_back()
        if size > 1:
            self.batch_size = size // 2
            log.warning("out of memory with %d pieces at once; from now on %d", size, self.batch_size)
            return
        if self.workers > 1:
            self.workers = 1
            log.warning("out of memory with single pieces side by side; from now on one after the other")
            return
        if not self._untried:
            raise MemoryError from error
        log.warning("out of memory with a single piece in %s; from now on in %s", self.compute_type, self._untried[0])
        del self.model  # there is no room for both
        self._open()

    def _decode(
        self, recording: Recording, batch: Sequence[Chunk], prompts: Prompts, options: Options
    ) -> list[Hypothesis]:
        return Decoding(self.model, prompts, options).hypotheses(self._encoded(recording, batch), batch)

    def _encoded(self, recording: Recording, chunks: Sequence[Chunk]) -> Encoded:
        """Return what the encoder makes of these chunks; of one whose language was detected it is known already."""
        keys = [_key(recording, chunk) for chunk in chunks]
        with self._keeping:
            known = {key: self._kept.pop(key) for key in keys if key in self._kept}
        new = [(key, chunk) for key, chunk in zip(keys, chunks, strict=True) if key not in known]
        if new:
            waveforms = [recording.read(chunk.start, chunk.end) for _, chunk in new]
            made = encode(self.model, waveforms, self.mels)
            known |= {key: made[index : index + 1] for index, (key, _) in enumerate(new)}
        return np.concatenate([known[key] for key in keys])


def _by_code(found: Iterable[tuple[str, float]]) -> dict[str, float]:
    return {token[2:-2]: float(probability) for token, probability in found}


def _key(recording: Recording, chunk: Chunk) -> Key:
    first, last = (recording.first + int(moment * SAMPLE_RATE) for moment in (chunk.start, chunk.end))
    return recording.path, recording.path.stat().st_mtime_ns, first, last
