"""WhisperX as it comes, with the same weights and settings as ours, to be measured beside it.

    python -m tests.programs.bench.peer AUDIO --model FOLDER … (the arguments of the `whisperx` command)

WhisperX cannot be told of our aligner on its command line and wants an ffmpeg program, so three names in it are
replaced: the decoder (PyAV), the aligner's loader, and `align` (words spelled in phonemes around the unmodified
function). The rest is its own.
"""

import importlib
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import onnxruntime
import torch

from tasks.models.weights import EMBEDDING_MODEL, SEGMENTATION

FIRST_SIGN = 0xE000  # of Unicode's private use area: one for each phoneme
UNKNOWN = "\uf8ff"
SHIFT = 2


class Result(NamedTuple):
    """What a run gives: segments as WhisperX has them, words, turns (start, end, speaker), seconds by step."""

    segments: list[dict[str, Any]]
    words: list[dict[str, Any]]
    turns: list[tuple[float, float, str]]
    seconds: dict[str, float]


class PhonemeModel(torch.nn.Module):
    """hama's phoneme model where WhisperX expects one of torchaudio's."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        path = Path(importlib.import_module("hama").__path__[0]) / "assets" / "asr_waveform_fp16.onnx"
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def forward(self, waveform: torch.Tensor, lengths: torch.Tensor | None = None) -> tuple[torch.Tensor, None]:
        samples = waveform.numpy().clip(-1, 1)
        feed = {"waveform": samples, "waveform_lengths": np.full(len(samples), samples.shape[1], np.int64)}
        found = torch.from_numpy(self.session.run(["log_probs"], feed)[0].astype(np.float32))
        return torch.cat([found[:, SHIFT:], found[:, -1:].repeat(1, SHIFT, 1)], 1), None


class Speller:
    """English words as one private character a phoneme, with hama's own grapheme-to-phoneme model."""

    def __init__(self) -> None:
        inference = importlib.import_module("hama.inference")
        vocabulary = importlib.import_module("hama.vocab").Vocabulary.load()
        self.model = inference.G2PModel(providers=["CPUExecutionProvider"])
        self.ids = {sign: index for index, sign in enumerate([*vocabulary.decoder, "<wb>", "<blank>"])}
        self.known: dict[str, list[str]] = {}

    def dictionary(self) -> dict[str, int]:
        signs = {chr(FIRST_SIGN + index): index for index in range(4, len(self.ids) - 2)}
        return signs | {"|": self.ids["<wb>"], "<pad>": self.ids["<blank>"]}

    def __call__(self, text: str) -> tuple[str, list[str]]:
        spelled: list[str] = []
        words: list[str] = []
        for word in text.split():
            core = re.sub(r"[^a-z']", "", word.lower().replace("’", "'")).strip("'")
            if core and core not in self.known:
                self.known[core] = [step.phoneme for step in self.model(core).alignments]
            phonemes = [chr(FIRST_SIGN + self.ids[p]) for p in self.known.get(core, []) if p in self.ids]
            if phonemes:
                spelled.append("".join(phonemes))
            elif re.search(r"\w", word):
                spelled.append(UNKNOWN * max(1, len(word) // 2))
            elif words:
                words[-1] += " " + word
                continue
            else:
                continue
            words.append(word)
        return " ".join(spelled), words


def load_audio(path: str, sr: int = 16_000) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The whole file at once, as WhisperX has it."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=sr)
    parts = []
    with av.open(path) as container:
        for frame in container.decode(audio=0):
            frame.pts = None
            parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
    parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    return np.concatenate(parts).astype(np.float32) / 32768.0


class Peer:
    """WhisperX's plain functions with the models loaded."""

    def __init__(self, models: Path, folder: Path, model: str = "base", threads: int = 0) -> None:
        prepare(models, folder)
        self.x = importlib.import_module("whisperx")
        self.alignment = importlib.import_module("whisperx.alignment")
        self.threads = threads or torch.get_num_threads()
        self.batch_size, self.weights = 8, models / model
        self.whisper = importlib.import_module("whisperx.asr").load_model(
            str(models / model), "cpu", compute_type="int8", threads=self.threads, vad_method="pyannote"
        )
        self.speller = Speller()
        self.phonemes = PhonemeModel(self.threads)
        self.facts = {"language": "en", "dictionary": self.speller.dictionary(), "type": "torchaudio"}
        self.diarization = importlib.import_module("whisperx.diarize").DiarizationPipeline(str(folder / "speakers"))

    def align(self, segments: list[dict[str, Any]], audio: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
        """whisperx.align, unmodified, once for each segment."""
        words: list[dict[str, Any]] = []
        for segment in segments:
            spelled, own = self.speller(segment["text"])
            if own:
                done = self.alignment.align([segment | {"text": spelled}], self.phonemes, self.facts, audio, "cpu")
                words += [placed | {"word": word} for placed, word in zip(done["word_segments"], own, strict=True)]
        return words

    def faster_whisper(self, path: Path) -> dict[str, str]:
        """The text of faster-whisper, one window after the other, and of its batched pipeline, as they come."""
        module = importlib.import_module("faster_whisper")
        model = module.WhisperModel(str(self.weights), device="cpu", compute_type="int8", cpu_threads=self.threads)
        batched = module.BatchedInferencePipeline(model)
        audio = load_audio(str(path))
        found = {
            "faster-whisper": model.transcribe(audio)[0],
            "batched": batched.transcribe(audio, batch_size=self.batch_size)[0],
        }
        return {name: " ".join(segment.text for segment in segments) for name, segments in found.items()}

    def run(self, path: Path, *, diarize: bool = True, language: str | None = None) -> Result:
        """The steps of its README, one after the other."""
        begun = time.perf_counter()
        seconds: dict[str, float] = {}

        def lap(name: str) -> None:
            nonlocal begun
            now = time.perf_counter()
            seconds[name], begun = now - begun, now

        audio = load_audio(str(path))
        lap("decode")
        found = self.whisper.transcribe(audio, batch_size=self.batch_size, language=language)["segments"]
        lap("transcribe")
        words = self.align(found, audio)
        lap("align")
        turns: list[tuple[float, float, str]] = []
        if diarize:
            heard = self.diarization(audio)
            self.x.assign_word_speakers(heard, {"segments": [{"start": 0, "end": 0, "words": words}]})
            turns = [(row.start, row.end, row.speaker) for row in heard.itertuples()]
        lap("diarize")
        return Result(found, words, turns, seconds)


def prepare(models: Path, folder: Path) -> None:
    """What WhisperX and pyannote want on disk: a pipeline with a PLDA that is never used, and the sentence splitter."""
    importlib.import_module("nltk.data").path.append(str(folder / "nltk"))
    speakers = folder / "speakers"
    if (speakers / "config.yaml").exists():
        return
    (speakers / "wespeaker").mkdir(parents=True, exist_ok=True)
    shutil.copy(models / EMBEDDING_MODEL, speakers / "wespeaker" / "campplus.onnx")
    shutil.copy(models / SEGMENTATION, speakers / "segmentation.bin")
    noise = np.random.default_rng(0)
    np.savez(
        speakers / "xvec_transform.npz",
        mean1=np.zeros(256), mean2=np.zeros(128), lda=noise.normal(size=(256, 128)),
    )  # fmt: skip
    np.savez(speakers / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(2, 1, 128))
    (speakers / "config.yaml").write_text(
        f"""version: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    segmentation: {speakers / "segmentation.bin"}
    segmentation_batch_size: 32
    embedding: {speakers / "wespeaker" / "campplus.onnx"}
    embedding_batch_size: 32
    plda: {speakers}
params:
  clustering: {{method: centroid, min_cluster_size: 12, threshold: 0.85}}
  segmentation: {{min_duration_off: 0.0}}
"""
    )
    punkt = importlib.import_module("punkt.data.english")
    place = folder / "nltk" / "tokenizers" / "punkt_tab" / "english"
    place.mkdir(parents=True, exist_ok=True)
    for name, lines in {
        "abbrev_types.txt": sorted(punkt.ABBREV_TYPES),
        "collocations.tab": ["\t".join(pair) for pair in sorted(punkt.COLLOCATIONS)],
        "sent_starters.txt": sorted(punkt.SENT_STARTERS),
        "ortho_context.tab": [f"{word}\t{bits}" for word, bits in punkt.ORTHO_CONTEXT.items()],
    }.items():
        (place / name).write_text("\n".join(lines), encoding="utf-8")


def command() -> None:
    """The `whisperx` command, in a new process like a user's."""
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    os.environ["HF_HUB_OFFLINE"] = "1"
    transcribe = importlib.import_module("whisperx.transcribe")
    diarize = importlib.import_module("whisperx.diarize")
    alignment = importlib.import_module("whisperx.alignment")
    speller = Speller()
    importlib.import_module("nltk.data").path.append(os.environ.get("BENCH_NLTK", ""))

    def load_align_model(*_: Any, **__: Any) -> tuple[PhonemeModel, dict[str, Any]]:
        threads = torch.get_num_threads()
        return PhonemeModel(threads), {"language": "en", "dictionary": speller.dictionary(), "type": "torchaudio"}

    def align(
        segments: list[dict[str, Any]], model: PhonemeModel, facts: dict[str, Any], audio: Any, device: str, **_: Any
    ) -> Any:
        done: list[dict[str, Any]] = []
        for segment in segments:
            spelled, own = speller(segment["text"])
            found = alignment.align([segment | {"text": spelled}], model, facts, audio, device)["word_segments"]
            placed = [place | {"word": word} for place, word in zip(found, own, strict=True)]
            done.append(segment | {"words": placed})
        return {"segments": done, "word_segments": [word for segment in done for word in segment["words"]]}

    for module in (transcribe, diarize):
        vars(module)["load_audio"] = load_audio
    vars(transcribe).update(load_align_model=load_align_model, align=align)
    importlib.import_module("whisperx.__main__").cli()


if __name__ == "__main__":
    sys.argv[0] = "whisperx"
    command()
