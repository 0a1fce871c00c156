"""Answers that are made once: what the schema says of itself, and captions."""

import asyncio
import threading

import pytest
from graphql import get_introspection_query

from schema.base.heavy import Abandoned, HeavyWork
from schema.execution import Engine, Execution, Limits, Request
from tests.fixtures.graph import Graph
from tests.toy import SCHEMA

CAPTIONS = """query($id: ID!, $after: String, $options: CaptionOptions) { transcript(id: $id) { captions(first: 2,
  after: $after, options: $options) { totalCount pageInfo { hasNextPage endCursor } edges { node { index lines } } } }
  }"""


async def test_the_schemas_description_is_made_once_and_costs_a_point() -> None:
    engine = Engine(SCHEMA, Limits())
    request = Request(get_introspection_query(descriptions=True))
    call = Execution(engine.operation(request), request, lambda: None, "c")
    first, again = await engine.execute(call), await engine.execute(call)
    [parts] = [part async for part in engine.deliver(call)]
    assert first is again is parts
    assert first.body()["extensions"]["cost"]["requested"] == 1
    assert b"__schema" in again.json()


@pytest.mark.parametrize("count", [1, 8, 9, 20])
def test_any_number_of_mistakes_is_the_clients(count: int) -> None:
    engine = Engine(SCHEMA, Limits())
    with pytest.raises(Exception, match="nope") as refused:
        engine.operation(Request("{ " + " ".join(f"nope{n}" for n in range(count)) + " }"))
    assert not engine.refusal(refused.value, "c").faulty  # type: ignore[arg-type]  # as matched


async def test_captions_are_paged_and_cut_once_for_a_revision(graph: Graph) -> None:
    id_ = await graph.transcript(5)
    seen, after, costs = [], None, []
    while True:
        answer = await graph.ask(CAPTIONS, id=id_, after=after)
        page = answer["data"]["transcript"]["captions"]
        seen += [edge["node"]["index"] for edge in page["edges"]]
        costs.append(answer["extensions"]["cost"]["requested"])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert (seen, page["totalCount"]) == ([0, 1, 2, 3, 4], 5)
    assert costs[0] == costs[1] + 6  # thirty seconds, cut once
    [cuts] = graph.heavy._known.values()
    assert len(cuts) == 5


async def test_work_that_nobody_waits_for_ends_and_at_most_two_are_done_at_once() -> None:
    work, going, most = HeavyWork(), threading.Semaphore(0), []
    running = 0
    ended = threading.Event()

    def make(items: object) -> list[int]:
        nonlocal running
        running += 1
        most.append(running)
        going.release()
        try:
            for _ in items:  # type: ignore[attr-defined]  # a sequence
                pass
        except Abandoned:
            ended.set()
            raise
        finally:
            running -= 1
        return [1]

    endless = range(10**12)
    tasks = [asyncio.create_task(work.result(n, endless, make)) for n in range(3)]
    await asyncio.to_thread(going.acquire)
    await asyncio.to_thread(going.acquire)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await asyncio.to_thread(ended.wait, 30)
    assert max(most) == 2


async def test_what_costs_by_length_is_refused_when_it_is_too_much_at_once(graph: Graph) -> None:
    recording = await graph.media(seconds=36_000.0)
    id_ = await graph.transcript(1, media_id=recording.id)
    columns = " ".join(f"c{n}: wordColumns {{ text }}" for n in range(4))
    answer = await graph.ask(f"query($id: ID!) {{ transcript(id: $id) {{ {columns} }} }}", id=id_)
    assert answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    answer = await graph.ask("query($id: ID!) { transcript(id: $id) { wordColumns { text } } }", id=id_)
    assert answer["extensions"]["cost"]["requested"] > 7_000
