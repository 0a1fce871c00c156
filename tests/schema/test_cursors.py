"""A cursor never goes back, whatever is recorded while percentages travel."""

import asyncio
from collections.abc import AsyncIterator
from itertools import combinations
from typing import Any

import pytest

from db.domain.states import Transition
from db.domain.values import Stage
from db.jobs import attempts
from schema import build_schema
from schema.base import connections
from schema.execution import CoalescedResponses, Engine, Execution, Limits, Request
from schema.subscriptions import broadcaster
from schema.subscriptions.entries import event_key
from schema.subscriptions.event_log import CURSOR
from tasks.wakeups.live import Progress
from tests.fixtures.graph import Graph, segment

WATCH = "subscription($id: ID!) { jobEvents(jobId: $id) { __typename cursor } }"
RECORDED, LIVE = 2, 3
ORDERS = [
    "".join("r" if n in places else "l" for n in range(RECORDED + LIVE))
    for places in combinations(range(RECORDED + LIVE), RECORDED)
]


@pytest.mark.parametrize("eager", [True, False], ids=["read at once", "read at the end"])
async def test_no_order_of_recorded_and_live_events_moves_a_cursor_back(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, eager: bool
) -> None:
    monkeypatch.setattr(broadcaster, "PROGRESS_SECONDS", 0.0)
    engine = Engine(build_schema(), Limits(), CoalescedResponses(event_key))
    for order in ORDERS:
        job = await graph.job()
        _, lease = await graph.claim()
        readers = [_events(engine, graph, job.id) for _ in range(2)]
        seen: list[list[tuple[str, int]]] = [[await anext(reader)] for reader in readers]
        waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]
        for number, step in enumerate(order):
            if step == "r":
                await graph.append(lease, segment(number))
            else:
                graph.live.progress(Progress(graph.owner, job.id, Stage.TRANSCRIBE, 0.5, 0.5))
            if eager:
                await asyncio.wait(waiting, timeout=0.5)
                for place, task in enumerate(waiting):
                    if task.done():
                        seen[place].append(task.result())
                        waiting[place] = asyncio.ensure_future(anext(readers[place]))
        async with graph.db.write() as session:
            await attempts.finish(session, lease, Transition.SUCCEED)
        for place, reader in enumerate(readers):
            seen[place].append(await waiting[place])
            seen[place] += [event async for event in reader]
        for told in seen:
            numbers = [number for _, number in told]
            assert numbers == sorted(numbers), (order, told)
            recorded = [number for kind, number in told if kind in ("SegmentsAppended", "JobStateChanged")]
            assert len(recorded) == len(set(recorded)) == RECORDED + 1, (order, told)


async def _events(engine: Engine, graph: Graph, job_id: str) -> AsyncIterator[tuple[str, int]]:
    """The kinds of the events that a subscriber sees, with the numbers in their cursors."""
    request = Request(WATCH, {"id": job_id})
    call = Execution(engine.operation(request), request, graph.context, "c", viewer=graph.owner)
    async with asyncio.timeout(60):
        async for answer in engine.subscribe(call):
            event: dict[str, Any] = answer.body()["data"]["jobEvents"]
            _, number = connections.decode(event["cursor"], str, int, name=CURSOR, argument="after")
            yield event["__typename"], int(number)
