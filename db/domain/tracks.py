"""The audio tracks of a recording and their channels, also in words."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

MOST_SEPARATE = 8
"""Channels that can each be a speaker: what 7.1 has."""


class ChannelMode(StrEnum):
    """The treatment of a recording's channels."""

    MIX = "MIX"
    SEPARATE = "SEPARATE"


class AudioTrack(msgspec.Struct, frozen=True, kw_only=True):
    """One audio track of a recording, counted from 0. `silent` is None where nobody has listened."""

    index: int
    codec: str
    channels: int
    language: str | None = None
    title: str | None = None
    default: bool = False
    silent: bool | None = None


def missing(wanted: int, tracks: Sequence[AudioTrack]) -> str:
    """Return the sentence that says that there is no such track, and which there are."""
    there = "; ".join(described(track) for track in tracks)
    return f"There is no audio track {wanted}. There {'is' if len(tracks) == 1 else 'are'}: {there}."


def described(track: AudioTrack) -> str:
    """Return a track in words, such as `1 (aac, 2 channels, eng, “Commentary”)`."""
    channels = "1 channel" if track.channels == 1 else f"{track.channels} channels"
    title = f"“{track.title}”" if track.title else None
    facts = (track.codec, channels, track.language, title, "silent" if track.silent else None)
    return f"{track.index} ({', '.join(fact for fact in facts if fact)})"
