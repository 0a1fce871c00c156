"""The recordings that the command line names: files, folders, patterns, and standard input."""

import glob
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from db.domain.errors import InvalidInput
from schema.base import validation

AUDIO = {
    ".aac",
    ".aif",
    ".aiff",
    ".amr",
    ".flac",
    ".m4a",
    ".m4b",
    ".mka",
    ".mp3",
    ".oga",
    ".ogg",
    ".opus",
    ".wav",
    ".wma",
}
SUFFIXES = AUDIO | {".oga", ".avi", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"}
"""Of the files in a folder that are taken for recordings; a file that is named is sent whatever its name."""


class NoRecording(Exception):
    """Something on the command line that stands for no recording; the message says what."""


def recordings(words: Sequence[str], scratch: Path) -> list[Path]:
    """Return the files that are meant, each once, in order; standard input goes into a file in `scratch`.

    A file that does not exist is returned as it is, so that whoever opens it says so. Raises NoRecording.
    """
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if word == "-":
            found.append(_standard_input(scratch))
        elif path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
            if not inside:
                raise NoRecording(f"there is no recording in {path}")
            found += inside
        elif not path.exists() and glob.has_magic(word):
            matching = sorted(Path(name) for name in glob.glob(word, recursive=True))  # noqa: PTH207  any folder
            if not matching:
                raise NoRecording(f"nothing matches {word}")
            found += [file for file in matching if file.is_file()]
        elif word.startswith(("http://", "https://")):
            raise NoRecording(f"{word} is an address: fetch it first, say `curl -L {word} | graphophone transcribe -`")
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _standard_input(scratch: Path) -> Path:
    file = scratch / "recording"
    with file.open("wb") as opened:
        shutil.copyfileobj(sys.stdin.buffer, opened)
    return file


def check(options: Mapping[str, Any]) -> None:
    """Check what can be checked before a byte is sent. Raises typer.BadParameter, which names the option."""
    for name, check_one in (("language", validation.language), ("model", validation.model)):
        if (value := options.get(name)) is not None:
            _named(check_one, name, value)
    counts = [options.get(name) for name in ("numSpeakers", "minSpeakers", "maxSpeakers")]
    _named(validation.speakers, "input", *counts, diarize=options.get("diarize", True))


def _named(check_one: Callable[..., Any], name: str, *values: Any, **more: Any) -> None:
    try:
        check_one(name, *values, **more)
    except InvalidInput as error:
        path = error.fields[0].path[-1]
        option = {"numSpeakers": "speakers", "minSpeakers": "min-speakers", "maxSpeakers": "max-speakers"}
        raise typer.BadParameter(error.message, param_hint=f"--{option.get(path, path)}") from None
