"""The options that formats have; each format names the struct of those that it heeds."""

from enum import StrEnum

import msgspec


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of captions, in characters and seconds.

    The defaults follow the guidelines that broadcasters share: two lines of 42 characters, one to seven seconds, at
    most 20 characters a second, two frames between captions.
    """

    max_chars_per_line: int = 42
    max_lines: int = 2
    min_seconds: float = 1.0
    max_seconds: float = 7.0
    max_chars_per_second: float = 20.0
    speaker_labels: bool = False
    min_gap_seconds: float = 0.083


class PaperSize(StrEnum):
    """The size of a document's pages."""

    A4 = "A4"
    LETTER = "LETTER"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a format that has none."""


class SpeakerOptions(Options, frozen=True, kw_only=True):
    """The options of a format that may name speakers."""

    speaker_labels: bool = True


class TextOptions(SpeakerOptions, frozen=True, kw_only=True):
    """The options of a text for reading."""

    timestamps: bool = True


class PageOptions(TextOptions, frozen=True, kw_only=True):
    """The options of a text on paper."""

    paper_size: PaperSize = PaperSize.A4


class CaptionOptions(SpeakerOptions, frozen=True, kw_only=True):
    """The options of subtitles."""

    captions: Layout = Layout()


class TimedCaptionOptions(CaptionOptions, frozen=True, kw_only=True):
    """The options of subtitles that can say when each word is spoken."""

    timestamps: bool = True
