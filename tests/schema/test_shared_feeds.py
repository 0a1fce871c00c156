"""What many subscribers of one job read at a wake-up is read once."""

import asyncio
from collections.abc import Callable

from tests.fixtures.graph import Graph, segment

WATCH = """subscription($id: ID!) { jobEvents(jobId: $id) { __typename cursor job { state }
  ... on SegmentsAppended { segments { text } } } }"""


async def statements_for(graph: Graph, count: int, statements: Callable[[], int]) -> tuple[int, list[list[str]]]:
    """How many statements a new segment costs with so many subscribers, and the segments that each one saw."""
    await graph.job()
    job, lease = await graph.claim()
    begun = asyncio.Semaphore(0)

    async def watch() -> list[str]:
        async for answer in graph.watch(WATCH, id=job.id):
            event = answer["data"]["jobEvents"]
            if event["__typename"] == "JobSnapshot":
                begun.release()
            if event["__typename"] == "SegmentsAppended":
                return [one["text"] for one in event["segments"]]
        return []

    watching = [asyncio.create_task(watch()) for _ in range(count)]
    for _ in range(count):
        await begun.acquire()
    while statements():  # until all have read what there is and wait for a wake-up
        await asyncio.sleep(0.02)
    await graph.append(lease, segment(0))
    return statements(), await asyncio.gather(*watching)


async def test_twenty_subscribers_cost_as_many_statements_as_a_few(graph: Graph, statements: Callable[[], int]) -> None:
    _, seen = await statements_for(graph, 2, statements)
    few = statements()
    assert seen == [["This is 0."]] * 2
    _, seen = await statements_for(graph, 20, statements)
    many = statements()
    assert seen == [["This is 0."]] * 20
    assert many <= few + 4  # a slow machine's polls may fall between
