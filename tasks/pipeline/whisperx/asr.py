"""Whisper through WhisperX's model class: batches of chunks, each call with its own options and nothing shared."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import chain, islice

import numpy as np
import torch
from ctranslate2 import DataType, Device, StorageView
from faster_whisper.tokenizer import Tokenizer
from whisperx.asr import WhisperModel
from whisperx.audio import N_SAMPLES, log_mel_spectrogram

from db.domain.values import ErrorCode, Options, Problem, Rules, Stage
from tasks.pipeline.recording import Recording, Waveform
from tasks.pipeline.rules import compression_ratio, suspect
from tasks.pipeline.types import Chunk, InputFault, Spoken
from tasks.pipeline.whisperx.memory import give_back, spent

Encoded = np.ndarray[tuple[int, int, int], np.dtype[np.float32]]
"""Of each piece of 30 s, 1500 frames of as many numbers as the model is wide."""

BEAM = 5
BEST_OF = 5  # samples drawn at a temperature above zero

log = logging.getLogger(__name__)


class Whisper:
    """One recognition model, loaded; as many batches as it has `workers` are decoded side by side.

    When the device's memory does not suffice, `batch_size` shrinks; when it is one, batches go one by one; then the
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
        self._load, self._untried, self._most = load, list(compute_types), (batch_size, workers)
        self._open()

    @property
    def compute_type(self) -> str:
        """The type of numbers that it computes in now."""
        return str(self.model.model.compute_type)

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than English."""
        return bool(self.model.model.is_multilingual)

    def detect_language(self, audio: Waveform) -> tuple[str, float]:
        """The language of up to 30 s of speech and its probability."""
        if not self.multilingual:
            return "en", 1.0
        features = self._features([audio])
        while True:
            try:
                token, probability = self.model.model.detect_language(self.model.encode(features))[0][0]
            except Exception as error:  # noqa: BLE001  raised again unless it is of memory
                self._step_down(error, 1)
            else:
                return token[2:-2], float(probability)

    def transcribe(
        self, recording: Recording, chunks: Iterable[Chunk], language: str, options: Options
    ) -> Iterator[Spoken]:
        """The text of each chunk, in order; the first batches are small, so that the first words come soon."""
        tokenizer = self._tokenizer(language, options)
        prompt = self._prompt(tokenizer, options)
        waiting, size = iter(chunks), 1
        running: deque[tuple[list[Chunk], Future[list[Spoken]]]] = deque()
        pool = ThreadPoolExecutor(self.workers)
        try:
            while True:
                # One more than are decoded at once, so that no worker waits while a result is stored.
                while len(running) <= self.workers and not (running and running[0][1].done()):
                    batch = list(islice(waiting, size))
                    if not batch:
                        break
                    work = pool.submit(self._decode, recording, batch, tokenizer, prompt, options.rules)
                    running.append((batch, work))
                    size = min(2 * size, self.batch_size)
                if not running:
                    return
                batch, work = running[0]
                try:
                    spoken = work.result()
                except Exception as error:  # noqa: BLE001  raised again unless it is of memory
                    wait(later for _, later in running if not later.cancel())
                    self._step_down(error, len(batch))
                    waiting = chain(*(again for again, _ in running), waiting)
                    running.clear()
                    size = min(len(batch), self.batch_size)
                    continue
                running.popleft()
                yield from spoken
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> None:
        """Loads the model in the first type of numbers that fits."""
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
        self, recording: Recording, batch: Sequence[Chunk], tokenizer: Tokenizer, prompt: list[int], rules: Rules
    ) -> list[Spoken]:
        encoded = self._encode(self._features([recording.read(chunk.start, chunk.end) for chunk in batch]))
        found = self._generate(encoded, tokenizer, prompt, batch, 0.0)
        for index, first in enumerate(found):
            found[index] = self._again(encoded[index : index + 1], tokenizer, prompt, first, rules)
        return found

    def _again(self, encoded: Encoded, tokenizer: Tokenizer, prompt: list[int], first: Spoken, rules: Rules) -> Spoken:
        """Recognise a suspect chunk at higher temperatures until it convinces; else keep the likeliest attempt."""
        tried = [first]
        for temperature in rules.temperatures[1:]:
            last = tried[-1]
            if not suspect(last.text, last.avg_logprob or 0.0, last.no_speech_prob or 0.0, rules):
                return last
            tried += self._generate(encoded, tokenizer, prompt, [first.chunk], temperature)
        if not suspect(tried[-1].text, tried[-1].avg_logprob or 0.0, tried[-1].no_speech_prob or 0.0, rules):
            return tried[-1]
        limit = rules.compression_ratio
        varied = [attempt for attempt in tried if limit is None or (attempt.compression_ratio or 0.0) <= limit]
        return max(varied or tried, key=lambda attempt: attempt.avg_logprob or 0.0)

    def _encode(self, features: torch.Tensor) -> Encoded:
        """What the encoder makes of each piece; on a processor one by one: a batch is no faster there."""
        parts = torch.split(features, 1 if self.model.model.device == "cpu" else len(features))
        encoded = [self.model.encode(part).to_device(Device.cpu).to(DataType.float32) for part in parts]
        return np.concatenate([np.array(part) for part in encoded])

    def _generate(
        self, encoded: Encoded, tokenizer: Tokenizer, prompt: list[int], chunks: Sequence[Chunk], temperature: float
    ) -> list[Spoken]:
        how = (
            {"beam_size": 1, "num_hypotheses": BEST_OF, "sampling_topk": 0, "sampling_temperature": temperature}
            if temperature
            else {"beam_size": BEAM, "patience": 1}
        )
        results = self.model.model.generate(
            StorageView.from_array(encoded),
            [prompt] * len(chunks),
            max_length=self.model.max_length,
            suppress_blank=True,
            suppress_tokens=[-1],
            return_scores=True,
            return_no_speech_prob=True,
            **how,
        )
        spoken = []
        for chunk, result in zip(chunks, results, strict=True):
            tokens = result.sequences_ids[0]
            text = tokenizer.tokenizer.decode([token for token in tokens if token < tokenizer.eot])
            spoken.append(
                Spoken(
                    chunk=chunk,
                    text=text,
                    avg_logprob=result.scores[0] * len(tokens) / (len(tokens) + 1),
                    no_speech_prob=result.no_speech_prob,
                    compression_ratio=compression_ratio(text.strip()),
                    temperature=temperature,
                )
            )
        return spoken

    def _features(self, waveforms: Sequence[Waveform]) -> torch.Tensor:
        cut = [waveform[:N_SAMPLES] for waveform in waveforms]
        return torch.stack(
            [log_mel_spectrogram(audio, n_mels=self.mels, padding=N_SAMPLES - audio.shape[0]) for audio in cut]
        )

    def _tokenizer(self, language: str, options: Options) -> Tokenizer:
        if not self.multilingual and (language != "en" or options.task.value != "TRANSCRIBE"):
            raise _unsuitable(f"The model {options.model} knows English only.", "Choose a multilingual model.")
        try:
            return Tokenizer(
                self.model.hf_tokenizer, self.multilingual, task=options.task.value.lower(), language=language
            )
        except ValueError as error:
            raise _unsuitable(
                f"“{language}” is not a language that the model knows.", "Give an ISO 639-1 code, or none to detect it."
            ) from error

    def _prompt(self, tokenizer: Tokenizer, options: Options) -> list[int]:
        """Hot words and the client's prompt before what Whisper always hears, as faster-whisper puts them."""
        longest = self.model.max_length // 2 - 1
        hotwords = ", ".join(word.strip() for word in options.hotwords)
        before = tokenizer.encode(" " + hotwords)[: longest // (2 if options.prompt else 1)] if hotwords else []
        if options.prompt and options.prompt.strip():
            before += tokenizer.encode(" " + options.prompt.strip())[-(longest - len(before)) :]
        start = [tokenizer.sot_prev, *before] if before else []
        return [*start, *tokenizer.sot_sequence, tokenizer.no_timestamps]


def _unsuitable(message: str, remedy: str) -> InputFault:
    return InputFault(Problem(code=ErrorCode.INVALID_INPUT, message=message, stage=Stage.TRANSCRIBE, remedy=remedy))
