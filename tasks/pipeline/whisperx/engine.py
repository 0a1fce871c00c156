"""The speech engine over WhisperX and pyannote; `tasks.pipeline.engine.open_engine` is the way in."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import ctranslate2
import torch
from faster_whisper.tokenizer import _LANGUAGE_CODES

from db.values import FeatureFacts, ModelFacts, Options, Provenance, WorkerFacts
from tasks import pack
from tasks.pipeline.recording import Recording, Waveform
from tasks.pipeline.settings import SpeechSettings
from tasks.pipeline.types import Chunk, ModelUnavailable, Passage, Place, Report, SpeechEngine, Spoken, Turn
from tasks.pipeline.whisperx import aligners
from tasks.pipeline.whisperx.aligners import Aligner
from tasks.pipeline.whisperx.asr import Whisper
from tasks.pipeline.whisperx.characters import LANGUAGES, CharacterAligner
from tasks.pipeline.whisperx.memory import spent
from tasks.pipeline.whisperx.phonemes import PhonemeAligner
from tasks.pipeline.whisperx.vad import VoiceDetector
from tasks.pipeline.whisperx.voiceprints import Diarizer
from tasks.weights import SEGMENTATION, VOICEPRINTS, names

PACKAGES = ("whisperx", "faster-whisper", "ctranslate2", "pyannote.audio", "torch", "onnxruntime", "hama", "av")


class WhisperXEngine(SpeechEngine):
    """The models, loaded when first needed and kept. One job at a time uses it."""

    def __init__(self, settings: SpeechSettings) -> None:
        self.settings = settings
        self.models, self.online = settings.models, settings.hub
        cuda = ctranslate2.get_cuda_device_count() > 0
        self.device = settings.device if settings.device != "auto" else "cuda" if cuda else "cpu"
        self.compute_type = settings.compute_type if settings.compute_type != "auto" else _compute_type(self.device)
        self.batch_size = settings.batch_size or (16 if self.device == "cuda" else 8)
        self.threads = settings.threads or torch.get_num_threads()
        self._lock = threading.RLock()
        self._whispers: dict[str, Whisper] = {}
        self._aligners: dict[str, Aligner] = {}
        self._vad: VoiceDetector | None = None
        self._diarizer: Diarizer | None = None

    def voices(self, recording: Recording) -> Iterator[tuple[float, float]]:
        """Where somebody speaks, by the detector in the whisperx wheel."""
        with self._lock:
            self._vad = self._vad or VoiceDetector(torch.device(self.device))
        return self._vad(recording)

    def detect_language(self, audio: Waveform, options: Options) -> tuple[str, float]:
        """The language of up to 30 s of speech, and its probability."""
        return self._whisper(options.model).detect_language(audio)

    def transcribe(
        self, recording: Recording, chunks: Sequence[Chunk], language: str, options: Options
    ) -> Iterator[Spoken]:
        """The words spoken in each chunk, as soon as each batch is known."""
        return self._whisper(options.model).transcribe(recording, chunks, language, options)

    def align(
        self, recording: Recording, passages: Sequence[Passage], language: str
    ) -> Iterator[Sequence[Place | None]]:
        """Where each word is, by the aligner of the language."""
        return aligners.align(self._aligner(language), recording, passages, self.threads)

    def voiceprints(self, recording: Recording, report: Report) -> bytes:
        """What diarization needs to know of the voices."""
        return self._speakers().listen(recording, report)

    def diarize(self, voiceprints: bytes, options: Options) -> list[Turn]:
        """Who speaks when."""
        return self._speakers().cluster(voiceprints, options)

    def provenance(self, options: Options, language: str | None) -> Provenance:
        """Exact models, device and versions."""
        aligner = self._aligners.get(language or "") if options.align else None
        return Provenance(
            asr_model=self._described(options.model),
            align_model=aligner.name if aligner else None,
            diarization_model=self._diarizer.name if self._diarizer and options.diarize else None,
            device=self.device,
            compute_type=self.compute_type,
            software={name: version(name) for name in PACKAGES},
        )

    def preload(self, model: str) -> None:
        """Load everything that a job with this model in English needs, so that the first job does not wait."""
        self._whisper(model)
        for optional in (lambda: self._aligner("en"), self._speakers):
            with suppress(ModelUnavailable):  # a transcript comes about without it, and `facts` tell of it
                optional()
        with self._lock:
            self._vad = self._vad or VoiceDetector(torch.device(self.device))

    def facts(self, default_model: str) -> WorkerFacts:
        """The models that are there, and whether speakers can be told apart."""
        try:
            diarization = FeatureFacts(available=True, model=self._speakers().name)
        except ModelUnavailable as missing:
            diarization = FeatureFacts(available=False, reason=f"{missing.message} {missing.remedy}")
        here = [name for name in names() if (self.models / name / "model.bin").is_file()]
        return WorkerFacts(
            models=tuple(
                ModelFacts(
                    name=name,
                    languages=("en",) if name.endswith(".en") else tuple(sorted(_LANGUAGE_CODES)),
                    loaded=name in self._whispers,
                    default=name == default_model,
                )
                for name in dict.fromkeys([*here, *self._whispers])
            ),
            any_model=self.online,
            alignment_languages=tuple(sorted(LANGUAGES)) if self.online else (PhonemeAligner.language,),
            diarization=diarization,
        )

    def unload(self) -> None:
        """Give all memory back; the next job loads again."""
        with self._lock:
            self._whispers.clear()
            self._aligners.clear()
            self._vad = self._diarizer = None
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _whisper(self, name: str) -> Whisper:
        with self._lock:
            if name not in self._whispers:
                self._whispers.clear()  # one recognition model at a time: memory stays that of the largest
                source = self._source(name)
                with _loading(f"recognition model “{name}”"):
                    self._whispers[name] = Whisper(
                        source,
                        device=self.device,
                        compute_type=self.compute_type,
                        batch_size=self.batch_size,
                        threads=self.threads,
                        cache=self.models / "hub",
                    )
            return self._whispers[name]

    def _source(self, name: str) -> str | Path:
        """A model of the pack, a folder, or a name on the hub."""
        for folder in (self.models / name, Path(name)):
            if (folder / "model.bin").is_file():
                return folder
        if name in names() or not self.online:
            raise ModelUnavailable(
                f"The recognition model “{name}” is not there.",
                "Run `make models`, give the folder of a CTranslate2 model, or allow the hub with GRAPHOPHONE_HUB=1.",
            )
        return name

    def _aligner(self, language: str) -> Aligner:
        with self._lock:
            if language not in self._aligners:
                self._aligners[language] = self._load_aligner(language)
            return self._aligners[language]

    def _load_aligner(self, language: str) -> Aligner:
        if language == PhonemeAligner.language:
            return PhonemeAligner(self.threads)
        if language not in LANGUAGES:
            raise ModelUnavailable(
                f"There is no aligner for the language “{language}”.", "Word times are estimated; nothing else is lost."
            )
        if not self.online:
            raise ModelUnavailable(
                f"The aligner for “{language}” is not in the offline pack.", "Allow the hub with GRAPHOPHONE_HUB=1."
            )
        return CharacterAligner(language, self.device, self.models / "hub")

    def _speakers(self) -> Diarizer:
        with self._lock:
            self._diarizer = self._diarizer or self._load_diarizer()
            return self._diarizer

    def _load_diarizer(self) -> Diarizer:
        device = torch.device(self.device)
        if self.settings.diarization:
            return Diarizer.from_pretrained(self.settings.diarization, device, self.threads, self.models / "hub")
        missing = [name for name in (SEGMENTATION, VOICEPRINTS) if not (self.models / name).is_file()]
        if missing:
            raise ModelUnavailable(
                f"The diarization models are not there ({', '.join(missing)}).", "Run `make models`."
            )
        with _loading("diarization models"):
            return Diarizer.from_pack(self.models / SEGMENTATION, self.models / VOICEPRINTS, device, self.threads)

    def _described(self, name: str) -> str:
        weights = self.models / name / "model.bin"
        return f"{name}@sha256:{pack.sha256(weights)}" if weights.is_file() else name


@contextmanager
def _loading(what: str) -> Iterator[None]:
    """Weights that are damaged fail in as many ways as there are libraries; here they become one."""
    try:
        yield
    except (RuntimeError, ValueError, OSError, EOFError, KeyError) as error:
        if spent(error):
            raise MemoryError from error
        raise ModelUnavailable(
            f"The {what} could not be loaded: {str(error).splitlines()[0]}",
            "Run `make models`, which fetches what is damaged again.",
        ) from error


def _compute_type(device: str) -> str:
    """The fastest type that the device computes in without a loss that one hears of."""
    supported = ctranslate2.get_supported_compute_types(device)
    wanted = ("float16", "int8_float16", "float32") if device == "cuda" else ("int8", "float32")
    return next(kind for kind in wanted if kind in supported)
