import random
from typing import Any

import pytest

from db import transcripts
from db.domain.states import Transition
from db.domain.terms import matches, parse
from db.jobs import attempts
from tests.fixtures.graph import Graph, segment

SEARCH = """query($q: String!, $first: Int, $after: String) { search(query: $q, first: $first, after: $after) {
  totalCount pageInfo { hasNextPage endCursor } edges { cursor node { snippet start end
  highlights { offset length } segment { id text }
  transcript { id title } } } } }"""
WITHIN = """query($id: ID!, $q: String!) { transcript(id: $id) { search(query: $q) { edges { node { snippet start end
  highlights { offset length } segment { index } } } } } }"""
EDIT = """mutation($id: ID!, $input: EditSegmentInput!) { editSegment(id: $id, input: $input) { __typename } }"""


async def spoken(graph: Graph, *lines: str) -> str:
    """A finished transcript with a segment a line; its id."""
    await graph.job()
    job, lease = await graph.claim()
    await graph.append(lease, *(segment(i, text) for i, text in enumerate(lines)))
    async with graph.db.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)
    return transcripts.transcript_id(job.id)


async def texts(graph: Graph, query: str) -> list[str]:
    return [
        edge["node"]["segment"]["text"] for edge in (await graph.data(SEARCH, q=query, first=100))["search"]["edges"]
    ]


async def test_hits_carry_a_marked_snippet_and_the_time_of_the_words(graph: Graph) -> None:
    id_ = await spoken(graph, "Nothing here.", "We met in old London town.", "London again, London.")
    [first, second] = [
        edge["node"] for edge in (await graph.data(WITHIN, id=id_, q="LONDON"))["transcript"]["search"]["edges"]
    ]
    assert first == {
        "snippet": "We met in old London town.", "highlights": [{"offset": 14, "length": 6}], "start": 1.667,
        "end": 1.833, "segment": {"index": 1},
    }  # fmt: skip
    assert [span["offset"] for span in second["highlights"]] == [0, 14]


async def test_all_of_ones_own_transcripts_are_searched_page_by_page_and_nobody_elses(graph: Graph, bob: Graph) -> None:
    older = await spoken(graph, "alpha one", "beta", "alpha two")
    newer = await spoken(graph, "alpha three")
    await spoken(bob, "alpha of somebody else")
    seen, after, more = [], None, True
    while more:
        page = (await graph.data(SEARCH, q="alpha", first=1, after=after))["search"]
        seen += [(edge["node"]["transcript"]["id"], edge["node"]["segment"]["text"]) for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert seen == [(newer, "alpha three"), (older, "alpha one"), (older, "alpha two")]
    assert page["totalCount"] == 3


async def test_the_index_follows_edits_reverts_and_deletion(graph: Graph) -> None:
    id_ = await spoken(graph, "the quick fox")
    target = transcripts.segment_id(id_, segment(0).key)
    await graph.data(EDIT, id=target, input={"expectedRevision": 1, "text": "the slow fox"})
    assert (await texts(graph, "quick"), await texts(graph, "slow")) == ([], ["the slow fox"])
    revert = """mutation($id: ID!) { revertTranscript(id: $id, input: { expectedRevision: 2, toRevision: 1 }) {
      __typename } }"""
    await graph.data(revert, id=id_)
    assert (await texts(graph, "quick"), await texts(graph, "slow")) == (["the quick fox"], [])
    await graph.data("mutation($id: ID!) { deleteJob(id: $id) { __typename } }", id=id_.replace("trn_", "job_"))
    assert await texts(graph, "fox") == []
    await spoken(graph, "a new fox")
    assert await texts(graph, "fox") == ["a new fox"]


WORDS = [
    "cat",
    "Katze",
    "schön",
    "schon",
    "don't",
    "1e5",
    "2.5",
    "今日は",
    "天気",
    "मेरा",
    "a",
    "the",
    "e-mail",
    "x_y",
    "ñ",
]


async def test_both_databases_find_what_the_definition_says(graph: Graph) -> None:
    chance = random.Random(7)
    lines = [" ".join(chance.choices(WORDS, k=chance.randint(1, 5))) for _ in range(40)]
    await spoken(graph, *lines)
    for _ in range(40):
        query = " ".join(chance.choices(WORDS, k=chance.randint(1, 2)))
        query = f'"{query}"' if chance.random() < 0.4 else query
        wanted = [line for line in lines if all(matches(line, [phrase]) for phrase in parse(query))]
        assert await texts(graph, query) == wanted, query


@pytest.mark.parametrize(
    "query",
    ["'", '"', '""', "cat OR dog", "NOT cat", "cat*", "cat AND (", ":*", "a & | !b <-> c", "\\", "%", "NEAR(a b)", "\0",
     "terms:cat", "-cat", "^cat", "cat;DROP TABLE segment", "\ud800", "{terms}: cat", "🙂", "z" * 200],
)  # fmt: skip
async def test_a_hostile_query_is_only_words(graph: Graph, query: str) -> None:
    await spoken(graph, "cat")
    wanted = [line for line in ["cat"] if parse(query) and all(matches(line, [phrase]) for phrase in parse(query))]
    assert await texts(graph, query) == wanted


NONSENSE: list[dict[str, Any]] = [
    {"q": ""}, {"q": " \n"}, {"q": "x" * 201}, {"q": " ".join(map(str, range(21)))}, {"first": 101}, {"after": "x"},
]  # fmt: skip


@pytest.mark.parametrize("values", NONSENSE)
async def test_a_search_that_makes_no_sense_is_refused(graph: Graph, values: dict[str, Any]) -> None:
    assert (await graph.error(SEARCH, **({"q": "x"} | values)))["code"] == "INVALID_INPUT"


async def test_highlights_count_as_javascript_does_also_in_a_long_text(graph: Graph) -> None:
    await spoken(graph, "𝄞 " * 150 + "needle" + " hay" * 60)
    [edge] = (await graph.data(SEARCH, q="needle", first=1))["search"]["edges"]
    snippet, [span] = edge["node"]["snippet"], edge["node"]["highlights"]
    units = snippet.encode("utf-16-le")
    marked = units[2 * span["offset"] : 2 * (span["offset"] + span["length"])]
    assert (snippet[0], snippet[-1], marked.decode("utf-16-le")) == ("…", "…", "needle")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("lor*", ["Lorem ipsum", "lorry"]),
        ("ips* lor*", ["Lorem ipsum"]),
        ('"lorem ips*"', ["Lorem ipsum"]),
        ("ÄRG*", ["ärgerlich"]),
        ("*", []),
        ("or*", []),
    ],
)
async def test_a_word_is_found_by_its_beginning(graph: Graph, query: str, found: list[str]) -> None:
    await spoken(graph, "Lorem ipsum", "lorry", "ärgerlich")
    assert await texts(graph, query) == found
    if found:
        [edge, *_] = (await graph.data(SEARCH, q=query, first=1))["search"]["edges"]
        assert edge["node"]["highlights"]
