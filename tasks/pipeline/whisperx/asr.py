"""Whisper through WhisperX's model class: batches of chunks, each call with its own options and nothing shared."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from faster_whisper.tokenizer import Tokenizer
from whisperx.asr import WhisperModel
from whisperx.audio import N_SAMPLES, log_mel_spectrogram

from db.values import ErrorCode, Options, Problem, Rules, Stage
from tasks.pipeline.recording import Recording, Waveform
from tasks.pipeline.rules import compression_ratio, suspect
from tasks.pipeline.types import Chunk, InputFault, Spoken
from tasks.pipeline.whisperx.memory import spent

BEAM = 5
BEST_OF = 5  # samples drawn at a temperature above zero


class Whisper:
    """One recognition model, loaded. `batch_size` shrinks when the device's memory does not suffice."""

    def __init__(
        self, source: str | Path, *, device: str, compute_type: str, batch_size: int, threads: int, cache: Path | None
    ) -> None:
        self.model = WhisperModel(
            str(source),
            device=device,
            compute_type=compute_type,
            cpu_threads=threads,
            download_root=str(cache) if cache else None,
        )
        self.batch_size = batch_size
        self.mels = self.model.feat_kwargs.get("feature_size") or 80

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than English."""
        return bool(self.model.model.is_multilingual)

    def detect_language(self, audio: Waveform) -> tuple[str, float]:
        """The language of up to 30 s of speech and its probability."""
        if not self.multilingual:
            return "en", 1.0
        encoded = self.model.encode(self._features([audio]))
        token, probability = self.model.model.detect_language(encoded)[0][0]
        return token[2:-2], float(probability)

    def transcribe(
        self, recording: Recording, chunks: Sequence[Chunk], language: str, options: Options
    ) -> Iterator[Spoken]:
        """The text of each chunk, a batch at a time; the first batches are small, so that the first words come soon."""
        tokenizer = self._tokenizer(language, options)
        prompt = self._prompt(tokenizer, options)
        waiting, size = iter(chunks), 1
        while batch := list(islice(waiting, size)):
            yield from self._batch(recording, batch, tokenizer, prompt, options.rules)
            size = min(size * 2, self.batch_size)

    def _batch(
        self, recording: Recording, batch: Sequence[Chunk], tokenizer: Tokenizer, prompt: list[int], rules: Rules
    ) -> Iterator[Spoken]:
        """A batch, in halves if it does not fit into memory, and in smaller ones from then on."""
        try:
            spoken = self._decode(recording, batch, tokenizer, prompt, rules)
        except (RuntimeError, MemoryError) as error:
            if not spent(error):
                raise
            if len(batch) == 1:
                raise MemoryError from error
            self.batch_size = half = len(batch) // 2
        else:
            yield from spoken
            return
        yield from self._batch(recording, batch[:half], tokenizer, prompt, rules)
        yield from self._batch(recording, batch[half:], tokenizer, prompt, rules)

    def _decode(
        self, recording: Recording, batch: Sequence[Chunk], tokenizer: Tokenizer, prompt: list[int], rules: Rules
    ) -> list[Spoken]:
        features = self._features([recording.read(chunk.start, chunk.end) for chunk in batch])
        found = self._generate(features, tokenizer, prompt, batch, 0.0)
        for index, first in enumerate(found):
            found[index] = self._again(features[index : index + 1], tokenizer, prompt, first, rules)
        return found

    def _again(
        self, features: torch.Tensor, tokenizer: Tokenizer, prompt: list[int], first: Spoken, rules: Rules
    ) -> Spoken:
        """Recognise a suspect chunk at higher temperatures until it convinces; else keep the likeliest attempt."""
        tried = [first]
        for temperature in rules.temperatures[1:]:
            last = tried[-1]
            if not suspect(last.text, last.avg_logprob or 0.0, last.no_speech_prob or 0.0, rules):
                return last
            tried += self._generate(features, tokenizer, prompt, [first.chunk], temperature)
        if not suspect(tried[-1].text, tried[-1].avg_logprob or 0.0, tried[-1].no_speech_prob or 0.0, rules):
            return tried[-1]
        limit = rules.compression_ratio
        varied = [attempt for attempt in tried if limit is None or (attempt.compression_ratio or 0.0) <= limit]
        return max(varied or tried, key=lambda attempt: attempt.avg_logprob or 0.0)

    def _generate(
        self,
        features: torch.Tensor,
        tokenizer: Tokenizer,
        prompt: list[int],
        chunks: Sequence[Chunk],
        temperature: float,
    ) -> list[Spoken]:
        how = (
            {"beam_size": 1, "num_hypotheses": BEST_OF, "sampling_topk": 0, "sampling_temperature": temperature}
            if temperature
            else {"beam_size": BEAM, "patience": 1}
        )
        results = self.model.model.generate(
            self.model.encode(features),
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
