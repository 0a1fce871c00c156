"""The HTML document, in a real browser."""

import shutil
import socket
import wave
from pathlib import Path

import pytest

from tasks.documents.registry import FORMATS
from tests.browser import browser
from tests.fixtures.transcripts import HOSTILE, spoken

DRIVER = shutil.which("chromedriver")


@pytest.mark.skipif(DRIVER is None, reason="chromedriver is not on this machine")
def test_the_text_follows_the_recording_beside_it_and_nothing_else_runs(tmp_path: Path) -> None:
    page = spoken(["One two three.", "Four five six.", HOSTILE["markup"]], title=HOSTILE["markup"])
    (tmp_path / "page.html").write_bytes(FORMATS["HTML"].render(page).data)
    with wave.open(str(tmp_path / "a call.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(2 * 8000 * 20))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with browser(tmp_path / "profile", port, str(DRIVER)) as opened:
        opened.open((tmp_path / "page.html").as_uri())
        opened.wait("return document.querySelector('audio').readyState > 0")
        opened.click("main button", "0:00:01")
        said = opened.wait("return document.querySelector('[aria-current]')?.textContent")
        assert said == "Four five six."
        assert opened.run("return document.querySelectorAll('script, font').length") == 1
        assert opened.log() == []
