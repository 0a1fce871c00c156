"""WhisperX's own aligners for other languages: wav2vec2 models from the hub or torchaudio, spelled in characters."""

import logging
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from whisperx.alignment import DEFAULT_ALIGN_MODELS_HF, DEFAULT_ALIGN_MODELS_TORCH, load_align_model

from tasks.pipeline.alignment.ctc import Emission
from tasks.pipeline.alignment.pronunciation import spoken
from tasks.pipeline.recognition.sentences import LANGUAGES_WITHOUT_SPACES
from tasks.pipeline.recording import Waveform
from tasks.pipeline.types import ModelUnavailable
from tasks.pipeline.whisperx import hub
from tasks.pipeline.whisperx.aligners import WILDCARD
from tasks.pipeline.whisperx.memory import give_back, spent

LANGUAGES = DEFAULT_ALIGN_MODELS_TORCH | DEFAULT_ALIGN_MODELS_HF
FILES = ("*.json", "*.txt", "*.model", "pytorch_model*.bin", "model*.safetensors")
SHORTEST = 400  # samples; wav2vec2 needs as many

log = logging.getLogger(__name__)


class CharacterAligner:
    """A wav2vec2 model for one language, as WhisperX chooses it."""

    def __init__(self, language: str, device: str, cache: Path, *, online: bool) -> None:
        self.language, self.name, self.device = language, LANGUAGES[language], device
        self.exact, source = self.name, None
        if language not in DEFAULT_ALIGN_MODELS_TORCH:
            try:
                folder = hub.fetch(self.name, cache, FILES, online=online)
            except ModelUnavailable as missing:
                raise missing if online else _not_here(language) from missing
            self.exact, source = f"{self.name}@{folder.name}", str(folder)
        elif not online:
            raise _not_here(language)
        try:
            self.model, facts = load_align_model(language, device, source, model_dir=str(cache))
        except Exception as error:  # as many kinds as there are libraries in it
            if spent(error):
                raise MemoryError from error
            raise ModelUnavailable(
                f"The aligner {self.name} could not be loaded: {error}",
                "Check the network and the models' folder, then run ALIGN again.",
            ) from error
        self._alone = threading.Lock()  # a GPU gains nothing from many at once
        self.dictionary: dict[str, int] = facts["dictionary"]
        self.torchaudio = facts["type"] == "torchaudio"
        self.blank = next((code for sign, code in self.dictionary.items() if sign in ("[pad]", "<pad>")), 0)
        self.separator = None if language in LANGUAGES_WITHOUT_SPACES else self.dictionary.get("|", WILDCARD)

    def emission(self, audio: Waveform) -> Emission:
        """Log-probabilities for each 20 ms."""
        with self._alone if self.device != "cpu" else nullcontext():
            try:
                return self._emission(audio)
            except Exception as error:
                if not spent(error):
                    raise
                if self.device == "cpu":
                    raise MemoryError from error
            log.warning("out of memory while aligning on %s; from now on on the processor", self.device)
            self.device, self.model = "cpu", self.model.to("cpu")
            give_back()
            return self._emission(audio)

    def _emission(self, audio: Waveform) -> Emission:
        waveform = torch.from_numpy(np.pad(audio, (0, max(0, SHORTEST - audio.size))))[None].to(self.device)
        with torch.inference_mode():
            logits = self.model(waveform)[0] if self.torchaudio else self.model(waveform).logits
            found: Emission = torch.log_softmax(logits, dim=-1)[0].cpu().numpy()
        return found

    def spell(self, words: Sequence[str]) -> list[list[int]]:
        """Return each word's characters, of a number those of its words; unknown ones are wildcards."""
        said = [("|" if self.separator is not None else "").join(parts) for parts in spoken(words, self.language)]
        return [[self.dictionary.get(sign, WILDCARD) for sign in word.lower()] for word in said]


def _not_here(language: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The aligner for “{language}” is not in the offline pack: Whisper's own attention times its words.",
        "Allow the hub with GRAPHOPHONE_HUB=1, then run ALIGN again.",
    )
