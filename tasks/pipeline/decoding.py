"""Decoding, in a child process that may die: a hostile file ends that child, and not the engine with its models."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from db.domain.values import Problem, Stage
from tasks.decoding.containers import convert
from tasks.decoding.faults import InputFault
from tasks.decoding.messages import Decoded, Known, Progress, Refused, Told
from tasks.pipeline.types import Emit, Probed, Progressed, Work
from tasks.system.processes import bare_environment

_told = msgspec.json.Decoder(Told)


class DecodingFailed(RuntimeError):
    """A fault of ours: the file is not to blame, and it may be tried again."""


def decode(work: Work, target: Path, tell: Emit) -> Problem | None:
    """Write the recording's samples to `target`, complete or not at all; return what was wrong with it, if anything.

    Raises `InputFault` when nothing in it can be transcribed, when it is longer than allowed, or when reading it takes
    more than a recording of its length may take; `OSError` when the samples cannot be written; `DecodingFailed`.
    """
    problem: Problem | None = None
    try:
        for told in _decoded(work, target):
            match told:
                case Known(facts):
                    tell(Probed(facts=facts))
                case Progress(fraction):
                    tell(Progressed(stage=Stage.DECODE, fraction=fraction))
                case Decoded():
                    problem = told.problem
                case Refused(fault):
                    raise InputFault(fault)
    finally:
        for partial in target.parent.glob(f"{target.name}*.partial"):
            partial.unlink(missing_ok=True)
    return problem


def _decoded(work: Work, target: Path) -> Iterator[Told]:
    """Yield what the child tells. It is ended when nobody listens any more."""
    track = "" if work.options.track is None else str(work.options.track)
    how = [str(target), str(work.max_seconds), str(os.getpid()), track, work.options.channels]
    child = subprocess.Popen(
        [sys.executable, "-m", "tasks.decoding.decode", work.source, *how],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=bare_environment(),
    )
    try:
        for line in child.stdout or ():
            yield _told.decode(line)
        status = child.wait()
    finally:
        child.kill()
        if child.stdout:
            child.stdout.close()
        child.wait()
    if status == os.EX_IOERR:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    if status == os.EX_SOFTWARE:
        raise DecodingFailed("decoding ended by a fault of its own; the lines above say which")
    if status != 0:
        convert("The recording could not be decoded: it asks for more memory or time than one of its length needs.")
