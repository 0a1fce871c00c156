"""Transcripts while they grow, on both databases."""

from db import transcripts
from db.domain.values import Options, Provenance, Segment, SpeakerLabel, Stage
from db.models import SegmentRow
from db.store.session import Database
from db.transcripts import segments
from tests.factories import running, sentence


async def rows(database: Database, owner: str, job_id: str) -> list[SegmentRow]:
    async with database.read() as session:
        return await transcripts.segment_rows(session, owner, transcripts.transcript_id(job_id))


async def test_segments_are_numbered_in_order_of_time_however_they_arrive(database: Database) -> None:
    job, lease = await running(database)
    for batch in (
        [sentence("00100000", 8, "d", "e")],
        [sentence("00000000", 0, "a"), sentence("00000100", 2, "b", "c")],
    ):
        async with database.write() as session:
            await transcripts.append(session, lease, batch, windows=1)
    found = await rows(database, job.owner_id, job.id)
    assert [(row.text, row.position, row.first_word) for row in found] == [("a", 0, 0), ("b c", 1, 1), ("d e", 2, 3)]


async def test_a_window_stored_twice_is_there_once(database: Database) -> None:
    job, lease = await running(database)
    for _ in range(2):
        async with database.write() as session:
            await transcripts.append(session, lease, [sentence("00000000", 0, "a")], windows=1)
    assert [row.text for row in await rows(database, job.owner_id, job.id)] == ["a"]


async def test_splitting_renumbers_what_comes_after_and_joining_again_restores_it(database: Database) -> None:
    job, lease = await running(database)
    whole = [sentence("00000000", 0, "a", "b"), sentence("00000001", 4, "c")]
    async with database.write() as session:
        await transcripts.append(session, lease, whole, windows=1)
    parts = [sentence("00000000", 0, "a"), sentence("00000000.01", 0.5, "b")]
    async with database.write() as session:
        await transcripts.revise(session, lease, Stage.DIARIZE, parts)
    split = await rows(database, job.owner_id, job.id)
    assert [(row.key, row.position, row.first_word) for row in split] == [
        ("00000000", 0, 0),
        ("00000000.01", 1, 1),
        ("00000001", 2, 2),
    ]
    async with database.write() as session:
        await transcripts.revise(session, lease, Stage.DIARIZE, whole[:1], removed=["00000000.01"])
    joined = await rows(database, job.owner_id, job.id)
    assert [(row.key, row.position) for row in joined] == [("00000000", 0), ("00000001", 1)]


async def test_a_retry_finds_finished_windows_and_drops_unfinished_ones(database: Database) -> None:
    _, lease = await running(database)
    async with database.write() as session:
        await transcripts.append(session, lease, [sentence("00000000", 0, "kept")], windows=1)
        await transcripts.append(session, lease, [sentence("00100000", 4, "half")], windows=1)
        await transcripts.set_language(session, lease, "en", 0.9)
        label = SpeakerLabel(index=0, label="SPEAKER_00", seconds=1.0, word_count=1)
        await transcripts.set_speakers(session, lease, [label])
    async with database.write() as session:
        await transcripts.trim(session, lease, windows=1)
        transcript, segments, speakers = await transcripts.stored(session, lease)
    assert transcript
    assert transcript.language == "en"
    assert [segment.text for segment in segments] == ["kept"]
    assert speakers == [label]


async def test_what_was_stored_comes_back_to_the_millisecond(database: Database) -> None:
    _, lease = await running(database)
    given = sentence("00000000", 1.234, "ein", "Wört", "日本")
    async with database.write() as session:
        await transcripts.append(session, lease, [given], windows=1)
        _, stored, _ = await transcripts.stored(session, lease)
    assert stored == [given]


async def test_a_time_window_holds_the_segments_that_touch_it(database: Database) -> None:
    job, lease = await running(database)
    many: list[Segment] = [sentence(f"{i:08d}", i * 10.0, "a", "b") for i in range(5)]
    async with database.write() as session:
        await transcripts.append(session, lease, many, windows=1)
    async with database.read() as session:
        id_ = transcripts.transcript_id(job.id)
        touched = await segments.packed(session, job.owner_id, [id_], (10.5, 30.2))
        bordered = await segments.packed(session, job.owner_id, [id_], (11.0, 30.0))
    assert [row.start_ms for row in touched] == [10_000, 20_000, 30_000]
    assert [row.start_ms for row in bordered] == [20_000]


async def test_completing_records_what_made_it(database: Database) -> None:
    job, lease = await running(database)
    async with database.write() as session:
        await transcripts.complete(session, lease, Provenance(asr_model="base@1"))
    async with database.read() as session:
        found = await transcripts.get(session, job.owner_id, transcripts.transcript_id(job.id))
    assert found
    assert found.complete
    assert found.provenance == Provenance(asr_model="base@1")


async def test_a_stage_that_is_done_again_leaves_what_is_known_of_the_others(database: Database) -> None:
    job, lease = await running(database)
    options = Options(model="base")
    first = Provenance(
        asr_model="base@1",
        align_model="aligner@1",
        diarization_model="speakers@1",
        options=options,
        stage_seconds={"TRANSCRIBE": 3.0, "ALIGN": 2.0, "DIARIZE": 1.0},
    )
    again = Provenance(
        asr_model="base", diarization_model="speakers@2", options=options, stage_seconds={"DIARIZE": 0.1}
    )
    async with database.write() as session:
        await transcripts.complete(session, lease, first)
        await transcripts.complete(session, lease, again)
    async with database.read() as session:
        transcript = await transcripts.get(session, job.owner_id, transcripts.transcript_id(job.id))
    assert transcript
    told = transcript.provenance
    assert told
    assert (told.asr_model, told.align_model, told.diarization_model) == ("base@1", "aligner@1", "speakers@2")
    assert told.stage_seconds == {"TRANSCRIBE": 3.0, "ALIGN": 2.0, "DIARIZE": 0.1}
