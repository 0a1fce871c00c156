"""The speech pipeline beside WhisperX, with the same weights and settings, in one run.

    python -m tests.programs.bench.speech [text words speakers align warm long command memory rerun …]

Each line is a ratio or a figure with its limit; exit 1 when one is missed. Recordings come out of pyannote.audio's
wheel and, where it is there, from a folder of recordings with ground truth (GRAPHOPHONE_TRUTH, else ../shared/audio).
"""

import importlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import jiwer
import numpy as np
from pyannote.core import Annotation
from pyannote.core import Segment as Stretch
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from db.domain.values import Options, Segment, Word
from tasks import pipeline
from tasks.decoding.decode import decode
from tasks.pipeline.engine import open_engine
from tasks.pipeline.recording import Recording
from tasks.pipeline.settings import SpeechSettings
from tasks.pipeline.types import (
    AlignmentSpan,
    Completed,
    Failed,
    SegmentsRevised,
    SpeechEngine,
    Turn,
    Update,
    WindowTranscribed,
    Work,
)
from tests.programs.bench.peer import Peer
from tests.tasks.pipeline.recordings import repeat

MODELS = Path(os.environ.get("GRAPHOPHONE_MODELS", "data/models")).absolute()
TRUTH = Path(os.environ.get("GRAPHOPHONE_TRUTH", "../shared/audio"))
COLLAR = 0.5  # pyannote.metrics counts both sides: 0.25 s around each boundary


class Ours(NamedTuple):
    """What a run of ours gives."""

    segments: list[Segment]
    seconds: float
    stages: dict[str, float]
    scratch: Path

    @property
    def words(self) -> list[Word]:
        """All words, in order."""
        return [word for segment in self.segments for word in segment.words]


class Bench:
    """Both systems with their models loaded, made when first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.missed: list[str] = []
        self._engine: SpeechEngine | None = None
        self._peer: Peer | None = None
        self.plain: Callable[[str], str] = EnglishTextNormalizer({})  # type: ignore[no-untyped-call]  # Whisper's own

    @property
    def engine(self) -> SpeechEngine:
        """Ours."""
        self._engine = self._engine or open_engine(SpeechSettings(models=MODELS))
        return self._engine

    @property
    def peer(self) -> Peer:
        """Theirs."""
        self._peer = self._peer or Peer(MODELS, self.folder / "peer")
        return self._peer

    def run(self, path: Path, **options: Any) -> Ours:
        """A job from the file to the last update."""
        scratch = Path(tempfile.mkdtemp(dir=self.folder))
        found: dict[str, Segment] = {}
        last: list[Update] = []

        def emit(update: Update) -> None:
            if isinstance(update, WindowTranscribed | SegmentsRevised):
                found.update({segment.key: segment for segment in update.segments})
            last[:] = [update]

        begun = time.perf_counter()
        work = Work(
            source=str(path), scratch=str(scratch), options=Options(model="base", **options), max_seconds=40_000
        )
        pipeline.run(work, self.engine, emit)
        seconds = time.perf_counter() - begun
        if isinstance(last[0], Failed):
            raise SystemExit(last[0].problem.message)
        stages = last[0].provenance.stage_seconds if isinstance(last[0], Completed) else {}
        return Ours([found[key] for key in sorted(found)], seconds, stages, scratch)

    def command(self, path: Path) -> float:
        """Seconds of the `whisperx` command."""
        _ = self.peer
        options = f"--model {MODELS}/base --compute_type int8 --device cpu --batch_size 8 --vad_method pyannote"
        options += f" --diarize --diarize_model {self.folder}/peer/speakers --hf_token none"
        arguments = ["tests.programs.bench.peer", str(path), *options.split(), "--output_dir", str(self.folder / "out")]
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-W", "ignore", "-m", *arguments],
            check=True,
            capture_output=True,
            env=os.environ | {"BENCH_NLTK": f"{self.folder}/peer/nltk"},
        )
        return time.perf_counter() - begun

    def say(self, what: str, value: float, limit: float, note: str = "") -> None:
        """One line of the table."""
        kept = value <= limit
        if not kept:
            self.missed.append(what)
        print(f"{'ok  ' if kept else 'MISS'} {what:<58} {value:8.3f}  limit {limit:<6g} {note}", flush=True)


def text(bench: Bench) -> None:
    """Words understood, per file and over all, against the three ways that people use the same weights."""
    truths: list[str] = []
    found: dict[str, list[str]] = {}
    worst = 0
    for path, truth in spoken_texts(bench):
        told = {
            "ours": " ".join(segment.text for segment in bench.run(path, diarize=False).segments),
            "WhisperX": " ".join(s["text"] for s in bench.peer.run(path, diarize=False).segments),
            **bench.peer.faster_whisper(path),
        }
        plain = {name: bench.plain(text) for name, text in told.items()}
        errors = {name: wrong(truth, text) for name, text in plain.items()}
        print("    words wrong,", path.stem, errors, flush=True)
        worst = max(worst, errors["ours"] - min(count for name, count in errors.items() if name != "ours"))
        truths.append(truth)
        for name, text in plain.items():
            found.setdefault(name, []).append(text)
    if truths:
        rates = {name: jiwer.wer(truths, texts) for name, texts in found.items()}
        ours = rates.pop("ours")
        note = ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items())
        bench.say("text: WER", ours, min(0.10, *rates.values()), note)
        bench.say("text: words more wrong than the best of them on the worst file", worst, 1)


def spoken_texts(bench: Bench) -> Iterator[tuple[Path, str]]:
    """Recordings and what is said in them: the sample call, and those with a text beside them."""
    lines = [line.split(maxsplit=5) for line in sample().with_suffix(".stm").read_text().splitlines()]
    yield sample(), bench.plain(" ".join(line[5] for line in lines))
    for path in sorted([*TRUTH.glob("text/*.wav"), *TRUTH.glob("text/*.flac")]):
        yield path, bench.plain(path.with_suffix(".txt").read_text())


def wrong(truth: str, found: str) -> int:
    """Words that an editor would have to change."""
    counts = jiwer.process_words(truth, found)
    return counts.substitutions + counts.deletions + counts.insertions


def words(bench: Bench) -> None:
    """Word starts against hand-placed ones, where the words were understood or given."""
    for name, limit in (("mary", 0.035), ("mfa-acoustic_corpus", 1.0)):
        path = TRUTH / "words" / f"{name}.wav"
        if not path.exists():
            continue
        truth = [w for w in json.loads(path.with_suffix(".words.json").read_text()) if w["word"].strip("'").isalpha()]
        recording = samples(path, bench.folder)
        given = tuple(word["word"] for word in truth)
        [places] = bench.engine.align(recording, [AlignmentSpan(0.0, recording.seconds, given)], "en")
        segment = {"text": " ".join(given), "start": 0.0, "end": recording.seconds}
        other = bench.peer.align([segment], recording.read())
        own = [abs(p.start - w["start"]) for p, w in zip(places, truth, strict=True) if p]
        their = [abs(p["start"] - w["start"]) for p, w in zip(other, truth, strict=True) if "start" in p]
        note = f"WhisperX with the same aligner {np.mean(their):.4f}, {len(own)} words"
        bench.say(
            f"words: mean error of starts, {name} (s)",
            float(np.mean(own)),
            min(limit, float(np.mean(their)) + 1e-4),
            note,
        )
        bench.say(f"words: without a time, {name}", sum(p is None for p in places), 0)


def speakers(bench: Bench) -> None:
    """Who speaks when, and whose words they are."""
    rttm = TRUTH / "rttm"
    for path, limit in ((sample(), 0.01), (rttm / "synth-libri-3spk.flac", 1.0)):
        if not path.exists():
            continue
        ours = bench.run(path, language="en")
        turns = bench.engine.diarize((ours.scratch / "embeddings").read_bytes(), Options(model="base"))
        theirs = bench.peer.run(path, language="en")
        truth = next(iter(load_rttm(path.with_suffix(".rttm")).values()))  # type: ignore[no-untyped-call]
        own, other = der(truth, turns), der(truth, [Turn(*turn) for turn in theirs.turns])
        bench.say(f"speakers: DER, {path.stem}", own, min(limit, other + 0.001), f"WhisperX {other:.4f}")
        told, said = der(truth, printed(ours.segments)), der(truth, tagged(theirs.words))
        note = f"WhisperX's words {said:.4f}"
        bench.say(f"speakers: DER of segments, {path.stem}", told, min(limit, said + 0.001), note)
        known, counted = len(truth.labels()), len({turn.speaker for turn in turns})
        bench.say(f"speakers: count wrong by, {path.stem}", abs(known - counted), 0)
        stm = path.with_suffix(".stm")
        if stm.exists():
            bench.say("speakers: cpWER above WER, sample (points)", 100 * cp(bench, stm, ours), 3)


def cp(bench: Bench, stm: Path, ours: Ours) -> float:
    """How much the word error rate grows when each word must also be the right person's."""
    lines = [line.split(maxsplit=5) for line in stm.read_text().splitlines()]
    names = sorted({line[2] for line in lines})
    truth = [bench.plain(" ".join(line[5] for line in lines if line[2] == name)) for name in names]
    own = [bench.plain(" ".join(w.text for w in ours.words if w.speaker == k)) for k in range(len(names))]
    whole = bench.plain(" ".join(line[5] for line in lines))
    total = len(whole.split())
    best = min(sum(map(wrong, truth, order)) for order in (own, own[::-1]))
    return best / total - wrong(whole, bench.plain(" ".join(w.text for w in ours.words))) / total


def printed(segments: Sequence[Segment]) -> list[Turn]:
    """Segments as turns, which is what a reader sees of them."""
    return [Turn(segment.start, segment.end, str(segment.speaker)) for segment in segments]


def tagged(words: Sequence[dict[str, Any]]) -> list[Turn]:
    """WhisperX's words as turns: it gives speakers to words."""
    return [Turn(word["start"], word["end"], word["speaker"]) for word in words if {"start", "speaker"} <= set(word)]


def der(truth: Annotation, turns: Sequence[Turn]) -> float:
    """The diarization error rate with a collar of 0.25 s."""
    found = Annotation()
    for index, turn in enumerate(turns):
        found[Stretch(turn.start, turn.end), index] = turn.speaker
    return float(DiarizationErrorRate(collar=COLLAR)(truth, found))


def align(bench: Bench) -> None:
    """The alignment stage against whisperx.align, the pronunciations known to both."""
    recording = samples(ten_minutes(bench.folder), bench.folder)
    ours = bench.run(ten_minutes(bench.folder), align=False, diarize=False, language="en")
    spans = [
        AlignmentSpan(
            min(s.start for s in group), max(s.end for s in group), tuple(w.text for s in group for w in s.words)
        )
        for group in chunked(ours.segments)
    ]
    segments = [{"start": p.start, "end": p.end, "text": " ".join(p.words)} for p in spans]
    audio = recording.read()
    list(bench.engine.align(recording, spans, "en"))
    for span in spans:
        bench.peer.speller(" ".join(span.words))
    begun = time.perf_counter()
    own = [place for places in bench.engine.align(recording, spans, "en") for place in places if place]
    middle = time.perf_counter()
    their = bench.peer.align(segments, audio)
    ended = time.perf_counter()
    bench.say(
        "align: seconds, ratio to whisperx.align", (middle - begun) / (ended - middle), 0.2, f"{middle - begun:.2f} s"
    )
    placed = [word for word in their if "start" in word]
    apart = [max(abs(a.start - b["start"]), abs(a.end - b["end"])) for a, b in zip(own, placed, strict=True)]
    bench.say("align: boundaries apart, worst (s)", float(np.max(apart)), 0.0211, f"{len(apart)} words")


def chunked(segments: Sequence[Segment]) -> list[list[Segment]]:
    """The segments of each chunk."""
    groups: dict[str, list[Segment]] = {}
    for segment in segments:
        groups.setdefault(segment.key[:6], []).append(segment)
    return list(groups.values())


def warm(bench: Bench) -> None:
    """The sample call with the models loaded, against WhisperX's plain functions in the same process."""
    against(bench, sample(), "30 s", rounds=3)


def long(bench: Bench) -> None:
    """Ten minutes, likewise."""
    against(bench, ten_minutes(bench.folder), "10 min", rounds=1)


def against(bench: Bench, path: Path, name: str, rounds: int) -> None:
    """Both in turns; the fastest of each counts."""
    bench.run(sample())
    bench.peer.run(sample())
    own, their = [], []
    for _ in range(rounds):
        own.append(bench.run(path))
        their.append(bench.peer.run(path))
    mine, yours = min(own, key=lambda run: run.seconds), min(their, key=lambda run: sum(run.seconds.values()))
    ratio = mine.seconds / sum(yours.seconds.values())
    print("    ours  ", {str(k): round(v, 2) for k, v in mine.stages.items()})
    print("    theirs", {k: round(v, 2) for k, v in yours.seconds.items()})
    bench.say(f"speed: {name}, warm, ratio to WhisperX's functions", ratio, 1.0, f"{mine.seconds:.1f} s")


def command(bench: Bench) -> None:
    """A warm service against the `whisperx` command, which loads its models for each file; in turns, like `against`."""
    bench.run(sample())
    for path, name, limit, rounds in ((sample(), "30 s", 0.5, 3), (ten_minutes(bench.folder), "10 min", 0.85, 2)):
        own, their = [], []
        for _ in range(rounds):
            own.append(bench.run(path).seconds)
            their.append(bench.command(path))
        note = (
            f"{', '.join(f'{seconds:.1f}' for seconds in own)} of {', '.join(f'{seconds:.1f}' for seconds in their)} s"
        )
        bench.say(f"speed: {name}, warm, ratio to the whisperx command", min(own) / min(their), limit, note)


def memory(bench: Bench) -> None:
    """Peak memory of an hour against ten minutes, each in a new process."""
    peaks = []
    for minutes in (10, 60):
        path = repeat(base(), bench.folder / f"{minutes}.flac", minutes * 60)
        program = [sys.executable, "-W", "ignore", "-m", "tests.programs.bench.speech", "--peak", str(path)]
        done = subprocess.run(program, check=True, capture_output=True, text=True)
        peaks.append(float(done.stdout.split()[-1]))
    bench.say(
        "memory: peak of 60 minutes against 10", peaks[1] / peaks[0], 1.1, f"{peaks[0]:.0f} MB, {peaks[1]:.0f} MB"
    )


def peak(bench: Bench, path: Path) -> None:
    """Run one file and print the largest resident size in MB."""
    bench.run(path, language="en")
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def rerun(bench: Bench) -> None:
    """Diarizing again with another number of speakers, from stored embeddings."""
    path = ten_minutes(bench.folder)
    recording = samples(path, bench.folder)
    short, options = samples(sample(), bench.folder), Options(model="base")
    bench.engine.diarize(bench.engine.extract_embeddings(short, [(0.0, short.seconds)], print_nothing), options)
    begun = time.perf_counter()
    prints = bench.engine.extract_embeddings(recording, [(0.0, recording.seconds)], print_nothing)
    bench.engine.diarize(prints, Options(model="base"))
    middle = time.perf_counter()
    bench.engine.diarize(prints, Options(model="base", num_speakers=4))
    ended = time.perf_counter()
    ratio = (ended - middle) / (middle - begun)
    bench.say(
        "speakers: another count, ratio to the first time",
        ratio,
        0.15,
        f"{ended - middle:.2f} s of {middle - begun:.1f} s",
    )


def print_nothing(_: float) -> None:
    """No progress."""


def sample() -> Path:
    """The sample call in pyannote.audio's wheel, thirty seconds."""
    spec = find_spec("pyannote.audio")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("pyannote.audio")
    return Path(spec.origin).parent / "sample" / "sample.wav"


def base() -> Path:
    """What long recordings are made of: the longest one there is."""
    meeting = TRUTH / "rttm" / "synth-libri-3spk.flac"
    return meeting if meeting.exists() else sample()


def ten_minutes(folder: Path) -> Path:
    """Ten minutes of speech, or as many seconds as BENCH_SECONDS says."""
    path = folder / "ten-minutes.flac"
    return path if path.exists() else repeat(base(), path, float(os.environ.get("BENCH_SECONDS", "600")))


def samples(path: Path, folder: Path) -> Recording:
    """The decoded recording."""
    target = folder / f"{path.stem}.samples"
    decode(path, target, 40_000.0, lambda _: None)
    return Recording(target)


PARTS: dict[str, Callable[[Bench], None]] = {
    part.__name__: part for part in (text, words, speakers, align, warm, rerun, long, command, memory)
}


def main(arguments: Sequence[str]) -> int:
    """Measure the parts named, or all."""
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder))
        if arguments[:1] == ["--peak"]:
            peak(bench, Path(arguments[1]))
            return 0
        for name in arguments or PARTS:
            PARTS[name](bench)
        print("missed:", ", ".join(bench.missed) or "nothing")
        return 1 if bench.missed else 0


if __name__ == "__main__":
    importlib.import_module("tasks.pipeline.engine")
    raise SystemExit(main(sys.argv[1:]))
