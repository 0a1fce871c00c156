"""Equal questions at the same time are asked once."""

import asyncio

import pytest

from schema.once import Once


async def test_those_who_ask_while_the_answer_is_on_its_way_share_it() -> None:
    once, gate = Once(), asyncio.Event()

    async def ask() -> object:
        await gate.wait()
        return object()

    many = [asyncio.create_task(once("q", ask)) for _ in range(100)]
    other = asyncio.create_task(once("other", ask))
    await asyncio.sleep(0)
    gate.set()
    [answer] = set(await asyncio.gather(*many))
    assert await other is not answer


async def test_an_answer_is_not_kept() -> None:
    once, asked = Once(), []

    async def ask() -> int:
        asked.append(1)
        return len(asked)

    assert [await once("q", ask), await once("q", ask)] == [1, 2]


async def test_a_failure_reaches_all_who_asked_and_the_next_one_asks_again() -> None:
    once = Once()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise LookupError

    async def work() -> int:
        return 1

    results = await asyncio.gather(*(once("q", fail) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [LookupError] * 3
    assert await once("q", work) == 1


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    once, gate = Once(), asyncio.Event()

    async def ask() -> str:
        await gate.wait()
        return "answer"

    first, second = (asyncio.create_task(once("q", ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == "answer"
    with pytest.raises(asyncio.CancelledError):
        await first
