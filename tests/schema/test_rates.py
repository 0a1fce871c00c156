"""How much may be asked for in a minute."""

from collections.abc import AsyncIterator

import pytest

from db.domain.errors import RateLimited
from schema.base.rates import Rates
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


async def test_a_broker_that_is_gone_keeps_nobody_out() -> None:
    async with make_client("unix:///nowhere/valkey.sock") as client:
        rates = Rates(LIMIT, client)
        for _ in range(3):
            await rates.charge("usr_a", LIMIT)
        assert (await rates.left("usr_a")).remaining == LIMIT


async def test_an_operation_over_the_budget_is_not_executed(graph: Graph) -> None:
    graph.rates = Rates(LIMIT)
    query = "{ viewer { rateLimit { limit remaining cost } } }"
    shown = (await graph.data(query))["viewer"]["rateLimit"]
    assert shown["remaining"] == LIMIT - shown["cost"]
    await graph.rates.charge(graph.owner, shown["remaining"])
    assert (await graph.error(query))["code"] == "RATE_LIMITED"
