"""What is answered to each request of tus, as it is settled in `tests.tus_requests`."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.test_files import speech
from tests.fixtures.servers import Server
from tests.tus_requests import ASKS, Ask, put


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, headers={"Authorization": f"Bearer {server.token}"}) as client:
        yield client


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.name)
def test_a_request_is_answered_as_settled(server: Server, client: httpx.Client, ask: Ask) -> None:
    answer = put(client, f"{server.url}/uploads", ask, speech(0.1))
    assert answer.status == ask.status
    assert answer.told.get("Tus-Resumable") == (None if ask.method == "GET" else "1.0.0")
    assert answer.told.items() >= ask.told.items()
    assert answer.has_location == (answer.status == 201)
