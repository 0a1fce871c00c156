"""Checks the console with programs that come from npm: its types by tsc, whether everybody can use it by axe.

    python -m tests.programs.console.run

Needs Node with npm, chromedriver and Chromium. The server has all its processes and the toy engine.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from api.console.page import FOLDER as CONSOLE
from tests.browser import ESCAPE, Browser, browser
from tests.console.views import VIEWS, open_transcript
from tests.fixtures.servers import running

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("GRAPHOPHONE_CONSOLE_CHECKS", Path(tempfile.gettempdir()) / "graphophone-console-checks"))
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "wide": (1440, 900)}
AXE = """
const run = axe.run(document, {runOnly: {type: 'tag', values: arguments[0]}})
run.then(({passes, violations}) => arguments[1]([passes.length, violations.map(v => v.id + ' ' + v.nodes[0].html)]))
"""


def install() -> None:
    """Fetch what is missing."""
    if not shutil.which("npm"):
        sys.exit("This needs Node.js 20 or later with npm, which was not found.")
    FOLDER.mkdir(exist_ok=True)
    for name in ("package.json", "tsconfig.json"):
        shutil.copy(HERE / name, FOLDER)
    shutil.rmtree(FOLDER / "console", ignore_errors=True)
    shutil.copytree(CONSOLE, FOLDER / "console", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=FOLDER, check=True)


def accessible(window: Browser, shots: Path) -> list[str]:
    """Look at every view in every size and scheme; what axe objects to, and views that are wider than the screen."""
    faults = []
    axe = (FOLDER / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    for scheme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            window.resize(width, height)
            for view, show in VIEWS.items():
                show(window)
                window.run(f"document.documentElement.dataset.theme = '{scheme}'")
                window.screenshot(shots / f"{view}-{size}-{scheme}.png")
                window.run(axe)
                passes, found = window.answer(AXE, STANDARDS)
                wide = window.run("return document.documentElement.scrollWidth > innerWidth")
                name = f"{view}, {size}, {scheme}"
                faults += [f"{name}: {fault}" for fault in found]
                faults += [f"{name}: wider than the screen"] * wide + [f"{name}: axe saw nothing"] * (passes < 10)
                window.press(ESCAPE)
    return faults


def main() -> int:
    """1 when something is wrong."""
    install()
    typed = subprocess.run([str(FOLDER / "node_modules" / ".bin" / "tsc"), "-p", "."], cwd=FOLDER, check=False)
    shots = FOLDER / "screenshots"
    shots.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, running(Path(home) / "home") as server, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        with browser(Path(home) / "profile", port) as window:
            open_transcript(window, server, Path(home))
            faults = accessible(window, shots)
    print(*faults, f"{len(faults)} faults; pictures of every view in {shots}", sep="\n")
    return 1 if faults or typed.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
