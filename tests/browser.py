"""A headless Chromium, driven through ChromeDriver's W3C protocol."""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,900",
)


ENTER, ESCAPE, END = "\ue007", "\ue00c", "\ue010"
"""Keys without a letter, as WebDriver writes them."""


class Stale(Exception):
    """An element is no longer in the page."""


class Browser:
    """One browser window."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self.client = client
        self.session = session

    def command(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, f"/session/{self.session}{path}", json=body)
        if answer.status_code == 404 and answer.json()["value"]["error"] == "stale element reference":
            raise Stale
        answer.raise_for_status()
        return answer.json()["value"]

    def open(self, url: str) -> None:
        self.command("POST", "/url", {"url": url})

    def run(self, script: str) -> Any:
        return self.command("POST", "/execute/sync", {"script": script, "args": []})

    def answer(self, script: str, *arguments: Any) -> Any:
        """Run a script that calls its last argument with the result."""
        return self.command("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def resize(self, width: int, height: int) -> None:
        """Make the page so large."""
        device = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": device}
        self.command("POST", "/goog/cdp/execute", command)

    def wait(self, script: str, seconds: float = 20.0) -> Any:
        """Polls the page until the script's value is true; that value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(script):
                return value
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s: {script}\n{self.run('return document.body.innerText')}")

    def find(self, selector: str, text: str = "") -> Any:
        """Wait for a visible element that holds a text; WebDriver's reference to it."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})]"
        seen = "(e.checkVisibility() || e.type === 'file')"
        return self.wait(f"return {found}.find(e => {seen} && e.textContent.includes({json.dumps(text)}))")

    def click(self, selector: str, text: str = "", *, times: int = 1, x: int = 0, y: int = 0) -> Any:
        """Press the mouse on an element, off its middle by so many pixels."""
        script = "arguments[0].scrollIntoView({block: 'nearest'})"
        presses = [{"type": kind, "button": 0} for _ in range(times) for kind in ("pointerDown", "pointerUp")]
        for _ in range(5):
            element = self.find(selector, text)
            move = {"type": "pointerMove", "duration": 0, "origin": element, "x": x, "y": y}
            mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
            try:
                self.command("POST", "/execute/sync", {"script": script, "args": [element]})
                return self.command("POST", "/actions", {"actions": [mouse | {"actions": [move, *presses]}]})
            except Stale:  # the page has drawn it anew meanwhile; nothing was pressed
                continue
        raise AssertionError(f"{selector} {text!r} never stays as it is")

    def press(self, *keys: str) -> None:
        """Type texts and keys (such as `ENTER`), one after the other, into whatever has the focus."""
        strokes = [{"type": kind, "value": key} for text in keys for key in text for kind in ("keyDown", "keyUp")]
        self.command("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})

    def upload(self, selector: str, *files: Path) -> None:
        """Choose files."""
        element = next(iter(self.find(selector).values()))
        self.command("POST", f"/element/{element}/value", {"text": "\n".join(str(file) for file in files)})

    def log(self) -> list[str]:
        """What the page complained about."""
        return [entry["message"] for entry in self.command("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.command("GET", "/screenshot")))


@contextmanager
def browser(profile: Path, port: int, driver: str = "chromedriver", downloads: Path | None = None) -> Iterator[Browser]:
    """Starts ChromeDriver and a window; both are gone afterwards."""
    process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            _until(lambda: client.get("/status").json()["value"]["ready"])
            options: dict[str, Any] = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
            if downloads:
                options["prefs"] = {"download.default_directory": str(downloads)}
            wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
            answer = client.post("/session", content=json.dumps({"capabilities": wanted}))
            answer.raise_for_status()
            session = answer.json()["value"]["sessionId"]
            try:
                yield Browser(client, session)
            finally:
                client.delete(f"/session/{session}")
    finally:
        process.terminate()
        process.wait(10)


def _until(ready: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("ChromeDriver did not start")
