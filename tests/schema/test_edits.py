import asyncio
from typing import Any

import pytest

from db import jobs, transcripts
from db.domain.states import Transition
from db.domain.values import SpeakerLabel, Stage
from db.jobs import attempts
from db.transcripts import revisions
from tests.fixtures.graph import Graph, segment

ANSWER = """{ __typename ... on EditTranscriptPayload { revision { number } removedIds speakers { id name }
  segments { id text revision words { reviewed } } transcript { id revision text speakers { id label name seconds
  wordCount } segments { edges { node { id index text start end edited speaker { label } words { index text start end
  timing speaker { label } } } } } } } ... on InvalidInputError { fields { path } } ... on UserError { code
  details } ... on ConflictError { currentRevision } }"""
OPERATIONS = {
    "editSegment": "EditSegmentInput", "splitSegment": "SplitSegmentInput", "renameSpeaker": "RenameSpeakerInput",
    "revertTranscript": "RevertTranscriptInput", "mergeSegments": "MergeSegmentsInput",
    "mergeSpeakers": "MergeSpeakersInput", "editSegments": "EditSegmentsInput", "confirmWords": "ConfirmWordsInput",
    "createSpeaker": "CreateSpeakerInput",
}  # fmt: skip
REVISIONS = """query($id: ID!) { transcript(id: $id) { revision revisions { totalCount edges { node { number summary
  createdAt author { id } } } } } }"""


async def edit(graph: Graph, name: str, id_: str | None = None, /, *, seen: int = 1, **values: Any) -> dict[str, Any]:
    """One correction's answer."""
    which, given = ("$id: ID!, ", "id: $id, ") if id_ is not None else ("", "")
    query = f"mutation({which}$input: {OPERATIONS[name]}!) {{ {name}({given}input: $input) {ANSWER} }}"
    variables = {"input": {"expectedRevision": seen} | values} | ({} if id_ is None else {"id": id_})
    found: dict[str, Any] = (await graph.data(query, **variables))[name]
    return found


async def finished(graph: Graph, *lines: str) -> str:
    """A finished transcript with a segment a line, of two speakers in turns; its id."""
    await graph.job()
    job, lease = await graph.claim()
    await graph.append(lease, *(segment(i, text, speaker=i % 2) for i, text in enumerate(lines)))
    async with graph.db.write() as session:
        labels = [SpeakerLabel(index=i, label=f"SPEAKER_0{i}", seconds=5.0, word_count=3) for i in range(2)]
        await transcripts.set_speakers(session, lease, labels)
    async with graph.db.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)
    return transcripts.transcript_id(job.id)


def seg(id_: str, number: int) -> str:
    return transcripts.segment_id(id_, f"000{number:05d}")


def spk(id_: str, number: int) -> str:
    return transcripts.speaker_id(id_, number)


def nodes(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in answer["transcript"]["segments"]["edges"]]


async def test_corrected_words_keep_the_times_of_those_that_stay(graph: Graph) -> None:
    id_ = await finished(graph, "I herd the news", "Yes.")
    answer = await edit(graph, "editSegment", seg(id_, 0), text="I heard all the good news")
    assert answer["transcript"]["revision"] == 2
    [first, second] = nodes(answer)
    assert (first["text"], first["edited"], second["edited"]) == ("I heard all the good news", True, False)
    times = {word["text"]: (word["start"], word["end"]) for word in first["words"]}
    assert (times["I"], times["the"], times["news"]) == ((0.0, 0.25), (0.5, 0.75), (0.75, 1.0))
    assert [word["index"] for word in first["words"]] == [0, 1, 2, 3, 4, 5]
    assert second["words"][0]["index"] == 6
    assert answer["transcript"]["speakers"][0]["wordCount"] == 6


async def test_a_segment_is_given_to_another_speaker(graph: Graph) -> None:
    id_ = await finished(graph, "One two.", "Yes.")
    answer = await edit(graph, "editSegment", seg(id_, 0), speakerId=spk(id_, 1))
    [first, _] = nodes(answer)
    assert first["speaker"] == first["words"][0]["speaker"] == {"label": "SPEAKER_01"}
    assert [(s["seconds"], s["wordCount"]) for s in answer["transcript"]["speakers"]] == [(4.0, 0), (6.0, 3)]
    answer = await edit(graph, "editSegment", seg(id_, 0), seen=2, speakerId=None)
    assert nodes(answer)[0]["speaker"] is None


async def test_a_split_and_a_merge_give_back_what_was_there(graph: Graph) -> None:
    id_ = await finished(graph, "One two, three four.", "Yes.")
    [first, second, last] = nodes(await edit(graph, "splitSegment", seg(id_, 0), atWord=2))
    assert (first["text"], second["text"], last["text"]) == ("One two,", "three four.", "Yes.")
    assert (first["id"], first["end"], second["start"], second["index"]) == (seg(id_, 0), 0.5, 0.5, 1)
    assert [word["index"] for word in second["words"]] == [2, 3]
    merged = await edit(graph, "mergeSegments", None, seen=2, segmentIds=[second["id"], first["id"]])
    [whole, _] = nodes(merged)
    assert (whole["id"], whole["text"], whole["start"], whole["end"]) == (seg(id_, 0), "One two, three four.", 0.0, 1.0)
    again = nodes(await edit(graph, "splitSegment", seg(id_, 0), seen=3, atWord=1))
    assert again[1]["id"] != second["id"]  # an id never means two things


async def test_speakers_are_renamed_and_merged(graph: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.", "Three.")
    answer = await edit(graph, "renameSpeaker", spk(id_, 1), name=" Ann ")
    assert [speaker["name"] for speaker in answer["transcript"]["speakers"]] == [None, "Ann"]
    answer = await edit(graph, "mergeSpeakers", None, seen=2, speakerIds=[spk(id_, 0)], intoId=spk(id_, 1))
    [left] = answer["transcript"]["speakers"]
    assert (left["name"], left["seconds"], left["wordCount"]) == ("Ann", 10.0, 3)
    assert {node["speaker"]["label"] for node in nodes(answer)} == {"SPEAKER_01"}
    assert {word["speaker"]["label"] for node in nodes(answer) for word in node["words"]} == {"SPEAKER_01"}


async def everything(graph: Graph, id_: str, number: int) -> Any:
    """A revision as the database gives it back."""
    async with graph.db.read() as session:
        transcript = await transcripts.get(session, graph.owner, id_)
        assert transcript is not None
        segments = await revisions.segments_at(session, transcript, number)
        speakers = await revisions.speakers_at(session, transcript, number)
    return (
        [(row.key, row.text, row.words, row.speaker, row.start_ms, row.end_ms) for row in segments],
        [(row.position, row.label, row.name, row.seconds, row.word_count) for row in speakers],
    )


async def test_every_revision_can_be_read_back_and_the_machines_own_is_never_overwritten(graph: Graph) -> None:
    id_ = await finished(graph, "One two three.", "Four.", "Five six.")
    was = [await everything(graph, id_, 1)]
    steps: list[tuple[str, str | None, dict[str, Any]]] = [
        ("editSegment", seg(id_, 0), {"text": "One deux three."}),
        ("splitSegment", seg(id_, 0), {"atWord": 1}),
        ("editSegment", seg(id_, 0), {"text": "Un."}),
        ("mergeSegments", None, {"segmentIds": [seg(id_, 1), seg(id_, 2)]}),
        ("renameSpeaker", spk(id_, 0), {"name": "Ann"}),
        ("mergeSpeakers", None, {"speakerIds": [spk(id_, 1)], "intoId": spk(id_, 0)}),
        ("revertTranscript", id_, {"toRevision": 3}),
        ("editSegment", seg(id_, 1), {"text": "Vier."}),
        ("revertTranscript", id_, {"toRevision": 1}),
    ]
    for number, (name, which, values) in enumerate(steps, start=1):
        answer = await edit(graph, name, which, seen=number, **values)
        assert answer["__typename"] == "EditTranscriptPayload", (name, answer)
        was.append(await everything(graph, id_, number + 1))
        for earlier, known in enumerate(was, start=1):
            assert await everything(graph, id_, earlier) == known
    assert was[7] == was[2]
    assert was[9] == was[0]
    page = (await graph.data(REVISIONS, id=id_))["transcript"]
    assert (page["revision"], page["revisions"]["totalCount"]) == (10, 10)
    [newest, *_, own] = [edge["node"] for edge in page["revisions"]["edges"]]
    assert (newest["number"], newest["summary"], newest["author"]) == (
        10,
        "Reverted to revision 1",
        {"id": "usr_alice"},
    )
    assert (own["number"], own["summary"], own["author"]) == (1, "As recognised", None)


async def test_only_one_of_two_who_edit_at_once_wins(graph: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.")
    answers = await asyncio.gather(*(edit(graph, "editSegment", seg(id_, 0), text=f"Text {i}.") for i in range(4)))
    won = [answer for answer in answers if answer["__typename"] == "EditTranscriptPayload"]
    lost = [answer for answer in answers if answer["__typename"] == "ConflictError"]
    assert (len(won), len(lost)) == (1, 3)
    assert {answer["currentRevision"] for answer in lost} == {2}


async def test_a_transcript_that_is_still_being_written_cannot_be_edited(graph: Graph) -> None:
    id_ = await graph.transcript()
    answer = await edit(graph, "editSegment", seg(id_, 0), text="x")
    assert (answer["code"], answer["details"]) == ("CONFLICT", {"state": "RUNNING"})


async def test_a_stage_that_runs_again_is_a_revision_and_keeps_what_people_wrote(graph: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.")
    was = await everything(graph, id_, 1)
    await edit(graph, "editSegment", seg(id_, 0), text="Uno.")
    edited = await everything(graph, id_, 2)
    async with graph.db.write() as session:
        job_id = id_.replace("trn_", "job_")
        job = await jobs.get(session, graph.owner, job_id)
        assert job is not None
        await jobs.rerun(session, graph.owner, job_id, Stage.DIARIZE, options=job.options, limits=graph.intake.queue)
    _, lease = await graph.claim()
    async with graph.db.write() as session:
        _, found, _ = await transcripts.stored(session, lease)
        await transcripts.revise(session, lease, Stage.DIARIZE, found)
        await transcripts.set_speakers(session, lease, [SpeakerLabel(index=0, label="X", seconds=1.0, word_count=2)])
    assert await everything(graph, id_, 1) == was
    assert await everything(graph, id_, 2) == edited
    async with graph.db.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)
    answer = await edit(graph, "renameSpeaker", spk(id_, 0), seen=3, name="Ann")
    assert [(node["text"], node["edited"]) for node in nodes(answer)] == [("Uno.", True), ("Two.", False)]


@pytest.mark.parametrize(
    ("name", "which", "values", "expected"),
    [
        ("editSegment", "seg", {"text": " "}, ["input", "text"]),
        ("editSegment", "seg", {"text": "a\0"}, ["input", "text"]),
        ("editSegment", "seg", {}, ["input"]),
        ("editSegment", "seg", {"speakerId": "spk_other_0"}, "NOT_FOUND"),
        ("editSegment", "none", {"text": "x"}, "NOT_FOUND"),
        ("splitSegment", "seg", {"atWord": 0}, ["input", "atWord"]),
        ("splitSegment", "seg", {"atWord": 1}, ["input", "atWord"]),
        ("renameSpeaker", "spk", {"name": ""}, ["input", "name"]),
        ("renameSpeaker", "none", {"name": "x"}, "NOT_FOUND"),
        ("revertTranscript", "trn", {"toRevision": 1}, ["input", "toRevision"]),
        ("revertTranscript", "trn", {"toRevision": 0}, ["input", "toRevision"]),
    ],
)
async def test_a_correction_that_makes_no_sense_is_refused_and_leaves_no_trace(
    graph: Graph, name: str, which: str, values: dict[str, Any], expected: Any
) -> None:
    id_ = await finished(graph, "One.", "Two.")
    target = {"seg": seg(id_, 0), "spk": spk(id_, 0), "trn": id_, "none": "seg_x_y' OR 1=1"}[which]
    answer = await edit(graph, name, target, **values)
    refused = answer["fields"][0]["path"] if "fields" in answer else answer["code"]
    assert refused == expected
    assert (await graph.data(REVISIONS, id=id_))["transcript"]["revision"] == 1


async def test_segments_that_do_not_follow_each_other_are_not_merged(graph: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.", "Three.")
    for ids in ([seg(id_, 0), seg(id_, 2)], [seg(id_, 0), seg(id_, 0)], [seg(id_, 0)], [seg(id_, 0), seg("trn_x", 1)]):
        answer = await edit(graph, "mergeSegments", None, segmentIds=ids)
        assert answer["fields"][0]["path"] == ["input", "segmentIds"]


async def test_nobody_edits_what_is_somebody_elses_or_without_the_scope(graph: Graph, bob: Graph) -> None:
    id_ = await finished(graph, "One.")
    assert (await edit(bob, "editSegment", seg(id_, 0), text="x"))["code"] == "NOT_FOUND"
    assert (await edit(bob, "revertTranscript", id_, seen=2, toRevision=1))["code"] == "NOT_FOUND"
    graph.scopes = frozenset({"transcripts:read"})
    assert (await edit(graph, "editSegment", seg(id_, 0), text="x"))["code"] == "FORBIDDEN"


def changed(answer: dict[str, Any]) -> tuple[set[str], set[str], set[str]]:
    """Which segments and speakers an answer shows as changed, and what it names as removed."""
    segments, speakers = ({one["id"] for one in answer[kind]} for kind in ("segments", "speakers"))
    return segments, speakers, set(answer["removedIds"])


async def test_each_correction_gives_back_exactly_what_it_changed(graph: Graph) -> None:
    id_ = await finished(graph, "One two, three four.", "Yes.", "No.")
    answer = await edit(graph, "editSegment", seg(id_, 1), text="Oh yes.")
    assert changed(answer) == ({seg(id_, 1)}, {spk(id_, 0), spk(id_, 1)}, set())  # both counts of words were wrong
    assert (answer["revision"]["number"], answer["segments"][0]["revision"]) == (2, 2)
    answer = await edit(graph, "splitSegment", seg(id_, 0), seen=2, atWord=2)
    [first, second] = answer["segments"]
    assert (first["text"], second["text"], answer["removedIds"]) == ("One two,", "three four.", [])
    answer = await edit(graph, "mergeSegments", None, seen=3, segmentIds=[first["id"], second["id"]])
    assert changed(answer) == ({first["id"]}, set(), {second["id"]})
    answer = await edit(graph, "renameSpeaker", spk(id_, 0), seen=4, name="Ann")
    assert changed(answer) == (set(), {spk(id_, 0)}, set())
    answer = await edit(graph, "mergeSpeakers", None, seen=5, speakerIds=[spk(id_, 1)], intoId=spk(id_, 0))
    assert changed(answer) == ({seg(id_, 1)}, {spk(id_, 0)}, {spk(id_, 1)})
    answer = await edit(graph, "revertTranscript", id_, seen=6, toRevision=5)
    assert changed(answer) == ({seg(id_, 1)}, {spk(id_, 0), spk(id_, 1)}, set())


async def test_many_corrections_are_one_revision(graph: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.", "Three.")
    edits = [{"id": seg(id_, 0), "text": "Eins."}, {"id": seg(id_, 2), "speakerId": spk(id_, 1)}]
    answer = await edit(graph, "editSegments", transcriptId=id_, edits=edits)
    assert (answer["revision"]["number"], [one["text"] for one in answer["segments"]]) == (2, ["Eins.", "Three."])
    assert [node["speaker"]["label"] for node in nodes(answer)] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_01"]
    answer = await edit(graph, "revertTranscript", id_, seen=2, toRevision=1)
    assert [node["text"] for node in nodes(answer)] == ["One.", "Two.", "Three."]


async def test_all_that_is_wrong_with_many_corrections_is_told_at_once(graph: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.")
    edits = [{"id": seg(id_, 0), "text": " "}, {"id": seg(id_, 1)}, {"id": seg(id_, 1), "text": "x"}]
    answer = await edit(graph, "editSegments", transcriptId=id_, edits=edits)
    paths = [fault["path"] for fault in answer["fields"]]
    assert paths == [["input", "edits", "0", "text"], ["input", "edits", "1"], ["input", "edits"]]


async def test_words_that_a_person_wrote_or_confirmed_are_reviewed(graph: Graph) -> None:
    id_ = await finished(graph, "One two three.", "Four five.")
    answer = await edit(graph, "confirmWords", transcriptId=id_, words=[1, 4, 4])
    said = {one["id"]: [word["reviewed"] for word in one["words"]] for one in answer["segments"]}
    assert said == {seg(id_, 0): [False, True, False], seg(id_, 1): [False, True]}
    assert not any(node["edited"] for node in nodes(answer))
    answer = await edit(graph, "editSegment", seg(id_, 0), seen=2, text="One too three four.")
    assert [word["reviewed"] for word in answer["segments"][0]["words"]] == [False, True, True, True]
    columns = await graph.data(
        "query($id: ID!) { transcript(id: $id) { wordColumns(between: {start: 0.4, end: 9}) { text reviewed } } }",
        id=id_,
    )
    assert columns["transcript"]["wordColumns"]["reviewed"] == [True, True, True, False, True]
    assert (await edit(graph, "confirmWords", seen=3, transcriptId=id_, words=[6]))["fields"]


async def test_a_new_speaker_gets_a_number_that_nobody_ever_had(graph: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.", "Three.")
    await edit(graph, "mergeSpeakers", None, speakerIds=[spk(id_, 1)], intoId=spk(id_, 0))
    answer = await edit(graph, "createSpeaker", seen=2, transcriptId=id_, name="Ben", segmentIds=[seg(id_, 1)])
    assert changed(answer) == ({seg(id_, 1)}, {spk(id_, 0), spk(id_, 2)}, set())
    speakers = [(one["label"], one["name"], one["wordCount"]) for one in answer["transcript"]["speakers"]]
    assert speakers == [("SPEAKER_00", None, 2), ("SPEAKER_02", "Ben", 1)]


async def test_a_segment_and_a_speaker_are_found_by_their_ids(graph: Graph, bob: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.")
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Segment { text speaker { id } transcript { id } }
      ... on Speaker { label transcript { id } } } }"""
    ids = [spk(id_, 1), seg(id_, 1), seg(id_, 9)]
    found = (await graph.data(query, ids=ids))["nodes"]
    assert found == [
        {"id": spk(id_, 1), "label": "SPEAKER_01", "transcript": {"id": id_}},
        {"id": seg(id_, 1), "text": "Two.", "speaker": {"id": spk(id_, 1)}, "transcript": {"id": id_}},
        None,
    ]
    assert (await bob.data(query, ids=ids))["nodes"] == [None, None, None]


COLUMNS = """query($id: ID!) { transcript(id: $id) { revision speakers { id } wordColumns { revision text }
  segmentColumns { revision id text start end firstWord wordCount speaker edited flags } } }"""


async def test_an_editor_opens_with_two_answers_of_one_revision(graph: Graph) -> None:
    id_ = await finished(graph, "One two.", "Three.", "Four five six.")
    await edit(graph, "editSegment", seg(id_, 1), text="Three and a half.")
    found = (await graph.data(COLUMNS, id=id_))["transcript"]
    lines, words = found["segmentColumns"], found["wordColumns"]
    assert (found["revision"], lines["revision"], words["revision"]) == (2, 2, 2)
    assert lines["id"] == [seg(id_, number) for number in range(3)]
    assert (lines["speaker"], lines["edited"], lines["flags"]) == ([0, 1, 0], [False, True, False], [[], [], []])
    said = [words["text"][a : a + n] for a, n in zip(lines["firstWord"], lines["wordCount"], strict=True)]
    assert [" ".join(line) for line in said] == lines["text"]
    assert {len(column) for column in lines.values() if isinstance(column, list)} == {3}


CHANGES = """query($id: ID!) { transcript(id: $id) { revisions { edges { node { number changes { segmentId start before
  after speakerBefore speakerAfter } } } } } }"""


async def test_each_revision_tells_what_it_changed(graph: Graph) -> None:
    id_ = await finished(graph, "One two.", "Three.")
    await edit(graph, "editSegment", seg(id_, 1), text="Drei.")
    await edit(graph, "renameSpeaker", spk(id_, 1), seen=2, name="Ann")
    await edit(graph, "splitSegment", seg(id_, 0), seen=3, atWord=1)
    await edit(graph, "editSegment", seg(id_, 1), seen=4, speakerId=spk(id_, 0))
    await edit(graph, "revertTranscript", id_, seen=5, toRevision=1)
    edges = (await graph.data(CHANGES, id=id_))["transcript"]["revisions"]["edges"]
    told = {edge["node"]["number"]: [tuple(change.values()) for change in edge["node"]["changes"]] for edge in edges}
    part, zero, one = f"{seg(id_, 0)}.1", "SPEAKER_00", "SPEAKER_01"
    assert told == {
        1: [(seg(id_, 0), 0.0, None, "One two.", None, zero), (seg(id_, 1), 1.0, None, "Three.", None, one)],
        2: [(seg(id_, 1), 1.0, "Three.", "Drei.", one, one)],
        3: [],
        4: [(seg(id_, 0), 0.0, "One two.", "One", zero, zero), (part, 0.5, None, "two.", None, zero)],
        5: [(seg(id_, 1), 1.0, "Drei.", "Drei.", "Ann", zero)],
        6: [
            (seg(id_, 0), 0.0, "One", "One two.", zero, zero),
            (part, 0.5, "two.", None, zero, None),
            (seg(id_, 1), 1.0, "Drei.", "Three.", zero, one),
        ],
    }


async def test_a_transcript_is_read_by_utterances(graph: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.", "Three.", "Four.")
    edits = [{"id": seg(id_, 1), "speakerId": spk(id_, 0)}]
    await edit(graph, "editSegments", transcriptId=id_, edits=edits)
    query = """query($id: ID!, $after: String, $speaker: ID) { transcript(id: $id) { utterances(first: 1, after: $after,
      speakerId: $speaker) { totalCount pageInfo { hasNextPage endCursor } edges { node { index start end text
      speaker { label } segments { index } } } } } }"""
    page = (await graph.data(query, id=id_))["transcript"]["utterances"]
    assert page["edges"][0]["node"] == {
        "index": 0, "start": 0.0, "end": 3.0, "text": "One. Two. Three.", "speaker": {"label": "SPEAKER_00"},
        "segments": [{"index": 0}, {"index": 1}, {"index": 2}],
    }  # fmt: skip
    after = page["pageInfo"]["endCursor"]
    page = (await graph.data(query, id=id_, after=after))["transcript"]["utterances"]
    assert (page["edges"][0]["node"]["text"], page["pageInfo"]["hasNextPage"], page["totalCount"]) == (
        "Four.",
        False,
        2,
    )
    page = (await graph.data(query, id=id_, speaker=spk(id_, 1)))["transcript"]["utterances"]
    assert [edge["node"]["index"] for edge in page["edges"]] == [1]
