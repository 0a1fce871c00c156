import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from db import events, jobs, transcripts
from db.domain.states import Transition
from db.domain.values import Stage, StageReport, StageState
from db.jobs import attempts
from db.models import Job
from db.queue.leases import Lease
from schema.base import connections
from tasks.wakeups.live import Progress
from tests.fixtures.graph import Graph, segment

WATCH = """subscription($id: ID!, $after: String) { jobEvents(jobId: $id, after: $after) { __typename cursor at
  job { id state progress stage transcript { segments { totalCount } } }
  ... on JobStateChanged { previousState state } ... on StageChanged { report { stage state progress } }
  ... on JobLagged { skipped } ... on JobProgressed { stage progress stageProgress etaSeconds }
  ... on SegmentsAppended { segments { id text words { text } } }
  ... on SegmentsRevised { stage segments { id text speaker { label } } removedIds } } }"""


class Watcher:
    """A subscriber that reads when it is told to."""

    def __init__(self, graph: Graph, job_id: str, after: str | None = None) -> None:
        self._answers = graph.watch(WATCH, id=job_id, after=after)

    async def next(self) -> dict[str, Any]:
        """The next event."""
        async with asyncio.timeout(60):
            answer = await anext(self._answers)
        assert "errors" not in answer, answer
        found: dict[str, Any] = answer["data"]["jobEvents"]
        return found

    async def rest(self) -> list[dict[str, Any]]:
        """All events to the end."""
        async with asyncio.timeout(60), aclosing(self._answers):  # type: ignore[type-var]  # a generator
            return [answer["data"]["jobEvents"] async for answer in self._answers]

    async def close(self) -> None:
        """Hangs up."""
        await self._answers.aclose()  # type: ignore[attr-defined]  # a generator


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["__typename"] for event in events]


async def report(graph: Graph, lease: Lease, stage: Stage, state: StageState) -> None:
    async with graph.db.write() as session:
        changed = StageReport(stage=stage, state=state)
        await attempts.report(session, lease, [changed], changed)


async def finish(graph: Graph, lease: Lease) -> None:
    async with graph.db.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)


async def whole_life(graph: Graph) -> tuple[Job, str]:
    """A job from submission to its end; the cursor of its first event."""
    row = await graph.job()
    watcher = Watcher(graph, row.id)
    cursor = (await watcher.next())["cursor"]
    await watcher.close()
    _, lease = await graph.claim()
    await report(graph, lease, Stage.TRANSCRIBE, StageState.RUNNING)
    await graph.append(lease, segment(0), segment(1))
    async with graph.db.write() as session:
        await transcripts.revise(session, lease, Stage.ALIGN, [segment(0, "Joined.")], [segment(1).key])
    await finish(graph, lease)
    return row, cursor


async def test_a_job_is_watched_from_submission_to_its_end(graph: Graph) -> None:
    row = await graph.job()
    watcher = Watcher(graph, row.id)
    first = await watcher.next()
    assert (first["__typename"], first["job"]["state"]) == ("JobSnapshot", "QUEUED")
    _, lease = await graph.claim()
    claimed = await watcher.next()
    assert (claimed["previousState"], claimed["state"], claimed["job"]["state"]) == ("QUEUED", "RUNNING", "RUNNING")
    await report(graph, lease, Stage.TRANSCRIBE, StageState.RUNNING)
    assert (await watcher.next())["report"] == {"stage": "TRANSCRIBE", "state": "RUNNING", "progress": 0.0}
    await graph.append(lease, segment(0))
    added = await watcher.next()
    assert added["segments"][0]["text"] == "This is 0."
    assert [word["text"] for word in added["segments"][0]["words"]] == ["This", "is", "0."]
    assert added["job"]["transcript"]["segments"]["totalCount"] == 1
    await graph.append(lease, segment(1))
    more = await watcher.next()
    assert more["job"]["transcript"]["segments"]["totalCount"] == 2  # each event has loaders of its own
    await finish(graph, lease)
    rest = await watcher.rest()
    assert [(event["__typename"], event["state"]) for event in rest] == [("JobStateChanged", "SUCCEEDED")]


async def test_what_was_missed_is_replayed_without_gap_or_repeat(graph: Graph) -> None:
    row, cursor = await whole_life(graph)
    events = await Watcher(graph, row.id, cursor).rest()
    assert kinds(events) == ["JobSnapshot", "JobStateChanged", "StageChanged", "SegmentsAppended", "SegmentsRevised",
                             "JobStateChanged"]  # fmt: skip
    assert events[0]["cursor"] == cursor
    for index, event in enumerate(events):
        again = await Watcher(graph, row.id, event["cursor"]).rest()
        assert [e["cursor"] for e in again[1:]] == [e["cursor"] for e in events[index + 1 :]]


async def test_replayed_segments_are_as_they_are_now_and_removed_ones_are_named(graph: Graph) -> None:
    row, cursor = await whole_life(graph)
    events = await Watcher(graph, row.id, cursor).rest()
    assert [s["text"] for s in events[3]["segments"]] == ["Joined."]
    assert len(events[4]["removedIds"]) == 1
    assert events[4]["stage"] == "ALIGN"


async def test_a_job_that_has_ended_is_one_snapshot(graph: Graph) -> None:
    row, _ = await whole_life(graph)
    events = await Watcher(graph, row.id).rest()
    assert [(event["__typename"], event["job"]["state"]) for event in events] == [("JobSnapshot", "SUCCEEDED")]


async def test_percentages_are_live_bounded_and_never_go_back_and_a_slow_reader_is_told_what_it_missed(
    graph: Graph,
) -> None:
    row = await graph.job()
    _, lease = await graph.claim()
    watcher = Watcher(graph, row.id)
    await watcher.next()

    def tell(progress: float, job_id: str = row.id) -> None:
        stage = Stage.TRANSCRIBE
        told = Progress(owner_id="usr_alice", job_id=job_id, stage=stage, stage_progress=progress, progress=progress,
                        eta_seconds=3.0)  # fmt: skip
        graph.live.progress(told)

    waiting = asyncio.create_task(watcher.next())
    await asyncio.sleep(0)
    tell(0.9, "job_other")
    for step in range(1, 50):
        tell(step / 100)
    lagged = await waiting
    assert (lagged["__typename"], lagged["skipped"]) == ("JobLagged", 48)
    first = await watcher.next()
    assert (first["__typename"], first["stage"], first["etaSeconds"]) == ("JobProgressed", "TRANSCRIBE", 3.0)
    assert first["job"]["progress"] == first["progress"]
    began = asyncio.get_running_loop().time()
    tell(0.7)
    second = await watcher.next()
    assert second["progress"] == 0.7
    assert asyncio.get_running_loop().time() - began > 0.2
    tell(0.1)
    await finish(graph, lease)
    assert kinds(await watcher.rest()) == ["JobStateChanged"]


async def test_many_subscribers_reading_at_their_own_pace_all_see_the_same(graph: Graph) -> None:
    row = await graph.job()
    watchers = [Watcher(graph, row.id) for _ in range(5)]
    firsts = [await watcher.next() for watcher in watchers]
    _, lease = await graph.claim()

    async def work() -> None:
        for number in range(20):
            await graph.append(lease, segment(number))
        await finish(graph, lease)

    _, *seen = await asyncio.gather(work(), *(watcher.rest() for watcher in watchers))
    assert {first["cursor"] for first in firsts} == {firsts[0]["cursor"]}
    for told in seen:
        assert kinds(told) == ["JobStateChanged", *["SegmentsAppended"] * 20, "JobStateChanged"]
        assert [event["cursor"] for event in told] == [event["cursor"] for event in seen[0]]


async def test_other_jobs_of_the_owner_do_not_disturb(graph: Graph) -> None:
    row, cursor = await whole_life(graph)
    await whole_life(graph)
    events = await Watcher(graph, row.id, cursor).rest()
    assert {event["job"]["id"] for event in events} == {row.id}
    assert len(events) == 6


async def test_a_retried_job_is_replayed_past_its_first_end(graph: Graph) -> None:
    row = await graph.job()
    watcher = Watcher(graph, row.id)
    cursor = (await watcher.next())["cursor"]
    _, lease = await graph.claim()
    async with graph.db.write() as session:
        await attempts.finish(session, lease, Transition.FAIL)
    assert (await watcher.rest())[-1]["state"] == "FAILED"
    async with graph.db.write() as session:
        await jobs.retry(session, graph.owner, row.id, graph.intake.queue)
    again = Watcher(graph, row.id, cursor)
    seen = [await again.next() for _ in range(4)]
    assert [event.get("state") for event in seen] == [None, "RUNNING", "FAILED", "QUEUED"]
    await again.close()


async def test_a_deleted_job_ends_the_stream(graph: Graph) -> None:
    row = await graph.job()
    watcher = Watcher(graph, row.id)
    await watcher.next()
    async with graph.db.write() as session:
        await jobs.delete(session, graph.owner, row.id)
    assert await watcher.rest() == []


@pytest.mark.parametrize("after", ["nonsense", "", "WyJFdmVudCIsImpvYl94IiwxXQ", "\ud800"])
async def test_a_cursor_of_something_else_is_refused(graph: Graph, after: str) -> None:
    row = await graph.job()
    async for answer in graph.watch(WATCH, id=row.id, after=after):
        assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_a_cursor_from_the_future_has_expired(graph: Graph) -> None:
    row, _ = await whole_life(graph)
    cursor = (await Watcher(graph, row.id).rest())[0]["cursor"]
    ahead = connections.encode("Event", row.id, 10**6)
    assert ahead != cursor
    [answer] = [answer async for answer in graph.watch(WATCH, id=row.id, after=ahead)]
    assert answer["errors"][0]["extensions"]["code"] == "CURSOR_EXPIRED"


async def test_somebody_elses_job_cannot_be_watched(graph: Graph, bob: Graph) -> None:
    row = await graph.job()
    [answer] = [answer async for answer in bob.watch(WATCH, id=row.id)]
    assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"


EVENTS = """query($id: ID!, $first: Int, $after: String) { job(id: $id) { events(first: $first, after: $after) {
  totalCount pageInfo { hasNextPage endCursor } edges { cursor node { __typename cursor
  ... on JobStateChanged { state } ... on SegmentsAppended { segments { text } } } } } } }"""
ALL = """subscription($after: String) { viewerEvents(after: $after) { __typename cursor
  ... on JobEvent { job { id state } }
  ... on JobStateChanged { state } } }"""


async def everything(graph: Graph, count: int, after: str | None = None) -> list[dict[str, Any]]:
    """The first events of all of the viewer's jobs."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(60), aclosing(graph.watch(ALL, after=after)) as answers:  # type: ignore[type-var]  # a generator
        async for answer in answers:
            found.append(answer["data"]["viewerEvents"])
            if len(found) == count:
                break
    return found


async def test_a_jobs_past_is_read_page_by_page_and_goes_on_live_from_any_cursor(graph: Graph) -> None:
    row, _ = await whole_life(graph)
    seen, after, more = [], None, True
    while more:
        page = (await graph.data(EVENTS, id=row.id, first=2, after=after))["job"]["events"]
        seen += page["edges"]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert kinds([edge["node"] for edge in seen]) == [
        "JobStateChanged", "JobStateChanged", "StageChanged", "SegmentsAppended", "SegmentsRevised", "JobStateChanged",
    ]  # fmt: skip
    assert page["totalCount"] == len(seen)
    live = await Watcher(graph, row.id, seen[1]["cursor"]).rest()
    assert [event["cursor"] for event in live[1:]] == [edge["cursor"] for edge in seen[2:]]


async def test_all_jobs_are_watched_together(graph: Graph, bob: Graph) -> None:
    await bob.job(priority=-2)
    waiting = await graph.job(priority=-1)
    await whole_life(graph)
    [snapshot] = await everything(graph, 1)
    assert (snapshot["__typename"], snapshot["job"]["id"]) == ("JobSnapshot", waiting.id)
    await whole_life(graph)
    events = await everything(graph, 7, snapshot["cursor"])
    told = [(event["__typename"], event.get("state")) for event in events]
    assert told[:3] == [("JobSnapshot", None), ("JobStateChanged", "QUEUED"), ("JobStateChanged", "RUNNING")]
    again = await everything(graph, 3, events[-3]["cursor"])
    assert [event["cursor"] for event in again[1:]] == [event["cursor"] for event in events[-2:]]


async def test_a_cursor_of_one_job_is_none_of_all_jobs(graph: Graph) -> None:
    _, cursor = await whole_life(graph)
    [answer] = [answer async for answer in graph.watch(ALL, after=cursor)]
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_a_cursor_behind_which_events_were_forgotten_has_expired(graph: Graph) -> None:
    row, cursor = await whole_life(graph)
    async with graph.db.write() as session:
        assert await events.forget(session, before=2**62)
    [answer] = [answer async for answer in graph.watch(WATCH, id=row.id, after=cursor)]
    assert answer["errors"][0]["extensions"]["code"] == "CURSOR_EXPIRED"
