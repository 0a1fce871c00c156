"""How much may be asked for in a minute."""

import socket
import time
from collections.abc import AsyncIterator

import pytest

from db.accounts.tables import Quota
from db.domain.errors import RateLimited
from schema.base.rates import PATIENCE_SECONDS, Rates
from tasks.wakeups.broker import make_client
from tests.fixtures.graph import Graph

LIMIT = 1000


@pytest.fixture(params=["alone", "together"])
async def rates(request: pytest.FixtureRequest) -> AsyncIterator[Rates]:
    if request.param == "alone":
        yield Rates(LIMIT)
        return
    async with make_client(request.getfixturevalue("redis_url")) as client:
        yield Rates(LIMIT, client)


async def test_a_spent_budget_says_when_there_is_a_new_one(rates: Rates) -> None:
    await rates.charge("usr_a", LIMIT - 1)
    with pytest.raises(RateLimited) as limited:
        await rates.charge("usr_a", 2)
    assert limited.value.details
    assert 0 <= limited.value.details["retryAfterSeconds"] <= 60


async def test_owners_do_not_share_a_budget(rates: Rates) -> None:
    await rates.charge("usr_a", LIMIT)
    await rates.charge("usr_b", LIMIT)


async def test_what_is_left_is_told(rates: Rates) -> None:
    await rates.charge("usr_a", 400)
    left = await rates.left("usr_a")
    assert (left.limit, left.remaining) == (LIMIT, 600)


@pytest.mark.parametrize("fault", ["gone", "slow"])
async def test_without_its_broker_a_process_counts_alone_and_no_request_waits(fault: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # takes connections, and never answers
    url = "unix:///nowhere/valkey.sock" if fault == "gone" else f"redis://127.0.0.1:{listener.getsockname()[1]}"
    async with make_client(url) as client:
        rates = Rates(LIMIT, client)
        start = time.perf_counter()
        for _ in range(50):
            await rates.charge("usr_a", LIMIT // 50)
        assert time.perf_counter() - start < 2 * PATIENCE_SECONDS + 0.3
        assert (await rates.left("usr_a")).remaining == 0
        with pytest.raises(RateLimited):
            await rates.charge("usr_a", 1)
    listener.close()


async def test_processes_count_together_again_once_the_broker_is_back(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schema.base.rates.AWAY_SECONDS", 0.0)
    async with make_client(redis_url) as one, make_client(redis_url) as other:
        first, second = Rates(LIMIT, one), Rates(LIMIT, other)
        monkeypatch.setattr("schema.base.rates.PATIENCE_SECONDS", 0.0)
        await first.charge("usr_a", LIMIT)
        monkeypatch.setattr("schema.base.rates.PATIENCE_SECONDS", 5.0)
        await first.charge("usr_a", 300)
        assert (await second.left("usr_a")).remaining == LIMIT - 300


async def test_an_account_may_have_a_budget_of_its_own(graph: Graph) -> None:
    graph.rates, graph.quota = Rates(LIMIT), Quota(points_per_minute=5)
    query = "{ viewer { rateLimit { limit } } }"
    assert (await graph.data(query))["viewer"]["rateLimit"]["limit"] == 5
    for _ in range(5):
        answer = await graph.ask(query)
    assert answer["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_an_account_may_have_quotas_of_its_own(graph: Graph) -> None:
    graph.quota = Quota(queued_jobs=1, audio_seconds_per_month=70.0)
    usage = (await graph.data("{ viewer { usage { maxQueuedJobs maxAudioSecondsPerMonth } } }"))["viewer"]["usage"]
    assert usage == {"maxQueuedJobs": 1, "maxAudioSecondsPerMonth": 70.0}
    media = (await graph.media(seconds=30.0)).id
    create = """mutation($id: ID!) { createJob(input: {source: {mediaId: $id}}) { __typename
      ... on LimitExceededError { limit actual unit } } }"""
    assert (await graph.data(create, id=media))["createJob"] == {"__typename": "CreateJobPayload"}
    assert (await graph.data(create, id=media))["createJob"] == {"__typename": "QueueFullError"}
    await graph.claim()
    assert (await graph.data(create, id=media))["createJob"] == {"__typename": "CreateJobPayload"}
    await graph.claim()
    assert (await graph.data(create, id=media))["createJob"] == {
        "__typename": "LimitExceededError", "limit": 70.0, "actual": 90.0, "unit": "seconds"
    }  # fmt: skip


async def test_an_operation_over_the_budget_is_not_executed(graph: Graph) -> None:
    graph.rates = Rates(LIMIT)
    query = "{ viewer { rateLimit { limit remaining cost } } }"
    shown = (await graph.data(query))["viewer"]["rateLimit"]
    assert shown["remaining"] == LIMIT - shown["cost"]
    await graph.rates.charge(graph.owner, shown["remaining"])
    assert (await graph.error(query))["code"] == "RATE_LIMITED"
