"""The speech engine over WhisperX and pyannote; `tasks.pipeline.engine.open_engine` is the way in."""

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version

import torch
from faster_whisper.tokenizer import _LANGUAGE_CODES
from whisperx.asr import WhisperModel

from db.domain.values import FeatureFacts, ModelFacts, Options, Provenance, Stage, WorkerFacts
from tasks.models import pack
from tasks.models.weights import EMBEDDING_MODEL, SEGMENTATION
from tasks.pipeline.recording import Recording
from tasks.pipeline.settings import SpeechSettings
from tasks.pipeline.types import (
    AlignmentSpan,
    Chunk,
    Hypothesis,
    ModelUnavailable,
    Report,
    SpeechEngine,
    Turn,
    WordSpan,
)
from tasks.pipeline.whisperx import aligners
from tasks.pipeline.whisperx.aligners import Aligner
from tasks.pipeline.whisperx.asr import Whisper
from tasks.pipeline.whisperx.characters import LANGUAGES, CharacterAligner
from tasks.pipeline.whisperx.diarizer import PACKED, Diarizer
from tasks.pipeline.whisperx.hardware import choose
from tasks.pipeline.whisperx.memory import spent
from tasks.pipeline.whisperx.phonemes import PhonemeAligner
from tasks.pipeline.whisperx.sources import Sources
from tasks.pipeline.whisperx.vad import VoiceDetector

LISTENERS = frozenset({"tiny", "base", "small"})
"""Models that tell the language of a recording to those that know only English: small and multilingual."""
PACKAGES = ("whisperx", "faster-whisper", "ctranslate2", "pyannote.audio", "torch", "onnxruntime", "hama", "av")


class WhisperXEngine(SpeechEngine):
    """The models, loaded when first needed and kept. One job at a time uses it."""

    def __init__(self, settings: SpeechSettings) -> None:
        self.settings = settings
        self.models, self.online = settings.models, settings.hub
        self.hardware = choose(settings)
        self.device, self.threads = self.hardware.device, self.hardware.threads
        self.sources = Sources(settings.models, online=settings.hub)
        self._lock = threading.RLock()
        self._whispers: dict[str, Whisper] = {}
        self._polyglot: Whisper | None = None  # tells languages apart for models that know only one
        self._aligners: dict[str, Aligner] = {}
        self._vad: VoiceDetector | None = None
        self._diarizer: Diarizer | None = None
        self._no_diarizer: ModelUnavailable | None = None

    def detect_speech(self, recording: Recording, options: Options) -> Iterator[tuple[float, float]]:
        """Return where somebody speaks, by the detector in the whisperx wheel."""
        return self._voice_detector()(recording, options)

    def detect_language(self, recording: Recording, chunk: Chunk, options: Options) -> dict[str, float]:
        """Return the probability of each language in a chunk, the likeliest first."""
        return self._listener(options.model).detect_language(recording, chunk)

    def detect_languages(
        self, recording: Recording, places: Sequence[tuple[float, float]], options: Options
    ) -> list[dict[str, float]]:
        """Return the same for places of some seconds."""
        return list(self._listener(options.model).detect_languages(recording, places))

    def languages(self, options: Options) -> frozenset[str] | None:
        """Return English for an English-only model, and None for one that knows all."""
        return None if self._whisper(options.model).multilingual else frozenset({"en"})

    def transcribe(
        self, recording: Recording, chunks: Iterable[Chunk], language: str, options: Options
    ) -> Iterator[Hypothesis]:
        """Return the words of each chunk, as soon as each batch is known."""
        try:
            yield from self._whisper(options.model).transcribe(recording, chunks, language, options)
        except MemoryError:
            self._whispers.clear()  # so that the next job begins anew: by then others may have given memory back
            raise

    def align(
        self, recording: Recording, spans: Sequence[AlignmentSpan], language: str
    ) -> Iterator[Sequence[WordSpan | None]]:
        """Return the place of each word, by the aligner of the language."""
        return aligners.align(self._aligner(language), recording, spans, self.threads)

    def extract_embeddings(self, recording: Recording, speech: Iterable[tuple[float, float]], report: Report) -> bytes:
        """Return what diarization needs to know of the speakers."""
        return self._speakers().extract_embeddings(recording, speech, report)

    def diarize(self, embeddings: bytes, options: Options) -> list[Turn]:
        """Return the turns of the speakers."""
        return self._speakers().cluster(embeddings, options)

    def provenance(self, options: Options, languages: Collection[str]) -> Provenance:
        """Exact models, device and versions."""
        whisper = self._whispers.get(options.model)
        aligners_used = [self._aligners[language].exact for language in languages if language in self._aligners]
        return Provenance(
            asr_model=whisper.exact if whisper else self._exact(options.model),
            align_model=(", ".join(aligners_used) or None) if options.align else None,
            diarization_model=self._diarizer.exact if self._diarizer and options.diarize else None,
            device=self.device,
            compute_type=whisper.compute_type if whisper else self.hardware.compute_types[0],
            software={name: version(name) for name in PACKAGES},
        )

    def _exact(self, name: str) -> str:
        try:
            return self.sources.find(name).exact
        except ModelUnavailable:  # an earlier attempt had it, somewhere else
            return name

    def check(self, model: str) -> None:
        """Look whether this model is there and whole; one of the hub is fetched."""
        self.sources.own = model
        self.sources.find(model)

    def preload(self, model: str) -> None:
        """Load everything that a job with this model in English needs, so that the first job does not wait."""
        self.load(Options(model=model), (Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE), "en", lambda _: None)

    def load(self, options: Options, stages: Collection[Stage], language: str, report: Report) -> None:
        """Load what these stages need. The voice detector serves all of them."""
        self._voice_detector()
        for done, stage in enumerate(stages, 1):
            if stage is Stage.TRANSCRIBE:
                self._whisper(options.model)
                if options.language is None:
                    self._listener(options.model)
            else:
                with suppress(ModelUnavailable, MemoryError):  # a transcript comes about without it
                    self._aligner(language) if stage is Stage.ALIGN else self._speakers()
            report(done / len(stages))

    def facts(self, default_model: str) -> WorkerFacts:
        """Return the models that are there, and whether speakers can be told apart."""
        return WorkerFacts(
            models=tuple(
                ModelFacts(
                    name=name,
                    languages=("en",) if name.endswith(".en") else tuple(sorted(_LANGUAGE_CODES)),
                    loaded=name in self._whispers,
                    default=name == default_model,
                )
                for name in dict.fromkeys([*self.sources.here(), default_model, *self._whispers])
            ),
            any_model=self.online,
            alignment_languages=tuple(sorted(LANGUAGES)) if self.online else (PhonemeAligner.language,),
            diarization=self._diarization(),
        )

    def _diarization(self) -> FeatureFacts:
        """Return what is known of it: as it was when last loaded, and before that, what lies on the disk."""
        missing = self._no_diarizer
        if self._diarizer is None and missing is None and not self.settings.diarization:
            missing = self._packed_diarizer()
        if missing is not None:
            return FeatureFacts(available=False, reason=f"{missing.message} {missing.remedy}")
        return FeatureFacts(available=True, model=self.settings.diarization or PACKED)

    def _packed_diarizer(self) -> ModelUnavailable | None:
        faults = pack.faults(self.models, "diarization")
        if not faults:
            return None
        return ModelUnavailable(f"The diarization models are not whole: {'; '.join(faults)}.", "Run `make models`.")

    def _voice_detector(self) -> VoiceDetector:
        with self._lock:
            if self._vad is None:
                with _loading("voice detector"):
                    self._vad = VoiceDetector(torch.device(self.device))
            return self._vad

    def _whisper(self, name: str) -> Whisper:
        with self._lock:
            if name not in self._whispers:
                self._whispers.clear()  # one recognition model at a time: memory stays that of the largest
                self._whispers[name] = self._loaded(name)
            return self._whispers[name]

    def _loaded(self, name: str) -> Whisper:
        folder, exact = self.sources.find(name)
        workers = self.hardware.workers

        def load(compute_type: str) -> WhisperModel:
            return WhisperModel(
                str(folder),
                device=self.device,
                compute_type=compute_type,
                cpu_threads=self.threads // workers,
                num_workers=workers,
            )

        with _loading(f"recognition model “{name}”"):
            return Whisper(
                load,
                exact,
                compute_types=self.hardware.compute_types,
                batch_size=self.hardware.batch_size // workers,
                workers=workers,
            )

    def _listener(self, name: str) -> Whisper:
        """Return the model that tells languages apart: this one, or another of the pack where it knows only one."""
        whisper = self._whisper(name)
        if whisper.multilingual:
            return whisper
        with self._lock:
            if self._polyglot is None:
                here = [other for other in self.sources.here() if other in LISTENERS]
                self._polyglot = self._loaded(here[0]) if here else whisper
            return self._polyglot

    def _aligner(self, language: str) -> Aligner:
        with self._lock:
            if language not in self._aligners:
                self._aligners[language] = self._load_aligner(language)
            return self._aligners[language]

    def _load_aligner(self, language: str) -> Aligner:
        if language == PhonemeAligner.language:
            with _loading("English aligner", "Install the package hama again, of the version in the requirements."):
                return PhonemeAligner(self.threads)
        if language not in LANGUAGES:
            raise ModelUnavailable(
                f"There is no aligner for the language “{language}”.",
                "Whisper's own attention times its words, to about a tenth of a second.",
            )
        return CharacterAligner(language, self.device, self.models / "hub", online=self.online)

    def _speakers(self) -> Diarizer:
        with self._lock:
            if self._diarizer is None:
                try:
                    self._diarizer, self._no_diarizer = self._load_diarizer(), None
                except ModelUnavailable as missing:
                    self._no_diarizer = missing
                    raise
            return self._diarizer

    def _load_diarizer(self) -> Diarizer:
        device = torch.device(self.device)
        if name := self.settings.diarization:
            return Diarizer.from_pretrained(name, device, self.threads, self.models / "hub", online=self.online)
        missing = self._packed_diarizer()
        if missing is not None:
            raise missing
        with _loading("diarization models"):
            return Diarizer.from_pack(self.models / SEGMENTATION, self.models / EMBEDDING_MODEL, device, self.threads)


@contextmanager
def _loading(what: str, remedy: str = "Run `make models`, which fetches what is damaged again.") -> Iterator[None]:
    """Weights that are damaged fail in as many ways as there are libraries; here they become one."""
    try:
        yield
    except ModelUnavailable:
        raise
    except Exception as error:
        if spent(error):
            raise MemoryError from error
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(f"The {what} could not be loaded: {said}", remedy) from error
