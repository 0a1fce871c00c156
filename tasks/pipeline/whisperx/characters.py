"""WhisperX's own aligners for other languages: wav2vec2 models from the hub or torchaudio, spelled in characters."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from whisperx.alignment import DEFAULT_ALIGN_MODELS_HF, DEFAULT_ALIGN_MODELS_TORCH, load_align_model

from tasks.pipeline.ctc import Emission
from tasks.pipeline.recording import Waveform
from tasks.pipeline.sentences import LANGUAGES_WITHOUT_SPACES
from tasks.pipeline.types import ModelUnavailable
from tasks.pipeline.whisperx.aligners import WILDCARD

LANGUAGES = DEFAULT_ALIGN_MODELS_TORCH | DEFAULT_ALIGN_MODELS_HF
SHORTEST = 400  # samples; wav2vec2 needs as many


class CharacterAligner:
    """A wav2vec2 model for one language, as WhisperX chooses it."""

    def __init__(self, language: str, device: str, cache: Path) -> None:
        self.language, self.name, self.device = language, LANGUAGES[language], device
        try:
            self.model, facts = load_align_model(language, device, model_dir=str(cache))
        except Exception as error:  # the hub's client raises dozens of kinds; all mean: not to be had
            raise ModelUnavailable(
                f"The aligner {self.name} could not be loaded: {error}",
                "Check the network and HF_TOKEN, then run ALIGN again.",
            ) from error
        self.dictionary: dict[str, int] = facts["dictionary"]
        self.torchaudio = facts["type"] == "torchaudio"
        self.blank = next((code for sign, code in self.dictionary.items() if sign in ("[pad]", "<pad>")), 0)
        self.separator = None if language in LANGUAGES_WITHOUT_SPACES else self.dictionary.get("|", WILDCARD)

    def emission(self, audio: Waveform) -> Emission:
        """Log-probabilities for each 20 ms."""
        waveform = torch.from_numpy(np.pad(audio, (0, max(0, SHORTEST - audio.size))))[None].to(self.device)
        with torch.inference_mode():
            logits = self.model(waveform)[0] if self.torchaudio else self.model(waveform).logits
            found: Emission = torch.log_softmax(logits, dim=-1)[0].cpu().numpy()
        return found

    def spell(self, words: Sequence[str]) -> list[list[int]]:
        """Each word's characters; those that the model does not know are wildcards."""
        return [[self.dictionary.get(sign, WILDCARD) for sign in word.lower()] for word in words]
