"""Tracks and channels in the graph: what a recording has, and which of it a job may ask for."""

from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from db import media, transcripts
from db.domain.ids import new_id
from db.domain.tracks import AudioTrack
from db.models import Media
from schema.base.languages import WHISPER
from tests.fixtures.graph import FACTS, Graph, segment

CREATE = """mutation($input: CreateJobInput!) { createJob(input: $input) { __typename
  ... on CreateJobPayload { job { options { track channels languages diarize } stages { stage state } } }
  ... on InvalidInputError { fields { path message } } } }"""
TRACKS = "query($id: ID!) { media(id: $id) { hasVideo tracks { index codec channels language title default silent } } }"
TWO = (
    AudioTrack(index=0, codec="aac", channels=2, language="eng", default=True, silent=True),
    AudioTrack(index=1, codec="opus", channels=1, title="Kommentar", silent=False),
)


async def film(graph: Graph, tracks: tuple[AudioTrack, ...] = TWO, channels: int = 2, seconds: float = 30.0) -> Media:
    facts = replace(FACTS, has_video=True, tracks=tracks, channels=channels, duration_seconds=seconds)
    async with graph.db.write() as session:
        return await media.add(
            session, graph.owner, media_id=new_id("med"), filename="film.mkv", byte_size=100, sha256="0" * 64,
            facts=facts, blob_key="media/x",
        )  # fmt: skip


async def create(graph: Graph, recording: Media, **values: Any) -> dict[str, Any]:
    wanted = {"source": {"mediaId": recording.id}, **values}
    found: dict[str, Any] = (await graph.data(CREATE, input=wanted))["createJob"]
    return found


async def test_a_recording_lists_its_tracks_and_one_of_an_earlier_version_none(graph: Graph) -> None:
    found = (await graph.data(TRACKS, id=(await film(graph)).id))["media"]
    assert found["hasVideo"]
    assert [(one["index"], one["codec"], one["silent"]) for one in found["tracks"]] == [
        (0, "aac", True),
        (1, "opus", False),
    ]
    assert [(one["language"], one["title"], one["default"]) for one in found["tracks"]] == [
        ("eng", None, True),
        (None, "Kommentar", False),
    ]
    old = (await graph.media()).id
    async with graph.db.write() as session:  # as the migration leaves rows that were there before
        await session.execute(
            text("UPDATE media SET tracks = '[]', has_video = :no WHERE id = :id"), {"id": old, "no": False}
        )
    assert (await graph.data(TRACKS, id=old))["media"] == {"hasVideo": False, "tracks": []}


async def test_a_job_takes_the_track_and_the_channels_that_it_is_asked_for(graph: Graph) -> None:
    job = (await create(graph, await film(graph), track=0, channels="SEPARATE", languages=["en-US", "de", "en"]))["job"]
    assert job["options"] == {"track": 0, "channels": "SEPARATE", "languages": ["en", "de"], "diarize": False}
    assert {"stage": "DIARIZE", "state": "SKIPPED"} in job["stages"]


@pytest.mark.parametrize(
    ("values", "path", "told"),
    [
        ({"track": 2}, "input.track", "0 (aac, 2 channels, eng, silent); 1 (opus, 1 channel, “Kommentar”)"),
        ({"track": -1}, "input.track", "Between"),
        ({"track": 1, "channels": "SEPARATE"}, "input.channels", "has 1"),
        ({"channels": "SEPARATE", "numSpeakers": 2}, "input.numSpeakers", "Each channel"),
        ({"language": "en", "languages": ["de"]}, "input.languages", "Either"),
        ({"languages": ["de", "xx"]}, "input.languages.1", "Whisper"),
        ({"languages": sorted(WHISPER)[:21]}, "input.languages", "20"),
    ],
)
async def test_what_the_recording_does_not_have_is_refused_when_the_job_is_made(
    graph: Graph, values: dict[str, Any], path: str, told: str
) -> None:
    [field] = (await create(graph, await film(graph), **values))["fields"]
    assert ".".join(field["path"]) == path
    assert told in field["message"]


async def test_channels_that_are_too_many_or_too_long_stay_together(graph: Graph) -> None:
    for recording in (await film(graph, (), channels=9), await film(graph, (), channels=8, seconds=9 * 3600.0)):
        assert (await create(graph, recording, channels="SEPARATE"))["fields"][0]["path"] == ["input", "channels"]


async def test_channels_are_not_told_apart_again(graph: Graph) -> None:
    query = """mutation($id: ID!) { rerunStage(id: $id, input: {stage: DIARIZE}) { __typename
      ... on InvalidInputError { fields { path } } } }"""
    id_ = (
        await graph.data(
            "mutation($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }",
            input={"source": {"mediaId": (await film(graph)).id}, "channels": "SEPARATE"},
        )
    )["createJob"]["job"]["id"]
    assert (await graph.data(query, id=id_))["rerunStage"]["fields"] == [{"path": ["input", "stage"]}]


async def test_a_segment_has_its_language_in_every_revision(graph: Graph) -> None:
    await graph.job()
    job, lease = await graph.claim()
    await graph.append(lease, segment(0, language="es"), segment(1))
    found = await graph.data(
        "query($id: ID!) { transcript(id: $id) { segments(first: 2) { edges { node { language } } } } }",
        id=transcripts.transcript_id(job.id),
    )
    assert [edge["node"]["language"] for edge in found["transcript"]["segments"]["edges"]] == ["es", None]
