"""The toy schema behind a real server on a free port."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import uvicorn

from tests.toy import TOKEN, application


class Served:
    """A server in a thread."""

    def __init__(self, app: Any) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        config = uvicorn.Config(app, log_level="error", ws="websockets-sansio", lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))

    def __enter__(self) -> Self:
        self.thread.start()
        while not self.server.started and self.thread.is_alive():
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.socket.close()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base}/graphql"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"


@pytest.fixture(scope="session")
def upload_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="session")
def toy(upload_folder: Path) -> Iterator[Served]:
    """The endpoint with small limits of size and time."""
    app = application(
        upload_folder,
        max_upload_bytes=3_000_000,
        max_body_bytes=100_000,
        max_message_bytes=50_000,
        connection_init_seconds=0.5,
        operations_per_connection=5,
        heartbeat_seconds=0.2,
    )
    with Served(app) as served:
        yield served


@pytest.fixture
def http(toy: Served) -> Iterator[httpx.Client]:
    """A client with a token."""
    with httpx.Client(base_url=toy.base, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client
