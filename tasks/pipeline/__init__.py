"""The product on one screen: a recording becomes a transcript, stage by stage.

    DECODE      anything that is promised, to samples on disk      decoding.py (tasks/decoding), peaks.py
    LOAD        the models, when they are not in memory            whisperx/engine.py
    TRANSCRIBE  what was said: Whisper, window by window           detect.py, languages.py, transcribe.py, rehearing.py
    ALIGN       when each word was said                            align.py, ctc.py
    DIARIZE     who said it                                        diarize.py

If each channel is a speaker (channels.py), each goes this way by itself, and nobody is told apart.

The models are behind `SpeechEngine` (whisperx/); the rest knows neither torch, Dramatiq nor SQL. With cores enough, no
stage waits for what it does not need: windows are aligned, and speakers told apart, while Whisper is still running.
"""

import os
from collections.abc import Collection

from msgspec.structs import replace

from db.domain.tracks import ChannelMode
from db.domain.values import Stage, TranscriptionTask
from tasks.decoding.faults import InputFault
from tasks.pipeline.alignment.align import align
from tasks.pipeline.builder import TranscriptBuilder
from tasks.pipeline.channels import Channels
from tasks.pipeline.decoding import decode
from tasks.pipeline.diarize import diarize, extract_embeddings
from tasks.pipeline.loading import load
from tasks.pipeline.peaks import keep
from tasks.pipeline.recognition.detect import DetectedSpeech, vad_chunks
from tasks.pipeline.recognition.transcribe import transcribe
from tasks.pipeline.recording import Recording
from tasks.pipeline.stages import Stages, beside
from tasks.pipeline.types import Completed, Emit, ModelUnavailable, SpeechEngine, Work, scratch_file

CORES = 4  # from so many on, stages run side by side


def run(work: Work, engine: SpeechEngine, emit: Emit, *, parallel: bool | None = None) -> None:
    """Do the work, telling `emit` of everything as it becomes known. An exception of `emit` stops it at that point."""
    stages = Stages(emit, work.resume)
    try:
        _run(work, engine, stages, parallel=(os.cpu_count() or 1) >= CORES if parallel is None else parallel)
    except (InputFault, ModelUnavailable, MemoryError) as fault:
        stages.fail(fault)


def _run(work: Work, engine: SpeechEngine, stages: Stages, *, parallel: bool) -> None:
    options, samples = work.options, scratch_file(work, "samples")
    if stages.needed(Stage.DECODE) or not samples.exists():
        stages.do(Stage.DECODE, lambda: decode(work, samples, stages.tell))
        keep(Recording(samples), work, stages.tell)
    run_channels = _separate if options.channels is ChannelMode.SEPARATE else _mixed
    languages = run_channels(work, engine, stages, parallel=parallel)
    provenance = engine.provenance(options, languages)
    stages.tell(Completed(provenance=replace(provenance, options=options, stage_seconds=stages.seconds)))


def _mixed(work: Work, engine: SpeechEngine, stages: Stages, *, parallel: bool) -> Collection[str]:
    """Make the transcript of all channels together; returns the languages spoken."""
    options, recording = work.options, Recording(scratch_file(work, "samples"))
    builder = TranscriptBuilder(options, work.resume)
    speech = DetectedSpeech(recording, engine, options)
    aligning = _aligning(work, stages)
    diarizing = options.diarize and stages.needed(Stage.DIARIZE)
    load(engine, options, builder.language, stages, aligning=aligning, diarizing=diarizing)

    with beside(stages, builder.complete, parallel=parallel) as side:
        embeddings = side.start(lambda: extract_embeddings(speech, engine, work, stages), wanted=diarizing)
        aligned = side.start(lambda: align(recording, engine, builder, stages), wanted=aligning)
        if stages.needed(Stage.TRANSCRIBE):
            stages.do(Stage.TRANSCRIBE, lambda: transcribe(speech, engine, builder, work.resume, stages.tell))
        elif aligning:
            for chunk in vad_chunks(speech, recording.seconds, options):
                builder.add_speech(chunk)
        builder.complete()
        some = bool(builder.segments)
        stages.do_if_possible(Stage.ALIGN, lambda: builder.revise(*aligned()), wanted=aligning and some)
        stages.do_if_possible(
            Stage.DIARIZE, lambda: diarize(embeddings(), engine, builder, stages.tell), wanted=diarizing and some
        )
    return builder.languages


def _separate(work: Work, engine: SpeechEngine, stages: Stages, *, parallel: bool) -> Collection[str]:  # noqa: ARG001  channels follow each other
    """Make the transcript of each channel by itself; returns the languages spoken."""
    aligning, channels = _aligning(work, stages), Channels(work, engine, stages)
    load(engine, work.options, work.resume.language, stages, aligning=aligning, diarizing=False)
    if stages.needed(Stage.TRANSCRIBE):
        stages.do(Stage.TRANSCRIBE, channels.transcribe)
    stages.do_if_possible(Stage.ALIGN, channels.align, wanted=aligning)
    channels.finish()
    stages.do_if_possible(Stage.DIARIZE, lambda: None, wanted=False)
    return channels.languages


def _aligning(work: Work, stages: Stages) -> bool:
    """Return whether words are still to be aligned: those of a translation are not what is heard."""
    options = work.options
    return options.align and options.task is TranscriptionTask.TRANSCRIBE and stages.needed(Stage.ALIGN)
