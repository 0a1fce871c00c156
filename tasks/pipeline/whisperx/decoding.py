"""A batch of chunks through Whisper: encoded, decoded, decoded again where the text is suspect, and timed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from ctranslate2 import DataType, Device, StorageView
from msgspec.structs import replace
from whisperx.asr import WhisperModel
from whisperx.audio import N_SAMPLES, log_mel_spectrogram

from db.domain.values import Options, Rules
from tasks.pipeline.recognition.hallucination import compression_ratio, suspect
from tasks.pipeline.recording import SAMPLE_RATE, Waveform
from tasks.pipeline.types import Chunk, Hypothesis, Token
from tasks.pipeline.whisperx import attention_times
from tasks.pipeline.whisperx.prompts import Prompts

Encoded = np.ndarray[tuple[int, int, int], np.dtype[np.float32]]
"""Of each piece of 30 s, 1500 frames of as many numbers as the model is wide."""

BEST_OF = 5  # samples drawn at a temperature above zero


class Decoded(NamedTuple):
    """A hypothesis and the tokens that it was read from."""

    hypothesis: Hypothesis
    tokens: list[int]


class Decoding:
    """A job's options for the recogniser; it knows nothing of batches and of memory."""

    def __init__(self, model: WhisperModel, prompts: Prompts, options: Options) -> None:
        self.model, self.prompts, self.options = model, prompts, options

    def hypotheses(self, encoded: Encoded, chunks: Sequence[Chunk]) -> list[Hypothesis]:
        """Return the text of each chunk, timed."""
        found = [
            self._again(encoded[index : index + 1], first)
            for index, first in enumerate(self._generate(encoded, chunks, 0.0))
        ]
        return [self._timed(encoded[index : index + 1], decoded) for index, decoded in enumerate(found)]

    def _again(self, encoded: Encoded, first: Decoded) -> Decoded:
        """Decode a suspect chunk at higher temperatures until the text convinces; else keep the likeliest attempt."""
        rules, tried = self.options.rules, [first]
        for temperature in rules.temperatures[1:]:
            if not _suspect(tried[-1], rules):
                return tried[-1]
            tried += self._generate(encoded, [first.hypothesis.chunk], temperature)
        if not _suspect(tried[-1], rules):
            return tried[-1]
        limit = rules.compression_ratio
        varied = [one for one in tried if limit is None or (one.hypothesis.compression_ratio or 0.0) <= limit]
        return max(varied or tried, key=lambda one: one.hypothesis.avg_logprob or 0.0)

    def _generate(self, encoded: Encoded, chunks: Sequence[Chunk], temperature: float) -> list[Decoded]:
        how = (
            {"beam_size": 1, "num_hypotheses": BEST_OF, "sampling_topk": 0, "sampling_temperature": temperature}
            if temperature
            else {"beam_size": self.options.beam_size, "patience": 1}
        )
        results = self.model.model.generate(
            StorageView.from_array(encoded),
            [self.prompts.tokens(chunk) for chunk in chunks],
            max_length=self.model.max_length,
            suppress_blank=True,
            suppress_tokens=[-1, *(self.prompts.numerals if self.options.suppress_numerals else ())],
            return_scores=True,
            return_no_speech_prob=True,
            **how,
        )
        decoded = []
        for chunk, result in zip(chunks, results, strict=True):
            tokenizer = self.prompts.tokenizer(chunk)
            tokens = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
            text = tokenizer.tokenizer.decode(tokens)
            length = len(result.sequences_ids[0])
            hypothesis = Hypothesis(
                chunk=chunk,
                text=text,
                avg_logprob=result.scores[0] * length / (length + 1),
                no_speech_prob=result.no_speech_prob,
                compression_ratio=compression_ratio(text.strip()),
                temperature=temperature,
            )
            decoded.append(Decoded(hypothesis, tokens))
        return decoded

    def _timed(self, encoded: Encoded, decoded: Decoded) -> Hypothesis:
        """Return the hypothesis with its tokens where Whisper's attention saw them."""
        hypothesis, tokens = decoded
        if not tokens:
            return hypothesis
        chunk = hypothesis.chunk
        tokenizer, seconds = self.prompts.tokenizer(chunk), min(chunk.end - chunk.start, N_SAMPLES / SAMPLE_RATE)
        placed = attention_times.timed(self.model.model, StorageView.from_array(encoded), tokenizer, tokens, seconds)
        return replace(hypothesis, tokens=tuple(_moved(token, chunk.start) for token in placed))


def encode(model: WhisperModel, waveforms: Sequence[Waveform], mels: int, silence: float | None = None) -> Encoded:
    """Return what the encoder makes of each piece; on a processor one by one: a batch is no faster there.

    Each is filled up to 30 s with silence, as Whisper was trained, or followed by so many seconds of it.
    """
    features = torch.stack([_features(waveform[:N_SAMPLES], mels, silence) for waveform in waveforms])
    parts = torch.split(features, 1 if model.model.device == "cpu" else len(features))
    encoded = [model.encode(part).to_device(Device.cpu).to(DataType.float32) for part in parts]
    return np.concatenate([np.array(part) for part in encoded])


def _features(waveform: Waveform, mels: int, silence: float | None) -> torch.Tensor:
    padding = N_SAMPLES - waveform.shape[0] if silence is None else int(silence * SAMPLE_RATE)
    features: torch.Tensor = log_mel_spectrogram(waveform, n_mels=mels, padding=padding)
    return features[..., : features.shape[-1] // 2 * 2]  # the encoder takes two frames at a time


def _suspect(decoded: Decoded, rules: Rules) -> bool:
    hypothesis = decoded.hypothesis
    return suspect(hypothesis.text, hypothesis.avg_logprob or 0.0, hypothesis.no_speech_prob or 0.0, rules)


def _moved(token: Token, by: float) -> Token:
    return replace(token, start=by + token.start, end=by + token.end)
