"""The toy schema behind a real server."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serve import Served
from tests.toy import TOKEN, application


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
