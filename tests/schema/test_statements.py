"""No N+1: the number of statements does not depend on how many rows there are."""

from collections.abc import Callable

import pytest

from tests.fixtures.graph import Graph

QUERIES = {
    "job list": (
        6,
        """{ jobs(first: 50) { totalCount pageInfo { hasNextPage } edges { node { id state queuePosition realtimeFactor
        media { filename } transcript { title language speakers { label } job { id } media { id } } } } } }""",
    ),
    "nodes": (2, "query($jobs: [ID!]!) { nodes(ids: $jobs) { id ... on Job { media { id } } } }"),
    "transcript": (
        4,
        """query($id: ID!) { transcript(id: $id) { title speakers { name } segments(first: 100) { totalCount edges {
        node { text speaker { label } words { text start end confidence speaker { label } } } } } } }""",
    ),
    "words": (
        4,
        """query($id: ID!) { transcript(id: $id) { words(first: 1000) { totalCount edges { node { text start end
        speaker { label } } } } } }""",
    ),
    "text": (3, "query($id: ID!) { transcript(id: $id) { text(speakers: true) } }"),
    "transcripts": (
        4,
        "{ transcripts { edges { node { title job { state media { filename } } speakers { label } } } } }",
    ),
    "word columns": (3, "query($id: ID!) { transcript(id: $id) { wordColumns { text start end speaker } } }"),
    "captions": (
        3,
        "query($id: ID!) { transcript(id: $id) { captions { edges { node { start lines speaker { label } } } } } }",
    ),
    "search": (
        4,
        """{ search(query: "this is", first: 100) { totalCount edges { node { snippet start segment { text speaker {
        label } } transcript { title } } } } }""",
    ),
    "revisions": (
        4,
        """query($id: ID!) { transcript(id: $id) { revisions { totalCount edges { node { summary author { name } } } }
        provenance { device } } }""",
    ),
    "jobs with segments and words": (
        8,
        """{ jobs(first: 50) { edges { node { id transcript { segments(first: 20) { totalCount edges { node { text
        speaker { label } words { text } } } } } } } } }""",
    ),
    "jobs with text and columns": (
        8,
        """{ jobs(first: 100) { edges { node { transcript { text(speakers: true) wordColumns { text } segmentColumns {
        text } } } } } }""",
    ),
    "jobs with speakers, revisions and exports": (
        8,
        """{ jobs(first: 100) { edges { node { transcript { speakers { label } revisions(first: 1) { edges { node {
        number } } } exports(first: 1) { totalCount edges { node { id } } } } } } } }""",
    ),
    "jobs with events": (
        8,
        """{ jobs(first: 50) { edges { node { events(first: 10) { totalCount edges { node { __typename cursor
        ... on SegmentsAppended { segments { text speaker { label } } } } } } } } } }""",
    ),
    "a console's row": (
        8,
        """{ jobs(first: 20, filter: {states: [QUEUED, RUNNING]}) { totalCount edges { node { id state stage progress
        etaSeconds startsInSeconds queuePosition tags createdAt stages { stage state } problems { code } options {
        model } media { id filename } transcript { id title speakers { id label name } } } } } }""",
    ),
    "revisions with changes": (
        7,
        """query($id: ID!) { transcript(id: $id) { revisions { edges { node { number changes { before after
        speakerAfter } } } } } }""",
    ),
    "recordings with jobs": (
        4,
        """{ viewer { media(first: 50) { edges { node { filename jobs(first: 3) { totalCount edges { node { id } } } }
        } } } }""",
    ),
    "usage": (1, "{ viewer { usage { runningJobs audioSecondsThisMonth } } }"),
    "capabilities": (2, "{ capabilities { models { name } queueDepth } }"),
    "viewer": (1, "{ viewer { user { name } scopes } }"),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_a_documented_query_sends_the_same_few_statements_however_many_rows_there_are(
    graph: Graph, statements: Callable[[], int], name: str
) -> None:
    allowed, query = QUERIES[name]
    counts = []
    ids: list[str] = []
    for rows in (1, 6):
        while len(ids) < rows:
            ids.append(await graph.transcript(count=rows * 4))
        variables = {"id": ids[-1], "jobs": [id_.replace("trn_", "job_") for id_ in ids]}
        used = {key: value for key, value in variables.items() if f"${key}:" in query}
        statements()
        await graph.data(query, **used)
        counts.append(statements())
    assert counts[0] == counts[1] <= allowed


@pytest.mark.parametrize("given", ["maxConfidence: 0.5", "between: {start: 0.5, end: 2500.0}"])
async def test_words_of_a_long_transcript_are_found_by_as_few_statements(
    graph: Graph, statements: Callable[[], int], given: str
) -> None:
    words = f"words(first: 1000, {given}) {{ totalCount edges {{ cursor }} }}"
    query = f"query($id: ID!) {{ transcript(id: $id) {{ {words} }} }}"
    counts = []
    for segments in (2, 2600):
        id_ = await graph.transcript(count=segments)
        statements()
        found = (await graph.data(query, id=id_))["transcript"]["words"]
        counts.append(statements())
    assert found["totalCount"] == (0 if "max" in given else 7499)
    assert counts == [4, 4]
