"""Lists that clients send: bounded, and cut off before they cost anything."""

import time

import pytest

from tests.fixtures.graph import Graph

FLAGGED = """query($id: ID!, $flags: [QualityFlag!], $filter: JobFilter) { transcript(id: $id) {
  segments(flaggedAs: $flags) { totalCount } } jobs(filter: $filter) { totalCount } }"""
NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"


async def test_equal_values_count_once(graph: Graph) -> None:
    id_ = await graph.transcript()
    wanted = {"states": ["RUNNING", "QUEUED"] * 20_000, "tags": []}
    found = await graph.data(FLAGGED, id=id_, flags=["NO_SPEECH", "OVERLAP"] * 20_000, filter=wanted)
    assert (found["transcript"]["segments"]["totalCount"], found["jobs"]["totalCount"]) == (0, 1)


@pytest.mark.parametrize(
    ("query", "variables", "path"),
    [
        (NODES, {"ids": [f"job_{n}" for n in range(101)]}, "ids"),
        (NODES, {"ids": ["job_1"] * 101}, "ids"),
        (FLAGGED, {"id": "trn_1", "filter": {"tags": [f"t{n}" for n in range(51)]}}, "filter.tags"),
    ],
)
async def test_a_list_beyond_its_bound_is_refused_where_it_stands(
    graph: Graph, query: str, variables: dict[str, object], path: str
) -> None:
    error = await graph.error(query, **variables)
    assert (error["code"], error["details"]["field"]) == ("INVALID_INPUT", path)


async def test_a_list_of_a_megabyte_costs_next_to_nothing(graph: Graph) -> None:
    await graph.error(NODES, ids=["job_1"] * 101)
    ids = [f"job_{n}" for n in range(70_000)]
    began = time.process_time()
    assert (await graph.error(NODES, ids=ids))["code"] == "INVALID_INPUT"
    assert time.process_time() - began < 0.2
