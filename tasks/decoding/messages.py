"""The messages of the process that decodes to the one that started it."""

import msgspec

from db.domain.values import MediaFacts, Problem


class Known(msgspec.Struct, frozen=True, tag=True):
    """The facts of the recording."""

    facts: MediaFacts


class Progress(msgspec.Struct, frozen=True, tag=True):
    """A fraction (0..1) is decoded."""

    fraction: float


class Decoded(msgspec.Struct, frozen=True, tag=True):
    """The samples are written; `problem` is what was wrong with the recording, if anything."""

    problem: Problem | None = None


class Refused(msgspec.Struct, frozen=True, tag=True):
    """There is nothing to transcribe in it."""

    problem: Problem


Told = Known | Progress | Decoded | Refused
