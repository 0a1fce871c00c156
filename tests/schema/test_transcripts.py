from typing import Any

import pytest

from db import transcripts
from db.domain.values import Options, Provenance, QualityFlag, SpeakerLabel
from tests.fixtures.graph import Graph, segment

TRANSCRIPT = """query($id: ID!) { transcript(id: $id) { id title language durationSeconds revision complete createdAt
  updatedAt text job { id } media { filename } speakers { id label name seconds wordCount } } }"""
SEGMENTS = """query($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $between: TimeRange,
  $speaker: ID, $flags: [QualityFlag!]) { transcript(id: $id) { segments(first: $first, after: $after, last: $last,
  before: $before, between: $between, speakerId: $speaker, flaggedAs: $flags) { totalCount pageInfo { hasNextPage
  endCursor startCursor } edges { cursor node { id index start end text speaker { label } confidence flags edited
  words { index text start end confidence timing speaker { label } } } } } } }"""
WORDS = """query($id: ID!, $first: Int, $after: String, $between: TimeRange, $max: Float) { transcript(id: $id) {
  words(first: $first, after: $after, between: $between, maxConfidence: $max) { totalCount
  pageInfo { hasNextPage endCursor } edges { cursor node { index text start } } } } }"""


async def two_voices(graph: Graph) -> str:
    """Four segments, spoken in turns; the transcript's id."""
    await graph.job()
    job, lease = await graph.claim()
    flags = {1: (QualityFlag.OVERLAP,), 2: (QualityFlag.LOW_CONFIDENCE, QualityFlag.REPETITION)}
    await graph.append(lease, *(segment(i, speaker=i // 2, flags=flags.get(i, ())) for i in range(4)))
    async with graph.db.write() as session:
        labels = [SpeakerLabel(index=i, label=f"SPEAKER_0{i}", seconds=2.0, word_count=6) for i in range(2)]
        await transcripts.set_speakers(session, lease, labels)
    return transcripts.transcript_id(job.id)


def texts(answer: Any, kind: str = "segments") -> list[str]:
    return [edge["node"]["text"] for edge in answer["transcript"][kind]["edges"]]


async def test_a_transcript_is_read_while_it_grows(graph: Graph) -> None:
    id_ = await two_voices(graph)
    shown = (await graph.data(TRANSCRIPT, id=id_))["transcript"]
    assert (shown["title"], shown["complete"], shown["revision"]) == ("talk", False, 1)
    assert shown["text"] == "This is 0.\nThis is 1.\nThis is 2.\nThis is 3."
    assert shown["job"]["id"] == id_.replace("trn_", "job_")
    assert shown["media"] == {"filename": "talk.wav"}
    assert [speaker["label"] for speaker in shown["speakers"]] == ["SPEAKER_00", "SPEAKER_01"]
    told = await graph.data(
        "query($id: ID!) { transcript(id: $id) { text(speakers: true, timestamps: true) } }", id=id_
    )
    assert told["transcript"]["text"].startswith("[0:00:00] SPEAKER_00: This is 0. This is 1.")


async def test_segments_carry_words_with_times_and_speakers(graph: Graph) -> None:
    page = (await graph.data(SEGMENTS, id=await two_voices(graph), first=3))["transcript"]["segments"]
    assert page["totalCount"] == 4
    node = page["edges"][2]["node"]
    assert (node["index"], node["start"], node["end"], node["text"]) == (2, 2.0, 3.0, "This is 2.")
    assert (node["speaker"], node["flags"]) == ({"label": "SPEAKER_01"}, ["LOW_CONFIDENCE", "REPETITION"])
    assert node["words"][2] == {"index": 8, "text": "2.", "start": 2.667, "end": 3.0, "confidence": 0.9,
                                "timing": "ALIGNED", "speaker": {"label": "SPEAKER_01"}}  # fmt: skip


async def test_segments_are_filtered(graph: Graph) -> None:
    id_ = await two_voices(graph)
    speaker = (await graph.data(TRANSCRIPT, id=id_))["transcript"]["speakers"][1]["id"]
    assert texts(await graph.data(SEGMENTS, id=id_, speaker=speaker)) == ["This is 2.", "This is 3."]
    assert texts(await graph.data(SEGMENTS, id=id_, speaker="spk_nobody_0")) == []
    assert texts(await graph.data(SEGMENTS, id=id_, flags=["OVERLAP", "REPETITION"])) == ["This is 1.", "This is 2."]
    assert texts(await graph.data(SEGMENTS, id=id_, flags=[])) == []
    assert texts(await graph.data(SEGMENTS, id=id_, between={"start": 0.5, "end": 1.5})) == ["This is 0.", "This is 1."]


async def test_pages_of_segments_hold_each_once_while_earlier_ones_arrive(graph: Graph) -> None:
    await graph.job()
    job, lease = await graph.claim()
    await graph.append(lease, *(segment(i) for i in range(2, 7)))
    id_ = transcripts.transcript_id(job.id)
    first = (await graph.data(SEGMENTS, id=id_, first=2))["transcript"]["segments"]
    await graph.append(lease, segment(0), segment(1))
    rest = await graph.data(SEGMENTS, id=id_, first=10, after=first["pageInfo"]["endCursor"])
    assert texts(rest) == ["This is 4.", "This is 5.", "This is 6."]
    back = await graph.data(SEGMENTS, id=id_, last=1, before=first["pageInfo"]["startCursor"])
    assert texts(back) == ["This is 1."]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 500])
async def test_pages_of_words_hold_each_word_once(graph: Graph, size: int) -> None:
    id_ = await two_voices(graph)
    seen, after, more = [], None, True
    while more:
        page = (await graph.data(WORDS, id=id_, first=size, after=after))["transcript"]["words"]
        seen += [edge["node"]["index"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert seen == list(range(12))
    assert page["totalCount"] == 12


async def test_words_of_a_stretch_of_time_and_those_that_are_not_sure(graph: Graph) -> None:
    id_ = await two_voices(graph)
    page = await graph.data(WORDS, id=id_, between={"start": 0.9, "end": 1.5})
    assert texts(page, "words") == ["0.", "This", "is"]
    assert page["transcript"]["words"]["totalCount"] == 3
    assert texts(await graph.data(WORDS, id=id_, max=0.5), "words") == []
    assert len(texts(await graph.data(WORDS, id=id_, max=0.9), "words")) == 12


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (SEGMENTS, {"first": 101}),
        (SEGMENTS, {"last": 101}),
        (SEGMENTS, {"between": {"start": 2, "end": 1}}),
        (SEGMENTS, {"between": {"start": -1, "end": 1}}),
        (SEGMENTS, {"after": "x"}),
        (WORDS, {"first": 1001}),
        (WORDS, {"after": "WyJTZWdtZW50IiwwLCIwIl0"}),
    ],
)
async def test_what_cannot_be_read_is_an_error(graph: Graph, query: str, values: dict[str, Any]) -> None:
    assert (await graph.error(query, id=await two_voices(graph), **values))["code"] == "INVALID_INPUT"


async def test_words_need_not_be_there(graph: Graph) -> None:
    await graph.job()
    job, lease = await graph.claim()
    await graph.append(lease, segment(0, text=""))
    id_ = transcripts.transcript_id(job.id)
    assert texts(await graph.data(SEGMENTS, id=id_)) == [""]
    assert texts(await graph.data(WORDS, id=id_), "words") == []


async def test_a_transcript_belongs_to_its_owner(graph: Graph, bob: Graph) -> None:
    id_ = await two_voices(graph)
    assert await bob.data(TRANSCRIPT, id=id_) == {"transcript": None}
    assert await bob.data("query($id: ID!) { node(id: $id) { id } }", id=id_) == {"node": None}


async def test_transcripts_are_listed_by_language(graph: Graph) -> None:
    await graph.job()
    job, lease = await graph.claim()
    async with graph.db.write() as session:
        await transcripts.set_language(session, lease, "de", 0.9)
    await two_voices(graph)
    query = "query($l: String) { transcripts(language: $l) { totalCount edges { node { id language } } } }"
    assert (await graph.data(query))["transcripts"]["totalCount"] == 2
    [found] = (await graph.data(query, l="de"))["transcripts"]["edges"]
    assert found["node"] == {"id": transcripts.transcript_id(job.id), "language": "de"}
    assert (await graph.error(query, l="klingon"))["code"] == "INVALID_INPUT"


async def test_a_jobs_transcript_needs_its_own_scope(graph: Graph) -> None:
    id_ = await two_voices(graph)
    graph.scopes = frozenset({"jobs:read"})
    query = "query($id: ID!) { job(id: $id) { id transcript { id } } }"
    answer = await graph.ask(query, id=id_.replace("trn_", "job_"))
    assert answer["data"]["job"]["transcript"] is None
    assert answer["errors"][0]["extensions"]["details"] == {"requiredScope": "transcripts:read"}


async def test_word_columns_hold_every_word_in_five_arrays(graph: Graph) -> None:
    id_ = await two_voices(graph)
    query = """query($id: ID!, $between: TimeRange) { transcript(id: $id) { wordColumns(between: $between) {
      text start end confidence speaker } } }"""
    found = (await graph.data(query, id=id_))["transcript"]["wordColumns"]
    assert {name: len(column) for name, column in found.items()} == dict.fromkeys(found, 12)
    assert [found[name][7] for name in ("text", "start", "end", "confidence", "speaker")] == [
        "is",
        2.333,
        2.667,
        0.9,
        1,
    ]
    part = (await graph.data(query, id=id_, between={"start": 0.9, "end": 1.5}))["transcript"]["wordColumns"]
    assert part["text"] == ["0.", "This", "is"]


async def test_what_only_borders_a_stretch_of_time_is_not_in_it(graph: Graph) -> None:
    id_ = await two_voices(graph)
    columns = "query($id: ID!, $b: TimeRange) { transcript(id: $id) { wordColumns(between: $b) { text } } }"
    between = {"start": 1.333, "end": 1.667}  # the very times of the second word of the second segment
    assert texts(await graph.data(WORDS, id=id_, between=between), "words") == ["is"]
    assert (await graph.data(columns, id=id_, b=between))["transcript"]["wordColumns"]["text"] == ["is"]
    assert texts(await graph.data(SEGMENTS, id=id_, between={"start": 1, "end": 2})) == ["This is 1."]


async def test_captions_are_cut_as_asked(graph: Graph) -> None:
    id_ = await two_voices(graph)
    query = """query($id: ID!, $options: CaptionOptions) { transcript(id: $id) { captions(options: $options) {
      totalCount edges { node { index start end lines speaker { label } } } } } }"""
    page = (await graph.data(query, id=id_, options={"speakerLabels": True}))["transcript"]["captions"]
    found = [edge["node"] for edge in page["edges"]]
    assert page["totalCount"] == 4
    assert [caption["lines"] for caption in found] == [
        ["SPEAKER_00: This is 0."], ["This is 1."], ["SPEAKER_01: This is 2."], ["This is 3."],
    ]  # fmt: skip
    assert found[3] == {
        "index": 3,
        "start": 3.0,
        "end": 4.0,
        "lines": ["This is 3."],
        "speaker": {"label": "SPEAKER_01"},
    }
    error = await graph.error(query, id=id_, options={"maxLines": 0})
    assert error["details"] == {"field": "options.maxLines"}


async def test_a_transcript_says_what_made_it(graph: Graph) -> None:
    query = """query($id: ID!) { transcript(id: $id) { complete
      provenance { asrModel device options { model hotwords numSpeakers }
        software { name version } stageSeconds { stage seconds } } } }"""
    await graph.job()
    job, lease = await graph.claim()
    await graph.append(lease, segment(0))
    id_ = transcripts.transcript_id(job.id)
    early = (await graph.data(query, id=id_))["transcript"]
    assert early == {
        "complete": False,
        "provenance": {"asrModel": "auto", "device": "", "options": None, "software": [], "stageSeconds": []},
    }
    asked = Options(model="tiny", hotwords=("Diane",), num_speakers=2)
    made = Provenance(
        asr_model="tiny@1", device="cpu", options=asked, software={"whisperx": "3"}, stage_seconds={"ALIGN": 1.5}
    )
    async with graph.db.write() as session:
        await transcripts.complete(session, lease, made)
    late = (await graph.data(query, id=id_))["transcript"]
    assert late["provenance"].pop("options") == {"model": "tiny", "hotwords": ["Diane"], "numSpeakers": 2}
    assert late["provenance"] == {
        "asrModel": "tiny@1", "device": "cpu", "software": [{"name": "whisperx", "version": "3"}],
        "stageSeconds": [{"stage": "ALIGN", "seconds": 1.5}],
    }  # fmt: skip
