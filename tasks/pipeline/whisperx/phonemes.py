"""The offline aligner for English: a phoneme CTC model and a grapheme-to-phoneme model, both out of the hama wheel."""

import re
from collections.abc import Sequence
from pathlib import Path

import hama
import numpy as np
import onnxruntime
from hama.tokenizer import TextTokenizer
from hama.vocab import Vocabulary

from tasks.models.pack import sha256
from tasks.pipeline.alignment.ctc import Emission
from tasks.pipeline.alignment.pronunciation import spoken
from tasks.pipeline.recording import Waveform
from tasks.pipeline.whisperx.aligners import WILDCARD
from tasks.pipeline.whisperx.attention import fused

ASSETS = Path(hama.__file__).parent / "assets"
WEIGHTS = ASSETS / "asr_waveform_fp16.onnx"
LATE = 2  # frames of 20 ms by which this model speaks after the speaker, as measured against hand-placed boundaries
SHORTEST = 400  # samples; the network needs as many
LONGEST_WORD = 128
MOST_PHONEMES = 32


class PhonemeAligner:
    """Emissions over phonemes, and words spelled in them."""

    name = "hama-1.3.13/asr_waveform_fp16"
    language = "en"

    def __init__(self, threads: int) -> None:
        self.exact = f"{self.name}@sha256:{sha256(WEIGHTS)}"
        self.session = opened(fused(WEIGHTS), 1)
        phonemes = [*Vocabulary.load().decoder, "<wb>", "<blank>"]
        self.ids = {phoneme: index for index, phoneme in enumerate(phonemes)}
        self.blank, self.separator = self.ids["<blank>"], self.ids["<wb>"]
        self.pronounce = Pronouncer(threads)

    def emission(self, audio: Waveform) -> Emission:
        """Log-probabilities for each 20 ms, moved to where the speech is."""
        padded = np.pad(audio, (0, max(0, SHORTEST - audio.size))).clip(-1, 1)[None]
        feed = {"waveform": padded, "waveform_lengths": np.array([padded.shape[1]], np.int64)}
        found: Emission = self.session.run(["log_probs"], feed)[0][0].astype(np.float32)
        found -= np.logaddexp.reduce(found, axis=1, keepdims=True)
        late = min(LATE, len(found) - 1)
        return np.concatenate([found[late:], np.repeat(found[-1:], late, axis=0)])

    def spell(self, words: Sequence[str]) -> list[list[int]]:
        """Return each word's phonemes; a number is told in words, a foreign word is a wildcard, punctuation nothing."""
        said = [[core for part in parts if (core := _core(part))] for parts in spoken(words, self.language)]
        pronounced = self.pronounce([core for cores in said for core in cores])
        return [self._phonemes(word, cores, pronounced) for word, cores in zip(words, said, strict=True)]

    def _phonemes(self, word: str, cores: Sequence[str], pronounced: dict[str, tuple[str, ...]]) -> list[int]:
        """Return the phonemes of all that is said for a word, with the sign between words where it is more than one."""
        tokens: list[int] = []
        for core in cores:
            own = [self.ids[phoneme] for phoneme in pronounced.get(core, ()) if phoneme in self.ids]
            tokens += [self.separator, *own] if tokens and own else own
        return tokens or ([WILDCARD] * max(1, len(word) // 2) if re.search(r"\w", word) else [])


def _core(word: str) -> str:
    return re.sub(r"[^a-z']", "", word.lower().replace("’", "'")).strip("'")


class Pronouncer:
    """English words to phonemes, many at a time, each only once."""

    def __init__(self, threads: int) -> None:
        self.encoder = opened((ASSETS / "encoder.onnx").read_bytes(), threads)
        self.decoder = opened((ASSETS / "decoder_step.onnx").read_bytes(), threads)
        self.vocabulary = Vocabulary.load()
        self.tokens = TextTokenizer(self.vocabulary, LONGEST_WORD)
        self.known: dict[str, tuple[str, ...]] = {}

    def __call__(self, words: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the phonemes of each word, as the model says them."""
        new = sorted({word for word in words if word not in self.known}, key=len)
        for first in range(0, len(new), 64):
            batch = new[first : first + 64]
            self.known.update(zip(batch, self._decode(batch), strict=True))
        return self.known

    def _decode(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        encoded = [self.tokens.encode(word) for word in words]
        longest = max(item.length for item in encoded)
        ids = np.stack([item.ids[:longest] for item in encoded])
        names = ["encoder_outputs", "projected_keys", "hidden", "encoder_mask", "prev_attn"]
        lengths = np.array([item.length for item in encoded], np.int64)
        state = dict(zip(names, self.encoder.run(names, {"input_ids": ids, "input_lengths": lengths}), strict=True))
        state["positions"] = np.arange(state["encoder_outputs"].shape[1], dtype=np.float32)[None]
        last = np.full((len(words), 1), self.vocabulary.sos_id, np.int64)
        said: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
        ended = np.zeros(len(words), np.bool_)
        while len(said) < MOST_PHONEMES and not ended.all():
            token, state["hidden"], state["prev_attn"] = self.decoder.run(
                ["next_token_ids", "hidden_out", "prev_attn_out"], state | {"decoder_input_ids": last}
            )
            last = token.reshape(-1, 1)
            said.append(last[:, 0])
            ended |= last[:, 0] == self.vocabulary.eos_id
        return [self._phonemes(row) for row in np.stack(said, axis=1).tolist()]

    def _phonemes(self, ids: Sequence[int]) -> tuple[str, ...]:
        end = self.vocabulary.eos_id
        said = ids[: ids.index(end)] if end in ids else ids
        silent = {self.vocabulary.pad_id, self.vocabulary.sos_id}
        return tuple(self.vocabulary.decoder[token] for token in said if token not in silent)


def opened(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Return a model, ready to run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
