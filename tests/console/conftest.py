"""A real browser before the console of a whole server with the toy engine."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Browser, browser
from tests.fixtures.servers import Server

DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def window(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Browser]:
    if DRIVER is None:
        pytest.skip("chromedriver is not on this machine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with browser(tmp_path_factory.mktemp("profile"), port, DRIVER, downloads) as opened:
        yield opened


@pytest.fixture
def console(window: Browser, server: Server) -> Browser:
    """The window, signed in."""
    window.open("about:blank")
    window.open(f"{server.url}/#token={server.token}")
    window.find("main .call")
    return window
