"""Every view of the console, and how one comes to it."""

import wave
from collections.abc import Callable
from pathlib import Path

from tests.browser import ESCAPE, Browser
from tests.fixtures.servers import Server


def recording(file: Path, seconds: int = 30) -> Path:
    """Silence, in which the toy engine hears a sentence by two speakers for each half minute."""
    with wave.open(str(file), "wb") as opened:
        opened.setparams((1, 2, 16_000, 0, "NONE", ""))
        opened.writeframes(bytes(2 * 16_000 * seconds))
    return file


def open_transcript(window: Browser, server: Server, folder: Path) -> None:
    """Sign in, and have one recording transcribed."""
    window.open(f"{server.url}/#token={server.token}")
    window.upload("input[type=file][accept]", recording(folder / "Harbour voices.wav"))
    window.find(".items .jname a", "Harbour voices")


def library(window: Browser) -> None:
    """The list of recordings."""
    window.run("location.hash = '#/'")
    window.find(".items .jname a")


def transcript(window: Browser) -> None:
    """One transcript."""
    library(window)
    window.run("document.querySelector('.items .jname a').click()")
    window.find(".seg")


def correcting(window: Browser) -> None:
    """A line that is being corrected."""
    transcript(window)
    window.click(".seg", times=2)
    window.find("[contenteditable]")


def panel(name: str, shown: str) -> Callable[[Browser], None]:
    """A tool of the transcript, by its place among the tools."""

    def show(window: Browser) -> None:
        transcript(window)
        window.click(f".tools .btn:nth-child({name})")
        window.find(shown)

    return show


def speaker(window: Browser) -> None:
    """What can be done about a speaker."""
    transcript(window)
    window.click(".name")
    window.find("#speaker-name")


def keys(window: Browser) -> None:
    """The list of keys."""
    transcript(window)
    window.press("?")
    window.find(".keylist")


def address(path: str, shown: str) -> Callable[[Browser], None]:
    """A view with an address of its own."""

    def show(window: Browser) -> None:
        window.press(ESCAPE)
        window.run(f"location.hash = '{path}'")
        window.find(shown)

    return show


VIEWS: dict[str, Callable[[Browser], None]] = {
    "library": library,
    "transcript": transcript,
    "correcting": correcting,
    "find": panel("1", ".side input"),
    "review": panel("3", ".review"),
    "history": panel("4", ".revs li"),
    "export": panel("5", ".caps li"),
    "speaker": speaker,
    "keys": keys,
    "settings": address("#/settings", ".setbody"),
    "search": address("#/search?q=sentence", ".results li"),
}
