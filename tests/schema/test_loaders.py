"""Loaders: several fields wait for the same row."""

import asyncio
from collections.abc import Sequence

import pytest

from schema.base.loaders import Loader
from tests.fixtures.graph import Graph


async def test_a_field_that_fails_does_not_take_what_another_field_waits_for(graph: Graph) -> None:
    row = await graph.job()
    query = """query($id: ID!) {
      failing: job(id: $id) { media { filename } events(first: -1) { edges { cursor } } }
      other: job(id: $id) { media { filename } } }"""
    for _ in range(5):  # which of them is first is chance
        answer = await graph.ask(query, id=row.id)
        assert answer["data"] == {"failing": None, "other": {"media": {"filename": "talk.wav"}}}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID_INPUT"]


async def test_a_statement_that_nobody_waits_for_any_more_is_cancelled() -> None:
    ended: list[str] = []

    async def load(_: Sequence[str]) -> list[str]:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("load")
        return []

    loader = Loader[str](load)
    first, second = (asyncio.ensure_future(loader.load("a")) for _ in range(2))
    while loader.batch is None or not loader.batch.dispatched:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    assert not second.done()
    assert not ended
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.sleep(0)
    assert ended == ["load"]
